"""What trainings have reached, as rows: how they went, how they ended, what was memorised."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optax

from rote import measure
from rote.core import count_params
from rote.studies.zhang2017.cases import Case
from rote.tables import Column
from rote.train import Result

Row = dict[str, Any]

LAST_METRICS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "changed_accuracy",
    "unchanged_accuracy",
    "clean_accuracy",
    "test_loss",
    "test_accuracy",
)

MEMORIZATION: Mapping[str, Column] = {
    "changed, label trained on": Column("changed_accuracy", unit="%"),
    "changed, clean label, at best": Column("peak_changed_clean_accuracy", unit="%"),
    "unchanged": Column("unchanged_accuracy", unit="%"),
    "changed learned": Column("changed_learned_epoch"),
    "unchanged learned": Column("unchanged_learned_epoch"),
    "changed forgotten": Column("changed_forgetting", digits=2),
    "unchanged forgotten": Column("unchanged_forgetting", digits=2),
    "norm": Column("parameter_norm"),
    "from start": Column("distance_from_init"),
}
"""Columns that tell learning from memorising: accuracy on the examples with a changed label (as to
that label, and at the best epoch to the clean one) and on the others; the mean epoch since which
they are right, and how often they were forgotten; norm of the parameters and of their way. See
``outcomes``."""


def curves(cases: Sequence[Case], results: Sequence[Result]) -> list[Row]:
    """The histories as one table: a row per case and epoch.

    Beside the history's metrics, ``changed_clean_accuracy``: the fraction of the examples with a
    changed label that are nonetheless predicted as their clean label says; it rises while the net
    learns, and falls as it memorises.
    """
    table = []
    for case, result in zip(cases, results, strict=True):
        clean = dict(zip(result.record.epochs.tolist(), _changed_clean(result), strict=True))
        table += [
            {**case.factors, **row, "changed_clean_accuracy": clean.get(row["epoch"])}
            for row in result.history
        ]
    return table


def outcomes(cases: Sequence[Case], results: Sequence[Result]) -> list[Row]:
    """The ends of the runs as one table: a row per case.

    ``epochs_to_fit`` and ``steps_to_fit`` are ``None`` where the run did not fit every label within
    its ``max_epochs``. Of memorisation there are, beside the last row of the history:
    ``changed_clean_accuracy`` (see ``curves``) and its peak; the mean epoch since which an example
    is right until the end, over those that are, and the mean number of times that it was forgotten,
    of changed and of unchanged examples, both as to the labels trained on; the l2 norm of all
    parameters, and of their difference from the initial ones. ``None`` stands where there is
    nothing to take a mean of. ``kept_epoch`` and ``kept_test_accuracy`` are there with early
    stopping. ``net`` is the model and the learning rate, as far as they differ between the rows.
    """
    table = []
    for case, result in zip(cases, results, strict=True):
        max_epochs = case.settings.max_epochs
        epochs, steps = result.time_to() or (None, None)
        last = result.history[-1]
        table.append(
            {
                **case.factors,
                "num_params": count_params(result.params),
                "status": result.status,
                "epochs_to_fit": epochs,
                "steps_to_fit": steps,
                "max_epochs": max_epochs,
                "max_steps": max_epochs * result.steps_per_epoch,
                **{name: last[name] for name in LAST_METRICS},
                "test_error": 1 - last["test_accuracy"],
                **_kept(result),
                **_memorization(result),
            }
        )
    for net, rows in by_net(table).items():
        for row in rows:
            row["net"] = net
    return table


def _kept(result: Result) -> Row:
    """The epoch that early stopping keeps, where there was any, and its test accuracy."""
    if result.best is None:
        return {}
    row = next(row for row in result.history if row["epoch"] == result.best.epoch)
    return {"kept_epoch": row["epoch"], "kept_test_accuracy": row["test_accuracy"]}


def _memorization(result: Result) -> Row:
    labels, record = result.data.labels, result.record
    changed = labels != result.data.clean_labels
    learned = measure.learned_epochs(record.epochs, record.predicted, labels)
    forgotten = (
        measure.forgetting_counts(record.epochs, record.predicted, labels)
        if len(record.epochs) > 1
        else np.full(len(labels), np.nan)
    )
    clean = [value for value in _changed_clean(result) if value is not None]
    moved = optax.tree.sub(result.params, result.initial.params)
    return {
        "changed_clean_accuracy": clean[-1] if clean else None,
        "peak_changed_clean_accuracy": max(clean, default=None),
        "changed_learned_epoch": _mean(learned[changed]),
        "unchanged_learned_epoch": _mean(learned[~changed]),
        "changed_forgetting": _mean(forgotten[changed]),
        "unchanged_forgetting": _mean(forgotten[~changed]),
        "parameter_norm": float(optax.tree.norm(result.params)),
        "distance_from_init": float(optax.tree.norm(moved)),
    }


def _changed_clean(result: Result) -> list[float | None]:
    """By recorded epoch: accuracy on the changed examples against their clean labels."""
    clean = result.data.clean_labels
    changed = result.data.labels != clean
    if not changed.any():
        return [None] * len(result.record.epochs)
    return np.mean(result.record.predicted[:, changed] == clean[changed], axis=1).tolist()


def _mean(values: np.ndarray) -> float | None:
    """The mean of what is not NaN, if there is anything."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def learning_order(cases: Sequence[Case], results: Sequence[Result]) -> list[Row]:
    """How many examples have been learned by each epoch: a row per case, part and epoch.

    ``part`` is ``"changed"`` or ``"unchanged"``; ``fraction`` that of its examples that are right
    from this epoch on until the end of the run, on the labels trained on.
    """
    table = []
    for case, result in zip(cases, results, strict=True):
        labels, record = result.data.labels, result.record
        learned = measure.learned_epochs(record.epochs, record.predicted, labels)
        changed = labels != result.data.clean_labels
        for part, members in (("changed", changed), ("unchanged", ~changed)):
            if members.any():
                table += [
                    {
                        **case.factors,
                        "part": part,
                        "epoch": int(epoch),
                        "fraction": float(np.mean(learned[members] <= epoch)),
                    }
                    for epoch in record.epochs
                ]
    return table


def by_net(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by model and learning rate, in words; all under ``""`` where neither differs."""
    several = len({row["model"] for row in rows}) > 1
    groups: dict[str, list[Row]] = {}
    for row in rows:
        words = [row["model"]] if several else []
        if "learning_rate" in row:
            words.append(f"learning_rate={row['learning_rate']:g}")
        groups.setdefault(" ".join(words), []).append(row)
    return groups


def ratio_to_clean(table: Sequence[Row], column: str) -> list[float | None]:
    """A time divided by that of the same net and seed at corruption 0, where both exist."""

    def pair(row: Row) -> tuple[Any, ...]:
        return row["model"], row.get("learning_rate"), row["seed"]

    clean = {pair(row): row[column] for row in table if row["corruption"] == 0}
    return [
        row[column] / clean[pair(row)] if row[column] is not None and clean.get(pair(row)) else None
        for row in table
    ]
