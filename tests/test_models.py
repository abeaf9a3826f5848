"""The catalogue: every family of networks in every common test; strict dtype promotion is on.

The smallest member of each family is in the default run, variants and larger ones in the slow run.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from rote import models
from rote.core import InputError, Model, Params, State, count_params
from rote.layers import glorot_uniform, uniform_kaiming

K = 10


class Net(NamedTuple):
    model: Model
    size: int  # height and width of its images
    learning_rate: float = 0.02


SMALL = {
    "mlp": Net(models.mlp((16, 16), num_classes=K), 4),
    "cnn": Net(models.cnn((4, 8), num_classes=K), 8),
    "alexnet_small": Net(models.alexnet_small(num_classes=K), 8, 0.005),
    "inception_small": Net(models.inception_small(num_classes=K), 6),
    "resnet_8": Net(models.resnet(8, num_classes=K), 8),
    "wide_resnet_10_2": Net(models.wide_resnet(10, 2, num_classes=K, dropout=0.1), 8),
}
MORE = {
    "cnn_no_bn": Net(models.cnn((4, 8), num_classes=K, batch_norm=False), 8),
    "plain_8": Net(models.resnet(8, num_classes=K, residual=False), 8),
    "resnet_8_no_bn": Net(models.resnet(8, num_classes=K, batch_norm=False), 8, 0.005),
    "resnet_8_projection": Net(models.resnet(8, num_classes=K, projection=True), 8),
    "inception_small_no_bn": Net(models.inception_small(num_classes=K, batch_norm=False), 8, 0.01),
    "resnet_20": Net(models.resnet(20, num_classes=K), 16),
    "resnet_56": Net(models.resnet(56, num_classes=K), 16),
    "resnet_18": Net(models.resnet18(num_classes=K), 32),
    "resnet_18_cifar": Net(models.resnet18(num_classes=K, stem="cifar"), 8),
    "resnet_50": Net(models.resnet50(num_classes=K, stem="cifar"), 8, 0.005),
    "wide_resnet_28_1": Net(models.wide_resnet(28, 1, num_classes=K), 16),
}


def catalogue(*slow: str) -> pytest.MarkDecorator:
    """Every net; those named, and the variants and larger ones, in the slow run."""
    return pytest.mark.parametrize(
        "net",
        [
            pytest.param(
                net, id=name, marks=pytest.mark.slow if name in MORE or name in slow else ()
            )
            for name, net in (SMALL | MORE).items()
        ],
    )


def new_key(seed: Any) -> jax.Array:
    """A key whose draws compile several times faster than the default one's."""
    return jax.random.key(seed, impl="unsafe_rbg")


@functools.cache
def inputs(net: Net, batch: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, net.size, net.size, 3)).astype(np.float32)
    return images, rng.integers(0, K, batch).astype(np.int32)


@functools.partial(jax.jit, static_argnames="net")
def start(net: Net, seed: Any) -> tuple[Params, State]:
    return net.model.init(new_key(seed), inputs(net)[0])


@functools.partial(jax.jit, static_argnames="net")
def evaluate(net: Net, params: Params, state: State, x: Any) -> tuple[jax.Array, State]:
    return net.model.apply(params, state, x, train=False)


def loss_fn(
    params: Params, net: Net, state: State, x: Any, labels: Any, seed: Any = 0
) -> tuple[jax.Array, State]:
    logits, state = net.model.apply(params, state, x, train=True, key=new_key(seed))
    return -jnp.mean((jax.nn.log_softmax(logits) * jax.nn.one_hot(labels, K)).sum(-1)), state


def sgd_step(carry: Any, step: jax.Array, *, net: Net) -> tuple[Any, Any]:
    """One step of heavy-ball SGD; a ``lax.scan`` body."""
    params, momentum, state = carry
    (loss, state), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
        params, net, state, *inputs(net), seed=step
    )
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
    params = jax.tree.map(lambda p, m: p - net.learning_rate * m, params, momentum)
    return (params, momentum, state), loss


@catalogue()
def test_logits_and_state(net: Net) -> None:
    x, labels = inputs(net)
    params, state = start(net, 0)
    logits, kept = evaluate(net, params, state, x)
    assert logits.shape == (16, K) and logits.dtype == jnp.float32
    chex.assert_trees_all_equal(kept, state)
    assert np.std(logits) > 0

    shapes = jax.eval_shape(lambda: loss_fn(params, net, state, x, labels))[1]
    chex.assert_trees_all_equal_shapes_and_dtypes(shapes, state)
    # An example's output does not depend on the others in its batch.
    others = np.concatenate([x[:4], 1 - x[4:]])
    np.testing.assert_allclose(evaluate(net, params, state, others)[0][:4], logits[:4], atol=1e-5)


@catalogue("alexnet_small", "inception_small", "wide_resnet_10_2")
def test_jit_changes_nothing(net: Net) -> None:
    params, state = start(net, 0)
    x = inputs(net)[0][:2]
    with jax.disable_jit():
        expected, _ = net.model.apply(params, state, x, train=False)
    logits, _ = evaluate(net, params, state, x)
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())


@catalogue("inception_small", "wide_resnet_10_2")
def test_derivatives(net: Net) -> None:
    """Gradient, jvp and Hessian-vector products against finite differences in float64."""
    start_params, start_state = start(net, 0)
    x, labels = inputs(net, 4)
    with jax.enable_x64(True):
        x = x.astype(np.float64)
        params, state = jax.tree.map(np.float64, (start_params, start_state))
        point, unravel = ravel_pytree(params)
        direction = jnp.asarray(np.random.default_rng(1).normal(size=point.size))

        def loss(point):
            return loss_fn(unravel(point), net, state, x, labels)[0]

        @jax.jit
        def derivatives(point):
            gradient, hvp = jax.jvp(jax.grad(loss), (point,), (direction,))
            return loss(point), gradient, jax.jvp(loss, (point,), (direction,))[1], hvp

        h = 1e-6 / np.sqrt(point.size)
        _, gradient, slope, hvp = derivatives(point)
        above, below = (derivatives(point + sign * h * direction) for sign in (1, -1))
        for leaf in jax.tree.leaves(unravel(gradient)):
            assert np.isfinite(leaf).all() and np.any(leaf != 0)
        np.testing.assert_allclose(gradient @ direction, slope, rtol=1e-8)
        np.testing.assert_allclose(slope, (above[0] - below[0]) / (2 * h), rtol=1e-4)
        difference = (above[1] - below[1]) / (2 * h)
        assert np.linalg.norm(hvp - difference) < 1e-3 * np.linalg.norm(hvp)


@catalogue("inception_small", "wide_resnet_10_2")
def test_overfits_random_labels(net: Net) -> None:
    """16 labels to 100 %, by a scan over steps that is traced once."""
    params, state = start(net, 0)
    x, labels = inputs(net)
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def train(carry, steps):
        return jax.lax.scan(functools.partial(sgd_step, net=net), carry, steps)

    carry, losses = (params, jax.tree.map(jnp.zeros_like, params), state), None
    for steps in np.split(np.arange(300, dtype=np.int32), 20):
        carry, losses = train(carry, steps)
        params, _, state = carry
        logits, _ = evaluate(net, params, state, x)
        if steps[0] >= 30 and np.array_equal(jnp.argmax(logits, -1), labels):
            return
    pytest.fail(f"not memorized after 300 steps: losses {losses}")


@catalogue()
def test_vmap_over_parameters(net: Net) -> None:
    x, _ = inputs(net)
    starts = [start(net, seed) for seed in (0, 1)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    both, _ = jax.jit(jax.vmap(lambda p, s: net.model.apply(p, s, x, train=False)))(*stacked)
    for logits, one in zip(both, starts, strict=True):
        expected, _ = evaluate(net, *one, x)
        np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())
    assert not np.allclose(both[0], both[1], atol=1e-3)


# What is published


def init_shapes(model: Model, *shape: int) -> Params:
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    return jax.eval_shape(model.init, jax.random.key(0), x)[0]


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        (models.mlp((16, 16), num_classes=10), (28, 28, 1), 13_002),
        (models.mlp((512,), num_classes=10), (28, 28, 3), 1_209_866),
        (models.mlp((512, 512, 512), num_classes=10), (28, 28, 3), 1_735_178),
        (models.cnn(num_classes=10), (28, 28, 1), 421_738),
        (models.alexnet_small(num_classes=10), (28, 28, 3), 1_387_786),
        (models.inception_small(num_classes=10), (28, 28, 3), 1_649_402),
        (models.inception_small(num_classes=10, batch_norm=False), (28, 28, 3), 1_649_402),
        (models.wide_resnet(28, 1, num_classes=10), (32, 32, 3), 369_498),
        (models.resnet(20, num_classes=10), (32, 32, 3), 269_722),
        (models.resnet(20, num_classes=10, projection=True), (32, 32, 3), 272_474),
        # 688 channels with a bias each instead of two parameters of a batch norm.
        (models.resnet(20, num_classes=10, batch_norm=False), (32, 32, 3), 269_722 - 688),
        (
            models.resnet(20, num_classes=10, residual=False, batch_norm=False),
            (32, 32, 3),
            269_722 - 688,
        ),
        (
            models.resnet(20, num_classes=10, batch_norm=False, projection=True),
            (32, 32, 3),
            269_722 - 688 + (16 + 1) * 32 + (32 + 1) * 64,
        ),
        (models.resnet(32, num_classes=10), (32, 32, 3), 464_154),
        (models.resnet(44, num_classes=10), (32, 32, 3), 658_586),
        (models.resnet(56, num_classes=10), (32, 32, 3), 853_018),
        (models.resnet(56, num_classes=10, residual=False), (32, 32, 3), 853_018),
        (models.resnet(110, num_classes=10), (32, 32, 3), 1_727_962),
        (models.resnet18(num_classes=1000), (224, 224, 3), 11_689_512),
        (models.resnet34(num_classes=1000), (224, 224, 3), 21_797_672),
        (models.resnet50(num_classes=1000), (224, 224, 3), 25_557_032),
        (models.resnet18(num_classes=10, stem="cifar"), (32, 32, 3), 11_173_962),
    ],
)
def test_published_parameter_counts(model: Model, shape: tuple[int, ...], expected: int) -> None:
    assert count_params(init_shapes(model, *shape)) == expected


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("mlp", ["hidden1/dense/kernel", "head/bias"]),
        ("cnn", ["block1/conv/kernel", "head/bias"]),
        ("alexnet_small", ["block1/conv/kernel", "head/bias"]),
        ("inception_small", ["stem/conv/kernel", "inception1/conv1x1/conv/kernel", "head/bias"]),
        ("resnet_8", ["stem/conv/kernel", "stage1/block1/sum/body/conv1/kernel", "head/bias"]),
        ("resnet_18", ["stem/conv/kernel", "stage1/block1/sum/body/conv1/kernel", "head/bias"]),
        ("wide_resnet_28_1", ["stem/kernel", "stage1/block1/body/convs/conv1/kernel", "head/bias"]),
    ],
)
def test_documented_paths(name: str, paths: list[str]) -> None:
    params = init_shapes((SMALL | MORE)[name].model, 32, 32, 3)
    known = {
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree.leaves_with_path(params)
    }
    assert known >= set(paths)


def without_bodies(params: Params) -> Params:
    """The same parameters with zeros for the convolutions of every residual body."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * (0 if "body" in jax.tree_util.keystr(path) else 1), params
    )


@pytest.mark.parametrize("name", ["resnet_8", "plain_8"])
def test_option_a_shortcuts(name: str) -> None:
    """With bodies of zero, the shortcuts alone carry every fourth pixel to the first 16 units."""
    net = (SMALL | MORE)[name]
    params, state = start(net, 0)
    params = without_bodies(params)
    x, _ = inputs(net)
    kernel = params["stem"]["conv"]["kernel"]
    h = jax.lax.conv_general_dilated(
        jnp.asarray(x), kernel, (1, 1), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    h = jax.nn.relu(h / np.sqrt(1 + 1e-5).astype(np.float32))[:, ::4, ::4].mean((1, 2))
    expected = h @ params["head"]["kernel"][:16] if name == "resnet_8" else np.zeros((16, K))
    logits, _ = evaluate(net, params, state, x)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_wide_resnet_shortcuts() -> None:
    """Projections see the batch-normalized and rectified input, identities the input itself."""
    net = Net(models.wide_resnet(10, 1, num_classes=K), 8)
    params, state = start(net, 0)
    params = without_bodies(params)
    x, _ = inputs(net)

    def conv(x, kernel, stride, pad):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride,) * 2, [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def norm_relu(x):
        return jax.nn.relu(x / np.sqrt(1 + 1e-5).astype(np.float32))

    h = conv(x, params["stem"]["kernel"], 1, 1)  # stage 1 adds nothing to it
    for stage in ("stage2", "stage3"):
        h = conv(norm_relu(h), params[stage]["block1"]["sum"]["shortcut"]["kernel"], 2, 0)
    expected = norm_relu(h).mean((1, 2)) @ params["head"]["kernel"]
    logits, _ = evaluate(net, params, state, x)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_dropout_of_wide_resnet() -> None:
    net = SMALL["wide_resnet_10_2"]
    params, state = start(net, 0)
    x, labels = inputs(net)
    loss = jax.jit(loss_fn, static_argnames="net")
    first, second = (loss(params, net, state, x, labels, np.int32(seed))[0] for seed in (0, 1))
    assert first != second
    with pytest.raises(InputError, match="dropout: train=True without a key"):
        net.model.apply(params, state, x, train=True)


def test_initialization_by_name() -> None:
    net = models.mlp((50,), num_classes=K, init=uniform_kaiming)
    params, _ = net.init(jax.random.key(0), jnp.zeros((1, 30)))
    for layer, n_in in ((params["hidden1"]["dense"], 30), (params["head"], 50)):
        assert 0.9 * np.sqrt(6 / n_in) < np.abs(layer["kernel"]).max() <= np.sqrt(6 / n_in)
        assert 0 < np.abs(layer["bias"]).max() <= np.sqrt(1 / n_in)


@pytest.mark.parametrize(
    "builder", [models.alexnet_small, models.cnn, models.inception_small], ids=lambda b: b.__name__
)
def test_initialization_reaches_every_layer(builder: Callable[..., Model]) -> None:
    """Glorot's bound is the largest weight, nearly, of every kernel."""
    net = builder(num_classes=K, init=glorot_uniform)
    params, _ = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    for kernel in kernels:
        window = math.prod(kernel.shape[:-2])
        bound = math.sqrt(6 / (window * sum(kernel.shape[-2:])))
        assert 0.95 * bound < jnp.abs(kernel).max() <= bound


# Bad input


def test_too_small_images() -> None:
    """A one-line error where no window fits; every other net takes even one pixel."""
    pixel = jax.ShapeDtypeStruct((2, 1, 1, 3), jnp.float32)
    for name, net in (SMALL | {"resnet_18": MORE["resnet_18"]}).items():
        init = functools.partial(jax.eval_shape, net.model.init, jax.random.key(0), pixel)
        if name.startswith("cnn"):
            with pytest.raises(InputError, match="an image of 1x1 is too small") as caught:
                init()
            assert "\n" not in str(caught.value)
        else:
            apply = functools.partial(net.model.apply, train=False)
            assert jax.eval_shape(apply, *init(), pixel)[0].shape == (2, K)
    tiny = SMALL["alexnet_small"]._replace(size=1)
    assert np.isfinite(evaluate(tiny, *start(tiny, 0), inputs(tiny)[0])[0]).all()


@pytest.mark.parametrize("name", SMALL)
def test_stored_images_need_scaling(name: str) -> None:
    stored = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.uint8)
    with pytest.raises(InputError, match=r"input of dtype uint8; expected .*unit_scale"):
        SMALL[name].model.init(jax.random.key(0), stored)


def test_impossible_depths() -> None:
    for depth, near in ((21, "20 or 26"), (5, "8 or 14"), (2, "8 or 14"), (-1, "8 or 14")):
        with pytest.raises(InputError, match=rf"resnet: depth {depth}; expected 6 n \+ 2 .*{near}"):
            models.resnet(depth, num_classes=K)
    with pytest.raises(InputError, match="a plain net has no shortcuts"):
        models.resnet(20, num_classes=K, residual=False, projection=True)
    with pytest.raises(InputError, match=r"wide_resnet: depth 27; expected 6 n \+ 4 .*22 or 28"):
        models.wide_resnet(27, 1, num_classes=K)


def test_unknown_stem() -> None:
    with pytest.raises(InputError, match="unknown stem 'cifar10': did you mean 'cifar'"):
        models.resnet18(num_classes=K, stem="cifar10")  # type: ignore[arg-type]
