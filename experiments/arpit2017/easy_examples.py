"""Which examples a net gets right after one epoch: with real data, nearly every net the same ones.

Claim: after one epoch, nets that differ in initialization and data order agree on which real
examples are easy: they are the ones that simple patterns explain. With noise as inputs all examples
are equally hard, so that the number of nets that are wrong on one is near binomial. With real
inputs and random labels it is less so.

Source: Arpit et al. 2017 (arXiv 1706.05394), section 3.1, Fig. 1: the share of 100 nets that
misclassify each of 1,000 examples, sorted, beside that of a binomial distribution.

Expected: a curve from near 0 to near 1 for real data; for random inputs a flat one, like the
binomial distribution's; random labels between them. The paper prints no numbers.

  data        real; random inputs (randX: every training image Gaussian noise with the data's mean
              and variance, the labels as they are); random labels (randY: every label redrawn)
  error rate  mean share of the nets that misclassify an example, as to the label trained on
  distance    of the error rates to the binomial distribution with their mean: the mean horizontal
              difference of the two sorted curves; see rote.measure.error_agreement
  by chance   the distance that as many examples have in the mean if all are equally hard
  dispersion  variance of the error rates over that of the binomial distribution
  split half  correlation over the examples of the error rates of half the nets with the others'
  loss        training loss before and after the epoch

Command: python experiments/arpit2017/easy_examples.py --preset smoke
  smoke  digits (in the package), 30 nets of 2x64 units, three seeds; 13 s of processor time
  cpu    MNIST, 10,000 images, 100 nets of 2x256 units, three seeds; 4 minutes on two cores,
         2 GB of memory
  paper  MNIST, all images, 100 nets of 2x4096 units, three seeds; has not been run: 1e16
         operations, by a GPU's data sheet a quarter of an hour; 16 GB of memory for a data set's
         nets

What the paper leaves open, or is not known here, and what is taken: which data set, MNIST; whether
the 1,000 examples are all that is trained on, they are the first of them; batches of 32 in "cpu",
128 in "paper"; pixels are divided by 255. The rate of 0.01 is the paper's.

A seed draws the noise, the labels and 100 nets; the draws of nets are the same for all three data
sets. The 100 nets of a seed and a data set are trained by one call of fit_runs. What each call
measured is kept, and a run that is killed goes on after the last of them.
"""

import dataclasses
import sys
import time
from typing import Any

import numpy as np

from rote import cli, data, measure, models, optim, tables, transforms, viz
from rote.core import Dataset, InputError, Model
from rote.studies.config import check_positive, check_seeds
from rote.tables import Column
from rote.train import Run, fit_runs


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the easy examples."""

    dataset: str = "mnist"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    num_train: int | None = 10_000
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_examples: int = 1_000
    """Of which the first so many are looked at."""
    num_nets: int = 100
    """Nets for each data set and seed."""
    width: int = 256
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    learning_rate: float = 0.01
    """Of SGD without momentum, constant."""
    batch_size: int = 32
    """Examples per step."""
    epochs: int = 1
    """Epochs after which the nets are looked at."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the noise, the labels, and the nets."""

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.num_nets < 2:
            raise InputError(f"num_nets: {self.num_nets}; expected at least 2")
        check_seeds(self.seeds, 2**32 // self.num_nets)
        for name in ("num_examples", "width", "depth", "batch_size", "epochs", "learning_rate"):
            check_positive(name, getattr(self, name))


PRESETS = {
    "smoke": Config(
        dataset="digits",
        num_train=None,
        num_examples=500,
        num_nets=30,
        width=64,
        learning_rate=0.1,
    ),
    "cpu": Config(),
    "paper": Config(num_train=None, width=4096, batch_size=128),
}

DATA = {
    "real": lambda dataset, seed: dataset,
    "random inputs": lambda dataset, seed: data.noise_inputs(dataset, 1.0, seed=seed),
    "random labels": lambda dataset, seed: data.random_labels(dataset, 1.0, seed=seed),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains the nets on every data set; leaves a table and a figure."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    if config.num_examples > len(dataset.train.labels):
        raise InputError(
            f"num_examples: {config.num_examples:,}; expected at most the "
            f"{len(dataset.train.labels):,} that are trained on"
        )
    parts = measured(config, dataset, out)
    about = data.describe(dataset)
    figure = viz.lines(
        curves(parts),
        x="examples_by_error_rate",
        y="error_rate",
        by="data",
        reference="binomial",
        caption=(
            f"{config.num_nets} nets of {config.depth}x{config.width} units, "
            f"{about['num_train']:,} images of {dataset.name}, {config.epochs} epoch"
            f"{'s' * (config.epochs > 1)}; binomial: as many "
            "trials with the mean error rate of random inputs"
        ),
        title="Share of the nets that are wrong on each example",
    )
    out.save_figure("easy_examples", figure)
    table = [{key: value for key, value in part.items() if key != "error_rates"} for part in parts]
    summary = tables.summarize(
        table,
        ["data"],
        {
            "error rate": Column("error_rate", 1, unit="%"),
            "distance": Column("distance", 4),
            "by chance": Column("chance_distance", 4),
            "dispersion": Column("dispersion", 2),
            "split half": Column("split_half", 3),
            "loss before": Column("initial_loss", 3),
            "loss after": Column("train_loss", 3),
        },
    )
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


def measured(config: Config, dataset: Dataset, out: cli.Job) -> list[dict[str, Any]]:
    """A row for each data set and seed; those that an earlier call has measured are kept."""
    names = [f"{name} seed={seed}" for seed in config.seeds for name in DATA]
    model = models.mlp((config.width,) * config.depth, num_classes=dataset.num_classes)
    kept = out.kept()
    for name in names:
        if name not in kept:
            begin = time.perf_counter()
            kind, _, seed = name.partition(" seed=")
            kept[name] = row(config, model, dataset, kind, int(seed), out)
            out.keep(name, kept[name])
            print(
                f"[{sum(each in kept for each in names)}/{len(names)}] {name}: error rate "
                f"{100 * kept[name]['error_rate']:.1f} %, distance {kept[name]['distance']:.4f}, "
                f"{time.perf_counter() - begin:.0f} s",
                file=sys.stderr,
            )
    return [kept[name] for name in names]


def row(
    config: Config, model: Model, dataset: Dataset, kind: str, seed: int, out: cli.Job
) -> dict[str, Any]:
    """What the nets of a seed get wrong of a data set."""
    first, hparams = config.num_nets * seed, {"learning_rate": config.learning_rate}
    results = fit_runs(
        model,
        optim.sgd,
        DATA[kind](dataset, seed),
        [Run(first + net, hparams=hparams) for net in range(config.num_nets)],
        batch_size=config.batch_size,
        max_epochs=config.epochs,
        transform=transforms.unit_scale(),
        record="last",
        execution=dataclasses.replace(out.execution, checkpoints=None),
    )
    diverged = sum(result.status == "diverged" for result in results)
    if diverged:
        raise InputError(
            f"learning_rate: {config.learning_rate}; {diverged} of {len(results)} nets diverged; "
            "expected one with which all train"
        )
    wrong = np.array([result.record.predicted[-1] != result.data.labels for result in results])[
        :, : config.num_examples
    ]
    found = measure.error_agreement(wrong)
    error_rate = float(found.error_rate.mean())
    return {
        "data": kind,
        "seed": seed,
        "num_nets": config.num_nets,
        "num_examples": config.num_examples,
        "error_rate": error_rate,
        "distance": found.distance,
        "chance_distance": measure.distance_of_equals(
            config.num_nets, error_rate, config.num_examples
        ),
        "dispersion": number(found.dispersion),
        "split_half": number(found.split_half),
        "initial_loss": float(np.mean([result.history[0]["train_loss"] for result in results])),
        "train_loss": float(np.mean([result.history[-1]["train_loss"] for result in results])),
        "error_rates": np.sort(found.error_rate).tolist(),
    }


def number(value: float) -> float | None:
    """``None`` where there is none, as JSON has it."""
    return value if np.isfinite(value) else None


def curves(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sorted error rates, and those of a binomial distribution beside random inputs."""
    sorted_rates = [(part["data"], part["error_rates"]) for part in parts]
    for part in parts:
        if part["data"] == "random inputs":
            rng = np.random.default_rng(part["seed"])
            drawn = rng.binomial(part["num_nets"], part["error_rate"], part["num_examples"])
            sorted_rates.append(("binomial", np.sort(drawn / part["num_nets"]).tolist()))
    return [
        {"data": name, "examples_by_error_rate": example, "error_rate": rate}
        for name, rates in sorted_rates
        for example, rate in enumerate(rates, 1)
    ]


if __name__ == "__main__":
    cli.main(run, PRESETS)
