"""Accuracy against cost: the networks of the catalogue on one data set, as a bubble chart.

Claims: a larger net is not a better one, and neither is one that computes more: convolutions buy
more accuracy for a parameter than dense layers do, and pay with operations. The number of
operations tells roughly, and only roughly, how long an image takes.

Source: Canziani, Paszke and Culurciello, "An analysis of deep neural network models for practical
applications", 2016 (the chart; "the number of operations is a reliable estimate of the inference
time"); Bianco et al. 2018.

Expected: no numbers for these nets and data. If operations told the time, log time over log
operations would be a line with R² = 1, and every net would do equally many operations a second.

  multiply-adds  of one forward pass of one image, counted from the computation itself (matrix
                 products and convolutions; see rote.summary). Charts like this one often have
                 "FLOPs" on the axis and mean these; a multiply-add is two floating-point operations
  time           of an image in a batch, forward, in evaluation mode, on this machine: the nets take
                 turns, and the median over the rounds counts
  depth          layers with weights on the way from input to output, as the papers count them

Command: python experiments/foundations/accuracy_vs_cost.py --preset smoke
  smoke  digits (in the package), four networks, one seed, ten epochs; seconds
  cpu    CIFAR-10, 2,000 images averaged to 16x16, nine networks, two seeds; minutes

Left open by the course: the nets, the data, the training (Adam, rate 0.001, as long for every
net), batch (50 in training, 100 where time is measured).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rote import Dataset, Group, Run, cli, data, fit_groups, optim, summary, tables, viz
from rote.core import Split
from rote.studies import catalog, zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import alternate, averaged
from rote.tables import Column
from rote.train import Result, make_forward


class Milestone(NamedTuple):
    """A net that made history.

    Attributes:
      year: of its publication.
      net: its name.
      layers: with weights, from input to output, as its paper counts them.
      num_params: about how many.
      data: what it was known for.
      error: published test error there, in percent; of ImageNet the top-5 error.
      voters: how many nets' mean prediction has that error; 1 where it is the net's own.
      source: where that stands.
    """

    year: int
    net: str
    layers: int
    num_params: float
    data: str
    error: float
    voters: int
    source: str


MILESTONES = (
    Milestone(1998, "LeNet-5", 7, 60e3, "MNIST", 0.95, 1, "LeCun et al., Proc. IEEE 86"),
    Milestone(2012, "AlexNet", 8, 60e6, "ImageNet", 15.3, 7, "Krizhevsky et al., NIPS"),
    Milestone(2014, "VGG-19", 19, 144e6, "ImageNet", 7.3, 7, "Simonyan, Zisserman, 1409.1556"),
    Milestone(2014, "GoogLeNet", 22, 7e6, "ImageNet", 6.67, 7, "Szegedy et al., 1409.4842"),
    Milestone(2015, "ResNet-152", 152, 60e6, "ImageNet", 3.57, 6, "He et al., 1512.03385"),
    Milestone(2015, "ResNet-1202", 1202, 19.4e6, "CIFAR-10", 7.93, 1, "He et al., 1512.03385"),
    Milestone(
        2016, "WRN-28-10", 28, 36.5e6, "CIFAR-10", 4.0, 1, "Zagoruyko, Komodakis, 1605.07146"
    ),
)
"""From the papers, not measured here. The six ResNets are of different depth, and two of them have
152 layers; the seven VGGs have 16 or 19. LeNet-5's subsampling has weights, and its paper counts
it."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the comparison."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, cifar10, any TFDS set."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_test: int | None = None
    """Test on the first so many; None: on all."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    models: tuple[str, ...] = ("mlp_1x8", "mlp_1x512", "mlp_3x512", "cnn_16_32")
    """Networks of the catalogue."""
    learning_rate: float = 0.001
    """Of Adam."""
    batch_size: int = 50
    """Examples per step."""
    max_epochs: int = 10
    """Epochs of every network."""
    seeds: tuple[int, ...] = (0,)
    """Of initialization and data order."""
    timed_batch: int = 100
    """Images of a forward pass that is timed."""
    rounds: int = 15
    """How often each net is timed."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        check_list("models", self.models)
        for name in (
            "pool",
            "learning_rate",
            "batch_size",
            "max_epochs",
            "timed_batch",
            "rounds",
        ):
            check_positive(name, getattr(self, name))
        if self.num_test is not None:
            check_positive("num_test", self.num_test)
        for name in self.models:
            catalog.check(name)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        num_train=2_000,
        num_test=1_000,
        pool=2,
        models=(
            "mlp_1x8",
            "mlp_1x512",
            "mlp_3x512",
            "cnn_16_32",
            "cnn",
            "cnn_no_bn",
            "alexnet_small",
            "resnet_8",
            "resnet_20",
        ),
        max_epochs=10,
        seeds=(0, 1),
        rounds=30,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains, counts and times the networks; leaves a table and three charts."""
    dataset = load(config)
    groups = [group_of(config, name, dataset) for name in config.models]
    factors = {
        each.label: {"model": name, "seed": each.init_seed}
        for name, group in zip(config.models, groups, strict=True)
        for each in group.runs
    }
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    costs = {
        name: cost_of(group, results[0])
        for name, group, results in zip(config.models, groups, trained, strict=True)
    }
    passes = {
        name: forward_pass(config, group, results[0])
        for name, group, results in zip(config.models, groups, trained, strict=True)
    }
    times = {
        name: [seconds / config.timed_batch for seconds in taken]
        for name, taken in alternate(passes, config.rounds).items()
    }
    table: list[dict[str, Any]] = [
        {
            **factors[result.run.label],
            **costs[name],
            "train_accuracy": result.history[-1]["train_accuracy"],
            "test_accuracy": result.history[-1]["test_accuracy"],
        }
        for name, results in zip(config.models, trained, strict=True)
        for result in results
    ]
    chart: list[dict[str, Any]] = [
        {
            "model": name,
            **costs[name],
            "test_accuracy": float(
                np.mean([row["test_accuracy"] for row in table if row["model"] == name])
            ),
            "microseconds an image": 1e6 * float(np.median(times[name])),
        }
        for name in config.models
    ]
    save_charts(out, chart, dataset)
    summaries = tables.summarize(
        table,
        ["model", "parameters", "multiply-adds"],
        {
            "train accuracy": Column("train_accuracy", 1, unit="%"),
            "test accuracy": Column("test_accuracy", 1, unit="%"),
        },
    )
    for line, row in zip(summaries, chart, strict=True):
        low, high = 1e6 * np.quantile(np.array(times[row["model"]]), [0.25, 0.75])
        middle = row["microseconds an image"]
        line["microseconds an image"] = f"{middle:.3g} ({low:.3g} to {high:.3g})"
        line["billions a second"] = f"{row['multiply-adds'] / middle / 1e3:.2g}"
    milestones = [milestone._asdict() for milestone in MILESTONES]
    text = [
        tables.format_table(summaries),
        f"median over {config.rounds} rounds of {config.timed_batch} images (quartiles)",
        *verdict(chart),
        tables.format_table(
            [{**row, "num_params": f"{row['num_params']:,.0f}"} for row in milestones]
        ),
    ]
    about = data.describe(dataset)
    out.finish(
        "\n\n".join(text), table=table, times=times, chart=chart, summary=summaries, data=about
    )


def load(config: Config) -> Dataset:
    """The data set, with smaller images and fewer test images where that is asked for."""
    dataset = averaged(data.load(config.dataset, num_train=config.num_train), config.pool)
    if config.num_test is None:
        return dataset
    test = Split(*(array[: config.num_test] for array in dataset.test))
    cut = {"operation": "first test images", "count": config.num_test}
    return dataclasses.replace(dataset, test=test, provenance=(*dataset.provenance, cut))


def group_of(config: Config, name: str, dataset: Dataset) -> Group:
    """The trainings of a network, one per seed."""
    return Group(
        model=catalog.build(name, dataset.num_classes),
        make_optimizer=functools.partial(optim.adam, config.learning_rate),
        dataset=dataset,
        runs=[Run(init_seed=seed, label=f"{name} seed={seed}") for seed in config.seeds],
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        transform=zhang2017.preprocessing(dataset.image_shape, "none"),
        record="last",
    )


def cost_of(group: Group, result: Result) -> dict[str, int]:
    """Parameters, and multiply-adds of an image."""
    images = jax.ShapeDtypeStruct((1, *result.data.image_shape), "float32")
    x = jax.eval_shape(lambda images: group.transform(images, train=False), images)
    found = summary(group.model, x)
    return {"parameters": found.params, "multiply-adds": found.multiply_adds}


def forward_pass(config: Config, group: Group, result: Result) -> Callable[[], Any]:
    """A forward pass of a batch, compiled; it returns when it is done."""
    forward = jax.jit(functools.partial(make_forward(group.model, group.transform), train=False))
    images = jax.numpy.asarray(
        np.resize(group.dataset.test.images, (config.timed_batch, *result.data.image_shape))
    )
    return lambda: jax.block_until_ready(forward(result.params, result.state, images))


def save_charts(out: cli.Job, chart: Sequence[Mapping[str, Any]], dataset: Dataset) -> None:
    """Accuracy and time over multiply-adds, and depth over the years."""
    height, width, _ = dataset.image_shape
    images = f"{dataset.name}, {len(dataset.train.labels):,} images of {height}x{width}"
    figure = viz.bubbles(
        chart,
        x="multiply-adds",
        y="test_accuracy",
        size="parameters",
        label="model",
        log=("multiply-adds",),
        title=f"Accuracy against cost: {images}",
    )
    out.save_figure("accuracy", figure)
    figure = viz.bubbles(
        chart,
        x="multiply-adds",
        y="microseconds an image",
        size="parameters",
        label="model",
        log=("multiply-adds", "microseconds an image"),
        caption="median of rounds in turn, forward pass",
        title="Time against multiply-adds, of an image",
    )
    out.save_figure("time", figure)
    figure = viz.bubbles(
        [{**row._asdict(), "parameters": row.num_params} for row in MILESTONES],
        x="year",
        y="layers",
        size="parameters",
        label="net",
        log=("layers",),
        caption="from the papers",
        title="Depth over the years",
    )
    out.save_figure("depth", figure)


def verdict(chart: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the chart says of the claims: who is beaten at lower cost, and whether work is time."""
    beaten = [
        f"{row['model']} by {better['model']}"
        for row in chart
        for better in [
            max(
                (
                    other
                    for other in chart
                    if all(other[cost] <= row[cost] for cost in ("parameters", "multiply-adds"))
                ),
                key=lambda other: other["test_accuracy"],
            )
        ]
        if better["test_accuracy"] > row["test_accuracy"]
    ]
    lines = [f"beaten with fewer parameters and multiply-adds: {'; '.join(beaten) or 'none'}"]
    work = [row["multiply-adds"] for row in chart]
    if len(set(work)) > 2:
        times = [row["microseconds an image"] for row in chart]
        r2 = np.corrcoef(np.log(work), np.log(times))[0, 1] ** 2
        speeds = [row["multiply-adds"] / row["microseconds an image"] for row in chart]
        lines.append(
            f"log time over log multiply-adds, {len(chart)} nets: R² = {r2:.2f}; multiply-adds a "
            f"second differ by a factor of {max(speeds) / min(speeds):.0f}"
        )
    return lines


if __name__ == "__main__":
    cli.main(run, PRESETS)
