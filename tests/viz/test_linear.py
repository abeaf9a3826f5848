"""What the figures of the linear models and of accuracies show."""

import numpy as np
import pytest

from rote import viz
from rote.core import InputError

ROWS = [
    {"features": kind, "labels": labels, "l2": l2, "norm": norm, "test_error": error}
    for kind, labels, l2, norm, error in (
        ("pixels", "true", 0.0, 20.0, 0.1),
        ("gabor", "random", 0.1, 200.0, 0.9),
    )
]


def test_norm_and_error_has_a_point_per_solution():
    (ax,) = viz.norm_and_error(ROWS, title="here").axes
    points = [
        (line.get_xdata()[0], line.get_ydata()[0], line.get_marker(), line.get_markerfacecolor())
        for line in ax.lines
        if len(line.get_xdata())
    ]
    assert [point[:3] for point in points] == [(20.0, 10.0, "o"), (200.0, 90.0, "X")]
    assert points[1][3] == "white"
    with pytest.raises(InputError, match="norm"):
        viz.norm_and_error([{"features": "pixels", "labels": "true", "l2": 0, "test_error": 0.1}])


def test_distances_are_on_a_logarithmic_axis():
    figure = viz.distances({"zero": np.array([1.0, 0.1]), "elsewhere": np.array([1.4, 0.6])})
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    assert [list(line.get_ydata()) for line in ax.lines] == [[1.0, 0.1], [1.4, 0.6]]


def test_accuracies_name_settings_and_average_seeds():
    rows = [
        {"model": "cnn", "crop": crop, "train_accuracy": train, "test_accuracy": 0.5}
        for crop, train in ((True, 0.8), (True, 1.0), (False, 1.0))
    ]
    (ax,) = viz.accuracies(rows, by=("model", "crop"), num_classes=10).axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cnn, crop", "cnn"]
    bars = [list(line.get_xdata()) for line in ax.lines if len(set(line.get_ydata())) == 2]
    assert [10, 10] in [list(map(round, bar)) for bar in bars]  # chance
    assert [90, 90] in [list(map(round, bar)) for bar in bars]  # the mean of two seeds


def test_learning_order_keeps_the_last_value_of_a_run_that_ended():
    rows = [
        {"corruption": 0.5, "seed": seed, "part": "changed", "epoch": epoch, "fraction": fraction}
        for seed, fractions in ((0, (0.0, 1.0)), (1, (0.0, 0.2, 0.6)))
        for epoch, fraction in enumerate(fractions)
    ]
    (ax,) = viz.learning_order(rows).axes
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_ydata(), [0, 60, 80])
    assert line.get_linestyle() == "--" and line.get_label() == "corruption 0.5, changed"
