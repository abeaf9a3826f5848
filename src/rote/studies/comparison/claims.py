"""What a paper claims in words, each judged by a test of its own.

A claim is about what networks do, not about a number to the point; so it is judged on any data that
a result has, a subset or a JPEG copy too, and the table says which.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rote.studies.comparison.findings import Finding
from rote.studies.comparison.results import Result
from rote.studies.comparison.rule import Tag


class Claim(NamedTuple):
    """A qualitative claim of the paper, with its test.

    Attributes:
      where: in the paper.
      tag: how sure it is that the paper says so.
      text: the claim.
      test: how it is judged, in words.
      experiments: whose tables can show it.
      judge: from a result file to what was measured and the verdict, or ``None`` where the file
        says nothing about it.
    """

    where: str
    tag: Tag
    text: str
    test: str
    experiments: tuple[str, ...]
    judge: Callable[[Result], Finding | None]


class Judged(NamedTuple):
    """A claim with a finding of one result file, or with none."""

    claim: Claim
    finding: Finding
    result: Result | None = None


def judge_claims(made: Sequence[Claim], results: Sequence[Result]) -> list[Judged]:
    """Every claim with each finding, or as not run. A recalled claim gets no verdict."""
    judged = []
    for claim in made:
        found = []
        for result in results:
            finding = claim.judge(result) if result.experiment in claim.experiments else None
            if finding is not None:
                if claim.tag == "recalled":
                    finding = finding._replace(verdict="no verdict")
                found.append(Judged(claim, finding, result))
        judged += found or [Judged(claim, Finding("-", "not run"))]
    return judged
