"""What the lessons in ``experiments/foundations`` share."""

from rote.studies.foundations.descent import descend

__all__ = ["descend"]
