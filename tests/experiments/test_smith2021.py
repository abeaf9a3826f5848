"""The experiments of Smith et al. (2021) as a user runs them."""

import numpy as np
import pytest

from rote.record import RunDir
from rote.studies import smith2021

ORDERS, PENALTY = "smith2021/modified_loss", "smith2021/explicit_gradient_penalty"
SMALL = ("--preset", "smoke", "--seeds", "0", "--halvings", "8", "9", "10", "--epochs", "16", "32")


@pytest.fixture(scope="module")
def paths(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("paths") / "run"
    assert command(ORDERS, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_the_mean_path_is_one_order_nearer_to_the_modified_loss(paths):
    found = {(row["span"], row["compared"]): row["order"] for row in paths.summary["table"]}
    for compared in (smith2021.ON_LOSS, smith2021.ON_FULL_BATCH, smith2021.ON_MODIFIED):
        for span in (smith2021.ONE_EPOCH, smith2021.FIXED_TIME):
            order = smith2021.expected_order(span, compared)
            assert found[span, compared] == pytest.approx(order, abs=0.2), (span, compared)
    one = found[smith2021.ONE_EPOCH, smith2021.ONE_ORDER]
    assert one == pytest.approx(2, abs=0.2)
    names = {path.name for path in paths.figures()}
    assert names == {"one_epoch.png", "fixed_time.png"}


@pytest.mark.slow
def test_the_mean_over_several_epochs_is_known_well_enough(paths):
    nearest = [
        row
        for row in paths.summary["points"]
        if row["span"] == smith2021.FIXED_TIME and row["compared"] == smith2021.ON_MODIFIED
    ]
    assert len(nearest) == 2
    for row in nearest:
        assert 0 < row["distance_error"] < 0.1 * row["distance"]


@pytest.mark.slow
def test_a_killed_run_goes_on(command, paths, tmp_path, monkeypatch, capsys):
    out = tmp_path / "cut"
    monkeypatch.setattr(RunDir, "save_figure", killed)
    with pytest.raises(Killed):
        command(ORDERS, *SMALL, "--out", str(out))
    monkeypatch.undo()
    monkeypatch.setattr("rote.measure.sgd_over_orders", killed)  # nothing is computed again
    assert command(ORDERS, *SMALL, "--out", str(out)) == 0
    assert "continuing the run" in capsys.readouterr().err
    assert RunDir.open(out).summary["table"] == paths.summary["table"]


class Killed(BaseException):
    pass


def killed(*arguments, **options):
    raise Killed


@pytest.fixture(scope="module")
def penalised(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("penalised") / "run"
    flags = ("--preset", "smoke", "--model", "mlp_1x8", "--learning-rates", "0.125", "0.25")
    flags += ("--penalties", "0.125", "--loss", "0.3", "--num-train", "320", "--batch-size", "32")
    assert command(PENALTY, *flags, "--out", str(out)) == 0
    return RunDir.open(out)


@pytest.mark.slow
def test_every_rate_and_penalty_is_trained_to_the_same_loss(penalised):
    table = penalised.summary["table"]
    settings = {(row["learning_rate"], row["penalty"]) for row in table}
    assert settings == {(0.125, 0.0), (0.25, 0.0), (0.125, 0.125)}
    assert len(table) == 6
    for row in table:
        assert row["status"] == "fitted" and row["train_loss"] <= 0.3
        assert row["epochs_to_loss"] == row["epochs"]
    squared = {
        penalty: np.mean(
            [
                row["squared_gradient"]
                for row in table
                if (row["learning_rate"], row["penalty"]) == (0.125, penalty)
            ]
        )
        for penalty in (0.0, 0.125)
    }
    assert squared[0.125] < squared[0.0]
    names = {path.name for path in penalised.figures()}
    assert names == {"test_accuracy.png", "squared_gradient.png"}


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        (ORDERS, ("--mini-batches", "7"), "expected at most 6"),
        (ORDERS, ("--mini-batches", "1"), "expected at least 2"),
        (ORDERS, ("--halvings", "5"), "two or more, to fit an order"),
        (ORDERS, ("--time", "0"), "time: 0.0; expected a positive number"),
        (ORDERS, ("--batch-size", "500"), "2,000 images; digits has 1,437"),
        (PENALTY, ("--model", "resnet"), "unknown model 'resnet'"),
        (PENALTY, ("--penalties", "0"), "penalties: 0.0; expected a positive number"),
        (PENALTY, ("--loss", "-1"), "loss: -1.0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, name, flags, message, tmp_path, capsys):
    assert command(name, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
