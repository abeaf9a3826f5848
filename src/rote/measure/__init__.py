"""Quantities of a net: what tells learning from memorising, and what goes on inside."""

from rote.measure.examples import forgetting_counts, learned_epochs
from rote.measure.landscape import AlongGradient, along_gradient
from rote.measure.layers import array_norms, dead_units, layer_outputs, saturation
from rote.measure.monitor import Watched, watch
from rote.measure.range_test import RangeTest, range_test

__all__ = [
    "AlongGradient",
    "RangeTest",
    "Watched",
    "along_gradient",
    "array_norms",
    "dead_units",
    "forgetting_counts",
    "layer_outputs",
    "learned_epochs",
    "range_test",
    "saturation",
    "watch",
]
