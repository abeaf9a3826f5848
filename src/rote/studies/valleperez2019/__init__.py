"""Valle-Perez, Camargo and Louis 2019, on the bias of nets towards simple functions.

What its experiment rests on: counting functions without keeping the samples (``tally``), and how
frequency goes with complexity (``spectrum``).
"""

from rote.studies.valleperez2019.spectrum import (
    FOUND_OFTEN,
    Line,
    Spectrum,
    complexities,
    decades,
    rank_correlation,
    ranks,
    share_above,
    spectrum_of,
    upper_line,
)
from rote.studies.valleperez2019.tally import Counter, Tally, as_bits, as_words, count, merge

__all__ = [
    "FOUND_OFTEN",
    "Counter",
    "Line",
    "Spectrum",
    "Tally",
    "as_bits",
    "as_words",
    "complexities",
    "count",
    "decades",
    "merge",
    "rank_correlation",
    "ranks",
    "share_above",
    "spectrum_of",
    "upper_line",
]
