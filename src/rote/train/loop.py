"""One run on the host: compiled chunks, evaluations between them, and what they yield.

A chunk is sized to last about half a second, so that progress is shown and an interruption is
answered promptly; the state at its start is kept, so that a run whose loss stops being finite can
go back to where it was sound.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rote.core import Dataset, InputError, Key, Split
from rote.train.evaluate import PerExample, empty_outputs, evaluation_batch, metrics
from rote.train.events import Advanced, Event, Started
from rote.train.program import Program, order_keys
from rote.train.result import Checkpoint, DataRecord, Record, Result, Row, Run
from rote.train.step import TrainState
from rote.train.stop import StopRule

CHUNK_SECONDS = 0.5

Resident = dict[int, tuple[np.ndarray, jax.Array]]
"""Host arrays that are on the device, by ``id``; the host array is held so its id stays taken."""


class Task(NamedTuple):
    """A run with its data on the device and its state before the first step."""

    run: Run
    dataset: Dataset
    train: tuple[jax.Array, jax.Array]
    test: tuple[jax.Array, jax.Array]
    examples: jax.Array
    hparams: dict[str, jax.Array]
    shuffle_key: Key
    start: TrainState
    max_epochs: int
    steps_per_epoch: int


def prepare(
    program: Program,
    run: Run,
    shared: Dataset,
    batch_size: int,
    max_epochs: int,
    resident: Resident,
) -> Task:
    """Puts what the run needs on the device, reusing what is there, and initializes its state."""
    dataset = run.dataset() if callable(run.dataset) else run.dataset or shared
    _check_fits(run, dataset, shared)
    needed = [array for d in (dataset, shared) for array in _device_arrays(d)]
    for stale in set(resident) - set(map(id, needed)):
        del resident[stale]
    for array in _device_arrays(dataset):
        if id(array) not in resident:
            resident[id(array)] = array, jnp.asarray(array)
    train_images, train_labels, test_images, test_labels = (
        resident[id(array)][1] for array in _device_arrays(dataset)
    )
    examples = np.arange(len(dataset.train.labels)) if run.subset is None else run.subset
    hparams = {name: jnp.asarray(value, float) for name, value in run.hparams.items()}
    seed = run.init_seed if run.order_seed is None else run.order_seed
    shuffle_key, noise_key = order_keys(seed)
    return Task(
        run=run,
        dataset=dataset,
        train=(train_images, train_labels),
        test=(test_images, test_labels),
        examples=jnp.asarray(examples, jnp.int32),
        hparams=hparams,
        shuffle_key=shuffle_key,
        start=program.start(jax.random.key(run.init_seed), noise_key, train_images[:1], hparams),
        max_epochs=max_epochs,
        steps_per_epoch=len(examples) // batch_size,
    )


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


def measure(program: Program, task: Task, num_runs: int) -> Started:
    """Compiles, then times a few steps and evaluation batches whose results are thrown away."""
    begin = time.perf_counter()
    _chunk(program, task, task.start, 1)
    _evaluate_split(program, task.start, task.train, _Pace(), max_batches=1)
    _evaluate_split(program, task.start, task.test, _Pace(), max_batches=1)
    compiled = time.perf_counter()
    steps = min(3, task.steps_per_epoch)
    _chunk(program, task, task.start, steps)
    stepped = time.perf_counter()
    sample = min(8, -(-len(task.train[1]) // evaluation_batch()))
    _evaluate_split(program, task.start, task.train, _Pace(), max_batches=sample)
    evaluated = time.perf_counter()
    batches = sum(-(-len(labels) // evaluation_batch()) for _, labels in (task.train, task.test))
    return Started(
        num_runs=num_runs,
        max_epochs=task.max_epochs,
        steps_per_epoch=task.steps_per_epoch,
        compile_seconds=compiled - begin,
        seconds_per_step=(stepped - compiled) / steps,
        seconds_per_evaluation=(evaluated - stepped) / sample * batches,
    )


def train(
    program: Program,
    task: Task,
    stop: StopRule | None,
    record: str,
    send: Callable[[Event], None],
    index: int,
    num_runs: int,
) -> Result:
    """Trains one run from its initial state to its end, whatever ends it."""
    begin = time.perf_counter()
    step_pace, evaluation_pace = _Pace(), _Pace()
    now = before = earlier = task.start
    stop_state = stop.init() if stop else None
    status, error, best, epoch = "max_epochs", None, None, 0
    history: list[Row] = []
    recorded: list[tuple[int, PerExample]] = []

    def report(loss: float, row: Row | None) -> None:
        send(
            Advanced(
                run=index,
                label=task.run.label,
                num_runs=num_runs,
                epoch=epoch,
                max_epochs=task.max_epochs,
                step=int(now.step),
                steps_per_epoch=task.steps_per_epoch,
                loss=loss,
                row=row,
            )
        )

    def evaluate(batch_loss: float | None) -> Row:
        seen = _evaluate_split(program, now, task.train, evaluation_pace)
        tested = _evaluate_split(program, now, task.test, evaluation_pace)
        row: Row = {
            "epoch": epoch,
            "step": int(now.step),
            "batch_loss": batch_loss,
            **metrics(task.dataset, seen, tested, np.asarray(task.examples)),
            "seconds": time.perf_counter() - begin,
        }
        history.append(row)
        if record == "last":
            recorded.clear()
        recorded.append((epoch, seen))
        if not math.isfinite(row["train_loss"]):
            raise _NotFiniteError(epoch, row["step"])
        report(row["train_loss"] if batch_loss is None else batch_loss, row)
        return row

    try:
        evaluate(None)
        for epoch in range(1, task.max_epochs + 1):
            total, taken = 0.0, 0
            while taken < task.steps_per_epoch:
                count = step_pace.next(task.steps_per_epoch - taken)
                earlier, before = before, now
                with step_pace.timed(count):
                    now, loss_sum, finite = _chunk(program, task, before, count)
                if not finite:
                    raise _NotFiniteError(epoch, int(now.step) - 1)
                total, taken = total + loss_sum, taken + count
                if taken < task.steps_per_epoch:
                    report(loss_sum / count, None)
            row = evaluate(total / taken)
            if stop is None:
                continue
            stop_state, decision = stop.update(stop_state, row)
            if decision.best:
                best = _checkpoint(epoch, now)
            if decision.status is not None:
                status = decision.status
                break
    except KeyboardInterrupt:
        status = "interrupted"
    except _NotFiniteError as bad:
        status, error = "diverged", str(bad)
        now = _last_sound(program, task, (earlier, before), bad.step)

    return Result(
        run=task.run,
        data=DataRecord.of(task.dataset),
        status=status,
        error=error,
        final=_checkpoint(epoch, now),
        initial=_checkpoint(0, task.start),
        best=best,
        history=history,
        record=_as_record(recorded, task.dataset),
        steps_per_epoch=task.steps_per_epoch,
    )


class _NotFiniteError(Exception):
    """The parameters after ``step`` optimizer steps give a loss that is not finite."""

    def __init__(self, epoch: int, step: int):
        super().__init__(
            f"the loss is not finite at epoch {epoch}, step {step + 1}; "
            + ("lower the learning rate" if step else "check the model and its initialization")
        )
        self.step = step


class _Pace:
    """How many units of work fit into a chunk, from the time the last one took."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def next(self, remaining: int) -> int:
        """The size of the next chunk, from 1 to ``remaining``."""
        if self._seconds is None:
            return 1
        return max(1, min(remaining, int(CHUNK_SECONDS / max(self._seconds, 1e-9))))

    @contextlib.contextmanager
    def timed(self, count: int) -> Iterator[None]:
        """Times a chunk of ``count`` units."""
        begin = time.perf_counter()
        yield
        self._seconds = (time.perf_counter() - begin) / count


def _chunk(
    program: Program, task: Task, start: TrainState, count: int
) -> tuple[TrainState, float, bool]:
    """``count`` steps within an epoch; waits for them."""
    train_state, loss_sum, finite = program.chunk(
        start, task.shuffle_key, *task.train, task.examples, task.hparams, count
    )
    return train_state, float(loss_sum), bool(finite)


def _evaluate_split(
    program: Program,
    train_state: TrainState,
    split: tuple[jax.Array, jax.Array],
    pace: _Pace,
    max_batches: int | None = None,
) -> PerExample:
    """Evaluates a split (or its first batches) in chunks."""
    num_examples = len(split[1])
    batches = max_batches or -(-num_examples // evaluation_batch())
    out, done = empty_outputs(num_examples), 0
    while done < batches:
        count = pace.next(batches - done)
        with pace.timed(count):
            out = program.evaluate(train_state.params, train_state.state, *split, out, done, count)
            jax.block_until_ready(out)
        done += count
    return PerExample(*(np.asarray(values)[:num_examples] for values in out))


def _last_sound(
    program: Program, task: Task, starts: tuple[TrainState, TrainState], bad_step: int
) -> TrainState:
    """The newest state whose loss was finite, replayed from a chunk's start.

    The loss of step ``bad_step`` (counted from 0) is not finite, so the state to go back to is the
    one that entered the step before it.
    """
    if bad_step == 0:
        return task.start
    sound = bad_step - 1
    start = next(state for state in reversed(starts) if int(state.step) <= sound)
    count = sound - int(start.step)
    return _chunk(program, task, start, count)[0] if count else start


def _checkpoint(epoch: int, train_state: TrainState) -> Checkpoint:
    return Checkpoint(epoch, *jax.device_get((train_state.params, train_state.state)))


def _as_record(recorded: list[tuple[int, PerExample]], dataset: Dataset) -> Record:
    shape = (len(recorded), len(dataset.train.labels))
    predicted_dtype = np.uint8 if dataset.num_classes <= 256 else np.int32
    return Record(
        np.array([epoch for epoch, _ in recorded], np.int32),
        np.array([seen.predicted for _, seen in recorded], predicted_dtype).reshape(shape),
        np.array([seen.margin for _, seen in recorded], np.float32).reshape(shape),
    )


def _device_arrays(dataset: Dataset) -> tuple[np.ndarray, ...]:
    """What a run needs on the device: train images and labels, test images and labels."""
    splits: tuple[Split, Split] = (dataset.train, dataset.test)
    return tuple(array for split in splits for array in (split.images, split.labels))
