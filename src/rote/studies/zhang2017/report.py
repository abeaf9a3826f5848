"""What a run of an experiment leaves behind: its tables for people, its titles, its summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from rote import data, tables
from rote.core import Dataset
from rote.record import RunDir
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.outcomes import Row
from rote.studies.zhang2017.settings import settled
from rote.tables import Column


def title(config: TrainConfig, dataset: Dataset, net: str = "") -> str:
    """What a figure shows: net, number of training images, data set and how it was stored.

    Args:
      config: the configuration.
      dataset: what it was trained on.
      net: the ``net`` of the rows that are shown (see ``outcomes``), where they are of one.
    """
    about = data.describe(dataset)
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
        data=data.describe(dataset),
    )
