"""One job per run directory, on local and on network file systems, and after a job has died.

A job's claim is the file ``.claim-<n>``. It is made with ``O_CREAT | O_EXCL``, which one of several
jobs can do, on any host; locks of the operating system are not to be relied on between hosts. A
thread touches it every few seconds. A claim is dead where its process is known to be gone (same
host) or it was not touched for a minute (another host), measured by the file system's clock, so
that the hosts' clocks need not agree.

A dead claim ``n`` is taken over by making ``.claim-<n+1>``: nothing is removed before that, so
whoever judged the same claim dead meets the new one instead of removing it.
"""

import contextlib
import dataclasses
import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rote.core import InputError
from rote.record.environment import now
from rote.record.existing import unwritable

HEARTBEAT_SECONDS = 10.0
DEAD_SECONDS = 60.0
PREFIX = ".claim-"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A run directory that is ours until ``release``; a context manager, too.

    Attributes:
      file: the claim.
      content: what it says.
    """

    file: Path
    content: bytes
    _released: threading.Event = dataclasses.field(default_factory=threading.Event, compare=False)

    @classmethod
    def take(cls, folder: Path, lost: Callable[[], object] = lambda: None) -> "Claim":
        """Claims a run directory, made where it does not exist.

        Args:
          folder: the run directory.
          lost: called, in a thread, when another job has taken over, because this one gave no sign
            of life for a minute.

        Raises:
          InputError: if another job has it, or it cannot be written.
        """
        claim = None
        try:
            while claim is None:
                folder.mkdir(parents=True, exist_ok=True)
                claim = cls._attempt(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
        beat = threading.Thread(target=claim._beat, args=(lost,), name="claim", daemon=True)
        beat.start()
        return claim

    @classmethod
    def _attempt(cls, folder: Path) -> "Claim | None":
        dead = _read_all(folder)
        for file, content in dead.items():
            _check_dead(file, content)
        number = max((_number(file) for file in dead), default=0) + 1
        claim = cls(folder / f"{PREFIX}{number}", _about_me())
        try:
            handle = os.open(claim.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return None
        with os.fdopen(handle, "wb") as stream:
            stream.write(claim.content)
            stream.flush()
            os.fsync(handle)
        others = _read_all(folder).items() - dead.items()
        if any(file != claim.file for file, _ in others):  # made since we looked
            claim.file.unlink()
            time.sleep(0.01 + 0.1 * uuid.uuid4().int / 2**128)
            return None
        for file in dead:
            file.unlink(missing_ok=True)
        return claim

    def release(self) -> None:
        """Gives the directory back, and removes it where it is empty."""
        self._released.set()
        with contextlib.suppress(OSError):
            if self._is_mine():
                self.file.unlink()
            self.file.parent.rmdir()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def _is_mine(self) -> bool:
        return _read(self.file) == self.content

    def _beat(self, lost: Callable[[], object]) -> None:
        while not self._released.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # for a moment, perhaps; a minute is left
                if self._is_mine():
                    os.utime(self.file)
                elif self.file.parent.exists() and not self._released.is_set():
                    lost()
                    return


def _check_dead(file: Path, content: bytes) -> None:
    """Raises InputError if the job behind a claim may be alive."""
    about = _parse(content)
    if about.get("where") == _where():
        alive = _is_alive(about["pid"]) and about["began"] == _began(about["pid"])
    else:
        alive = _seconds_since_touched(file) < DEAD_SECONDS
    if alive:
        who = "another process"
        if about:
            who = f"process {about['pid']} on host {about['host']} since {about['since']}"
        raise InputError(
            f"{file.parent} is in use by {who}; wait for it, or choose another folder with --out"
        )


def _parse(content: bytes) -> dict[str, Any]:
    """What a claim says; nothing, where it is being written or was cut off."""
    with contextlib.suppress(ValueError):
        return json.loads(content)
    return {}


def _about_me() -> bytes:
    about = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": now(),
        "where": _where(),
        "began": _began(os.getpid()),
        "token": uuid.uuid4().hex,
    }
    return json.dumps(about).encode()


def _where() -> list[str]:
    """Where a process number means the same process: host, its start, and the container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return parts


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _began(pid: int) -> str | None:
    """When a process began, in the kernel's ticks, where the system tells: numbers are reused.

    One that has ended, and of which only the exit code is left, is as good as gone.
    """
    with contextlib.suppress(OSError):
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "gone" if state in "ZX" else fields[18]
    return None


def _seconds_since_touched(file: Path) -> float:
    """How long ago, by the clock of the file system; infinite where the claim has just gone."""
    probe = file.with_name(f".now-{uuid.uuid4().hex}")
    try:
        probe.touch()
        os.utime(probe)
        with open(file, "rb") as stream:  # opened: a network file system looks anew
            touched = os.fstat(stream.fileno()).st_mtime
        return probe.stat().st_mtime - touched
    except FileNotFoundError:
        return math.inf
    finally:
        probe.unlink(missing_ok=True)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _read_all(folder: Path) -> dict[Path, bytes]:
    found = {file: _read(file) for file in folder.glob(f"{PREFIX}*")}
    return {file: content for file, content in found.items() if content is not None}


def _number(file: Path) -> int:
    return int(file.name.removeprefix(PREFIX))
