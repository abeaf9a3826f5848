"""The figures show what the table says, and leave nothing behind."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rote import viz
from rote.core import InputError
from rote.viz.style import CONDITION_COLORS, colors_for


def curve_rows(ends: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """One row per epoch; seed ``s`` of a condition ends at ``ends[condition][s]``."""
    return [
        {
            "condition": condition,
            "seed": seed,
            "epoch": epoch,
            "step": 10 * epoch,
            "train_loss": 2.0 - 0.1 * epoch + seed,
            "train_accuracy": 0.1 * epoch,
            "changed_accuracy": None if condition == "true" else 0.05 * epoch,
        }
        for condition, lengths in ends.items()
        for seed, length in enumerate(lengths)
        for epoch in range(length + 1)
    ]


def sweep_rows() -> list[dict[str, Any]]:
    epochs = {(0.0, 0): 20, (0.0, 1): 30, (0.5, 0): 80, (0.5, 1): 90, (1.0, 0): 95, (1.0, 1): None}
    return [
        {
            "corruption": level,
            "seed": seed,
            "epochs_to_fit": fitted,
            "max_epochs": 100,
            "steps_to_fit": None if fitted is None else 7 * fitted,
            "max_steps": 700,
            "test_error": 0.1 + 0.8 * level + 0.02 * seed,
        }
        for (level, seed), fitted in epochs.items()
    ]


def axes(figure: Figure) -> Axes:
    (ax,) = figure.axes
    return ax


def lines(ax: Axes, style: str = "-") -> list[Line2D]:
    return [
        line for line in ax.lines if line.get_linestyle() == style and len(line.get_xdata()) > 1
    ]


def xy(line: Line2D) -> list[tuple[float, float]]:
    return list(
        zip(*(np.asarray(v, float).round(9).tolist() for v in line.get_data()), strict=True)
    )


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_each_seed_is_a_line_and_the_mean_ends_where_a_seed_does() -> None:
    figure = viz.learning_curves(curve_rows({"true": (2, 2), "random_labels": (3, 5)}))
    ax = axes(figure)
    assert len(lines(ax)) == 2 * (2 + 1)
    mean = next(line for line in lines(ax) if line.get_label() == "random labels")
    assert xy(mean) == [(10 * e, round(2.5 - 0.1 * e, 9)) for e in range(4)]
    longest = max(lines(ax), key=lambda line: len(line.get_xdata()))
    assert xy(longest)[-1] == (50, 2.5)
    assert legend(figure) == ["true labels", "random labels"]
    assert to_hex(mean.get_color()).upper() == CONDITION_COLORS["random_labels"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training step", "training loss")
    assert "n = 2" in figure.get_supxlabel()


def test_one_seed_is_one_line_and_accuracy_is_in_percent() -> None:
    figure = viz.learning_curves(
        curve_rows({"true": (4,)}), metric="train_accuracy", x="epoch", title="digits"
    )
    (line,) = lines(axes(figure))
    assert xy(line) == [(e, 10.0 * e) for e in range(5)]
    assert axes(figure).get_ylabel() == "training accuracy (%)"
    assert axes(figure).get_ylim() == pytest.approx((8.5, 41.5))  # from epoch 1 on
    assert legend(figure) == []
    assert figure.get_suptitle() == "digits"


def test_values_that_are_missing_or_not_finite_are_left_out() -> None:
    rows = curve_rows({"true": (2,), "random_labels": (2,)})
    rows[-1]["train_loss"] = float("nan")
    assert {len(line.get_xdata()) for line in lines(axes(viz.learning_curves(rows)))} == {2, 3}
    changed = viz.learning_curves(rows, metric="changed_accuracy")
    assert [line.get_label() for line in lines(axes(changed))] == ["random labels"]


def test_log_axis() -> None:
    rows = curve_rows({"true": (2,)})
    assert axes(viz.learning_curves(rows, log_y=True)).get_yscale() == "log"
    assert axes(viz.learning_curves(rows)).get_yscale() == "linear"


def test_time_to_fit_shows_each_seed_the_mean_and_the_censored() -> None:
    ax = axes(viz.time_to_fit(sweep_rows()))
    (mean,) = lines(ax)
    assert np.isnan(mean.get_ydata()[-1]), "a mean without the censored run would be too low"
    assert xy(mean)[:2] == [(0.0, 25.0), (0.5, 85.0)]
    circles = next(line for line in ax.lines if line.get_marker() == "o")
    assert sorted(xy(circles)) == [(0, 20), (0, 30), (0.5, 80), (0.5, 90), (1, 95)]
    triangles = next(line for line in ax.lines if line.get_marker() == "^")
    assert xy(triangles) == [(1.0, 100.0)]
    assert triangles.get_markerfacecolor() == "white"
    assert texts(ax) == ["> 100"]
    assert ax.get_ylabel() == "epochs to fit the training labels"


def test_time_to_an_accuracy_below_1() -> None:
    rows = [{**row, "epochs_to_target": 40, "epochs_to_fit": None} for row in sweep_rows()]
    rows[-1]["epochs_to_target"] = None
    figure = viz.corruption_sweep(rows, num_classes=10, target=0.95)
    left, right = figure.axes
    assert xy(lines(left)[0])[:2] == [(0.0, 40.0), (0.5, 40.0)]
    assert left.get_ylabel() == "epochs to 95 % train accuracy"
    assert right.get_ylabel() == "test error at the end (%)"
    assert [len(line.get_xdata()) for line in right.lines if line.get_marker() == "^"] == [1]
    assert "never at 95 %, so no mean" in " ".join(text.get_text() for text in figure.texts)
    assert len(axes(viz.time_to_fit(rows, target=0.95)).lines) == len(left.lines)
    alone = axes(viz.test_error(rows, num_classes=10, target=0.95))
    assert len(alone.lines) == len(right.lines)


def test_time_to_fit_in_steps() -> None:
    ax = axes(viz.time_to_fit(sweep_rows(), unit="steps"))
    assert texts(ax) == ["> 700"]
    assert xy(lines(ax)[0])[0] == (0.0, 175.0)


def test_test_error_shows_chance_and_the_expected_curve() -> None:
    rows = [{**row, "epochs_to_fit": 5} for row in sweep_rows()]
    figure = viz.test_error(rows, num_classes=4, expected=[(1, 0.75), (0, 0)])
    ax = axes(figure)
    assert [xy(line) for line in lines(ax)] == [[(0.0, 11.0), (0.5, 51.0), (1.0, 91.0)]]
    (chance,) = lines(ax, "--")
    assert set(chance.get_ydata()) == {75.0}
    assert texts(ax) == ["chance, 75 %"]
    assert [xy(line) for line in lines(ax, ":")] == [[(0, 0), (1, 75)]]


def test_both_panels_and_a_line_per_model() -> None:
    rows = [{**row, "model": model} for model in ("mlp", "cnn") for row in sweep_rows()]
    figure = viz.corruption_sweep(rows, num_classes=10)
    left, right = figure.axes
    assert len(lines(left)) == len(lines(right)) == 2
    assert legend(figure) == ["mlp", "cnn"]
    assert "to fit" in left.get_ylabel() and "test error" in right.get_ylabel()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: viz.learning_curves([]), "no rows"),
        (lambda: viz.learning_curves(curve_rows({"true": (1,)}), metric="train_los"), "train_loss"),
        (lambda: viz.time_to_fit([{"corruption": 0.0}]), "epochs_to_fit"),
        (lambda: viz.test_error(sweep_rows(), num_classes=1), "at least 2"),
    ],
)
def test_bad_tables_are_input_errors(draw: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw()


def test_colors_differ_and_do_not_depend_on_the_company() -> None:
    names = ["mine", "gaussian", "other", "true"]
    colors = colors_for(names)
    assert len(set(colors.values())) == len(names)
    assert colors["true"] == colors_for(["true"])["true"] == CONDITION_COLORS["true"]


def test_drawing_needs_no_pyplot_and_changes_no_setting() -> None:
    before = dict(rcParams)
    viz.corruption_sweep(sweep_rows(), num_classes=10).canvas.draw_idle()
    assert dict(rcParams) == before
    program = """
import io, sys
from rote import viz
assert "matplotlib" not in sys.modules, "importing viz imports matplotlib"
rows = [{"condition": "true", "seed": 0, "step": i, "train_loss": 1.0} for i in range(2)]
viz.learning_curves(rows).savefig(io.BytesIO(), format="png")
assert "matplotlib.pyplot" not in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
