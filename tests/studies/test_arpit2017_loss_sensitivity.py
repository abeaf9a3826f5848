"""When the claims on loss sensitivity hold, and what contradicts them."""

import pytest

from rote.studies.arpit2017 import loss_sensitivity
from rote.studies.comparison import Result, judge_claims


def verdicts(real, noise):
    table = [
        {"classes": classes, "data": data, "seed": seed, "gini": gini}
        for classes in (loss_sensitivity.LABELS, loss_sensitivity.UNIQUE)
        for data, values in (("real", real), ("random inputs", noise), ("random labels", noise))
        for seed, gini in enumerate(values)
    ]
    result = Result("some", "loss_sensitivity", "", {}, {}, [], {}, "", table)
    return [item.finding.verdict for item in judge_claims(loss_sensitivity.claims(), [result])]


@pytest.mark.parametrize(
    ("real", "noise", "verdict"),
    [
        ((0.5, 0.6, 0.5), (0.2, 0.2, 0.21), "holds"),
        ((0.2, 0.2, 0.21), (0.5, 0.6, 0.5), "does not hold"),
        ((0.2, 0.5, 0.3), (0.3, 0.3, 0.3), "inconclusive"),
        ((0.5, 0.6, None), (0.2, 0.2, 0.2), "too few"),
        ((), (0.2, 0.2, 0.2), "not run"),
    ],
)
def test_a_claim_is_judged_by_the_paired_difference(real, noise, verdict):
    recalled = "not run" if verdict == "not run" else "no verdict"
    assert verdicts(real, noise) == [verdict, verdict, recalled]
