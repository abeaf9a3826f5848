"""The neuron: a weighted sum and a threshold; what one can do, and what takes several.

Claims: one neuron separates 14 of the 16 functions of two bits, and not XOR; a stack of layers
without activation is one layer; a binary activation has no gradient, so that descent learns nothing
below it, and a graded one has; more units fit more, and on small data soon enough (whether more
layers do is measured).

Source: Rosenblatt 1958 (the neuron and its learning rule); Minsky and Papert, Perceptrons, 1969
(XOR); Rumelhart, Hinton and Williams 1986 (graded units); Nielsen, Neural Networks and Deep
Learning, 2015, chapters 1 and 2 (the four steps).

Expected: 14 of 16, by counting; XOR at most 3 of 4 by one neuron; the collapsed stack equal to the
bit (its weights are small integers, whose sums and products are exact); the four steps equal to
jax.grad to 1e-6; no step at all below a binary activation.

  the four steps   forward: h = s(U x + u), y = s(V h + v); cost: C = mean (y - t)^2 / 2;
                   backward: d = (y - t) y (1 - y), e = (V' d) h (1 - h);
                   update: V <- V - r d h', U <- U - r e x'
  binary           h = 1 where U x + u > 0, else 0: its derivative is 0 wherever it exists
  On digits the graded units are tanh; the shallowest nets of the sweep are trained with binary
  ones, too, whose first layer stays as it was drawn.

Command: python experiments/foundations/neuron.py --preset smoke
  smoke  XOR with ten seeds; width x depth on 300 digits, two seeds; half a minute
  cpu    width x depth on all digits, five seeds; four minutes on two shared cores

Left open by the course: the rate of the four steps (5), how many (3,000), and the start (normal,
standard deviation 1); the sweep's recipe (SGD with momentum 0.9, rate 0.05, batch 32, 60 epochs).
"""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize

from rote import Group, Run, cli, data, fit_groups, layers, models, optim, tables, transforms, viz
from rote.combinators import serial
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column

INPUTS = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
"""The four points of two bits, ``[4, 2]``."""
UNITS = {"graded": jnp.tanh, "binary": lambda z: (z > 0).astype(z.dtype)}
"""Hidden units of the nets that read digits."""
GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the neuron."""

    hidden: int = 4
    """Hidden units of the net that learns XOR."""
    steps: int = 3_000
    """Times the four steps are taken."""
    learning_rate: float = 5.0
    """Of the four steps."""
    xor_seeds: tuple[int, ...] = tuple(range(10))
    """Starts of the net that learns XOR."""
    widths: tuple[int, ...] = (1, 4, 16)
    """Hidden units per layer of the sweep."""
    depths: tuple[int, ...] = (1, 3)
    """Hidden layers of the sweep."""
    num_train: int | None = 300
    """Digits that the sweep trains on; None: all."""
    seeds: tuple[int, ...] = (0, 1)
    """Of the sweep."""
    max_epochs: int = 60
    """Of the sweep."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("xor_seeds", "widths", "depths"):
            check_list(name, getattr(self, name))
        for name in ("hidden", "steps", "learning_rate", "max_epochs"):
            check_positive(name, getattr(self, name))
        for name in ("widths", "depths"):
            for value in getattr(self, name):
                check_positive(name, value)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        widths=(1, 2, 4, 8, 16, 64, 256), depths=(1, 2, 3, 4), num_train=None, seeds=(0, 1, 2, 3, 4)
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Counts, collapses, trains; leaves tables and four figures."""
    functions = list(itertools.product((0, 1), repeat=4))
    separable = [one_neuron(truth) is not None for truth in functions]
    out.save_figure("one_neuron", picture_of_gates())

    xor = [
        {"activation": kind, "seed": seed, **learn_xor(config, kind, seed)}
        for kind in ("graded", "binary")
        for seed in config.xor_seeds
    ]
    out.save_figure(
        "xor",
        viz.lines(
            [
                {"activation": row["activation"], "seed": row["seed"], "step": step, "cost": cost}
                for row in xor
                for step, cost in row["costs"]
            ],
            x="step",
            y="cost",
            by="activation",
            title=f"XOR by 2-{config.hidden}-1: hidden units graded or binary",
        ),
    )
    sweep = width_and_depth(config, out)
    out.save_figure(
        "width_and_depth",
        viz.lines(
            [row for row in sweep if row["activation"] == "graded"],
            x="width",
            y=("train_accuracy", "test_accuracy"),
            by="depth",
            log=("width",),
            markers=True,
            title="How many neurons, how deep: digits",
        ),
    )
    shallow = min(config.depths)
    out.save_figure(
        "graded_and_binary",
        viz.lines(
            [row for row in sweep if row["depth"] == shallow],
            x="width",
            y=("train_accuracy", "test_accuracy"),
            by="activation",
            log=("width",),
            markers=True,
            title=f"Digits, depth {shallow}: hidden units graded or binary",
        ),
    )
    learned = tables.summarize(
        xor,
        ["activation"],
        {
            "cost at the end": Column("cost", 4),
            "XOR right": Column("accuracy", 0, unit="%"),
            "way of the hidden weights": Column("way", 3),
        },
    )
    swept = tables.summarize(
        sweep,
        ["activation", "depth", "width", "num_params"],
        {
            "train accuracy": Column("train_accuracy", unit="%"),
            "test accuracy": Column("test_accuracy", unit="%"),
        },
    )
    best = max(
        most_right(truth) for truth, can in zip(functions, separable, strict=True) if not can
    )
    text = (
        f"one neuron separates {sum(separable)} of {len(functions)} functions of two bits; of the "
        f"others it gets {best} of 4 right\n"
        f"a stack of three layers without activation and the one layer that it is differ by "
        f"{collapse(0):g} at most\n"
        f"the four steps and jax.grad differ by {steps_against_grad(config):.1e} at most\n\n"
        f"{tables.format_table(learned)}\n\n{tables.format_table(swept)}"
    )
    xor = [{name: value for name, value in row.items() if name != "costs"} for row in xor]
    out.finish(text, table=sweep, xor=xor, summary=swept)


def one_neuron(truth: tuple[int, ...]) -> np.ndarray | None:
    """Weights and threshold ``[w1, w2, b]`` with ``w x + b > 0`` just where ``truth`` is 1.

    Found by linear programming: ``(w x + b)`` at least 1 where it must be positive, at most -1
    where it must not. ``None`` where there are none, which the program proves.
    """
    signs = np.where(np.array(truth) == 1, 1.0, -1.0)
    rows = -signs[:, None] * np.column_stack([INPUTS, np.ones(4)])
    found = scipy.optimize.linprog(np.zeros(3), rows, -np.ones(4), bounds=(None, None))
    return found.x if found.success else None


def fires(weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``[n]``: 1 where the neuron ``[w1, w2, b]`` is above its threshold, else 0."""
    return (points @ weights[:2] + weights[2] > 0).astype(int)


def most_right(truth: tuple[int, ...]) -> int:
    """On how many of the four points the best single neuron agrees with ``truth``."""
    return max(
        sum(a == b for a, b in zip(truth, other, strict=True))
        for other in itertools.product((0, 1), repeat=4)
        if one_neuron(other) is not None
    )


def collapse(seed: int) -> float:
    """The largest difference of a stack of dense layers to the one layer ``W3 W2 W1``."""
    stack = serial(*(layers.dense(width) for width in (6, 5, 3)))
    random = np.random.default_rng(seed)
    x = random.integers(-3, 4, (20, 4)).astype(np.float32)
    shapes = jax.eval_shape(stack.init, jax.random.key(0), x)[0]
    params = jax.tree.map(
        lambda leaf: random.integers(-3, 4, leaf.shape).astype(np.float32), shapes
    )
    deep, _ = stack.apply(params, {name: {} for name in params}, x, train=False)
    kernel, bias = np.eye(4, dtype=np.float32), np.zeros(4, np.float32)
    for name in sorted(params):
        kernel = kernel @ params[name]["kernel"]
        bias = bias @ params[name]["kernel"] + params[name]["bias"]
    return float(np.abs(deep - (x @ kernel + bias)).max())


def sigmoid(z: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-z))``."""
    return 1 / (1 + np.exp(-z))


def backward(
    params: dict[str, np.ndarray], x: np.ndarray, t: np.ndarray, kind: str
) -> tuple[float, dict[str, np.ndarray]]:
    """Forward, cost and backward, by hand.

    Args:
      params: ``U [h, d]``, ``u [h]``, ``V [k, h]``, ``v [k]``.
      x: ``[n, d]``.
      t: ``[n, k]`` targets.
      kind: ``"graded"`` hidden units are sigmoids, ``"binary"`` ones thresholds at 0.

    Returns:
      The cost, and its gradient with respect to ``params``.
    """
    z = x @ params["U"].T + params["u"]
    h = sigmoid(z) if kind == "graded" else (z > 0).astype(z.dtype)
    slope = h * (1 - h) if kind == "graded" else np.zeros_like(h)
    y = sigmoid(h @ params["V"].T + params["v"])
    cost = np.mean(np.sum((y - t) ** 2, axis=1)) / 2
    d = (y - t) * y * (1 - y) / len(x)
    e = (d @ params["V"]) * slope
    return float(cost), {"U": e.T @ x, "u": e.sum(0), "V": d.T @ h, "v": d.sum(0)}


def new_params(config: Config, seed: int) -> dict[str, np.ndarray]:
    """A start of the net 2-hidden-1."""
    random = np.random.default_rng(seed)
    shapes = {"U": (config.hidden, 2), "u": (config.hidden,), "V": (1, config.hidden), "v": (1,)}
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def learn_xor(config: Config, kind: str, seed: int) -> dict[str, Any]:
    """The four steps, again and again, on XOR."""
    params = start = new_params(config, seed)
    target = np.array(GATES["XOR"], float)[:, None]
    costs = []
    for step in range(config.steps + 1):
        cost, gradient = backward(params, INPUTS, target, kind)
        if step % (config.steps // 60 or 1) == 0:
            costs.append((step, cost))
        if step < config.steps:
            params = {
                name: value - config.learning_rate * gradient[name]
                for name, value in params.items()
            }
    z = INPUTS @ params["U"].T + params["u"]
    h = sigmoid(z) if kind == "graded" else (z > 0).astype(float)
    said = sigmoid(h @ params["V"].T + params["v"]) > 0.5
    return {
        "costs": costs,
        "cost": costs[-1][1],
        "accuracy": float(np.mean(said == (target == 1))),
        "way": float(np.linalg.norm(params["U"] - start["U"])),
    }


def steps_against_grad(config: Config) -> float:
    """The largest difference of the gradient by hand to the one by ``jax.grad``."""
    params, target = new_params(config, 0), np.array(GATES["XOR"], float)[:, None]

    def cost(params: dict[str, jax.Array]) -> jax.Array:
        h = jax.nn.sigmoid(INPUTS @ params["U"].T + params["u"])
        y = jax.nn.sigmoid(h @ params["V"].T + params["v"])
        return jnp.mean(jnp.sum(optax.losses.l2_loss(y, jnp.asarray(target)), axis=1))

    by_hand = backward(params, INPUTS, target, "graded")[1]
    by_jax = jax.grad(cost)(jax.tree.map(jnp.asarray, params))
    return max(float(np.abs(by_hand[name] - by_jax[name]).max()) for name in params)


def width_and_depth(config: Config, out: cli.Job) -> list[dict[str, Any]]:
    """Nets of every width and depth, trained on digits; the shallowest with binary units, too."""
    dataset = data.load("digits", num_train=config.num_train)
    nets = list(itertools.product(["graded"], config.depths, config.widths))
    nets += itertools.product(["binary"], [min(config.depths)], config.widths)
    groups = [
        Group(
            model=models.mlp(
                (width,) * depth,
                num_classes=dataset.num_classes,
                activation=UNITS[kind],
                init=layers.glorot_uniform,
            ),
            make_optimizer=functools.partial(optim.momentum, 0.05),
            dataset=dataset,
            runs=[
                Run(init_seed=seed, label=f"{kind} depth={depth} width={width} seed={seed}")
                for seed in config.seeds
            ],
            batch_size=32,
            max_epochs=config.max_epochs,
            transform=transforms.chain(transforms.unit_scale(), transforms.per_image_whitening()),
            record="last",
        )
        for kind, depth, width in nets
    ]
    columns = {
        each.label: {"activation": kind, "depth": depth, "width": width, "seed": each.init_seed}
        for (kind, depth, width), group in zip(nets, groups, strict=True)
        for each in group.runs
    }
    progress = cli.Progress(out, columns=columns)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    return [
        {
            **columns[result.run.label],
            "num_params": sum(np.size(leaf) for leaf in jax.tree.leaves(result.params)),
            "train_accuracy": result.history[-1]["train_accuracy"],
            "test_accuracy": result.history[-1]["test_accuracy"],
        }
        for group in trained
        for result in group
    ]


def picture_of_gates() -> Any:
    """What one neuron says of AND, OR and XOR; of XOR, what the best on three points says."""
    planes = {}
    for name, truth in GATES.items():
        weights = one_neuron(truth)
        if weights is None:
            weights = one_neuron(GATES["OR"])
        assert weights is not None  # OR is separable
        planes[name] = viz.Plane(functools.partial(fires, weights), INPUTS, np.array(truth))
    title = "One neuron: AND and OR, but not XOR"
    return viz.decision_regions(planes, low=-0.5, high=1.5, title=title)


if __name__ == "__main__":
    cli.main(run, PRESETS)
