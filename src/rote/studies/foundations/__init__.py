"""What the lessons in ``experiments/foundations`` share."""

from rote.studies.foundations.averaged import averaged
from rote.studies.foundations.choices import alternate, best_rate, rate_in_words
from rote.studies.foundations.descent import descend
from rote.studies.foundations.one_batch import OneBatch, overfit_one_batch
from rote.studies.foundations.trainings import at_loss, ending, runs_of

__all__ = [
    "OneBatch",
    "alternate",
    "at_loss",
    "averaged",
    "best_rate",
    "descend",
    "ending",
    "overfit_one_batch",
    "rate_in_words",
    "runs_of",
]
