"""Files of named tensors that other programs write and read: safetensors, and PyTorch's."""

import os
import pickle
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rote.core import InputError
from rote.storage.files import atomic

TORCH = (2, 10)
"""The first PyTorch known to read tensors without running code that a file may hold."""


def save_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Any]) -> None:
    """Writes arrays by name as one safetensors file, whole or not at all.

    For a moment the file is in memory a second time.

    Args:
      path: of the file.
      tensors: NumPy or JAX arrays of a type that safetensors has: bool, integers, floats
        (bfloat16, too), complex64.

    Raises:
      InputError: if an array has another type, or the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    # The package takes an array's memory as it lies, whatever its strides.
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    try:
        content = save(arrays)
    except SafetensorError as error:
        raise InputError(f"cannot write {os.fspath(path)}: {error}") from error
    try:
        with atomic(Path(path)) as file:
            file.write(content)
    except OSError as error:
        raise InputError(f"cannot write {os.fspath(path)}: {error.strerror}") from error


def load_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a file of named tensors: safetensors, or a PyTorch ``state_dict``.

    Which of them it is, its first bytes tell. A PyTorch file (``.pth``, ``.pt``, ``.bin``) is a
    pickle, which can hold code; PyTorch reads it with ``weights_only=True``, which runs none.

    Args:
      path: of the file.

    Returns:
      The arrays by name, in the types of the file; PyTorch's bfloat16 as float32.

    Raises:
      InputError: if there is no such file, it is of another kind or damaged, a PyTorch file holds
        anything but tensors, or there is no PyTorch, or one before 2.10, to read it with.
    """
    file = os.fspath(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    if head[8:] == b"{":  # behind the length of a header in JSON
        return _load_safetensors(file)
    if head.startswith((b"PK\x03\x04", b"\x80")):  # a zip archive, or a pickle by itself
        return _load_torch(file)
    raise InputError(
        f"{file} is neither a safetensors file nor a PyTorch one (.pth): it begins with {head!r}"
    )


def _load_safetensors(file: str) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    except (SafetensorError, AttributeError) as error:  # the latter: a type that NumPy lacks
        raise InputError(f"{file} is damaged or holds types unknown here: {error}") from error


def _load_torch(file: str) -> dict[str, np.ndarray]:
    torch = _torch(file)
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles that PyTorch did not write
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{file} holds pickled objects or code, or is damaged; only tensors are read, and "
            "nothing in it was run: where the model is, torch.save(model.state_dict(), file)"
        ) from error
    except Exception as error:  # PyTorch raises what it likes
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(f"{file} cannot be read as PyTorch's tensors: {reason}") from error
    if not isinstance(content, Mapping):
        raise InputError(
            f"{file} holds a {type(content).__name__}; expected tensors by name, as "
            "torch.save(model.state_dict(), file) writes them"
        )
    return {str(name): _to_numpy(torch, file, name, value) for name, value in content.items()}


def _torch(file: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{file} is a PyTorch file, and there is no torch to read it with: pip install "
            f'"torch>={TORCH[0]}.{TORCH[1]}", or convert it where torch and safetensors are: '
            f"{conversion(file)}"
        ) from error
    version: Any = torch.__version__  # which compares itself with tuples, too
    if version < TORCH:
        raise InputError(
            f"{file} is a PyTorch file, and torch {version} can be made to run code by "
            f'such a file: pip install "torch>={TORCH[0]}.{TORCH[1]}"'
        )
    return torch


def conversion(file: str) -> str:
    """The command that turns a PyTorch file into a safetensors file beside it."""
    target = Path(file).with_suffix(".safetensors")
    return (
        'python -c "import sys, torch; from safetensors.torch import save_file; '
        'save_file(torch.load(sys.argv[1], weights_only=True), sys.argv[2])" '
        f"{shlex.quote(file)} {shlex.quote(str(target))}"
    )


def _to_numpy(torch: Any, file: str, name: Any, value: Any) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        inside = f": it may hold them, so save its {name!r} alone" * isinstance(value, Mapping)
        raise InputError(
            f"{file}: {name!r} is of type {type(value).__name__}; expected tensors alone, as "
            f"torch.save(model.state_dict(), file) writes them{inside}"
        )
    value = value.detach()
    try:
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    except TypeError as error:
        raise InputError(f"{file}: {name!r} is no plain tensor: {error}") from error
