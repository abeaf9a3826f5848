"""Early stopping: what it would gain, with and without batch norm.

Claim: on CIFAR-10 there is nothing to gain from stopping early. Batch norm steadies the course of
test accuracy, and is worth three to four points.

Source: Zhang et al. 2017, section 3, Fig. 2b (small Inception on CIFAR-10, with and without batch
norm, true labels). Its Fig. 2a, on ImageNet, where early stopping could help, is imagenet.py's.

Expected: test accuracy with batch norm above that without, by three to four points; its best epoch
not much better than its last. Measured with "cpu" (JPEG copy, 3 seeds): 50.2 +- 0.4 % with and 48.9
+- 0.3 % without; the best epoch is a third of a point better, even with the test split's help.

Two rules choose an epoch. "validation": the best accuracy on the training examples held out from
training, the first of several equals; what a practitioner could do. "oracle": the best test
accuracy itself, which nobody knows; it can only gain, and bounds what any rule could. The gain is
test accuracy at that epoch minus test accuracy at the last. How steady the course is tells
the jitter: the standard deviation of the change of test accuracy from one epoch to the next, in the
second half of training.

Command: python experiments/zhang2017/early_stopping.py --preset smoke
  smoke  digits (in the package), CNN with and without batch norm; ten seconds on two cores
  cpu    CNN (16, 32 channels) with and without batch norm on 5,000 images of CIFAR-10; five minutes
  paper  CIFAR-10, small Inception with and without batch norm. Wants an accelerator; not run yet.

Deviations: a tenth of the training split is held out for validation, drawn anew for each seed; the
paper trains on all of it. smoke and cpu have smaller networks and a constant learning rate, the
same with and without batch norm. Every run takes all of its epochs; the paper does not give their
number, 100 are taken. What else it leaves open, and what is taken: batches of 128, as reproductions
have; weights from Glorot's uniform distribution in small Inception, which without batch norm starts
badly from He's at the paper's rate (more in rote/studies/zhang2017/settings.py).
"""

import dataclasses
import functools
import itertools
import statistics
from collections.abc import Sequence

from rote import cli, data, viz
from rote.core import InputError
from rote.studies import zhang2017
from rote.studies.config import TrainConfig
from rote.studies.split import part_to_train_on
from rote.tables import Column


@dataclasses.dataclass(frozen=True)
class Config(TrainConfig):
    """Settings of early stopping."""

    model: tuple[str, ...] = ("cnn", "cnn_no_bn")
    """Networks; a network with batch norm and the same without."""
    held_out: float = 0.1
    """Fraction of the training split that is not trained on."""

    def __post_init__(self) -> None:
        """Checks the values."""
        super().__post_init__()
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out: {self.held_out}; expected a fraction between 0 and 1")


PRESETS = {
    "smoke": Config(max_epochs=40),
    "cpu": Config(
        dataset="cifar10", model=("cnn_16_32", "cnn_16_32_no_bn"), num_train=5_000, max_epochs=60
    ),
    "paper": Config(
        dataset="cifar10",
        model=("inception_small", "inception_small_no_bn"),
        batch_size=128,
        learning_rate_decay=0.95,
        max_epochs=100,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains every network with every seed; leaves a table and a figure."""
    dataset = zhang2017.load(config)
    count = len(dataset.train.labels)
    cases = [
        case._replace(subset=part_to_train_on(count, config.held_out, case.seed))
        for model in config.model
        for case in zhang2017.expand(
            config, model, "", {}, functools.partial(data.corrupt, dataset, "true")
        )
    ]
    zhang2017.look(config, dataset, cases, out)
    progress = cli.Progress(out, columns={case.label: case.factors for case in cases})
    results = zhang2017.train(config, dataset, cases, progress, out.execution, stop=None)
    table = zhang2017.outcomes(cases, results)
    for row, result in zip(table, results, strict=True):
        row |= gains(result.history)
        row["test_accuracy_jitter"] = jitter(result.history)
    summary = zhang2017.present(
        table,
        [],
        {
            "test accuracy, last epoch": Column("test_accuracy", digits=2, unit="%"),
            "jitter": Column("test_accuracy_jitter", digits=2, unit="points"),
            "validation's epoch": Column("validation_epoch"),
            "gain": Column("gain_validation", digits=2, unit="points"),
            "oracle's epoch": Column("oracle_epoch"),
            "gain (oracle)": Column("gain_oracle", digits=2, unit="points"),
        },
    )
    curves = zhang2017.curves(cases, results)
    figure = viz.learning_curves(
        curves,
        metric="test_accuracy",
        x="epoch",
        by="model",
        title=zhang2017.title(config, dataset),
    )
    out.save_figure("early_stopping", figure)
    zhang2017.finish(out, config, dataset, table, summary)


def gains(history: Sequence[zhang2017.Row]) -> zhang2017.Row:
    """What stopping at the best epoch, by either rule, adds to the last epoch's test accuracy."""
    last = history[-1]["test_accuracy"]
    chosen = {
        "validation": max(history, key=lambda row: row["held_out_accuracy"]),
        "oracle": max(history, key=lambda row: row["test_accuracy"]),
    }
    return {f"{rule}_epoch": row["epoch"] for rule, row in chosen.items()} | {
        f"gain_{rule}": row["test_accuracy"] - last for rule, row in chosen.items()
    }


def jitter(history: Sequence[zhang2017.Row]) -> float | None:
    """How unsteady test accuracy is in the second half of training.

    The standard deviation of its change from one epoch to the next; ``None`` of fewer than two.
    """
    late = [row["test_accuracy"] for row in history[len(history) // 2 :]]
    changes = [after - before for before, after in itertools.pairwise(late)]
    return statistics.stdev(changes) if len(changes) > 1 else None


if __name__ == "__main__":
    cli.main(run, PRESETS, resolve=zhang2017.resolve)
