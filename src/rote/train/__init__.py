"""Training: the step, runs of it, stop rules, and what they report."""

from rote.train.adversarial import adversarial
from rote.train.checkpoint import CheckpointError, Checkpoints
from rote.train.events import Advanced, Evaluated, Event, Finished, Resumed, Started
from rote.train.fit import fit, fit_groups, fit_runs
from rote.train.group import Group
from rote.train.placement import Execution
from rote.train.program import epoch_order, order_keys
from rote.train.result import (
    Checkpoint,
    DataRecord,
    DivergedError,
    Record,
    Result,
    Run,
    TrainingInterrupted,
)
from rote.train.step import (
    TrainState,
    cross_entropy,
    init_train_state,
    make_forward,
    make_step,
    mean_loss,
)
from rote.train.stop import (
    Decision,
    StopRule,
    accuracy_reached,
    any_of,
    loss_reached,
    patience,
)

__all__ = [
    "Advanced",
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "DataRecord",
    "Decision",
    "DivergedError",
    "Evaluated",
    "Event",
    "Execution",
    "Finished",
    "Group",
    "Record",
    "Result",
    "Resumed",
    "Run",
    "Started",
    "StopRule",
    "TrainState",
    "TrainingInterrupted",
    "accuracy_reached",
    "adversarial",
    "any_of",
    "cross_entropy",
    "epoch_order",
    "fit",
    "fit_groups",
    "fit_runs",
    "init_train_state",
    "loss_reached",
    "make_forward",
    "make_step",
    "mean_loss",
    "order_keys",
    "patience",
]
