"""The figure of two measures against one another shows the table's numbers."""

import numpy as np
import pytest

from rote import viz
from rote.core import InputError


def rows(method, strength, *pairs):
    return [
        {"method": method, "strength": strength, "loss": x, "test_accuracy": y} for x, y in pairs
    ]


TABLE = [
    *rows("none", 0.0, (4.0, 0.9), (2.0, 0.7)),
    *rows("dropout", 0.5, (2.0, 0.8), (1.0, 0.6)),
    *rows("dropout", 0.9, (0.5, 0.3), (None, 0.3)),
]
SETTINGS = {"x": "loss", "y": "test_accuracy", "by": "method", "setting": ("strength",)}


def test_a_point_per_setting_joined_from_the_baseline_on():
    (ax,) = viz.trade_off(TABLE, **SETTINGS, baseline="none").axes
    (line,) = (line for line in ax.lines if len(line.get_xdata()) == 3)
    np.testing.assert_allclose(line.get_xdata(), [3.0, 1.5, 0.5])
    np.testing.assert_allclose(line.get_ydata(), [80, 70, 30])
    assert ax.get_ylabel() == "test accuracy (%)" and ax.get_xlabel() == "loss"
    ends = [bar.get_segments()[0] for bar in ax.collections]
    np.testing.assert_allclose(ends[0], [[1.0, 70], [2.0, 70]])
    np.testing.assert_allclose(ends[1], [[1.5, 60], [1.5, 80]])


def test_without_a_baseline_every_method_stands_for_itself():
    figure = viz.trade_off(TABLE, **SETTINGS)
    (ax,) = figure.axes
    lengths = sorted(len(line.get_xdata()) for line in ax.lines)
    assert lengths[-1] == 2
    with pytest.raises(InputError, match="no rows"):
        viz.trade_off([], **SETTINGS)
