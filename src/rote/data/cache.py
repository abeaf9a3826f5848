"""Decoded arrays kept as ``.npy`` files, which every later load maps into memory.

An entry is a folder: the arrays and ``meta.json``, which says what they are. It lies beside the
prepared data, or in the user's cache folder where that place is read-only. It is written under
another name and renamed when complete: whoever reads sees all of it or nothing, and of concurrent
writers the first wins.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rote.core import InputError

_LAYOUT = b"1"  # changes when entries are written differently, so that old ones are not read


class Entry(NamedTuple):
    """What a cache holds of one data set: memory-mapped arrays by name, and what they are."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


def read_or_build(
    prepared: Path, build: Callable[[Path], Mapping[str, Any]], variant: str = ""
) -> Entry:
    """The entry of a prepared directory, built first where there is none.

    Args:
      prepared: TFDS's directory of one data set and version, with its ``dataset_info.json``.
      build: writes ``NAME.npy`` files into the folder it is given and returns JSON-serializable
        metadata.
      variant: tells entries of one directory apart that are made differently.

    Raises:
      InputError: if the entry is corrupt, or can be written nowhere.
    """
    places = _places(prepared, variant)
    for place in places:
        if place.is_dir():
            return _read(place)
    for place in places:
        if is_writable(place):
            return _build(place, build)
    raise InputError(
        f"decoded images can be kept neither in {places[0]} nor in {places[1]}: both are "
        "read-only; set XDG_CACHE_HOME to a folder you can write to"
    )


def write_npy(file: Path, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Write uint8 chunks, one after another, as one ``.npy`` file of the given shape."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for chunk in chunks:
            stream.write(np.ascontiguousarray(chunk, np.uint8).data)


def is_writable(path: Path) -> bool:
    """Whether something can be made at a path that may not exist yet.

    A folder without any write permission counts as read-only for the superuser too.
    """
    folder = next(parent for parent in (path, *path.parents) if parent.exists())
    permitted = folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK | os.X_OK)
    return folder.is_dir() and bool(permitted)


def _places(prepared: Path, variant: str) -> tuple[Path, Path]:
    """Beside the data, and in the user's cache: there the key names this copy of the data too."""
    prepared = prepared.resolve()
    content = hashlib.sha256(_LAYOUT + variant.encode())
    for file in sorted(prepared.glob("*.json")):
        content.update(file.read_bytes())
    copy = content.copy()
    copy.update(os.fsencode(prepared))
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"{prepared.parent.name}-{prepared.name}-{copy.hexdigest()[:16]}"
    return prepared / "rote" / content.hexdigest()[:16], home / "rote" / name


def _build(place: Path, build: Callable[[Path], Mapping[str, Any]]) -> Entry:
    draft = place.with_name(f"{place.name}.{uuid.uuid4().hex}.tmp")
    try:
        draft.mkdir(parents=True)
        meta = dict(build(draft))
        arrays = {file.stem: _open(file) for file in sorted(draft.glob("*.npy"))}
        meta["arrays"] = {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}
        (draft / "meta.json").write_text(json.dumps(meta, indent=1))
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was first
                raise
    except OSError as error:
        raise InputError(
            f"cannot write decoded images to {place}: {error}; make room there, or set "
            "XDG_CACHE_HOME to another folder if this is the user's cache"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return _read(place)


def _read(place: Path) -> Entry:
    file = place / "meta.json"
    try:
        meta = json.loads(file.read_text())
        arrays = {}
        for name, (dtype, shape) in meta.pop("arrays").items():
            file = place / f"{name}.npy"
            arrays[name] = array = _open(file)
            if [str(array.dtype), list(array.shape)] != [dtype, shape]:
                raise ValueError(
                    f"{array.dtype} of shape {array.shape}, expected {dtype} of shape {shape}"
                )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"corrupt cache file {file}: {reason}; delete the folder {place} and load again"
        ) from error
    return Entry(arrays, meta)


def _open(file: Path) -> np.ndarray:
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    if file.stat().st_size != array.offset + array.nbytes:
        raise ValueError(f"{file.stat().st_size} bytes, expected {array.offset + array.nbytes}")
    return array
