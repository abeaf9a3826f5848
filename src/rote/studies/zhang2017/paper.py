"""Zhang et al. (2017) as something to compare with."""

from collections.abc import Mapping
from typing import Any

from rote.studies.comparison.command import Paper
from rote.studies.config import TrainConfig
from rote.studies.zhang2017.claims import claims
from rote.studies.zhang2017.published import PUBLISHED
from rote.studies.zhang2017.settings import settled

MEASURED = (
    "labels_right",
    "residual",
    "epochs_to_fit",
    "epochs_to_target",
    "steps_to_fit",
    "train_accuracy",
    "test_accuracy",
    "train_top_5",
    "test_top_5",
    "test_error",
    "changed_accuracy",
    "changed_clean_accuracy",
    "unchanged_accuracy",
    "peak_changed_clean_accuracy",
    "changed_learned_epoch",
    "unchanged_learned_epoch",
    "changed_forgetting",
    "unchanged_forgetting",
    "parameter_norm",
    "distance_from_init",
    "validation_epoch",
    "oracle_epoch",
    "gain_validation",
    "gain_oracle",
    "test_accuracy_jitter",
    "best_test_accuracy",
    "norm",
)
"""The columns of what a run has reached; one that diverged has reached nothing."""
COLUMNS = (
    "model",
    "random_crop",
    "augmentation",
    "weight_decay",
    "labels",
    "corruption",
    "condition",
    "regularizer",
    "cause",
    "dataset",
    "features",
    "num_points",
    "dim",
    "depth",
    "target",
    "solver",
    "width",
    "smallest_gap",
    "num_weights",
    "l2",
    "num_train",
    "seed",
    "status",
    "num_params",
)
"""Those that tell settings and runs apart."""


def recipe(preset: Any, model: str) -> Mapping[str, Any]:
    """What a network takes of a preset: the paper gives each its own rate."""
    return settled(preset, model)._asdict() if isinstance(preset, TrainConfig) else {}


PAPER = Paper("Zhang et al. 2017", PUBLISHED, claims(), COLUMNS, MEASURED, recipe)
