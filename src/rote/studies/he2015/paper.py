"""He et al. (2015) as something to compare with."""

from rote.studies.comparison.command import Paper
from rote.studies.he2015.claims import claims
from rote.studies.he2015.published import PUBLISHED

MEASURED = ("train_loss", "train_accuracy", "test_accuracy", "test_error")
"""The columns of what a training has reached; one that diverged has reached nothing."""
COLUMNS = ("net", "depth", "seed", "status")
"""Those that tell settings and trainings apart."""

PAPER = Paper("He et al. 2015", PUBLISHED, claims(), COLUMNS, MEASURED)
