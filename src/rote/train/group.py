"""Runs of one architecture: what the caller says of them, checked, and what follows from it."""

import dataclasses
import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from rote.core import Batch, Dataset, InputError, Model
from rote.train.events import Event
from rote.train.loop import Call
from rote.train.manifest import Manifest, make_manifest
from rote.train.moment import Settings, plain_keys
from rote.train.placement import Execution, choose_placement
from rote.train.program import MakeOptimizer, compile_program, order_keys
from rote.train.result import Run
from rote.train.step import (
    Loss,
    Objective,
    Transform,
    cross_entropy,
    init_train_state,
    make_step,
    mean_loss,
)
from rote.train.stop import StopRule
from rote.train.trees import shapes_of

COMPUTE_DTYPES = ("bfloat16", "float16", "float32", "float64")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Runs of one architecture, for ``fit_groups``; see ``fit_runs`` for the attributes."""

    model: Model
    make_optimizer: MakeOptimizer
    dataset: Dataset
    runs: Sequence[Run]
    batch_size: int
    max_epochs: int
    transform: Transform
    loss_fn: Loss = cross_entropy
    objective: Objective = mean_loss
    stop: StopRule | None = None
    compute_dtype: str | None = None
    micro_batches: int = 1
    record: Literal["all", "last"] = "all"


def prepare(group: Group, execution: Execution, send: Callable[[Event], None]) -> Call:
    """The call that trains a group.

    Raises:
      InputError: if something in the group cannot be used.
    """
    _check(group)
    placement = choose_placement(
        execution,
        len(group.runs),
        group.batch_size // group.micro_batches,
        has_convolutions=_has_convolutions(group),
    )
    program = compile_program(
        group.model,
        group.make_optimizer,
        placement=placement,
        batch_size=group.batch_size,
        transform=group.transform,
        loss_fn=group.loss_fn,
        objective=group.objective,
        compute_dtype=group.compute_dtype,
        micro_batches=group.micro_batches,
    )
    num_examples = _num_examples(group.runs[0], len(group.dataset.train.labels))
    settings = Settings(
        group.batch_size,
        group.max_epochs,
        num_examples // group.batch_size,
        group.stop,
        group.record,
    )
    state = _state_shapes(group)
    return Call(program, placement, settings, execution, group.runs, group.dataset, state, send)


def manifest_of(group: Group, call: Call) -> Manifest:
    """What the checkpoints of a group's call belong to."""
    return make_manifest(
        group.runs,
        group.dataset,
        call.settings,
        {"compute_dtype": group.compute_dtype, "micro_batches": group.micro_batches},
        _digest_of_program(group),
        shapes_of(call.state),
        call.placement.describe(len(group.runs)),
    )


def _check(group: Group) -> None:
    if not group.runs:
        raise InputError("fit_runs: an empty list of runs; give at least one Run")
    for run in group.runs:
        if not isinstance(run, Run):
            raise InputError(f"runs: {run!r}; expected rote.Run(init_seed, ...)")
        for seed in filter(None, (run.init_seed, run.order_seed)):
            if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
                raise InputError(f"seed: {seed!r}; expected an integer from 0 to 2^32 - 1")
    for name in ("max_epochs", "batch_size", "micro_batches"):
        value = getattr(group, name)
        if not isinstance(value, int | np.integer):
            raise InputError(f"{name}: {value!r}; expected an integer")
        if value < 1:
            raise InputError(f"{name}: {value}; expected at least 1")
    if group.record not in ("all", "last"):
        raise InputError(f"record: {group.record!r}; expected 'all' or 'last'")
    if group.compute_dtype is not None and str(group.compute_dtype) not in COMPUTE_DTYPES:
        raise InputError(
            f"compute_dtype: {group.compute_dtype!r}; expected one of {', '.join(COMPUTE_DTYPES)}"
        )
    if group.compute_dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise InputError(
            'compute_dtype: float64 without 64-bit types; set jax.config.update("jax_enable_x64", '
            "True) first"
        )
    if group.stop is not None and not isinstance(group.stop, StopRule):
        raise InputError(
            f"stop: {group.stop!r}; expected a rule such as rote.accuracy_reached(1.0)"
        )
    names = {tuple(sorted(run.hparams)) for run in group.runs}
    if len(names) > 1:
        raise InputError(
            f"runs have different hparams: {' and '.join(map(str, sorted(names)))}; "
            "give every run of a call the same names"
        )
    signature = inspect.signature(group.make_optimizer)
    try:
        signature.bind(**group.runs[0].hparams)
    except TypeError as error:
        raise InputError(
            f"make_optimizer{signature} cannot take the runs' hparams {names.pop()}: {error}"
        ) from None
    total = len(group.dataset.train.labels)
    sizes = {_num_examples(run, total) for run in group.runs}
    if len(sizes) > 1:
        raise InputError(
            f"runs train on different numbers of examples: {sorted(sizes)}; "
            "give every run of a call equally many"
        )
    if not 1 <= group.batch_size <= min(sizes):
        raise InputError(
            f"batch_size: {group.batch_size}; expected 1 to {min(sizes)}, the number of training "
            "examples"
        )
    logits = jax.eval_shape(lambda x: _logits(group, x), _example(group))
    if logits.shape != (1, group.dataset.num_classes):
        raise InputError(
            f"the model gives outputs of shape {logits.shape} for one image; expected "
            f"(1, {group.dataset.num_classes}): logits for the classes of {group.dataset.name!r}"
        )
    micro_batches, batch_size = group.micro_batches, group.batch_size
    if not 1 <= micro_batches <= batch_size or batch_size % micro_batches:
        raise InputError(f"micro_batches: {micro_batches}; expected a divisor of {batch_size}")


def _logits(group: Group, images: jax.Array) -> jax.Array:
    x = group.transform(images, train=False)
    params, state = group.model.init(jax.random.key(0), x)
    return group.model.apply(params, state, x, train=False)[0]


def _has_convolutions(group: Group) -> bool:
    jaxpr = jax.make_jaxpr(lambda x: _logits(group, x))(_example(group))
    return "conv_general_dilated" in str(jaxpr)


def _state_shapes(group: Group) -> Any:
    """Shapes and dtypes of a run's ``TrainState``, its key as plain numbers."""

    def start(images):
        key, x = jax.random.key(0), group.transform(images, train=False)
        params, state = group.model.init(key, x)
        hparams = {name: jnp.asarray(value, float) for name, value in group.runs[0].hparams.items()}
        optimizer = group.make_optimizer(**hparams)
        return plain_keys(init_train_state(params, state, optimizer, order_keys(0)[1]))

    return jax.eval_shape(start, _example(group))


def _digest_of_program(group: Group) -> str:
    """Eight hex digits that follow from what starting a run and a step of it compute."""

    def start_and_step(images, labels, hparams):
        x = group.transform(images[:1], train=False)
        optimizer = group.make_optimizer(**hparams)
        _, key = order_keys(0)
        state = init_train_state(*group.model.init(key, x), optimizer, key)
        step = make_step(
            group.model,
            optimizer,
            group.loss_fn,
            transform=group.transform,
            objective=group.objective,
        )
        return step(state, Batch(images, labels))

    example = _example(group)
    size = group.batch_size
    images = jax.ShapeDtypeStruct((size, *example.shape[1:]), example.dtype)
    labels = jax.ShapeDtypeStruct((size,), jnp.int32)
    numbers = dict.fromkeys(group.runs[0].hparams, jax.ShapeDtypeStruct((), jnp.result_type(float)))
    with jax.debug_key_reuse(False):  # the same key for all that is only traced
        program = jax.make_jaxpr(start_and_step)(images, labels, numbers)
    digest = hashlib.sha256(re.sub("0x[0-9a-f]+", "", str(program.jaxpr)).encode())
    for constant in program.consts:
        if not jnp.issubdtype(constant.dtype, jax.dtypes.prng_key):
            digest.update(np.ascontiguousarray(constant).data)
    return digest.hexdigest()[:8]


def _example(group: Group) -> jax.ShapeDtypeStruct:
    images = group.dataset.train.images
    return jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)


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
