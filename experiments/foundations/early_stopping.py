"""Early stopping: a validation split, patience, and the best parameters kept.

Claim: where a net goes on to memorise what it should not, stopping when a validation split gets no
better keeps what it had learned before. Where nothing is there to be memorised, there is little to
gain, and the split costs examples.

Source: Prechelt, "Early stopping, but when?", 1998; Zhang et al. 2017, section 3 and Fig. 2, where
on CIFAR-10 it gains nothing (experiments/zhang2017/early_stopping.py asks there).

Expected: with redrawn labels the stopped net's test accuracy is above that at the end, and it stops
before it has memorised; with true labels the two are about equal. The source names no numbers.

Two trainings from the same start, on the same nine tenths: one to the last epoch, one that stops
when accuracy on the held-out tenth, whose labels are redrawn like the others, has not been better
for "patience" epochs, and keeps the parameters of its best. Test labels are clean.

Command: python experiments/foundations/early_stopping.py --preset smoke
  smoke  digits (in the package), MLP 1x512, two seeds; seconds
  cpu    5,000 images of MNIST, five seeds; minutes

Left open by the course: how much is held out (a tenth), the patience (10 epochs), the metric
(accuracy: the loss of a net that gets sure of itself rises before its accuracy falls).
"""

import dataclasses
import functools
from typing import Any

from rote import Group, Run, cli, data, fit_groups, models, optim, patience, tables, viz
from rote.core import InputError
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive
from rote.studies.split import part_to_train_on
from rote.tables import Column


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of early stopping."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10."""
    num_train: int | None = None
    """Images to train and validate on, class-balanced; None: all."""
    corruptions: tuple[float, ...] = (0.0, 0.4)
    """Probabilities with which each training label is redrawn."""
    held_out: float = 0.1
    """Fraction held out for validation."""
    patience: int = 10
    """Epochs without improvement after which it stops."""
    max_epochs: int = 60
    """Of the training that does not stop."""
    learning_rate: float = 0.1
    """Of SGD with momentum 0.9."""
    batch_size: int = 128
    """Examples per step."""
    seeds: tuple[int, ...] = (0, 1)
    """Of start, order, labels and split."""

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("corruptions", "seeds"):
            check_list(name, getattr(self, name))
        for name in ("patience", "max_epochs", "learning_rate", "batch_size"):
            check_positive(name, getattr(self, name))
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out: {self.held_out}; expected a fraction between 0 and 1")


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist", num_train=5_000, seeds=(0, 1, 2, 3, 4), max_epochs=100, learning_rate=0.05
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains with and without stopping; leaves a table and a figure."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    count = len(dataset.train.labels)
    stops = {"to the end": None, "stopped": patience(config.patience, "held_out_accuracy")}
    factors: dict[str, dict[str, Any]] = {
        f"corruption={corruption:g} {kind} seed={seed}": {
            "corruption": corruption,
            "training": kind,
            "seed": seed,
        }
        for kind in stops
        for corruption in config.corruptions
        for seed in config.seeds
    }
    groups = [
        Group(
            model=models.mlp((512,), num_classes=dataset.num_classes),
            make_optimizer=functools.partial(optim.momentum, config.learning_rate),
            dataset=dataset,
            runs=[
                Run(
                    init_seed=each["seed"],
                    dataset=functools.partial(
                        data.random_labels, dataset, each["corruption"], seed=each["seed"]
                    ),
                    subset=part_to_train_on(count, config.held_out, each["seed"]),
                    label=label,
                )
                for label, each in factors.items()
                if each["training"] == kind
            ],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=zhang2017.preprocessing(dataset.image_shape, "none"),
            stop=stop,
            record="last",
        )
        for kind, stop in stops.items()
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    histories = {result.run.label: result.history for group in trained for result in group}
    table, curves = [], []
    for label, each in factors.items():
        if each["training"] == "stopped":
            continue
        whole = histories[label]
        ours = histories[label.replace("to the end", "stopped")]
        best = max(ours, key=lambda row: row["held_out_accuracy"])  # the first of several equals
        table.append(
            {
                "corruption": each["corruption"],
                "seed": each["seed"],
                "stopped_at": ours[-1]["epoch"],
                "best_epoch": best["epoch"],
                "train_accuracy": best["train_accuracy"],
                "test_accuracy": best["test_accuracy"],
                "test_accuracy_end": whole[-1]["test_accuracy"],
                "train_accuracy_end": whole[-1]["train_accuracy"],
                "gain": best["test_accuracy"] - whole[-1]["test_accuracy"],
            }
        )
        curves += [
            {
                "panel": f"corruption {each['corruption']:g}",
                "seed": each["seed"],
                "epoch": row["epoch"],
                "split": split,
                "accuracy": row[f"{split}_accuracy"],
            }
            for row in whole
            for split in ("train", "held_out", "test")
        ]
    marks = {
        f"corruption {corruption:g}": [
            row["best_epoch"] for row in table if row["corruption"] == corruption
        ]
        for corruption in config.corruptions
    }
    figure = viz.lines(
        curves,
        x="epoch",
        y="accuracy",
        by="split",
        panel="panel",
        marks=marks,
        caption="dashed: the epoch that validation chooses, one line per seed",
        title=f"Early stopping: {dataset.name}",
    )
    out.save_figure("early_stopping", figure)
    summary = tables.summarize(
        table,
        ["corruption"],
        {
            "epoch kept": Column("best_epoch"),
            "stopped at": Column("stopped_at"),
            "train accuracy, kept": Column("train_accuracy", percent=True),
            "at the end": Column("train_accuracy_end", percent=True),
            "test accuracy, kept": Column("test_accuracy", percent=True),
            "the end": Column("test_accuracy_end", percent=True),
            "gain": Column("gain", 2, percent=True),
        },
    )
    about = zhang2017.describe_data(dataset)
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


if __name__ == "__main__":
    cli.main(run, PRESETS)
