"""Where a run happened: versions, devices, commit, command."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def environment(command: str | None = None, devices: Sequence[str] | None = None) -> dict[str, Any]:
    """Where a run happens: what a reader needs to judge its numbers or to repeat it.

    Args:
      command: the command line; by default the one this process was started with.
      devices: what it computes on, in words; by default JAX's devices.

    Returns:
      JSON-serializable: versions, devices, platform, CPU, cores, commit, command, time.
    """
    packages = ("rote", "jax", "jaxlib", "numpy", "scipy", "optax")
    return {
        "started": now(),
        "command": shlex.join(sys.orig_argv) if command is None else command,
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in packages}},
        "devices": _jax_devices() if devices is None else list(devices),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "commit": _commit(),
    }


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _jax_devices() -> list[str]:
    import jax

    return [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]


def _cpu_model() -> str | None:
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if match:
            return match[1]
    return platform.processor() or None


def _commit() -> dict[str, Any] | None:
    """The commit this source was checked out from and whether files differ from it, if any."""

    def git(*arguments: str) -> str:
        command = ("git", "--no-optional-locks", *arguments)
        return subprocess.run(
            command,
            cwd=Path(__file__).parent,
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return {"id": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
