"""How much memory this machine has to give."""

import contextlib
import os
import re
from pathlib import Path


def free_memory() -> int:
    """Bytes of this machine's memory that are free; all of it, where only that is known."""
    with contextlib.suppress(OSError):
        match = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
        if match:
            return int(match[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
