"""The ways to train: one network, runs of one architecture, groups of such runs."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import optax

from rote.core import Dataset, InputError, Model
from rote.train.checkpoint import Store
from rote.train.events import Event, Resumed, Started, renumbered
from rote.train.group import Group, manifest_of, prepare
from rote.train.loop import Session
from rote.train.placement import Execution
from rote.train.program import MakeOptimizer
from rote.train.result import DivergedError, Result, Run, TrainingInterrupted
from rote.train.step import Loss, Objective, Transform, cross_entropy, mean_loss
from rote.train.stop import StopRule


def fit(
    model: Model,
    optimizer: optax.GradientTransformation,
    dataset: Dataset,
    *,
    seed: int,
    batch_size: int,
    max_epochs: int,
    transform: Transform,
    loss_fn: Loss = cross_entropy,
    objective: Objective = mean_loss,
    stop: StopRule | None = None,
    compute_dtype: str | None = None,
    micro_batches: int = 1,
    record: Literal["all", "last"] = "all",
    on_event: Callable[[Event], None] | None = None,
    execution: Execution | None = None,
) -> Result:
    """Trains one network: ``fit_runs`` with one run.

    Args:
      model: the network; its output must be logits ``[B, num_classes]``.
      optimizer: any optax transformation.
      dataset: what to train and test on.
      seed: seed of initialization, data order, dropout and augmentation.
      batch_size: examples per step, at most the number of training examples.
      max_epochs: epochs after which the run ends in any case. An epoch visits the training
        examples in a new order and drops the remainder that does not fill a batch.
      transform: from stored images to the net's input, such as ``rote.transforms.unit_scale()``.
      loss_fn: per-example loss of ``(logits, labels)``.
      objective: what a step descends; by default the mean loss of its mini-batch, else for example
        ``rote.train.adversarial(...)``. Evaluation is on the images as they are.
      stop: when to end earlier, such as ``rote.accuracy_reached(1.0)``.
      compute_dtype: dtype of the computation inside the net, one of ``COMPUTE_DTYPES``; losses,
        statistics and metrics stay in float32 or wider.
      micro_batches: how many equal parts a batch is computed in; see ``make_step``.
      record: keep the per-example record of every epoch, or of the last one only.
      on_event: called with what happens, as it happens; see ``rote.train.events``.
      execution: on what hardware and with which checkpoints; where these are, the same call
        continues a training that was interrupted.

    Returns:
      The result, with the history of full evaluations and the per-example record.

    Raises:
      InputError: if an argument cannot be used.
      DivergedError: if the loss stops being finite; its ``result`` keeps the last good parameters
        and the history.
      TrainingInterrupted: on Ctrl-C; its ``results`` keep what there is.
    """
    (result,) = fit_runs(
        model,
        _Given(optimizer),
        dataset,
        [Run(init_seed=seed)],
        batch_size=batch_size,
        max_epochs=max_epochs,
        transform=transform,
        loss_fn=loss_fn,
        objective=objective,
        stop=stop,
        compute_dtype=compute_dtype,
        micro_batches=micro_batches,
        record=record,
        on_event=on_event,
        execution=execution,
    )
    if result.status == "diverged":
        raise DivergedError(result)
    return result


def fit_runs(
    model: Model,
    make_optimizer: MakeOptimizer,
    dataset: Dataset,
    runs: Sequence[Run],
    *,
    batch_size: int,
    max_epochs: int,
    transform: Transform,
    loss_fn: Loss = cross_entropy,
    objective: Objective = mean_loss,
    stop: StopRule | None = None,
    compute_dtype: str | None = None,
    micro_batches: int = 1,
    record: Literal["all", "last"] = "all",
    on_event: Callable[[Event], None] | None = None,
    execution: Execution | None = None,
) -> list[Result]:
    """Trains one network per run, all of the same architecture.

    They go together through one compiled program, spread over the hardware by the rule of
    ``rote.train.placement``; each stops at its own epoch, and its result is the one it would have
    alone. A run whose loss stops being finite ends with status ``"diverged"``; the others go on.

    Args:
      model: the network.
      make_optimizer: called with a run's ``hparams`` as keywords, such as ``rote.optim.momentum``
        or a ``functools.partial`` of it.
      dataset: what runs train on that bring no data set of their own.
      runs: the runs; see ``Run``.
      batch_size: as in ``fit``.
      max_epochs: as in ``fit``.
      transform: as in ``fit``.
      loss_fn: as in ``fit``.
      objective: as in ``fit``.
      stop: as in ``fit``.
      compute_dtype: as in ``fit``.
      micro_batches: as in ``fit``.
      record: as in ``fit``.
      on_event: as in ``fit``.
      execution: as in ``fit``.

    Returns:
      One result per run, in the order of ``runs``.

    Raises:
      InputError: if an argument cannot be used.
      TrainingInterrupted: on Ctrl-C; its ``results`` hold every run that ended, then those that
        were cut short, with status ``"interrupted"``. What they had reached is saved first, where
        there are checkpoints.
      CheckpointError: if a checkpoint cannot be written; the last good one is kept.
    """
    group = Group(
        model=model,
        make_optimizer=make_optimizer,
        dataset=dataset,
        runs=runs,
        batch_size=batch_size,
        max_epochs=max_epochs,
        transform=transform,
        loss_fn=loss_fn,
        objective=objective,
        stop=stop,
        compute_dtype=compute_dtype,
        micro_batches=micro_batches,
        record=record,
    )
    (results,) = fit_groups([group], on_event=on_event, execution=execution)
    return results


def fit_groups(
    groups: Sequence[Group],
    *,
    on_event: Callable[[Event], None] | None = None,
    execution: Execution | None = None,
) -> list[list[Result]]:
    """Trains groups of runs, each of its own architecture, as one sweep.

    Every group is compiled, and what the whole will cost is told, before the first is trained; they
    are trained in turn. In events the runs are numbered through, in order.

    Args:
      groups: the groups.
      on_event: as in ``fit``.
      execution: as in ``fit``; of several groups each has a folder of its own under that of the
        checkpoints.

    Returns:
      For each group the results of its runs.

    Raises:
      InputError: if there is no group, or something in one cannot be used.
      TrainingInterrupted: as in ``fit_runs``, with the results of all groups.
    """
    if not groups:
        raise InputError("fit_groups: an empty list of groups; give at least one Group")
    send = on_event or (lambda event: None)
    execution = execution or Execution()
    results: list[list[Result]] = []
    if len(groups) == 1:
        with _session(groups[0], execution, send, announced=False) as session:
            return [session.run()]

    where = [_folder_of(execution, number) for number in range(len(groups))]
    first = [sum(len(group.runs) for group in groups[:number]) for number in range(len(groups))]
    for event in _announcements(groups, where, first):
        send(event)
    for group, place, offset in zip(groups, where, first, strict=True):
        with _session(group, place, _numbered(send, offset), announced=True) as session:
            try:
                results.append(session.run())
            except TrainingInterrupted as cut:
                before = [result for ended in results for result in ended]
                raise TrainingInterrupted([*before, *cut.results]) from None
    return results


@contextlib.contextmanager
def _session(
    group: Group, execution: Execution, send: Callable[[Event], None], *, announced: bool
) -> Iterator[Session]:
    call = prepare(group, execution, send)
    if execution.checkpoints is None:
        yield Session(call, None, announced)
        return
    with contextlib.closing(Store(execution.checkpoints, manifest_of(group, call))) as store:
        yield Session(call, store, announced)


def _numbered(send: Callable[[Event], None], first: int) -> Callable[[Event], None]:
    return lambda event: send(renumbered(event, first))


def _folder_of(execution: Execution, number: int) -> Execution:
    """With a group's own folder of checkpoints."""
    options = execution.checkpoints
    if options is None:
        return execution
    own = dataclasses.replace(options, folder=Path(options.folder) / f"group-{number:03d}")
    return dataclasses.replace(execution, checkpoints=own)


def _announcements(
    groups: Sequence[Group], where: Sequence[Execution], first: Sequence[int]
) -> list[Event]:
    """What the groups say before they are trained, as one sweep would."""
    told: list[Event] = []
    for group, place, offset in zip(groups, where, first, strict=True):
        note = _numbered(told.append, offset)
        with _session(group, place, note, announced=False) as session:
            session.announce()
    resumed = [event for event in told if isinstance(event, Resumed)]
    started = Started.of_groups([event for event in told if isinstance(event, Started)])
    if not resumed:
        return [started]
    together = Resumed(
        {run: result for event in resumed for run, result in event.finished.items()},
        {run: rows for event in resumed for run, rows in event.histories.items()},
        tuple(dict.fromkeys(note for event in resumed for note in event.notes)),
    )
    return [together, started]


@dataclasses.dataclass(frozen=True)
class _Given:
    """Makes the optimizer it was given; equal to another that does, so that nothing recompiles."""

    optimizer: optax.GradientTransformation

    def __call__(self) -> optax.GradientTransformation:
        return self.optimizer
