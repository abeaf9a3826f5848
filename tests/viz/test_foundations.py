"""What the figures of the lessons show."""

import io

import numpy as np
import pytest

from rote import viz
from rote.core import InputError


def test_lines_are_means_over_seeds_with_their_range():
    rows = [
        {"net": net, "seed": seed, "epoch": epoch, "test_accuracy": value + 0.1 * seed, "loss": 1.0}
        for net, value in (("a", 0.1), ("b", 0.5))
        for seed in (0, 1)
        for epoch in (1, 2)
    ]
    figure = viz.lines(rows, x="epoch", y=("test_accuracy", "loss"), by="net")
    left, right = figure.axes
    np.testing.assert_allclose([line.get_ydata() for line in left.lines], [[15, 15], [55, 55]])
    assert left.get_ylabel() == "test accuracy (%)" and right.get_ylabel() == "loss"
    assert len(left.collections) == 2 and not right.collections  # no range where all are equal
    assert "n = 2" in figure.get_supxlabel()


def test_lines_have_a_panel_per_value_and_gaps_where_nothing_can_be_shown():
    rows = [
        {"kind": kind, "x": x, "y": y} for kind, y in (("one", 1.0), ("two", None)) for x in (1, 2)
    ]
    rows[1]["y"] = 0.0
    one, two = viz.lines(rows, x="x", y="y", panel="kind", log=("y",)).axes
    assert (one.get_title("left"), two.get_title("left")) == ("one", "two")
    assert one.get_yscale() == "log"
    np.testing.assert_array_equal(one.lines[0].get_ydata(), [1, np.nan])
    assert np.isnan(two.lines[0].get_ydata()).all()
    (nothing,) = viz.lines(rows[2:], x="x", y="y", log=("y",)).axes
    nothing.figure.savefig(io.BytesIO())  # an axis that nothing can be shown on
    marked, _ = viz.lines(rows, x="x", y="y", panel="kind", marks={"one": [1.5]}).axes
    assert marked.lines[-1].get_xdata()[0] == 1.5 and marked.lines[-1].get_linestyle() == "--"
    numbered = [{**row, "kind": len(row["kind"])} for row in rows]
    three = viz.lines(numbered, x="x", y="y", panel="kind", marks={3: [1.5]}).axes[0]
    assert three.lines[-1].get_xdata()[0] == 1.5
    with pytest.raises(InputError, match="with 2 columns y; expected one"):
        viz.lines(rows, x="x", y=("x", "y"), panel="kind")
    with pytest.raises(InputError, match="unknown column 'z'"):
        viz.lines(rows, x="x", y="z")


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_seed_without_a_value_leaves_its_place_out(lost):
    rows = [
        {"x": x, "y": None if (x, seed) == (2, lost) else x + seed}
        for x in (1, 2, 3)
        for seed in range(3)
    ]
    (ax,) = viz.lines(rows, x="x", y="y").axes
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, np.nan, 4])
    corners = ax.collections[0].get_paths()[0].vertices[:, 0]
    assert 2 not in corners and {1, 3} & set(corners)


def test_few_places_on_a_logarithmic_axis_have_a_tick_each():
    rows = [{"size": size, "y": 1.0} for size in (32, 128, 4500)]
    (ax,) = viz.lines(rows, x="size", y="y", log=("size",), markers=True).axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["32", "128", "4500"]


def test_each_panel_has_ticks_at_its_own_places():
    rows = [{"m": m, "rate": 1 / (m * epochs), "y": 1.0} for m in (2, 3) for epochs in range(1, 7)]
    figure = viz.lines(rows, x="rate", y="y", panel="m", log=("rate",), markers=True)
    for ax, m in zip(figure.axes, (2, 3), strict=True):
        np.testing.assert_allclose(sorted(ax.get_xticks()), [1 / (m * n) for n in range(6, 0, -1)])


def test_long_numbers_have_short_ticks():
    for rates, expected in (
        ((2.0**-6, 0.25, 2.0), ["$2^{-6}$", "$2^{-2}$", "$2^{1}$"]),
        ((2.0**-6, 0.0208333, 3.0), ["0.016", "0.021", "3"]),
        ((0.25, 0.5, 1.0), ["0.25", "0.5", "1"]),
    ):
        rows = [{"rate": rate, "y": 1.0} for rate in rates]
        (ax,) = viz.lines(rows, x="rate", y="y", log=("rate",), markers=True).axes
        assert [label.get_text() for label in ax.get_xticklabels()] == expected


def test_a_short_logarithmic_ordinate_has_ticks_in_plain_numbers():
    rows = [{"x": x, "y": y} for x, y in ((1, 25.0), (2, 190.0))]
    (ax,) = viz.lines(rows, x="x", y="y", log=("y",)).axes
    low, high = ax.get_ylim()
    ticks = [ax.yaxis.get_major_formatter()(place) for place in ax.get_yticks()]
    shown = [tick for tick in ticks if low <= float(tick) <= high]
    assert shown == ["50", "100", "200"]


def test_a_caption_does_not_break_inside_a_number():
    rows = [{"x": x, "y": 1.0} for x in (1, 2)]
    for length in range(60, 120):
        figure = viz.lines(rows, x="x", y="y", caption="w" * length + " n = 3 end").axes[0].figure
        assert "n = 3" in figure.get_supxlabel()


def test_a_reference_is_dashed_and_gray():
    rows = [{"x": x, "y": 1.0, "by": by} for x in (1, 2) for by in ("nets", "chance")]
    (ax,) = viz.lines(rows, x="x", y="y", by="by", reference="chance").axes
    nets, chance = ax.lines
    assert (nets.get_linestyle(), chance.get_linestyle()) == ("-", "--")
    assert chance.get_color() != nets.get_color()


def test_a_spread_has_no_dot_for_what_diverged():
    rows = [{"net": "a", "loss": value} for value in (1.0, None, 3.0)] + [{"net": "b", "loss": 2.0}]
    (ax,) = viz.spread(rows, x="net", y="loss").axes
    dots, bar = ax.lines[0].get_ydata(), ax.lines[1].get_ydata()
    assert np.isnan(dots).sum() == 1 and np.isnan(bar).all()
    assert ax.lines[3].get_ydata()[0] == 2


def test_color_weights_are_gray_at_zero():
    weights = np.zeros((1, 2, 2, 3))
    weights[0, 0, 0] = [2, -2, 0]
    (ax,) = viz.image_grid(weights, signed=True).axes
    np.testing.assert_array_equal(ax.images[0].get_array()[0], [[1, 0, 0.5], [0.5] * 3])
    with pytest.raises(InputError, match="columns: 0; expected at least 1"):
        viz.image_grid(weights, columns=0)
    with pytest.raises(InputError, match="there is no panel"):
        viz.confidences({})


def test_many_panels_stand_in_two_rows_and_may_share_their_ordinate():
    rows = [
        {"kind": f"kind {i}", "layer": x, "y": 10.0 ** (i * x)} for i in range(5) for x in (1, 2)
    ]
    figure = viz.lines(rows, x="layer", y="y", panel="kind", log=("y",), share_y=True)
    assert len(figure.axes) == 5
    assert len({ax.get_subplotspec().rowspan.start for ax in figure.axes}) == 2
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    for ax in figure.axes:  # there is no layer 1.25
        assert all(float(tick).is_integer() for tick in ax.get_xticks())
    assert len({ax.get_ylim() for ax in viz.lines(rows, x="layer", y="y", panel="kind").axes}) > 1


def test_a_heat_map_has_a_cell_per_pair_and_marks_what_diverged():
    rows = [
        {"net": "a", "rate": rate, "scale": scale, "seed": seed, "train_accuracy": value}
        for rate, scale, values in (
            (0.1, 1.0, (0.5, 0.7)),
            (0.01, 1.0, (0.2, None)),
            (0.1, 3.0, (None, None)),
        )
        for seed, value in enumerate(values)
    ]
    figure = viz.heat_map(rows, x="rate", y="scale", value="train_accuracy", panel="net")
    ax, bar = figure.axes
    shown = ax.images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(shown, [[20, 60], [np.nan, np.nan]])
    assert {text.get_text() for text in ax.texts} == {"60", "20 x", "x"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.01", "0.1"]
    assert bar.get_ylabel() == "training accuracy (%)"
    assert "n = 2" in figure.get_supxlabel() and "x: diverged" in figure.get_supxlabel()
    with pytest.raises(InputError, match="unknown column 'depth'"):
        viz.heat_map(rows, x="rate", y="depth", value="train_accuracy", panel="net")


def test_more_lines_than_colors_differ_in_style():
    rows = [{"name": f"line {i}", "x": x, "y": i} for i in range(8) for x in (0, 1)]
    (ax,) = viz.lines(rows, x="x", y="y", by="name").axes
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 8


def test_descent_paths_need_a_surface_each():
    side = np.linspace(-1, 1, 5)
    surface = (side, side, 1 + np.add.outer(side**2, side**2))
    path = np.array([[0.5, 0.5], [0.0, 0.1]])
    (ax,) = viz.descent_paths(
        {"bowl": surface}, {"bowl": {"sgd": path}}, goals={"bowl": [0.0, 0.0]}
    ).axes
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), path)
    assert tuple(ax.lines[-1].get_xydata()[0]) == (0, 0)
    with pytest.raises(InputError, match="expected the same"):
        viz.descent_paths({"bowl": surface}, {})


def test_decision_regions_mark_what_is_said_wrongly():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    plane = viz.Plane(lambda x: (x[:, 0] > 0.5).astype(int), points, np.array([0, 1, 0]))
    (ax,) = viz.decision_regions({"net": plane}, low=-1, high=2, resolution=31).axes
    said = ax.collections[0].get_array().reshape(31, 31)
    np.testing.assert_array_equal(said, np.broadcast_to(np.linspace(-1, 2, 31) > 0.5, (31, 31)))
    crosses = [line for line in ax.lines if line.get_marker() == "X" and len(line.get_xdata())]
    np.testing.assert_array_equal(crosses[0].get_xydata(), [[1, 1]])


def test_a_graph_stands_in_the_order_of_its_dependencies():
    values = {"b": 8.0, "x": 2.0, "a": 4.0}  # in any order
    edges = [("x", "a", 4.0), ("a", "b", 1.0), ("x", "b", 4.0), ("x", "a", 3.0)]
    (ax,) = viz.computation_graph(values, edges, {"x": 8.0, "a": 1.0, "b": 1.0}).axes
    at = {name: circle.center for name, circle in zip(values, ax.patches, strict=True)}
    assert at["x"][0] < at["a"][0] < at["b"][0]
    shown = [text.get_text() for text in ax.texts if text.get_text()]
    assert {"x", "a", "b"} <= set(shown) and shown.count("4") == 3  # a's value and two slopes
    # No edge crosses a third node or lies on another, and nothing is beyond the axes.
    curves = [line.get_xydata() for line in ax.lines]
    assert np.linalg.norm(curves[2] - at["a"], axis=1).min() > ax.patches[0].radius
    assert np.linalg.norm(curves[0][100] - curves[3], axis=1).min() > 0.05
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for curve in curves:
        assert np.all(curve > [left, bottom]) and np.all(curve < [right, top])
    for circle in ax.patches:
        assert left < circle.center[0] - circle.radius and circle.center[0] + circle.radius < right
    with pytest.raises(InputError, match="go round in a circle"):
        viz.computation_graph(values, [("x", "a", 1.0), ("a", "x", 1.0)], values)
    with pytest.raises(InputError, match="'x' -> 'z': no 'z'"):
        viz.computation_graph(values, [("x", "z", 1.0)], values)
    with pytest.raises(InputError, match="no nodes"):
        viz.computation_graph({}, [], {})


def test_fitted_lines_and_valleys():
    x, y = np.array([0.0, 1.0]), np.array([1.0, 3.0])
    (ax,) = viz.fitted_lines(x, y, {"exact": (2.0, 1.0)}).axes
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), y)
    ends = [{"start": 0.1, "end": 0.0, "cost": 0.2}]
    left, right = viz.valleys((x, y), ends).axes
    assert right.lines[0].get_xydata().tolist() == [[0.1, 0.0]]
    assert left.lines[1].get_xydata().tolist() == [[0.0, 0.2]]
    with pytest.raises(InputError, match="no rows"):
        viz.valleys((x, y), [])


def test_an_image_grid_has_a_place_per_image():
    images = np.arange(5 * 4, dtype=float).reshape(5, 2, 2, 1) - 8
    figure = viz.image_grid(images, [f"no. {i}" for i in range(5)], columns=3, signed=True)
    shown = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == 6 and len(shown) == 5
    assert shown[1].get_title() == "no. 1"
    assert shown[0].images[0].get_clim() == (-8, 8)
    with pytest.raises(InputError, match="2 captions for 5 images"):
        viz.image_grid(images, ["a", "b"])
    with pytest.raises(InputError, match="expected one or more"):
        viz.image_grid(images[:0])


def test_feature_maps_have_a_tile_per_channel():
    images = np.zeros((2, 8, 8, 1), np.uint8)
    values = np.zeros((2, 4, 4, 5)) + np.arange(5)
    figure = viz.feature_maps(images, {"block1/conv": values, "head": values[:, :2, :2]})
    assert len(figure.axes) == 6
    assert [ax.get_title() for ax in figure.axes[:3]] == ["input", "block1/conv", "head"]
    shown = np.ma.filled(figure.axes[1].images[0].get_array(), np.nan)
    assert shown.shape == (2 * 5 - 1, 3 * 5 - 1)  # two rows of three, one pixel between them
    np.testing.assert_array_equal(shown[0, [0, 4, 5, 10]], [0, np.nan, 1, 2])
    np.testing.assert_array_equal(shown[5, [0, 5, 10]], [3, 4, np.nan])
    with pytest.raises(InputError, match=r"head: outputs of shape \(1, 10\)"):
        viz.feature_maps(images, {"head": np.zeros((1, 10))})
    with pytest.raises(InputError, match="expected one or more"):
        viz.feature_maps(images[:0], {})


def test_confidences_are_shares():
    values = {"net": {"digits": np.array([0.99, 0.98, 0.5]), "noise": np.array([0.1])}}
    (ax,) = viz.confidences(values).axes
    heights = [patch.get_data().values for patch in ax.patches]
    assert [height.sum() for height in heights] == pytest.approx([100, 100])
    assert heights[0][-1] == pytest.approx(200 / 3)


def test_a_representation_is_standardised_and_marks_errors():
    points = np.array([[0.0, 10.0], [2.0, 10.0], [4.0, 10.0]])
    correct = np.array([True, True, False])
    frames = [viz.Frame(epoch, points, correct, [points[:2]]) for epoch in (0, 7)]
    labels = np.array([0, 1, 1])
    first, second = viz.representation_stills(frames, labels).axes
    assert second.get_title("left") == "epoch 7: 66.7 %"
    wrong = [line for line in first.lines if line.get_marker() == "x" and len(line.get_xdata())]
    np.testing.assert_allclose(wrong[0].get_xydata(), [[np.sqrt(1.5), 0]])
    with pytest.raises(InputError, match="no frames"):
        viz.representation_film([], labels)


def test_a_spread_has_a_dot_per_seed_and_a_bar_at_the_mean():
    rows = [
        {"width": width, "seed": seed, "test_loss": width * (1.0 + seed)}
        for width in (8, 100)
        for seed in range(3)
    ]
    (ax,) = viz.spread(rows, x="width", y="test_loss", log=("test_loss",)).axes
    dots, bar, others, _ = ax.lines
    np.testing.assert_allclose(dots.get_ydata(), [8, 16, 24])
    np.testing.assert_allclose(bar.get_ydata(), [16, 16])
    assert len(set(dots.get_xdata())) == 3 and np.all(np.abs(dots.get_xdata()) < 0.35)
    assert np.all(np.abs(others.get_xdata() - 1) < 0.35)  # equal distances, not 92 apart
    assert [text.get_text() for text in ax.get_xticklabels()] == ["8", "100"]
    assert ax.get_yscale() == "log" and "n = 3" in ax.figure.get_supxlabel()


def test_bubbles_have_areas_and_names_that_do_not_collide():
    rows = [
        {"net": "low", "year": 2014, "layers": 19, "params": 100},
        {"net": "high", "year": 2014, "layers": 22, "params": 25},
        {"net": "far", "year": 2016, "layers": 1000, "params": 1},
    ]
    figure = viz.bubbles(rows, x="year", y="layers", size="params", label="net", log=("layers",))
    (ax,) = figure.axes
    areas = ax.collections[0].get_sizes()
    np.testing.assert_allclose(areas / areas[0], [1, 0.25, 0.01])
    sides = {text.get_text(): text.get_va() for text in ax.texts}
    assert sides == {"low": "top", "high": "bottom", "far": "bottom"}
    figure.canvas.draw()
    assert all(float(tick.get_text()) % 1 == 0 for tick in ax.get_xticklabels())
    with pytest.raises(InputError, match="not positive"):
        viz.bubbles([{**rows[0], "params": 0}], x="year", y="layers", size="params", label="net")


def test_histograms_count_every_row_once():
    values = {"wide": [0.0, 1.0, 2.0, None], "narrow": [1.0, 1.0, 1.1, 1.2]}
    rows = [{"net": net, "loss": loss} for net, losses in values.items() for loss in losses]
    figure = viz.histograms(rows, x="loss", by="net", bins=4, unit="nets")
    (ax,) = figure.axes
    heights = [max(patch.get_path().vertices[:, 1]) for patch in ax.patches]
    assert heights == [1, 4]  # the bins are [0, 0.5), [0.5, 1), [1, 1.5), [1.5, 2]
    assert "1 nets without a value" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="no value that can be shown"):
        viz.histograms([{"net": 1, "loss": None}], x="loss", by="net")
