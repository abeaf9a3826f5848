"""Networks that fit any labels, written down without training.

Claim: for any n distinct points in d dimensions and any labels, there is a two-layer ReLU network
with 2n + d weights that gives each point its label; one of depth k needs a width of O(n/k) and
O(n + d) weights.

Source: Zhang et al. 2017, section 4, Theorem 1 and the corollary on depth. One direction a (d
weights) projects the points onto a line, z = <a, x>, in sorted order z_1 < ... < z_n. Biases
interleave with them, b_1 < z_1 < b_2 < z_2 < ..., so A_ij = max(z_i - b_j, 0) is lower triangular
with a positive diagonal, and A w = y has a solution: the n output weights.

Depth k: the points are handed out in sorted order to the k - 1 hidden layers, n/(k - 1) to each. A
layer adds the units of its own points to the sum that it is given. What it passes on is that sum
(as its positive and its negative part, since a ReLU hides one of them) and z - b_1, which is
positive on all points and is the first layer's first unit already. So the numbers in the network
are the same 2n + d for every k (those of a sum stand twice, in its two parts, and with both signs),
each hidden unit more than n/(k - 1) has fixed weights of 1 and -1, and a width of ceil(n/(k - 1)) +
3 is enough. At k = 2 it is the theorem's network.

Expected: every label right after rounding. The residual, the largest |f(x) - y|, grows with n:
  * Conditioning: between neighbors the network must rise by y_i - y_{i-1} over z_i - z_{i-1}. Of n
    random points the smallest gap is about 1/n^2 of their spread, so weights grow as n^2 and the
    output is a small difference of large terms; one rounding of z moves it by as much as
    2^-53 * |z| * largest weight.
  * Place of the bias: with b_i at a fraction t of the gap, the slopes follow s_i = (y_i -
    y_{i-1}) / ((1 - t) gap_i) - t/(1 - t) s_{i-1}. An error in one slope is passed on with factor
    t/(1 - t): it stays at the midpoint, dies out below, explodes above.
  * Solver: both take the true answer up to rounding, but "recursion" (O(n), the line above) never
    sees that its weights are rounded, while "triangular" (forward substitution,
    scipy.linalg.solve_triangular, O(n^2)) computes each weight from the rounded ones before it,
    summed as the two-layer network sums them. So "triangular" fits better at k = 2, and is the
    default; a deeper network sums in another order, and there the two are about equal.
Measured (--preset cpu --dims 20, with --bias-position 0.25 and 0.5; two layers, labels 0..9, the
largest residual of three seeds):
                           n = 10   100      1,000    10,000
  t = 1/4, triangular      1e-13    1e-10    2e-09    5e-08
  t = 1/4, recursion       3e-13    1e-10    6e-09    3e-06
  t = 1/2, triangular      2e-13    2e-09    1e-06    1e-03
  t = 1/2, recursion       1e-13    2e-09    1e-06    6e-03
  smallest gap             4e-03    3e-05    3e-06    8e-09

Command: python experiments/zhang2017/expressivity.py --preset smoke
  smoke  digits (in the package) and n to 1,000; seconds
  cpu    gaussian points, n to 10,000, d = 2, 20 and 784; a minute and 2 GiB on two cores
  paper  the same as cpu: the theorem has no settings. Real images: --dataset mnist or cifar10

Deviations: the paper draws no direction; here it is gaussian, which keeps distinct points apart
with probability 1. It leaves the biases anywhere in the gaps; they stand at a quarter. The theorem
is about real numbers; this is float64. Images are flattened, divided by 255, and an image that
occurs twice is taken once.
"""

import dataclasses
import time
from typing import Any, Literal

import numpy as np

from rote import cli, data, tables
from rote.core import Dataset, InputError
from rote.studies.config import check_list, check_seeds
from rote.studies.zhang2017 import expressivity
from rote.viz.expressivity import residuals


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the construction."""

    dataset: Literal["gaussian", "digits", "mnist", "cifar10"] = "gaussian"
    """Points: gaussian ones, or the first different training images of a data set."""
    num_points: tuple[int, ...] = (10, 30, 100, 300, 1_000)
    """How many points, n."""
    dims: tuple[int, ...] = (2, 20, 784)
    """Dimensions d of gaussian points; images have their own."""
    depths: tuple[int, ...] = (2, 3, 6)
    """Layers of weights, k; 2 is Theorem 1."""
    targets: tuple[str, ...] = ("classes", "real")
    """What is fitted: classes (uniform over 0..9) or real (standard normal numbers)."""
    solvers: tuple[expressivity.Solver, ...] = ("triangular", "recursion")
    """How the output weights are computed."""
    bias_position: float = 0.25
    """Where a bias stands in the gap below its point: 0 at the lower neighbor, 1 at the point."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each draws the points (gaussian ones), the targets and the direction."""

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
          InputError: if one cannot be used.
        """
        check_seeds(self.seeds)
        for name in ("num_points", "dims", "depths", "targets", "solvers"):
            check_list(name, getattr(self, name))
        for name, least in (("num_points", 1), ("dims", 1), ("depths", 2)):
            if min(getattr(self, name)) < least:
                raise InputError(f"{name}: {min(getattr(self, name))}; expected at least {least}")
        for target in self.targets:
            if target not in ("classes", "real"):
                raise InputError(f"targets: {target!r}; expected classes or real")
        expressivity.check_position(self.bias_position)


_LARGE = Config(num_points=(10, 30, 100, 300, 1_000, 3_000, 10_000), depths=(2, 11))
PRESETS = {
    "smoke": Config(dataset="digits"),
    "cpu": _LARGE,
    "paper": _LARGE,
}


def run(config: Config, out: cli.Job) -> None:
    """Constructs and checks a network per setting and seed; leaves a table and a figure."""
    dataset = None if config.dataset == "gaussian" else data.load(config.dataset)
    table = [
        row
        for dim in (config.dims if dataset is None else (None,))
        for num_points in config.num_points
        for seed in config.seeds
        for row in _rows(config, dataset, num_points, dim, seed)
    ]
    what = "gaussian points" if dataset is None else f"{dataset.name} images"
    if any(row["depth"] == 2 and row["num_points"] > 1 for row in table):
        figure = residuals(table, title=f"Two layers on {what}, fitted without training")
        out.save_figure("residual", figure)
    summary = _summary(table)
    out.finish(
        tables.format_table(summary),
        table=table,
        summary=summary,
        data=data.describe(dataset)
        if dataset is not None
        else {"name": "gaussian", "num_train": max(config.num_points), "subset": False}
        | {"num_test": 0, "stored_as": None},
    )


def _rows(
    config: Config, dataset: Dataset | None, num_points: int, dim: int | None, seed: int
) -> list[dict[str, Any]]:
    random = np.random.default_rng([seed, num_points, dim or 0])
    if dataset is None:
        points = random.normal(size=(num_points, dim or 0))
    else:
        points = _images(dataset, num_points)
    direction = random.normal(size=points.shape[1]) / np.sqrt(points.shape[1])
    wanted = {
        "classes": random.integers(0, 10, num_points).astype(float),
        "real": random.normal(size=num_points),
    }
    smallest_gap = np.diff(np.sort(points @ direction)).min(initial=np.inf)
    rows = []
    for target in config.targets:
        for depth in sorted({min(depth, num_points + 1) for depth in config.depths}):
            for solver in config.solvers:
                began = time.perf_counter()
                network = expressivity.construct(
                    points,
                    wanted[target],
                    direction,
                    depth=depth,
                    solver=solver,
                    bias_position=config.bias_position,
                )
                outputs = network(points)
                rows.append(
                    {
                        "num_points": num_points,
                        "dim": points.shape[1],
                        "depth": depth,
                        "target": target,
                        "solver": solver,
                        "seed": seed,
                        "num_weights": network.num_weights,
                        "width": network.width,
                        "residual": float(np.abs(outputs - wanted[target]).max()),
                        # Real targets are no labels: nothing to round to.
                        "labels_right": float(np.mean(outputs.round() == wanted[target]))
                        if target == "classes"
                        else None,
                        "smallest_gap": float(smallest_gap) if num_points > 1 else None,
                        "largest_weight": float(max(np.abs(w).max() for w in network.weights)),
                        "seconds": time.perf_counter() - began,
                    }
                )
    return rows


def _images(dataset: Dataset, num_points: int) -> np.ndarray:
    """The first different training images, flattened: ``[n, d]`` float64 in 0..1."""
    # Hardly any image occurs twice, so the first few more than n have n different ones.
    images = dataset.train.images[: num_points + 1_000]
    flat = images.reshape(len(images), -1)
    _, first = np.unique(flat, axis=0, return_index=True)
    if len(first) < num_points:
        raise InputError(
            f"num_points: {num_points}; {dataset.name} has {len(first)} different images; "
            "give fewer"
        )
    return flat[np.sort(first)[:num_points]] / 255


def _summary(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per setting: what holds for every seed."""
    factors = ("num_points", "dim", "depth", "target", "solver")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(tuple(row[name] for name in factors), []).append(row)
    return [
        {
            "n": rows[0]["num_points"],
            **dict(zip(factors[1:], key[1:], strict=True)),
            "weights": rows[0]["num_weights"],
            "width": rows[0]["width"],
            "labels right": "-"
            if rows[0]["labels_right"] is None
            else f"{100 * min(row['labels_right'] for row in rows):g} %",
            "largest residual": f"{max(row['residual'] for row in rows):.0e}",
            "smallest gap": "-"
            if rows[0]["smallest_gap"] is None
            else f"{min(row['smallest_gap'] for row in rows):.0e}",
            "seeds": len(rows),
        }
        for key, rows in groups.items()
    ]


if __name__ == "__main__":
    cli.main(run, PRESETS)
