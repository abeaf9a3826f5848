"""The trainings of a figure or table: one per model, setting, learning rate and seed."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rote import data
from rote.core import Dataset, InputError, unknown_name
from rote.studies.config import Augment, TrainConfig
from rote.studies.zhang2017.settings import Recipe, settled

LABELS = {"true": "true", "random": "random_labels"}
"""Labels as Tables 1 and 2 have them, and the condition of ``data.corrupt`` that each is."""


class Case(NamedTuple):
    """One training of a study.

    Attributes:
      label: names the run.
      factors: what distinguishes it in tables and figures, such as ``{"corruption": 0.5}``.
      model: a name of ``catalog.MODELS``.
      seed: of initialization and data order.
      learning_rate: initial learning rate.
      make: makes the data set that it trains on, when its turn has come.
      settings: batch size, epochs and decay of the learning rate.
      weight_decay: coefficient of the l2 term.
      augment: augmentation of its training images.
      dropout: probability of dropping a hidden unit.
      whiten: whether each image is whitened.
      subset: ``[n]`` indices of the training examples it trains on; by default all.
    """

    label: str
    factors: dict[str, Any]
    model: str
    seed: int
    learning_rate: float
    make: Callable[[], Dataset]
    settings: Recipe
    weight_decay: float = 0.0
    augment: Augment = "none"
    dropout: float = 0.0
    whiten: bool = True
    subset: np.ndarray | None = None


def load(config: TrainConfig) -> Dataset:
    """The data set of a configuration, with its clean labels."""
    return data.load(config.dataset, num_train=config.num_train, num_test=config.num_test)


def expand(
    config: TrainConfig,
    model: str,
    label: str,
    factors: dict[str, Any],
    make: Callable[..., Dataset],
    **treatment: Any,
) -> list[Case]:
    """One setting of a model, with every learning rate and seed of the configuration.

    Args:
      config: the configuration.
      model: a name of ``catalog.MODELS``.
      label: names the setting.
      factors: what distinguishes it in tables; model and seed are added, and the learning rate
        where it differs.
      make: makes the data set from ``seed=``, the seed of its randomisation.
      **treatment: what differs from plain training: ``weight_decay``, ``augment``, ``dropout``,
        ``whiten``, ``settings``; by default as the configuration says.
    """
    treatment = {
        "settings": settled(config, model),
        "weight_decay": config.weight_decay or 0.0,
        "augment": config.augment,
        **treatment,
    }
    rates = treatment["settings"].learning_rate
    cases = []
    for rate in rates:
        differs = {"learning_rate": rate} if len(rates) > 1 else {}
        words = [model] if len(config.model) > 1 else []
        words += [label, *(f"learning_rate={rate:g}" for _ in differs)]
        for seed in config.seeds:
            label_seed = seed if config.label_seed is None else config.label_seed
            cases.append(
                Case(
                    " ".join([*filter(None, words), f"seed={seed}"]),
                    {"model": model, **factors, **differs, "seed": seed},
                    model,
                    seed,
                    rate,
                    functools.partial(make, seed=label_seed),
                    **treatment,
                )
            )
    return cases


def corruption_cases(
    dataset: Dataset, corruptions: Sequence[float], config: TrainConfig
) -> list[Case]:
    """Fig. 1b and c: labels redrawn with each probability, for each model and seed.

    Raises:
      InputError: if a probability is outside [0, 1].
    """
    for corruption in corruptions:
        if not 0 <= corruption <= 1:
            raise InputError(f"corruptions: {corruption}; expected probabilities in [0, 1]")
    return [
        case
        for model in config.model
        for corruption in corruptions
        for case in expand(
            config,
            model,
            f"corruption={corruption:g}",
            {"corruption": corruption},
            functools.partial(data.random_labels, dataset, corruption),
        )
    ]


def condition_cases(dataset: Dataset, conditions: Sequence[str], config: TrainConfig) -> list[Case]:
    """Fig. 1a: the data set under each condition, for each model and seed.

    Raises:
      InputError: if there is no such condition.
    """
    for condition in conditions:
        if condition not in data.CONDITIONS:
            raise unknown_name("condition", condition, data.CONDITIONS)
    return [
        case
        for model in config.model
        for condition in conditions
        for case in expand(
            config,
            model,
            condition,
            {"condition": condition},
            functools.partial(data.corrupt, dataset, condition),
        )
    ]
