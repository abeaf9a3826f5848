"""The full evaluation pass: every example of a split, in eval mode, to metrics and a record."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from rote.core import Dataset, Model
from rote.losses import margin
from rote.train.step import Loss, Transform, make_forward


def evaluation_batch() -> int:
    """Examples per evaluation batch: few on a CPU, where activations should stay in the cache."""
    return 64 if jax.default_backend() == "cpu" else 1024


class PerExample(NamedTuple):
    """What evaluation says of each example: arrays ``[N]``."""

    loss: np.ndarray
    predicted: np.ndarray
    margin: np.ndarray


def make_evaluate(
    model: Model,
    loss_fn: Loss,
    transform: Transform,
    compute_dtype: DTypeLike | None,
) -> Callable[..., tuple[jax.Array, jax.Array, jax.Array]]:
    """Evaluation of ``count`` batches of a split from batch ``first`` on, to be jitted.

    The last batch is filled up with repeated examples; in eval mode an example's output does not
    depend on its batch mates, and what they give is cut off by the caller.

    Returns:
      ``(params, state, images, labels, out, first, count) -> out``, where ``out`` is a triple of
      arrays (loss, predicted class, margin) of at least ``N`` rounded up to whole batches.
    """
    forward = make_forward(model, transform, compute_dtype)
    batch_size = evaluation_batch()

    def evaluate(params, state, images, labels, out, first, count):
        def one_batch(index, out):
            start = index * batch_size
            rows = jnp.minimum(start + jnp.arange(batch_size), len(images) - 1)
            batch_labels = labels[rows]
            logits, _ = forward(params, state, images[rows], train=False)
            values = (
                loss_fn(logits, batch_labels).astype(jnp.float32),
                jnp.argmax(logits, -1).astype(jnp.int32),
                margin(logits, batch_labels).astype(jnp.float32),
            )
            return jax.tree.map(
                lambda old, new: lax.dynamic_update_slice(old, new, (start,)), out, values
            )

        return lax.fori_loop(first, first + count, one_batch, out)

    return evaluate


def empty_outputs(num_examples: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The arrays that evaluation fills: the number of examples rounded up to whole batches."""
    batch_size = evaluation_batch()
    padded = -(-num_examples // batch_size) * batch_size
    zeros = jnp.zeros(padded, jnp.float32)
    return zeros, jnp.zeros(padded, jnp.int32), zeros


def metrics(
    dataset: Dataset, train: PerExample, test: PerExample, examples: np.ndarray
) -> dict[str, float | None]:
    """The metrics of one evaluation; see ``Result.history`` for their meaning.

    Args:
      dataset: the data set evaluated.
      train: what the net said of the training split.
      test: what the net said of the test split.
      examples: ``[n]`` indices of the training examples that the run trains on.
    """
    split = dataset.train
    trained_on = np.zeros(len(split.labels), bool)
    trained_on[examples] = True
    correct = train.predicted == split.labels
    changed = split.changed
    return {
        "train_loss": _mean(train.loss, trained_on),
        "train_accuracy": _mean(correct, trained_on),
        "changed_accuracy": _mean(correct, trained_on & changed),
        "unchanged_accuracy": _mean(correct, trained_on & ~changed),
        "clean_accuracy": _mean(train.predicted == split.clean_labels, trained_on),
        "held_out_accuracy": _mean(correct, ~trained_on),
        "test_loss": _mean(test.loss),
        "test_accuracy": _mean(test.predicted == dataset.test.labels),
    }


def _mean(values: np.ndarray, where: np.ndarray | slice = slice(None)) -> float | None:
    """The mean over the examples selected, in float64; ``None`` where there are none."""
    selected = values[where]
    return float(np.mean(selected, dtype=np.float64)) if selected.size else None
