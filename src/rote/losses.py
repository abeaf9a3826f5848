"""Losses and scores that optax lacks. Like optax's they are per example and not reduced.

The mean over a batch is the caller's: ``losses.absolute_error(predictions, targets).mean()``.
"""

import jax
import jax.numpy as jnp

from rote.core import InputError


def absolute_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """The absolute error ``|prediction - target|`` (L1), entry by entry.

    Args:
      predictions: real, of any shape ``[...]``.
      targets: real, of the same shape.

    Returns:
      ``[...]``, the dtype of ``predictions``.

    Raises:
      InputError: if the shapes differ.

    >>> absolute_error(jnp.array([1.0, -2.0]), jnp.array([3, -2])).tolist()
    [2.0, 0.0]
    """
    _check_same_shape(predictions=predictions, targets=targets)
    return jnp.abs(predictions - jnp.asarray(targets, predictions.dtype))


def margin_ranking_loss(
    scores_a: jax.Array, scores_b: jax.Array, targets: jax.Array, margin: float | jax.Array = 0.0
) -> jax.Array:
    """The pairwise ranking loss ``max(0, -y (a - b) + margin)``.

    Args:
      scores_a: ``[...]``, the scores ``a`` of the first member of each pair.
      scores_b: ``[...]``, the scores ``b`` of the second.
      targets: ``[...]``, ``y``: +1 where the first should score higher, -1 where the second should.
      margin: how much higher, at least, in units of the score.

    Returns:
      ``[...]``, the dtype of ``scores_a``. Its gradient is 0 at the hinge.

    Raises:
      InputError: if the shapes differ.

    >>> a, b = jnp.array([2.0, 2.0]), jnp.array([1.0, 1.0])
    >>> margin_ranking_loss(a, b, jnp.array([1, -1]), margin=0.5).tolist()
    [0.0, 1.5]
    """
    _check_same_shape(scores_a=scores_a, scores_b=scores_b, targets=targets)
    y, margin = jnp.asarray(targets, scores_a.dtype), jnp.asarray(margin, scores_a.dtype)
    return jax.nn.relu(margin - y * (scores_a - scores_b))


def zero_one_error(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The zero-one error: 1 where the largest logit is not the label's, else 0.

    It is piecewise constant: a measure of a classifier, not a loss to descend.

    Args:
      logits: ``[..., K]``; of equal largest logits the first counts.
      labels: ``[...]`` int, in ``0 .. K-1``.

    Returns:
      ``[...]``, 0 or 1 in the default float dtype, whatever the logits' dtype, so that its mean
      over many examples is exact in mixed precision.

    Raises:
      InputError: if there is not one label per row of logits.

    >>> zero_one_error(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).tolist()
    [0.0, 1.0]
    """
    _check_one_label_each(logits, labels)
    return (logits.argmax(-1) != labels).astype(jnp.result_type(float))


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """One minus the zero-one error: its mean is the fraction classified correctly.

    Args:
      logits: ``[..., K]``; of equal largest logits the first counts.
      labels: ``[...]`` int, in ``0 .. K-1``.

    Returns:
      ``[...]``, 0 or 1 in the default float dtype.

    Raises:
      InputError: if there is not one label per row of logits.

    >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).mean().item()
    0.5
    """
    return 1 - zero_one_error(logits, labels)


def margin(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The margin: the logit of the label minus the largest other logit.

    Positive where the example is classified as its label, negative where it is not, 0 at a tie.

    Args:
      logits: ``[..., K]``, at least two classes.
      labels: ``[...]`` int, in ``0 .. K-1``.

    Returns:
      ``[...]``, the dtype of ``logits``.

    Raises:
      InputError: if there is not one label per row of logits.

    >>> margin(jnp.array([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]]), jnp.array([1, 2])).tolist()
    [2.0, -2.0]
    """
    _check_one_label_each(logits, labels)
    of_label = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    is_label = jnp.arange(logits.shape[-1]) == labels[..., None]
    return of_label - jnp.where(is_label, -jnp.inf, logits).max(-1)


def _check_same_shape(**arrays: jax.Array) -> None:
    # Broadcasting [B] against [B, 1] would silently pair every example with every other.
    if len({jnp.shape(array) for array in arrays.values()}) > 1:
        given = ", ".join(f"{name} {jnp.shape(array)}" for name, array in arrays.items())
        raise InputError(f"got shapes {given}; expected equal ones: reshape before the call")


def _check_one_label_each(logits: jax.Array, labels: jax.Array) -> None:
    if logits.shape[:-1] != labels.shape:
        raise InputError(
            f"got logits of shape {logits.shape} and labels of shape {labels.shape}; expected "
            f"labels of shape {logits.shape[:-1]}: integer classes, not one-hot vectors"
        )
