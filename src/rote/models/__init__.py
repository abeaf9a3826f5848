"""The networks. Each is one expression over ``rote.layers`` and ``rote.combinators``."""

from rote.models.alexnet import alexnet_small
from rote.models.cnn import cnn
from rote.models.inception import inception_small
from rote.models.mlp import mlp
from rote.models.resnet import resnet, resnet18, resnet34, resnet50
from rote.models.wide_resnet import wide_resnet

__all__ = [
    "alexnet_small",
    "cnn",
    "inception_small",
    "mlp",
    "resnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "wide_resnet",
]
