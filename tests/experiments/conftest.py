"""Experiments as their files stand in the folder, and their command lines."""

import importlib.util
from pathlib import Path

import jax
import pytest

from rote import cli
from rote.record import RunDir
from rote.studies import zhang2017
from rote.studies.config import TrainConfig

FOLDER = Path(__file__).resolve().parents[2] / "experiments"


def load_experiment(name):
    path = FOLDER / (f"{name}.py" if "/" in name else f"zhang2017/{name}.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def experiment():
    """``experiment(name)`` is the module of a file of zhang2017, or of ``"folder/name"``."""
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


@pytest.fixture(scope="session")
def run_lesson(command):
    """``run_lesson(name, *flags, out=folder)`` runs a lesson and returns what it left there."""

    def run(name, *flags, out):
        assert command(f"foundations/{name}", *flags, "--out", str(out)) == 0
        return RunDir.open(out)

    return run


@pytest.fixture(scope="module")
def quick_compiles():
    """Fewer optimizations: for what is compiled to run for a moment only."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
