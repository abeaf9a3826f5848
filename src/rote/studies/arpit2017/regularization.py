"""What Arpit et al. (2017) claim that regularization.py shows, each claim with its test."""

from rote.studies.comparison import Claim

EXPERIMENTS = ("regularization",)
MEASURED: tuple[str, ...] = ()
"""The columns of what a run has measured; one that diverged has measured nothing."""
COLUMNS: tuple[str, ...] = ()
"""Those that tell settings and seeds apart."""


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return []
