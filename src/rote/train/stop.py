"""When a run ends before its last epoch: rules that read the history one row at a time.

A rule is a pair of pure functions over a small JSON-serialisable state, so that a run that is
continued later stops where it would have stopped.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from rote.core import InputError, unknown_name
from rote.train.result import Row

METRICS = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "clean_accuracy",
    "held_out_accuracy",
)


class Decision(NamedTuple):
    """What a rule says after an epoch.

    Attributes:
      status: why the run ends now (``"fitted"``, ``"patience"``), or ``None`` to go on.
      best: whether this epoch's parameters are the best so far and are to be kept.
    """

    status: str | None = None
    best: bool = False


class StopRule(NamedTuple):
    """A rule: ``init() -> state`` and ``update(state, row) -> (state, decision)``.

    A training is continued from a checkpoint only under a rule of the same ``name``.
    """

    init: Callable[[], Any]
    update: Callable[[Any, Row], tuple[Any, Decision]]
    name: str = ""


def accuracy_reached(target: float = 1.0) -> StopRule:
    """Stops ("fitted") when ``train_accuracy``, on the labels trained on, reaches ``target``.

    Args:
      target: a fraction in (0, 1].
    """
    if not 0 < target <= 1:
        raise InputError(f"accuracy_reached: target {target}; expected a fraction in (0, 1]")
    name = f"accuracy_reached({target:g})"
    return _memoryless(lambda row: row["train_accuracy"] >= target, name)


def loss_reached(target: float) -> StopRule:
    """Stops ("fitted") when ``train_loss`` falls to ``target`` or below.

    Args:
      target: a positive loss.
    """
    if not target > 0:
        raise InputError(f"loss_reached: target {target}; expected a positive loss")
    return _memoryless(lambda row: row["train_loss"] <= target, f"loss_reached({target:g})")


def patience(epochs: int, metric: str = "test_loss") -> StopRule:
    """Stops ("patience") when ``metric`` has not improved for ``epochs`` epochs; keeps the best.

    Losses improve downward, accuracies upward; an equal value, or one that is not finite, is no
    improvement.

    Args:
      epochs: how many epochs in a row without improvement, at least 1.
      metric: a column of the history, one of ``METRICS``; ``held_out_accuracy`` is there for runs
        on a subset of the training examples.

    Raises:
      InputError: if an argument cannot be used; while training, if the metric is not there.
    """
    if epochs < 1:
        raise InputError(f"patience: {epochs} epochs; expected at least 1")
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    sign = 1.0 if metric.endswith("accuracy") else -1.0

    def update(state, row):
        if row[metric] is None:
            raise InputError(
                f"patience: the run has no {metric}; give it a subset to train on, and the rest is "
                "held out"
            )
        value = sign * row[metric]
        if math.isfinite(value) and (state["best"] is None or value > state["best"]):
            return {"best": value, "waited": 0}, Decision(best=True)
        waited = state["waited"] + 1
        status = "patience" if waited >= epochs else None
        return {"best": state["best"], "waited": waited}, Decision(status)

    name = f"patience({epochs}, {metric})"
    return StopRule(lambda: {"best": None, "waited": 0}, update, name)


def any_of(*rules: StopRule) -> StopRule:
    """Stops when any of the rules does; the first one in order gives the status."""

    def update(states, row):
        pairs = [rule.update(state, row) for rule, state in zip(rules, states, strict=True)]
        decisions = [decision for _, decision in pairs]
        status = next((d.status for d in decisions if d.status is not None), None)
        return [s for s, _ in pairs], Decision(status, any(d.best for d in decisions))

    name = f"any_of({', '.join(rule.name for rule in rules)})"
    return StopRule(lambda: [rule.init() for rule in rules], update, name)


def _memoryless(reached: Callable[[Row], bool], name: str) -> StopRule:
    def update(state, row):
        return state, Decision("fitted" if reached(row) else None)

    return StopRule(dict, update, name)
