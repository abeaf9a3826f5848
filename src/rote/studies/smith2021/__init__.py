"""Smith, Dherin, Barrett and De 2021, "On the origin of implicit regularization in SGD".

What its experiments share with the comparison: which paths are compared, and with what order in the
learning rate they should come together.
"""

from rote.studies.smith2021.orders import (
    FIXED_TIME,
    ON_FULL_BATCH,
    ON_LOSS,
    ON_MODIFIED,
    ONE_EPOCH,
    ONE_ORDER,
    expected_order,
)

__all__ = [
    "FIXED_TIME",
    "ONE_EPOCH",
    "ONE_ORDER",
    "ON_FULL_BATCH",
    "ON_LOSS",
    "ON_MODIFIED",
    "expected_order",
]
