"""Choromanska, Henaff, Mathieu, Ben Arous and LeCun 2015, on the minima that SGD finds.

What its experiment shares with the claims about it: what is read off the losses of many nets
(``minima``).
"""

from rote.studies.choromanska2015.minima import (
    Losses,
    bootstrap_steps,
    correlations,
    means,
    outside_the_band,
    spreads,
)

__all__ = [
    "Losses",
    "bootstrap_steps",
    "correlations",
    "means",
    "outside_the_band",
    "spreads",
]
