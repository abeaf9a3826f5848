"""The same weights in PyTorch give the same logits, gradients and running statistics (float64)."""

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import models
from rote.core import Model, Params, State
from rote.layers import local_response_norm

torch = pytest.importorskip("torch")
nn = torch.nn

K = 10


# The nets in PyTorch; children have the names that they have here.


def sequential(**children: Any) -> Any:
    return nn.Sequential(OrderedDict(children))


class Sum(nn.Module):
    def __init__(self, body: Any, shortcut: Any) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + self.shortcut(x)


class Function(nn.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def torch_conv(c_in: int, c_out: int, kernel: int, stride: int = 1) -> Any:
    return nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False)


def torch_cnn() -> Any:
    def block(c_in: int, c_out: int) -> Any:
        return sequential(
            conv=torch_conv(c_in, c_out, 3),
            norm=nn.BatchNorm2d(c_out),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
        )

    return sequential(
        block1=block(3, 8),
        block2=block(8, 16),
        flatten=Function(lambda x: x.permute(0, 2, 3, 1).flatten(1)),
        dense=nn.Linear(2 * 2 * 16, 128),
        relu=nn.ReLU(),
        head=nn.Linear(128, K),
    )


def basic_body(c_in: int, channels: int, stride: int) -> Any:
    return sequential(
        conv1=torch_conv(c_in, channels, 3, stride),
        norm1=nn.BatchNorm2d(channels),
        relu1=nn.ReLU(),
        conv2=torch_conv(channels, channels, 3),
        norm2=nn.BatchNorm2d(channels),
    )


def bottleneck_body(c_in: int, channels: int, stride: int) -> Any:
    return sequential(
        conv1=torch_conv(c_in, channels, 1),
        norm1=nn.BatchNorm2d(channels),
        relu1=nn.ReLU(),
        conv2=torch_conv(channels, channels, 3, stride),
        norm2=nn.BatchNorm2d(channels),
        relu2=nn.ReLU(),
        conv3=torch_conv(channels, 4 * channels, 1),
        norm3=nn.BatchNorm2d(4 * channels),
    )


def torch_resnet(body: Any, expansion: int, num_blocks: list[int], stem: str) -> Any:
    kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
    parts = {
        "conv": torch_conv(3, 64, kernel, stride),
        "norm": nn.BatchNorm2d(64),
        "relu": nn.ReLU(),
    }
    if stem == "imagenet":
        parts["pool"] = nn.MaxPool2d(3, 2, 1)
    stages, c_in = {}, 64
    for i, n in enumerate(num_blocks):
        blocks = {}
        for j in range(n):
            channels, stride = 64 * 2**i, 2 if i > 0 and j == 0 else 1
            shortcut = nn.Identity()
            if stride > 1 or c_in != expansion * channels:
                shortcut = sequential(
                    conv=torch_conv(c_in, expansion * channels, 1, stride),
                    norm=nn.BatchNorm2d(expansion * channels),
                )
            addition = Sum(body(c_in, channels, stride), shortcut)
            blocks[f"block{j + 1}"] = sequential(sum=addition, relu=nn.ReLU())
            c_in = expansion * channels
        stages[f"stage{i + 1}"] = sequential(**blocks)
    return sequential(
        stem=sequential(**parts),
        **stages,
        pool=Function(lambda x: x.mean((2, 3))),
        head=nn.Linear(c_in, K),
    )


# Weights, statistics and gradients from one to the other


def as_torch(path: tuple[Any, ...], array: Any) -> tuple[str, Any]:
    """The name and layout that an array has in PyTorch."""
    *module, name = (str(entry.key) for entry in path)
    name = {
        "kernel": "weight",
        "scale": "weight",
        "offset": "bias",
        "mean": "running_mean",
        "var": "running_var",
    }.get(name, name)
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return ".".join([*module, name]), np.transpose(array, axes)


def named(tree: Any) -> dict[str, np.ndarray]:
    return dict(as_torch(path, leaf) for path, leaf in jax.tree.leaves_with_path(tree))


def random_weights(model: Model, x: np.ndarray) -> tuple[Params, State]:
    """Every array random: kernels of the usual size, scales and variances around 1."""
    rng = np.random.default_rng(0)

    def draw(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        name = path[-1].key
        if name == "kernel":
            return rng.normal(size=leaf.shape) * math.sqrt(2 / np.prod(leaf.shape[:-1]))
        return rng.uniform(-0.3, 0.3, leaf.shape) + (name in ("scale", "var"))

    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return jax.tree_util.tree_map_with_path(draw, shapes)


def largest_relative_difference(actual: dict[str, Any], expected: dict[str, Any]) -> float:
    assert actual.keys() == expected.keys()
    return max(
        float(np.abs(actual[name] - expected[name]).max() / np.abs(expected[name]).max())
        for name in expected
    )


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
    ("model", "build", "size"),
    [
        pytest.param(models.cnn((8, 16), num_classes=K), torch_cnn, 9, id="cnn"),
        pytest.param(
            models.resnet18(num_classes=K, stem="cifar"),
            lambda: torch_resnet(basic_body, 1, [2, 2, 2, 2], "cifar"),
            13,
            id="resnet18_cifar",
        ),
        pytest.param(
            models.resnet18(num_classes=K),
            lambda: torch_resnet(basic_body, 1, [2, 2, 2, 2], "imagenet"),
            61,
            id="resnet18",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            models.resnet50(num_classes=K),
            lambda: torch_resnet(bottleneck_body, 4, [3, 4, 6, 3], "imagenet"),
            64,
            id="resnet50",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_nets(model: Model, build: Callable[[], Any], size: int, train: bool) -> None:
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(4, size, size, 3)), rng.integers(0, K, 4)
    with jax.enable_x64(True):
        params, state = random_weights(model, x)

        @jax.jit
        def ours(params: Params, state: State) -> Any:
            def loss(params: Params) -> Any:
                logits, new_state = model.apply(params, state, x, train=train)
                entropy = -jax.nn.log_softmax(logits)[jnp.arange(4), labels].mean()
                return entropy, (logits, new_state)

            return jax.grad(loss, has_aux=True)(params)

        gradient, (logits, new_state) = jax.device_get(ours(params, state))
    assert logits.dtype == np.float64

    theirs = build().double().train(train)
    arrays = {name: torch.tensor(array) for name, array in (named(params) | named(state)).items()}
    missing, unexpected = theirs.load_state_dict(arrays, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)

    counts = {}  # elements per channel that each batch norm sees

    def count(name: str, module: Any, inputs: Any) -> None:
        counts[name] = inputs[0].numel() / inputs[0].shape[1]

    for name, module in theirs.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(functools.partial(count, name))
    expected = theirs(torch.tensor(x).permute(0, 3, 1, 2))
    nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()

    differences = {
        "logits": largest_relative_difference(
            {"logits": logits}, {"logits": expected.detach().numpy()}
        ),
        "gradients": largest_relative_difference(
            named(gradient),
            {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()},
        ),
    }
    after, before = named(new_state), named(state)
    if train:  # PyTorch's running variance takes the unbiased variance of the batch
        for name in after:
            if name.endswith("running_var"):
                n = counts[name.removesuffix(".running_var")]
                old = 0.9 * before[name]
                after[name] = old + (after[name] - old) * n / (n - 1)
    differences["statistics"] = largest_relative_difference(
        after, {name: theirs.state_dict()[name].numpy() for name in after}
    )
    print(differences)
    assert max(differences.values()) < 1e-6


def test_local_response_norm() -> None:
    """``size`` is the whole window in PyTorch, and divides ``alpha``."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 16), scale=20)
    layer = local_response_norm(4, bias=1.5, alpha=0.002, beta=0.6)
    theirs = nn.LocalResponseNorm(size=9, alpha=9 * 0.002, beta=0.6, k=1.5)
    leaf = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()
    expected = theirs(leaf)
    (expected**2).sum().backward()
    with jax.enable_x64(True):
        actual, back = jax.vjp(lambda x: layer.apply({}, {}, x, train=False)[0], jnp.asarray(x))
        (gradient,) = back(2 * actual)
    np.testing.assert_allclose(actual, expected.detach().permute(0, 2, 3, 1), rtol=1e-10)
    np.testing.assert_allclose(gradient, leaf.grad.permute(0, 2, 3, 1), rtol=1e-8, atol=1e-12)
