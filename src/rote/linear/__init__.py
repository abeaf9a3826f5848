"""Linear models that interpolate: kernels, fixed features, the minimum-norm solution."""

from rote.linear.descent import sgd_path
from rote.linear.features import FEATURES_PER_FILTER, Patches, gabor, patch_features, random_patches
from rote.linear.interpolate import Interpolant, solve
from rote.linear.kernels import (
    add_products,
    empty_gram,
    gaussian_gram,
    gaussian_predict,
    mean_squared_distance,
)

__all__ = [
    "FEATURES_PER_FILTER",
    "Interpolant",
    "Patches",
    "add_products",
    "empty_gram",
    "gabor",
    "gaussian_gram",
    "gaussian_predict",
    "mean_squared_distance",
    "patch_features",
    "random_patches",
    "sgd_path",
    "solve",
]
