"""The search for a learning rate: a short training whose rate grows with every mini-batch."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import optax
from jax.typing import DTypeLike

from rote.core import Dataset, InputError, Model
from rote.measure.first_steps import batches, start
from rote.train import cross_entropy, make_step
from rote.train.step import Loss, Transform

SMOOTHING = 0.15
"""Standard deviation of the smoothing, in decades of the learning rate."""
WORSE = 4.0
"""How many times the first loss ends the test."""


class RangeTest(NamedTuple):
    """What a range test found.

    Attributes:
      rates: ``[T]`` float64, the learning rate of each mini-batch; increasing.
      losses: ``[T]``, the mean loss of each mini-batch, before its update.
      smoothed: ``[T]``, these under a Gaussian window over the logarithm of the rate.
      chosen: the rate at which ``smoothed`` falls most steeply against the logarithm of the rate,
        on its way to its minimum; ``None`` where it does not fall by more than the losses scatter
        about it (their standard deviation), so that there is nothing to choose.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    chosen: float | None

    @property
    def lowest(self) -> float:
        """The rate at which ``smoothed`` is lowest; soon after it the training breaks."""
        return float(self.rates[self.smoothed.argmin()])


def range_test(
    model: Model,
    make_optimizer: Callable[[optax.Schedule], optax.GradientTransformation],
    dataset: Dataset,
    *,
    seed: int,
    batch_size: int,
    transform: Transform,
    loss_fn: Loss = cross_entropy,
    lowest: float = 1e-7,
    highest: float = 10.0,
    steps: int = 200,
    compute_dtype: DTypeLike | None = None,
) -> RangeTest:
    r"""Trains a net while its learning rate grows geometrically, and looks where the loss falls.

    The rate of step :math:`t` is :math:`\text{lowest}\,(\text{highest}/\text{lowest})^{t/(T-1)}`.
    The test ends before ``highest`` where a mini-batch's loss is not finite or above four times the
    first.

    Args:
      model: its outputs are logits ``[B, K]``.
      make_optimizer: from a schedule to the optimizer, such as ``rote.optim.momentum``.
      dataset: its training split is trained on, in the order of an ordinary training.
      seed: of initialization, order and what is random in a step.
      batch_size: examples per step.
      transform: from stored images to the net's input.
      loss_fn: per-example loss.
      lowest: the first rate.
      highest: the last rate.
      steps: mini-batches.
      compute_dtype: see ``rote.train.make_forward``.

    Raises:
      InputError: if the rates do not increase, there are too few steps to smooth, the optimizer is
        one already, or the loss breaks off before it could be judged.

    Reference:
      Smith 2017, Cyclical learning rates for training neural networks, section 3.3 (there the rate
      grows linearly, and the test ends are read off by eye).
    """
    if not 0 < lowest < highest:
        raise InputError(
            f"range test: rates from {lowest:g} to {highest:g}; expected two positive numbers, the "
            "second larger"
        )
    if steps < 10:
        raise InputError(f"range test: {steps} steps; expected at least 10")
    if not callable(make_optimizer):
        raise InputError(
            "range test: an optimizer that has its rate already; expected what makes one of a "
            "schedule, such as rote.optim.sgd"
        )
    schedule = optax.exponential_decay(lowest, steps - 1, highest / lowest)
    optimizer = make_optimizer(schedule)
    train_state = start(model, optimizer, dataset, seed=seed, transform=transform)
    step = jax.jit(
        make_step(model, optimizer, loss_fn, transform=transform, compute_dtype=compute_dtype)
    )
    losses: list[float] = []
    for batch in batches(dataset, seed=seed, batch_size=batch_size, steps=steps):
        train_state, loss = step(train_state, batch)
        if not float(loss) <= WORSE * (losses[0] if losses else np.inf):
            break
        losses.append(float(loss))
    rates = lowest * (highest / lowest) ** (np.arange(steps) / (steps - 1))
    return judge(rates[: len(losses)], np.array(losses))


def judge(rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """Smooths the losses and chooses the rate where they fall most steeply.

    Args:
      rates: ``[T]``, geometric.
      losses: ``[T]``, finite.

    Raises:
      InputError: if there are too few of them.

    >>> rates = np.logspace(-4, 1, 201)
    >>> found = judge(rates, 2 - np.tanh(3 * np.log10(rates / 0.01)))
    >>> round(found.chosen, 6)
    0.01
    """
    from scipy.ndimage import gaussian_filter1d

    if len(rates) < 10:
        raise InputError(
            f"range test: the loss broke off after {len(rates)} steps, at a rate of "
            f"{rates[-1] if len(rates) else 0:.2g}; start at a lower rate"
        )
    losses, decades = np.asarray(losses, np.float64), np.log10(rates)
    window = SMOOTHING / (decades[1] - decades[0])
    smoothed = gaussian_filter1d(losses, window, mode="nearest")
    lowest = int(np.argmin(smoothed))
    falls = smoothed[0] - smoothed[lowest] > np.std(losses - smoothed)
    steepest = int(np.argmin(np.gradient(smoothed, decades)[: lowest + 1]))
    return RangeTest(rates, losses, smoothed, float(rates[steepest]) if falls else None)
