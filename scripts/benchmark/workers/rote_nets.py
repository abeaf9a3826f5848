"""The nets in rote; the peers' have the same names and shapes."""

import jax

from rote import layers, models
from rote.combinators import serial
from rote.core import Model
from scripts.benchmark.workloads import NUM_CLASSES


def build(net: str) -> Model:
    """The net of a workload."""
    builders = {
        "mlp16": lambda: models.mlp((16, 16), num_classes=NUM_CLASSES),
        "mlp128": lambda: models.mlp((128,), num_classes=NUM_CLASSES),
        "mlp512": lambda: models.mlp((512,), num_classes=NUM_CLASSES),
        "alexnet16": lambda: _alexnet(16),
        "alexnet_small": lambda: models.alexnet_small(num_classes=NUM_CLASSES),
        "resnet20": lambda: models.resnet(20, num_classes=NUM_CLASSES),
        "cnn": lambda: models.cnn(num_classes=NUM_CLASSES),
        "inception_small": lambda: models.inception_small(num_classes=NUM_CLASSES),
        "resnet18": lambda: models.resnet18(num_classes=NUM_CLASSES, stem="cifar"),
    }
    return builders[net]()


def _alexnet(channels: int) -> Model:
    """``alexnet_small`` with fewer channels."""
    return serial(
        block1=_block(channels),
        block2=_block(channels),
        flatten=layers.flatten(),
        dense1=layers.dense(384),
        relu1=layers.activation(jax.nn.relu),
        dense2=layers.dense(192),
        relu2=layers.activation(jax.nn.relu),
        head=layers.dense(NUM_CLASSES),
    )


def _block(channels: int) -> Model:
    return serial(
        conv=layers.conv(channels, 5),
        relu=layers.activation(jax.nn.relu),
        pool=layers.max_pool(3, stride=2, padding="SAME"),
        norm=layers.local_response_norm(),
    )
