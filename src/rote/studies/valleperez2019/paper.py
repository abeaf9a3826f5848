"""Valle-Perez et al. (2019) as something to compare with: claims in words, no numbers."""

from rote.studies.comparison.command import Paper
from rote.studies.valleperez2019.claims import claims

MEASURED = (
    "num_functions",
    "most_frequent",
    "constant",
    "decades",
    "rank_correlation",
    "mean_complexity",
    "bound_slope",
    "bound_offset",
    "above_bound",
)
"""The columns of what a run has measured."""
COLUMNS = (
    "setting",
    "kind",
    "depth",
    "weight_scale",
    "distribution",
    "seed",
    "num_samples",
)
"""Those that tell settings and seeds apart."""

PAPER = Paper("Valle-Perez et al. 2019", (), claims(), COLUMNS, MEASURED)
