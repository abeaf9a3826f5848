"""Inside the net: what a layer of two units makes of two discs in the plane.

Claim: a net classifies what is not separable by bending and folding the plane until a line
separates it; a layer of two units before the last lets one watch.

Source: the article and code of Whiax, NeuralDatavizTF (GitHub). 1,000 points, uniform on
[-5, 5]^2; positive are two discs, radius 2 about the origin and radius 1 about (3, 3), 15.7 % of
the plane. Its picture is a film of the two-unit layer.

Expected: always "negative" is right for 84.3 %; how far a training comes above that, and for which
disc, is what the figures of accuracies show. The source gives no number.

  article  2-100-2-1, ReLU, as its text describes the net: 505 parameters
  code     8-100-2-1 on [x, x^2, sinh x, cos x] of both coordinates; each layer leaky_relu(xW) + b,
           slope 0.2, the bias after the activation, as its code has it: 1,105 parameters
  Both start with weights and biases from N(0, 1) and train by Adam at 1e-5, ten points a step,
  drawn with replacement, 100 steps an epoch, 500 epochs, on the sigmoid cross-entropy.
  faster   the article's net from Kaiming's start at the rate 1e-3, otherwise alike: our addition

In stills and film each axis is standardised over the points of its frame, and what lies further out
than 3.2 deviations is not shown; the dashed line is where the head says 0.

Command: python experiments/foundations/inside_the_net.py --preset smoke
  smoke  60 epochs, three trainings of each net; half a minute on two cores
  cpu    500 epochs as the source, three trainings of each; a minute or two

Left open by the source: seeds, whether the last layer has an activation (none is taken), a test set
(2,000 other points are drawn here, and accuracies are on them).
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import Batch, Model, cli, layers, tables, viz
from rote.combinators import serial
from rote.core import unknown_name
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column
from rote.train import TrainState, init_train_state, make_step

CENTERS, RADII = np.array([[0.0, 0.0], [3.0, 3.0]]), np.array([2.0, 1.0])
HALF_SIDE = 5.0
ALWAYS_NEGATIVE = 1 - float(np.pi * np.sum(RADII**2)) / (2 * HALF_SIDE) ** 2
"""Accuracy of a net that says "negative" everywhere: the plane without the discs."""
STEPS_PER_EPOCH, BATCH_SIZE = 100, 10
_normal = jax.nn.initializers.normal(1.0)
NORMAL = layers.Init(_normal, lambda n_in: _normal)


class Net(NamedTuple):
    """A net in two parts, and its learning rate."""

    encoder: Model
    head: Model
    learning_rate: float


def after(width: int) -> Model:
    """``leaky_relu(x W) + b``: the bias after the activation."""

    def init(key: jax.Array, example: Any) -> tuple[Any, Any]:
        kernel_key, bias_key = jax.random.split(key)
        shape = (example.shape[-1], width)
        return {
            "kernel": _normal(kernel_key, shape, jnp.float32),
            "bias": _normal(bias_key, (width,), jnp.float32),
        }, {}

    def apply(params: Any, state: Any, x: Any, *, train: bool, key: Any = None) -> tuple[Any, Any]:
        return jax.nn.leaky_relu(x @ params["kernel"], 0.2) + params["bias"], state

    return Model(init, apply)


def features() -> Model:
    """``[x, x^2, sinh x, cos x]`` of every coordinate."""
    return layers.activation(
        lambda x: jnp.concatenate([x, jnp.square(x), jnp.sinh(x), jnp.cos(x)], axis=-1)
    )


def _article(init: layers.Init, learning_rate: float) -> Net:
    relu = layers.activation(jax.nn.relu)
    encoder = serial(layers.dense(100, init=init), relu, layers.dense(2, init=init), relu)
    return Net(encoder, layers.dense(1, init=init), learning_rate)


NETS = {
    "article": _article(NORMAL, 1e-5),
    "code": Net(serial(features(), after(100), after(2)), layers.dense(1, init=NORMAL), 1e-5),
    "faster": _article(layers.uniform_kaiming, 1e-3),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the two discs."""

    nets: tuple[str, ...] = tuple(NETS)
    """Which nets: article, code, faster."""
    num_points: int = 1_000
    """To train on."""
    epochs: int = 60
    """Of 100 steps."""
    every: int = 2
    """Epochs between two frames of the film."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One training each."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        check_list("nets", self.nets)
        for name in ("num_points", "epochs", "every"):
            check_positive(name, getattr(self, name))
        for name in self.nets:
            if name not in NETS:
                raise unknown_name("net", name, NETS)


PRESETS = {"smoke": Config(), "cpu": Config(epochs=500, every=10)}


def run(config: Config, out: cli.Job) -> None:
    """Trains every net; leaves curves, regions, stills and a film."""
    table: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    planes: dict[str, viz.Plane] = {}
    films = []
    for name in config.nets:
        for seed in config.seeds:
            points, test = draw(config.num_points, seed), draw(2_000, seed + 2**16)
            moments = train(config, name, seed, points)
            rows = [
                {"net": name, "seed": seed, "epoch": epoch, **accuracies(name, params, test)}
                for epoch, params in moments
            ]
            curves += rows
            params = moments[-1][1]
            size = sum(leaf.size for leaf in jax.tree.leaves(params))
            table.append({"num_params": size, **rows[-1]})
            print(f"{name}, seed {seed}: test accuracy {rows[-1]['test_accuracy']:.3f}", flush=True)
            if seed == config.seeds[0]:
                shown = points[:300]
                planes[name] = viz.Plane(functools.partial(says, name, params), shown, label(shown))
                films.append(save_film(out, name, moments, points))
    baseline = f"always negative: {100 * ALWAYS_NEGATIVE:.1f} %"
    save_curves(out, config, curves, baseline)
    figure = viz.decision_regions(
        planes, low=-HALF_SIDE, high=HALF_SIDE, title="Two discs: what the nets say"
    )
    out.save_figure("regions", figure)
    summary = tables.summarize(
        table,
        ["net", "num_params"],
        {
            "test accuracy": Column("test_accuracy", unit="%"),
            "large disc": Column("large_disc", unit="%"),
            "small disc": Column("small_disc", unit="%"),
            "outside": Column("outside", unit="%"),
        },
    )
    text = (
        f"{tables.format_table(summary)}\n\n{baseline}; a disc's accuracy is on its points alone\n"
        + "\n".join(f"film: {path}" for path in films)
    )
    out.finish(text, table=table, curves=curves, summary=summary)


def save_curves(
    out: cli.Job, config: Config, curves: Sequence[Mapping[str, Any]], baseline: str
) -> None:
    """Accuracy over time, a line per training: everywhere beside the baseline, and by disc."""
    everywhere = [{**row, "training": f"seed {row['seed']}"} for row in curves]
    everywhere += [
        {"net": name, "epoch": epoch, "training": baseline, "test_accuracy": ALWAYS_NEGATIVE}
        for name in config.nets
        for epoch in (0, config.epochs)
    ]
    figure = viz.lines(
        everywhere,
        x="epoch",
        y="test_accuracy",
        by="training",
        panel="net",
        share_y=True,
        caption='a training that is not seen lies under "always negative"',
        title="Two discs: accuracy on new points",
    )
    out.save_figure("accuracy", figure)
    figure = viz.lines(
        [
            {**row, "disc": f"{row['net']}: {disc} disc", "accuracy": row[f"{disc}_disc"]}
            for disc in ("large", "small")
            for row in curves
        ],
        x="epoch",
        y="accuracy",
        by="seed",
        panel="disc",
        share_y=True,
        title="Two discs: accuracy on the points of each",
    )
    out.save_figure("discs", figure)


def draw(count: int, seed: int) -> np.ndarray:
    """Points ``[count, 2]``, uniform on the square."""
    random = np.random.default_rng(seed)
    return random.uniform(-HALF_SIDE, HALF_SIDE, (count, 2)).astype(np.float32)


def inside(points: np.ndarray) -> np.ndarray:
    """``[n, 2]`` bool: whether a point is in each of the discs."""
    distances = np.sqrt(np.sum((points[:, None] - CENTERS) ** 2, axis=-1))
    return np.less_equal(distances, RADII)


def label(points: np.ndarray) -> np.ndarray:
    """``[n]``: 1 in either disc, else 0."""
    return np.any(inside(points), axis=1).astype(np.int32)


def full(name: str) -> Model:
    """The whole net, ``[B, 2] -> [B, 1]``."""
    return serial(encoder=NETS[name].encoder, head=NETS[name].head)


def sigmoid_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """``[B]``, of one logit each."""
    return optax.losses.sigmoid_binary_cross_entropy(logits[:, 0], labels)


def train(config: Config, name: str, seed: int, points: np.ndarray) -> list[tuple[int, Any]]:
    """The parameters every few epochs, beginning before the first."""
    model = full(name)
    key, batches = jax.random.split(jax.random.key(seed))
    x, labels = jnp.asarray(points), jnp.asarray(label(points))
    params, state = model.init(key, x)
    optimizer = optax.adam(NETS[name].learning_rate)
    step = make_step(
        model, optimizer, sigmoid_cross_entropy, transform=lambda x, *, train, key=None: x
    )

    @jax.jit
    def epochs(train_state: TrainState, chosen: jax.Array) -> TrainState:
        def one(train_state: TrainState, index: jax.Array) -> tuple[TrainState, jax.Array]:
            return step(train_state, Batch(x[index], labels[index]))

        return jax.lax.scan(one, train_state, chosen)[0]

    train_state = init_train_state(params, state, optimizer, key)
    moments = [(0, params)]
    for begin in range(0, config.epochs, config.every):
        epoch = min(begin + config.every, config.epochs)
        shape = ((epoch - begin) * STEPS_PER_EPOCH, BATCH_SIZE)
        chosen = jax.random.randint(jax.random.fold_in(batches, epoch), shape, 0, len(points))
        train_state = epochs(train_state, chosen)
        moments.append((epoch, train_state.params))
    return moments


def outputs(model: Model, params: Any, points: np.ndarray) -> np.ndarray:
    """What a net, or a part of one, makes of points."""
    x = jnp.asarray(points, jnp.float32)
    _, state = jax.eval_shape(model.init, jax.random.key(0), x)  # no layer here has any
    return np.asarray(model.apply(params, state, x, train=False)[0])


def says(name: str, params: Any, points: np.ndarray) -> np.ndarray:
    """``[n]``: the class of every point."""
    return (outputs(full(name), params, points)[:, 0] > 0).astype(np.int32)


def represented(name: str, params: Any, points: np.ndarray) -> np.ndarray:
    """``[n, 2]``: what the two units make of every point."""
    return outputs(NETS[name].encoder, params["encoder"], points)


def accuracies(name: str, params: Any, points: np.ndarray) -> dict[str, float]:
    """Everywhere, in each disc, and outside both."""
    right = says(name, params, points) == label(points)
    large, small = inside(points).T
    return {
        "test_accuracy": float(right.mean()),
        "large_disc": float(right[large].mean()),
        "small_disc": float(right[small].mean()),
        "outside": float(right[~large & ~small].mean()),
    }


def decision(name: str, params: Any, points: np.ndarray) -> np.ndarray:
    """``[n, 2]``: the line on which the head says 0, across a frame, as dashes.

    A row of NaN ends each. A frame is standardised over ``points``, what the layer makes of them.
    """
    offset = outputs(NETS[name].head, params["head"], np.zeros((1, 2)))[0, 0]
    slope = outputs(NETS[name].head, params["head"], np.eye(2))[:, 0] - offset
    center, scale = points.mean(0), points.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    normal, height = slope * scale, offset + slope @ center
    if not np.any(normal):
        return np.zeros((0, 2))
    size = np.linalg.norm(normal)
    along = np.array([-normal[1], normal[0]]) / size
    starts = np.arange(-6, 6, 0.24)
    places = np.stack([starts, starts + 0.15, np.full_like(starts, np.nan)], axis=1).ravel()
    return center + scale * (places[:, None] * along - height * normal / size**2)


def save_film(out: cli.Job, name: str, moments: list[tuple[int, Any]], points: np.ndarray) -> Path:
    """The two-unit layer over time; the path of the film."""
    along = np.linspace(0, HALF_SIDE, 200)[:, None]
    rays = [along * np.array(corner) for corner in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    labels = label(points)
    frames = [
        viz.Frame(
            epoch,
            made,
            says(name, params, points) == labels,
            [represented(name, params, ray) for ray in rays] + [decision(name, params, made)],
        )
        for epoch, params in moments
        for made in [represented(name, params, points)]
    ]
    title = f"{name}: the layer of two units\norange: in a disc; dashed: the head says 0"
    chosen = np.unique(np.geomspace(1, len(frames), 5).round().astype(int) - 1)
    stills = [frames[i] for i in chosen]
    out.save_figure(f"stills_{name}", viz.representation_stills(stills, labels, title=title))
    return out.save_animation(f"film_{name}", viz.representation_film(frames, labels, title=title))


if __name__ == "__main__":
    cli.main(run, PRESETS)
