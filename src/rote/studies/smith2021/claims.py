"""What Smith et al. (2021) claim in words, each with its test."""

from rote.studies.comparison import Claim
from rote.studies.smith2021 import findings
from rote.studies.smith2021.orders import (
    FIXED_TIME,
    ON_FULL_BATCH,
    ON_LOSS,
    ON_MODIFIED,
    ONE_EPOCH,
    ONE_ORDER,
    expected_order,
)

_PATHS = (
    (ONE_EPOCH, ON_LOSS, "after one epoch the mean iterate leaves gradient flow on C"),
    (ONE_EPOCH, ON_MODIFIED, "after one epoch it leaves the flow on the modified loss"),
    (ONE_EPOCH, ON_FULL_BATCH, "the penalty of full-batch descent alone does not do it"),
    (ONE_EPOCH, ONE_ORDER, "a single order, instead of the mean, does not do it"),
    (FIXED_TIME, ON_LOSS, "after a fixed time the mean iterate has left the flow on C"),
    (FIXED_TIME, ON_MODIFIED, "after a fixed time it has left the flow on the modified loss"),
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        *(
            Claim(
                "Section 2",
                "computed",
                f"{text}: order {expected_order(span, compared):g} in the learning rate",
                findings.ORDER_TEST,
                ("modified_loss",),
                findings.order(span, compared),
            )
            for span, compared, text in _PATHS
        ),
        Claim(
            "Experiments",
            "second-hand",
            "a larger learning rate helps test accuracy (over the smallest)",
            findings.GAIN_TEST,
            ("explicit_gradient_penalty",),
            findings.rate_gain(min),
        ),
        Claim(
            "Experiments",
            "second-hand",
            "up to an optimum (over the largest)",
            findings.GAIN_TEST,
            ("explicit_gradient_penalty",),
            findings.rate_gain(max),
        ),
        Claim(
            "Experiments",
            "recalled",
            "at a small rate the penalty recovers part of it (over no penalty)",
            findings.GAIN_TEST,
            ("explicit_gradient_penalty",),
            findings.penalty_gain,
        ),
    ]
