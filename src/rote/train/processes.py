"""What several processes must decide alike, because each takes part in every computation.

With one process nothing here does anything.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import jax
import numpy as np


def agreed(value: int) -> int:
    """The first process's value, in every process."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    # In two halves: without 64-bit types JAX would cut a number of bytes to 32 bits.
    halves = np.array(divmod(value, 2**31), np.int32)
    high, low = multihost_utils.broadcast_one_to_all(halves)
    return int(high) * 2**31 + int(low)


def anywhere(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.bool_(flag)).any())


@contextlib.contextmanager
def deferred_signals(busy: threading.Event | None) -> Iterator[threading.Event]:
    """SIGINT and SIGTERM only set the event that is yielded, where there are several processes.

    A process that left in the middle of a computation would leave the others waiting for it. They
    ask each other between two computations (``anywhere``), and leave together.

    Args:
      busy: set as well, so that nobody ends this process before it has left by itself.
    """
    received = threading.Event()
    if jax.process_count() == 1 or threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: FrameType | None) -> None:
        received.set()
        if busy is not None:
            busy.set()

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
