"""Training while random labels are drawn anew: a mistake, made on purpose."""

from collections.abc import Container

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rote import data, optim
from rote.core import Batch, Dataset, InputError
from rote.studies import catalog
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.outcomes import Row
from rote.studies.zhang2017.settings import preprocessing, settled
from rote.train import TrainState, init_train_state, make_forward, make_step


def train_redrawn(
    config: TrainConfig, dataset: Dataset, seed: int, *, before: Container[int] = ()
) -> list[Row]:
    """Trains the configuration's first model on random labels that do not stay the same.

    Args:
      config: a configuration.
      dataset: with its clean labels.
      seed: of initialization and order, and of the labels where the configuration has no seed of
        theirs.
      before: the epochs, counted from 1, before which all labels are drawn anew.

    Returns:
      A row per epoch: ``epoch``, ``train_accuracy`` (full pass at its end, on the labels of this
      epoch), ``running_accuracy`` (mean over its mini-batches, each before its update) and
      ``test_accuracy``. The training ends where a loss is not finite; the three are ``None`` there.
    """
    settings = settled(config, config.model[0])
    size, count = settings.batch_size, len(dataset.train.labels)
    if not 1 <= size <= count:
        raise InputError(
            f"batch_size: {size}; expected 1 to {count}, the number of training examples"
        )
    steps = count // size
    model = catalog.build(config.model[0], dataset.num_classes, init=settings.init)
    transform = preprocessing(dataset.image_shape, config.augment)
    optimizer = getattr(optim, config.optimizer)(
        optim.epoch_decay(settings.learning_rate[0], settings.learning_rate_decay, steps),
        weight_decay=config.weight_decay or 0.0,
    )
    step, forward = make_step(model, optimizer, transform=transform), make_forward(model, transform)
    images = jnp.asarray(dataset.train.images)
    test = Batch(jnp.asarray(dataset.test.images), jnp.asarray(dataset.test.labels))

    def right(state: TrainState, batch: Batch, train: bool) -> jax.Array:
        key = jax.random.fold_in(state.key, state.step) if train else None
        logits, _ = forward(state.params, state.state, batch.images, train=train, key=key)
        return jnp.mean(jnp.argmax(logits, -1) == batch.labels)

    @jax.jit
    def epoch(
        state: TrainState, labels: jax.Array, order: jax.Array
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        def one(
            state: TrainState, chosen: jax.Array
        ) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
            batch = Batch(images[chosen], labels[chosen])
            before = right(state, batch, train=True)
            state, loss = step(state, batch)
            return state, (before, loss)

        state, (before, batch_losses) = lax.scan(one, state, order)
        return state, {
            "loss": jnp.mean(batch_losses),
            "running_accuracy": jnp.mean(before),
            "train_accuracy": right(state, Batch(images, labels), train=False),
            "test_accuracy": right(state, test, train=False),
        }

    init_key, noise_key = jax.random.split(jax.random.key(seed))
    params, net_state = model.init(init_key, transform(images[:1], train=False))
    state = init_train_state(params, net_state, optimizer, noise_key)
    orders = np.random.default_rng(seed)
    rows = []
    for number in range(1, settings.max_epochs + 1):
        if number == 1 or number in before:
            label_seed = (seed if config.label_seed is None else config.label_seed) + 1000 * number
            labels = data.random_labels(dataset, 1.0, seed=label_seed).train.labels
        order = orders.permutation(count)[: steps * size].reshape(steps, size)
        state, metrics = epoch(state, labels, order)
        diverged = not np.isfinite(metrics.pop("loss"))
        accuracies = dict.fromkeys(metrics) if diverged else jax.tree.map(float, metrics)
        rows.append({"epoch": number, **accuracies})
        if diverged:
            break
    return rows
