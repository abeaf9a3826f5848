"""Our numbers beside a paper's: its numbers and claims, our result files, and a fixed rule."""

from rote.studies.comparison.claims import Claim, Judged, judge_claims
from rote.studies.comparison.findings import Finding
from rote.studies.comparison.numbers import Compared, compare
from rote.studies.comparison.published import TEST_MARGIN, TRAIN_MARGIN, Published
from rote.studies.comparison.results import Result, Row, select
from rote.studies.comparison.rule import FEWEST_SEEDS, Tag, is_number, judge, mean_interval

__all__ = [
    "FEWEST_SEEDS",
    "TEST_MARGIN",
    "TRAIN_MARGIN",
    "Claim",
    "Compared",
    "Finding",
    "Judged",
    "Published",
    "Result",
    "Row",
    "Tag",
    "compare",
    "is_number",
    "judge",
    "judge_claims",
    "mean_interval",
    "select",
]
