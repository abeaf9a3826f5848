"""The lesson on batch norm: what it claims, and what it refuses."""

import jax
import numpy as np
import pytest

from rote.record import RunDir
from rote.studies import santurkar2018

pytestmark = pytest.mark.usefixtures("quick_compiles")


@pytest.mark.slow
def test_more_of_the_grid_trains_with_batch_norm(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--nets", "plain", "batch_norm", "--depth", "4", "--width", "24")
    flags += ("--initial-scales", "3", "--learning-rates", "0.1", "1", "--max-epochs", "6")
    assert command("foundations/batch_norm", *flags, "--out", str(out)) == 0
    done = RunDir.open(out)
    grid = {(row["net"], row["learning_rate"]): row for row in done.summary["grid"]}
    assert grid["batch_norm", 1]["train_accuracy"] > 0.9
    assert all((grid["plain", rate]["train_accuracy"] or 0) < 0.5 for rate in (0.1, 1))
    plain, normed = done.summary["table"]
    assert plain["cells that train"] == "0 % (1)" != normed["cells that train"]
    late = {
        net: np.mean(
            [
                row["smoothness"]
                for row in done.summary["surface"]
                if row["net"] == net and row["step"] >= 50
            ]
        )
        for net in ("plain", "batch_norm")
    }
    assert late["batch_norm"] < late["plain"]
    assert {path.stem for path in done.figures()} == {"grid", "landscape"}


def test_what_trains_is_counted_by_hand(experiment):
    module = experiment("foundations/batch_norm")
    accuracies = {  # by scale and rate
        "batch_norm": {(1, 0.1): 0.9, (1, 1.0): 0.95, (3, 0.1): 0.2, (3, 1.0): 1.0},
        "plain": {(1, 0.1): 0.97, (1, 1.0): None, (3, 0.1): 0.89, (3, 1.0): None},
    }
    grid = [
        {
            "net": net,
            "seed": 0,
            "initial_scale": scale,
            "learning_rate": rate,
            "train_accuracy": value,
        }
        for net, cells in accuracies.items()
        for (scale, rate), value in cells.items()
    ]
    normed, plain = module.what_trains(grid)
    assert (normed["cells"], normed["rates"], normed["scales"]) == (0.75, 2, 2)
    assert (plain["cells"], plain["rates"], plain["scales"]) == (0.25, 1, 1)
    assert plain["with_batch_norm"] == pytest.approx(1 / 3) and plain["train_accuracy"] == 0.97
    assert "test_accuracy" not in plain  # the largest of many would be chosen by the test set


def test_the_noise_has_random_means_and_scales_and_acts_in_training_only():
    layer = santurkar2018.noise()
    x = np.random.default_rng(0).normal(size=(4000, 50)).astype(np.float32)
    assert layer.apply({}, {}, x, train=False)[0] is x
    y, other = (
        np.asarray(layer.apply({}, {}, x, train=True, key=jax.random.key(i))[0]) for i in (0, 1)
    )
    means, scales = y.mean(0), y.std(0)
    assert -0.55 < means.min() < -0.3 and 0.3 < means.max() < 0.55
    assert 0.95 < scales.min() < 1.1 and 1.15 < scales.max() < 1.35
    assert np.corrcoef(means, other.mean(0))[0, 1] < 0.5  # another distribution at every step
    # What is left of a unit's own scale and mean differs among examples.
    left = y[:, 0] - (means[0] + scales[0] * x[:, 0])
    assert 0.05 < left.std() < 0.25


def test_before_a_norm_the_scale_changes_nothing_but_the_gradient(experiment):
    """Which goes with 1/s, so that a rate counts as rate / s^2."""
    module = experiment("foundations/batch_norm")
    config = module.Config(depth=2, width=16)
    random = np.random.default_rng(0)
    x = random.uniform(size=(64, 8, 8, 1)).astype(np.float32)
    weights = random.normal(size=(64, 10)).astype(np.float32)
    outputs, gradients = [], []
    for scale in (1.0, 4.0):
        model = module.build(config, "batch_norm", scale, 10)
        params, state = model.init(jax.random.key(0), x)
        assert "bias" not in params["hidden1"]["dense"]

        def weighted(params, model=model, state=state, scale=scale):
            # The last layer has no norm behind it: its own scale is taken out.
            y = model.apply(params, state, x, train=True)[0] / scale
            return (y * weights).sum(), y

        gradient, y = jax.grad(weighted, has_aux=True)(params)
        outputs.append(y)
        gradients.append(gradient["hidden2"]["dense"]["kernel"])
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-3, atol=1e-3)
    largest = np.abs(gradients[0]).max()
    np.testing.assert_allclose(4 * gradients[1], gradients[0], atol=1e-2 * largest)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--nets", "batch_nrom"), "did you mean 'batch_norm'"),
        (("--learning-rates", "0.1", "0"), "learning_rates: 0.0; expected a positive number"),
        (("--initial-scales", "1", "1"), "initial_scales: 1.0 1.0; expected one or more different"),
        (("--landscape-every", "0"), "landscape_every: 0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("foundations/batch_norm", *flags, "--out", str(out)) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not out.exists()
