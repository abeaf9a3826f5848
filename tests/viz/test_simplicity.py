"""The figures of simplicity bias show the table's numbers."""

import numpy as np
import pytest

from rote import viz
from rote.core import InputError


def test_a_line_per_way_of_sampling_and_zipfs_law():
    curves = {f"net {i}": (np.array([1, 10]), np.array([0.5, 0.1 / (i + 1)])) for i in range(8)}
    (ax,) = viz.probability_rank(curves, num_inputs=8).axes
    *lines, zipf = ax.lines
    assert [line.get_label() for line in lines] == list(curves)
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == 8  # told apart although there are seven colors
    np.testing.assert_allclose(zipf.get_ydata() * zipf.get_xdata(), 1 / np.log(2**8))
    with pytest.raises(InputError, match="nothing to show"):
        viz.probability_rank({}, num_inputs=8)


def test_a_panel_per_setting_with_its_bound():
    rows = [
        {"setting": name, "complexity": k, "probability": p, "finds": 100 * p, "functions": n}
        for name, k, p, n in (("a", 7, 0.2, 2), ("a", 21, 0.01, 30), ("b", 7, 0.1, 1))
    ]
    figure = viz.probability_and_complexity(rows, {"a": (0.25, 1.0)}, least_finds=10)
    first, second, _ = figure.axes  # and the color bar
    dots = first.collections[0].get_offsets()
    np.testing.assert_allclose(dots, [[7, 0.2], [21, 0.01]])
    often, rarely = first.collections[0].get_sizes()
    assert often > rarely
    assert (len(first.lines), len(second.lines)) == (2, 1)
    bound = first.lines[0]
    np.testing.assert_allclose(np.log2(bound.get_ydata()), 1 - 0.25 * bound.get_xdata())
    with pytest.raises(InputError, match="no rows"):
        viz.probability_and_complexity([], {}, least_finds=10)
