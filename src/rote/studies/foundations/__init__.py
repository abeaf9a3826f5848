"""What the lessons in ``experiments/foundations`` share."""

from rote.studies.foundations.averaged import averaged
from rote.studies.foundations.choices import alternate, best_rate
from rote.studies.foundations.descent import descend
from rote.studies.foundations.one_batch import OneBatch, overfit_one_batch

__all__ = [
    "OneBatch",
    "alternate",
    "averaged",
    "best_rate",
    "descend",
    "overfit_one_batch",
]
