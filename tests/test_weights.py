"""Weights in and out: what is written comes back, and what does not fit is told."""

import sys
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from rote import load_torchvision, load_weights, models, predict, save_weights, weights
from rote.combinators import serial
from rote.core import InputError, Model, count_params
from rote.layers import dense
from rote.predict import class_names, main
from rote.storage import flatten_tree, load_tensors, save_tensors

K = 10
NETS = {
    "mlp": models.mlp((4, 4), num_classes=K, dropout=0.5),
    "cnn": models.cnn((4, 8), num_classes=K),
    "alexnet_small": models.alexnet_small(num_classes=K),
    "inception_small": models.inception_small(num_classes=K),
    "resnet": models.resnet(8, num_classes=K),
    "wide_resnet": models.wide_resnet(10, 1, num_classes=K),
}
IMAGE = jax.ShapeDtypeStruct((1, 8, 8, 3), "float32")


def random_like(model: Model, example: Any = IMAGE) -> Any:
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0), example)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), shapes)


def assert_trees_equal(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert np.asarray(a).dtype == b.dtype
        np.testing.assert_array_equal(a, b)


# --- any model


@pytest.mark.parametrize("name", NETS)
def test_every_model_comes_back_with_its_structure(name, tmp_path) -> None:
    params, state = random_like(NETS[name])
    save_weights(tmp_path / "net.safetensors", params, state)
    assert_trees_equal(
        load_weights(tmp_path / "net.safetensors", NETS[name], IMAGE), (params, state)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_names_are_readable_in_any_program(tmp_path) -> None:
    params, state = random_like(NETS["cnn"])
    save_weights(tmp_path / "net.safetensors", params, state)
    tensors = load_file(tmp_path / "net.safetensors")
    assert len(tensors) == len(jax.tree.leaves((params, state)))
    assert {"params/block1/conv/kernel", "params/head/bias", "state/block2/norm/var"} <= set(
        tensors
    )
    np.testing.assert_array_equal(
        tensors["params/block1/conv/kernel"], params["block1"]["conv"]["kernel"]
    )


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int32", "bool"])
def test_types_and_layouts_come_back(dtype, tmp_path) -> None:
    array = np.arange(6).reshape(2, 3).astype(jnp.dtype(dtype))
    tensors = {"c": array, "transposed": array.T, "strided": array[:, ::2], "scalar": array[0, 1]}
    tensors["empty"] = array[:0]
    save_tensors(tmp_path / "a.safetensors", tensors)
    assert_trees_equal(tensors, load_tensors(tmp_path / "a.safetensors"))


def test_arrays_of_jax_and_of_nets_of_ones_own(tmp_path) -> None:
    net = serial(dense(3), dense(2))
    x = jnp.ones((1, 5))
    params, state = jax.tree.map(jnp.asarray, random_like(net, x))
    save_weights(tmp_path / "net.safetensors", params, state)
    assert_trees_equal(load_weights(tmp_path / "net.safetensors", net, x), (params, state))


def test_what_is_no_tree_of_arrays_is_not_written(tmp_path) -> None:
    with pytest.raises(InputError, match="params/hidden is a list; expected nested"):
        save_weights(tmp_path / "a", {"hidden": [np.ones(2)]}, {})
    with pytest.raises(InputError, match="complex128"):
        save_weights(tmp_path / "a", {"x": np.ones(2, complex)}, {})
    with pytest.raises(InputError, match="state/key is key<fry>; expected numbers"):
        save_weights(tmp_path / "a", {}, {"key": jax.random.key(0)})
    with pytest.raises(InputError, match=r"cannot write .*directory"):
        save_weights(tmp_path, {"x": np.ones(2)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("params/head/bias"), r"1 missing \(params/head/bias\)$"),
        (
            lambda t: t.update({f"x{i}": np.ones(1) for i in range(5)}),
            r"5 too many \(x0, x1, x2, \.\.\.\)$",
        ),
        (
            lambda t: t.update({"params/head/bias": np.ones(11)}),
            r"1 of another shape \(params/head/bias is \(11,\), expected \(10,\)\)$",
        ),
    ],
)
def test_weights_of_another_model_are_refused(change, message, tmp_path) -> None:
    params, state = random_like(NETS["cnn"])
    tensors = {
        name: leaf
        for name, leaf in flatten_tree({"params": params, "state": state}).items()
        if leaf is not None
    }
    change(tensors)
    save_tensors(tmp_path / "a.safetensors", tensors)
    with pytest.raises(InputError, match=f"does not fit the model: {message}"):
        load_weights(tmp_path / "a.safetensors", NETS["cnn"], IMAGE)


def test_files_that_are_none(tmp_path) -> None:
    file = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match=r"cannot read .*a\.safetensors: No such file"):
        load_tensors(file)
    with pytest.raises(InputError, match="Is a directory"):
        load_tensors(tmp_path)
    for content in (b"", b"hello, world"):
        file.write_bytes(content)
        with pytest.raises(InputError, match="neither a safetensors file nor a PyTorch one"):
            load_tensors(file)
    save_tensors(file, {"x": np.arange(1000.0)})
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged"):
        load_tensors(file)


# --- torchvision's


def torchvision_shapes(name: str, num_classes: int = 1000) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a ``state_dict`` of torchvision's, written from its documentation."""
    bottleneck = name == "resnet50"
    num_blocks = (2, 2, 2, 2) if name == "resnet18" else (3, 4, 6, 3)
    shapes: dict[str, tuple[int, ...]] = {}

    def conv_and_norm(conv: str, norm: str, c_in: int, c_out: int, kernel: int) -> None:
        shapes[f"{conv}.weight"] = (c_out, c_in, kernel, kernel)
        for array in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{array}"] = (c_out,)
        shapes[f"{norm}.num_batches_tracked"] = ()

    conv_and_norm("conv1", "bn1", 3, 64, 7)
    c_in = 64
    for stage, n in enumerate(num_blocks):
        width = 64 * 2**stage
        c_out = 4 * width if bottleneck else width
        sizes = [(width, 1), (width, 3), (c_out, 1)] if bottleneck else [(width, 3)] * 2
        for block in range(n):
            at = f"layer{stage + 1}.{block}"
            if c_in != c_out:
                conv_and_norm(f"{at}.downsample.0", f"{at}.downsample.1", c_in, c_out, 1)
            for i, (channels, kernel) in enumerate(sizes, 1):
                conv_and_norm(f"{at}.conv{i}", f"{at}.bn{i}", c_in, channels, kernel)
                c_in = channels
    return shapes | {"fc.weight": (num_classes, c_in), "fc.bias": (num_classes,)}


def zeros(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


@pytest.fixture
def in_the_file(monkeypatch):
    """``in_the_file(tensors)`` puts them in whatever file is read next."""
    return lambda tensors: monkeypatch.setattr(weights, "load_tensors", lambda path: tensors)


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)],
)
def test_every_array_has_its_place(name, count, in_the_file) -> None:
    shapes = torchvision_shapes(name)
    in_the_file(zeros(shapes))
    model, params, state = load_torchvision(name, "weights")
    assert count_params(params) == count
    kept = [key for key in shapes if not key.endswith("num_batches_tracked")]
    assert len(kept) == len(jax.tree.leaves((params, state)))
    own = jax.eval_shape(
        model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 64, 64, 3), "float32")
    )
    assert jax.tree.map(np.shape, (params, state)) == jax.tree.map(np.shape, own)


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory):
    """A file of random weights with ten classes, as an old torch wrote them, and its tensors."""
    rng = np.random.default_rng(0)
    tensors = {
        name: 0.05 * rng.standard_normal(shape, np.float32) + name.endswith("running_var")
        for name, shape in torchvision_shapes("resnet18", K).items()
        if not name.endswith("num_batches_tracked")
    }
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_tensors(path, tensors)
    return path, tensors


def test_arrays_are_turned_and_named_by_hand(resnet18) -> None:
    path, tensors = resnet18
    _, params, state = load_torchvision("resnet18", path)
    conv = params["stage3"]["block2"]["sum"]["body"]["conv2"]["kernel"]
    assert conv[0, 2, 5, 7] == tensors["layer3.1.conv2.weight"][7, 5, 0, 2]
    assert params["head"]["kernel"][3, 9] == tensors["fc.weight"][9, 3]
    for ours, theirs in [
        (params["stem"]["conv"]["kernel"][1, 2, 0, 4], tensors["conv1.weight"][4, 0, 1, 2]),
        (params["stem"]["norm"]["offset"], tensors["bn1.bias"]),
        (state["stem"]["norm"]["var"], tensors["bn1.running_var"]),
        (
            state["stage2"]["block1"]["sum"]["shortcut"]["norm"]["mean"],
            tensors["layer2.0.downsample.1.running_mean"],
        ),
        (
            params["stage4"]["block1"]["sum"]["body"]["norm1"]["scale"],
            tensors["layer4.0.bn1.weight"],
        ),
    ]:
        np.testing.assert_array_equal(ours, theirs)


def test_half_precision_becomes_the_default_float(in_the_file) -> None:
    tensors = zeros(torchvision_shapes("resnet18", K))
    half = {name: array.astype(jnp.bfloat16) for name, array in tensors.items()}
    in_the_file({**tensors, "bn1.weight": half["bn1.weight"]})
    with jax.enable_x64(True):
        params = load_torchvision("resnet18", "weights").params
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {"float64"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bn1.running_var"), r"1 missing \(bn1\.running_var\)$"),
        (lambda t: t.pop("fc.bias"), r"1 missing \(fc\.bias\)$"),
        (lambda t: t.update(extra=np.ones(1)), r"1 too many \(extra\)$"),
        (
            lambda t: t.update({"conv1.weight": np.ones((64, 3, 3, 3))}),
            r"1 of another shape \(conv1\.weight is \(64, 3, 3, 3\), expected \(64, 3, 7, 7\)\)$",
        ),
        (
            lambda t: t.update({"fc.bias": np.ones(())}),
            r"1 of another shape \(fc\.bias is \(\), expected \(10,\)\)$",
        ),
    ],
)
def test_wrong_weights_are_refused(change, message, in_the_file) -> None:
    tensors = zeros(torchvision_shapes("resnet18", K))
    change(tensors)
    in_the_file(tensors)
    with pytest.raises(InputError, match=rf"a\.pth does not fit resnet18: .*{message}"):
        load_torchvision("resnet18", "a.pth")


def test_another_architecture_is_named(in_the_file) -> None:
    in_the_file(zeros(torchvision_shapes("resnet34", K)))
    with pytest.raises(InputError, match=r"too many .*; the weights are those of a resnet34$"):
        load_torchvision("resnet18", "a.pth")
    in_the_file(zeros({"features.0.weight": (64, 3, 3, 3), "fc.weight": (K, 512)}))
    with pytest.raises(InputError, match=r"101 missing .*; 1 too many \([^;]*$"):
        load_torchvision("resnet18", "vgg.pth")
    with pytest.raises(InputError, match="unknown net 'resnet101': did you mean"):
        load_torchvision("resnet101", "a.pth")


def test_names_of_a_parallel_net_are_told(in_the_file) -> None:
    tensors = zeros(torchvision_shapes("resnet18", K))
    in_the_file({f"module.{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(InputError, match=r"begin with 'module\.'.*model\.module\.state_dict\(\)$"):
        load_torchvision("resnet18", "a.pth")


def test_weights_that_are_not_finite_are_refused(in_the_file) -> None:
    tensors = zeros(torchvision_shapes("resnet18", K))
    in_the_file({**tensors, "fc.bias": np.full(K, np.nan, np.float32)})
    with pytest.raises(InputError, match=r"fc\.bias has values that are not finite"):
        load_torchvision("resnet18", "a.pth")


def test_quantized_weights_are_refused(in_the_file) -> None:
    tensors = zeros(torchvision_shapes("resnet18", K))
    in_the_file({**tensors, "fc.weight": tensors["fc.weight"].astype(np.int8)})
    with pytest.raises(InputError, match=r"fc\.weight is int8; expected floats"):
        load_torchvision("resnet18", "a.safetensors")


def test_without_torch_a_pth_file_says_how_to_convert_it(tmp_path, monkeypatch) -> None:
    file = tmp_path / "a.pth"
    file.write_bytes(b"PK\x03\x04 and more")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install .*weights_only=True.*a\.safetensors$"):
        load_tensors(file)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(__version__=(2, 5, 1)))
    with pytest.raises(InputError, match=r"can be made to run code .* pip install .torch>=2\.10"):
        load_tensors(file)


# --- the command


def photo(path: Path) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_the_command_prints_the_top_classes(tmp_path, capsys, monkeypatch) -> None:
    net = models.mlp((), num_classes=3)
    kernel = np.zeros((224 * 224 * 3, 3), np.float32)
    params = {"flatten": {}, "head": {"kernel": kernel, "bias": np.log([0.2, 0.7, 0.1])}}
    loaded = weights.Pretrained(net, params, {"flatten": {}, "head": {}})
    asked = []
    monkeypatch.setattr(predict, "load_torchvision", lambda *args: asked.append(args) or loaded)
    image, names = str(photo(tmp_path / "photo.png")), tmp_path / "classes.txt"
    names.write_text("cat\nblack dog\nowl\n")
    flags = ["--weights", "net.pth", "--top", "2", image, image]
    table = f"{image}\nclass  probability\n    1          0.7\n    0          0.2\n\n"
    assert main(flags) == 0
    assert capsys.readouterr().out == 2 * table
    assert main([*flags, "--classes", str(names)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [
        ["class", "name", "probability"],
        ["1", "black", "dog", "0.7"],
        ["0", "cat", "0.2"],
    ]
    assert asked[0] == ("resnet18", Path("net.pth"))


def test_the_command_refuses_in_one_line(resnet18, tmp_path, capsys) -> None:
    image = str(photo(tmp_path / "photo.png"))
    weights_file = str(resnet18[0])
    few = tmp_path / "few.txt"
    few.write_text("cat\ndog\n")
    for flags, message in [
        (["--weights", weights_file, "none.png"], "cannot read none.png: No such file"),
        (["--weights", weights_file, weights_file], "is no image that Pillow can read"),
        (["--weights", image, image], "neither a safetensors file nor a PyTorch one"),
        (["--weights", weights_file, "--model", "resnet34", image], "those of a resnet18"),
        (["--weights", weights_file, "--classes", str(few), image], "has 2 lines for 10 classes"),
        (["--weights", weights_file, "--top", "11", image], "top: 11; expected 1..10"),
        (["--weights", weights_file, "--resize", "100", image], "crop: 224, resize: 100; expected"),
    ]:
        assert main(flags) == 2
        error = capsys.readouterr().err
        assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_names_of_classes(tmp_path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("tench, Tinca tinca\nhai\xdfe\n\n", encoding="utf-8")
    assert class_names(file, 2) == ["tench, Tinca tinca", "hai\xdfe"]
    file.write_bytes(b"\xff\xfe")
    for path in (file, tmp_path, tmp_path / "none.txt"):
        with pytest.raises(InputError, match="cannot read"):
            class_names(path, 2)
