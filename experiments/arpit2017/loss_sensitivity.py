"""How much the training loss depends on each example: with real data, on a few of them.

Claim: through a training with real data, the loss depends on some examples far more than on others;
with noise as inputs, or random labels, on nearly all alike: each has to be learned by itself.

Source: Arpit et al. 2017 (arXiv 1706.05394), section 3.2, Fig. 3. The sensitivity of an example x
is g_x = mean over t of |dL_t / dx|_1, where L_t is the training loss after t steps of SGD; the
derivative goes through all of these steps, because the parameters have come from x, too. How
unequal the sensitivities are is said by their Gini coefficient, 0 for equal ones. A net of 2x16
units is trained on 1,000 MNIST digits at 14x14.

Expected: a higher Gini coefficient for real data than for noise, all along training; the paper
prints no numbers.

  classes     the labels (ten), or one for each example: then every net has to tell all examples
              apart, and nothing but the inputs is real or random
  data        real; random inputs (every image Gaussian noise with the data's mean and variance);
              random labels (every label redrawn)
  gini        of the sensitivities, each the mean over all moments; in the figure, over the moments
              so far
  loss        training loss before and after
  accuracy    training accuracy after

Command: python experiments/arpit2017/loss_sensitivity.py --preset smoke
  smoke  digits (in the package), 200 images, 10 moments of 1,000 steps, three seeds; 17 s of
         processor time
  cpu    MNIST, 1,000 images averaged to 14x14, 20 moments of 2,000 steps, five seeds; 4
         minutes on two cores
  paper  the same at the paper's rate of 0.01 for 1,000 epochs; has not been run: ten times as long,
         40 minutes on two cores, and by its sizes up to 8 GB of memory

What the paper leaves open, or is not known here, and what is taken: batches of 50; 100 epochs at
0.1 in "cpu", which is as far as 1,000 at 0.01; three times the rate with a class for each example,
where the loss falls slowly; moments at equal distances; pixels are divided by 255.

A seed draws the noise, the labels, the initialization and the order. What was measured of a seed,
data and classes is kept, and a run that is killed goes on after the last of them.
"""

import dataclasses
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from rote import cli, data, losses, measure, models, tables, viz
from rote.core import Dataset, InputError, Params
from rote.studies.arpit2017.loss_sensitivity import LABELS, UNIQUE
from rote.studies.config import check_positive, check_seeds
from rote.studies.foundations import averaged
from rote.tables import Column
from rote.train import cross_entropy


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the loss sensitivity."""

    dataset: str = "mnist"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    num_train: int = 1_000
    """Train on a class-balanced subset of this many examples."""
    pool: int = 2
    """Side of the squares of pixels that are averaged, to have smaller images."""
    width: int = 16
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    learning_rate: float = 0.1
    """Of SGD without momentum, constant."""
    unique_learning_rate: float = 0.3
    """Its rate with a class for each example."""
    batch_size: int = 50
    """Examples per step; it divides num_train."""
    epochs: int = 100
    """Length of the training."""
    moments: int = 20
    """How often the sensitivities are taken; it divides the number of steps."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Of noise, labels, initialization and order."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for field in dataclasses.fields(self):
            if field.name not in ("dataset", "seeds"):
                check_positive(field.name, getattr(self, field.name))
        if self.num_train % self.batch_size:
            raise InputError(
                f"batch_size: {self.batch_size}; expected a divisor of the {self.num_train} "
                "examples"
            )
        if self.num_steps % self.moments:
            raise InputError(
                f"moments: {self.moments}; expected a divisor of the {self.num_steps:,} steps"
            )

    @property
    def num_steps(self) -> int:
        """Steps of a training."""
        return self.epochs * self.num_train // self.batch_size


PRESETS = {
    "smoke": Config(
        dataset="digits", num_train=200, pool=1, batch_size=20, moments=10, seeds=(0, 1, 2)
    ),
    "cpu": Config(),
    "paper": Config(learning_rate=0.01, unique_learning_rate=0.03, epochs=1_000),
}


class Part(NamedTuple):
    """One training.

    Attributes:
      classes: ``LABELS`` or ``UNIQUE``.
      data: real, or what is random.
      seed: see ``Config``.
    """

    classes: str
    data: str
    seed: int

    @property
    def name(self) -> str:
        """Names the part in files and messages."""
        return f"classes {self.classes}, {self.data}, seed {self.seed}"


DATA = {
    LABELS: ("real", "random inputs", "random labels"),
    UNIQUE: ("real", "random inputs"),
}


def run(config: Config, out: cli.Job) -> None:
    """Measures every training; leaves a table and a figure."""
    dataset = averaged(data.load(config.dataset, num_train=config.num_train), config.pool)
    parts = [
        Part(classes, name, seed)
        for seed in config.seeds
        for classes, names in DATA.items()
        for name in names
    ]
    kept = out.kept()
    nets = {
        classes: Net(config, dataset.num_classes if classes == LABELS else config.num_train)
        for classes in DATA
    }
    for part in parts:
        if part.name not in kept:
            begin = time.perf_counter()
            kept[part.name] = measured(config, dataset, nets[part.classes], part)
            out.keep(part.name, kept[part.name])
            print(
                f"[{sum(each.name in kept for each in parts)}/{len(parts)}] {part.name}: Gini "
                f"coefficient {kept[part.name]['gini'] or float('nan'):.3f}, "
                f"{time.perf_counter() - begin:.0f} s",
                file=sys.stderr,
            )
    rows = [kept[part.name] for part in parts]
    about = data.describe(dataset)
    every = config.num_steps // config.moments
    figure = viz.lines(
        [
            {**row, "gini_coefficient": gini, "step": every * moment, "panel": panel_of(row)}
            for row in rows
            for moment, gini in enumerate(row["course"], 1)
        ],
        x="step",
        y="gini_coefficient",
        by="data",
        panel="panel",
        share_y=True,
        caption=(
            f"of the sensitivities, each the mean over the moments so far; {config.depth}x"
            f"{config.width} units, {about['num_train']:,} images of {dataset.name}"
        ),
        title="How unequally the loss depends on the examples",
    )
    out.save_figure("loss_sensitivity", figure)
    table = [{key: value for key, value in row.items() if key != "course"} for row in rows]
    summary = tables.summarize(
        table,
        ["classes", "data"],
        {
            "gini": Column("gini", 3),
            "loss before": Column("initial_loss", 3),
            "loss after": Column("train_loss", 3),
            "accuracy after": Column("train_accuracy", 1, unit="%"),
        },
    )
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


def panel_of(row: dict[str, Any]) -> str:
    """What a panel of the figure says above it."""
    return f"classes: {row['classes']}"


class Net:
    """A net's loss, its training and the sensitivities, compiled once for each kind of inputs."""

    def __init__(self, config: Config, num_classes: int) -> None:
        self.model = models.mlp((config.width,) * config.depth, num_classes=num_classes)
        unique = num_classes == config.num_train
        rate = config.unique_learning_rate if unique else config.learning_rate
        self.optimizer = optax.sgd(rate)
        self.init = jax.jit(self.model.init)
        self.every = config.num_steps // config.moments
        self.train = jax.jit(self._train)
        self.sensitivity = jax.jit(self._sensitivity)
        self.evaluate = jax.jit(self._evaluate)

    def _logits(self, params: Params, x: jax.Array) -> jax.Array:
        state = jax.eval_shape(self.model.init, jax.random.key(0), x)[1]
        return self.model.apply(params, state, x, train=True)[0]

    def _loss(self, params: Params, x: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(self._logits(params, x), labels)

    def _evaluate(self, params: Params, x: jax.Array, labels: jax.Array) -> Any:
        logits = self._logits(params, x)
        return cross_entropy(logits, labels).mean(), losses.accuracy(logits, labels).mean()

    def _train(self, params: Params, x: jax.Array, labels: jax.Array, batches: jax.Array) -> Params:
        """The params after the steps that ``rote.measure.loss_sensitivity`` goes back through."""

        def step(carry: Any, batch: jax.Array) -> tuple[Any, None]:
            params, opt_state = carry
            gradient = jax.grad(lambda p: self._loss(p, x[batch], labels[batch]).mean())(params)
            updates, opt_state = self.optimizer.update(gradient, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), None

        return jax.lax.scan(step, (params, self.optimizer.init(params)), batches)[0][0]

    def _sensitivity(
        self, params: Params, x: jax.Array, labels: jax.Array, batches: jax.Array
    ) -> jax.Array:
        return measure.loss_sensitivity(
            self._loss, params, x, labels, batches, self.optimizer, every=self.every
        )


def measured(config: Config, dataset: Dataset, net: Net, part: Part) -> dict[str, Any]:
    """How unequally the loss of a training depends on its examples."""
    changed = dataset
    if part.data == "random inputs":
        changed = data.noise_inputs(dataset, 1.0, seed=part.seed)
    elif part.data == "random labels":
        changed = data.random_labels(dataset, 1.0, seed=part.seed)
    x = np.asarray(changed.train.images, np.float32) / 255
    labels = np.asarray(changed.train.labels)
    if part.classes == UNIQUE:
        labels = np.arange(len(labels), dtype=labels.dtype)
    batches = orders(config, part.seed)
    params, _ = net.init(jax.random.key(part.seed), x[:1])
    end = net.train(params, x, labels, batches)
    sensitivities = net.sensitivity(params, x, labels, batches)
    so_far = sensitivities.cumsum(0)  # the coefficient does not depend on the scale
    course = [number(gini) for gini in measure.gini_coefficient(so_far)]
    after, accuracy = net.evaluate(end, x, labels)
    return {
        "classes": part.classes,
        "data": part.data,
        "seed": part.seed,
        "gini": course[-1],
        "initial_loss": number(net.evaluate(params, x, labels)[0]),
        "train_loss": number(after),
        "train_accuracy": number(accuracy),
        "course": course,
    }


def orders(config: Config, seed: int) -> np.ndarray:
    """``[steps, batch_size]``, every example once in an epoch."""
    rng = np.random.default_rng(seed)
    epochs = [rng.permutation(config.num_train) for _ in range(config.epochs)]
    return np.concatenate(epochs).reshape(-1, config.batch_size)


def number(value: Any) -> float | None:
    """``None`` where it is not finite, as JSON has it."""
    return float(value) if np.isfinite(value) else None


if __name__ == "__main__":
    cli.main(run, PRESETS)
