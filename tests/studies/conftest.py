"""Experiments on Zhang et al. 2017, and results as their runs would have left them."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from rote.storage import to_json
from rote.studies import zhang2017
from rote.studies.comparison import Result
from rote.studies.comparison.results import reached
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.paper import MEASURED
from rote.studies.zhang2017.published import PUBLISHED

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017"

PAPER = TrainConfig(dataset="cifar10", model=("mlp_1x512",), learning_rate_decay=0.95)
FULL = {
    "name": "cifar10",
    "num_train": 50_000,
    "num_test": 10_000,
    "subset": False,
    "stored_as": "PNG",
}
SETTING = {
    "model": "mlp_1x512",
    "random_crop": False,
    "weight_decay": False,
    "labels": "true",
}
MLP = next(
    value for value in PUBLISHED if value.match == SETTING and value.column == "test_accuracy"
)
ENV = {
    "versions": {"python": "3.12.1", "rote": None, "jax": "0.10.2"},
    "devices": ["gpu:0 Some GPU", "gpu:1 Some GPU"],
    "cpu": "Some CPU",
    "cores": 16,
    "commit": {"id": "0123456789abcdef", "dirty": True},
    "started": "2026-01-01T00:00:00+00:00",
}


def settings_of(config):
    return {model: zhang2017.settled(config, model)._asdict() for model in config.model}


def rows(*test, train=1.0, **other):
    return [
        {**SETTING, **other, "seed": seed, "test_accuracy": value, "train_accuracy": train}
        for seed, value in enumerate(test)
    ]


def result(table, *, experiment="table1", config=PAPER, data=FULL, name="some"):
    return Result(
        name,
        experiment,
        f"python experiments/zhang2017/{experiment}.py --preset paper",
        to_json(config),
        to_json(settings_of(config)),
        [data],
        ENV,
        "2026-01-02T03:04:05+00:00",
        [reached(row, MEASURED) for row in table],
    )


@pytest.fixture(scope="session")
def made():
    """Results made up: by default of the MLP 1x512 of Table 1, trained as the paper says.

    ``made.rows(*test)`` is its table, a row per seed, and ``made.result(table)`` its result;
    ``config``, ``settings`` and ``data`` are what it ran with, ``published`` the paper's number.
    """
    return SimpleNamespace(
        config=PAPER,
        settings=settings_of(PAPER),
        data=FULL,
        published=MLP,
        rows=rows,
        result=result,
    )


@pytest.fixture(scope="session")
def experiment():
    """``experiment(name)`` is the module of a file of experiments/zhang2017."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
