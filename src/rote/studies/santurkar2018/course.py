"""A training that is looked at as it goes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from rote.core import Batch, Dataset, Model, Params
from rote.train import (
    TrainState,
    cross_entropy,
    epoch_order,
    init_train_state,
    make_forward,
    make_step,
    order_keys,
)
from rote.transforms import Transform

BatchLoss = Callable[[Params], jax.Array]
"""From parameters to the mean loss of one mini-batch in training mode, all else fixed."""
Measure = Callable[[BatchLoss, Params], Any]
"""What is looked at: from such a loss and the parameters to any arrays; it is jitted."""


class Look(NamedTuple):
    """What was seen of a training before one of its steps.

    Attributes:
      step: how many steps were taken until then.
      found: what the measure gave, on the host; ``None`` after the last step.
      train_state: parameters, state and the rest at that time.
    """

    step: int
    found: Any
    train_state: TrainState


def looks_along(
    model: Model,
    optimizer: optax.GradientTransformation,
    dataset: Dataset,
    measure: Measure,
    *,
    seed: int,
    batch_size: int,
    steps: int,
    every: int,
    transform: Transform,
) -> Iterator[Look]:
    """Trains a net, and measures on the mini-batch of every so many steps before it is taken.

    Initialization and data order are those of ``rote.fit`` with this seed. Dropout and noise of a
    look are fixed: whatever the parameters, they are the same draws.

    Args:
      model: the network; its output must be logits.
      optimizer: any optax transformation.
      dataset: whose training images are trained on.
      measure: see ``Measure``.
      seed: of initialization, data order and noise.
      batch_size: examples per step, at most as many as there are.
      steps: in all.
      every: from one look to the next, the first before the first step.
      transform: from stored images to the net's input.

    Yields:
      The looks in their order, and at the end what is reached after the last step.
    """
    step = jax.jit(make_step(model, optimizer, transform=transform))
    forward = make_forward(model, transform)

    @jax.jit
    def look(train_state: TrainState, batch: Batch) -> Any:
        key = jax.random.fold_in(train_state.key, train_state.step)

        def loss(params: Params) -> jax.Array:
            same = jax.random.clone(key)  # the same draws at every point, on purpose
            logits, _ = forward(params, train_state.state, batch.images, train=True, key=same)
            return cross_entropy(logits, batch.labels).mean()

        return measure(loss, train_state.params)

    example = jax.eval_shape(lambda x: transform(x, train=False), dataset.train.images[:1])
    shuffle_key, noise_key = order_keys(seed)
    params, state = jax.jit(model.init)(jax.random.key(seed), example)
    train_state = init_train_state(params, state, optimizer, noise_key)
    count = len(dataset.train.labels)
    for taken in range(steps):
        epoch, place = divmod(taken, count // batch_size)
        if place == 0:
            order = np.asarray(epoch_order(shuffle_key, epoch, count))
        rows = order[place * batch_size : (place + 1) * batch_size]
        batch = Batch(dataset.train.images[rows], dataset.train.labels[rows])
        if taken % every == 0:
            yield Look(taken, jax.device_get(look(train_state, batch)), train_state)
        train_state, _ = step(train_state, batch)
    yield Look(steps, None, train_state)
