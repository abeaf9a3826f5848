"""Zhang et al. 2017, "Understanding deep learning requires rethinking generalization": settings.

What the paper fixes (appendix A): pixels divided by 255, center crop to 28x28, per-image whitening;
SGD with momentum 0.9; initial learning rate 0.1 for small Inception and 0.01 for small Alexnet and
the MLPs, times 0.95 after every epoch; no weight decay, dropout or augmentation on randomised data.

What it leaves open, and what is taken here: batch size 128 (as reproductions do), initialization He
normal with biases 0, epochs until every label is fitted up to a limit, data reshuffled every epoch
with the remainder dropped.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import optax

from rote import data, optim, transforms
from rote.core import Dataset, InputError, unknown_name
from rote.studies import catalog
from rote.studies.config import TrainConfig
from rote.train import Event, Execution, Result, Run, accuracy_reached, fit_runs

C = TypeVar("C", bound=TrainConfig)
Row = dict[str, Any]


class Recipe(NamedTuple):
    """Training settings of a model on a data set.

    The README of the experiment says which of them have been run, and what they reached.

    Attributes:
      learning_rate: initial learning rates; each is tried.
      max_epochs: epochs after which a run counts as not fitted.
      learning_rate_decay: factor per epoch.
      batch_size: examples per step.
    """

    learning_rate: tuple[float, ...]
    max_epochs: int
    learning_rate_decay: float = 1.0
    batch_size: int = 128


PAPER_INCEPTION = Recipe((0.1,), 300, learning_rate_decay=0.95)
PAPER_ALEXNET = Recipe((0.01,), 300, learning_rate_decay=0.95)
RECIPES: dict[tuple[str, str], Recipe] = {
    ("digits", "mlp_1x512"): Recipe((0.1,), 400),
    ("digits", "cnn"): Recipe((0.02,), 200),
    ("cifar10", "cnn_16_32"): Recipe((0.005,), 200),
    ("cifar10", "alexnet_small"): PAPER_ALEXNET,
    ("cifar10", "inception_small"): PAPER_INCEPTION,
    ("cifar10", "inception_small_no_bn"): PAPER_INCEPTION,
}
ADAM_LEARNING_RATE = (0.001,)
DEFAULT_RECIPE = Recipe((0.01,), 300)
"""For every other pair: the paper's rate for MLPs, constant. Its decay of 0.95 leaves a hundredth
of the rate after 90 epochs, too early for random labels of small sets or of MNIST."""


class Case(NamedTuple):
    """One training of a study.

    Attributes:
      label: names the run.
      factors: what distinguishes it in tables and figures, such as ``{"corruption": 0.5}``.
      seed: of initialization and data order.
      learning_rate: initial learning rate.
      make: makes the data set that it trains on, when its turn has come.
    """

    label: str
    factors: dict[str, Any]
    seed: int
    learning_rate: float
    make: Callable[[], Dataset]


def resolve(config: C) -> C:
    """Fills what is ``None`` from the recipe of (data set, model).

    Raises:
      InputError: if the model is unknown.
    """
    if config.model not in catalog.MODELS:
        raise unknown_name("model", config.model, catalog.MODELS)
    recipe = RECIPES.get((config.dataset, config.model), DEFAULT_RECIPE)
    if config.optimizer == "adam":
        recipe = recipe._replace(learning_rate=ADAM_LEARNING_RATE)
    missing = {
        name: value for name, value in recipe._asdict().items() if getattr(config, name) is None
    }
    return dataclasses.replace(config, **missing)


def settled(config: TrainConfig) -> Recipe:
    """What a resolved configuration says in place of its recipe.

    Raises:
      InputError: if a field is still ``None``.
    """
    values = {name: getattr(config, name) for name in Recipe._fields}
    if None in values.values():
        raise InputError(f"{values}: not all settled; call zhang2017.resolve(config) first")
    return Recipe(**values)


def preprocessing(image_shape: Sequence[int], augment: bool) -> transforms.Transform:
    """The paper's preprocessing: scale to 0..1, center crop of 32x32 to 28x28, whiten per image.

    Other sizes are not cropped.

    Args:
      image_shape: ``(H, W, C)``.
      augment: crop at random instead (other sizes than 32x32: after padding by an eighth), and flip
        color images.
    """
    height, _, channels = image_shape
    size = 28 if height == 32 else height
    if augment:
        padding = 0 if height == 32 else height // 8
        crops = [transforms.random_crop(size, padding=padding)]
        crops += [transforms.random_flip()] if channels == 3 else []
    else:
        crops = [transforms.center_crop(size)]
    return transforms.chain(*crops, transforms.unit_scale(), transforms.per_image_whitening())


def load(config: TrainConfig) -> Dataset:
    """The data set of a configuration, with its clean labels."""
    return data.load(config.dataset, num_train=config.num_train)


def corruption_cases(
    dataset: Dataset, corruptions: Sequence[float], config: TrainConfig
) -> list[Case]:
    """Fig. 1b and c: labels redrawn with each probability, for each seed.

    Raises:
      InputError: if a probability is outside [0, 1].
    """
    for corruption in corruptions:
        if not 0 <= corruption <= 1:
            raise InputError(f"corruptions: {corruption}; expected probabilities in [0, 1]")
    return [
        case
        for corruption in corruptions
        for case in _cases(
            f"corruption={corruption:g}",
            {"corruption": corruption},
            functools.partial(data.random_labels, dataset, corruption),
            config,
        )
    ]


def condition_cases(dataset: Dataset, conditions: Sequence[str], config: TrainConfig) -> list[Case]:
    """Fig. 1a: the data set under each condition, for each seed.

    Raises:
      InputError: if there is no such condition.
    """
    for condition in conditions:
        if condition not in data.CONDITIONS:
            raise unknown_name("condition", condition, data.CONDITIONS)
    return [
        case
        for condition in conditions
        for case in _cases(
            condition,
            {"condition": condition},
            functools.partial(data.corrupt, dataset, condition),
            config,
        )
    ]


def _cases(
    label: str, factors: dict[str, Any], make: Callable[..., Dataset], config: TrainConfig
) -> Iterator[Case]:
    """One setting with every learning rate and seed; the rate is a factor where it differs."""
    rates = settled(config).learning_rate
    for rate in rates:
        differs = {"learning_rate": rate} if len(rates) > 1 else {}
        name = f"{label} learning_rate={rate:g}" if differs else label
        for seed in config.seeds:
            label_seed = seed if config.label_seed is None else config.label_seed
            yield Case(
                f"{name} seed={seed}",
                {**factors, **differs, "seed": seed},
                seed,
                rate,
                functools.partial(make, seed=label_seed),
            )


def train(
    config: TrainConfig,
    dataset: Dataset,
    cases: Sequence[Case],
    on_event: Callable[[Event], None] | None = None,
    execution: Execution | None = None,
) -> list[Result]:
    """Trains every case until all its labels are fitted, or ``max_epochs``.

    Args:
      config: a resolved configuration (see ``resolve``).
      dataset: the data set that the cases are made from.
      cases: the trainings.
      on_event: see ``rote.train.fit``.
      execution: see ``rote.train.fit``.
    """
    settings = settled(config)
    steps_per_epoch = max(1, len(dataset.train.labels) // settings.batch_size)
    recipe = getattr(optim, config.optimizer)

    def make_optimizer(learning_rate: jax.Array) -> optax.GradientTransformation:
        schedule = optim.epoch_decay(learning_rate, settings.learning_rate_decay, steps_per_epoch)
        return recipe(schedule, weight_decay=config.weight_decay)

    return fit_runs(
        catalog.build(config.model, dataset.num_classes),
        make_optimizer,
        dataset,
        [
            Run(
                init_seed=case.seed,
                dataset=case.make,
                hparams={"learning_rate": case.learning_rate},
                label=case.label,
            )
            for case in cases
        ],
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        transform=preprocessing(dataset.image_shape, config.augment),
        stop=accuracy_reached(1.0),
        compute_dtype=None if config.compute_dtype == "float32" else config.compute_dtype,
        micro_batches=config.micro_batches,
        on_event=on_event,
        execution=execution,
    )


def curves(cases: Sequence[Case], results: Sequence[Result]) -> list[Row]:
    """The histories as one table: a row per case and epoch."""
    return [
        {**case.factors, **row}
        for case, result in zip(cases, results, strict=True)
        for row in result.history
    ]


def outcomes(cases: Sequence[Case], results: Sequence[Result], config: TrainConfig) -> list[Row]:
    """The ends of the runs as one table: a row per case.

    ``epochs_to_fit`` and ``steps_to_fit`` are ``None`` where the run did not fit every label within
    the configuration's ``max_epochs``.
    """
    max_epochs = settled(config).max_epochs
    table = []
    for case, result in zip(cases, results, strict=True):
        epochs, steps = result.time_to() or (None, None)
        last = result.history[-1]
        table.append(
            {
                **case.factors,
                "status": result.status,
                "epochs_to_fit": epochs,
                "steps_to_fit": steps,
                "max_epochs": max_epochs,
                "max_steps": max_epochs * result.steps_per_epoch,
                **{name: last[name] for name in OUTCOME_METRICS},
                "test_error": 1 - last["test_accuracy"],
            }
        )
    return table


OUTCOME_METRICS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "changed_accuracy",
    "unchanged_accuracy",
    "clean_accuracy",
    "test_loss",
    "test_accuracy",
)


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What was trained on, for ``summary.json``: whether it is what the paper had, above all.

    Returns:
      JSON-serializable: ``name``, ``num_train``, ``num_test``, ``subset`` (whether training
      examples were left out) and ``stored_as`` (the format that the images were kept in).
    """
    return {
        "name": dataset.name,
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "subset": any(step["operation"] == "subset" for step in dataset.provenance),
        "stored_as": dataset.provenance[0].get("image_format") if dataset.provenance else None,
    }


def title(config: TrainConfig, dataset: Dataset) -> str:
    """What a figure shows: model, number of training images, data set and how it was stored."""
    about = describe_data(dataset)
    copy = " (stored as JPEG)" if about["stored_as"] == "JPEG" else ""
    return f"{config.model} on {about['num_train']:,} images of {dataset.name}{copy}"


def grouped(rows: Sequence[Row], factor: str) -> dict[Any, list[Row]]:
    """The rows by their value of a factor, in order of appearance."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[factor], []).append(row)
    return groups


def by_learning_rate(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by their learning rate, in words; all under ``""`` where it does not differ."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        rate = row.get("learning_rate")
        groups.setdefault("" if rate is None else f"learning_rate={rate:g}", []).append(row)
    return groups


def train_accuracy_at(rows: Sequence[Row], epoch: int) -> list[float]:
    """Train accuracy of each seed at an epoch, or at its run's end where that came before."""
    by_seed = {row["seed"]: row["train_accuracy"] for row in rows if row["epoch"] <= epoch}
    return list(by_seed.values())
