"""The tables that come out of a study: how runs went, how they ended, what was memorised."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from rote import measure, tables
from rote.core import Dataset, Params, State, count_params
from rote.record import RunDir
from rote.studies import catalog
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.cases import Case
from rote.studies.zhang2017.settings import preprocessing, settled
from rote.tables import Column
from rote.train import Result, make_forward

Row = dict[str, Any]

TOP_K_BATCH = 256
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


def top_k_accuracy(
    config: TrainConfig, case: Case, result: Result, images: np.ndarray, labels: np.ndarray, k: int
) -> float:
    """The fraction of images whose label is among the ``k`` largest logits of a trained net.

    Args:
      config: the configuration.
      case: how the net was trained.
      result: what came out.
      images: ``[N, H, W, C]`` as stored.
      labels: ``[N]`` integers.
      k: 1 is accuracy.
    """
    model = catalog.build(case.model, result.data.num_classes, dropout=case.dropout)
    transform = preprocessing(images.shape[1:], "none", whiten=case.whiten)
    forward = make_forward(model, transform)

    @jax.jit
    def logits(params: Params, state: State, x: jax.Array) -> jax.Array:
        return forward(params, state, x, train=False)[0]

    found = 0
    for start in range(0, len(labels), TOP_K_BATCH):
        part = slice(start, start + TOP_K_BATCH)
        largest = np.argsort(np.asarray(logits(result.params, result.state, images[part])), axis=1)[
            :, -k:
        ]
        found += int(np.sum(largest == labels[part, None]))
    return found / len(labels)


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


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What was trained on, for ``summary.json``: whether it is what the paper had, above all.

    Returns:
      JSON-serializable: ``name``, ``num_train``, ``num_test``, ``subset`` (whether training
      examples were left out) and ``stored_as`` (the format that the images were kept in).
    """
    return {
        "name": dataset.name,
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "subset": any(step.get("operation") == "subset" for step in dataset.provenance),
        "stored_as": dataset.provenance[0].get("image_format") if dataset.provenance else None,
    }


def title(config: TrainConfig, dataset: Dataset, net: str = "") -> str:
    """What a figure shows: net, number of training images, data set and how it was stored.

    Args:
      config: the configuration.
      dataset: what it was trained on.
      net: the ``net`` of the rows that are shown (see ``outcomes``), where they are of one.
    """
    about = describe_data(dataset)
    copy = " (stored as JPEG)" if about["stored_as"] == "JPEG" else ""
    images = f"{about['num_train']:,} images of {dataset.name}{copy}"
    if len(config.model) == 1 and config.model[0] not in net:
        net = f"{config.model[0]} {net}".strip()
    return f"{net} on {images}" if net else images


def present(
    rows: Sequence[Row], by: Sequence[str], columns: Mapping[str, Column]
) -> list[dict[str, Any]]:
    """``tables.summarize``, also by model and learning rate where they differ.

    Beside test accuracy stands that of the epoch which early stopping kept, if any row has one.
    """
    if any("kept_epoch" in row for row in rows) and any(
        column.name == "test_accuracy" for column in columns.values()
    ):
        kept = Column("kept_test_accuracy", unit="%")
        columns = {**columns, "epoch kept": Column("kept_epoch"), "test accuracy, kept": kept}
    models = {row["model"] for row in rows}
    factors = [
        *(["model"] if len(models) > 1 else []),
        *(["learning_rate"] if any("learning_rate" in row for row in rows) else []),
        *by,
    ]
    return tables.summarize(rows, factors, columns)


def grouped(rows: Sequence[Row], factor: str) -> dict[Any, list[Row]]:
    """The rows by their value of a factor, in order of appearance."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[factor], []).append(row)
    return groups


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


def finish(
    out: RunDir,
    config: TrainConfig,
    dataset: Dataset,
    table: Sequence[Row],
    summary: Sequence[Row],
    memorization: Sequence[Row] = (),
) -> None:
    """Ends a run with its tables, and with what it trained on and how.

    Args:
      out: the run directory.
      config: the configuration.
      dataset: what the runs were made from.
      table: a row per run.
      summary: for people, a row per setting.
      memorization: likewise, see ``MEMORIZATION``.
    """
    out.finish(
        "\n\n".join(tables.format_table(part) for part in (summary, memorization) if part),
        table=table,
        summary=summary,
        memorization=memorization,
        settings={model: settled(config, model)._asdict() for model in config.model},
        data=describe_data(dataset),
    )
