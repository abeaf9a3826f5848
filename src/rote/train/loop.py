"""All runs of a call on the host: cohorts in turn, events, checkpoints, interruptions."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rote.core import Dataset, InputError
from rote.train.checkpoint import CheckpointError, Store
from rote.train.cohort import Cohort
from rote.train.events import Advanced, Evaluated, Event, Finished, Resumed, Started
from rote.train.moment import Moment, Settings, Task
from rote.train.placement import Execution, Placement, memory_budget
from rote.train.processes import agreed, anywhere, deferred_signals
from rote.train.program import Program
from rote.train.result import Checkpoint, Result, Row, Run, TrainingInterrupted
from rote.train.saved import (
    continue_ended,
    ended_content,
    ended_result,
    moment_content,
    restore_moment,
)
from rote.train.trees import bytes_of


class Call(NamedTuple):
    """A call of ``fit_runs``, checked and compiled.

    Attributes:
      program: the compiled functions.
      placement: where they run.
      settings: what holds for every run.
      execution: how it is executed.
      runs: the runs.
      shared: what runs train on that bring no data set of their own.
      state: shapes and dtypes of a run's ``TrainState``, keys as plain numbers.
      send: the caller's ``on_event``.
    """

    program: Program
    placement: Placement
    settings: Settings
    execution: Execution
    runs: Sequence[Run]
    shared: Dataset
    state: Any
    send: Callable[[Event], None]


class Session:
    """The training of a call, from where its checkpoints left it to its end.

    Args:
      call: the call.
      store: its checkpoints, if it has any.
      announced: whether the caller has been told what it costs and where it goes on.
    """

    def __init__(self, call: Call, store: Store | None, announced: bool = False) -> None:
        self._call, self._store = call, store
        self._results: dict[int, Result] = {}
        self._now: tuple[Cohort, Moment] | None = None
        self._proved: tuple[Cohort, Moment] | None = None
        self._epochs = 0
        self._announced = announced
        self._signal = threading.Event()

    def run(self) -> list[Result]:
        """Trains every run to its end.

        Raises:
          TrainingInterrupted: on Ctrl-C.
        """
        options = self._call.execution.checkpoints
        try:
            with deferred_signals(options.saving if options else None) as self._signal:
                for cohort, moment in self._cohorts():
                    self._train(cohort, moment)
        except KeyboardInterrupt:
            failure = None
            if self._store is not None and self._proved is not None:
                try:
                    self._save()
                    self._store.wait()
                except CheckpointError as error:
                    failure = error
            raise TrainingInterrupted(self._so_far()) from failure
        return [self._results[run] for run in range(len(self._call.runs))]

    def _so_far(self) -> list[Result]:
        """The runs that have ended, then those under way."""
        ended = [self._results[run] for run in sorted(self._results)]
        if self._now is None:
            return ended
        cohort, moment = self._now
        return ended + cohort.interrupted(moment, set(moment.active) - set(self._results))

    def announce(self) -> None:
        """Tells what the call will cost and where it goes on; trains nothing."""
        next(self._cohorts(), None)

    def _cohorts(self) -> Iterator[tuple[Cohort, Moment]]:
        """The runs that are not finished, as many together as fit into memory."""
        pending = dict.fromkeys(range(len(self._call.runs)))
        if self._store is not None:
            for cohort, moment in self._continued(self._store, pending):
                self._announce(cohort, moment, len(pending))
                yield cohort, moment
        while pending:
            cohort, moment = self._gather(list(pending))
            self._announce(cohort, moment, len(pending) - len(cohort.tasks))
            for run in cohort.tasks:
                del pending[run]
            yield cohort, moment
        if not self._announced:
            self._send_started(0, (0.0, 0.0, 0.0))

    def _train(self, cohort: Cohort, moment: Moment) -> None:
        call, self._now, self._proved = self._call, (cohort, moment), None
        steps = call.settings.steps_per_epoch
        while moment.active:
            if anywhere(self._signal.is_set()):
                raise KeyboardInterrupt
            before, running = moment, moment.active
            if before.taken < steps:
                moment, count = cohort.advance(before)
                news: list[Event] = [
                    Advanced(
                        runs={run: call.runs[run].label for run in running},
                        epoch=before.epoch,
                        max_epochs=call.settings.max_epochs,
                        taken=moment.taken,
                        steps=count,
                        steps_per_epoch=steps,
                        loss=cohort.mean_loss(moment),
                    )
                ]
            else:
                moment = cohort.evaluate(before)
                self._epochs += 1
                nets = functools.cache(functools.partial(cohort.nets, before))
                news = [
                    Evaluated(
                        run,
                        call.runs[run].label,
                        moment.logs[run].history[-1],
                        functools.partial(_one_of, nets, run),
                    )
                    for run in running
                ]
            # What has been shown to lead somewhere sound is saved, not what follows it: where the
            # next loss is not finite, the state to go back to lies before.
            self._proved, self._now = (cohort, before), (cohort, moment)
            for event in news:
                call.send(event)
            self._finish(cohort, moment)
            moment = cohort.retire(moment)
            self._now = cohort, moment
            if self._store is not None and agreed(self._store.due(self._epochs)):
                self._save()

    def _finish(self, cohort: Cohort, after: Moment) -> None:
        """The runs that have just ended: on the disk first, then to the caller."""
        ended = [run for run in after.active if after.logs[run].status is not None]
        states = cohort.host_states(after) if ended and self._store is not None else {}
        for run in ended:
            log = after.logs[run]
            result = cohort.result(run, log)
            if self._store is not None:
                self._store.finish(run, *ended_content(result, log, cohort.tasks[run], states[run]))
            self._results[run] = result
            self._call.send(Finished(run, result.label, result))

    def _save(self) -> None:
        assert self._store is not None and self._proved is not None
        cohort, moment = self._proved
        arrays, meta = moment_content(cohort, moment)
        self._store.save(arrays, meta, epoch=self._epochs)

    def _announce(self, cohort: Cohort, moment: Moment, waiting: int) -> None:
        """Once, before the first cohort: what the call will cost."""
        if not self._announced:
            most = self._call.settings.max_epochs
            done = max(0, moment.epoch - 1) * len(moment.active)
            epochs_left = (len(moment.active) + waiting) * most - done
            notes = ", images are streamed" * cohort.streams
            if waiting:
                notes += f", {len(moment.active)} in memory at a time"
            self._send_started(epochs_left, cohort.measure(moment), notes)

    def _send_started(
        self, epochs_left: int, seconds: tuple[float, float, float], notes: str = ""
    ) -> None:
        self._announced = True
        settings, num_runs = self._call.settings, len(self._call.runs)
        description = self._call.placement.describe(num_runs)
        self._call.send(
            Started(
                num_runs,
                settings.max_epochs,
                settings.steps_per_epoch,
                description + notes,
                epochs_left,
                *seconds,
            )
        )

    def _gather(self, pending: Sequence[int]) -> tuple[Cohort, Moment]:
        """A cohort of the first of the pending runs, and those that go with it."""
        call = self._call
        tasks, stream = self._fitting(pending)
        cohort = self._cohort(tasks, stream)
        moment = cohort.begin()
        if call.placement.mode == "vmap" and len(tasks) > call.placement.run_devices:
            budget = agreed(memory_budget(call.execution))
            needed = cohort.chunk_bytes(moment)
            if needed > budget:
                fewer = max(call.placement.run_devices, len(tasks) * budget // needed)
                cohort = self._cohort(tasks[:fewer], stream)
                moment = cohort.begin()
        return cohort, moment

    def _fitting(self, runs: Sequence[int]) -> tuple[list[Task], int | None]:
        """The first run and those like it that fit into memory with it; bytes to stream with."""
        budget = agreed(memory_budget(self._call.execution))
        tasks = [self._task(runs[0])]
        stream = self._stream_bytes(tasks[0], budget)
        for run in runs[1:]:
            task = self._task(run)
            if _signature(task) != _signature(tasks[0]):
                continue
            if stream is None and self._bytes([*tasks, task]) > budget:
                break
            tasks.append(task)
        return tasks, stream

    def _cohort(self, tasks: Sequence[Task], stream: int | None) -> Cohort:
        return Cohort(self._call.program, self._call.placement, self._call.settings, tasks, stream)

    def _task(self, run: int) -> Task:
        """The run with its data, which are made now where it brings a function."""
        asked, shared = self._call.runs[run], self._call.shared
        dataset = asked.dataset() if callable(asked.dataset) else asked.dataset or shared
        _check_fits(asked, dataset, shared)
        every = np.arange(len(dataset.train.labels))
        examples = every if asked.subset is None else np.asarray(asked.subset)
        return Task(run, asked, dataset, examples.astype(np.int32))

    def _stream_bytes(self, task: Task, budget: int) -> int | None:
        """Bytes for images under way where they are streamed: asked for, or too many."""
        images = task.dataset.train.images.nbytes + task.dataset.test.images.nbytes
        stream = self._call.execution.stream
        return budget // 4 if (images > budget // 2 if stream is None else stream) else None

    def _bytes(self, tasks: Sequence[Task]) -> int:
        """What runs need on a device at least: images, and several copies of their states."""
        splits = [split for t in tasks for split in (t.dataset.train, t.dataset.test)]
        images = sum({id(s.images): s.images.nbytes for s in splits}.values())
        per_device = -(-len(tasks) // self._call.placement.run_devices)
        examples = sum(len(s.labels) for s in splits[:2])
        return images + per_device * (4 * bytes_of(self._call.state) + 32 * examples)

    def _continued(self, store: Store, pending: dict[int, None]) -> Iterator[tuple[Cohort, Moment]]:
        """What the checkpoints hold, taken out of ``pending``."""
        call = self._call
        saved, newest = store.finished(), store.newest()
        extended: dict[int, list[int]] = {}
        for run, content in saved.items():
            result = ended_result(self._task(run), call.shared, content)
            if result.status == "max_epochs" and result.final.epoch < call.settings.max_epochs:
                extended.setdefault(result.final.epoch, []).append(run)
            else:
                self._results[run] = result
                del pending[run]
        under_way: dict[int, Sequence[Row]] = {}
        if newest is not None:
            meta = newest[1]
            under_way = {
                int(run): log["history"]
                for run, log in meta["logs"].items()
                # Of a run that is continued beyond its old limit, what is newer counts.
                if int(run) not in saved or meta["epoch"] > saved[int(run)][1]["epoch"]
            }
            under_way = {run: log for run, log in under_way.items() if run in pending}
        for runs in extended.values():
            runs[:] = [run for run in runs if run not in under_way]
        histories = dict(under_way)
        histories |= {run: saved[run][1]["history"] for runs in extended.values() for run in runs}
        if not self._announced and (self._results or histories or store.notes):
            call.send(Resumed(dict(self._results), histories, tuple(store.notes)))
        if newest is not None and under_way:  # together, as they were: the next checkpoint has all
            tasks = [self._task(run) for run in under_way]
            budget = agreed(memory_budget(call.execution))
            cohort = self._resumed(tasks, self._stream_bytes(tasks[0], budget), pending)
            yield cohort, restore_moment(cohort, call.state, newest)
        for epoch, runs in sorted(extended.items()):
            while left := [run for run in runs if run in pending]:
                cohort = self._resumed(*self._fitting(left), pending)
                contents = {run: saved[run] for run in cohort.tasks}
                yield cohort, continue_ended(cohort, call.state, epoch, contents)

    def _resumed(
        self, tasks: Sequence[Task], stream: int | None, pending: dict[int, None]
    ) -> Cohort:
        """A cohort with what it began with made again."""
        cohort = self._cohort(tasks, stream)
        cohort.begin()
        for run in cohort.tasks:
            del pending[run]
        return cohort


def _one_of(nets: Callable[[], dict[int, Checkpoint]], run: int) -> Checkpoint:
    return nets()[run]


def _signature(task: Task) -> tuple[Any, ...]:
    """What runs of one cohort have in common, because the program is compiled for it."""
    splits = (task.dataset.train, task.dataset.test)
    return tuple((split.images.shape, split.images.dtype) for split in splits)


def _check_fits(run: Run, dataset: Dataset, shared: Dataset) -> None:
    for what, given, expected in (
        ("images of shape", dataset.image_shape, shared.image_shape),
        ("a number of classes of", dataset.num_classes, shared.num_classes),
        ("a number of training images of", len(dataset.train.labels), len(shared.train.labels)),
    ):
        if given != expected:
            raise InputError(
                f"run {run.label!r} has {what} {given}, the call's data set {expected}; "
                "train it in a call of its own"
            )
