"""When the claims on capacity hold, and what contradicts them."""

import pytest

from rote.studies.arpit2017 import capacity
from rote.studies.comparison import Result, judge_claims

WIDTHS, SIZES = (8, 16, 32), (100, 200, 400)


def verdicts(noise="random inputs", fraction=0.5, accuracy=None, times=None, sizes=None, seeds=3):
    """Verdicts on one kind of noise: its accuracy and time by width, its time by examples."""
    accuracy = accuracy or (0.7, 0.8, 0.9)
    times, sizes = times or (400, 200, 100), sizes or (25, 50, 100)
    table = []

    def add(kind, share, seed, width, num_train, test_accuracy, epochs):
        row = {"noise": kind, "fraction": share, "seed": seed, "width": width}
        row |= {"num_train": num_train, "test_accuracy": test_accuracy}
        # A spread over seeds, so that intervals have a width.
        late = None if epochs is None else epochs * (1 + 0.01 * seed * width / num_train)
        table.append(row | {"epochs_to_fit": late})

    for seed in range(seeds):
        for i, width in enumerate(WIDTHS):
            add("none", 0.0, seed, width, 400, 0.95, 20)
            add(noise, fraction, seed, width, 400, accuracy[i], times[i])
            add(noise, 0.1, seed, width, 400, 0.95, 20)  # less noise, which is not judged
        for i, size in enumerate(SIZES[:-1]):
            add("none", 0.0, seed, 32, size, 0.9, 20)
            add(noise, fraction, seed, 32, size, 0.9, sizes[i])
    config = {"width": 32, "num_train": 400}
    result = Result("some", "capacity", "", config, {}, [], {}, "", table)
    judged = judge_claims(capacity.claims(), [result])
    return [item.finding.verdict for item in judged]


@pytest.mark.parametrize("noise", [capacity.INPUTS, capacity.LABELS])
def test_claims_hold_and_what_would_contradict_them(noise):
    mine = slice(0 if noise == capacity.INPUTS else 1, None, 2)

    def found(**given):
        all_verdicts = verdicts(noise, **given)
        other = slice(1 - mine.start, None, 2)
        assert all_verdicts[other] == ["not run"] * 3
        return all_verdicts[mine]

    assert found() == ["holds"] * 3
    assert found(accuracy=(0.8, 0.8, 0.805))[0] == "does not hold"  # the smallest is enough
    assert found(accuracy=(0.7, 0.8, None)) == ["holds"] * 3
    assert found(times=(50, 75, 100))[1] == "does not hold"
    assert found(times=(None, None, 100))[1] == "too few"
    assert found(times=(None, 200, 100))[1] == "holds"  # where both were fitted
    assert found(times=(20, 20, 20))[1] == "inconclusive"
    assert found(sizes=(400, 200))[2] == "does not hold"
    assert found(seeds=2) == ["too few"] * 3
