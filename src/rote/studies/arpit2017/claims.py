"""What Arpit et al. (2017) claim in words, each with its test, fixed before a run was made.

The paper has curves and no numbers to the point. The text and the authors' code for critical
samples are known, so the claims are "verified" unless one says otherwise.
"""

from rote.studies.arpit2017 import (
    capacity,
    critical_samples,
    easy_examples,
    loss_sensitivity,
    regularization,
)
from rote.studies.comparison import Claim

PARTS = (easy_examples, loss_sensitivity, capacity, critical_samples, regularization)


def claims() -> list[Claim]:
    """The paper's qualitative claims, experiment by experiment."""
    return [claim for part in PARTS for claim in part.claims()]
