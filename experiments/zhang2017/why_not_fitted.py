"""Why random labels are not fitted: what users of other code trip over, each cause by itself.

Claim: a network that fits random labels fails to, takes longer, or seems to fail, when one thing
goes wrong, and nothing but the train accuracy tells.

Source: none; the causes are those that users of re-implementations of Zhang et al. 2017 report.

"as it should be" is corruption_sweep.py at corruption 1. Every other line differs from it in one
thing, which its name says. The learning rates are a hundredth and ten times the recipe's; decay is
the paper's 0.95 per epoch, right for 50,000 images, too fast where an epoch has few steps; without
whitening pixels stay on the scale 0..1; the small network has 8 hidden units.

Two lines are about labels that do not stay the same: drawn anew every epoch, or once, after
"redrawn_at" epochs, as a run does that is resumed without fixed draws; it gets "max_epochs" more
after them. These train in a plain loop, with other draws than the first line's, as "running
average" does, which shows for the right training what many loops print: the mean accuracy over an
epoch's mini-batches, each before its update, at the epoch whose full pass is at 100 %.

Command: python experiments/zhang2017/why_not_fitted.py --preset smoke
  smoke  digits (in the package), MLP 1x512, three seeds; half a minute on two cores
  cpu    MLP 1x512 on 2,000 images of CIFAR-10; not run yet

Deviations: no paper has this table. There is no preset "paper" for that reason.
"""

import dataclasses
import functools
from collections.abc import Container
from typing import Any

from rote import cli, data, tables, viz
from rote.core import Dataset, InputError, unknown_name
from rote.studies import zhang2017
from rote.studies.config import TrainConfig, check_list, check_positive
from rote.tables import Column

CHANGES: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "random crops left on": {"augment": "crop"},
    "learning rate too small": {"rate": 0.01},
    "learning rate too large": {"rate": 10.0},
    "learning rate decays too fast": {"decay": 0.95},
    "no whitening": {"whiten": False},
    "too small a network": {"model": "mlp_1x8"},
}
"""By cause, what differs from the training that fits."""
REDRAWN = ("running average", "labels redrawn once", "labels redrawn every epoch")


@dataclasses.dataclass(frozen=True)
class Config(TrainConfig):
    """Settings of the comparison."""

    max_epochs: int | None = 150
    """Epochs on the labels it is to fit after which a run ends unfitted."""
    causes: tuple[str, ...] = (*CHANGES, *REDRAWN)
    """Lines of the table."""
    redrawn_at: int = 75
    """Epochs before the labels are drawn anew once."""

    def __post_init__(self) -> None:
        """Checks the values."""
        super().__post_init__()
        if len(self.model) > 1 or len(self.learning_rate or ()) > 1:
            raise InputError(
                "the table compares causes on one network at one learning rate; give one of each"
            )
        plain = TrainConfig()
        for name in ("augment", "compute_dtype", "micro_batches", "patience"):
            if getattr(self, name) != getattr(plain, name):
                raise InputError(
                    f"{name}: {getattr(self, name)}; leave it out, not every line of the table "
                    "would train with it"
                )
        check_list("causes", self.causes)
        check_positive("redrawn_at", self.redrawn_at)
        for cause in self.causes:
            if cause not in (*CHANGES, *REDRAWN):
                raise unknown_name("cause", cause, (*CHANGES, *REDRAWN))


PRESETS = {
    "smoke": Config(),
    "cpu": Config(dataset="cifar10", num_train=2_000),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains with every mistake and seed; leaves a table and a figure."""
    dataset = zhang2017.load(config)
    draw = functools.partial(data.corrupt, dataset, "random_labels")
    cases = [
        case
        for cause in config.causes
        if cause in CHANGES
        for case in zhang2017.expand(
            config,
            CHANGES[cause].get("model", config.model[0]),
            cause,
            {"cause": cause},
            draw,
            **treatment(config, cause),
        )
    ]
    zhang2017.look(config, dataset, cases, out)
    progress = cli.Progress(out, columns={case.label: case.factors for case in cases})
    results = zhang2017.train(config, dataset, cases, progress, out.execution) if cases else []
    table = zhang2017.outcomes(cases, results)
    table += [
        {"cause": cause, "seed": seed, **redrawn(config, cause, dataset, seed)}
        for cause in config.causes
        if cause in REDRAWN
        for seed in config.seeds
    ]
    summary = tables.summarize(
        table,
        ["cause"],
        {
            "train accuracy": Column("train_accuracy", digits=2, unit="%", above="diverged"),
            "epochs to fit": Column("epochs_to_fit", above="not fitted"),
            "test accuracy": Column("test_accuracy", unit="%", above="diverged"),
        },
    )
    figure = viz.accuracies(
        table,
        by=("cause",),
        num_classes=dataset.num_classes,
        title=f"Random labels: {zhang2017.title(config, dataset)}",
    )
    out.save_figure("why_not_fitted", figure)
    zhang2017.finish(out, config, dataset, table, summary)


def treatment(config: Config, cause: str) -> dict[str, Any]:
    """How a case with a mistake differs from the training that fits."""
    settings = zhang2017.settled(config, config.model[0])
    changes = dict(CHANGES[cause])
    changes.pop("model", None)
    factor, decay = changes.pop("rate", 1.0), changes.pop("decay", settings.learning_rate_decay)
    rates = tuple(factor * rate for rate in settings.learning_rate)
    return {
        **changes,
        "settings": settings._replace(learning_rate=rates, learning_rate_decay=decay),
    }


def redrawn(config: Config, cause: str, dataset: Dataset, seed: int) -> zhang2017.Row:
    """What a training in a plain loop shows at its end, by the number that the line is about."""
    longest = zhang2017.settled(config, config.model[0]).max_epochs
    number, since = "train_accuracy", config.redrawn_at if cause == "labels redrawn once" else 0
    before: dict[str, Container[int]] = {
        "labels redrawn once": (since + 1,),
        "labels redrawn every epoch": range(2, longest + 1),
    }
    config = dataclasses.replace(config, max_epochs=since + longest)
    rows = zhang2017.train_redrawn(config, dataset, seed, before=before.get(cause, ()))
    if cause == "running average":  # up to the epoch whose full pass shows that all is fitted
        number = "running_accuracy"
        rows = rows[: next((row["epoch"] for row in rows if row["train_accuracy"] == 1), None)]
    fitted = (row["epoch"] for row in rows if row[number] == 1 and row["epoch"] > since)
    last = rows[-1]
    return {
        "train_accuracy": last[number],
        "test_accuracy": last["test_accuracy"],
        "epochs_to_fit": next(fitted, None),
    }


if __name__ == "__main__":
    cli.main(run, PRESETS, resolve=zhang2017.resolve)
