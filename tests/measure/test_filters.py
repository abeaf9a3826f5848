"""Filters and the derivatives that they resemble."""

import numpy as np
import pytest

from rote import measure
from rote.core import InputError


def test_derivatives_are_those_of_polynomials():
    y, x = np.mgrid[1:-2:-1, -1:2].astype(float)
    for angle in (0, 35, 90, 160):
        along = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y
        assert np.sum(measure.derivative_filter(0, angle)) == 16
        # 8 and 4 are what Sobel's differences make of the derivatives 1 and 2 of u and u^2.
        assert np.sum(measure.derivative_filter(1, angle) * along) == pytest.approx(8)
        assert np.sum(measure.derivative_filter(2, angle) * along**2) == pytest.approx(8)
        for order in (1, 2):
            assert np.sum(measure.derivative_filter(order, angle)) == pytest.approx(0)


def test_a_derivative_matches_itself():
    filters = [
        3 * measure.derivative_filter(1, 215),
        -measure.derivative_filter(2, 40),
        -measure.derivative_filter(0, 0),
    ]
    found = measure.match_derivatives(np.stack(filters))
    assert [(match.kind, match.angle) for match in found] == [
        ("edge", 215),
        ("line", 40),
        ("blur", 0),
    ]
    assert [match.cosine for match in found] == pytest.approx([1, 1, 1])
    noise = np.random.default_rng(0).normal(size=(200, 3, 3))
    cosines = [match.cosine for match in measure.match_derivatives(noise)]
    assert max(cosines) < 0.999 and np.mean(cosines) == pytest.approx(0.59, abs=0.02)
    nothing = measure.match_derivatives(np.zeros((1, 3, 3)))
    assert nothing[0].cosine == 0


def test_other_filters_and_orders_are_refused():
    with pytest.raises(InputError, match=r"shape \(3, 3, 1, 4\); expected \[N, 3, 3\]"):
        measure.match_derivatives(np.zeros((3, 3, 1, 4)))
    with pytest.raises(InputError, match="order: 3; expected 0, 1 or 2"):
        measure.derivative_filter(3)
