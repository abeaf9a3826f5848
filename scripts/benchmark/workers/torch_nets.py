"""The nets in PyTorch: children have the names that they have in rote, images are NCHW."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from scripts.benchmark.workloads import NUM_CLASSES


def build(net: str, image_shape: tuple[int, ...]) -> Any:
    """The net of a workload, with weights yet to be set."""
    builders = {
        "mlp16": lambda: _mlp(16, 16),
        "mlp128": lambda: _mlp(128),
        "mlp512": lambda: _mlp(512),
        "alexnet16": lambda: _alexnet(16),
        "alexnet_small": lambda: _alexnet(64),
        "resnet20": _resnet20,
        "inception_small": _inception_small,
        "resnet18": _resnet18,
    }
    module = builders[net]().eval()
    height, width, channels = image_shape
    module(torch.zeros(1, channels, height, width))  # the lazy layers take their input's size
    return module.to(memory_format=torch.channels_last)


def convert(weights: dict[str, np.ndarray], run: int) -> dict[str, Any]:
    """One run's weights as a state dict: HWIO to OIHW, ``[in, out]`` to ``[out, in]``."""
    names = {
        "kernel": "weight",
        "scale": "weight",
        "offset": "bias",
        "mean": "running_mean",
        "var": "running_var",
    }
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    converted = {}
    for path, stacked in weights.items():
        *module, name = path.split("/")
        array = stacked[run]
        tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(axes[array.ndim])))
        converted[".".join([*module, names.get(name, name)])] = tensor
    return converted


class _Function(nn.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class _Sum(nn.Module):
    def __init__(self, body: Any, shortcut: Any) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + self.shortcut(x)


class _Concat(nn.Module):
    def __init__(self, **children: Any) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x: Any) -> Any:
        return torch.cat([child(x) for child in self.children()], 1)


def _serial(**children: Any) -> Any:
    return nn.Sequential(OrderedDict(children))


def _flatten() -> Any:
    return _Function(lambda x: x.permute(0, 2, 3, 1).flatten(1))  # in rote's order; a view


def _mean() -> Any:
    return _Function(lambda x: x.mean((2, 3)))


def _pool() -> Any:
    return nn.MaxPool2d(3, 2, ceil_mode=True)  # "SAME" on images of even size


def _mlp(*widths: int) -> Any:
    hidden = {
        f"hidden{i}": _serial(dense=nn.LazyLinear(width), activation=nn.ReLU())
        for i, width in enumerate(widths, 1)
    }
    return _serial(flatten=_flatten(), **hidden, head=nn.LazyLinear(NUM_CLASSES))


def _alexnet(channels: int) -> Any:
    def block() -> Any:
        return _serial(
            conv=nn.LazyConv2d(channels, 5, padding=2),
            relu=nn.ReLU(),
            pool=_pool(),
            norm=nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0),
        )

    return _serial(
        block1=block(),
        block2=block(),
        flatten=_flatten(),
        dense1=nn.LazyLinear(384),
        relu1=nn.ReLU(),
        dense2=nn.LazyLinear(192),
        relu2=nn.ReLU(),
        head=nn.LazyLinear(NUM_CLASSES),
    )


def _conv(channels: int, kernel: int, stride: int = 1) -> Any:
    return nn.LazyConv2d(channels, kernel, stride=stride, padding=kernel // 2, bias=False)


def _residual_block(channels: int, stride: int, shortcut: Any) -> Any:
    body = _serial(
        conv1=_conv(channels, 3, stride),
        norm1=nn.LazyBatchNorm2d(),
        relu1=nn.ReLU(),
        conv2=_conv(channels, 3),
        norm2=nn.LazyBatchNorm2d(),
    )
    return _serial(sum=_Sum(body, shortcut), relu=nn.ReLU())


def _resnet(channels: tuple[int, ...], num_blocks: int, shortcut: Callable[[int], Any]) -> Any:
    stages = {
        f"stage{i + 1}": _serial(
            **{
                f"block{j + 1}": _residual_block(
                    width,
                    2 if i and not j else 1,
                    shortcut(width) if i and not j else nn.Identity(),
                )
                for j in range(num_blocks)
            }
        )
        for i, width in enumerate(channels)
    }
    stem = _serial(conv=_conv(channels[0], 3), norm=nn.LazyBatchNorm2d(), relu=nn.ReLU())
    return _serial(stem=stem, **stages, pool=_mean(), head=nn.LazyLinear(NUM_CLASSES))


def _resnet20() -> Any:
    def option_a(channels: int) -> Any:
        def function(x: Any) -> Any:
            x = x[:, :, ::2, ::2]
            return functional.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))

        return _Function(function)

    return _resnet((16, 32, 64), 3, option_a)


def _resnet18() -> Any:
    def projection(channels: int) -> Any:
        return _serial(conv=_conv(channels, 1, 2), norm=nn.LazyBatchNorm2d())

    return _resnet((64, 128, 256, 512), 2, projection)


def _inception_small() -> Any:
    def conv(channels: int, kernel: int, stride: int = 1) -> Any:
        norm, relu = nn.LazyBatchNorm2d(), nn.ReLU()
        if stride == 1:
            return _serial(conv=_conv(channels, kernel), norm=norm, relu=relu)
        return _serial(
            pad=nn.ZeroPad2d((0, 1, 0, 1)),  # "SAME" on images of even size
            conv=nn.LazyConv2d(channels, kernel, stride=stride, bias=False),
            norm=norm,
            relu=relu,
        )

    def inception(channels1: int, channels3: int) -> Any:
        return _Concat(conv1x1=conv(channels1, 1), conv3x3=conv(channels3, 3))

    def down(channels: int) -> Any:
        return _Concat(conv3x3=conv(channels, 3, 2), pool=_pool())

    return _serial(
        stem=conv(96, 3),
        inception1=inception(32, 32),
        inception2=inception(32, 48),
        down1=down(80),
        inception3=inception(112, 48),
        inception4=inception(96, 64),
        inception5=inception(80, 80),
        inception6=inception(48, 96),
        down2=down(96),
        inception7=inception(176, 160),
        inception8=inception(176, 160),
        pool=_mean(),
        head=nn.LazyLinear(NUM_CLASSES),
    )
