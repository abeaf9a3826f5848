"""The mean path of SGD is gradient flow, but on another loss than the one it is given.

Claim: over random orders of the mini-batches, the mean iterate of SGD follows gradient flow not on
the mean loss C of the m mini-batches but on C + (e/4m) sum_k |grad C_k|^2, with the learning rate
e: a step of finite length penalises the gradients of the mini-batches.

Source: Smith, Dherin, Barrett and De 2021, "On the origin of implicit regularization in stochastic
gradient descent" (ICLR; arXiv 2101.12176), section 2. The form above is known second-hand; that it
is right follows from expanding both sides to second order, as is done below.

Expected: after one epoch from the same start, mean iterate and flow on C are apart by O(e^2), mean
iterate and flow on the modified loss by O(e^3), one order better; after a fixed time T = m e
epochs, by O(e) and O(e^2). The paper prints no numbers for this.
  * Why: to second order an epoch in the order 1 ... m goes by -e sum_k g_k + e^2 sum_{j<k} H_k g_j.
    The mean over all orders of the double sum is (sum_{j != k} H_k g_j) / 2 = (m^2 H g - sum_k H_k
    g_k) / 2, with g and H those of C. The flow on C goes in the time m e by -m e g + m^2 e^2 H g /
    2. What is between them, -e^2 sum_k H_k g_k / 2, is -m e times the gradient of (e/4m) sum_k
    |g_k|^2.
  * Two comparisons that must fail: the penalty of full-batch gradient descent alone, (e/4)
    |grad C|^2, leaves out the spread of the mini-batches' gradients; and a single order instead of
    the mean is O(e^2) away, because the double sum depends on it.

What is computed: a net with tanh units in float64; each seed draws its start, the images and their
mini-batches. "one epoch" takes the mean over all m! orders, exactly. "fixed time" cannot: so many
epochs have (m!)^epochs sequences of orders. There m! trainings go together, and in each epoch each
of them has another of the m! orders, at random; see rote.measure.sgd_over_orders. That mean has no
bias; its standard error, from independent sets of m! trainings, is in the table of points
("distance_error"). Flows are integrated by Runge-Kutta of fourth order. An order is the slope
of the least-squares line of log distance over log e, by seed.

Command: python experiments/smith2021/modified_loss.py --preset smoke
  smoke  digits (in the package), 4 mini-batches of 8, three seeds; twenty seconds
  cpu    2, 3, 4 and 5 mini-batches, ten seeds; six minutes on two cores
  paper  the same as cpu: the theorem has no settings

What the paper leaves open: the net, the data and the rates, since it has no such experiment as far
as is known. Taken: smooth units, because the expansion differentiates twice; rates in powers of
two, small enough that m e times the curvature is below one.

A run that is killed goes on with the first seed and number of mini-batches that it has not done.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from rote import cli, data, measure, models, tables, viz
from rote.core import Batch, Dataset, InputError, Model, Params, State
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.smith2021 import (
    FIXED_TIME,
    ON_FULL_BATCH,
    ON_LOSS,
    ON_MODIFIED,
    ONE_EPOCH,
    ONE_ORDER,
    expected_order,
)
from rote.tables import Column
from rote.train import cross_entropy


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the comparison of SGD with gradient flow."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist."""
    mini_batches: tuple[int, ...] = (4,)
    """How many mini-batches an epoch has, m; all m! orders are taken."""
    batch_size: int = 8
    """Images per mini-batch."""
    width: int = 8
    """Hidden units, tanh."""
    halvings: tuple[int, ...] = (6, 7, 8, 9, 10)
    """Learning rates of one epoch: 1/2 to these powers."""
    epochs: tuple[int, ...] = (16, 32, 64, 128)
    """Epochs that the fixed time is divided into; the rate is time / (m epochs)."""
    time: float = 1.0
    """The fixed time: learning rate times steps."""
    sets: int = 4
    """Independent sets of m! trainings, for the standard error after several epochs."""
    flow_steps: int = 400
    """Runge-Kutta steps of a flow."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each draws the start, the images and their mini-batches."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("mini_batches", "halvings", "epochs"):
            check_list(name, getattr(self, name))
        for name in ("halvings", "epochs"):
            if len(getattr(self, name)) < 2:
                raise InputError(f"{name}: one value; expected two or more, to fit an order")
        for name, least in (("mini_batches", 2), ("halvings", 0), ("epochs", 1)):
            if min(getattr(self, name)) < least:
                raise InputError(f"{name}: {min(getattr(self, name))}; expected at least {least}")
        if max(self.mini_batches) > 6:
            raise InputError(
                f"mini_batches: {max(self.mini_batches)}; expected at most 6, which have 720 orders"
            )
        for name in ("batch_size", "width", "sets", "flow_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: {getattr(self, name)}; expected at least 1")
        check_positive("time", self.time)


_LARGE = Config(
    mini_batches=(2, 3, 4, 5),
    halvings=(6, 7, 8, 9, 10, 11),
    epochs=(16, 32, 64, 128, 256),
    seeds=tuple(range(10)),
)
PRESETS = {"smoke": Config(), "cpu": _LARGE, "paper": _LARGE}


def run(config: Config, out: cli.Job) -> None:
    """Measures every distance and fits its order; leaves a table and two figures."""
    dataset = data.load(config.dataset)
    needed = max(config.mini_batches) * config.batch_size
    if needed > len(dataset.train.labels):
        raise InputError(
            f"mini_batches and batch_size: {needed:,} images; {dataset.name} has "
            f"{len(dataset.train.labels):,}"
        )
    model = models.mlp((config.width,), num_classes=dataset.num_classes, activation=jax.nn.tanh)
    kept = out.kept()
    parts = [(m, seed) for m in config.mini_batches for seed in config.seeds]
    points: list[dict[str, Any]] = []
    for done, (m, seed) in enumerate(parts, start=1):
        part = f"m={m} seed={seed}"
        if part not in kept:
            with jax.enable_x64(True):
                kept[part] = distances(config, model, dataset, m, seed)
            out.keep(part, kept[part])
            print(f"[{done}/{len(parts)}] {part}", file=sys.stderr)
        points += kept[part]

    table = orders(points)
    where = f"tanh net of {config.width} units, float64, {config.batch_size} images a mini-batch"
    for span in dict.fromkeys(row["span"] for row in points):
        figure = viz.lines(
            [
                {**row, "panel": f"m = {row['mini_batches']} mini-batches"}
                for row in points
                if row["span"] == span
            ],
            x="learning_rate",
            y="distance",
            by="compared",
            panel="panel",
            log=("learning_rate", "distance"),
            markers=True,
            caption=where,
            title=f"How far SGD is from gradient flow: {span}",
        )
        out.save_figure(span.replace(" ", "_"), figure)
    summary = tables.summarize(
        table,
        ["span", "mini_batches", "compared", "expected"],
        {"order": Column("order", digits=3)},
    )
    out.finish(
        tables.format_table(summary),
        table=table,
        points=points,
        summary=summary,
        data={**data.describe(dataset), "num_train": needed, "subset": True},
    )


def distances(
    config: Config, model: Model, dataset: Dataset, m: int, seed: int
) -> list[dict[str, Any]]:
    """How far SGD is from each flow, by learning rate: for one seed and number of mini-batches.

    Args:
      config: the settings.
      model: the net.
      dataset: where the images are from.
      m: how many mini-batches.
      seed: of start, images and orders.

    Returns:
      A row per span, learning rate and comparison: ``distance``, the Euclidean one between the
      params, and ``distance_error``, the standard error of the mean iterate behind it.
    """
    batches = draw_batches(dataset, m, config.batch_size, seed)
    start, state = model.init(jax.random.key(seed), batches.images[0])
    one_epoch = [(ONE_EPOCH, 0.5**power, 1, 1) for power in sorted(config.halvings, reverse=True)]
    fixed_time = [
        (FIXED_TIME, config.time / (m * epochs), epochs, config.sets)
        for epochs in sorted(config.epochs, reverse=True)
    ]
    rows = []
    for span, rate, epochs, sets in (*one_epoch, *fixed_time):
        key = jax.random.key(seed + 1)  # the same at every rate
        many = sgd(model, start, state, batches, rate, key, epochs=epochs, sets=sets)
        means = jax.tree.map(lambda w: w.mean(1), many)
        mean = jax.tree.map(lambda w: w.mean(0), means)
        error = 0.0
        if sets > 1:
            off = jax.tree.map(lambda w, centre: w - centre, means, mean)
            error = float(optax.tree.norm(off)) / np.sqrt(sets * (sets - 1))
        one = jax.tree.map(lambda w: w[0, 0], many)
        time = m * rate * epochs
        flows = flow_ends(model, start, state, batches, rate, time, steps=config.flow_steps)
        on_c, full_batch, mini_batch = (jax.tree.map(lambda w, i=i: w[i], flows) for i in range(3))
        compared = {
            ON_LOSS: (mean, on_c),
            ON_FULL_BATCH: (mean, full_batch),
            ON_MODIFIED: (mean, mini_batch),
            ONE_ORDER: (one, mini_batch),
        }
        rows += [
            {
                "span": span,
                "mini_batches": m,
                "seed": seed,
                "learning_rate": rate,
                "epochs": epochs,
                "compared": name,
                "distance": float(optax.tree.norm(optax.tree.sub(*pair))),
                "distance_error": error,
            }
            for name, pair in compared.items()
        ]
    return rows


def draw_batches(dataset: Dataset, m: int, size: int, seed: int) -> Batch:
    """``m`` mini-batches of different training images, on the scale 0..1 in float64."""
    chosen = np.random.default_rng(seed).permutation(len(dataset.train.labels))[: m * size]
    chosen = chosen.reshape(m, size)
    images = np.asarray(dataset.train.images[chosen], np.float64) / 255
    return Batch(jax.device_put(images), jax.device_put(dataset.train.labels[chosen]))


@functools.partial(jax.jit, static_argnames=("model", "epochs", "sets"))
def sgd(
    model: Model,
    start: Params,
    state: State,
    batches: Batch,
    rate: jax.Array,
    key: jax.Array,
    *,
    epochs: int,
    sets: int,
) -> Params:
    """The params after SGD by every order of the mini-batches, ``[sets, m!, ...]``."""
    return measure.sgd_over_orders(
        loss_of(model, state), start, batches, rate, key=key, epochs=epochs, sets=sets
    )


@functools.partial(jax.jit, static_argnames=("model", "steps"))
def flow_ends(
    model: Model,
    start: Params,
    state: State,
    batches: Batch,
    rate: jax.Array,
    time: jax.Array,
    *,
    steps: int,
) -> Params:
    """Where the flows on the three losses end, each array with ``[3]`` in front.

    They are on C, on C with the full-batch penalty, and on C with the mini-batch penalty.
    """
    loss = loss_of(model, state)
    everything = Batch(*(array.reshape(1, -1, *array.shape[2:]) for array in batches))

    def end(full_batch: jax.Array, mini_batch: jax.Array) -> Params:
        def penalised(params: Params) -> jax.Array:
            on_c = measure.modified_loss(loss, params, batches, mini_batch)
            return on_c + full_batch / 4 * measure.squared_gradient_norm(loss, params, everything)

        return measure.gradient_flow(penalised, start, time, steps=steps)

    return jax.vmap(end)(rate * np.array([0.0, 1.0, 0.0]), rate * np.array([0.0, 0.0, 1.0]))


def loss_of(model: Model, state: State) -> Callable[[Params, Batch], jax.Array]:
    """The mean cross-entropy of a mini-batch."""

    def loss(params: Params, batch: Batch) -> jax.Array:
        logits, _ = model.apply(params, state, batch.images, train=True)
        return cross_entropy(logits, batch.labels).mean()

    return loss


def orders(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The order of each comparison and seed: the slope of log distance over log learning rate."""
    names = ("span", "mini_batches", "compared", "seed")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in points:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [
        {
            **dict(zip(names, key, strict=True)),
            "expected": expected_order(key[0], key[2]),
            "order": slope(rows),
        }
        for key, rows in groups.items()
    ]


def slope(rows: list[dict[str, Any]]) -> float:
    """Of the least-squares line of log distance over log learning rate."""
    x, y = (np.log([row[name] for row in rows]) for name in ("learning_rate", "distance"))
    return float(np.polyfit(x, y, 1)[0])


if __name__ == "__main__":
    cli.main(run, PRESETS)
