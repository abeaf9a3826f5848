"""Files that are whole or absent, and strict JSON in them."""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from rote.core import InputError

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any) -> Any:
    """``value`` as strict JSON holds it: dataclasses as objects, tuples and arrays as lists.

    >>> to_json({"seeds": (0, 1), "loss": float("nan"), "rate": None})
    {'seeds': [0, 1], 'loss': 'NaN', 'rate': None}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    as_list = getattr(value, "tolist", None)  # NumPy's and JAX's arrays and scalars
    if as_list is not None:
        return to_json(as_list())
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    return value


def from_json(value: Any) -> Any:
    """The inverse of ``to_json`` as far as JSON tells: lists stay lists, objects dicts."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
      InputError: if there is no such file, or it is not JSON.
    """
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{os.fspath(path)} is not JSON: {error}") from error


def config_hash(config: Any) -> str:
    """Eight hex digits that follow from the configuration alone, in any process.

    Args:
      config: a dataclass or a mapping.

    >>> config_hash({"model": "mlp", "seeds": (0, 1)}) == config_hash({"seeds": [0, 1],
    ...                                                               "model": "mlp"})
    True
    """
    return hashlib.sha256(canonical(config).encode()).hexdigest()[:8]


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no two ways to write the same."""
    return json.dumps(to_json(value), sort_keys=True, allow_nan=False)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the name ``path`` once it is whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes a value as strict JSON, atomically."""
    text = json.dumps(to_json(value), indent=2, allow_nan=False) + "\n"
    with atomic(path) as file:
        file.write(text.encode())
