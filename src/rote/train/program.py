"""The compiled functions that every run of a call shares."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike

from rote.core import Batch, Key, Model
from rote.train.evaluate import make_evaluate
from rote.train.step import Loss, TrainState, Transform, init_train_state, make_step

MakeOptimizer = Callable[..., optax.GradientTransformation]
"""Called with a run's ``hparams`` as keyword arguments (traced scalars)."""
_ORDER_STREAM = 1


class Program(NamedTuple):
    """Jitted functions; what differs between runs is an argument of each.

    Attributes:
      start: ``(init_key, noise_key, example, hparams) -> TrainState``.
      chunk: ``(train_state, shuffle_key, images, labels, examples, hparams, count)
        -> (train_state, loss_sum, finite)``: up to ``count`` steps of the current epoch, ending
        early after the first whose loss is not finite.
      evaluate: see ``make_evaluate``.
    """

    start: Callable[..., TrainState]
    chunk: Callable[..., tuple[TrainState, jax.Array, jax.Array]]
    evaluate: Callable[..., tuple[jax.Array, jax.Array, jax.Array]]


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


@functools.lru_cache(maxsize=8)
def compile_program(
    model: Model,
    make_optimizer: MakeOptimizer,
    *,
    batch_size: int,
    transform: Transform,
    loss_fn: Loss,
    compute_dtype: DTypeLike | None,
) -> Program:
    """Closes the training and evaluation chunks over what all runs share.

    Kept for the last few combinations of arguments: the same call again compiles nothing.
    """

    def start(init_key, noise_key, example, hparams):
        params, state = model.init(init_key, transform(example, train=False))
        return init_train_state(params, state, make_optimizer(**hparams), noise_key)

    def chunk(train_state, shuffle_key, images, labels, examples, hparams, count):
        step = make_step(
            model,
            make_optimizer(**hparams),
            loss_fn,
            transform=transform,
            compute_dtype=compute_dtype,
        )
        epoch, first = jnp.divmod(train_state.step, len(examples) // batch_size)
        order = examples[epoch_order(shuffle_key, epoch, len(examples))]

        def more(carry):
            _, _, finite, taken = carry
            return finite & (taken < count)

        def one_step(carry):
            train_state, loss_sum, _, taken = carry
            rows = lax.dynamic_slice(order, ((first + taken) * batch_size,), (batch_size,))
            train_state, loss = step(train_state, Batch(images[rows], labels[rows]))
            return train_state, loss_sum + loss, jnp.isfinite(loss), taken + 1

        zero = jnp.zeros((), jax.dtypes.canonicalize_dtype(float))
        carry = (train_state, zero, jnp.array(True), jnp.zeros((), jnp.int32))
        train_state, loss_sum, finite, _ = lax.while_loop(more, one_step, carry)
        return train_state, loss_sum, finite

    evaluate = make_evaluate(model, loss_fn, transform, compute_dtype)
    return Program(jax.jit(start), jax.jit(chunk), jax.jit(evaluate))
