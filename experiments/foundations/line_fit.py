"""A line through points: two points, the closed form, and gradient descent.

Claim: two points give a slope at once, and a bad one where there is noise; gradient descent on the
squared error ends at the closed form, and its steps shrink with the slope of the cost; on the
absolute error they do not go to 0, so that it ends by jumping to and fro about the minimum; where a
cost has several valleys, the start decides where descent ends.

Source: least squares as in any course (Bishop, Pattern Recognition and Machine Learning, 2006,
section 3.1; Nielsen, Neural Networks and Deep Learning, 2015, chapter 1, for descent).

Expected: |descent - closed form| below 1e-4 in both parameters on the squared error. On a
quadratic cost the distance to the minimum shrinks by one factor per step and so does the step; on
the absolute error the step keeps its length until points change sides. Each is measured to its
own minimum: least squares in closed form, least absolute deviations by linear programming.

  squared   C(a, b) = mean_i (a x_i + b - y_i)^2 / 2, from any start
  absolute  C(a, b) = mean_i |a x_i + b - y_i|
  valleys   C(w) = mean_i (sin(w x_i) - sin(w0 x_i))^2 / 2: one parameter, many minima

Command: python experiments/foundations/line_fit.py --preset smoke
  smoke  three draws of 40 points; seconds

Left open by the course: the points (a = 2, b = -1, noise 0.3, x uniform on [-1, 2]), the rate 0.2
and the number of steps.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize

from rote import cli, losses, tables, viz
from rote.core import InputError
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import descend
from rote.tables import Column


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the line."""

    num_points: int = 40
    """Points of the line."""
    slope: float = 2.0
    """a of y = ax + b."""
    intercept: float = -1.0
    """b of y = ax + b."""
    noise: float = 0.3
    """Standard deviation of y about the line."""
    learning_rate: float = 0.2
    """Of gradient descent."""
    steps: int = 300
    """Of gradient descent."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of points and starts."""
    frequency: float = 5.0
    """w0 of the cost with many valleys."""
    num_starts: int = 41
    """Starts on the cost with many valleys."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_list("seeds", self.seeds)
        for name in ("num_points", "steps", "num_starts", "learning_rate"):
            check_positive(name, getattr(self, name))
        if self.num_points < 2:
            raise InputError(f"num_points: {self.num_points}; a line needs at least 2")
        if self.noise < 0:
            raise InputError(f"noise: {self.noise}; expected 0 or a positive number")


PRESETS = {"smoke": Config()}


def squared(params: Any, x: Any, y: Any) -> Any:
    """``mean (a x + b - y)^2 / 2`` over the points."""
    return jnp.mean(optax.losses.l2_loss(params[0] * x + params[1], y))


def absolute(params: Any, x: Any, y: Any) -> Any:
    """``mean |a x + b - y|`` over the points."""
    return jnp.mean(losses.absolute_error(params[0] * x + params[1], y))


def run(config: Config, out: cli.Job) -> None:
    """Fits every draw; leaves a table and four figures."""
    table, steps = [], []
    for seed in config.seeds:
        x, y, start = draw(config, seed)
        goals = {"squared": least_squares(x, y), "absolute": least_absolute(x, y)}
        two = two_points(x, y)
        paths = {}
        for name, cost in (("squared", squared), ("absolute", absolute)):
            paths[name] = np.asarray(
                descend(
                    functools.partial(cost, x=x, y=y),
                    start,
                    optax.sgd(config.learning_rate),
                    config.steps,
                )
            )
            lengths = np.linalg.norm(np.diff(paths[name], axis=0), axis=1)
            steps += [
                {"cost": name, "seed": seed, "step": i, "step_length": float(length) or None}
                for i, length in enumerate(lengths, start=1)
            ]
        table.append(
            {
                "seed": seed,
                "slope": float(goals["squared"][0]),
                "two_points": float(two[0]),
                **{name: float(np.abs(paths[name][-1] - goals[name]).max()) for name in paths},
                "shrinks_squared": shrinks(paths["squared"]),
                "shrinks_absolute": shrinks(paths["absolute"]),
            }
        )
        if seed == config.seeds[0]:
            out.save_figure("fit", picture_of_fit(x, y, two, goals["squared"], config))
            out.save_figure("path", picture_of_path(x, y, start, goals, paths))
    figure = viz.lines(
        steps,
        x="step",
        y="step_length",
        by="cost",
        log=("step_length",),
        title="The length of a step of gradient descent",
    )
    out.save_figure("step_length", figure)
    ends = valleys(config)
    out.save_figure("valleys", picture_of_valleys(config, ends))
    summary = tables.summarize(
        [{**row, "points": config.num_points} for row in table],
        ["points"],
        {
            "slope, closed form": Column("slope", 3),
            "slope, two points": Column("two_points", 3),
            "from the minimum, squared": Column("squared", 7),
            "absolute": Column("absolute", 4),
            "last step / first, squared": Column("shrinks_squared", 7),
            "last / first, absolute": Column("shrinks_absolute", 4),
        },
    )
    found = sum(abs(row["end"] - config.frequency) < 1e-2 for row in ends)
    places = len({round(row["end"], 2) for row in ends})
    text = (
        f"{tables.format_table(summary)}\n\nvalleys: {len(ends)} starts end in {places} places; "
        f"{found} find w0 = {config.frequency:g}"
    )
    out.finish(text, table=table, valleys=ends, summary=summary)


def draw(config: Config, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points ``x [n]``, ``y [n]`` and a start ``[2]``."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 2, config.num_points)
    y = config.slope * x + config.intercept + config.noise * random.normal(size=len(x))
    return x, y, np.array([-1.5, 2.5]) + random.uniform(-0.5, 0.5, 2)


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``[2]``: the minimum of ``squared``."""
    return np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), y, rcond=None)[0]


def least_absolute(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``[2]``: a minimum of ``absolute``, by linear programming.

    Of ``mean t`` over ``a``, ``b`` and ``t [n]`` under ``-t <= a x + b - y <= t``.
    """
    n = len(x)
    line, eye = np.stack([x, np.ones(n)], 1), np.eye(n)
    found = scipy.optimize.linprog(
        np.r_[0, 0, np.full(n, 1 / n)],
        np.block([[line, -eye], [-line, -eye]]),
        np.r_[y, -y],
        bounds=(None, None),
    )
    return found.x[:2]


def two_points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slope and intercept of the line through the first two points."""
    slope = (y[1] - y[0]) / (x[1] - x[0])
    return np.array([slope, y[0] - slope * x[0]])


def shrinks(path: np.ndarray) -> float:
    """The mean of the last ten steps' lengths, in units of the first."""
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return float(np.mean(lengths[-10:]) / lengths[0])


def valleys(config: Config) -> list[dict[str, float]]:
    """Where descent ends on a cost with many minima, by start."""
    x = np.linspace(-2, 2, 100)
    wanted = np.sin(config.frequency * x)

    def cost(w: Any) -> Any:
        return jnp.mean(optax.losses.l2_loss(jnp.sin(w * x), wanted))

    starts = np.linspace(0.2, 2 * config.frequency, config.num_starts)
    return [
        {"start": float(start), "end": float(path[-1]), "cost": float(cost(path[-1]))}
        for start in starts
        for path in (descend(cost, start, optax.sgd(config.learning_rate / 2), 2000),)
    ]


def picture_of_fit(
    x: np.ndarray, y: np.ndarray, two: np.ndarray, closed: np.ndarray, config: Config
) -> Any:
    """The points, the line through two of them, and the least-squares line."""
    fits = {
        "the line drawn from": (config.slope, config.intercept),
        "through the first two points": (float(two[0]), float(two[1])),
        "least squares": (float(closed[0]), float(closed[1])),
    }
    return viz.fitted_lines(x, y, fits, title="Two points give a slope; all points a better one")


def picture_of_path(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    goals: dict[str, np.ndarray],
    paths: dict[str, np.ndarray],
) -> Any:
    """Both costs around the least-squares line, with the ways of descent."""
    center = goals["squared"]
    reach = 1.2 * np.abs(start - center).max()
    a, b = (np.linspace(middle - reach, middle + reach, 121) for middle in center)
    grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    surfaces = {}
    for name, cost in (("squared", squared), ("absolute", absolute)):
        values = jax.vmap(functools.partial(cost, x=x, y=y))(grid)
        surfaces[f"{name} error"] = (a, b, np.asarray(values).reshape(len(b), len(a)))
    named = {f"{name} error": {"descent": path} for name, path in paths.items()}
    return viz.descent_paths(
        surfaces,
        named,
        names=("slope a", "intercept b"),
        goals={f"{name} error": goal.tolist() for name, goal in goals.items()},
        title="Descent on the cost of a line",
    )


def picture_of_valleys(config: Config, ends: list[dict[str, float]]) -> Any:
    """The cost with many minima, and the ends of descent on it."""
    w = np.linspace(0, 2 * config.frequency, 800)
    x = np.linspace(-2, 2, 100)
    cost = np.mean((np.sin(w[:, None] * x) - np.sin(config.frequency * x)) ** 2, axis=1) / 2
    title = f"sin(wx) fitted to sin({config.frequency:g}x): many valleys"
    return viz.valleys((w, cost), ends, title=title)


if __name__ == "__main__":
    cli.main(run, PRESETS)
