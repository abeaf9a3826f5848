"""Choromanska et al. (2015) as something to compare with."""

from rote.studies.choromanska2015.claims import claims
from rote.studies.choromanska2015.published import PUBLISHED
from rote.studies.comparison.command import Paper

MEASURED = (
    "train_loss",
    "test_loss",
    "test_accuracy",
    "gradient_norm",
    "outside",
    "correlation",
)
"""The columns of what a net has reached; one that diverged has reached nothing."""
COLUMNS = ("kind", "width", "seed", "status")
"""Those that tell widths and nets apart."""

PAPER = Paper("Choromanska et al. 2015", PUBLISHED, claims(), COLUMNS, MEASURED)
