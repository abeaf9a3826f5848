"""The figure of Theorem 1 shows the table's numbers."""

import pytest

from rote.core import InputError
from rote.viz.expressivity import residuals


def row(num_points, residual, gap, *, solver="triangular", depth=2):
    return {
        "num_points": num_points,
        "dim": 3,
        "depth": depth,
        "solver": solver,
        "residual": residual,
        "smallest_gap": gap,
    }


ROWS = [
    row(1, 1e-15, None),
    row(10, 1e-13, 0.1),
    row(10, 3e-13, 0.2),
    row(10, 2e-13, 0.3),
    row(100, 1e-10, 1e-3),
    row(100, 1e-9, 1e-3, solver="recursion"),
    row(100, 0.1, 1e-3, depth=3),
]


def test_medians_and_seeds_of_two_layers():
    left, right = residuals(ROWS, title="A title").axes
    medians = {
        line.get_label(): (line.get_xdata().tolist(), line.get_ydata())
        for line in left.lines
        if line.get_label().endswith("d = 3")
    }
    xs, ys = medians["triangular, d = 3"]
    assert xs == [1, 10, 100]
    assert ys == pytest.approx([1e-15, 2e-13, 1e-10])
    assert medians["recursion, d = 3"][0] == [100]
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert sorted(len(line.get_xdata()) for line in dots) == [1, 5]  # none of depth 3
    (gaps,) = (line for line in right.lines if line.get_linestyle() == "-")  # of both solvers
    assert gaps.get_xdata().tolist() == [10, 100]  # a single point has no gap
    assert gaps.get_ydata() == pytest.approx([0.2, 1e-3])


def test_without_rows_of_depth_2():
    with pytest.raises(InputError, match="no rows"):
        residuals([row(10, 1e-13, 0.1, depth=3)])
