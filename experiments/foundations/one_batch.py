"""The sanity check: every net memorises one mini-batch, and a planted bug shows.

Claim: before a long training, train on one mini-batch. What is wrong with a loop, a loss or a net
mostly shows there in seconds: the loss stays. That the labels are wrong does not show, as long as
they stay the same: wrong labels are memorised like right ones, which is the point of this project.

Source: practice (A. Karpathy, "A recipe for training neural networks", 2019, "overfit one batch");
Zhang et al. 2017 for the labels.

Expected: cross-entropy below 1e-3 and 100 % for every family, with true and with random labels;
with a planted bug the loss stays above: labels redrawn before every step at about log 10 = 2.3, a
learning rate of 0 where it began, dead units at the entropy of the batch's labels, softmax applied
twice at log(1 + 9/e) = 1.46 (though every label is right: what goes from 0 to 1 is taken for
logits).

Command: python experiments/foundations/one_batch.py --preset smoke
  smoke  one batch of 16 digits, four families; half a minute on two cores
  cpu    every family of the catalogue, batch of 32 of CIFAR-10, three seeds

Left open by the course: the batch (16), the optimizer (Adam, rate 0.001), how many steps (500; at
full size 1,000, because in 500 some of the residual nets had every label right and a loss of 0.0013
still), and which net carries the bugs (MLP 1x512). The loss is that of training mode (batch
statistics of this batch).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rote import Batch, Model, cli, data, layers, models, optim, tables, viz
from rote.combinators import serial
from rote.core import unknown_name
from rote.studies import catalog, zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import OneBatch, overfit_one_batch
from rote.tables import Column

BUGS = ("labels redrawn", "softmax twice", "dead ReLUs", "learning rate 0")
LABELS = ("true", "random")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the check."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, cifar10, any TFDS set."""
    models: tuple[str, ...] = ("mlp_1x512", "cnn", "alexnet_small", "resnet_8")
    """Networks to check."""
    bugs: tuple[str, ...] = BUGS
    """Bugs to plant: labels redrawn, softmax twice, dead ReLUs, learning rate 0."""
    batch_size: int = 16
    """Examples of the batch."""
    learning_rate: float = 0.001
    """Of Adam."""
    steps: int = 500
    """At most so many."""
    seeds: tuple[int, ...] = (0,)
    """Of batch, labels and initialization."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("models", "bugs"):
            check_list(name, getattr(self, name))
        for name in ("batch_size", "steps", "learning_rate"):
            check_positive(name, getattr(self, name))
        for name in self.models:
            catalog.check(name)
        for name in self.bugs:
            if name not in BUGS:
                raise unknown_name("bug", name, BUGS)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        models=(
            "mlp_1x512",
            "mlp_3x512",
            "cnn",
            "cnn_no_bn",
            "alexnet_small",
            "inception_small",
            "inception_small_no_bn",
            "resnet_8",
            "resnet_20",
            "wide_resnet_28_1",
        ),
        batch_size=32,
        steps=1000,
        seeds=(0, 1, 2),
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Checks every net with true and random labels, and one net with every bug."""
    dataset = data.load(config.dataset)
    table, curves = [], []
    for seed in config.seeds:
        random = np.random.default_rng(seed)
        chosen = random.choice(len(dataset.train.labels), config.batch_size, replace=False)
        images = dataset.train.images[chosen]
        labels = {
            "true": dataset.train.labels[chosen],
            "random": random.integers(0, dataset.num_classes, config.batch_size).astype(np.int32),
        }
        checks: list[tuple[str, str, str]] = [
            *((name, kind, "none") for name in config.models for kind in LABELS),
            *(("mlp_1x512", "true", bug) for bug in config.bugs),
        ]
        for name, kind, bug in checks:
            found = check(
                config,
                name,
                bug,
                Batch(jnp.asarray(images), jnp.asarray(labels[kind])),
                seed,
                dataset.num_classes,
            )
            print(f"{name}, {kind} labels, bug: {bug}, seed {seed}: {found.explain()}", flush=True)
            table.append(
                {
                    "model": name,
                    "labels": kind,
                    "bug": bug,
                    "seed": seed,
                    "memorised": found.passed,
                    "steps": found.steps if found.passed else None,
                    "loss": found.loss,
                    "accuracy": found.accuracy,
                }
            )
            line = bug if bug != "none" else f"{name}, {kind} labels"
            if name == "mlp_1x512":
                curves += [
                    {"training": line, "seed": seed, "step": step, "loss": float(loss)}
                    for step, loss in enumerate(found.losses, start=1)
                ]
    figure = viz.lines(
        curves,
        x="step",
        y="loss",
        by="training",
        log=("step", "loss"),
        title=f"One batch of {config.batch_size} {dataset.name}: memorised, or a bug",
    )
    out.save_figure("one_batch", figure)
    summary = tables.summarize(
        [{**row, "memorised": str(row["memorised"])} for row in table],
        ["model", "labels", "bug", "memorised"],
        {
            "steps": Column("steps", 0, above="never"),
            "loss": Column("loss", 4),
            "accuracy": Column("accuracy", 0, unit="%"),
        },
    )
    wrong = [row for row in table if row["memorised"] != (row["bug"] == "none")]
    verdict = "every net memorised its batch, and every bug showed"
    if wrong:
        each = "; ".join(f"{row['model']}, {row['labels']}, {row['bug']}" for row in wrong)
        verdict = f"NOT AS EXPECTED: {each}"
    about = data.describe(dataset)
    text = f"{tables.format_table(summary)}\n\n{verdict}"
    out.finish(text, table=table, summary=summary, data=about, wrong=len(wrong))


def check(
    config: Config, name: str, bug: str, batch: Batch, seed: int, num_classes: int
) -> OneBatch:
    """Trains one net on the batch, with a bug or with none."""
    redraw: Callable[..., Any] | None = None
    if bug == "labels redrawn":

        def redraw(key: jax.Array, labels: jax.Array) -> jax.Array:
            return jax.random.randint(key, labels.shape, 0, num_classes)

    return overfit_one_batch(
        build(name, bug, num_classes),
        optim.adam(0.0 if bug == "learning rate 0" else config.learning_rate),
        batch,
        transform=zhang2017.preprocessing(batch.images.shape[1:], "none"),
        steps=config.steps,
        key=jax.random.key(seed),
        redraw=redraw,
    )


def build(name: str, bug: str, num_classes: int) -> Model:
    """The net, with the bugs that are in a net."""
    if bug == "softmax twice":
        body = catalog.build(name, num_classes)
        return serial(body=body, softmax=layers.activation(jax.nn.softmax))
    if bug == "dead ReLUs":
        far_below = layers.Init(
            jax.nn.initializers.he_normal(),
            lambda n_in: lambda key, shape, dtype: jnp.full(shape, -100.0, dtype),
        )
        return models.mlp((512,), num_classes=num_classes, init=far_below)
    return catalog.build(name, num_classes)


if __name__ == "__main__":
    cli.main(run, PRESETS)
