"""The capacity and the time that noise takes: accuracy and time to fit against width and examples.

Claim: real data are fitted, and generalised from, with few units; the more of the data is noise,
the more units the best validation accuracy takes. More units shorten the time to fit noise, and
more examples lengthen it, more than they do with real data, where patterns are shared.

Source: Arpit et al. 2017 (arXiv 1706.05394), section 3.3, Fig. 5 (validation accuracy against the
hidden units) and Fig. 6 (time to fit against units at 50,000 examples, and against examples at
4,096 units): two-layer MLPs on MNIST in which a fraction of the inputs (randX) or of the labels
(randY) is noise.

Expected: without noise nearly the same accuracy at every width; with noise a rise up to larger
ones. Lines of the time to fit that fall with width, and rise with examples, more steeply the more
noise there is. The paper prints no numbers.

  noise           none; random inputs (a fraction of the training images are Gaussian noise with
                  the data's mean and variance); random labels (each training label is redrawn with
                  that probability)
  epochs to fit   until 100 % training accuracy, in a full pass in evaluation mode
  train accuracy  where training ended: fitted, or after max_epochs
  test accuracy   there, of real test images with their labels: the validation accuracy
  best            test accuracy at its best epoch

Command: python experiments/arpit2017/capacity.py --preset smoke
  smoke  digits (in the package), up to 500 images, 16 to 128 units, three seeds; 32 s of
         processor time
  cpu    MNIST averaged to 14x14, up to 2,000 images, 16 to 512 units, three seeds; 3
         minutes on two cores
  paper  MNIST, up to 50,000 images, 256 to 8,192 units, three seeds; has not been run: at
         most 9e17 operations, by a GPU's data sheet five hours

What the paper leaves open, or is not known here, and what is taken: which widths, fractions and
numbers of examples; batches of 128 in "paper", at its rate of 0.01 for at most 1,000 epochs;
whether the validation accuracy is the last or the best, both are shown and the last is judged;
pixels are divided by 255. smoke and cpu have fewer examples, smaller batches and a rate of 0.1.

A seed draws the noise, the initialization and the order. A larger fraction makes noise of a
superset of the examples, and a larger number of examples contains every smaller one.
"""

import dataclasses
import functools
from typing import Any

from rote import cli, data, models, optim, tables, transforms, viz
from rote.core import Dataset, InputError
from rote.studies.arpit2017.capacity import INPUTS, LABELS, NONE
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import averaged
from rote.tables import Column
from rote.train import Group, Result, Run, accuracy_reached, fit_groups


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of capacity and noise."""

    dataset: str = "mnist"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    num_test: int | None = None
    """Test on a class-balanced subset of this many examples; None: on all."""
    num_train: int = 50_000
    """Examples where the width is varied."""
    widths: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192)
    """Units of each of the two hidden layers."""
    width: int = 4096
    """Units where the number of examples is varied."""
    sizes: tuple[int, ...] = (1_000, 5_000, 10_000, 50_000)
    """Numbers of examples."""
    fractions: tuple[float, ...] = (0.2, 0.5, 0.8)
    """Of random inputs, and of labels redrawn; none is tried in any case."""
    learning_rate: float = 0.01
    """Of SGD without momentum, constant."""
    batch_size: int = 128
    """Examples per step."""
    max_epochs: int = 1_000
    """Epochs after which a training ends unfitted."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of noise, initialization and order."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("widths", "sizes", "fractions"):
            check_list(name, getattr(self, name))
        for name in ("widths", "sizes", "fractions"):
            for value in getattr(self, name):
                check_positive(name, value)
        for name in ("pool", "num_train", "width", "learning_rate", "batch_size", "max_epochs"):
            check_positive(name, getattr(self, name))
        if max(self.fractions) > 1:
            raise InputError(f"fractions: {max(self.fractions)}; expected at most 1")


PRESETS = {
    "smoke": Config(
        dataset="digits",
        num_train=500,
        widths=(16, 32, 64, 128),
        width=64,
        sizes=(125, 250, 500),
        fractions=(0.5,),
        learning_rate=0.1,
        batch_size=20,
        max_epochs=300,
    ),
    "cpu": Config(
        pool=2,
        num_test=1_000,
        num_train=2_000,
        widths=(16, 32, 64, 128, 256, 512),
        width=128,
        sizes=(500, 1_000, 2_000),
        fractions=(0.25, 0.5),
        learning_rate=0.1,
        batch_size=50,
        max_epochs=200,
    ),
    "paper": Config(),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains every width and every number of examples with all noise; leaves table and figures."""
    dataset = averaged(data.load(config.dataset, num_test=config.num_test), config.pool)
    about = data.describe(data.subset(dataset, config.num_train, seed=0))
    places = places_of(config)
    settings = [
        {"width": width, "num_train": size, "noise": noise, "fraction": fraction, "seed": seed}
        for width, size in places
        for noise, fraction in noises(config)
        for seed in config.seeds
    ]
    factors = {label(setting): setting for setting in settings}
    groups = [group(config, dataset, width, size, factors) for width, size in dict.fromkeys(places)]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    table = [
        {**factors[result.run.label], **reached(result)}
        for results in trained
        for result in results
    ]
    by_width = [row for row in table if row["num_train"] == config.num_train]
    by_size = [row for row in table if row["width"] == config.width]
    where = f"of {dataset.name}, two layers"
    for name, rows, x, y, caption, title in (
        (
            "accuracy",
            [row for row in by_width if row["width"] in config.widths],
            "width",
            "test_accuracy",
            f"{config.num_train:,} images {where}; at the end of training",
            "Accuracy on real test images against the width",
        ),
        (
            "accuracy_examples",
            [row for row in by_size if row["num_train"] in config.sizes],
            "num_train",
            "test_accuracy",
            f"{config.width} units, images {where}; at the end of training",
            "Accuracy on real test images against the number of examples",
        ),
        (
            "time_width",
            [row for row in by_width if row["width"] in config.widths],
            "width",
            "epochs_to_fit",
            f"{config.num_train:,} images {where}; a place that a seed did not fit is left out",
            "Time to fit against the width",
        ),
        (
            "time_examples",
            [row for row in by_size if row["num_train"] in config.sizes],
            "num_train",
            "epochs_to_fit",
            f"{config.width} units, images {where}; a place that a seed did not fit is left out",
            "Time to fit against the number of examples",
        ),
    ):
        figure = viz.lines(
            shown(rows),
            x=x,
            y=y,
            by="noisy",
            panel="panel",
            log=("width", "num_train", "epochs_to_fit"),
            markers=True,
            share_y=True,
            caption=caption,
            title=title,
        )
        out.save_figure(name, figure)
    summary = tables.summarize(
        table,
        ["width", "num_train", "noise", "fraction"],
        {
            "epochs to fit": Column("epochs_to_fit", 0, above=f"> {config.max_epochs}"),
            "train accuracy": Column("train_accuracy", 1, unit="%", above="diverged"),
            "test accuracy": Column("test_accuracy", 1, unit="%", above="diverged"),
            "best": Column("best_test_accuracy", 1, unit="%", above="diverged"),
        },
    )
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


def places_of(config: Config) -> list[tuple[int, int]]:
    """Widths and numbers of examples, each pair once."""
    by_width = [(width, config.num_train) for width in config.widths]
    return list(dict.fromkeys([*by_width, *((config.width, size) for size in config.sizes)]))


def noises(config: Config) -> list[tuple[str, float]]:
    """What is noise, and what fraction of it."""
    return [(NONE, 0.0)] + [
        (noise, fraction) for noise in (INPUTS, LABELS) for fraction in config.fractions
    ]


def label(setting: dict[str, Any]) -> str:
    """Names a training in files and messages."""
    noise = f"{setting['noise']}={setting['fraction']:g}" if setting["fraction"] else "no noise"
    return (
        f"{setting['width']} units, {setting['num_train']} images, {noise}, seed={setting['seed']}"
    )


def group(
    config: Config, dataset: Dataset, width: int, size: int, factors: dict[str, dict[str, Any]]
) -> Group:
    """The trainings of a width and number of examples: one compiled program."""
    part = data.subset(dataset, size, seed=0)
    mine = {
        name: setting
        for name, setting in factors.items()
        if (setting["width"], setting["num_train"]) == (width, size)
    }
    return Group(
        model=models.mlp((width, width), num_classes=dataset.num_classes),
        make_optimizer=optim.sgd,
        dataset=part,
        runs=[
            Run(
                init_seed=setting["seed"],
                dataset=functools.partial(noisy, part, **setting),
                hparams={"learning_rate": config.learning_rate},
                label=name,
            )
            for name, setting in mine.items()
        ],
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        transform=transforms.unit_scale(),
        stop=accuracy_reached(1.0),
        record="last",
    )


def noisy(dataset: Dataset, *, noise: str, fraction: float, seed: int, **_: Any) -> Dataset:
    """The data set with noise; its images are float32 in every case, for one compiled program."""
    changed = data.noise_inputs(dataset, fraction if noise == INPUTS else 0.0, seed=seed)
    return data.random_labels(changed, fraction if noise == LABELS else 0.0, seed=seed)


def reached(result: Result) -> dict[str, Any]:
    """What a training has reached; ``None`` where it diverged."""
    last, ended = result.history[-1], result.status != "diverged"
    best = max(row["test_accuracy"] for row in result.history)
    return {
        "status": result.status,
        "epochs_to_fit": last["epoch"] if result.status == "fitted" else None,
        "train_accuracy": last["train_accuracy"] if ended else None,
        "test_accuracy": last["test_accuracy"] if ended else None,
        "best_test_accuracy": best if ended else None,
    }


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the figures: a panel for each noise, with no noise in both."""
    return [
        {**row, "panel": panel, "noisy": f"{100 * row['fraction']:g} % noise"}
        for panel in (INPUTS, LABELS)
        for row in rows
        if row["noise"] in (NONE, panel)
    ]


if __name__ == "__main__":
    cli.main(run, PRESETS)
