"""Trees of arrays as checkpoints see them: shapes, sizes, numbered leaves."""

import math
from collections.abc import Mapping
from typing import Any

import jax


def shapes_of(tree: Any) -> dict[str, str]:
    """Path, dtype and shape of every array in a tree.

    >>> shapes_of({"kernel": jax.ShapeDtypeStruct((2, 3), "float32")})
    {"['kernel']": 'float32[2,3]'}
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"
        for path, leaf in leaves
    }


def flatten(tree: Any) -> dict[str, Any]:
    """A tree of any containers as one dict, by the number of the leaf."""
    return {f"{number:04d}": leaf for number, leaf in enumerate(jax.tree.leaves(tree))}


def unflatten(like: Any, flat: Mapping[str, Any]) -> Any:
    """The inverse of ``flatten``, for a tree with the structure of ``like``."""
    return jax.tree.unflatten(jax.tree.structure(like), [flat[name] for name in sorted(flat)])


def bytes_of(tree: Any) -> int:
    """The size of all arrays (or shapes) in a tree, in bytes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
