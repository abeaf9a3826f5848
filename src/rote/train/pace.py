"""How much is computed in one compiled call: about half a second's worth.

So progress is shown, and an interruption is answered, promptly.
"""

import contextlib
import time
from collections.abc import Iterator

from rote.train.processes import agreed

CHUNK_SECONDS = 0.5


class Pace:
    """How many units of work fit into a chunk, from the time the last one took."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def next(self, remaining: int) -> int:
        """The size of the next chunk, from 1 to ``remaining``."""
        if self._seconds is None:
            return 1
        return agreed(max(1, min(remaining, int(CHUNK_SECONDS / max(self._seconds, 1e-9)))))

    @contextlib.contextmanager
    def timed(self, count: int) -> Iterator[None]:
        """Times a chunk of ``count`` units."""
        begin = time.perf_counter()
        yield
        self._seconds = (time.perf_counter() - begin) / count
