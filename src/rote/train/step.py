"""The one place where a network is trained: a pure step from state and batch to state."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike

from rote.core import Batch, Key, Model, Params, State

Loss = Callable[[jax.Array, jax.Array], jax.Array]
"""``(logits [B, K], labels [B]) -> loss [B]``, per example."""
Transform = Callable[..., jax.Array]
"""``(images, *, train, key=None) -> x``, from images as stored to the net's input; see
``rote.transforms``."""

Forward = Callable[..., tuple[jax.Array, State]]
"""``(params, state, images, *, train, key=None) -> (logits, state)``; see ``make_forward``."""
Objective = Callable[
    [Forward, Loss], Callable[[Params, State, Batch, Key], tuple[jax.Array, State]]
]
"""From a net and a per-example loss to what a step descends: ``(params, state, batch, key) ->
(loss, state)``, a scalar and the model's new state. ``mean_loss``, or ``adversarial``."""

cross_entropy: Loss = optax.softmax_cross_entropy_with_integer_labels


class TrainState(NamedTuple):
    """All that training changes.

    Attributes:
      params: the parameters.
      state: the model's state, such as running statistics.
      opt_state: the optimizer's state.
      step: int32 scalar, optimizer steps taken.
      key: the run's key; never changes. What is random in a step (dropout, augmentation) is drawn
        from ``key`` and ``step``, so a step repeated from the same state repeats its draws.
    """

    params: Params
    state: State
    opt_state: optax.OptState
    step: jax.Array
    key: Key


def init_train_state(
    params: Params, state: State, optimizer: optax.GradientTransformation, key: Key
) -> TrainState:
    """The state before the first step."""
    return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32), key)


def make_forward(
    model: Model, transform: Transform, compute_dtype: DTypeLike | None = None
) -> Forward:
    """From images as stored to logits: transform, cast, apply, cast back.

    Args:
      model: the network.
      transform: from stored images to the net's input.
      compute_dtype: dtype of parameters and inputs inside the net; ``None`` leaves them as they
        are. The logits come back in float32 or wider; the model's state keeps its own dtype.

    Returns:
      ``(params, state, images, *, train, key=None) -> (logits, state)``.
    """

    def forward(params, state, images, *, train, key=None):
        transform_key, model_key = (None, None) if key is None else jax.random.split(key)
        x = transform(images, train=train, key=transform_key)
        if compute_dtype is not None:
            x, params = jax.tree.map(lambda leaf: leaf.astype(compute_dtype), (x, params))
        logits, state = model.apply(params, state, x, train=train, key=model_key)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32)), state

    return forward


def mean_loss(
    forward: Forward, loss_fn: Loss
) -> Callable[[Params, State, Batch, Key], tuple[jax.Array, State]]:
    """The mean loss of a mini-batch in training mode: what training descends by default."""

    def objective(params, state, batch, key):
        logits, state = forward(params, state, batch.images, train=True, key=key)
        return loss_fn(logits, batch.labels).mean(), state

    return objective


def make_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    loss_fn: Loss = cross_entropy,
    *,
    transform: Transform,
    objective: Objective = mean_loss,
    compute_dtype: DTypeLike | None = None,
    micro_batches: int = 1,
) -> Callable[[TrainState, Batch], tuple[TrainState, jax.Array]]:
    """One optimizer step on the loss of a mini-batch, for ``jit``, ``scan`` and ``vmap``.

    Args:
      model: the network.
      optimizer: any optax transformation. One that takes extra arguments is given, under optax's
        names, the mini-batch loss as ``value`` (as ``optax.contrib.reduce_on_plateau`` needs it),
        its gradient as ``grad``, and as ``value_fn`` the loss of this mini-batch as a function of
        the params, with this step's draws: for a line search, or ``rote.optim.gradient_penalty``.
      loss_fn: per-example loss.
      transform: from stored images to the net's input; its augmentation acts here.
      objective: what is descended, the mean of the loss over the batch or, for example,
        ``rote.train.adversarial(...)``.
      compute_dtype: see ``make_forward``.
      micro_batches: how many equal parts the batch is computed in, one after another, to need less
        memory. The gradient is their mean. Batch statistics are those of each part, and the running
        ones move once for each, so with batch normalization this is another training.

    Returns:
      ``(train_state, batch) -> (train_state, loss)``; ``loss`` is that of the mini-batch before the
      update.
    """
    loss_of = objective(make_forward(model, transform, compute_dtype), loss_fn)
    loss_and_gradient = jax.value_and_grad(loss_of, has_aux=True)
    update = optax.with_extra_args_support(optimizer).update

    def accumulate(params, state, batch, key):
        """The mean loss and gradient of the parts, and the state after the last.

        A part takes the examples at a fixed distance, so that it has a share of each device's.
        """
        parts = jax.tree.map(
            lambda x: x.reshape(-1, micro_batches, *x.shape[1:]).swapaxes(0, 1), batch
        )

        def add(carry, part):
            state, total = carry
            (loss, state), gradient = loss_and_gradient(params, state, *part)
            return (state, jax.tree.map(jnp.add, total, (loss, gradient))), None

        zeros = jax.tree.map(jnp.zeros_like, (jnp.zeros(()), params))
        keys = jax.random.split(key, micro_batches)
        (state, total), _ = lax.scan(add, (state, zeros), (parts, keys))
        loss, gradient = jax.tree.map(lambda x: x / micro_batches, total)
        return (loss, state), gradient

    def step(train_state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        params, state, opt_state, count, key = train_state
        compute = loss_and_gradient if micro_batches == 1 else accumulate
        step_key = jax.random.fold_in(key, count)
        (loss, after), gradient = compute(params, state, batch, step_key)

        def value_fn(params: Params) -> jax.Array:
            same = jax.random.clone(step_key)  # the same draws, on purpose
            if micro_batches == 1:
                return loss_of(params, state, batch, same)[0]
            return accumulate(params, state, batch, same)[0][0]

        updates, opt_state = update(
            gradient, opt_state, params, value=loss, grad=gradient, value_fn=value_fn
        )
        params = optax.apply_updates(params, updates)
        return TrainState(params, after, opt_state, count + 1, key), loss

    return step
