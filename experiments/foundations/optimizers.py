"""Optimizers: the direction of steepest descent, its noise, and what is made of it.

Claims: no direction lowers the loss faster than the negative gradient, and its components say how
much each weight matters; a mini-batch gives a noisy gradient, cheaper by as much as it is smaller;
that noise helps out of a poor minimum; small batches generalise better; heavy ball and averaged
momentum are the same at other learning rates; Adam's corrected moments must not be fed back.

Source: Polyak 1964 (heavy ball); Kingma and Ba 2015, Algorithm 1 (Adam); Keskar et al. 2017 and
Hoffer et al. 2017 (small against large batches); the course for the averaged form
m <- b m + (1-b) g and for a slide whose recursion feeds the corrected moments back.

Expected: the negative gradient's fall is its norm per unit of way, that of a random direction among
d parameters 1/sqrt(d) of it. The deviation of a mini-batch's gradient goes with the root of
(1/B)(1 - (B-1)/(N-1)), for B of N examples drawn without replacement. Whether small batches
generalise better is open: it is tested with the rate tuned for every size (on a held-out tenth of
the training examples), at equal epochs, at equal steps and at equal training loss, by test
accuracy and by its distance from training accuracy (the gap), seed by seed.

  directions  on the net at its start: random directions and single weights against -gradient
  noise       deviation of the mini-batch gradient over the norm of the whole
  batches     every size with every rate and seed; the same training read off at equal epochs, at
              equal steps, and at equal training loss: the lowest that all sizes come to with that
              seed, at their rates for equal steps, linear between two epochs
  valley      (w^2 - 1)^2 + 0.3 w has a poor minimum at w = 0.96 and a good one at w = -1.04;
              descent from w = 1.2 with normal noise on the gradient, its deviation falling with the
              steps as (1 + t)^(-0.275) (optax.add_noise)
  optimizers  the same net, each optimizer with its own best rate of the grid
  feedback    the moments of a constant gradient 1, as they should be and fed back

Command: python experiments/foundations/optimizers.py --preset smoke
  smoke  digits (in the package), MLP 1x64, two seeds; seconds
  cpu    5,000 images of MNIST, the same net, three seeds; about ten minutes of processor time

These are short trainings: that a net trained to the end generalises better from small batches, as
Keskar et al. have it, is not tested.

Left open by the course: nets, sizes, grids; momentum 0.9; Adam's b1 0.9, b2 0.999.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from rote import Group, Model, cli, data, fit_groups, measure, models, optim, tables, viz
from rote.core import Batch, Dataset, InputError, Params
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import (
    alternate,
    at_loss,
    best_rate,
    descend,
    ending,
    rate_in_words,
    runs_of,
)
from rote.studies.split import part_to_train_on
from rote.tables import Column
from rote.train import cross_entropy, init_train_state, make_forward, make_step

OPTIMIZERS: Mapping[str, Callable[[jax.Array], optax.GradientTransformation]] = {
    "sgd": optim.sgd,
    "heavy ball": optim.momentum,
    "averaged momentum": optim.averaged_momentum,
    "adam": optim.adam,
}
GRIDS: Mapping[str, float] = {
    "sgd": 1.0,
    "heavy ball": 0.1,
    "averaged momentum": 1.0,
    "adam": 0.01,
}
"""Factors on the grid of rates, so that each optimizer has rates of its own size."""
B1, B2 = 0.9, 0.999
METRICS = ("train_loss", "train_accuracy", "held_out_accuracy", "test_accuracy")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the optimizers."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10."""
    num_train: int | None = None
    """Images to train and validate on, class-balanced; None: all."""
    width: int = 64
    """Hidden units of the net."""
    batch_sizes: tuple[int, ...] = (32, 256)
    """Sizes of the mini-batches, from the smallest; each a multiple of the first. All training
    examples are added as the last."""
    rates: tuple[float, ...] = (0.1, 0.3, 1.0)
    """The grid."""
    max_epochs: int = 4
    """Epochs of the smallest mini-batches; the others go on to as many steps."""
    held_out: float = 0.1
    """Fraction of the training examples that rates are chosen by."""
    noises: tuple[float, ...] = (0.0, 1.0, 3.0, 10.0, 30.0)
    """Deviations of the gradient in the valley."""
    trials: int = 200
    """Descents in the valley for each."""
    directions: int = 300
    """Random directions."""
    seeds: tuple[int, ...] = (0, 1)
    """Of start, order and the part held out."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("batch_sizes", "rates", "noises"):
            check_list(name, getattr(self, name))
        for name in ("width", "max_epochs", "held_out", "trials", "directions"):
            check_positive(name, getattr(self, name))
        for rate in self.rates:
            check_positive("rates", rate)
        for noise in self.noises:
            if noise < 0:
                raise InputError(f"noises: {noise}; expected 0 or positive numbers")
        for size in self.batch_sizes:
            if size < 1 or size % self.batch_sizes[0] or size < self.batch_sizes[0]:
                raise InputError(
                    f"batch_sizes: {size}; expected multiples of the first, {self.batch_sizes[0]}"
                )


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist",
        num_train=5_000,
        batch_sizes=(32, 128, 512, 2048),
        rates=(0.03, 0.1, 0.3, 1.0),
        max_epochs=3,
        directions=1000,
        seeds=(0, 1, 2),
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Measures directions and noise, trains, escapes; leaves tables and figures."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    kept = len(part(config, dataset, 0))
    if config.batch_sizes[-1] >= kept:
        raise InputError(f"batch_sizes: {config.batch_sizes[-1]}; expected fewer than {kept:,}")
    sizes = (*config.batch_sizes, kept)

    steepest = [directions(config, dataset, seed) for seed in config.seeds]
    noise = [
        {**row, "seed": seed}
        for seed in config.seeds
        for row in noises(config, dataset, seed, sizes)
    ]
    times = step_times(config, dataset, sizes)
    rows = train(config, dataset, out, sizes)

    compared_sizes = compare_sizes(config, rows, sizes)
    by_optimizer = [row for row in rows if row["size"] == sizes[0]]
    best = {
        name: best_rate(
            [row for row in by_optimizer if row["optimizer"] == name], "held_out_accuracy_end"
        )
        for name in OPTIMIZERS
    }
    compared = [row for row in by_optimizer if row["rate"] == best[row["optimizer"]]]
    escapes = {noise: valley(config, noise) for noise in config.noises}
    fed_back = [
        {"moments": kind, "step": step, "first_moment": first, "second_moment": second}
        for kind in ("Kingma and Ba", "fed back")
        for step, (first, second) in enumerate(moments(kind == "fed back", 60), start=1)
    ]
    save_figures(out, config, dataset, compared_sizes, noise, compared, fed_back)

    by_size = tables.summarize(
        compared_sizes,
        ["compared", "batch", "rate"],
        {
            "train loss": Column("train_loss", 3, above="diverged"),
            "train accuracy": Column("train_accuracy", 2, unit="%", above="diverged"),
            "test accuracy": Column("test_accuracy", 2, unit="%", above="diverged"),
            "gap": Column("gap", 2, unit="%", above="diverged"),
            f"batch of {sizes[0]}, points ahead": Column("ahead", 2),
            "its gap less by": Column("gap_less", 2),
        },
    )
    parts = [
        tables.format_table(
            tables.summarize(
                [{**row, "net": f"1x{config.width}"} for row in steepest],
                ["net"],
                {
                    "-gradient: fall / norm": Column("gradient", 3),
                    "best random direction": Column("best_random", 3),
                    "spread x sqrt(d)": Column("spread", 2),
                    "single weights: correlation": Column("correlation", 4),
                },
            )
        ),
        tables.format_table(noise_table(noise, times)),
        tables.format_table(by_size),
        tables.format_table(
            [
                {
                    "noise": f"{noise:g}",
                    "left the poor minimum": f"{sum(left)} of {len(left)}",
                }
                for noise, left in escapes.items()
            ]
        ),
        tables.format_table(
            tables.summarize(
                [
                    {**row, "rate": rate_in_words(row["rate"], grid_of(config, row["optimizer"]))}
                    for row in compared
                ],
                ["optimizer", "rate"],
                {
                    "train loss": Column("train_loss_end", 4, above="diverged"),
                    "test accuracy": Column("test_accuracy_end", 2, unit="%", above="diverged"),
                },
            )
        ),
        same_walk(config, dataset),
        blow_up(),
    ]
    plain = [{name: value for name, value in row.items() if name != "history"} for row in rows]
    about = data.describe(dataset)
    out.finish(
        "\n\n".join(parts),
        table=plain,
        directions=steepest,
        noise=noise,
        sizes=compared_sizes,
        escapes={f"{noise:g}": sum(left) for noise, left in escapes.items()},
        summary=by_size,
        data=about,
    )


# --- the gradient


def part(config: Config, dataset: Dataset, seed: int) -> np.ndarray:
    """The training examples that are trained on."""
    return part_to_train_on(len(dataset.train.labels), config.held_out, seed)


def network(config: Config, dataset: Dataset) -> Model:
    """The MLP with one hidden layer."""
    return models.mlp((config.width,), num_classes=dataset.num_classes)


def loss_of(
    config: Config, dataset: Dataset, seed: int
) -> tuple[Callable[[Params, Batch], jax.Array], Params]:
    """The mean loss of the net on a batch, and its start."""
    net = network(config, dataset)
    forward = make_forward(net, zhang2017.preprocessing(dataset.image_shape, "none"))
    params, state = net.init(
        jax.random.key(seed), jnp.zeros((1, *dataset.image_shape), jnp.float32)
    )

    def loss(params: Params, batch: Batch) -> jax.Array:
        logits, _ = forward(params, state, batch.images, train=True)
        return cross_entropy(logits, batch.labels).mean()

    return loss, params


def first(dataset: Dataset, count: int) -> Batch:
    """The first training examples as a batch."""
    return Batch(*(jnp.asarray(array[:count]) for array in dataset.train[:2]))


def directions(config: Config, dataset: Dataset, seed: int) -> dict[str, Any]:
    """How fast the loss falls along the negative gradient, random directions, single weights.

    Returns:
      ``gradient``: fall per way along the negative gradient, over its norm (1 for short ways);
      ``best_random``: the largest such number among random directions; ``spread``: their standard
      deviation times the root of the number of parameters (1 expected); ``correlation``: of the
      change by a nudge of a single weight with its component of the gradient.
    """
    loss, params = loss_of(config, dataset, seed)
    batch = first(dataset, 1000)
    flat, unflatten = jax.flatten_util.ravel_pytree(params)

    def at(vector: jax.Array) -> jax.Array:
        return loss(unflatten(vector), batch)

    gradient = jax.grad(at)(flat)
    norm = jnp.linalg.norm(gradient)

    @jax.jit
    def fall(direction: jax.Array) -> jax.Array:
        return measure.fall_along(at, flat, direction) / norm

    keys = jax.random.split(jax.random.key(seed), config.directions)
    random = np.asarray(jax.lax.map(lambda key: fall(jax.random.normal(key, flat.shape)), keys))
    few = np.asarray(jax.random.choice(jax.random.key(seed), flat.size, (200,), replace=False))
    units = jax.lax.map(lambda i: fall(jnp.zeros_like(flat).at[i].set(1.0)), jnp.asarray(few))
    return {
        "seed": seed,
        "gradient": float(fall(-gradient)),
        "best_random": float(random.max()),
        "spread": float(random.std() * np.sqrt(flat.size)),
        "correlation": float(np.corrcoef(-np.asarray(units), np.asarray(gradient)[few])[0, 1]),
    }


def noises(
    config: Config, dataset: Dataset, seed: int, sizes: Sequence[int]
) -> list[dict[str, float]]:
    """By size, ``measure.gradient_noise`` at the start; ``law`` is its square root of the header.

    ``expected`` is the noise of the smallest size times the ratio of the laws.
    """
    loss, params = loss_of(config, dataset, seed)
    rows = part(config, dataset, seed)
    batch = Batch(*(jnp.asarray(array[rows]) for array in dataset.train[:2]))
    found: list[dict[str, float]] = []
    for size in sizes:
        noise = jax.jit(functools.partial(measure.gradient_noise, loss, size=size))(
            params, batch, key=jax.random.key(seed)
        )
        law = np.sqrt((1 - (size - 1) / (len(rows) - 1)) / size)
        smallest = found[0] if found else {"noise": float(noise), "law": law}
        expected = smallest["noise"] * law / smallest["law"]
        found.append({"size": size, "noise": float(noise), "law": law, "expected": expected})
    return found


def step_times(config: Config, dataset: Dataset, sizes: Sequence[int]) -> dict[int, float]:
    """By size, the median time of a step in seconds; the sizes take turns."""
    net, optimizer = network(config, dataset), optim.sgd(0.1)
    transform = zhang2017.preprocessing(dataset.image_shape, "none")
    step = jax.jit(make_step(net, optimizer, transform=transform))
    params, state = net.init(jax.random.key(0), jnp.zeros((1, *dataset.image_shape)))
    train_state = init_train_state(params, state, optimizer, jax.random.key(0))

    def step_of(size: int) -> Callable[[], Any]:
        batch = first(dataset, size)
        return lambda: jax.block_until_ready(step(train_state, batch))

    taken = alternate({str(size): step_of(size) for size in sizes}, 20)
    return {size: float(np.median(taken[str(size)])) for size in sizes}


# --- trainings


def grid_of(config: Config, optimizer: str) -> list[float]:
    """The rates that are tried with an optimizer."""
    return [rate * GRIDS[optimizer] for rate in config.rates]


def train(
    config: Config, dataset: Dataset, out: cli.Job, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Plain SGD with every size, every optimizer with the smallest; all with every rate and seed.

    Returns:
      A row per training: metrics at equal epochs (``_epochs``) and at the end, equal steps
      (``_end``), ``None`` if it diverged; and its ``history``.
    """
    cases = [("sgd", size) for size in sizes]
    cases += [(name, sizes[0]) for name in OPTIMIZERS if name != "sgd"]
    kept = len(part(config, dataset, 0))
    steps = config.max_epochs * (kept // sizes[0])
    factors: dict[str, dict[str, Any]] = {
        f"{name} batch={size} rate={rate:g} seed={seed}": {
            "optimizer": name,
            "size": size,
            "rate": rate,
            "seed": seed,
        }
        for name, size in cases
        for seed in config.seeds
        for rate in grid_of(config, name)
    }
    groups = [
        Group(
            model=network(config, dataset),
            make_optimizer=OPTIMIZERS[name],
            dataset=dataset,
            runs=runs_of(
                {
                    label: each
                    for label, each in factors.items()
                    if (each["optimizer"], each["size"]) == (name, size)
                },
                dataset,
                config.held_out,
            ),
            batch_size=size,
            max_epochs=-(-steps // (kept // size)),
            transform=zhang2017.preprocessing(dataset.image_shape, "none"),
            record="last",
        )
        for name, size in cases
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    rows = []
    for result in itertools.chain(*trained):
        row = {
            **factors[result.label],
            "steps": result.history[-1]["step"],
            "history": result.history,
        }
        for when, place in (("epochs", config.max_epochs), ("end", -1)):
            found = ending(result, METRICS, place)
            row |= {f"{name}_{when}": value for name, value in found.items()}
        rows.append(row)
    return rows


def at_best(rows: Sequence[Mapping[str, Any]], size: int, when: str) -> list[Mapping[str, Any]]:
    """The trainings of a size by plain SGD, at the rate that is best for it then."""
    mine = [row for row in rows if (row["optimizer"], row["size"]) == ("sgd", size)]
    best = best_rate(mine, f"held_out_accuracy_{when}")
    return [row for row in mine if row["rate"] == best]


def noise_table(
    noise: Sequence[Mapping[str, Any]], times: Mapping[int, float]
) -> list[dict[str, Any]]:
    """A line per size of mini-batch: its noise, and its cost."""
    smallest = min(times) / times[min(times)]
    return tables.summarize(
        [
            {
                **row,
                "batch": f"{row['size']:,}",
                "time of an epoch": f"{times[row['size']] / row['size'] * smallest:.2f}",
            }
            for row in noise
        ],
        ["batch", "time of an epoch"],
        {"noise / |g|": Column("noise", 3), "by the law": Column("expected", 3)},
    )


def compare_sizes(
    config: Config, rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Every size and seed at its best rate, at equal epochs, equal steps and equal training loss.

    Returns:
      Rows with the metrics, ``gap``, training minus test accuracy, and how far the smallest size is
      ahead with the same seed: in test accuracy (``ahead``) and in the gap (``gap_less``), both in
      points. ``None`` of what diverged.
    """
    at_epochs, at_end = (
        [row for size in sizes for row in at_best(rows, size, when)] for when in ("epochs", "end")
    )
    level = {
        seed: max(
            min(each["train_loss"] for each in row["history"])
            for row in at_end
            if row["seed"] == seed
        )
        for seed in config.seeds
    }
    cases = [
        *((row, f"{config.max_epochs} epochs", metrics_of(row, "epochs")) for row in at_epochs),
        *((row, "equal steps", metrics_of(row, "end")) for row in at_end),
        *(
            (row, "equal train loss", at_loss(row["history"], level[row["seed"]], METRICS))
            for row in at_end
        ),
    ]
    found: list[dict[str, Any]] = []
    smallest: dict[tuple[str, int], dict[str, Any]] = {}
    for row, compared, metrics in cases:
        test, train = metrics["test_accuracy"], metrics["train_accuracy"]
        line = {
            "compared": compared,
            "batch": f"{row['size']:,}",
            "size": row["size"],
            "rate": rate_in_words(row["rate"], grid_of(config, "sgd")),
            "seed": row["seed"],
            **metrics,
            "gap": minus(train, test),
        }
        other = smallest.setdefault((compared, row["seed"]), line)
        ahead, gap_less = minus(other["test_accuracy"], test), minus(line["gap"], other["gap"])
        found.append(
            line
            | {
                "ahead": None if ahead is None else 100 * ahead,
                "gap_less": None if gap_less is None else 100 * gap_less,
            }
        )
    return found


def metrics_of(row: Mapping[str, Any], when: str) -> dict[str, Any]:
    """The metrics of a row of ``train``."""
    return {name: row[f"{name}_{when}"] for name in METRICS}


def minus(one: float | None, other: float | None) -> float | None:
    """A difference; ``None`` where a number is missing."""
    return None if one is None or other is None else one - other


def same_walk(config: Config, dataset: Dataset) -> str:
    """Heavy ball at ``rate (1 - b)`` and averaged momentum at ``rate``, step by step."""
    loss, params = loss_of(config, dataset, config.seeds[0])
    batch = first(dataset, 500)
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    rate = 0.3

    def cost(vector: jax.Array) -> jax.Array:
        return loss(unflatten(vector), batch)

    one = descend(cost, flat, optim.averaged_momentum(rate, B1), 50)
    other = descend(cost, flat, optim.momentum(rate * (1 - B1), B1), 50)
    apart = float(jnp.max(jnp.linalg.norm(one - other, axis=1)))
    way = float(jnp.linalg.norm(one[-1] - one[0]))
    return (
        f"averaged momentum at {rate:g} and heavy ball at {rate * (1 - B1):g}: never further apart "
        f"than {apart / way:.0e} of their way in 50 steps"
    )


# --- the valley, and Adam's recursion


def cost_of_valley(w: jax.Array) -> jax.Array:
    """``(w^2 - 1)^2 + 0.3 w``: a poor minimum at 0.96, a good one at -1.04."""
    return (w**2 - 1) ** 2 + 0.3 * w


def valley(config: Config, noise: float) -> list[bool]:
    """Which of the descents from the poor side end on the good one."""

    def end(seed: jax.Array) -> jax.Array:
        noisy = optax.add_noise(noise**2, 0.55, seed)
        return descend(cost_of_valley, 1.2, optax.chain(noisy, optax.sgd(0.02)), 2000)[-1]

    keys = jax.random.split(jax.random.key(0), config.trials)
    return (np.asarray(jax.jit(jax.vmap(end))(keys)) < 0).tolist()


def moments(fed_back: bool, steps: int) -> list[tuple[float, float]]:
    """Adam's corrected moments of a constant gradient 1, after each step.

    ``m_t = b1 m_(t-1) + (1 - b1)``, corrected ``m_t / (1 - b1^t)``, and ``v`` likewise with ``b2``;
    ``fed_back``: the next step begins with the corrected ones.
    """
    m = v = 0.0
    found = []
    for t in range(1, steps + 1):
        m, v = B1 * m + (1 - B1), B2 * v + (1 - B2)
        corrected = m / (1 - B1**t), v / (1 - B2**t)
        if fed_back:
            m, v = corrected
        found.append(corrected)
    return found


def blow_up() -> str:
    """What feeding the corrected moments back comes to."""
    found = moments(True, 200)
    beyond = next(t for t, (_, v) in enumerate(found, 1) if v > float(jnp.finfo("float32").max))
    first, second = found[9]
    return (
        f"Adam's corrected moments of a constant gradient are 1 and 1. Fed back, after 10 steps: "
        f"{first:.3g} and {second:.3g}; the second is beyond float32 after {beyond}: each step "
        "divides what was divided before. The step m / sqrt(v) is then 0"
    )


# --- figures


def save_figures(
    out: cli.Job,
    config: Config,
    dataset: Dataset,
    sizes: Sequence[Mapping[str, Any]],
    noise: Sequence[Mapping[str, Any]],
    compared: Sequence[Mapping[str, Any]],
    fed_back: Sequence[Mapping[str, Any]],
) -> None:
    """The figures."""
    net = f"MLP 1x{config.width} on {dataset.name}"
    measured = [
        {"size": row["size"], "noise": row[column], "line": line, "seed": row["seed"]}
        for row in noise
        if row["law"] > 0  # of all examples together only rounding is left
        for column, line in (("noise", "measured"), ("expected", "by the law"))
    ]
    out.save_figure(
        "noise",
        viz.lines(
            with_logarithm(measured),
            x="log2_of_batch_size",
            y="noise",
            by="line",
            markers=True,
            caption="deviation of the mini-batch gradient over the norm of the whole one; where "
            "one line is seen, the two are equal; " + in_words(measured),
            title=f"Noise of the gradient: {net}",
        ),
    )
    out.save_figure(
        "batch_size",
        viz.lines(
            [{**row, "training_minus_test_accuracy": row["gap"]} for row in with_logarithm(sizes)],
            x="log2_of_batch_size",
            y=("test_accuracy", "training_minus_test_accuracy"),
            by="compared",
            markers=True,
            caption=in_words(sizes),
            title=f"Size of the mini-batch: {net}",
        ),
    )
    curves = [
        {"optimizer": row["optimizer"], "seed": row["seed"], **each}
        for row in compared
        for each in row["history"]
        if each["epoch"] > 0
    ]
    rates = {row["optimizer"]: row["rate"] for row in compared}
    equal = np.isclose(rates["averaged momentum"] * (1 - B1), rates["heavy ball"])
    out.save_figure(
        "optimizers",
        viz.lines(
            curves,
            x="epoch",
            y=("train_loss", "test_accuracy"),
            by="optimizer",
            log=("train_loss",),
            caption="averaged momentum lies on heavy ball: the same walk" if equal else "",
            title=f"Optimizers, each at its best rate: {net}",
        ),
    )
    out.save_figure(
        "feedback",
        viz.lines(
            fed_back,
            x="step",
            y=("first_moment", "second_moment"),
            by="moments",
            log=("first_moment", "second_moment"),
            title="Adam's corrected moments of a constant gradient",
        ),
    )
    out.save_figure("paths", picture_of_paths())


def with_logarithm(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the binary logarithm of their size, whose axis can be read."""
    return [{**row, "log2_of_batch_size": float(np.log2(row["size"]))} for row in rows]


def in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """The sizes themselves."""
    return f"sizes {' '.join(f'{size:,}' for size in sorted({row['size'] for row in rows}))}"


def picture_of_paths() -> Any:
    """The optimizers in a narrow valley."""
    start, steps = np.array([-4.0, 2.0], np.float32), 60

    def narrow(w: jax.Array) -> jax.Array:
        return 0.5 * (0.1 * w[0] ** 2 + 2.0 * w[1] ** 2) + 1e-3

    makes = {
        "sgd": optax.sgd(0.4),
        "heavy ball": optim.momentum(0.1),
        "averaged momentum": optim.averaged_momentum(1.0),
        "adam": optim.adam(0.3),
    }
    paths = {name: np.asarray(descend(narrow, start, make, steps)) for name, make in makes.items()}
    equal = np.allclose(paths["heavy ball"], paths["averaged momentum"], atol=1e-3)
    x, y = np.linspace(-5, 5, 101), np.linspace(-3, 3, 101)
    grid = np.stack(np.meshgrid(x, y), -1)
    cost = np.asarray(jax.vmap(jax.vmap(narrow))(jnp.asarray(grid, jnp.float32)))
    return viz.descent_paths(
        {"a narrow valley": (x, y, cost)},
        {"a narrow valley": paths},
        title="Sixty steps" + ("; averaged momentum hides heavy ball, its equal" if equal else ""),
    )


if __name__ == "__main__":
    cli.main(run, PRESETS)
