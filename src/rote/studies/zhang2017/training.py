"""Training the cases of a study, as one sweep."""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import jax
import optax

from rote import optim
from rote.core import Dataset, Model
from rote.studies import catalog
from rote.studies.config import TrainConfig
from rote.studies.split import part_to_train_on
from rote.studies.zhang2017.cases import Case
from rote.studies.zhang2017.settings import preprocessing
from rote.train import (
    Event,
    Execution,
    Group,
    Result,
    Run,
    StopRule,
    accuracy_reached,
    any_of,
    fit_groups,
    patience,
)
from rote.transforms import Transform

FITTED = accuracy_reached(1.0)
HELD_OUT = 0.1
"""Fraction of the training examples that ``TrainConfig.patience`` holds out."""


def train(
    config: TrainConfig,
    dataset: Dataset,
    cases: Sequence[Case],
    on_event: Callable[[Event], None] | None = None,
    execution: Execution | None = None,
    *,
    stop: StopRule | None = FITTED,
    record: Literal["all", "last"] = "all",
) -> list[Result]:
    """Trains every case until all its labels are fitted, or ``max_epochs``.

    Cases that share a compiled program (all but data, seed, rate and weight decay) are trained
    together.

    Args:
      config: a configuration.
      dataset: the data set that the cases are made from.
      cases: the trainings.
      on_event: see ``rote.train.fit``.
      execution: see ``rote.train.fit``.
      stop: when a run ends; ``None``: after ``max_epochs``. With ``config.patience`` it also ends
        when a part that is held out, by default a tenth, gets no better.
      record: see ``rote.train.fit``.

    Returns:
      A result per case, in their order.
    """
    if config.patience is not None:
        cases = [hold_out(case, dataset) for case in cases]
        patient = patience(config.patience, "held_out_accuracy")
        stop = patient if stop is None else any_of(stop, patient)
    programs: dict[Hashable, list[int]] = {}
    for index, case in enumerate(cases):
        program = (case.model, case.settings, case.augment, case.dropout, case.whiten)
        programs.setdefault(program, []).append(index)
    groups = [
        _group(config, dataset, [cases[index] for index in members], stop, record)
        for members in programs.values()
    ]
    trained = fit_groups(groups, on_event=on_event, execution=execution)
    order = [index for members in programs.values() for index in members]
    results = dict(zip(order, (each for group in trained for each in group), strict=True))
    return [results[index] for index in range(len(cases))]


def _group(
    config: TrainConfig,
    dataset: Dataset,
    cases: Sequence[Case],
    stop: StopRule | None,
    record: Literal["all", "last"],
) -> Group:
    """Cases of one compiled program."""
    first = cases[0]
    settings = first.settings
    recipe = getattr(optim, config.optimizer)

    def make_optimizer(
        learning_rate: jax.Array, weight_decay: jax.Array
    ) -> optax.GradientTransformation:
        schedule = schedule_of(dataset, first, learning_rate)
        return recipe(schedule, weight_decay=weight_decay)

    return Group(
        model=network(dataset, first),
        make_optimizer=make_optimizer,
        dataset=dataset,
        runs=[
            Run(
                init_seed=case.seed,
                dataset=case.make,
                subset=case.subset,
                hparams={"learning_rate": case.learning_rate, "weight_decay": case.weight_decay},
                label=case.label,
            )
            for case in cases
        ],
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        transform=transform_of(dataset, first),
        stop=stop,
        compute_dtype=None if config.compute_dtype == "float32" else config.compute_dtype,
        micro_batches=config.micro_batches,
        record=record,
    )


def network(dataset: Dataset, case: Case) -> Model:
    """The network of a case."""
    return catalog.build(
        case.model, dataset.num_classes, init=case.settings.init, dropout=case.dropout
    )


def transform_of(dataset: Dataset, case: Case) -> Transform:
    """From stored images to the input of a case's network."""
    return preprocessing(dataset.image_shape, case.augment, whiten=case.whiten)


def schedule_of(dataset: Dataset, case: Case, learning_rate: float | jax.Array) -> optax.Schedule:
    """A case's learning rate by step, from its initial one."""
    subset = case.subset
    num_examples = len(dataset.train.labels if subset is None else subset)
    steps_per_epoch = max(1, num_examples // case.settings.batch_size)
    return optim.epoch_decay(learning_rate, case.settings.learning_rate_decay, steps_per_epoch)


def hold_out(case: Case, dataset: Dataset) -> Case:
    """The case as ``TrainConfig.patience`` trains it: with a part held out, if it has none yet."""
    if case.subset is not None:
        return case
    subset = part_to_train_on(len(dataset.train.labels), HELD_OUT, case.seed)
    return case._replace(subset=subset)
