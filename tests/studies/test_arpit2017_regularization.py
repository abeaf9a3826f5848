"""How the claims about regularisers are judged."""

import pytest

from rote.studies.arpit2017.regularization import claims
from rote.studies.comparison import Result

DROPOUT, ADVERSARIAL, BEST = (claim.judge for claim in claims())


def result(by_setting):
    """By regulariser and strength: accuracies on random labels and on real data, by seed."""
    table = [
        {
            "regularizer": regularizer,
            "strength": strength,
            "with_dropout": 0.5 * (regularizer == "adversarial"),
            "seed": seed,
            "random_accuracy": random,
            "validation_accuracy": validation,
        }
        for (regularizer, strength), pairs in by_setting.items()
        for seed, (random, validation) in enumerate(pairs)
    ]
    return Result("some", "regularization", "", {}, {}, [], {}, "", table)


def alike(random, validation, count=3):
    return [(random + 0.01 * seed, validation) for seed in range(count)]


NONE = {("none", 0.0): [(1.0, 0.5)] * 3}
GOOD = {("dropout", 0.5): alike(0.7, 0.5), ("dropout", 0.9): alike(0.1, 0.3)}
OTHERS = {("adversarial", 0.2): alike(0.8, 0.5), ("weight_decay", 0.1): alike(0.9, 0.5)}


def test_the_strength_is_chosen_among_those_that_cost_nothing():
    found = DROPOUT(result(NONE | GOOD))
    assert found.verdict == "holds"
    assert found.measured.startswith("-29.00 [") and "at 0.5; validation" in found.measured
    costly = {("dropout", 0.9): alike(0.1, 0.3)}
    found = DROPOUT(result(NONE | costly))
    assert found.verdict == "does not hold"
    assert "at none" in found.measured
    assert DROPOUT(result(NONE)) is None
    assert ADVERSARIAL(result(NONE | GOOD)) is None
    assert ADVERSARIAL(result(NONE | OTHERS)).verdict == "holds"


def test_a_chance_hit_is_not_counted_for_the_seed_that_had_it():
    lucky = {("dropout", 0.5): [(0.2, 0.9), (0.2, 0.1), (0.2, 0.1)]}
    # Left out, the lucky seed has no part in the choice; the others would let it through.
    found = DROPOUT(result(NONE | lucky))
    assert found.verdict != "holds"


def test_dropout_is_best_only_if_every_other_is_worse():
    found = BEST(result(NONE | GOOD | OTHERS))
    assert found.verdict == "holds"
    assert found.measured == "points to: weight decay -20.0 (3)"
    rival = {("input_noise", 1.0): alike(0.4, 0.5)}
    assert BEST(result(NONE | GOOD | OTHERS | rival)).verdict == "does not hold"
    equal = {("input_noise", 1.0): [(0.9, 0.5), (0.7, 0.5), (0.7, 0.5)]}
    assert BEST(result(NONE | GOOD | OTHERS | equal)).verdict == "inconclusive"
    assert BEST(result(NONE | GOOD)) is None


def test_what_diverged_is_no_choice():
    broken = {("dropout", 0.5): [(0.1, 0.5), (0.1, 0.5), (None, 0.5)]}
    found = DROPOUT(result(NONE | broken))
    assert found.verdict == "does not hold" and "at none" in found.measured


def test_two_seeds_are_too_few():
    table = {setting: pairs[:2] for setting, pairs in (NONE | GOOD | OTHERS).items()}
    assert DROPOUT(result(table)).verdict == "too few"
    assert BEST(result(table)).verdict == "too few"


@pytest.mark.parametrize("judge", [DROPOUT, ADVERSARIAL, BEST])
def test_without_plain_training_there_is_nothing_to_compare(judge):
    assert judge(result(GOOD | OTHERS)) is None
