"""Quantities of a net: what tells learning from memorising, and what goes on inside.

They take arrays and functions, not trained objects: a loss or logits with a net's parameters and
state fixed in it, whoever trained the net. The margin of logits is ``rote.losses.margin``.
"""

from rote.measure.agreement import ErrorAgreement, distance_of_equals, error_agreement
from rote.measure.complexity import lempel_ziv_complexity, lempel_ziv_words
from rote.measure.covariate_shift import CovariateShift, internal_covariate_shift
from rote.measure.critical import CriticalSamples, critical_samples
from rote.measure.curvature import (
    HessianEigenvalues,
    HessianTrace,
    hessian_eigenvalues,
    hessian_trace,
    hessian_vector_product,
)
from rote.measure.curves import linear_r2, rise_time, time_to_share
from rote.measure.examples import forgetting_counts, learned_epochs
from rote.measure.filters import DerivativeMatch, cosines, derivative_filter, match_derivatives
from rote.measure.functions import random_functions
from rote.measure.gradient import fall_along, gradient_noise
from rote.measure.landscape import AlongGradient, along_gradient
from rote.measure.layers import dead_units, layer_outputs, saturation
from rote.measure.margins import input_margins
from rote.measure.modified_loss import (
    gradient_flow,
    modified_loss,
    sgd_over_orders,
    squared_gradient_norm,
)
from rote.measure.monitor import Watched, watch
from rote.measure.norms import array_norms
from rote.measure.range_test import RangeTest, range_test
from rote.measure.sensitivity import gini_coefficient, input_gradient_norms, loss_sensitivity

__all__ = [
    "AlongGradient",
    "CovariateShift",
    "CriticalSamples",
    "DerivativeMatch",
    "ErrorAgreement",
    "HessianEigenvalues",
    "HessianTrace",
    "RangeTest",
    "Watched",
    "along_gradient",
    "array_norms",
    "cosines",
    "critical_samples",
    "dead_units",
    "derivative_filter",
    "distance_of_equals",
    "error_agreement",
    "fall_along",
    "forgetting_counts",
    "gini_coefficient",
    "gradient_flow",
    "gradient_noise",
    "hessian_eigenvalues",
    "hessian_trace",
    "hessian_vector_product",
    "input_gradient_norms",
    "input_margins",
    "internal_covariate_shift",
    "layer_outputs",
    "learned_epochs",
    "lempel_ziv_complexity",
    "lempel_ziv_words",
    "linear_r2",
    "loss_sensitivity",
    "match_derivatives",
    "modified_loss",
    "random_functions",
    "range_test",
    "rise_time",
    "saturation",
    "sgd_over_orders",
    "squared_gradient_norm",
    "time_to_share",
    "watch",
]
