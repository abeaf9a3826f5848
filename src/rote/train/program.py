"""The compiled functions that the runs of a call share.

Each is written for one run and mapped over many (see ``rote.train.placement``): its first argument
is what belongs to the run, with a leading run axis outside; its second what all runs share.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import PartitionSpec as P
from jax.typing import DTypeLike

from rote.core import Batch, Key, Model
from rote.losses import margin
from rote.train.placement import BATCH, RUN, Placement
from rote.train.step import (
    Loss,
    Objective,
    TrainState,
    Transform,
    init_train_state,
    make_forward,
    make_step,
)

MakeOptimizer = Callable[..., optax.GradientTransformation]
"""Called with a run's ``hparams`` as keyword arguments (traced scalars)."""
_ORDER_STREAM = 1


class PerExample(NamedTuple):
    """What evaluation says of each example: arrays ``[N]``."""

    loss: Any
    predicted: Any
    margin: Any


class Gathered(NamedTuple):
    """The mini-batches of an epoch as rows of images that are on the device.

    Attributes:
      source: int32 scalar, which of the image arrays ``[U, N, H, W, C]`` the run uses.
      labels: ``[N]`` int32.
      order: ``[n]`` int32, the epoch's order of the examples.
    """

    source: jax.Array
    labels: jax.Array
    order: jax.Array

    def batch(self, images: jax.Array, step: jax.Array, batch_size: int) -> Batch:
        """The mini-batch of a step of the epoch."""
        rows = lax.dynamic_slice(self.order, (step * batch_size,), (batch_size,))
        return Batch(take(images, self.source, rows), self.labels[rows])


class Staged(NamedTuple):
    """The next mini-batches of an epoch themselves, copied to the device for one chunk.

    Attributes:
      images: ``[T, B, H, W, C]``.
      labels: ``[T, B]`` int32.
      first: int32 scalar, the step of the epoch that ``images[0]`` belongs to.
    """

    images: jax.Array
    labels: jax.Array
    first: jax.Array

    def batch(self, images: None, step: jax.Array, batch_size: int) -> Batch:
        """The mini-batch of a step of the epoch."""
        return Batch(self.images[step - self.first], self.labels[step - self.first])


class Program(NamedTuple):
    """Jitted functions ``(of the runs, shared) -> of the runs``.

    Attributes:
      start: ``((init_key, noise_key, hparams), example) -> TrainState``.
      order: ``((shuffle_key, examples), epoch) -> [n]`` int32, the epoch's order of the examples.
      chunk: ``((train_state, loss_sum, batches, hparams, active), (images, first, count)) ->
        (train_state, loss_sum, finite)``: ``count`` steps of an epoch from its step ``first`` on;
        ``loss_sum`` goes on from what it was, and ``finite`` is the number of steps before the
        first whose loss is not. ``batches`` is ``Gathered`` or ``Staged``.
      evaluate: ``((params, state, source, labels, out, active), (images, first, count)) -> out``:
        ``count`` batches from batch ``first`` on. The last is filled up with repeated examples; in
        eval mode an example's output does not depend on its batch mates, and what they give is cut
        off by the caller.
    """

    start: Callable[..., TrainState]
    order: Callable[..., jax.Array]
    chunk: jax.stages.Wrapped
    evaluate: Callable[..., PerExample]


def order_keys(order_seed: int) -> tuple[Key, Key]:
    """The key of the data order and the key of dropout and augmentation."""
    shuffle_key, noise_key = jax.random.split(
        jax.random.fold_in(jax.random.key(order_seed), _ORDER_STREAM)
    )
    return shuffle_key, noise_key


def epoch_order(shuffle_key: Key, epoch: jax.Array | int, num_examples: int) -> jax.Array:
    """The order of the training examples in an epoch (counted from 0), ``[num_examples]`` int32.

    A function of the run's order seed and the epoch alone, so a resumed run sees the same order.
    """
    return jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), num_examples)


def evaluation_batch() -> int:
    """Examples per evaluation batch: few on a CPU, where activations should stay in the cache."""
    return 64 if jax.default_backend() == "cpu" else 1024


def take(images: jax.Array, source: jax.Array, rows: jax.Array) -> jax.Array:
    """Rows of one of the image arrays ``[U, N, H, W, C]``."""
    return images[0, rows] if len(images) == 1 else images[source, rows]


def over_runs(function: Callable[..., Any], placement: Placement) -> jax.stages.Wrapped:
    """``function(of_the_run, shared)`` over a leading run axis, jitted."""

    def local(of_the_runs, shared):
        if placement.mode == "map":
            return lax.map(lambda of_the_run: function(of_the_run, shared), of_the_runs)
        return jax.vmap(function, (0, None))(of_the_runs, shared)

    # Unchecked, because a model may hold loops whose carry starts as a constant.
    mapped = jax.shard_map(
        local,
        mesh=placement.mesh,
        in_specs=(P(RUN), P()),
        out_specs=P(RUN),
        axis_names={RUN},
        check_vma=False,
    )
    return jax.jit(mapped)


@functools.lru_cache(maxsize=64)
def compile_program(
    model: Model,
    make_optimizer: MakeOptimizer,
    *,
    placement: Placement,
    batch_size: int,
    transform: Transform,
    loss_fn: Loss,
    objective: Objective,
    compute_dtype: DTypeLike | None,
    micro_batches: int,
) -> Program:
    """Closes the mapped functions over what all runs share.

    Kept for the last few combinations of arguments: the same call again compiles nothing.
    """
    forward = make_forward(model, transform, compute_dtype)
    evaluation_size = evaluation_batch()

    def split(batch):
        """Each device along the mesh's batch axis takes its part; none, where there is one."""
        if placement.batch_devices == 1:
            return batch
        return lax.with_sharding_constraint(batch, placement.sharding(BATCH))

    def steps_of(active, count):
        """Mapped one after another, a run that has ended takes no step; together, it is ignored."""
        return jnp.where(active, count, 0) if placement.mode == "map" else count

    def start(of_the_run, example):
        init_key, noise_key, hparams = of_the_run
        params, state = model.init(init_key, transform(example, train=False))
        return init_train_state(params, state, make_optimizer(**hparams), noise_key)

    def order(of_the_run, epoch):
        shuffle_key, examples = of_the_run
        return examples[epoch_order(shuffle_key, epoch, len(examples))]

    def chunk(of_the_run, shared):
        train_state, loss_sum, batches, hparams, active = of_the_run
        images, first, count = shared
        step = make_step(
            model,
            make_optimizer(**hparams),
            loss_fn,
            transform=transform,
            objective=objective,
            compute_dtype=compute_dtype,
            micro_batches=micro_batches,
        )
        count = jnp.asarray(steps_of(active, count), jnp.int32)

        def one_step(carry):
            train_state, loss_sum, finite, taken = carry
            batch = split(batches.batch(images, first + taken, batch_size))
            train_state, loss = step(train_state, batch)
            finite = jnp.where(jnp.isfinite(loss), finite, jnp.minimum(finite, taken))
            return train_state, loss_sum + loss.astype(loss_sum.dtype), finite, taken + 1

        none = jnp.zeros((), jnp.int32)
        carry = (train_state, loss_sum, count, none)
        return lax.while_loop(lambda carry: carry[-1] < count, one_step, carry)[:-1]

    def evaluate(of_the_run, shared):
        params, state, source, labels, out, active = of_the_run
        images, first, count = shared

        def one_batch(index, out):
            begin = index * evaluation_size
            rows = jnp.minimum(begin + jnp.arange(evaluation_size), images.shape[1] - 1)
            batch = split(Batch(take(images, source, rows), labels[rows]))
            logits, _ = forward(params, state, batch.images, train=False)
            values = PerExample(
                loss_fn(logits, batch.labels).astype(jnp.float32),
                jnp.argmax(logits, -1).astype(jnp.int32),
                margin(logits, batch.labels).astype(jnp.float32),
            )
            return jax.tree.map(
                lambda old, new: lax.dynamic_update_slice(old, new, (begin,)), out, values
            )

        return lax.fori_loop(first, first + steps_of(active, count), one_batch, out)

    return Program(*(over_runs(f, placement) for f in (start, order, chunk, evaluate)))
