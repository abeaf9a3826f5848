"""The lesson on convolution as a user runs it, and its mathematics by hand."""

import numpy as np
import pytest

from rote import layers
from rote.record import RunDir


@pytest.fixture(scope="module")
def lesson(experiment):
    return experiment("foundations/cnn_mnist")


def test_the_layer_of_four_terabytes_is_counted_and_not_allocated(lesson):
    rows = {row["layer"]: row for row in lesson.cost_table()}
    assert rows["the course's, dense"]["weights"] == "1,000,000,000,000"
    assert rows["the course's, dense"]["memory"] == "4 TB"
    assert rows["the course's, 3x3"]["weights"] == "9"
    assert rows["the course's, 3x3"]["multiply-adds"] == "9,000,000"
    # Every output of a dense layer sees every input; of a convolution, nine pixels per channel.
    shape, channels = (6, 5, 2), 3
    assert lesson.cost(lesson.dense_between(shape, channels), shape) == (60 * 90, 60 * 90)
    assert lesson.cost(layers.conv(channels, bias=False), shape) == (9 * 2 * 3, 9 * 2 * 90)
    assert [lesson.in_bytes(n) for n in (576, 39_337_984, 10**12)] == ["576 B", "39.3 MB", "1 TB"]


def test_the_sum_by_hand_and_what_convolution_would_be(lesson):
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    by_hand = [[0 + 2 * 1 + 3 * 3 + 4 * 4, 1 + 4 + 12 + 20], [3 + 8 + 18 + 28, 4 + 10 + 21 + 32]]
    found = lesson.explicit_sum(x, kernel, 1, "VALID")
    np.testing.assert_array_equal(found[0, ..., 0], by_hand)
    turned = lesson.by_scipy(x, kernel, 1, "VALID", turned=True)
    assert turned[0, 0, 0, 0] == 4 * 0 + 3 * 1 + 2 * 3 + 1 * 4
    for padding, stride in (("SAME", 2), ("1", 1)):
        row = lesson.check_sum(padding, stride)
        away = {name: float(row[f"from {name}"]) for name in ("the sum", "correlate2d")}
        assert max(away.values()) < 1e-5 < 1 < float(row["from convolve2d"])
        assert float(row["from convolve2d, kernel turned by 180 degrees"]) < 1e-5


def test_sizes(lesson):
    rows, wrong = lesson.size_table()
    assert wrong == 0 and len(rows) == 9
    assert {k: rows[4][k] for k in list(rows[4])[:3]} == {"side": 28, "window": 3, "stride": 2}
    assert [rows[4][f"padding {name}"] for name in lesson.PADDINGS] == [13, 14, 14]


def test_filters_are_cut_out_of_the_kernel(lesson):
    kernel = np.arange(3 * 3 * 1 * 4.0).reshape(3, 3, 1, 4)
    filters = lesson.first_filters({"block1": {"conv": {"kernel": kernel}}})
    np.testing.assert_array_equal(filters[2], kernel[:, :, 0, 2])


@pytest.mark.slow
def test_the_rate_is_chosen_by_the_held_out_part(command, tmp_path):
    flags = ("--learning-rates", "0.00001", "0.1", "--seeds", "0", "--max-epochs", "5")
    out = tmp_path / "run"
    assert command("foundations/cnn_mnist", *flags, "--out", str(out)) == 0
    done = RunDir.open(out)
    slow, fast = done.summary["table"]
    assert slow["held_out_accuracy"] < 0.5 < 0.9 < fast["held_out_accuracy"]
    assert fast["test_accuracy"] > 0.9 and done.summary["chosen"] == 0.1
    before, after = done.summary["filters"]
    assert before["start"] == pytest.approx(1) and after["start"] < 0.999
    assert {path.stem for path in done.figures()} == {"accuracy", "cost", "feature_maps", "filters"}
    # A sixth of 1,437 digits is held out of every training, and only the rest is trained on.
    steps = max(row["step"] for row in done.rows())
    assert steps == 5 * ((1437 - round(1437 / 6)) // 32)


@pytest.mark.slow
def test_a_rate_that_diverges_has_no_accuracy_and_is_not_chosen(command, tmp_path):
    flags = ("--learning-rates", "0.05", "1e30", "--seeds", "0", "--max-epochs", "1")
    out = tmp_path / "run"
    assert command("foundations/cnn_mnist", *flags, "--num-train", "200", "--out", str(out)) == 1
    done = RunDir.open(out)
    _, wild = done.summary["table"]
    assert wild["rate"] == 1e30 and wild["test_accuracy"] is None
    assert "1e+30  diverged (1)" in done.summary["text"]
    assert "the held-out images choose 0.05, the lowest tried: test" in done.summary["text"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--channels", "16", "0"), "channels: 0; expected a positive"),
        (("--channels", "4", "4", "4", "4"), "an image of 1x1 is too small for a window of 2x2"),
        (("--shift", "-1"), "shift: -1; expected 0 or a number of pixels"),
        (("--held-out", "1"), "held_out: 1.0; expected a fraction"),
        (("--learning-rates", "0"), "learning_rates: 0.0; expected a positive"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert command("foundations/cnn_mnist", *flags, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
