"""How much memory this machine has to give."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path


def free_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may still take; all there is, where only that is known.

    On Linux that is what the machine has left, or what a limit of a container or a batch job
    (control groups, version 2) leaves, where that is less.

    Args:
      root: where ``proc`` and ``sys`` are.
    """
    known = [*_machine(root), *_control_groups(root)]
    return min(known) if known else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _machine(root: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        match = re.search(r"^MemAvailable:\s*(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
        if match:
            yield int(match[1]) * 1024


def _control_groups(root: Path) -> Iterator[int]:
    """What the limits of this process's group, and of those that it is in, leave."""
    with contextlib.suppress(OSError):
        match = re.search(r"^0::/(.*)$", (root / "proc/self/cgroup").read_text(), re.M)
        if match:
            top = root / "sys/fs/cgroup"
            for group in (top / match[1], *(top / match[1]).parents):
                with contextlib.suppress(OSError, ValueError):  # no limit: no file, or "max"
                    limit = int((group / "memory.max").read_text())
                    yield max(0, limit - int((group / "memory.current").read_text()))
                if group == top:
                    break
