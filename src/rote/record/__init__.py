"""What a run leaves behind: the run directory, and the files in it."""

from rote.record.arrays import flatten_tree, load_arrays, save_arrays, unflatten_tree
from rote.record.environment import environment
from rote.record.files import config_hash, from_json, read_json, to_json
from rote.record.rundir import RunDir

__all__ = [
    "RunDir",
    "config_hash",
    "environment",
    "flatten_tree",
    "from_json",
    "load_arrays",
    "read_json",
    "save_arrays",
    "to_json",
    "unflatten_tree",
]
