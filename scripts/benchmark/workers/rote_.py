"""rote: ``fit`` for one run, ``fit_runs`` for several, with a mapping or run by run."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import rote
from rote.train import Execution, Result, Started
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Round, Start, rote_nets, setting, timing

HISTORY = ("batch_loss", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
EXECUTIONS = {"rote-map": Execution("map"), "rote-vmap": Execution("vmap")}


class Call(NamedTuple):
    """A call of the public interface: its events, its results, when it returned."""

    events: list[timing.Stamped]
    results: list[Result]
    end: float


class Rote:
    """Each round is a call, or one per run, timed from the event that compiling is over."""

    def __init__(self, job: Job) -> None:
        self.workload = workload = job.load_workload()
        setting.use_devices(workload, job.device)
        net, dataset = rote_nets.build(workload.net), setting.make_dataset(workload)
        options: dict[str, Any] = {
            "batch_size": workload.batch_size,
            "max_epochs": workload.epochs,
            "transform": setting.TRANSFORM,
            "compute_dtype": workload.compute_dtype,
            "stop": rote.accuracy_reached(1.0) if workload.until_fitted else None,
            "record": "last",
            "execution": EXECUTIONS.get(job.contender),
        }
        optimizer = setting.make_optimizer(workload)
        seeds = range(workload.num_runs)
        if len(seeds) == 1 or job.contender == "rote-sequential":
            fit = functools.partial(rote.fit, net, optimizer, dataset, **options)
            self.calls: list[Callable[..., Any]] = [
                functools.partial(fit, seed=seed) for seed in seeds
            ]
        else:
            runs = [rote.Run(init_seed=seed) for seed in seeds]
            self.calls = [
                functools.partial(rote.fit_runs, net, lambda: optimizer, dataset, runs, **options)
            ]

    def start(self) -> Start:
        """The first call; it evaluates before its first step."""
        events, _, _ = _call(self.calls[0], time.time)
        compiled = next(event for _, event in events if isinstance(event, Started))
        return Start(timing.first_step(events), compiled.compile_seconds)

    def round(self) -> Round:
        """See ``Contestant``."""
        calls = [_call(train, time.perf_counter) for train in self.calls]
        training = None
        if not self.workload.until_fitted:
            training = sum(timing.training_seconds(call.events) for call in calls)
        return Round(
            training,
            sum(call.end - timing.began(call.events) for call in calls),
            [
                [{name: row[name] for name in HISTORY} for row in result.history]
                for call in calls
                for result in call.results
            ],
        )


def _call(train: Callable[..., Any], clock: Callable[[], float]) -> Call:
    events: list[timing.Stamped] = []
    results = train(on_event=lambda event: events.append((clock(), event)))
    return Call(events, results if isinstance(results, list) else [results], clock())


def make(job: Job) -> Rote:
    """The contender."""
    return Rote(job)
