"""Losses: what each punishes, how hard its gradient pulls, and what it is for.

Claims: the squared error pulls harder the larger the error, the absolute one always as hard, Huber
changes from the one to the other; the hinge stops pulling where the margin suffices, cross-entropy
never does; cosine, triplet and ranking losses compare, and leave the scale free. A sum of losses
with weights trades one task for the other.

Source: optax and rote.losses, whose docstrings have the formulas; Huber 1964; Crammer and Singer
2001 (the multiclass hinge); Schroff, Kalenichenko and Philbin 2015 (triplets).

Expected: value equal to a closed form written in NumPy, gradient to its central differences in
float64, both to 1e-4 (float32); no pull of the hinge beyond the margin.

  squared        (p - t)^2 / 2                     errors like noise: regression
  absolute       |p - t|                           regression with outliers: the median
  Huber          (p - t)^2 / 2 up to 1, then |p - t| - 1/2        outliers, but a smooth minimum
  hinge          max(0, 1 - y s), y = 1 or -1      two classes, by margin
  multiclass     max_{j != c}(x_j + 1) - x_c, or 0            several classes, by margin
  binary CE      log(1 + exp(-y s))                two classes, or several labels: probabilities
  categorical    -x_c + logsumexp(x)               one of several classes: probabilities
  cosine         1 - a.b / |a| |b|                 directions: embeddings of any length
  triplet        max(0, |a - p| - |a - n| + 1)     a nearer to its like p than to n
  ranking        max(0, -y (a - b) + 1)            which of two should score higher
  joint          categorical + weight * squared    a class and a number from one net

Command: python experiments/foundations/losses.py --preset smoke
  smoke  200 random inputs a loss; a net with two heads on digits, five weights, three seeds;
         seconds

Left open by the course: the margins (1), Huber's threshold (1), and the joint task: the digit and
the slant of its strokes (the regression of x on y over its ink), from one hidden layer of 32.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import cli, data, layers, losses, tables, viz
from rote.combinators import serial
from rote.core import Dataset, InputError
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column

STEP = 1e-6
"""Of the central differences, which are in float64."""


class Checked(NamedTuple):
    """A loss of one example, as a function of a vector of what it depends on.

    Of two classes, or two to be ranked, the sign of the last entry is the label.

    Attributes:
      loss: as the library has it, float32.
      closed: as its formula says, NumPy float64.
      size: entries of the vector.
    """

    loss: Callable[[jax.Array], jax.Array]
    closed: Callable[[np.ndarray], np.ndarray]
    size: int


def _is_positive(x: jax.Array) -> jax.Array:
    """The label 1 or 0 that is an entry's sign."""
    return (x > 0).astype(x.dtype)


def _log_sum_exp(x: np.ndarray) -> np.ndarray:
    return x.max() + np.log(np.sum(np.exp(x - x.max())))


LOSSES = {
    "squared": Checked(
        lambda v: optax.losses.l2_loss(v[0], v[1]), lambda v: (v[0] - v[1]) ** 2 / 2, 2
    ),
    "absolute": Checked(
        lambda v: losses.absolute_error(v[0], v[1]), lambda v: np.abs(v[0] - v[1]), 2
    ),
    "huber": Checked(
        lambda v: optax.losses.huber_loss(v[0], v[1]),
        lambda v: np.where(
            np.abs(v[0] - v[1]) <= 1, (v[0] - v[1]) ** 2 / 2, np.abs(v[0] - v[1]) - 0.5
        ),
        2,
    ),
    "hinge": Checked(
        lambda v: optax.losses.hinge_loss(v[0], 2 * _is_positive(v[1]) - 1),
        lambda v: np.maximum(0, 1 - np.sign(v[1]) * v[0]),
        2,
    ),
    "multiclass_hinge": Checked(
        lambda v: optax.losses.multiclass_hinge_loss(v, jnp.asarray(2)),
        lambda v: np.maximum(0, np.max(np.delete(v, 2)) + 1 - v[2]),
        5,
    ),
    "binary_cross_entropy": Checked(
        lambda v: optax.losses.sigmoid_binary_cross_entropy(v[0], _is_positive(v[1])),
        lambda v: np.log1p(np.exp(-np.sign(v[1]) * v[0])),
        2,
    ),
    "categorical_cross_entropy": Checked(
        lambda v: optax.losses.softmax_cross_entropy_with_integer_labels(v, jnp.asarray(2)),
        lambda v: -v[2] + _log_sum_exp(v),
        5,
    ),
    "cosine": Checked(
        lambda v: optax.losses.cosine_distance(v[:3], v[3:]),
        lambda v: 1 - v[:3] @ v[3:] / (np.linalg.norm(v[:3]) * np.linalg.norm(v[3:])),
        6,
    ),
    "triplet": Checked(
        lambda v: optax.losses.triplet_margin_loss(v[:3], v[3:6], v[6:], margin=1.0),
        lambda v: np.maximum(0, np.linalg.norm(v[:3] - v[3:6]) - np.linalg.norm(v[:3] - v[6:]) + 1),
        9,
    ),
    "ranking": Checked(
        lambda v: losses.margin_ranking_loss(v[0], v[1], 2 * _is_positive(v[2]) - 1, margin=1.0),
        lambda v: np.maximum(0, 1 - np.sign(v[2]) * (v[0] - v[1])),
        3,
    ),
    "joint": Checked(
        lambda v: (
            optax.losses.softmax_cross_entropy_with_integer_labels(v[:4], jnp.asarray(1))
            + 0.3 * optax.losses.l2_loss(v[4], v[5])
        ),
        lambda v: -v[1] + _log_sum_exp(v[:4]) + 0.3 * (v[4] - v[5]) ** 2 / 2,
        6,
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the losses."""

    num_inputs: int = 200
    """Random inputs, normal with deviation 2, at which each loss is checked."""
    weights: tuple[float, ...] = (0.0, 0.1, 1.0, 10.0, 100.0)
    """Of the regression in the joint task."""
    steps: int = 400
    """Of Adam, on all examples, in the joint task."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the joint task's net."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        check_list("weights", self.weights)
        for name in ("num_inputs", "steps"):
            check_positive(name, getattr(self, name))
        if min(self.weights) < 0:
            raise InputError(f"weights: {min(self.weights)}; expected 0 or positive numbers")


PRESETS = {"smoke": Config()}


def run(config: Config, out: cli.Job) -> None:
    """Checks every loss, draws them, and trains the joint task."""
    table = [{"loss": name, **check(name, config.num_inputs)} for name in LOSSES]
    curves = sections()
    equal = "the hinge and the multiclass hinge are the same line"
    for column, what, caption in (
        ("value", "Losses", equal),
        (
            "gradient",
            "How hard they pull",
            f"{equal}; Huber is the squared error up to 1, and the absolute one beyond",
        ),
    ):
        figure = viz.lines(
            curves, x="x", y=column, by="loss", panel="panel", caption=caption, title=what
        )
        out.save_figure(column, figure)
    joint = joint_task(config, data.load("digits"))
    figure = viz.lines(
        [row for row in joint if row["weight"] > 0],
        x="weight",
        y=("test_accuracy", "r2"),
        log=("weight",),
        markers=True,
        caption="loss: categorical cross-entropy + weight * squared error",
        title="One net, two tasks: the digit and its slant",
    )
    out.save_figure("joint", figure)
    summary = tables.summarize(
        joint,
        ["weight"],
        {
            "test accuracy of the digit": Column("test_accuracy", unit="%"),
            "R2 of the slant, test": Column("r2", 3),
        },
    )
    text = f"{tables.format_table(table)}\n\n{tables.format_table(summary)}"
    out.finish(text, table=table, joint=joint, summary=summary)


def check(name: str, num_inputs: int) -> dict[str, Any]:
    """The largest differences of value and gradient to the closed form, relative to 1 + |it|."""
    loss, closed, size = LOSSES[name]
    # Rounded to float32, so that both get the same input.
    inputs = (2 * np.random.default_rng(0).normal(size=(num_inputs, size))).astype(np.float32)
    values, gradients = jax.vmap(jax.value_and_grad(loss))(inputs)
    exact = inputs.astype(np.float64)
    at_kink = np.zeros((num_inputs, size), bool)
    slopes = np.zeros((num_inputs, size))
    for i in range(size):
        high, low = exact.copy(), exact.copy()
        high[:, i] += STEP
        low[:, i] -= STEP
        at, above, below = (np.array([closed(v) for v in each]) for each in (exact, high, low))
        slopes[:, i] = (above - below) / (2 * STEP)
        at_kink[:, i] = np.abs((above - at) - (at - below)) > 1e-3 * STEP
    error = np.abs(gradients - slopes) / (1 + np.abs(slopes))
    return {
        "value - closed form": f"{np.max(np.abs(values - at) / (1 + np.abs(at))):.0e}",
        "gradient - differences": f"{np.max(error[~at_kink]):.0e}",
        "without a pull": f"{100 * np.mean(np.all(np.asarray(gradients) == 0, axis=1)):.0f} %",
        "largest pull": float(np.abs(gradients).max()),
    }


def sections() -> list[dict[str, Any]]:
    """Losses along one line each: against error, margin, angle or distance."""
    vector = {
        "squared": lambda x: [x, 0.0],
        "absolute": lambda x: [x, 0.0],
        "huber": lambda x: [x, 0.0],
        "hinge": lambda x: [x, 1.0],
        "binary_cross_entropy": lambda x: [x, 1.0],
        "multiclass_hinge": lambda x: [0.0, 0.0, x, 0.0, 0.0],
        "categorical_cross_entropy": lambda x: [0.0, 0.0, x, 0.0, 0.0],
        "cosine": lambda x: [jnp.cos(x), jnp.sin(x), 0.0, 1.0, 0.0, 0.0],
        "triplet": lambda x: [0.0, 0.0, 0.0, x, 0.0, 0.0, 1.0, 0.0, 0.0],
        "ranking": lambda x: [x, 0.0, 1.0],
    }
    panels = {
        "x: the error p - t": ("squared", "absolute", "huber"),
        "x: the score s of the right class": (
            "hinge",
            "binary_cross_entropy",
            "multiclass_hinge",
            "categorical_cross_entropy",
        ),
        "x: the angle; the distance of the like; a - b": ("cosine", "triplet", "ranking"),
    }
    # No point at 0, where three of them have a kink.
    grid = np.linspace(-4, 4, 400)
    rows = []
    for panel, names in panels.items():
        for name in names:

            def along(x: jax.Array, name: str = name) -> jax.Array:
                return LOSSES[name].loss(jnp.stack([jnp.asarray(each) for each in vector[name](x)]))

            values, slopes = jax.vmap(jax.value_and_grad(along))(jnp.asarray(grid))
            rows += [
                {"panel": panel, "loss": name, "x": x, "value": float(value), "gradient": float(g)}
                for x, value, g in zip(grid.tolist(), values, slopes, strict=True)
            ]
    # The last lines are dashed, so that the multiclass hinge, its equal here, is seen under it.
    return sorted(rows, key=lambda row: row["loss"] == "hinge")


def slant(images: np.ndarray) -> np.ndarray:
    """``[N]``: by how many pixels the ink moves to the right per pixel downwards."""
    ink = images[..., 0] / np.sum(images[..., 0], axis=(1, 2), keepdims=True, dtype=np.float64)
    rows, columns = np.mgrid[: ink.shape[1], : ink.shape[2]]
    middle_row, middle_column = (
        np.sum(ink * each, axis=(1, 2), keepdims=True) for each in (rows, columns)
    )
    across = np.sum(ink * (rows - middle_row) * (columns - middle_column), axis=(1, 2))
    return across / np.sum(ink * (rows - middle_row) ** 2, axis=(1, 2))


def joint_task(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
    """One net with eleven outputs, trained with every weight and seed."""
    net = serial(
        flatten=layers.flatten(),
        hidden=layers.dense(32),
        activation=layers.activation(jax.nn.relu),
        heads=layers.dense(dataset.num_classes + 1),
    )
    # The pixels of digits go to 255, and their number is small: no mini-batches.
    x, x_test = (split.images / 255 for split in (dataset.train, dataset.test))
    number, number_test = slant(dataset.train.images), slant(dataset.test.images)
    mean, deviation = number.mean(), number.std()
    number, number_test = ((each - mean) / deviation for each in (number, number_test))
    optimizer = optax.adam(0.01)

    def loss(params: Any, state: Any, weight: jax.Array) -> jax.Array:
        y, _ = net.apply(params, state, x, train=True)
        classes = optax.losses.softmax_cross_entropy_with_integer_labels(
            y[:, :-1], dataset.train.labels
        )
        return jnp.mean(classes + weight * optax.losses.l2_loss(y[:, -1], number))

    @jax.jit
    def train(seed: jax.Array, weight: jax.Array) -> jax.Array:
        params, state = net.init(jax.random.key(seed), x)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, opt_state = carry
            gradient = jax.grad(loss)(params, state, weight)
            updates, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, updates), opt_state), None

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=config.steps)
        return net.apply(params, state, x_test, train=False)[0]

    rows = []
    for weight in config.weights:
        for seed in config.seeds:
            y = np.asarray(train(jnp.asarray(seed), jnp.asarray(weight)))
            left = np.mean((y[:, -1] - number_test) ** 2)
            rows.append(
                {
                    "weight": weight,
                    "seed": seed,
                    "test_accuracy": float(np.mean(y[:, :-1].argmax(1) == dataset.test.labels)),
                    "r2": float(1 - left / np.var(number_test)),
                }
            )
    return rows


if __name__ == "__main__":
    cli.main(run, PRESETS)
