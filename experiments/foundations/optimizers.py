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
the training examples), at equal epochs and at equal steps.

  directions  on the net at its start: random directions and single weights against -gradient
  noise       deviation of the mini-batch gradient over the norm of the whole
  batches     every size with every rate and seed; the same training read off at equal epochs and
              at equal steps
  valley      (w^2 - 1)^2 + 0.3 w has a poor minimum at w = 0.96 and a good one at w = -1.04;
              descent from w = 1.2 with normal noise on the gradient, its deviation falling with the
              steps as (1 + t)^(-0.275) (optax.add_noise)
  optimizers  the same net, each optimizer with its own best rate of the grid
  feedback    the moments of a constant gradient 1, as they should be and fed back

Command: python experiments/foundations/optimizers.py --preset smoke
  smoke  digits (in the package), MLP 1x64, two seeds; seconds
  cpu    5,000 images of MNIST, the same net, three seeds; minutes

Left open by the course: nets, sizes, grids; momentum 0.9; Adam's b1 0.9, b2 0.999.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from rote import Group, Model, Run, cli, data, fit_groups, models, optim, tables, viz
from rote.core import Batch, Dataset, InputError, Params
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import alternate, best_rate, descend
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
        for name in ("batch_sizes", "rates", "noises", "seeds"):
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
        rates=(0.03, 0.1, 0.3, 1.0, 3.0),
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

    by_size = batches_table(config, rows, noise, times)
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
    save_figures(out, config, dataset, rows, noise, compared, fed_back)

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
        tables.format_table(by_size),
        paired(config, rows, sizes),
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
                compared,
                ["optimizer", "rate"],
                {
                    "train loss": Column("train_loss_end", 4),
                    "test accuracy": Column("test_accuracy_end", 2, percent=True),
                },
            )
        ),
        same_walk(config, dataset),
        blow_up(),
    ]
    plain = [{name: value for name, value in row.items() if name != "history"} for row in rows]
    about = zhang2017.describe_data(dataset)
    out.finish(
        "\n\n".join(parts),
        table=plain,
        directions=steepest,
        noise=noise,
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


def loss_of(config: Config, dataset: Dataset, seed: int) -> tuple[Callable[..., jax.Array], Params]:
    """The mean loss ``(params, images, labels) -> scalar`` of the net, and its start."""
    net = network(config, dataset)
    transform = zhang2017.preprocessing(dataset.image_shape, "none")
    forward = make_forward(net, transform)
    params, state = net.init(
        jax.random.key(seed), jnp.zeros((1, *dataset.image_shape), jnp.float32)
    )

    def loss(params: Params, images: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(forward(params, state, images, train=True)[0], labels).mean()

    return loss, params


def directions(config: Config, dataset: Dataset, seed: int) -> dict[str, Any]:
    """How fast the loss falls along the negative gradient, random directions, single weights.

    Returns:
      ``gradient``: fall per way along the negative gradient, over its norm (1 for short ways);
      ``best_random``: the largest such number among random directions; ``spread``: their standard
      deviation times the root of the number of parameters (1 expected); ``correlation``: of the
      change by a nudge of a single weight with its component of the gradient.
    """
    loss, params = loss_of(config, dataset, seed)
    images, labels = dataset.train.images[:1000], dataset.train.labels[:1000]
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    at = jax.jit(lambda vector: loss(unflatten(vector), images, labels))
    gradient = jax.grad(at)(flat)
    norm = jnp.linalg.norm(gradient)
    way = 1e-2

    def fall(direction: jax.Array) -> jax.Array:
        """Central difference, so that the curvature does not enter."""
        return (at(flat - way * direction) - at(flat + way * direction)) / (2 * way * norm)

    keys = jax.random.split(jax.random.key(seed), config.directions)

    def random_fall(key: jax.Array) -> jax.Array:
        direction = jax.random.normal(key, flat.shape)
        return fall(direction / jnp.linalg.norm(direction))

    random = np.asarray(jax.lax.map(random_fall, keys))
    few = np.asarray(jax.random.choice(jax.random.key(seed), flat.size, (200,), replace=False))
    units = jax.lax.map(lambda i: fall(jnp.zeros_like(flat).at[i].set(1.0)), jnp.asarray(few))
    return {
        "seed": seed,
        "gradient": float(fall(-gradient / norm)),
        "best_random": float(random.max()),
        "spread": float(random.std() * np.sqrt(flat.size)),
        "correlation": float(np.corrcoef(-np.asarray(units), np.asarray(gradient)[few])[0, 1]),
    }


def noises(
    config: Config, dataset: Dataset, seed: int, sizes: Sequence[int]
) -> list[dict[str, float]]:
    """By size, the deviation of a mini-batch's gradient at the start, over the whole's norm.

    ``sqrt(mean |g_B - g|^2) / |g|`` over 50 mini-batches; ``expected`` is that of the smallest size
    times the root law of the header.
    """
    loss, params = loss_of(config, dataset, seed)
    rows = part(config, dataset, seed)
    images = jnp.asarray(dataset.train.images[rows])
    labels = jnp.asarray(dataset.train.labels[rows])
    gradient = jax.jit(lambda rows: jax.grad(loss)(params, images[rows], labels[rows]))
    whole = gradient(jnp.arange(len(rows)))
    random = np.random.default_rng(seed)
    found: list[dict[str, float]] = []
    for size in sizes:
        squares = []
        for _ in range(50 if size < len(rows) else 1):
            chosen = random.permutation(len(rows))[:size]
            squares.append(optax.tree.norm(optax.tree.sub(gradient(chosen), whole)) ** 2)
        noise = float(jnp.sqrt(jnp.mean(jnp.array(squares))) / optax.tree.norm(whole))
        law = np.sqrt((1 - (size - 1) / (len(rows) - 1)) / size)
        first = found[0] if found else {"noise": noise, "law": law}
        found.append(
            {
                "size": size,
                "noise": noise,
                "law": law,
                "expected": first["noise"] * law / first["law"],
            }
        )
    return found


def step_times(config: Config, dataset: Dataset, sizes: Sequence[int]) -> dict[int, float]:
    """By size, the median time of a step in seconds; the sizes take turns."""
    net, optimizer = network(config, dataset), optim.sgd(0.1)
    transform = zhang2017.preprocessing(dataset.image_shape, "none")
    step = jax.jit(make_step(net, optimizer, transform=transform))
    params, state = net.init(jax.random.key(0), jnp.zeros((1, *dataset.image_shape)))
    train_state = init_train_state(params, state, optimizer, jax.random.key(0))

    def step_of(size: int) -> Callable[[], Any]:
        batch = Batch(*(jnp.asarray(array[:size]) for array in dataset.train[:2]))
        return lambda: jax.block_until_ready(step(train_state, batch))

    taken = alternate({str(size): step_of(size) for size in sizes}, 20)
    return {size: float(np.median(taken[str(size)])) for size in sizes}


# --- trainings


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
        f"{name} batch={size} rate={rate * GRIDS[name]:g} seed={seed}": {
            "optimizer": name,
            "size": size,
            "rate": rate * GRIDS[name],
            "seed": seed,
        }
        for name, size in cases
        for seed in config.seeds
        for rate in config.rates
    }
    groups = [
        Group(
            model=network(config, dataset),
            make_optimizer=OPTIMIZERS[name],
            dataset=dataset,
            runs=[
                Run(
                    init_seed=each["seed"],
                    subset=part(config, dataset, each["seed"]),
                    hparams={"learning_rate": each["rate"]},
                    label=label,
                )
                for label, each in factors.items()
                if (each["optimizer"], each["size"]) == (name, size)
            ],
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
    for result in (result for group in trained for result in group):
        row = {
            **factors[result.run.label],
            "steps": result.history[-1]["step"],
            "history": result.history,
        }
        ended = result.status != "diverged"
        for when, at in (("epochs", config.max_epochs), ("end", -1)):
            for name in ("train_loss", "held_out_accuracy", "test_accuracy"):
                row[f"{name}_{when}"] = result.history[at][name] if ended else None
        rows.append(row)
    return rows


def at_best(rows: Sequence[Mapping[str, Any]], size: int, when: str) -> list[Mapping[str, Any]]:
    """The trainings of a size by plain SGD, at the rate that is best for it then."""
    mine = [row for row in rows if (row["optimizer"], row["size"]) == ("sgd", size)]
    best = best_rate(mine, f"held_out_accuracy_{when}")
    return [row for row in mine if row["rate"] == best]


def batches_table(
    config: Config,
    rows: Sequence[Mapping[str, Any]],
    noise: Sequence[Mapping[str, Any]],
    times: Mapping[int, float],
) -> list[dict[str, Any]]:
    """A line per size of mini-batch."""
    lines = []
    first = min(times)
    for size, taken in times.items():
        found = [row["noise"] for row in noise if row["size"] == size]
        expected = [row["expected"] for row in noise if row["size"] == size]
        epochs, end = (at_best(rows, size, when) for when in ("epochs", "end"))
        lines.append(
            {
                "batch": f"{size:,}",
                "noise / |g|": tables.mean_sd(found, digits=3),
                "by the law": tables.mean_sd(expected, digits=3),
                "time of an epoch": f"{taken / size / (times[first] / first):.2f}",
                "rate": f"{epochs[0]['rate']:g}",
                f"test, {config.max_epochs} epochs": tables.mean_sd(
                    [row["test_accuracy_epochs"] for row in epochs], digits=2, percent=True
                ),
                "rate ": f"{end[0]['rate']:g}",
                "test, equal steps": tables.mean_sd(
                    [row["test_accuracy_end"] for row in end], digits=2, percent=True
                ),
            }
        )
    return lines


def paired(config: Config, rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> str:
    """The smallest against the largest mini-batch, seed by seed."""
    said = []
    for when, words in (("epochs", "equal epochs"), ("end", "equal steps")):
        small, large = (
            {row["seed"]: row[f"test_accuracy_{when}"] for row in at_best(rows, size, when)}
            for size in (sizes[0], sizes[-1])
        )
        gains = [
            100 * (small[seed] - large[seed])
            for seed in config.seeds
            if None not in (small[seed], large[seed])
        ]
        said.append(f"{words}: {tables.mean_sd(gains, digits=2)} points")
    return f"test accuracy, batch of {sizes[0]} minus all {sizes[-1]:,}: {'; '.join(said)}"


def same_walk(config: Config, dataset: Dataset) -> str:
    """Heavy ball at ``rate (1 - b)`` and averaged momentum at ``rate``, step by step."""
    loss, params = loss_of(config, dataset, config.seeds[0])
    images, labels = dataset.train.images[:500], dataset.train.labels[:500]
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    rate = 0.3

    def cost(vector: jax.Array) -> jax.Array:
        return loss(unflatten(vector), images, labels)

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
    rows: Sequence[Mapping[str, Any]],
    noise: Sequence[Mapping[str, Any]],
    compared: Sequence[Mapping[str, Any]],
    fed_back: Sequence[Mapping[str, Any]],
) -> None:
    """The figures."""
    net = f"MLP 1x{config.width} on {dataset.name}"
    measured = [
        {"batch_size": row["size"], "noise": row[column], "line": line, "seed": row["seed"]}
        for row in noise
        if row["law"] > 0  # of all examples together only rounding is left
        for column, line in (("noise", "measured"), ("expected", "by the law"))
    ]
    out.save_figure(
        "noise",
        viz.lines(
            measured,
            x="batch_size",
            y="noise",
            by="line",
            log=("batch_size", "noise"),
            markers=True,
            caption="deviation of the mini-batch gradient over the norm of the whole one",
            title=f"Noise of the gradient: {net}",
        ),
    )
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    ends = [
        {
            "batch_size": size,
            "compared": words,
            "seed": row["seed"],
            "test_accuracy": row[f"test_accuracy_{when}"],
        }
        for size in sizes
        for when, words in (("epochs", "equal epochs"), ("end", "equal steps"))
        for row in at_best(rows, size, when)
    ]
    out.save_figure(
        "batch_size",
        viz.lines(
            ends,
            x="batch_size",
            y="test_accuracy",
            by="compared",
            log=("batch_size",),
            markers=True,
            title=f"Size of the mini-batch: {net}",
        ),
    )
    curves = [
        {"optimizer": row["optimizer"], "seed": row["seed"], **each}
        for row in compared
        for each in row["history"]
        if each["epoch"] > 0
    ]
    out.save_figure(
        "optimizers",
        viz.lines(
            curves,
            x="epoch",
            y=("train_loss", "test_accuracy"),
            by="optimizer",
            log=("train_loss",),
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
    x, y = np.linspace(-5, 5, 101), np.linspace(-3, 3, 101)
    grid = np.stack(np.meshgrid(x, y), -1)
    cost = np.asarray(jax.vmap(jax.vmap(narrow))(jnp.asarray(grid, jnp.float32)))
    return viz.descent_paths(
        {"a narrow valley": (x, y, cost)},
        {"a narrow valley": paths},
        title="Sixty steps",
    )


if __name__ == "__main__":
    cli.main(run, PRESETS)
