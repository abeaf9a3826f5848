"""Structure or rote: the same net on true labels, on shuffled ones and on random ones.

Claims: a net fits all three, and nothing but the true labels helps with new images. How it gets
there differs: with true labels the accuracy jumps and the rest is a long tail; without structure
every example has to be learned by itself, and the accuracy climbs slowly, almost on a straight
line. Wider nets end in minima that differ less and are worth more. And learning by rote is nothing
that nets alone can do: of the other learners of the course some do, some do not, and each has a
setting that decides it.

Source: Zhang et al. 2017, section 2.1 (random labels are fitted; the fitting starts later and then
goes fast); Arpit et al. 2017 (what examples share is learned first); Choromanska et al. 2015 (the
minima of growing nets); the course for "slow and almost linear against a fast drop", and for the
other learners.

Expected: 100 % of the training labels in all three conditions; test accuracy at chance (1/k)
without structure. A straight line has R² = 1, its first tenth of the way after 0.1 of its time and
a rise time of 0.8 of it; a jump has an R² near 0 and a rise time near 0. The sources name no
numbers for either. The test losses of wider nets: a smaller mean and a smaller spread.

  curve      training accuracy (or loss) of a full pass after each epoch, from before the first step
             until every label is fitted
  R²         of the straight line fitted to it by least squares
  rise time  from 10 to 90 % of the way between its first and its last value
  minimum    where training with a rate that decays to 0 ends; "gradient" is the norm of the loss's
             gradient over the whole training set there, as a share of that at the start
  by rote    a learner that fits at least 99 % of random labels

Command: python experiments/foundations/structure_or_rote.py --preset smoke
  smoke  digits (in the package), 500 of them, two seeds, three widths; seconds
  cpu    MNIST, 2,000 images of 14x14 and two nets (20,000 of 9x9 for the minima of five widths),
         three seeds; minutes

The learners of the last table are scikit-learn's: pip install "rote[sklearn]". Without it the table
has the nets alone.

Left open by the course: nets (one of dense layers, one convolutional), rate (0.05, momentum 0.9),
batch (50; on MNIST 100); the learners' settings: 1 and 15 neighbours, C = 1 and 1000 with the gamma
that scikit-learn takes, trees grown to the end and to 16 leaves. Choromanska et al. have MNIST at
10x10; here squares of 3x3 are averaged, which leaves 9x9, and the loss is cross-entropy.
"""

import dataclasses
import functools
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import (
    Dataset,
    Group,
    Model,
    Run,
    accuracy_reached,
    cli,
    data,
    fit_groups,
    measure,
    models,
    optim,
    tables,
    transforms,
    viz,
)
from rote.core import Params, State, count_params, unknown_name
from rote.studies import catalog
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import averaged, ending
from rote.tables import Column
from rote.train import Result, cross_entropy, make_forward

CONDITIONS = ("true", "shuffled_labels", "random_labels")
ROTE = 0.99
"""Share of random labels that a learner must fit to count as learning by rote."""


class Learner(NamedTuple):
    """A classifier of scikit-learn: module, class and settings."""

    module: str
    name: str
    settings: dict[str, Any]

    def make(self, seed: int) -> Any:
        """The classifier, not fitted yet; ``seed`` decides ties, where it has any to decide."""
        kind = getattr(importlib.import_module(f"sklearn.{self.module}"), self.name)
        random = {"random_state": seed} if self.module == "tree" else {}
        return kind(**self.settings, **random)


LEARNERS = {
    "1 neighbour": Learner("neighbors", "KNeighborsClassifier", {"n_neighbors": 1}),
    "15 neighbours": Learner("neighbors", "KNeighborsClassifier", {"n_neighbors": 15}),
    "RBF SVM C=1": Learner("svm", "SVC", {"C": 1.0}),
    "RBF SVM C=1000": Learner("svm", "SVC", {"C": 1000.0}),
    "tree": Learner("tree", "DecisionTreeClassifier", {}),
    "tree of 16 leaves": Learner("tree", "DecisionTreeClassifier", {"max_leaf_nodes": 16}),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the closing question."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist."""
    num_train: int | None = 500
    """Train on a class-balanced subset of this many examples; None: on all."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    models: tuple[str, ...] = ("mlp_1x512",)
    """Networks of the catalogue."""
    learning_rate: float = 0.05
    """Of SGD with momentum 0.9."""
    batch_size: int = 50
    """Examples per step."""
    max_epochs: int = 300
    """Epochs after which a net counts as not fitted."""
    seeds: tuple[int, ...] = (0, 1)
    """Of start, order, labels, and the ties of a tree."""
    widths: tuple[int, ...] = (4, 8, 16)
    """Hidden units of the nets whose minima are compared."""
    starts: int = 10
    """Trainings of each of them."""
    minima_num_train: int | None = None
    """Images that they train on: many, so that they do not fit all; None: all."""
    minima_pool: int = 1
    """The same as pool, for them."""
    minima_epochs: int = 20
    """Epochs of each."""
    learners: tuple[str, ...] = tuple(LEARNERS)
    """Other learners, by scikit-learn."""

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("models", "seeds", "widths", "learners"):
            check_list(name, getattr(self, name))
        for name in (
            "learning_rate",
            "batch_size",
            "max_epochs",
            "starts",
            "pool",
            "minima_pool",
            "minima_epochs",
        ):
            check_positive(name, getattr(self, name))
        for width in self.widths:
            check_positive("widths", width)
        for name in self.models:
            catalog.check(name)
        for name in self.learners:
            if name not in LEARNERS:
                raise unknown_name("learner", name, LEARNERS)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist",
        num_train=2_000,
        pool=2,
        models=("mlp_1x512", "cnn_16_32"),
        batch_size=100,
        seeds=(0, 1, 2),
        widths=(10, 25, 50, 100, 250),
        starts=20,
        minima_num_train=20_000,
        minima_pool=3,
        minima_epochs=30,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains the nets and the other learners; leaves tables and figures."""
    dataset = averaged(data.load(config.dataset, num_train=config.num_train), config.pool)
    many = averaged(
        data.load(config.dataset, num_train=config.minima_num_train), config.minima_pool
    )
    shapes = [shape_group(config, name, dataset) for name in config.models]
    minima = [minima_group(config, width, many) for width in config.widths]
    factors: dict[str, dict[str, Any]] = {
        each.label: {"net": name, "labels": labels, "seed": each.init_seed}
        for name, group in zip(config.models, shapes, strict=True)
        for each, labels in zip(
            group.runs, (labels for labels in CONDITIONS for _ in config.seeds), strict=True
        )
    }
    factors |= {
        each.label: {"net": f"{width} units", "labels": "true", "seed": each.init_seed}
        for width, group in zip(config.widths, minima, strict=True)
        for each in group.runs
    }
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups([*shapes, *minima], on_event=progress, execution=out.execution)
    fitted = [result for group in trained[: len(shapes)] for result in group]

    table = [{**factors[result.run.label], **shape_of(result)} for result in fitted]
    save_curves(out, config, [factors[result.run.label] for result in fitted], fitted)
    ends = [
        {"width": width, "seed": result.run.init_seed, **minimum_of(group.model, result, many)}
        for width, group, results in zip(config.widths, minima, trained[len(shapes) :], strict=True)
        for result in results
    ]
    figure = viz.spread(
        ends,
        x="width",
        y=("test_loss", "train_loss"),
        log=("test_loss", "train_loss"),
        caption=f"{len(many.train.labels):,} images of {many.name}, one hidden layer",
        title="The minima that a net ends in, by hidden units",
    )
    out.save_figure("minima", figure)
    others = [
        {"learner": row["net"], **{name: row[name] for name in ("labels", "seed", *ACCURACIES)}}
        for row in table
    ]
    found, note = other_learners(config, dataset)
    others += found
    figure = viz.accuracies(
        [row for labels in ("true", "random_labels") for row in others if row["labels"] == labels],
        by=("labels", "learner"),
        num_classes=dataset.num_classes,
        title=f"Who learns by rote? {len(dataset.train.labels):,} images of {dataset.name}",
    )
    out.save_figure("learners", figure)

    summaries = {
        "shape": tables.summarize(table, ["net", "labels"], SHAPE),
        "minima": tables.summarize(ends, ["width", "num_params"], MINIMA),
        "learners": tables.summarize(others, ["learner", "labels"], LEARNED),
    }
    text = [tables.format_table(summary) for summary in summaries.values()]
    text += [verdict(others), *filter(None, [note])]
    about = data.describe(dataset)
    out.finish(
        "\n\n".join(text), table=table, minima=ends, learners=others, summary=summaries, data=about
    )


ACCURACIES = ("train_accuracy", "test_accuracy")
SHAPE = {
    "epochs to fit": Column("epochs_to_fit", 0, above="not fitted"),
    "R², accuracy": Column("r2_accuracy", 2),
    "first tenth at": Column("begins_accuracy", 2),
    "rise, share": Column("rises_accuracy", 2),
    "rise, steps": Column("rise_steps", 0),
    "R², loss": Column("r2_loss", 2),
    "fall, share": Column("rises_loss", 2),
    "test accuracy": Column("test_accuracy", 1, unit="%", above="diverged"),
}
MINIMA = {
    "train accuracy": Column("train_accuracy", 1, unit="%"),
    "train loss": Column("train_loss", 4),
    "test loss": Column("test_loss", 4),
    "test accuracy": Column("test_accuracy", 2, unit="%"),
    "gradient": Column("gradient", 3),
}
LEARNED = {
    "train accuracy": Column("train_accuracy", 1, unit="%", above="diverged"),
    "test accuracy": Column("test_accuracy", 1, unit="%", above="diverged"),
}


def shape_group(config: Config, name: str, dataset: Dataset) -> Group:
    """A net on every kind of labels, once per seed, until they are fitted."""
    return Group(
        model=catalog.build(name, dataset.num_classes),
        make_optimizer=functools.partial(optim.momentum, config.learning_rate),
        dataset=dataset,
        runs=[
            Run(
                init_seed=seed,
                dataset=functools.partial(data.corrupt, dataset, labels, seed=seed),
                label=f"{name} {labels} seed={seed}",
            )
            for labels in CONDITIONS
            for seed in config.seeds
        ],
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        transform=transforms.unit_scale(),
        stop=accuracy_reached(1.0),
        record="last",
    )


def shape_of(result: Result) -> dict[str, Any]:
    """How straight a run's curves are, and how quickly they rise; ``None`` where it did not fit."""
    last = result.history[-1]
    row: dict[str, Any] = ending(result, ACCURACIES)
    fitted = result.status == "fitted"
    row["epochs_to_fit"] = last["epoch"] if fitted else None
    steps = np.array([each["step"] for each in result.history])
    for metric in ("accuracy", "loss"):
        names = [f"{what}_{metric}" for what in ("r2", "begins", "rises")]
        row |= dict.fromkeys(names)
        if fitted:
            curve = np.array([each[f"train_{metric}"] for each in result.history])
            found = (
                measure.linear_r2(steps, curve),
                measure.time_to_share(steps, curve, 0.1) / last["step"],
                measure.rise_time(steps, curve) / last["step"],
            )
            row |= dict(zip(names, found, strict=True))
    row["rise_steps"] = last["step"] * row["rises_accuracy"] if fitted else None
    return row


def save_curves(
    out: cli.Job, config: Config, factors: Sequence[Mapping[str, Any]], results: Sequence[Result]
) -> None:
    """The curves over steps, a figure per net, and all over the share of the time to fit."""
    rows = [
        {**of, "epoch": row["epoch"], "step": row["step"], **{m: row[m] for m in CURVES}}
        for of, result in zip(factors, results, strict=True)
        for row in result.history
    ]
    for name in config.models:
        for metric in CURVES:
            figure = viz.learning_curves(
                [row for row in rows if row["net"] == name],
                metric=metric,
                by="labels",
                title=f"{name} until every label is fitted: {config.dataset}",
            )
            out.save_figure(f"{metric}_{name}", figure)
    shares = np.linspace(0, 1, 101)
    for metric in CURVES:
        rescaled: list[dict[str, Any]] = []
        for of, result in zip(factors, results, strict=True):
            step, value = (np.array([row[c] for row in result.history]) for c in ("step", metric))
            for share, at in zip(shares, np.interp(shares * step[-1], step, value), strict=True):
                rescaled.append({**of, "share of the time to fit": float(share), metric: float(at)})
        figure = viz.lines(
            rescaled,
            x="share of the time to fit",
            y=metric,
            by="labels",
            panel="net",
            title=f"The shape: a fast drop, or a line? {config.dataset}",
        )
        out.save_figure(f"shape_{metric}", figure)


CURVES = ("train_accuracy", "train_loss")


def minima_group(config: Config, width: int, dataset: Dataset) -> Group:
    """A net of one hidden layer from many starts, with a rate that decays to 0."""
    steps = config.minima_epochs * (len(dataset.train.labels) // config.batch_size)
    schedule = optax.cosine_decay_schedule(config.learning_rate, max(1, steps))
    return Group(
        model=models.mlp((width,), num_classes=dataset.num_classes),
        make_optimizer=functools.partial(optim.momentum, schedule),
        dataset=dataset,
        runs=[
            Run(init_seed=seed, label=f"{width} units seed={seed}") for seed in range(config.starts)
        ],
        batch_size=config.batch_size,
        max_epochs=config.minima_epochs,
        transform=transforms.unit_scale(),
        record="last",
    )


def minimum_of(model: Model, result: Result, dataset: Dataset) -> dict[str, Any]:
    """Where a training ended: losses, accuracies, and what is left of the gradient."""
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    before, after = (
        gradient_norm(model, point.params, point.state, dataset)
        for point in (result.initial, result.final)
    )
    return {
        **ending(result, names),
        "num_params": count_params(result.params),
        "gradient": after / before,
    }


def gradient_norm(model: Model, params: Params, state: State, dataset: Dataset) -> float:
    """The norm of the gradient of the mean cross-entropy over all training examples."""
    return float(_gradient_norm(model, params, state, dataset.train.images, dataset.train.labels))


@functools.partial(jax.jit, static_argnums=0)
def _gradient_norm(
    model: Model, params: Params, state: State, images: jax.Array, labels: jax.Array
) -> jax.Array:
    forward = make_forward(model, transforms.unit_scale())

    def loss(params: Params) -> jax.Array:
        logits, _ = forward(params, state, images, train=False)
        return jnp.mean(cross_entropy(logits, labels))

    return optax.tree.norm(jax.grad(loss)(params))


def other_learners(config: Config, dataset: Dataset) -> tuple[list[dict[str, Any]], str]:
    """What the learners of scikit-learn reach; nothing, and why, where it is not there."""
    if importlib.util.find_spec("sklearn") is None:
        return [], (
            "nearest neighbours, SVM and tree are left out, because scikit-learn is not there: "
            'pip install "rote[sklearn]", then the same command with --overwrite'
        )
    rows = [
        learn(name, dataset, labels, seed)
        for name in config.learners
        for labels in CONDITIONS
        for seed in config.seeds
    ]
    return rows, ""


def learn(name: str, dataset: Dataset, labels: str, seed: int) -> dict[str, Any]:
    """Another learner on the same images and labels: its accuracies, as those of a net."""
    given = data.corrupt(dataset, labels, seed=seed)
    x, x_test = (flat(split.images) for split in (given.train, given.test))
    learner = LEARNERS[name].make(seed).fit(x, given.train.labels)
    return {
        "learner": name,
        "labels": labels,
        "seed": seed,
        "train_accuracy": float(np.mean(learner.predict(x) == given.train.labels)),
        "test_accuracy": float(np.mean(learner.predict(x_test) == given.test.labels)),
    }


def flat(images: np.ndarray) -> np.ndarray:
    """``[N, pixels]`` on the scale 0..1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who fits random labels: the learners by rote, not by rote, and those that diverged."""
    accuracies: dict[str, list[float | None]] = {}
    for row in rows:
        if row["labels"] == "random_labels":
            accuracies.setdefault(row["learner"], []).append(row["train_accuracy"])
    said: dict[str, list[str]] = {"by rote": [], "not by rote": [], "diverged": []}
    for name, values in accuracies.items():
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            said["diverged"].append(name)
        else:
            said["by rote" if np.mean(known) >= ROTE else "not by rote"].append(name)
    return "\n".join(
        f"{words}: {', '.join(names) or 'none'}"
        for words, names in said.items()
        if names or words != "diverged"
    )


if __name__ == "__main__":
    cli.main(run, PRESETS)
