"""Runs all contenders of a workload, each in its process, and gathers what they say."""

import contextlib
import dataclasses
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scripts.benchmark.contenders import CONTENDERS
from scripts.benchmark.exchange import Job
from scripts.benchmark.paired import deviation
from scripts.benchmark.turns import Worker, alternate
from scripts.benchmark.workloads import Device, Workload

CHECKED_ROWS = 3
TOLERANCE = {None: 1e-3, "bfloat16": 5e-2}
Histories = list[list[dict[str, Any]]]


@dataclasses.dataclass
class Measured:
    """What was measured of one workload.

    Attributes:
      workload: what was trained.
      training: seconds of training steps by contender, one per round; absent where not timed.
      total: seconds with evaluations, or of whole processes, by contender, one per round.
      starts: by contender and ``"cold"`` or ``"warm"``: ``first_step_seconds``,
        ``compile_seconds``.
      peak_bytes: of memory, by contender.
      deviations: largest relative difference of the losses from the first contender's.
      epochs: the most epochs that a run took, by contender.
      idle_share: see ``alternate``.
      facts: what ``workers.export`` says.
    """

    workload: Workload
    training: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    total: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    starts: dict[str, dict[str, dict[str, float | None]]] = dataclasses.field(default_factory=dict)
    peak_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    deviations: dict[str, float] = dataclasses.field(default_factory=dict)
    epochs: dict[str, int] = dataclasses.field(default_factory=dict)
    idle_share: float = 0.0
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether all contenders reached the same losses."""
        tolerance = TOLERANCE[self.workload.compute_dtype]
        return all(value <= tolerance for value in self.deviations.values())

    def check(self, histories: Mapping[str, Histories]) -> None:
        """Notes how far each contender's losses are from the first one's, over the first epochs."""
        losses = {name: _losses(each) for name, each in histories.items()}
        first, *others = losses
        self.deviations = {name: deviation(losses[first], losses[name]) for name in others}
        self.epochs = {name: max(map(len, each)) - 1 for name, each in histories.items()}


def _losses(histories: Histories) -> Histories:
    return [
        [{name: row[name] for name in row if name.endswith("loss")} for row in history]
        for history in (each[:CHECKED_ROWS] for each in histories)
    ]


@dataclasses.dataclass(frozen=True)
class Bench:
    """How everything is run.

    Attributes:
      device: what to compute on.
      quick: whether the workloads are the small ones.
      rounds: instead of each workload's own number.
      say: prints a line about progress.
    """

    device: Device
    quick: bool
    rounds: int | None
    say: Callable[[str], None]

    def measure(self, workload: Workload) -> Measured:
        """All contenders of one workload."""
        with tempfile.TemporaryDirectory(prefix="rote-bench-") as folder:
            measured = Measured(workload)
            with self._worker("export", workload, folder) as worker:
                measured.facts = worker.receive()
            if workload.until_fitted:
                self._time_processes(measured, folder)
            else:
                self._race(measured, folder)
        return measured

    def peaks(self) -> dict[str, float]:
        """The highest FLOP/s of a matrix product that JAX or PyTorch reach, by dtype."""
        found: dict[str, float] = {}
        with tempfile.TemporaryDirectory(prefix="rote-bench-") as folder:
            for name in ("peak-jax", "peak-torch"):
                with self._worker(name, None, folder) as worker:
                    for dtype, value in worker.receive().items():
                        self.say(f"{name}: {value / 1e9:.0f} GFLOP/s in {dtype}")
                        found[f"{name} {dtype}"] = value
        return found

    def _race(self, measured: Measured, folder: str) -> None:
        workload, names = measured.workload, measured.workload.contenders
        with contextlib.ExitStack() as stack:
            workers, histories = {}, {}
            for name in names:
                self.say(f"{workload.name}: {CONTENDERS[name].title} warms up")
                worker = stack.enter_context(self._worker(name, workload, folder))
                measured.starts[name] = {"cold": worker.receive()}
                histories[name] = worker.receive()["histories"]
                workers[name] = worker
            measured.check(histories)
            rounds = self.rounds or workload.rounds
            self.say(f"{workload.name}: {rounds} rounds of {len(workers)} contenders")
            answers, measured.idle_share = alternate(workers, rounds, random.Random(0))
            for name, each in answers.items():
                measured.training[name] = [answer["training"] for answer in each]
                if workload.evaluates:
                    measured.total[name] = [answer["total"] for answer in each]
                measured.peak_bytes[name] = workers[name].ask("quit")["peak_bytes"]
        for name in filter(lambda name: CONTENDERS[name].compiles, names):
            with self._worker(name, workload, folder) as worker:
                measured.starts[name]["warm"] = worker.receive()

    def _time_processes(self, measured: Measured, folder: str) -> None:
        workload, order = measured.workload, random.Random(0)
        rounds = self.rounds or workload.rounds
        self.say(f"{workload.name}: {rounds} rounds of whole processes")
        _, histories, measured.peak_bytes = self._whole_round(
            workload, folder, order
        )  # fills caches
        measured.check(histories)
        measured.total = {name: [] for name in workload.contenders}
        for _ in range(rounds):
            for name, seconds in self._whole_round(workload, folder, order)[0].items():
                measured.total[name].append(seconds)

    def _whole_round(
        self, workload: Workload, folder: str, order: random.Random
    ) -> tuple[dict[str, float], dict[str, Histories], dict[str, int]]:
        """Seconds from start to end, histories and memory of every contender's processes."""
        seconds, histories, memory = {}, {}, {}
        names = workload.contenders
        for name in order.sample(names, len(names)):
            parts = CONTENDERS[name].processes
            begin = time.perf_counter()
            with contextlib.ExitStack() as stack:
                workers = [
                    stack.enter_context(self._worker(name, workload, folder, part, parts))
                    for part in range(parts)
                ]
                answers = [worker.receive() for worker in workers]
                for worker in workers:
                    worker.process.wait()
                seconds[name] = time.perf_counter() - begin
            merged: Histories = [[]] * workload.num_runs
            for part, answer in enumerate(answers):
                merged[part::parts] = answer["histories"]
            histories[name] = merged
            memory[name] = sum(answer["peak_bytes"] for answer in answers)
        return seconds, {name: histories[name] for name in names}, memory

    @contextlib.contextmanager
    def _worker(
        self, name: str, workload: Workload | None, folder: str, part: int = 0, parts: int = 1
    ) -> Iterator[Worker]:
        job = Job(
            contender=name,
            workload=workload.name if workload else "",
            device=self.device,
            quick=self.quick,
            folder=folder,
            part=part,
            parts=parts,
        )
        with tempfile.TemporaryDirectory(prefix="rote-bench-cache-") as fresh:
            contender = CONTENDERS.get(name)
            cache = fresh if contender and contender.fresh_cache else f"{folder}/cache-{name}"
            worker = Worker(
                [sys.executable, "-m", "scripts.benchmark.workers", job.to_json()],
                worker_environment(self.device, cache, contender.threads if contender else None),
            )
            try:
                yield worker
            finally:
                worker.close()


def worker_environment(device: Device, cache: str, threads: int | None) -> dict[str, str]:
    """The environment variables of a worker.

    Threads wait as each framework lets them by default: making OpenMP's wait passively would slow
    PyTorch down, and they sleep soon after a round anyway (``Measured.idle_share`` is the check).
    """
    variables = {
        "JAX_PLATFORMS": "cpu" if device == "cpu" else "cuda",
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if threads is not None:
        variables["OMP_NUM_THREADS"] = str(threads)
    return os.environ | variables
