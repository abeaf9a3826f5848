"""The experiment of Choromanska et al. (2015) as a user runs it."""

import numpy as np
import pytest

from rote.record import RunDir

pytestmark = pytest.mark.usefixtures("quick_compiles")
MINIMA = "choromanska2015/minima"
SMALL = ("--preset", "smoke", "--widths", "20", "2", "--nets", "5", "--max-epochs", "8")
SMALL += ("--num-train", "500", "--batch-size", "50")


@pytest.fixture(scope="module")
def minima(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("minima") / "run"
    assert command(MINIMA, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_nets_of_a_width_differ_and_wide_ones_end_lower(minima):
    table = minima.summary["table"]
    nets = [row for row in table if row["kind"] == "net"]
    assert [row["width"] for row in nets] == [2] * 5 + [20] * 5
    losses = np.array([row["train_loss"] for row in nets]).reshape(2, 5)
    assert len(np.unique(losses)) == 10
    assert losses[1].max() < losses[0].min() < np.log(10)
    assert all(0 < row["gradient_norm"] < 2 for row in nets)
    assert [path.name for path in minima.figures()] == ["losses.png"]


def test_what_the_nets_of_a_width_say_together(minima):
    table = minima.summary["table"]
    narrow, wide = (row for row in table if row["kind"] == "width")
    assert (narrow["width"], wide["width"]) == (2, 20)
    assert narrow["outside"] == 0.4  # of five nets two are above the median
    for found in (narrow, wide):
        pairs = [
            (row["train_loss"], row["test_loss"])
            for row in table
            if row["kind"] == "net" and row["width"] == found["width"]
        ]
        assert found["correlation"] == pytest.approx(np.corrcoef(np.transpose(pairs))[0, 1])


def test_where_too_many_nets_diverge_there_is_no_correlation(experiment):
    module = experiment(MINIMA)
    nets = [
        {"width": width, "train_loss": seed if seed < ended else None, "test_loss": seed**2}
        for width, ended in ((2, 5), (4, 3))
        for seed in range(5)
    ]
    narrow, wide = module.by_width(nets)
    assert (narrow["nets"], wide["nets"]) == (5, 3)
    assert set(module.in_words(wide).values()) == {"too many diverged"}
    (alone,) = module.by_width(nets[:5])
    assert module.in_words(alone) == {"outside": "40.0 %", "correlation": "0.96 [0.50, 1.00]"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--nets", "3"), "nets: 3; expected at least 4"),
        (("--widths", "0"), "widths: 0; expected a positive number"),
        (("--half-side", "0"), "half_side: 0.0; expected a positive number"),
        (("--batch-size", "2000"), "batch_size: 2000; expected 1 to 1437"),
        (("--image-size", "10"), "image_size: 10 for 'digits'"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(MINIMA, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
