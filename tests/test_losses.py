"""Losses against NumPy and worked cases; strict dtype promotion is on (conftest)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import losses
from rote.core import InputError

LOGITS = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 4, (2, 5)).astype(np.int32)


def numpy_margin(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    flat = logits.reshape(-1, logits.shape[-1])
    rows = zip(flat, labels.reshape(-1), strict=True)
    return np.array([row[k] - np.delete(row, k).max() for row, k in rows]).reshape(labels.shape)


def test_absolute_error() -> None:
    predictions, targets = LOGITS[0], LOGITS[1]
    actual = losses.absolute_error(jnp.asarray(predictions), jnp.asarray(targets))
    np.testing.assert_array_equal(actual, np.abs(predictions - targets))
    slope = jax.grad(lambda x: losses.absolute_error(x, jnp.array([1, 1])).sum())
    np.testing.assert_array_equal(slope(jnp.array([3.0, -2.0])), [1, -1])


def test_margin_ranking_loss() -> None:
    a, b = jnp.array([3.0, 3.0, 1.0, 1.0, 2.0]), jnp.array([1.0, 1.0, 3.0, 3.0, 2.0])
    targets = jnp.array([1, -1, 1, -1, 1])
    np.testing.assert_array_equal(losses.margin_ranking_loss(a, b, targets), [0, 2, 2, 0, 0])
    np.testing.assert_array_equal(
        losses.margin_ranking_loss(a, b, targets, margin=2.5), [0.5, 4.5, 4.5, 0.5, 2.5]
    )
    slope = jax.grad(lambda a: losses.margin_ranking_loss(a, b, targets, margin=0.0).sum())
    np.testing.assert_array_equal(slope(a), [0, 1, -1, 0, 0])


def test_accuracy_and_zero_one_error() -> None:
    correct = LOGITS.argmax(-1) == LABELS
    assert 0 < correct.sum() < correct.size
    logits, labels = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    np.testing.assert_array_equal(losses.accuracy(logits, labels), correct)
    np.testing.assert_array_equal(losses.zero_one_error(logits, labels), ~correct)


def test_accuracy_averages_exactly_in_mixed_precision() -> None:
    logits = jax.nn.one_hot(jnp.zeros(1001, jnp.int32), 2, dtype=jnp.bfloat16)
    score = losses.accuracy(logits, (jnp.arange(1001) == 0).astype(jnp.int32))
    assert score.dtype == jnp.float32
    assert score.sum() == 1000


def test_margin() -> None:
    actual = losses.margin(jnp.asarray(LOGITS), jnp.asarray(LABELS))
    np.testing.assert_array_equal(actual, numpy_margin(LOGITS, LABELS))
    np.testing.assert_array_equal(actual > 0, LOGITS.argmax(-1) == LABELS)
    assert losses.margin(jnp.array([[2.0, 2.0, 1.0]]), jnp.array([0])).item() == 0


def test_margin_gradient_raises_the_label_against_the_runner_up() -> None:
    slope = jax.grad(lambda z: losses.margin(z, jnp.array(2)))(jnp.array([1.0, 5.0, 2.0, -1.0]))
    np.testing.assert_array_equal(slope, [0, -1, 1, 0])


@pytest.mark.parametrize("score", [losses.accuracy, losses.zero_one_error, losses.margin])
def test_scores_transform(score) -> None:
    logits, labels = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    expected = score(logits, labels)
    assert expected.shape == labels.shape
    np.testing.assert_array_equal(jax.jit(score)(logits, labels), expected)
    np.testing.assert_array_equal(jax.vmap(score)(logits, labels), expected)


@pytest.mark.parametrize(
    ("loss", "count"), [(losses.absolute_error, 2), (losses.margin_ranking_loss, 3)]
)
def test_losses_transform(loss, count: int) -> None:
    arrays = [jnp.asarray(LOGITS[..., i]) for i in range(count)]
    expected = loss(*arrays)
    np.testing.assert_array_equal(jax.jit(loss)(*arrays), expected)
    np.testing.assert_array_equal(jax.vmap(loss)(*arrays), expected)


def test_shapes_that_would_broadcast_are_refused() -> None:
    column, row = jnp.zeros((4, 1)), jnp.zeros(4)
    with pytest.raises(InputError, match=r"predictions \(4, 1\), targets \(4,\)"):
        losses.absolute_error(column, row)
    with pytest.raises(InputError, match=r"scores_b \(4, 1\)"):
        losses.margin_ranking_loss(row, column, row)
    for score in (losses.accuracy, losses.zero_one_error, losses.margin):
        with pytest.raises(InputError, match="one-hot"):
            score(jnp.zeros((4, 3)), jnp.zeros((4, 3), jnp.int32))
