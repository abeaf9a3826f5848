"""The digit network: 784-16-16-10, and two others beside it.

Claims: two layers of 16 sigmoid units read handwritten digits; what the first layer weights is
hardly strokes; another loss, activation and width do better; and the net is sure of noise, too.

Source: the course's net (784-16-16-10, after 3Blue1Brown, "But what is a neural network?", 2017);
Nielsen, Neural Networks and Deep Learning, 2015, chapter 1 ([784, 30, 10], learning rate 3, batch
10, 30 epochs, standard normal weights and biases).

Expected on MNIST: the course says about 96 % for its net; here mean >= 94.5 % and best >= 95 % over
seeds are asked. Nielsen's 95.42 % is the best of three, on 50,000 training images, where ours are
all 60,000; mean >= 94.5 % is asked. The third net is to pass 98 %.

  course   64 or 784-16-16-10, sigmoid units, also the outputs; squared error
  nielsen  784-30-10, the same, but standard normal start
  modern   784-512-10, ReLU, softmax and cross-entropy, momentum 0.9
  squared error: sum over the outputs of (y - t)^2 / 2, mean over the batch, t one-hot

Command: python experiments/foundations/digit_net.py --preset smoke
  smoke  digits (in the package, 8x8), two seeds, ten epochs; seconds
  cpu    MNIST, five seeds, 30 epochs; minutes on two cores

Left open by the course: batch (10) and epochs (30), here as Nielsen's; start (uniform Kaiming); and
the rate of its net. Rates are compared on five sixths of the training images, with the last sixth
held out, another one for every seed; on MNIST the held-out images chose 0.3, and the table of the
comparison is printed beside the results. Then it is trained on all of them. "confidence" is the
largest output: of sigmoids, or of the softmax. Noise is uniform over 0..255 in every pixel. Test
accuracy is that of the last epoch. The pictures are of the first training that did not diverge.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import (
    Group,
    Model,
    Run,
    cli,
    data,
    fit_groups,
    layers,
    models,
    optim,
    tables,
    transforms,
    viz,
)
from rote.combinators import serial
from rote.core import Dataset, unknown_name
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import best_rate, ending
from rote.studies.split import part_to_train_on
from rote.tables import Column
from rote.train import Result, cross_entropy, make_forward


class Net(NamedTuple):
    """A network with its recipe."""

    widths: tuple[int, ...]
    activation: Callable[[jax.Array], jax.Array]
    init: layers.Init
    squared: bool
    make_optimizer: Callable[..., optax.GradientTransformation]
    learning_rate: float | None
    batch_size: int


ACCURACIES = ("train_accuracy", "held_out_accuracy", "test_accuracy")
_standard_normal = jax.nn.initializers.normal(1.0)
NETS = {
    "course": Net((16, 16), jax.nn.sigmoid, layers.uniform_kaiming, True, optim.sgd, None, 10),
    "nielsen": Net(
        (30,),
        jax.nn.sigmoid,
        layers.Init(_standard_normal, lambda n_in: _standard_normal),
        True,
        optim.sgd,
        3.0,
        10,
    ),
    "modern": Net((512,), jax.nn.relu, layers.he_normal, False, optim.momentum, 0.05, 64),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the digit network."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist."""
    nets: tuple[str, ...] = tuple(NETS)
    """Which networks: course, nielsen, modern."""
    seeds: tuple[int, ...] = (0, 1)
    """Of initialization and data order."""
    learning_rate: float = 3.0
    """Of the course's net."""
    rates: tuple[float, ...] = (0.3, 3.0)
    """Rates at which the course's net is compared, with a sixth of the training images held out."""
    max_epochs: int = 10
    """Epochs of every network."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    noise: int = 1000
    """Images of noise."""

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("nets", "seeds", "rates"):
            check_list(name, getattr(self, name))
        for name in ("max_epochs", "noise", "learning_rate"):
            check_positive(name, getattr(self, name))
        for rate in self.rates:
            check_positive("rates", rate)
        for name in self.nets:
            if name not in NETS:
                raise unknown_name("net", name, NETS)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist",
        seeds=(0, 1, 2, 3, 4),
        learning_rate=0.3,
        rates=(0.1, 0.3, 1.0, 3.0),
        max_epochs=30,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains the networks; leaves tables and pictures of weights, errors and confidence."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    groups = [group_of(config, name, dataset) for name in config.nets]
    if "course" in config.nets:
        groups.append(comparison_of(config, dataset))
    names = [*config.nets, "course"]
    factors = {
        each.label: {"net": name, "seed": each.init_seed, **each.hparams}
        for name, group in zip(names, groups, strict=False)
        for each in group.runs
    }
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    compared = [
        {**factors[result.label], "step": result.history[-1]["step"], **ending(result, ACCURACIES)}
        for group in trained[len(config.nets) :]
        for result in group
    ]
    noise = np.random.default_rng(0).integers(
        0, 256, (config.noise, *dataset.image_shape), np.uint8
    )
    table: list[dict[str, Any]] = []
    sure: dict[str, dict[str, np.ndarray]] = {}
    for name, results in zip(config.nets, trained, strict=False):
        for result in results:
            row = {
                **factors[result.run.label],
                "num_params": sum(np.size(leaf) for leaf in jax.tree.leaves(result.params)),
                **ending(result, ACCURACIES),
                **dict.fromkeys(("sure_right", "sure_wrong", "sure_noise")),
            }
            table.append(row)
            if result.status == "diverged":
                continue
            on_digits, on_noise = (
                outputs(name, result, images) for images in (dataset.test.images, noise)
            )
            right = on_digits.argmax(1) == dataset.test.labels
            row["sure_right"] = float(on_digits.max(1)[right].mean()) if right.any() else None
            row["sure_wrong"] = float(on_digits.max(1)[~right].mean()) if not right.all() else None
            row["sure_noise"] = float(on_noise.max(1).mean())
            kinds = sure.setdefault(name, {})
            for kind, found in (("digits", on_digits), ("noise", on_noise)):
                kinds[kind] = np.concatenate([kinds.get(kind, np.zeros(0)), found.max(1)])
        shown = next((result for result in results if result.status != "diverged"), None)
        if shown is not None:
            save_pictures(out, name, shown, dataset)
    if sure:
        out.save_figure("confidence", viz.confidences(sure, title=f"How sure: {config.dataset}"))
    summary = tables.summarize(
        table,
        ["net", "num_params"],
        {
            "train accuracy": Column("train_accuracy", 2, unit="%", above="diverged"),
            "test accuracy": Column("test_accuracy", 2, unit="%", above="diverged"),
            "sure, right": Column("sure_right", 3),
            "sure, wrong": Column("sure_wrong", 3),
            "sure, noise": Column("sure_noise", 3),
        },
    )
    known = [row for row in table if row["test_accuracy"] is not None]
    best = [
        f"best of {name}: {100 * max(found):.2f} %"
        for name in config.nets
        for found in [[row["test_accuracy"] for row in known if row["net"] == name]]
        if found
    ]
    rates = tables.summarize(
        compared,
        ["net", "learning_rate"],
        {
            "train accuracy": Column("train_accuracy", 2, unit="%", above="diverged"),
            "held-out accuracy": Column("held_out_accuracy", 2, unit="%", above="diverged"),
        },
    )
    parts = [tables.format_table(summary), "\n".join(best)]
    if rates:
        by_rate = [{**row, "rate": row["learning_rate"]} for row in compared]
        parts += [
            "trained on five sixths:",
            tables.format_table(rates),
            f"the held-out images choose {best_rate(by_rate):g}; trained above with "
            f"--learning-rate {config.learning_rate:g}",
        ]
    out.finish(
        "\n\n".join(filter(None, parts)),
        table=table,
        summary=summary,
        compared=compared,
        data=data.describe(dataset),
    )


def build(name: str, num_classes: int) -> Model:
    """A network; its outputs are sigmoids where it is trained on the squared error."""
    net = NETS[name]
    body = models.mlp(net.widths, num_classes=num_classes, activation=net.activation, init=net.init)
    return serial(body=body, outputs=layers.activation(jax.nn.sigmoid)) if net.squared else body


def squared_error(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """``[B]``: the sum over the outputs ``[B, K]`` of ``(y - t)^2 / 2``, with ``t`` one-hot."""
    wanted = jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)
    return jnp.sum(optax.losses.l2_loss(outputs, wanted), axis=-1)


def group_of(config: Config, name: str, dataset: Dataset) -> Group:
    """The trainings of a network, one per seed."""
    net = NETS[name]
    rate = net.learning_rate or config.learning_rate
    return Group(
        model=build(name, dataset.num_classes),
        make_optimizer=net.make_optimizer,
        dataset=dataset,
        runs=[
            Run(init_seed=seed, hparams={"learning_rate": rate}, label=f"{name} seed={seed}")
            for seed in config.seeds
        ],
        batch_size=net.batch_size,
        max_epochs=config.max_epochs,
        transform=transforms.unit_scale(),
        loss_fn=squared_error if net.squared else cross_entropy,
        record="last",
    )


def comparison_of(config: Config, dataset: Dataset) -> Group:
    """Trainings of the course's net at every rate, on five sixths of the training images."""
    runs = [
        Run(
            init_seed=seed,
            subset=part_to_train_on(len(dataset.train.labels), 1 / 6, seed),
            hparams={"learning_rate": rate},
            label=f"compared rate={rate:g} seed={seed}",
        )
        for rate in config.rates
        for seed in config.seeds
    ]
    return dataclasses.replace(group_of(config, "course", dataset), runs=runs)


def outputs(name: str, result: Result, images: np.ndarray) -> np.ndarray:
    """``[n, K]``: sigmoids, or the softmax."""
    forward = make_forward(build(name, result.data.num_classes), transforms.unit_scale())
    said, _ = forward(result.params, result.state, images, train=False)
    return np.asarray(said if NETS[name].squared else jax.nn.softmax(said))


def save_pictures(out: cli.Job, name: str, result: Result, dataset: Dataset) -> None:
    """What the first layer weights, and what the net reads wrongly."""
    body = result.params["body"] if NETS[name].squared else result.params
    kernel = np.asarray(body["hidden1"]["dense"]["kernel"])
    weights = kernel.T[:32].reshape(-1, *dataset.image_shape)
    figure = viz.image_grid(
        weights,
        signed=True,
        caption="blue: negative, red: positive; each image with its own scale",
        title=f"{name}: weights of the first layer",
    )
    out.save_figure(f"weights_{name}", figure)
    said = outputs(name, result, dataset.test.images)
    wrong = np.flatnonzero(said.argmax(1) != dataset.test.labels)
    # The surest errors first.
    wrong = wrong[np.argsort(-said[wrong].max(1), kind="stable")][:24]
    if len(wrong):
        figure = viz.image_grid(
            dataset.test.images[wrong],
            [f"{dataset.test.labels[i]} read as {said[i].argmax()}" for i in wrong],
            caption="the errors that one training is surest of; each image is there once",
            title=f"{name}: images of {dataset.name} that it reads wrongly",
        )
        out.save_figure(f"errors_{name}", figure)


if __name__ == "__main__":
    cli.main(run, PRESETS)
