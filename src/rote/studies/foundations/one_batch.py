"""The sanity check before any long training: can the net memorise one mini-batch?"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import losses
from rote.core import Batch, InputError, Key, Model
from rote.train import TrainState, init_train_state, make_step
from rote.train.step import make_forward
from rote.transforms import Transform

LARGEST_LOSS = 1e-3
"""Cross-entropy below which a batch counts as memorised."""

Redraw = Callable[[Key, jax.Array], jax.Array]


class OneBatch(NamedTuple):
    """What became of one mini-batch.

    Attributes:
      passed: whether its loss came below ``LARGEST_LOSS`` with every label right.
      steps: taken until then, or in all.
      loss: the mean cross-entropy of the last step, before its update.
      accuracy: of the batch after it, in training mode.
      losses: ``[steps]``, of every step.
    """

    passed: bool
    steps: int
    loss: float
    accuracy: float
    losses: np.ndarray

    def explain(self) -> str:
        """One line that says what happened, for an error message or a table."""
        if self.passed:
            return f"memorised after {self.steps} steps"
        return (
            f"NOT memorised: loss {self.loss:.3g} and {100 * self.accuracy:.0f} % after "
            f"{self.steps} steps"
        )


def overfit_one_batch(
    model: Model,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    *,
    transform: Transform,
    steps: int,
    key: Key,
    redraw: Redraw | None = None,
) -> OneBatch:
    """Trains on one mini-batch until it is memorised, or for so many steps.

    A net that cannot do this will not memorise a data set either, and something is wrong: the
    labels do not stay the same, the loss gets probabilities for logits, units are dead, nothing is
    updated. That the labels are wrong, as long as they stay, does not matter.

    Args:
      model: its outputs are logits ``[B, K]``.
      optimizer: any optax transformation.
      batch: the images and labels.
      transform: from stored images to the net's input.
      steps: at most so many.
      key: of initialization and all else that is random.
      redraw: for the planted bug: ``(key, labels) -> labels`` before every step.

    Raises:
      InputError: if there is no step to take.
    """
    if steps < 1:
        raise InputError(f"steps: {steps}; expected at least 1")
    init_key, train_key, redraw_key = jax.random.split(key, 3)
    images = jnp.asarray(batch.images)
    example = jax.eval_shape(lambda x: transform(x, train=False), images)
    params, state = model.init(init_key, example)
    train_state = init_train_state(params, state, optimizer, train_key)
    step = jax.jit(make_step(model, optimizer, transform=transform))
    forward = make_forward(model, transform)

    @jax.jit
    def accuracy(train_state: TrainState, labels: jax.Array) -> jax.Array:
        logits, _ = forward(
            train_state.params, train_state.state, images, train=True, key=train_key
        )
        return losses.accuracy(logits, labels).mean()

    seen: list[float] = []
    labels = jnp.asarray(batch.labels)
    for taken in range(1, steps + 1):
        if redraw is not None:
            labels = redraw(jax.random.fold_in(redraw_key, taken), labels)
        train_state, loss = step(train_state, Batch(images, labels))
        seen.append(float(loss))
        if seen[-1] < LARGEST_LOSS:
            break
    right = float(accuracy(train_state, labels))
    passed = seen[-1] < LARGEST_LOSS and right == 1
    return OneBatch(passed, len(seen), seen[-1], right, np.array(seen))
