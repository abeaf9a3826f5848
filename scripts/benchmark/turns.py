"""Processes that take turns."""

import contextlib
import json
import os
import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class WorkerError(RuntimeError):
    """A worker process ended without an answer."""


class Worker:
    """A process that answers with lines of JSON."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None):
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )

    def receive(self) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise WorkerError(f"ended with code {code} and no answer: {' '.join(self.command)}")
        return json.loads(line)

    def ask(self, word: str) -> dict[str, Any]:
        """Sends a word and waits for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.receive()

    def cpu_seconds(self) -> float:
        """CPU time used so far; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the process, if it has not ended."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


def alternate(
    workers: Mapping[str, Worker], rounds: int, order: random.Random
) -> tuple[dict[str, list[dict[str, Any]]], float]:
    """Lets every worker train once per round, in a new random order each time.

    Returns:
      The answers of each worker, one per round; and the CPU time that waiting workers used, as a
      share of the time they waited.
    """
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    waited = busy = 0.0
    for _ in range(rounds):
        for name in order.sample(sorted(workers), len(workers)):
            waiting = [worker for other, worker in workers.items() if other != name]
            used, begin = sum(w.cpu_seconds() for w in waiting), time.perf_counter()
            answers[name].append(workers[name].ask("go"))
            waited += (time.perf_counter() - begin) * len(waiting)
            busy += sum(w.cpu_seconds() for w in waiting) - used
    return answers, busy / waited if waited else 0.0
