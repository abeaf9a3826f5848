"""Ctrl-C and SIGTERM are answered promptly, even while the main thread waits in C++.

Python runs a signal's handler only when the main thread returns to it, which a long compilation
does not do. The C part of the handler, though, writes the signal's number to a socket at once; a
watcher thread reads it and, if the process has not left by itself in time, ends it; while a
checkpoint is written it has more time.
"""

import contextlib
import itertools
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from rote.record import RunDir

GRACE_SECONDS = 1.5
SAVING_SECONDS = 60.0
REPEATED_SECONDS = 0.5  # before that, a second signal is another copy of the first


class Signals:
    """What was received while ``answer_signals`` was active.

    Attributes:
      received: number of the signal that ended the work, or ``None``.
      out: where results are written, once that is known: the message names it.
      saving: set while a checkpoint is written, which is worth waiting for.
      last: called before the process is ended.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.out: RunDir | None = None
        self.saving = threading.Event()
        self.last: Callable[[], object] = lambda: None

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self.received or signal.SIGINT)

    @property
    def message(self) -> str:
        """What to tell the user."""
        name = "terminated" if self.received == signal.SIGTERM else "interrupted"
        if self.out is None:
            return name
        return f"{name}: what was written so far is in {self.out.folder}; {_how_to_go_on(self.out)}"

    def leave(self) -> NoReturn:
        """Tells the user and ends the process now.

        An ordinary exit would wait for what the devices still compute.
        """
        os.write(2, f"\n{self.message}\n".encode())
        self.last()
        os._exit(self.exit_code)


@contextlib.contextmanager
def answer_signals(grace: float = GRACE_SECONDS) -> Iterator[Signals]:
    """SIGINT and SIGTERM raise ``KeyboardInterrupt`` once, then end the process after ``grace``.

    Signals that the process ignores or that already have a handler are left alone. Outside the main
    thread nothing is changed. The process ends by ``os._exit``: whoever writes files must have them
    whole on the disk at any moment, as ``RunDir`` has.

    Args:
      grace: seconds that the program has to leave by itself after the signal.

    Yields:
      What was received.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    interruptions = itertools.count()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if next(interruptions) == 0:
            signals.received = number
            raise KeyboardInterrupt

    handled = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    previous = {
        number: signal.signal(number, interrupt)
        for number, default in handled.items()
        if signal.getsignal(number) is default
    }
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    previous_fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=_watch, args=(ours, signals, set(previous), grace), name="signals", daemon=True
    )
    watcher.start()
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        theirs.close()
        watcher.join()
        ours.close()


def _watch(ours: socket.socket, signals: Signals, numbers: set[int], grace: float) -> None:
    """Waits for one of the signals, then for the other end to close; ends the process if late."""
    while True:
        data = ours.recv(64)
        if not data:
            return
        if numbers.intersection(data):
            break
    signals.received = next(number for number in data if number in numbers)
    first = time.monotonic()
    deadline = first + grace
    while (now := time.monotonic()) < min(deadline, first + SAVING_SECONDS):
        if select.select([ours], [], [], 0.05)[0]:
            data = ours.recv(64)
            if not data:
                return
            if numbers.intersection(data) and now - first > REPEATED_SECONDS:
                break
        if signals.saving.is_set():
            deadline = time.monotonic() + grace
    signals.leave()


def _how_to_go_on(out: RunDir) -> str:
    if not out.continues:
        return "nothing was saved to continue from: the same command begins anew"
    epoch = out.saved_epoch
    return "the same command continues it" + (f" from epoch {epoch}" if epoch else "")
