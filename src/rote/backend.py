"""JAX's global settings, all in one function: importing this package changes none of them."""

import contextlib
import hashlib
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jaxlib.version
import numpy as np
from jax.experimental import multihost_utils

from rote.core import InputError


def configure(
    *,
    compilation_cache: bool = True,
    cpu_devices: int | None = None,
    distributed: bool = False,
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Sets up JAX as the commands do; call it before anything else uses JAX.

    What was set before, by ``jax.config`` or the environment, stays. Where devices are in use
    already, their number stays.

    Args:
      compilation_cache: keep compiled programs in the user's cache folder (``XDG_CACHE_HOME``, or
        ``~/.cache``), apart by type of CPU, so that the same program is compiled once. Another
        folder is set with ``JAX_COMPILATION_CACHE_DIR``.
      cpu_devices: how many devices the CPU counts as; by default one per core that this process may
        use, and one where several processes work together.
      distributed: work together with other processes, on this host or on several. Without the
        arguments that follow, the cluster is read from the environment (SLURM, TPU pods and others
        that JAX knows).
      coordinator: ``host:port`` where process 0 can be reached by all.
      num_processes: how many there are.
      process_id: which one this is, from 0.

    Raises:
      InputError: if the processes cannot be brought together.
    """
    if distributed:
        _join(coordinator, num_processes, process_id)
    elif {coordinator, num_processes, process_id} != {None}:
        raise InputError("coordinator, num_processes and process_id are for --distributed")
    if compilation_cache:
        _cache_compilations()
    _count_cpu_devices(cpu_devices or (1 if distributed else _usable_cores()))


def first_says(decide: Callable[[], str]) -> str:
    """The text that ``decide`` returns in process 0, in every process.

    Raises:
      InputError: in every process, if ``decide`` raises it.
    """
    if not jax.distributed.is_initialized():
        return decide()
    text = ""
    if jax.process_index() == 0:
        try:
            text = "+" + decide()
        except InputError as error:
            _tell(f"-{error}")
            raise
    text = _tell(text)
    if text[0] == "-":
        raise InputError(text[1:])
    return text[1:]


def _tell(text: str) -> str:
    """Process 0's text, in every process."""
    content = np.frombuffer(text.encode(), np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    buffer = np.zeros(size, np.uint8)
    if jax.process_index() == 0:
        buffer[:] = content
    return np.asarray(multihost_utils.broadcast_one_to_all(buffer), np.uint8).tobytes().decode()


def _join(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    if jax.distributed.is_initialized():
        return
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"the processes cannot be brought together ({reason}); where the environment does not "
            "describe the cluster, give --coordinator HOST:PORT --num-processes N --process-id I"
        ) from error


def _cache_compilations() -> None:
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "rote" / "xla" / _machine()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        if not os.access(folder, os.W_OK | os.X_OK):
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _machine() -> str:
    """Eight hex digits for the type of CPU, its instructions and the version of the compiler."""
    parts = [platform.machine(), platform.processor(), jaxlib.version.__version__]
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        found = (
            re.search(rf"^{k}\s*:.*$", text, re.M) for k in ("model name", "flags", "Features")
        )
        parts += [match[0] for match in found if match]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _count_cpu_devices(number: int) -> None:
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not forced and jax.config.values["jax_num_cpu_devices"] == -1:
        with contextlib.suppress(RuntimeError):  # devices are in use
            jax.config.update("jax_num_cpu_devices", number)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
