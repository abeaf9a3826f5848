"""Nested dicts of arrays in one npz file, with nothing lost."""

import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rote.core import InputError
from rote.storage.files import atomic

Tree = Mapping[str, Any]
"""Nested dicts with string keys and arrays as leaves."""

_ESCAPES = {"~": "~0", "/": "~1", ":": "~2"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()} | {"~": ""}


def flatten_tree(tree: Tree) -> dict[str, Any]:
    """Nested dicts as one dict whose keys are paths.

    An empty dict is a path that ends in ``/``. In a key, ``~``, ``/`` and ``:`` are written ``~0``,
    ``~1`` and ``~2``, and the empty key ``~``: whatever the keys are, nothing is lost.

    >>> flatten_tree({"params": {"conv1": {"kernel": 1}}, "state": {}})
    {'params/conv1/kernel': 1, 'state/': None}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(key, str):
            raise TypeError(f"key {key!r} of a tree of arrays is not a string")
        path = _escape(key)
        if not isinstance(value, Mapping):
            flat[path] = value
        elif value:
            flat |= {f"{path}/{rest}": leaf for rest, leaf in flatten_tree(value).items()}
        else:
            flat[f"{path}/"] = None
    return flat


def unflatten_tree(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten_tree``.

    >>> unflatten_tree({"params/conv1/kernel": 1, "state/": None})
    {'params': {'conv1': {'kernel': 1}}, 'state': {}}
    """
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *parents, last = path.split("/")
        node = tree
        for part in parents:
            node = node.setdefault(_unescape(part), {})
        if last:
            node[_unescape(last)] = leaf
    return tree


def _escape(key: str) -> str:
    return re.sub("[~/:]", lambda match: _ESCAPES[match[0]], key) or "~"


def _unescape(part: str) -> str:
    return re.sub("~[012]?", lambda match: _CHARACTERS[match[0]], part)


def save_arrays(path: str | os.PathLike[str], tree: Tree) -> None:
    """Writes nested dicts of arrays as one npz file, whole or not at all.

    ``numpy.load`` reads it; the names are the paths of ``flatten_tree``. An array of a dtype that
    NumPy lacks, such as bfloat16, is stored as unsigned integers of its width under a name that
    ends in ``:<dtype>``.
    """
    with atomic(Path(path)) as file, zipfile.ZipFile(file, "w") as archive:
        for name, leaf in flatten_tree(tree).items():
            array = np.zeros(0) if leaf is None else np.asarray(leaf)
            if array.dtype.kind == "V" and array.dtype.names is None:
                name = f"{name}:{array.dtype.name}"
                array = array.view(f"u{array.dtype.itemsize}")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads what ``save_arrays`` wrote: same keys, empty dicts, dtypes and values.

    Raises:
      InputError: if there is no such file, or it is damaged.
    """
    flat: dict[str, Any] = {}
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                path_in_tree, _, dtype = name.partition(":")
                flat[path_in_tree] = _view(archive[name], dtype) if dtype else archive[name]
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{os.fspath(path)} is damaged: {error}") from error
    return unflatten_tree(flat)


def _view(array: np.ndarray, dtype: str) -> np.ndarray:
    import ml_dtypes

    return array.view(getattr(ml_dtypes, dtype))
