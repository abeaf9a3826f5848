"""What a configuration is on the way from flags and files to a run."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rote.core import InputError, unknown_name
from rote.storage import config_hash, read_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
"""A frozen dataclass of flat fields, each with a default and a docstring under it."""


def default_out(experiment: str, config: Any) -> Path:
    """Where a run goes if not told: ``runs/<experiment>/<dataset>-<model>-<8 hex>``.

    The same configuration gives the same folder, in any process.
    """
    values = (getattr(config, name, None) for name in ("dataset", "model"))
    parts = [_in_short(value).replace("/", "_") for value in values if value is not None]
    return Path("runs", experiment, "-".join([*parts, config_hash(config)]))


def _in_short(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return value
    return value[0] if len(value) == 1 else f"{len(value)}_models"


def from_file(path: Path, base: Config) -> Config:
    """``base`` with the fields that a ``config.json`` sets.

    Args:
      path: a JSON object whose keys are fields of ``base``.
      base: a dataclass.

    Raises:
      InputError: if the file cannot be read, a key is unknown or a value has the wrong type.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object such as the config.json of a run")
    fields = {field.name for field in dataclasses.fields(base)}
    for key in values:
        if key not in fields:
            raise unknown_name(f"key in {path}", key, fields)
    return _replace(base, values, f"{path}: ")


def with_declared_types(config: Config) -> Config:
    """The same configuration with each value as its field declares it: 1 in a float becomes 1.0.

    Raises:
      InputError: if a value has the wrong type.
    """
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return _replace(config, values, "")


def _replace(config: Config, values: Mapping[str, Any], where: str) -> Config:
    kinds = typing.get_type_hints(type(config))
    converted = {}
    for name, value in values.items():
        try:
            converted[name] = _convert(value, kinds[name])
        except TypeError:
            kind = getattr(kinds[name], "__name__", None) if isinstance(kinds[name], type) else None
            expected = kind or str(kinds[name]).replace("typing.", "")
            raise InputError(f"{where}{name} is {value!r}; expected {expected}") from None
    return dataclasses.replace(config, **converted)


def _convert(value: Any, kind: Any) -> Any:
    """``value`` as an instance of the annotation ``kind``, or a TypeError."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            try:
                return _convert(value, argument)
            except TypeError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
    elif origin is tuple:
        if isinstance(value, (list, tuple)) and arguments[1:] == (...,):
            return tuple(_convert(item, arguments[0]) for item in value)
    elif kind is float and type(value) is int:
        return float(value)
    elif type(value) is kind:
        return value
    raise TypeError
