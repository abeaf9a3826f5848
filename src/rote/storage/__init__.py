"""Files that are whole or absent: strict JSON, trees of arrays, and named tensors."""

from rote.storage.arrays import Tree, flatten_tree, load_arrays, save_arrays, unflatten_tree
from rote.storage.files import (
    atomic,
    canonical,
    config_hash,
    from_json,
    read_json,
    to_json,
    write_json,
)
from rote.storage.tensors import load_tensors, save_tensors

__all__ = [
    "Tree",
    "atomic",
    "canonical",
    "config_hash",
    "flatten_tree",
    "from_json",
    "load_arrays",
    "load_tensors",
    "read_json",
    "save_arrays",
    "save_tensors",
    "to_json",
    "unflatten_tree",
    "write_json",
]
