"""A functional JAX laboratory for one question: when does a neural network learn, when by rote?

The builders are pure functions over parameter pytrees and work with plain ``jax.grad`` and optax;
``rote.fit`` trains them, ``rote.load`` and ``rote.corrupt`` bring data with true or randomised
labels, ``rote.load_run`` gives a trained net back, ``rote.load_torchvision`` a published one.
"""

from rote import combinators, data, layers, losses, measure, models, optim, record, transforms, viz
from rote.backend import configure
from rote.core import Batch, Dataset, InputError, Model, Split, count_params
from rote.data import corrupt, load, random_labels, wrong_labels
from rote.record import RunDir
from rote.studies.catalog import load_run
from rote.summary import summary
from rote.train import (
    Checkpoints,
    DivergedError,
    Execution,
    Group,
    Result,
    Run,
    TrainingInterrupted,
    accuracy_reached,
    any_of,
    fit,
    fit_groups,
    fit_runs,
    loss_reached,
    make_step,
    patience,
)
from rote.weights import load_torchvision, load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Checkpoints",
    "Dataset",
    "DivergedError",
    "Execution",
    "Group",
    "InputError",
    "Model",
    "Result",
    "Run",
    "RunDir",
    "Split",
    "TrainingInterrupted",
    "accuracy_reached",
    "any_of",
    "combinators",
    "configure",
    "corrupt",
    "count_params",
    "data",
    "fit",
    "fit_groups",
    "fit_runs",
    "layers",
    "load",
    "load_run",
    "load_torchvision",
    "load_weights",
    "loss_reached",
    "losses",
    "make_step",
    "measure",
    "models",
    "optim",
    "patience",
    "random_labels",
    "record",
    "save_weights",
    "summary",
    "transforms",
    "viz",
    "wrong_labels",
]
