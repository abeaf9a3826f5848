"""Smith et al. (2021) as something to compare with: claims in words, since it prints no table."""

from rote.studies.comparison.command import Paper
from rote.studies.smith2021.claims import claims

MEASURED = (
    "order",
    "epochs",
    "epochs_to_loss",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "squared_gradient",
)
"""The columns of what a run has reached; one that diverged has reached nothing."""
COLUMNS = ("span", "mini_batches", "compared", "learning_rate", "penalty", "seed", "status")
"""Those that tell settings and runs apart."""

PAPER = Paper("Smith et al. 2021", (), claims(), COLUMNS, MEASURED)
