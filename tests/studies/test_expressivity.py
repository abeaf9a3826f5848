"""Theorem 1: the constructed networks fit what they must, with as many weights as it says."""

import numpy as np
import pytest

from rote.core import InputError
from rote.studies.zhang2017 import expressivity


def problem(num_points, dim, seed=0):
    random = np.random.default_rng(seed)
    points, direction = random.normal(size=(num_points, dim)), random.normal(size=dim)
    return points, random.integers(0, 10, num_points), random.normal(size=num_points), direction


def two_layers(network, point):
    """The theorem's formula for one point, in Python numbers."""
    z = sum(float(a) * float(x) for a, x in zip(network.direction, point, strict=True))
    units = zip(network.weights[0], network.biases[0], strict=True)
    return sum(float(w) * max(z - float(b), 0.0) for w, b in units)


def as_layers(network):
    """The same network as ordinary dense layers: pairs of kernel and bias, input first."""
    first = network.biases[0]
    layers = [(np.repeat(network.direction[:, None], len(first), 1), -first)]
    widths = [len(first)]
    for index, biases in enumerate(network.biases[1:]):
        own, before = len(biases), network.weights[index]
        # units: own, then what is passed on: positive sum, negative sum, z - b_1
        kernel = np.zeros((widths[-1], own + 3))
        # in the first layer z - b_1 is unit 0; later it is the last one
        kernel[0 if index == 0 else -1, [*range(own), own + 2]] = 1
        kernel[: len(before), own] = before
        kernel[: len(before), own + 1] = -before
        if index > 0:
            kernel[len(before) : len(before) + 2, own] = 1, -1
            kernel[len(before) : len(before) + 2, own + 1] = -1, 1
        layers.append((kernel, np.concatenate([-biases, np.zeros(3)])))
        widths.append(own + 3)
    last = np.zeros((widths[-1], 1))
    last[: len(network.weights[-1]), 0] = network.weights[-1]
    if len(network.biases) > 1:
        last[len(network.weights[-1]) : len(network.weights[-1]) + 2, 0] = 1, -1
    return [*layers, (last, np.zeros(1))]


def dense(layers, points):
    hidden = points
    for kernel, bias in layers[:-1]:
        hidden = np.maximum(hidden @ kernel + bias, 0)
    return (hidden @ layers[-1][0])[:, 0]


@pytest.mark.parametrize("solver", ["triangular", "recursion"])
@pytest.mark.parametrize(("num_points", "dim"), [(1, 3), (2, 1), (10, 1), (60, 5), (300, 40)])
def test_any_labels_with_two_layers_and_2n_plus_d_weights(num_points, dim, solver):
    points, labels, real, direction = problem(num_points, dim)
    for targets in (labels, real):
        network = expressivity.construct(points, targets, direction, solver=solver)
        sizes = [len(network.direction), *map(len, network.biases), *map(len, network.weights)]
        assert sizes == [dim, num_points, num_points]
        assert network.num_weights == 2 * num_points + dim
        assert network.width == num_points
        outputs = [two_layers(network, point) for point in points]
        np.testing.assert_allclose(outputs, targets, rtol=0, atol=1e-6)
        np.testing.assert_allclose(network(points), targets, rtol=0, atol=1e-6)
        if targets is labels:
            assert [round(value) for value in outputs] == labels.tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_label_of_many_points_is_right_after_rounding(seed):
    points, labels, _, direction = problem(3000, 20, seed)
    network = expressivity.construct(points, labels, direction)
    np.testing.assert_array_equal(network(points).round(), labels)


def test_biases_lie_between_their_points():
    points, labels, _, direction = problem(50, 4)
    z = np.sort(points @ direction)
    for position in (0.1, 0.25, 0.5):
        network = expressivity.construct(points, labels, direction, bias_position=position)
        (biases,) = network.biases
        assert biases[0] < z[0]
        assert np.all(biases[1:] > z[:-1]) and np.all(biases < z)
        np.testing.assert_allclose((biases[1:] - z[:-1]) / np.diff(z), position, rtol=1e-6)


def test_the_two_solvers_solve_the_same_system():
    points, labels, _, direction = problem(40, 3)
    z = np.sort(points @ direction)
    y = labels[np.argsort(points @ direction)]
    for solver in ("triangular", "recursion"):
        network = expressivity.construct(points, labels, direction, solver=solver)
        matrix = np.maximum(z[:, None] - network.biases[0], 0)
        assert np.allclose(matrix, np.tril(matrix)) and np.all(np.diag(matrix) > 0)
        expected = np.linalg.solve(matrix, y)
        np.testing.assert_allclose(network.weights[0], expected, rtol=1e-7)


def test_a_bias_at_the_midpoint_loses_digits():
    """The docstring's reason for a quarter: errors in the slopes do not die out at a half."""
    points, labels, _, direction = problem(2000, 20)
    quarter, half = (
        np.abs(
            expressivity.construct(points, labels, direction, bias_position=t)(points) - labels
        ).max()
        for t in (0.25, 0.5)
    )
    assert half > 10 * quarter


@pytest.mark.parametrize(
    ("num_points", "dim", "depth"), [(10, 2, 3), (11, 2, 4), (100, 7, 5), (300, 64, 11), (6, 3, 7)]
)
def test_deep_networks_fit_with_narrow_layers(num_points, dim, depth):
    points, labels, real, direction = problem(num_points, dim)
    for targets in (labels, real):
        network = expressivity.construct(points, targets, direction, depth=depth)
        layers = as_layers(network)
        assert len(layers) == depth
        assert network.num_weights == 2 * num_points + dim
        assert network.width <= -(-num_points // (depth - 1)) + 3
        # as_layers gives the last hidden layer one unit more: it passes z on to nobody
        widths = [len(bias) for _, bias in layers[:-1]]
        assert network.width == max(*widths[:-1], widths[-1] - 1)
        # the direction counts once; the units' weights into the two halves of the sum once, too
        assert sum(np.count_nonzero(bias) for _, bias in layers) == num_points
        inner = sum(np.sum(~np.isin(kernel, (-1, 0, 1))) for kernel, _ in layers[1:-1])
        outer = np.sum(~np.isin(layers[-1][0], (-1, 0, 1)))
        assert inner / 2 + outer == num_points
        for outputs in (dense(layers, points), network(points)):
            np.testing.assert_allclose(outputs, targets, rtol=0, atol=1e-6)
            if targets is labels:
                np.testing.assert_array_equal(outputs.round(), labels)


def test_outputs_do_not_depend_on_how_many_points_go_together(monkeypatch):
    points, labels, _, direction = problem(70, 4)
    network = expressivity.construct(points, labels, direction, depth=3)
    whole = network(points)
    monkeypatch.setattr(expressivity, "ROWS_AT_ONCE", 8)
    np.testing.assert_allclose(network(points), whole, rtol=0, atol=1e-8)


def test_no_points_have_no_outputs():
    points, labels, _, direction = problem(5, 2)
    network = expressivity.construct(points, labels, direction)
    assert network(np.zeros((0, 2))).shape == (0,)


def test_what_cannot_be_fitted_is_refused():
    points, labels, _, direction = problem(8, 2)
    twice = np.concatenate([points, points[2:3]])
    with pytest.raises(InputError, match="points 2 and 8 are the same"):
        expressivity.construct(twice, np.arange(9), direction)
    same_projection = np.array([[1.0, 0.0], [1.0, 5.0], [2.0, 0.0]])
    with pytest.raises(InputError, match="points 0 and 1 have one projection"):
        expressivity.construct(same_projection, labels[:3], np.array([1.0, 0.0]))
    for depth in (1, 10):
        with pytest.raises(InputError, match=r"expected 2 to n \+ 1 = 9"):
            expressivity.construct(points, labels, direction, depth=depth)
    with pytest.raises(InputError, match="bias_position"):
        expressivity.construct(points, labels, direction, bias_position=1.0)


@pytest.mark.parametrize(
    ("targets", "changes", "message"),
    [
        (np.zeros(4), {}, r"targets of shape \(4,\) for 3 points"),
        (np.array([0.0, np.nan, 1.0]), {}, "not all finite"),
        (np.zeros(3), {"solver": "pinv"}, "unknown solver 'pinv'"),
    ],
)
def test_what_cannot_be_constructed_is_told(targets, changes, message):
    with pytest.raises(InputError, match=message):
        expressivity.construct(np.eye(3), targets, np.array([0.1, 0.2, 0.4]), **changes)
    with pytest.raises(InputError, match=r"points of shape \(3,\) and direction of shape \(3,\)"):
        expressivity.construct(np.arange(3.0), np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="points: not all finite"):
        expressivity.construct(np.full((3, 1), np.nan), np.zeros(3), np.ones(1))
    with pytest.raises(InputError, match="at least one"):
        expressivity.construct(np.zeros((0, 3)), np.zeros(0), np.ones(3))
