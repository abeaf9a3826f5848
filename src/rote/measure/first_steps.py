"""The first steps of a training one by one, for what wants to look at each."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote.core import Batch, Dataset, InputError, Model
from rote.train import TrainState, epoch_order, init_train_state, order_keys
from rote.train.step import Transform


def start(
    model: Model,
    optimizer: optax.GradientTransformation,
    dataset: Dataset,
    *,
    seed: int,
    transform: Transform,
) -> TrainState:
    """The state that ``rote.fit`` begins with for this seed.

    Args:
      model: the network.
      optimizer: any optax transformation.
      dataset: for the shape of its images.
      seed: of initialization, and of what is random in a step.
      transform: from stored images to the net's input.
    """
    params, state = model.init(jax.random.key(seed), net_input(dataset, transform))
    return init_train_state(params, state, optimizer, order_keys(seed)[1])


def net_input(dataset: Dataset, transform: Transform) -> jax.ShapeDtypeStruct:
    """Shape and dtype of what a net gets of one image."""
    images = dataset.train.images
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    return jax.eval_shape(lambda x: transform(x, train=False), one)


def batches(dataset: Dataset, *, seed: int, batch_size: int, steps: int) -> Iterator[Batch]:
    """The first mini-batches that ``rote.fit`` trains on for this seed.

    Args:
      dataset: its training split is what they are taken from.
      seed: of the order.
      batch_size: examples in each.
      steps: how many; over as many epochs as it takes.

    Raises:
      InputError: if the batch size cannot be used.
    """
    train = dataset.train
    count = len(train.labels)
    if not 1 <= batch_size <= count:
        raise InputError(f"batch_size: {batch_size} of {count:,} examples; expected 1 to {count:,}")
    per_epoch = count // batch_size
    shuffle_key, _ = order_keys(seed)
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            order = np.asarray(epoch_order(shuffle_key, epoch, count))
        rows = order[place * batch_size : (place + 1) * batch_size]
        yield Batch(jnp.asarray(train.images[rows]), jnp.asarray(train.labels[rows]))
