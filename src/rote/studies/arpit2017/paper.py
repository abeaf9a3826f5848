"""Arpit et al. (2017) as something to compare with: claims in words, no numbers."""

from rote.studies.arpit2017.claims import PARTS, claims
from rote.studies.comparison.command import Paper

MEASURED = tuple(dict.fromkeys(name for part in PARTS for name in part.MEASURED))
"""The columns of what a run has measured; one that diverged has measured nothing."""
COLUMNS = tuple(dict.fromkeys(("seed", "status", *(n for part in PARTS for n in part.COLUMNS))))
"""Those that tell settings and seeds apart."""

PAPER = Paper("Arpit et al. 2017", (), claims(), COLUMNS, MEASURED)
