"""The lesson on activations: slopes by hand, and signals in a deep stack."""

import math

import jax
import numpy as np
import pytest


@pytest.mark.parametrize(
    ("name", "largest", "at_zero"),
    [("sigmoid", 0.25, 0.25), ("tanh", 1, 1), ("relu", 1, 0), ("softplus", 1, 0.5)],
)
def test_derivatives_of_activations(experiment, name, largest, at_zero):
    row = experiment("foundations/activations").measure_one(name)
    assert row["sup of the derivative"] == pytest.approx(largest, abs=1e-4)
    assert row["derivative at 0"] == at_zero


def test_what_saturates_and_what_blocks(experiment):
    module = experiment("foundations/activations")
    share = {name: module.measure_one(name) for name in ("relu", "sigmoid", "leaky_relu")}
    assert share["relu"]["saturated, s=1"] == share["relu"]["blocked, s=1"] == "50.2 %"
    assert share["leaky_relu"]["saturated, s=5"] == "0.0 %"  # its slope of 1 % is not below 1 %
    # s(x) (1 - s(x)) < 0.0025 where |x| > 5.987, which N(0, 25) is with probability 0.231.
    assert share["sigmoid"]["saturated, s=5"] == "23.0 %"
    assert share["sigmoid"]["blocked, s=5"] == "0.0 %"


def test_closed_forms_of_all_activations(experiment):
    module = experiment("foundations/activations")
    grid = np.linspace(-5, 5, 101) + 0.01
    for name, (_, derivative) in module.ACTIVATIONS.items():
        np.testing.assert_allclose(
            module.value_and_slope(name, grid)[1], derivative(grid), atol=1e-6
        )


@pytest.mark.slow
def test_signals_in_a_deep_stack(run_lesson, tmp_path):
    flags = ("--activations", "relu", "--in-the-stack", "relu", "sigmoid", "--seeds", "0", "1")
    done = run_lesson("activations", *flags, out=tmp_path / "run")
    ends = {}
    for row in done.summary["signals"]:
        if row["layer"] == 20:
            ends.setdefault((row["activation"], row["start"]), []).append(row["signal"])
    mean = {key: np.mean(np.log10(values)) for key, values in ends.items()}
    assert abs(mean["relu", "uniform Kaiming"]) < 1
    # Glorot's variance is half of Kaiming's: a factor 2^(-1/2) per layer.
    lost = mean["relu", "uniform Kaiming"] - mean["relu", "Glorot"]
    assert lost == pytest.approx(10 * math.log10(2), abs=0.5)
    assert mean["relu", "too small"] < -15 and mean["relu", "too large"] > 5


def test_the_gradient_of_a_stack_against_one_layer_by_hand(experiment):
    module = experiment("foundations/activations")
    config = module.Config(depth=2, width=7, batch=3)
    rows = module.through_the_stack(config, "tanh", "Glorot", 0)
    # At the output the gradient of sum(w * y) is w itself.
    _, _, of_outputs = jax.random.split(jax.random.key(0), 3)
    weights = jax.random.normal(of_outputs, (3, 7))
    assert rows[-1]["gradient"] == pytest.approx(float(np.linalg.norm(weights)), rel=1e-5)
