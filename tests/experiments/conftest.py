"""Experiments as their files stand in the folder, and their command lines."""

import importlib.util
from pathlib import Path

import pytest

from rote import cli
from rote.studies import zhang2017
from rote.studies.config import TrainConfig

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017"


def load_experiment(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def experiment():
    """``experiment(name)`` is the module of that file."""
    return load_experiment


@pytest.fixture(scope="session")
def command():
    """``command(name, *flags)`` runs an experiment in this process and returns its exit code."""

    def run(name, *flags):
        module = load_experiment(name)
        trains = issubclass(module.Config, TrainConfig)
        resolve = zhang2017.resolve if trains else lambda config: config
        try:
            cli.main(module.run, module.PRESETS, resolve=resolve, argv=flags)
        except SystemExit as exit:
            return exit.code
        return 0

    return run
