"""Whether nets are wrong on the same examples, against cases by hand and by other means."""

import numpy as np
import pytest
import scipy.stats

from rote import measure
from rote.core import InputError
from rote.measure.agreement import binomial_distance


def test_the_distance_is_scipys_between_the_two_distributions():
    counts = np.random.default_rng(0).integers(0, 21, 300)
    support = np.arange(21)
    weights = scipy.stats.binom.pmf(support, 20, counts.mean() / 20)
    expected = scipy.stats.wasserstein_distance(
        counts / 20, support / 20, v_weights=weights / weights.sum()
    )
    assert binomial_distance(counts, 20) == pytest.approx(expected)


def test_equally_hard_examples_are_told_from_unequal_ones():
    rng = np.random.default_rng(1)
    equal = measure.error_agreement(rng.random((100, 1000)) < 0.7)
    by_chance = measure.distance_of_equals(100, 0.7, 1000)
    assert equal.distance < 2 * by_chance
    assert equal.dispersion == pytest.approx(1, abs=0.15)
    assert abs(equal.split_half) < 0.1
    hardness = np.linspace(0.4, 1, 1000)
    unequal = measure.error_agreement(rng.random((100, 1000)) < hardness)
    assert unequal.distance > 10 * by_chance
    assert unequal.split_half > 0.9
    np.testing.assert_allclose(unequal.error_rate, hardness, atol=0.25)


def test_by_hand():
    found = measure.error_agreement(np.array([[1, 1, 0], [1, 0, 0]], bool))
    # Rates 1, 1/2, 0; the binomial with p = 1/2 has 1/4, 1/2, 1/4: a twelfth at either end moves
    # by a half.
    assert found.error_rate.tolist() == [1, 0.5, 0]
    assert found.distance == pytest.approx(2 / 12 / 2)
    assert found.dispersion == pytest.approx((2 / 3 / 4) / (1 / 8))
    assert found.split_half == pytest.approx(0.5)
    same = measure.error_agreement(np.ones((2, 3), bool))
    assert same.distance == 0 and np.isnan(same.dispersion) and np.isnan(same.split_half)


@pytest.mark.parametrize("shape", [(1, 5), (4, 0), (4,)])
def test_too_little_is_refused(shape):
    with pytest.raises(InputError, match="two nets or more"):
        measure.error_agreement(np.zeros(shape, bool))
