"""The search for critical samples along training, as a user runs it."""

import numpy as np
import pytest

from rote.record import RunDir

NAME = "arpit2017/critical_samples"
SMALL = ("--preset", "smoke", "--seeds", "0", "--fractions", "0.8", "--num-train", "200")
SMALL += ("--width", "32", "--num-validation", "60", "--epochs", "1", "8", "--search-steps", "5")


@pytest.fixture(scope="module")
def searched(command, tmp_path_factory):
    out = tmp_path_factory.mktemp("searched") / "run"
    assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


def test_every_noise_is_searched_at_every_epoch(searched):
    table = searched.summary["table"]
    found = {(row["noise"], row["fraction"], row["epoch"]) for row in table}
    noises = (("none", 0.0), ("labels", 0.8), ("inputs", 0.8))
    assert found == {(*noise, epoch) for noise in noises for epoch in (1, 8)}
    for row in table:  # a share of the images searched
        assert 0 <= row["critical_ratio"] <= 1
        assert row["critical_ratio"] * 60 == pytest.approx(round(row["critical_ratio"] * 60))
    by_noise = {row["noise"]: row for row in table if row["epoch"] == 8}
    assert by_noise["none"]["validation_accuracy"] > by_noise["labels"]["validation_accuracy"]
    names = {path.name for path in searched.figures()}
    assert names == {"critical_samples_labels.png", "critical_samples_inputs.png"}


def test_the_ratio_is_of_the_net_after_that_epoch(searched, experiment):
    """Of the last epoch, whose net the run directory has."""
    import jax

    from rote import data, models

    module = experiment(NAME)
    config = module.Config(**searched.config)
    images = data.load("digits", num_test=60).test.images
    model = models.mlp((32, 32), num_classes=10)
    rows = [row for row in searched.summary["table"] if row["epoch"] == 8]
    for number, row in enumerate(rows):
        params, state = searched.load_params(number)
        key = jax.random.fold_in(jax.random.key(0), 8)
        ratio = module.critical_ratio(config, model, params, state, images, key)
        assert float(ratio) == row["critical_ratio"]
    assert len({row["critical_ratio"] for row in rows}) > 1


@pytest.mark.slow
def test_a_killed_run_goes_on_with_what_it_found(command, searched, tmp_path, monkeypatch, capsys):
    out, keep, kept = tmp_path / "cut", RunDir.keep, []

    def killed_at_the_fourth(self, part, result):
        keep(self, part, result)
        kept.append(part)
        if len(kept) == 4:
            raise Killed

    monkeypatch.setattr(RunDir, "keep", killed_at_the_fourth)
    with pytest.raises(Killed):
        command(NAME, *SMALL, "--out", str(out))
    assert len(kept) == 4
    assert command(NAME, *SMALL, "--out", str(out)) == 0
    assert "continuing the run" in capsys.readouterr().err
    assert len(kept) == len(set(kept)) == 6  # none is searched twice
    tables = [RunDir.open(each).summary["table"] for each in (out, searched.folder)]
    assert tables[0] == tables[1]


class Killed(BaseException):
    pass


@pytest.mark.slow
def test_one_that_diverged_has_no_numbers(command, tmp_path):
    out = tmp_path / "run"
    flags = ("--preset", "smoke", "--seeds", "0", "--fractions", "0.8", "--num-train", "64")
    flags += ("--width", "4", "--epochs", "1", "2", "--num-validation", "10")
    code = command(NAME, *flags, "--learning-rate", "1e30", "--out", str(out))
    assert code == 1
    for row in RunDir.open(out).summary["table"]:
        assert row["status"] == "diverged" and row["validation_accuracy"] is None
        assert row["critical_ratio"] is None or np.isfinite(row["critical_ratio"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--fractions", "0"), "fractions: 0.0; expected more than 0"),
        (("--epochs", "4", "2"), "in ascending order"),
        (("--radius", "0"), "radius: 0.0; expected a positive number"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
