"""What the lessons in ``experiments/foundations`` share."""

from rote.studies.foundations.averaged import averaged
from rote.studies.foundations.descent import descend
from rote.studies.foundations.one_batch import OneBatch, overfit_one_batch

__all__ = ["OneBatch", "averaged", "descend", "overfit_one_batch"]
