"""The same file in PyTorch and here: the same logits; and PyTorch's files, whatever is in them."""

import functools
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from typing import Any

import jax
import numpy as np
import pytest

from rote import data, load_torchvision, transforms
from rote.core import InputError
from rote.predict import main
from rote.storage import load_tensors, save_tensors
from rote.storage.tensors import conversion

torch = pytest.importorskip("torch", minversion="2.10")
nn = torch.nn

K = 10


# The nets of torchvision.models.resnet: children have the names that they have there.


class Block(nn.Module):
    def __init__(self, c_in: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        c_out = 4 * width if bottleneck else width
        layers = [(width, 3, stride), (c_out, 3, 1)]
        if bottleneck:
            layers = [(width, 1, 1), (width, 3, stride), (c_out, 1, 1)]
        self.depth = len(layers)
        self.downsample = None
        if stride > 1 or c_in != c_out:
            conv = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(c_out))
        for i, (channels, kernel, step) in enumerate(layers, 1):
            conv = nn.Conv2d(c_in, channels, kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", nn.BatchNorm2d(channels))
            c_in = channels

    def forward(self, x: Any) -> Any:
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = torch.relu(y) if i < self.depth else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        c_in, bottleneck = 64, name == "resnet50"
        for i, n in enumerate((2, 2, 2, 2) if name == "resnet18" else (3, 4, 6, 3)):
            blocks = []
            for j in range(n):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(Block(c_in, 64 * 2**i, stride, bottleneck))
                c_in = 64 * 2**i * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c_in, K)

    def forward(self, x: Any) -> Any:
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(x.mean((2, 3)))


def random_net(name: str) -> Any:
    """With statistics and factors of the batch norm that are not those of the start."""
    net = ResNet(name).eval()
    generator = torch.Generator().manual_seed(0)
    for key, value in net.state_dict().items():
        if value.ndim == 1:
            value.uniform_(-0.3, 0.3, generator=generator)
            value += key.endswith(("running_var", "bn1.weight", "bn2.weight"))
        elif value.ndim > 1:
            deviation = (2 / value[0].numel()) ** 0.5
            value.normal_(0, deviation, generator=generator)
    return net


def largest_relative_difference(actual: Any, expected: Any) -> float:
    return float(np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "suffix", "dtype", "limit"),
    [
        ("resnet18", "pth", "float32", 1e-5),
        pytest.param("resnet18", "pth", "float64", 1e-12, marks=pytest.mark.slow),
        pytest.param("resnet34", "safetensors", "float32", 1e-5, marks=pytest.mark.slow),
        pytest.param("resnet50", "pth", "float32", 1e-5, marks=pytest.mark.slow),
    ],
)
def test_logits_are_those_of_pytorch(name, suffix, dtype, limit, tmp_path) -> None:
    net = random_net(name).to(getattr(torch, dtype))
    path = tmp_path / f"net.{suffix}"
    if suffix == "pth":
        torch.save(net.state_dict(), path)
    else:
        save_tensors(path, {key: value.numpy() for key, value in net.state_dict().items()})
    x = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype(dtype)
    with torch.no_grad():
        expected = net(torch.tensor(x).permute(0, 3, 1, 2)).numpy()
    with jax.enable_x64(dtype == "float64"):
        model, params, state = load_torchvision(name, path)
        logits, _ = jax.jit(functools.partial(model.apply, train=False))(params, state, x)
    assert logits.dtype == dtype
    difference = largest_relative_difference(logits, expected)
    print(name, dtype, difference)
    assert difference < limit


def torchvision_input(image: Any) -> Any:
    """What torchvision's preset does to an image of Pillow, written out in PyTorch."""
    from PIL import Image

    short = min(image.size)
    size = tuple(int(256 * side / short) for side in image.size)
    cut = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((side - 224) / 2) for side in size)
    pixels = np.array(cut.crop((left, top, left + 224, top + 224)))
    x = torch.tensor(pixels).permute(2, 0, 1).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean[:, None, None]) / std[:, None, None]


@pytest.fixture
def photo() -> Any:
    from PIL import Image

    pixels = np.random.default_rng(2).integers(0, 256, (12, 17, 3), np.uint8)
    return Image.fromarray(pixels).resize((463, 331), Image.Resampling.BICUBIC)


def test_inputs_are_those_of_pytorch(photo, tmp_path) -> None:
    photo.save(tmp_path / "photo.png")
    ours = data.load_image(tmp_path / "photo.png")[None]
    ours = transforms.imagenet_standardize()(ours, train=False)
    expected = torchvision_input(photo).permute(1, 2, 0)
    np.testing.assert_allclose(ours[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_the_command_from_end_to_end(photo, tmp_path, capsys) -> None:
    photo.save(tmp_path / "photo.png")
    net = random_net("resnet18")
    torch.save(net.state_dict(), tmp_path / "net.pth")
    with torch.no_grad():
        expected = net(torchvision_input(photo)[None]).softmax(1)[0]
    flags = ["--weights", str(tmp_path / "net.pth"), "--top", str(K)]
    assert main([*flags, str(tmp_path / "photo.png")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:-1]]
    assert [int(row[0]) for row in rows] == expected.argsort(descending=True).tolist()
    for index, probability in rows:
        assert float(probability) == pytest.approx(float(expected[int(index)]), rel=1e-3)


# --- what a .pth file may hold


def test_old_and_new_files_come_back(tmp_path) -> None:
    tensors = OrderedDict(a=torch.arange(6.0).reshape(2, 3).T, b=nn.Parameter(torch.ones(2)))
    tensors["c"] = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    for new in (True, False):
        torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
        back = load_tensors(tmp_path / "a.pth")
        assert list(back) == ["a", "b", "c"]
        assert back["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
        assert back["c"].dtype == np.float32 and back["c"].tolist() == [1.5, -2]


class Code:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Any) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_code_in_a_file_is_not_run(how, tmp_path) -> None:
    ran, file = tmp_path / "ran", tmp_path / "evil.pth"
    content = OrderedDict(weight=torch.ones(2), code=Code(ran))
    if how == "pickle":
        file.write_bytes(pickle.dumps(Code(ran)))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(InputError, match=r"pickled objects or code, .*nothing in it was run"):
        load_tensors(file)
    with pytest.raises(InputError, match="pickled objects or code"):
        load_torchvision("resnet18", file)
    assert not ran.exists()


def test_other_contents_are_refused(tmp_path) -> None:
    file = tmp_path / "a.pth"
    sparse = torch.eye(2).to_sparse()
    for content, message in [
        (nn.Linear(2, 2), "pickled objects or code"),
        ([torch.ones(2)], "holds a list; expected tensors by name"),
        (
            {"state_dict": {"a": torch.ones(2)}},
            "'state_dict' is of type dict; .*save its 'state_dict' alone",
        ),
        ({"a": torch.ones(2), "epoch": 3}, "'epoch' is of type int; expected tensors alone"),
        ({"a": sparse}, "'a' is no plain tensor"),
    ]:
        torch.save(content, file)
        with pytest.raises(InputError, match=message):
            load_tensors(file)
    torch.save({"a": torch.ones(1000)}, file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match="cannot be read as PyTorch's tensors"):
        load_tensors(file)


@pytest.mark.slow
def test_the_conversion_that_the_message_names_works(tmp_path) -> None:
    file = tmp_path / "a net.pth"
    torch.save(OrderedDict(a=nn.Parameter(torch.arange(4.0))), file)
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    subprocess.run(conversion(str(file)), shell=True, check=True, env={**os.environ, "PATH": path})
    assert load_tensors(tmp_path / "a net.safetensors")["a"].tolist() == [0, 1, 2, 3]
