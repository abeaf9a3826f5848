"""What the predictions of every training example, epoch by epoch, say of it.

The record of ``rote.fit`` has them; from any other loop, collect ``logits.argmax(-1)`` of all
examples after each epoch, in a list.
"""

import numpy as np

from rote.core import InputError


def learned_epochs(epochs: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The epoch since which each example has been predicted as labeled, until the end.

    The order of these epochs is the order in which the examples were learned.

    Args:
      epochs: ``[E]`` integers, increasing: the epochs recorded.
      predicted: ``[E, N]`` integers, the predicted class of each example at each of them.
      labels: ``[N]`` integers, the labels trained on (or any others to ask about).

    Returns:
      ``[N]`` float64; NaN where the last prediction is not the label.

    Raises:
      InputError: if the shapes do not belong together.

    Reference:
      Baldock et al. 2021, Deep learning through the lens of example difficulty, section 2 (there:
      iteration learned).

    >>> predicted = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0]])
    >>> learned_epochs(np.arange(4), predicted, np.array([1, 1, 1]))
    array([ 1.,  0., nan])
    """
    correct = _correct(epochs, predicted, labels)
    steady = np.logical_and.accumulate(correct[::-1])[::-1]
    first = np.argmax(steady, axis=0)
    return np.where(correct[-1], np.asarray(epochs, np.float64)[first], np.nan)


def forgetting_counts(epochs: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each example was forgotten: right at one recorded epoch, wrong at the next.

    Toneva et al. look at an example when it is in a mini-batch; here all are looked at after each
    epoch. For their count give, as row ``e``, what was predicted of each example just before the
    step that it took part in for the ``e``-th time.

    Args:
      epochs: ``[E]``, at least two, each the one after the last, because what happens in between
        would go uncounted.
      predicted: ``[E, N]`` integers, the predicted class of each example at each of them.
      labels: ``[N]`` integers, the labels trained on (or any others to ask about).

    Returns:
      ``[N]`` int64.

    Raises:
      InputError: if the shapes do not belong together, or epochs are missing.

    Reference:
      Toneva et al. 2019, An empirical study of example forgetting during deep neural network
      learning, section 3.

    >>> predicted = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 0]])
    >>> forgetting_counts(np.arange(4), predicted, np.array([1, 1, 1]))
    array([1, 0, 2])
    """
    correct = _correct(epochs, predicted, labels)
    if len(correct) < 2 or np.any(np.diff(epochs) != 1):
        raise InputError(
            f"epochs recorded: {np.asarray(epochs).tolist()}; counting what was forgotten takes "
            "every epoch: record all of them (rote.fit: record='all')"
        )
    return np.sum(correct[:-1] & ~correct[1:], axis=0)


def _correct(epochs: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != (len(epochs), len(labels)):
        raise InputError(
            f"predicted: shape {predicted.shape}; expected {(len(epochs), len(labels))}, a row for "
            "each epoch and a column for each label"
        )
    return predicted == labels
