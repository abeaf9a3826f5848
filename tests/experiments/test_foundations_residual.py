"""The lesson on residual nets: what it claims, and what it refuses."""

import numpy as np
import pytest

from rote import data
from rote.record import RunDir

pytestmark = pytest.mark.usefixtures("quick_compiles")


@pytest.fixture(scope="module")
def gradients(experiment):
    """Norms by net, depth and layer, of one batch of digits."""
    module = experiment("foundations/residual")
    config, digits = module.Config(), data.load("digits")
    found = {}
    for net, depth in (("plain", 8), ("plain", 26), ("residual", 26), ("residual_no_bn", 26)):
        rows = module.gradient_norms(config, net, depth, 0, digits)
        assert [row["layer"] for row in rows] == list(range(1, depth + 1))
        found[net, depth] = np.array([row["gradient_norm"] for row in rows])
    return found


@pytest.mark.slow
def test_behind_batch_norm_a_plain_net_amplifies_the_gradient_and_a_residual_net_does_not(
    gradients,
):
    """From the second layer, which is like those that follow, over the last convolution."""
    grown = {cell: norms[1] / norms[-2] for cell, norms in gradients.items()}
    assert grown["plain", 26] > 3 * grown["plain", 8]
    assert grown["plain", 26] > 3 * grown["residual", 26]
    assert gradients["residual_no_bn", 26].max() > 3 * gradients["residual", 26].max()


def test_what_becomes_of_the_gradient_by_hand(experiment):
    module = experiment("foundations/residual")
    rows = [
        {"net": "plain", "depth": 3, "seed": 0, "gradient_norm": norm}
        for norm in (0.1, 100.0, 10.0)
    ]
    (row,) = module.first_over_last(rows)
    assert row["first_over_last"] == pytest.approx(-2)
    assert row["spread"] == pytest.approx(3) and row["largest"] == pytest.approx(2)


@pytest.mark.slow
def test_a_residual_net_fits_both_kinds_of_labels(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--nets", "residual", "--gradient-nets", "residual", "--gradient-depths", "8")
    flags += ("--num-train", "64", "--num-test", "50", "--max-epochs", "30")
    assert command("foundations/residual", *flags, "--out", str(out)) == 0
    done = RunDir.open(out)
    true, random = done.summary["table"]
    assert true["epochs_to_fit"] and random["epochs_to_fit"]
    assert true["test_accuracy"] > 0.4 > 0.3 > random["test_accuracy"]
    assert len(done.summary["gradients"]) == 8
    assert {path.stem for path in done.figures()} == {"gradient", "training"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--nets", "residuel"), "did you mean 'residual'"),
        (("--depths", "9"), "resnet: depth 9; expected 6 n + 2 with n >= 1, such as 8 or 14"),
        (("--gradient-depths", "8", "8"), "gradient_depths: 8 8; expected one or more different"),
        (("--num-test", "0"), "num_test: 0; expected a positive number"),
        (("--image-size", "16"), "image_size: 16 for 'digits'"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("foundations/residual", *flags, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
