"""Files that are whole or absent: strict JSON, and trees of arrays."""

from rote.storage.arrays import flatten_tree, load_arrays, save_arrays, unflatten_tree
from rote.storage.files import (
    atomic,
    canonical,
    config_hash,
    from_json,
    read_json,
    to_json,
    write_json,
)

__all__ = [
    "atomic",
    "canonical",
    "config_hash",
    "flatten_tree",
    "from_json",
    "load_arrays",
    "read_json",
    "save_arrays",
    "to_json",
    "unflatten_tree",
    "write_json",
]
