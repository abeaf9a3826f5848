"""The sizes of parameters, gradients and updates."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from rote.core import InputError


def array_norms(tree: Any) -> dict[str, jax.Array]:
    """The Euclidean norm of every array of a tree: of parameters, a gradient or an update.

    Squares are summed in float32 or wider.

    Args:
      tree: any pytree of arrays.

    Returns:
      ``{path: norm}``, with paths such as ``"hidden1/dense/kernel"``.

    >>> norms = array_norms({"hidden": {"bias": jnp.array([3.0, 4.0])}})
    >>> {path: float(norm) for path, norm in norms.items()}
    {'hidden/bias': 5.0}
    """
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): _norm(leaf)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def global_norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all arrays of a tree as one vector; see ``array_norms``."""
    return jnp.linalg.norm(jnp.stack(list(array_norms(tree).values())))


def check_norm(ord: float) -> None:
    """An ``InputError`` for a norm that is not 1, 2 or infinity."""
    if ord not in (1, 2, math.inf):
        raise InputError(f"ord: {ord!r}; expected 1, 2 or math.inf")


def _norm(array: jax.Array) -> jax.Array:
    array = jnp.asarray(array)
    wide = jnp.float64 if array.dtype == jnp.float64 else jnp.float32
    return jnp.linalg.norm(jnp.ravel(array).astype(wide))
