"""The two ways to train: one network, or a list of runs of one architecture."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import numpy as np
import optax

from rote.core import Dataset, InputError, Model
from rote.train.events import Event, Finished
from rote.train.loop import Resident, measure, prepare, train
from rote.train.program import MakeOptimizer, compile_program
from rote.train.result import DivergedError, Result, Run, TrainingInterrupted
from rote.train.step import Loss, Transform, cross_entropy
from rote.train.stop import StopRule

COMPUTE_DTYPES = ("bfloat16", "float16", "float32", "float64")


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
    stop: StopRule | None = None,
    compute_dtype: str | None = None,
    record: Literal["all", "last"] = "all",
    on_event: Callable[[Event], None] | None = None,
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
      stop: when to end earlier, such as ``rote.accuracy_reached(1.0)``.
      compute_dtype: dtype of the computation inside the net, one of ``COMPUTE_DTYPES``; losses,
        statistics and metrics stay in float32 or wider.
      record: keep the per-example record of every epoch, or of the last one only.
      on_event: called with what happens, as it happens; see ``rote.train.events``.

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
        stop=stop,
        compute_dtype=compute_dtype,
        record=record,
        on_event=on_event,
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
    stop: StopRule | None = None,
    compute_dtype: str | None = None,
    record: Literal["all", "last"] = "all",
    on_event: Callable[[Event], None] | None = None,
) -> list[Result]:
    """Trains one network per run, all of the same architecture.

    The runs go one after another through the same compiled program. A run whose loss stops being
    finite ends with status ``"diverged"``; the others go on.

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
      stop: as in ``fit``.
      compute_dtype: as in ``fit``.
      record: as in ``fit``.
      on_event: as in ``fit``.

    Returns:
      One result per run, in the order of ``runs``.

    Raises:
      InputError: if an argument cannot be used.
      TrainingInterrupted: on Ctrl-C; its ``results`` hold every run that ended, and the one that
        was cut short with status ``"interrupted"``.
    """
    _check(model, dataset, runs, batch_size, max_epochs, transform, record, compute_dtype, stop)
    program = compile_program(
        model,
        make_optimizer,
        batch_size=batch_size,
        transform=transform,
        loss_fn=loss_fn,
        compute_dtype=compute_dtype,
    )
    send = on_event or (lambda event: None)
    resident: Resident = {}
    results: list[Result] = []
    try:
        for index, run in enumerate(runs):
            task = prepare(program, run, dataset, batch_size, max_epochs, resident)
            if index == 0:
                send(measure(program, task, len(runs)))
            results.append(train(program, task, stop, record, send, index, len(runs)))
            send(Finished(index, run.label, results[-1]))
            if results[-1].status == "interrupted":
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise TrainingInterrupted(results) from None
    return results


@dataclasses.dataclass(frozen=True)
class _Given:
    """Makes the optimizer it was given; equal to another that does, so that nothing recompiles."""

    optimizer: optax.GradientTransformation

    def __call__(self) -> optax.GradientTransformation:
        return self.optimizer


def _check(
    model: Model,
    dataset: Dataset,
    runs: Sequence[Run],
    batch_size: int,
    max_epochs: int,
    transform: Transform,
    record: str,
    compute_dtype: str | None,
    stop: StopRule | None,
) -> None:
    if not runs:
        raise InputError("fit_runs: an empty list of runs; give at least one Run")
    if max_epochs < 1:
        raise InputError(f"max_epochs: {max_epochs}; expected at least 1")
    if record not in ("all", "last"):
        raise InputError(f"record: {record!r}; expected 'all' or 'last'")
    if compute_dtype is not None and str(compute_dtype) not in COMPUTE_DTYPES:
        raise InputError(
            f"compute_dtype: {compute_dtype!r}; expected one of {', '.join(COMPUTE_DTYPES)}"
        )
    if compute_dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise InputError(
            'compute_dtype: float64 without 64-bit types; set jax.config.update("jax_enable_x64", '
            "True) first"
        )
    if stop is not None and not isinstance(stop, StopRule):
        raise InputError(f"stop: {stop!r}; expected a rule such as rote.accuracy_reached(1.0)")
    total = len(dataset.train.labels)
    sizes = {_num_examples(run, total) for run in runs}
    if len(sizes) > 1:
        raise InputError(
            f"runs train on different numbers of examples: {sorted(sizes)}; "
            "give every run of a call equally many"
        )
    if not 1 <= batch_size <= min(sizes):
        raise InputError(
            f"batch_size: {batch_size}; expected 1 to {min(sizes)}, the number of training examples"
        )
    example = jax.ShapeDtypeStruct((1, *dataset.image_shape), dataset.train.images.dtype)
    logits = jax.eval_shape(lambda x: _logits(model, transform(x, train=False)), example)
    if logits.shape != (1, dataset.num_classes):
        raise InputError(
            f"the model gives outputs of shape {logits.shape} for one image; expected "
            f"(1, {dataset.num_classes}): logits for the classes of {dataset.name!r}"
        )


def _logits(model: Model, x: jax.Array) -> jax.Array:
    params, state = model.init(jax.random.key(0), x)
    return model.apply(params, state, x, train=False)[0]


def _num_examples(run: Run, total: int) -> int:
    if run.subset is None:
        return total
    subset = np.asarray(run.subset)
    if subset.ndim != 1 or subset.dtype.kind not in "iu" or len(set(subset)) != len(subset):
        raise InputError(f"run {run.label!r}: subset must be a list of different indices")
    if len(subset) and (subset.min() < 0 or subset.max() >= total):
        raise InputError(
            f"run {run.label!r}: subset indices {subset.min()}..{subset.max()}; "
            f"expected 0..{total - 1}"
        )
    return len(subset)
