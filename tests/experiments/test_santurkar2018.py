"""The experiment of Santurkar et al. (2018) as a user runs it."""

import pytest

from rote.record import RunDir

pytestmark = pytest.mark.usefixtures("quick_compiles")
SHIFT = "santurkar2018/shift_and_smoothness"
SMALL = ("--preset", "smoke", "--nets", "plain", "noisy_batch_norm", "--seeds", "0")
SMALL += ("--depth", "2", "--width", "8", "--steps", "20", "--every", "10", "--num-train", "256")


class Killed(BaseException):
    pass


def killed(*arguments, **options):
    raise Killed


@pytest.mark.slow
def test_what_is_seen_stands_in_the_tables_and_a_killed_run_goes_on(
    command, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "run"
    monkeypatch.setattr(RunDir, "save_figure", killed)
    with pytest.raises(Killed):
        command(SHIFT, *SMALL, "--out", str(out))
    monkeypatch.undo()
    monkeypatch.setattr("rote.studies.santurkar2018.looks_along", killed)  # nothing is done again
    assert command(SHIFT, *SMALL, "--out", str(out)) == 0
    assert "continuing the run" in capsys.readouterr().err
    done = RunDir.open(out)
    plain, noisy = done.summary["table"]
    assert (plain["net"], noisy["net"]) == ("plain", "noisy_batch_norm")
    for row in (plain, noisy):
        assert row["status"] == "max_steps" and 0.2 < row["train_accuracy"] <= 1
        assert -1 <= row["gradient_cosine"] < 1 and row["smoothness"] > 0
    steps = [row["step"] for row in done.summary["course"] if row["net"] == "plain"]
    assert steps == [0, 10]
    assert {path.name for path in done.figures()} == {"shift.png", "landscape.png"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--nets", "batch_nrom"), "did you mean 'batch_norm'"),
        (("--architecture", "vgg"), "6 stages; expected 1 to 5"),
        (("--batch-size", "5000"), "batch_size: 5000; expected 1 to 1437"),
        (("--every", "0"), "every: 0; expected a positive number"),
        (("--seeds", "-1"), "seeds: -1; expected integers from 0"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(SHIFT, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
