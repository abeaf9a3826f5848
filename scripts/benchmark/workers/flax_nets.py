"""The nets in Flax (linen); modules are named as in rote, with ``_`` for ``/``."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from scripts.benchmark.workloads import NUM_CLASSES


class Net(nn.Module):
    """The net of a workload.

    Attributes:
      net: its name.
      dtype: of the computation; ``None`` for the parameters'.
    """

    net: str
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        """Images ``[B, H, W, C]`` to logits."""
        bodies: dict[str, Callable[[Any], Any]] = {
            "mlp16": lambda x: self._mlp(x, 16, 16),
            "mlp128": lambda x: self._mlp(x, 128),
            "mlp512": lambda x: self._mlp(x, 512),
            "alexnet16": lambda x: self._alexnet(x, 16),
            "alexnet_small": lambda x: self._alexnet(x, 64),
            "resnet20": lambda x: self._resnet(x, (16, 32, 64), 3, False, train),
            "resnet18": lambda x: self._resnet(x, (64, 128, 256, 512), 2, True, train),
            "inception_small": lambda x: self._inception_small(x, train),
        }
        x = bodies[self.net](x)
        return nn.Dense(NUM_CLASSES, dtype=self.dtype, name="head")(x).astype(jnp.float32)

    def _dense(self, x: Any, width: int, name: str) -> Any:
        return nn.relu(nn.Dense(width, dtype=self.dtype, name=name)(x))

    def _mlp(self, x: Any, *widths: int) -> Any:
        x = x.reshape(len(x), -1)
        for i, width in enumerate(widths, 1):
            x = self._dense(x, width, f"hidden{i}_dense")
        return x

    def _alexnet(self, x: Any, channels: int) -> Any:
        for i in (1, 2):
            x = nn.relu(nn.Conv(channels, (5, 5), dtype=self.dtype, name=f"block{i}_conv")(x))
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
            x = _local_response_norm(x)
        x = x.reshape(len(x), -1)
        return self._dense(self._dense(x, 384, "dense1"), 192, "dense2")

    def _conv_norm(
        self, x: Any, channels: int, kernel: int, stride: int, names: tuple[str, str], train: bool
    ) -> Any:
        conv = nn.Conv(
            channels,
            (kernel, kernel),
            stride,
            padding=kernel // 2,
            use_bias=False,
            dtype=self.dtype,
            name=names[0],
        )
        return self._norm(conv(x), names[1], train)

    def _norm(self, x: Any, name: str, train: bool, use_scale: bool = True) -> Any:
        norm = nn.BatchNorm(
            not train, momentum=0.9, use_scale=use_scale, dtype=self.dtype, name=name
        )
        return norm(x)

    def _resnet(
        self, x: Any, widths: tuple[int, ...], num_blocks: int, project: bool, train: bool
    ) -> Any:
        x = nn.relu(self._conv_norm(x, widths[0], 3, 1, ("stem_conv", "stem_norm"), train))
        for i, width in enumerate(widths, 1):
            for j in range(1, num_blocks + 1):
                block, stride = f"stage{i}_block{j}_sum", 2 if i > 1 and j == 1 else 1
                body = f"{block}_body"
                y = self._conv_norm(x, width, 3, stride, (f"{body}_conv1", f"{body}_norm1"), train)
                y = nn.relu(y)
                y = self._conv_norm(y, width, 3, 1, (f"{body}_conv2", f"{body}_norm2"), train)
                if stride == 2 and project:
                    names = (f"{block}_shortcut_conv", f"{block}_shortcut_norm")
                    x = self._conv_norm(x, width, 1, 2, names, train)
                elif stride == 2:
                    x = x[:, ::2, ::2]
                    x = jnp.pad(x, [(0, 0)] * 3 + [(0, width - x.shape[-1])])
                x = nn.relu(x + y)
        return x.mean((1, 2))

    def _inception_small(self, x: Any, train: bool) -> Any:
        def conv(x: Any, channels: int, kernel: int, name: str, stride: int = 1) -> Any:
            x = nn.Conv(
                channels,
                (kernel, kernel),
                stride,
                use_bias=False,
                dtype=self.dtype,
                name=f"{name}_conv",
            )(x)
            return nn.relu(self._norm(x, f"{name}_norm", train, use_scale=False))

        def inception(x: Any, i: int, channels1: int, channels3: int) -> Any:
            one = conv(x, channels1, 1, f"inception{i}_conv1x1")
            three = conv(x, channels3, 3, f"inception{i}_conv3x3")
            return jnp.concatenate([one, three], -1)

        def down(x: Any, i: int, channels: int) -> Any:
            pooled = nn.max_pool(x, (3, 3), (2, 2), "SAME")
            return jnp.concatenate([conv(x, channels, 3, f"down{i}_conv3x3", 2), pooled], -1)

        x = conv(x, 96, 3, "stem")
        x = inception(inception(x, 1, 32, 32), 2, 32, 48)
        x = down(x, 1, 80)
        x = inception(inception(x, 3, 112, 48), 4, 96, 64)
        x = inception(inception(x, 5, 80, 80), 6, 48, 96)
        x = down(x, 2, 96)
        x = inception(inception(x, 7, 176, 160), 8, 176, 160)
        return x.mean((1, 2))


def convert(weights: dict[str, np.ndarray]) -> dict[str, Any]:
    """The first run's weights as Flax's variables; the layouts are the same."""
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for path, stacked in weights.items():
        module, name = path.rsplit("/", 1)
        kind = "batch_stats" if name in ("mean", "var") else "params"
        layer = variables[kind].setdefault(module.replace("/", "_"), {})
        layer["bias" if name == "offset" else name] = jnp.asarray(stacked[0])
    return variables


def _local_response_norm(x: Any) -> Any:
    window = (1, 1, 1, 9)
    total = lax.reduce_window(x * x, np.zeros((), x.dtype), lax.add, window, (1,) * 4, "SAME")
    return x * (1 + 0.001 / 9 * total) ** -0.75
