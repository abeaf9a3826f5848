"""Runs that are trained together, and the steps from one moment of theirs to the next."""

import functools
import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rote.train.evaluate import make_metrics
from rote.train.feed import put, to_host
from rote.train.moment import (
    Moment,
    RunLog,
    Settings,
    Task,
    arrange,
    as_record,
    occupied,
    one_slot,
    plain_keys,
)
from rote.train.pace import Pace
from rote.train.placement import RUN, Placement
from rote.train.program import PerExample, Program, evaluation_batch
from rote.train.result import Checkpoint, DataRecord, Result, Row
from rote.train.slots import Seating
from rote.train.step import TrainState


class Cohort:
    """Runs that are trained together: their data on the devices, and what is compiled for them.

    Args:
      program: the compiled functions.
      placement: where they run.
      settings: of the call.
      tasks: the runs.
      stream: bytes of a device's memory for images, if they are to be streamed.
    """

    def __init__(
        self,
        program: Program,
        placement: Placement,
        settings: Settings,
        tasks: Sequence[Task],
        stream: int | None = None,
    ) -> None:
        self.tasks = {task.index: task for task in tasks}
        self._program, self._placement, self._settings = program, placement, settings
        self._seating = Seating(placement, settings, tasks, stream)
        self._metrics = {task.index: make_metrics(task.dataset, task.examples) for task in tasks}
        self._order: tuple[tuple[tuple[int | None, ...], int], jax.Array] | None = None
        self.streams = stream is not None
        self._step_pace, self._evaluation_pace = Pace(), Pace()
        self._chunk_starts: list[Moment] = []
        self.initial: dict[int, Checkpoint] = {}

    def begin(self) -> Moment:
        """Every run before its first step."""
        slots = arrange(list(self.tasks), self._placement.run_devices)
        at = self._seating.at(slots)
        of_the_runs = at.init_keys, at.noise_keys, at.hparams
        train = self._program.start(of_the_runs, self._seating.example)
        stop = self._settings.stop
        log = RunLog(stop_state=stop.init() if stop else None)
        steps = self._settings.steps_per_epoch
        logs = dict.fromkeys(self.tasks, log)
        moment = Moment(slots, train, self._zeros(slots), 0, steps, logs, 0.0)
        self.initial = self.nets(moment)
        return moment

    def go_on(
        self,
        states: Mapping[int, Any],
        loss_sums: Mapping[int, float],
        epoch: int,
        taken: int,
        logs: Mapping[int, RunLog],
        seconds: float,
        per_device: int = 0,
    ) -> Moment:
        """A moment from host copies of the runs' states (see ``host_states``)."""
        slots = arrange(list(states), self._placement.run_devices, per_device)
        order = [next(iter(states)) if run is None else run for run in slots]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(states[run] for run in order))
        train = jax.tree.map(lambda leaf: put(self._placement, leaf, RUN), stacked)
        train = train._replace(key=jax.random.wrap_key_data(train.key))
        zeros = self._zeros(slots)
        sums = np.array([loss_sums[run] for run in order], zeros.dtype)
        loss_sum = put(self._placement, sums, RUN)
        return Moment(slots, train, loss_sum, epoch, taken, logs, seconds)

    def host_states(self, moment: Moment) -> dict[int, TrainState]:
        """The states of the active runs on the host, their keys as plain numbers."""
        host = to_host(plain_keys(moment.train), self._placement)
        return {run: one_slot(host, slot) for slot, run in occupied(moment.slots)}

    def advance(self, moment: Moment) -> tuple[Moment, int]:
        """A chunk of steps of the epoch, and how many those were."""
        begin = time.perf_counter()
        at = self._seating.at(moment.slots)
        most = self._step_pace.next(self._settings.steps_per_epoch - moment.taken)
        batches, images, count = at.feed.batches(self._epoch_order(moment), moment.taken, most)
        of_the_runs = moment.train, moment.loss_sum, batches, at.hparams, at.active
        with self._step_pace.timed(count):
            train, loss_sum, finite = self._program.chunk(
                of_the_runs, (images, moment.taken, count)
            )
            finite = to_host(finite, self._placement)
        self._chunk_starts = [*self._chunk_starts[-1:], moment]
        logs = dict(moment.logs)
        first_step = (moment.epoch - 1) * self._settings.steps_per_epoch + moment.taken
        for slot, run in occupied(moment.slots):
            if finite[slot] < count:
                logs[run] = self._diverged(moment, run, first_step + int(finite[slot]))
        return moment._replace(
            train=train,
            loss_sum=loss_sum,
            taken=moment.taken + count,
            logs=logs,
            seconds=moment.seconds + time.perf_counter() - begin,
        ), count

    def evaluate(self, moment: Moment) -> Moment:
        """The full pass over both splits, and what the stop rule says to it."""
        begin = time.perf_counter()
        settings = self._settings
        train, test = (self._evaluate_split(moment, part) for part in ("train", "test"))
        loss_sum = to_host(moment.loss_sum, self._placement)
        seconds = moment.seconds + time.perf_counter() - begin
        nets = functools.cache(lambda: self.nets(moment))
        logs = dict(moment.logs)
        for slot, run in occupied(moment.slots):
            seen, tested = (PerExample(*(v[slot] for v in values)) for values in (train, test))
            log = moment.logs[run]
            batch_loss = float(loss_sum[slot] / settings.steps_per_epoch)
            row: Row = {
                "epoch": moment.epoch,
                "step": moment.epoch * settings.steps_per_epoch,
                "batch_loss": batch_loss if moment.epoch else None,
                **self._metrics[run](seen, tested),
                "seconds": seconds,
            }
            kept = log.recorded if settings.record == "all" else ()
            classes = self.tasks[run].dataset.num_classes
            predicted = seen.predicted.astype(np.uint8 if classes <= 256 else np.int32)
            recorded = (*kept, (moment.epoch, predicted, seen.margin.copy()))
            log = log._replace(history=(*log.history, row), recorded=recorded)
            logs[run] = log
            if not math.isfinite(row["train_loss"]):
                logs[run] = self._diverged(moment._replace(logs=logs), run, row["step"])
                continue
            if settings.stop is not None and moment.epoch:
                stop_state, decision = settings.stop.update(log.stop_state, row)
                best = nets()[run] if decision.best else log.best
                log = log._replace(stop_state=stop_state, best=best, status=decision.status)
            if log.status is None and moment.epoch >= settings.max_epochs:
                log = log._replace(status="max_epochs")
            if log.status is not None:
                log = log._replace(final=nets()[run])
            logs[run] = log
        return moment._replace(
            loss_sum=self._zeros(moment.slots),
            epoch=moment.epoch + 1,
            taken=0,
            logs=logs,
            seconds=seconds,
        )

    def retire(self, moment: Moment) -> Moment:
        """Without the runs that have ended; the others may move to other slots.

        Mapped one after another, a slot without a run costs nothing, and runs move only where one
        device would work longer than necessary. Together, every slot costs, so the slots are halved
        once half of them are idle.
        """
        slots = tuple(
            None if run is None or moment.logs[run].status is not None else run
            for run in moment.slots
        )
        logs = {run: moment.logs[run] for run in slots if run is not None}
        moment = moment._replace(slots=slots, logs=logs)
        devices, per_device = self._placement.run_devices, len(slots) // self._placement.run_devices
        needed = -(-len(logs) // devices)
        if self._placement.mode == "vmap":
            crowded = needed <= per_device // 2
        else:
            loads = [
                sum(run is not None for run in slots[d * per_device : (d + 1) * per_device])
                for d in range(devices)
            ]
            crowded = max(loads) > needed
        if not logs or not crowded:
            return moment
        sums = to_host(moment.loss_sum, self._placement)
        loss_sums = {run: float(sums[slot]) for slot, run in occupied(slots)}
        return self.go_on(
            self.host_states(moment),
            loss_sums,
            moment.epoch,
            moment.taken,
            logs,
            moment.seconds,
            0 if self._placement.mode == "vmap" else per_device,  # the same shape: no compilation
        )

    def result(self, run: int, log: RunLog) -> Result:
        """What a run produced, from its log."""
        task = self.tasks[run]
        assert log.status is not None and log.final is not None
        return Result(
            run=task.run,
            data=DataRecord.of(task.dataset),
            status=log.status,
            error=log.error,
            final=log.final,
            initial=self.initial[run],
            best=log.best,
            history=list(log.history),
            record=as_record(log.recorded, task),
            steps_per_epoch=self._settings.steps_per_epoch,
        )

    def interrupted(self, moment: Moment, runs: Collection[int]) -> list[Result]:
        """What these runs, which are cut short, have produced; one may just have ended."""
        epoch = moment.epoch - (moment.epoch > 0 and moment.taken == 0)
        nets = self.nets(moment._replace(epoch=epoch))
        cut_short = {
            run: log if log.status else log._replace(status="interrupted", final=nets[run])
            for run, log in moment.logs.items()
        }
        return [self.result(run, cut_short[run]) for run in sorted(runs)]

    def mean_loss(self, moment: Moment) -> float:
        """The mean mini-batch loss of the epoch so far, over the runs."""
        sums = to_host(moment.loss_sum, self._placement)
        active = [sums[slot] for slot, _ in occupied(moment.slots)]
        return float(np.mean(active)) / moment.taken

    def chunk_bytes(self, moment: Moment) -> int:
        """Bytes on each device that XLA plans for a chunk of training steps."""
        at = self._seating.at(moment.slots)
        trial = moment._replace(epoch=1)
        batches, images, _ = at.feed.batches(self._epoch_order(trial), 0, 1)
        of_the_runs = trial.train, trial.loss_sum, batches, at.hparams, at.active
        plan: Any = (
            self._program.chunk.lower(of_the_runs, (images, 0, 1)).compile().memory_analysis()
        )
        return int(
            plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
        )

    def measure(self, moment: Moment) -> tuple[float, float, float]:
        """Compiles, then times a few steps and evaluation batches whose results are thrown away.

        Returns:
          Seconds of compilation, of a step of one run, and of one run's evaluation of both splits;
          the latter two divided by the number of runs that share the time.
        """
        train_size, test_size = self._seating.sizes
        batches = sum(-(-size // evaluation_batch()) for size in (train_size, test_size))
        sample = min(8, -(-train_size // evaluation_batch()))
        steps = min(3, self._settings.steps_per_epoch)
        slots = moment.slots
        if self._placement.mode == "map":  # one run of each device stands for all
            per_device = len(slots) // self._placement.run_devices
            slots = tuple(run if i % per_device == 0 else None for i, run in enumerate(slots))
        trial = moment._replace(slots=slots, epoch=1, taken=0)
        times = [time.perf_counter()]
        for count, num_batches in ((1, 1), (steps, sample)):
            at = self._seating.at(trial.slots)
            feed, images, _ = at.feed.batches(self._epoch_order(trial), 0, count)
            of_the_runs = trial.train, trial.loss_sum, feed, at.hparams, at.active
            jax.block_until_ready(self._program.chunk(of_the_runs, (images, 0, count)))
            times.append(time.perf_counter())
            self._evaluate_split(trial, "train", num_batches)
            if count == 1:
                self._evaluate_split(trial, "test", num_batches)
            times.append(time.perf_counter())
        begin, _, compiled, stepped, evaluated = times
        share = len(trial.active)
        self._order = None
        return (
            compiled - begin,
            (stepped - compiled) / steps / share,
            (evaluated - stepped) / sample * batches / share,
        )

    def _evaluate_split(
        self, moment: Moment, part: str, max_batches: int | None = None
    ) -> PerExample:
        """What the nets say of a split, ``[S, N]`` each on the host."""
        at, size, parts = self._seating.at(moment.slots), evaluation_batch(), []
        num_slots = len(moment.slots)
        for block in at.feed.blocks(part):
            num_batches = -(-block.labels.shape[1] // size)
            zeros = np.zeros((num_slots, num_batches * size), np.float32)
            out = PerExample(
                *(put(self._placement, z, RUN) for z in (zeros, zeros.astype(np.int32), zeros))
            )
            done, end = 0, min(num_batches, max_batches or num_batches)
            while done < end:
                count = self._evaluation_pace.next(end - done)
                of_the_runs = (
                    moment.train.params,
                    moment.train.state,
                    block.source,
                    block.labels,
                    out,
                    at.active,
                )
                with self._evaluation_pace.timed(count):
                    out = self._program.evaluate(of_the_runs, (block.images, done, count))
                    jax.block_until_ready(out)
                done += count
            parts.append([v[:, : block.length] for v in to_host(out, self._placement)])
            if max_batches:
                break
        return PerExample(*(np.concatenate(values, 1) for values in zip(*parts, strict=True)))

    def _diverged(self, moment: Moment, run: int, bad_step: int) -> RunLog:
        """The log of a run whose parameters after ``bad_step`` steps give a loss not finite."""
        hint = "lower the learning rate" if bad_step else "check the model and its initialization"
        return moment.logs[run]._replace(
            status="diverged",
            error=(f"the loss is not finite at epoch {moment.epoch}, step {bad_step + 1}; {hint}"),
            final=self._last_sound(moment, run, bad_step),
        )

    def _last_sound(self, moment: Moment, run: int, bad_step: int) -> Checkpoint:
        """The newest parameters whose loss was finite, replayed from a chunk's start.

        The loss of step ``bad_step`` (counted from 0) is not finite, so those to go back to are the
        ones that entered the step before it.
        """
        if bad_step == 0:
            return self.initial[run]
        steps = self._settings.steps_per_epoch
        starts = [((m.epoch - 1) * steps + m.taken, m) for m in (*self._chunk_starts, moment)]
        first, start = max((s for s in starts if s[0] <= bad_step - 1), key=lambda s: s[0])
        train, at = start.train, self._seating.at(start.slots)
        taken, end = start.taken, start.taken + bad_step - 1 - first
        while taken < end:
            batches, images, count = at.feed.batches(self._epoch_order(start), taken, end - taken)
            of_the_runs = train, start.loss_sum, batches, at.hparams, at.active
            train, _, _ = self._program.chunk(of_the_runs, (images, taken, count))
            taken += count
        return self.nets(start._replace(train=train, epoch=moment.epoch))[run]

    def nets(self, moment: Moment) -> dict[int, Checkpoint]:
        """Parameters and state of the active runs, on the host."""
        host = to_host((moment.train.params, moment.train.state), self._placement)
        return {
            run: Checkpoint(moment.epoch, *one_slot(host, slot))
            for slot, run in occupied(moment.slots)
        }

    def _epoch_order(self, moment: Moment) -> jax.Array:
        """``[S, n]``: the order of the examples in the epoch under way."""
        key = moment.slots, moment.epoch
        if self._order is None or self._order[0] != key:
            at = self._seating.at(moment.slots)
            order = self._program.order((at.shuffle_keys, at.examples), moment.epoch - 1)
            self._order = key, order
        return self._order[1]

    def _zeros(self, slots: Sequence[int | None]) -> jax.Array:
        dtype = jax.dtypes.canonicalize_dtype(float)
        return put(self._placement, np.zeros(len(slots), dtype), RUN)
