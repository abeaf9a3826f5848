"""The shape of a curve, against curves worked by hand."""

import math

import numpy as np
import pytest

from rote.core import InputError
from rote.measure import linear_r2, rise_time, time_to_share


def test_r2_by_hand():
    # Mean 1, line 0.1 + 0.6 x: residuals -0.1, 0.3, -0.3, 0.1; 0.2 of a total of 2.
    x, y = np.arange(4), np.array([0.0, 1.0, 1.0, 2.0])
    assert linear_r2(x, y) == pytest.approx(1 - 0.2 / 2)
    assert linear_r2(x, -y) == pytest.approx(0.9)  # falling as well as rising
    assert linear_r2(7 * x + 3, 100 * y - 1) == pytest.approx(0.9)  # whatever the units
    assert linear_r2(np.array([0, 1, 5]), np.array([3.0, 2.0, -2.0])) == pytest.approx(1)


def test_r2_of_a_step_falls_with_its_length():
    # 0, then n ones: mean n / (n + 1), slope's share 3 / (n + 2) of the variance.
    for n in (2, 10, 100):
        step = np.array([0.0, *np.ones(n)])
        assert linear_r2(np.arange(n + 1), step) == pytest.approx(3 / (n + 2))


def test_the_fit_agrees_with_least_squares():
    random = np.random.default_rng(0)
    x, y = np.sort(random.normal(size=50)), random.normal(size=50)
    left = y - np.polyval(np.polyfit(x, y, 1), x)
    assert linear_r2(x, y) == pytest.approx(1 - left @ left / np.sum((y - y.mean()) ** 2))


def test_where_r2_says_nothing_it_is_nan():
    assert math.isnan(linear_r2(np.array([0, 1]), np.array([0.0, 1.0])))
    assert math.isnan(linear_r2(np.arange(5), np.full(5, 0.1)))


def test_rise_time_by_hand():
    x = np.array([0, 10, 20, 40])
    # From 0.1 to 1: 10 % of the way is 0.19, 90 % is 0.91.
    y = np.array([0.1, 0.28, 0.82, 1.0])
    assert time_to_share(x, y, 0.1) == pytest.approx(5)
    assert time_to_share(x, y, 0.5) == pytest.approx(10 + 10 * (0.55 - 0.28) / 0.54)
    assert time_to_share(x, y, 0.9) == pytest.approx(30)
    assert time_to_share(x, y, 1) == 40
    assert rise_time(x, y) == pytest.approx(25)
    assert rise_time(x, 2.3 - y) == pytest.approx(25)  # a loss falls
    assert rise_time(x, y, 0.5, 1) == pytest.approx(25)


def test_a_line_takes_eight_tenths_and_a_drop_next_to_nothing():
    x = np.arange(101)
    assert rise_time(x, 1.0 * x) == pytest.approx(80)
    drop = np.where(x == 0, 2.3, 0.1)
    assert rise_time(x, drop) == pytest.approx(0.8)  # within the first of a hundred steps
    assert rise_time(x, 1 - drop) == pytest.approx(0.8)


def test_the_first_crossing_counts():
    x = np.arange(5)
    y = np.array([0.0, 0.6, 0.2, 0.6, 1.0])
    assert time_to_share(x, y, 0.3) == pytest.approx(0.5)


def test_curves_without_a_way():
    assert math.isnan(rise_time(np.arange(3), np.array([0.1, 0.5, 0.1])))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0], [1.0], r"shapes \(1,\) and \(1,\)"),
        ([0, 1], [1.0, 2.0, 3.0], r"shapes \(2,\) and \(3,\)"),
        ([0, 2, 1], [1.0, 2.0, 3.0], "x that increase"),
        ([0, 1, 2], [1.0, np.nan, 3.0], "y that are finite"),
    ],
)
def test_what_is_no_curve_is_refused(x, y, message):
    for measure in (linear_r2, rise_time):
        with pytest.raises(InputError, match=message):
            measure(np.array(x), np.array(y))


def test_shares_are_shares():
    x, y = np.arange(3), np.arange(3.0)
    with pytest.raises(InputError, match=r"share: 1\.2; expected"):
        time_to_share(x, y, 1.2)
    with pytest.raises(InputError, match="the smaller share first"):
        rise_time(x, y, 0.9, 0.1)
