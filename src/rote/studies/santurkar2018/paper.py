"""Santurkar et al. (2018) as something to compare with: claims in words, no numbers."""

from rote.studies.comparison.command import Paper
from rote.studies.santurkar2018.claims import claims
from rote.studies.santurkar2018.landscape import LANDSCAPE

MEASURED = ("train_accuracy", "gradient_cosine", "gradient_shift", "relative_shift", *LANDSCAPE)
"""The columns of what a training has reached; one that diverged has reached nothing."""
COLUMNS = ("net", "learning_rate", "seed", "status")
"""Those that tell settings and trainings apart."""

PAPER = Paper("Santurkar et al. 2018", (), claims(), COLUMNS, MEASURED)
