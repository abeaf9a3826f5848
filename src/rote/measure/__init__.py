"""Quantities of a net: what tells learning from memorising, and what goes on inside."""

from rote.measure.curves import linear_r2, rise_time, time_to_share
from rote.measure.examples import forgetting_counts, learned_epochs
from rote.measure.filters import DerivativeMatch, cosines, derivative_filter, match_derivatives
from rote.measure.gradient import fall_along, gradient_noise
from rote.measure.landscape import AlongGradient, along_gradient
from rote.measure.layers import dead_units, layer_outputs, saturation
from rote.measure.monitor import Watched, watch
from rote.measure.norms import array_norms
from rote.measure.range_test import RangeTest, range_test

__all__ = [
    "AlongGradient",
    "DerivativeMatch",
    "RangeTest",
    "Watched",
    "along_gradient",
    "array_norms",
    "cosines",
    "dead_units",
    "derivative_filter",
    "fall_along",
    "forgetting_counts",
    "gradient_noise",
    "layer_outputs",
    "learned_epochs",
    "linear_r2",
    "match_derivatives",
    "range_test",
    "rise_time",
    "saturation",
    "time_to_share",
    "watch",
]
