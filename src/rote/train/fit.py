"""The two ways to train: one network, or a list of runs of one architecture."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote.core import Dataset, InputError, Model
from rote.train.checkpoint import Store
from rote.train.events import Event
from rote.train.loop import Call, Session
from rote.train.manifest import make_manifest
from rote.train.moment import Settings, plain_keys
from rote.train.placement import Execution, choose_placement
from rote.train.program import MakeOptimizer, compile_program, order_keys
from rote.train.result import DivergedError, Result, Run
from rote.train.step import Loss, Transform, cross_entropy, init_train_state
from rote.train.stop import StopRule
from rote.train.trees import shapes_of

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
      TrainingInterrupted: on Ctrl-C; its ``results`` hold every run that ended, and the one that
        was cut short with status ``"interrupted"``.
    """
    _check(model, dataset, runs, batch_size, max_epochs, transform, record, compute_dtype, stop)
    if not 1 <= micro_batches <= batch_size or batch_size % micro_batches:
        raise InputError(f"micro_batches: {micro_batches}; expected a divisor of {batch_size}")
    execution = execution or Execution()
    placement = choose_placement(
        execution,
        len(runs),
        batch_size // micro_batches,
        has_convolutions=_has_convolutions(model, dataset, transform),
    )
    program = compile_program(
        model,
        make_optimizer,
        placement=placement,
        batch_size=batch_size,
        transform=transform,
        loss_fn=loss_fn,
        compute_dtype=compute_dtype,
        micro_batches=micro_batches,
    )
    num_examples = _num_examples(runs[0], len(dataset.train.labels))
    state = _state_shapes(model, make_optimizer, dataset, transform, runs[0])
    call = Call(
        program,
        placement,
        Settings(batch_size, max_epochs, num_examples // batch_size, stop, record),
        execution,
        runs,
        dataset,
        state,
        on_event or (lambda event: None),
    )
    if execution.checkpoints is None:
        return Session(call, None).run()
    manifest = make_manifest(
        runs,
        dataset,
        call.settings,
        {"compute_dtype": compute_dtype, "micro_batches": micro_batches},
        shapes_of(state),
        placement.describe(len(runs)),
    )
    with contextlib.closing(Store(execution.checkpoints, manifest)) as store:
        return Session(call, store).run()


def _state_shapes(
    model: Model, make_optimizer: MakeOptimizer, dataset: Dataset, transform: Transform, run: Run
) -> Any:
    """Shapes and dtypes of a run's ``TrainState``, its key as plain numbers."""

    def start(example):
        params, state = model.init(jax.random.key(0), transform(example, train=False))
        hparams = {name: jnp.asarray(value, float) for name, value in run.hparams.items()}
        return plain_keys(
            init_train_state(params, state, make_optimizer(**hparams), order_keys(0)[1])
        )

    return jax.eval_shape(start, _example(dataset))


def _example(dataset: Dataset) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *dataset.image_shape), dataset.train.images.dtype)


def _has_convolutions(model: Model, dataset: Dataset, transform: Transform) -> bool:
    jaxpr = jax.make_jaxpr(lambda x: _logits(model, transform(x, train=False)))(_example(dataset))
    return "conv_general_dilated" in str(jaxpr)


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
    names = {tuple(sorted(run.hparams)) for run in runs}
    if len(names) > 1:
        raise InputError(
            f"runs have different hparams: {' and '.join(map(str, sorted(names)))}; "
            "give every run of a call the same names"
        )
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
    logits = jax.eval_shape(lambda x: _logits(model, transform(x, train=False)), _example(dataset))
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
