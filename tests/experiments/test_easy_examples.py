"""The easy examples as a user runs them."""

import pytest

from rote.record import RunDir

NAME = "arpit2017/easy_examples"
SMALL = (
    *("--preset", "smoke", "--num-train", "400", "--num-examples", "200", "--num-nets", "20"),
    *("--width", "16", "--batch-size", "20", "--epochs", "2", "--seeds", "3"),
)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def small(command, tmp_path_factory):
    """A run that was killed after two of its three data sets, and gone on with."""
    import rote.measure

    out = tmp_path_factory.mktemp("easy") / "run"
    found, measured = rote.measure.error_agreement, []

    def killed(wrong):
        if len(measured) == 2:
            raise Killed
        measured.append(found(wrong))
        return measured[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rote.measure, "error_agreement", killed)
        with pytest.raises(Killed):
            command(NAME, *SMALL, "--out", str(out))
    assert RunDir.open(out).continues

    def kept(wrong):
        measured.append(found(wrong))
        return measured[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rote.measure, "error_agreement", kept)
        assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out), measured


def test_nets_agree_on_real_examples_and_not_on_noise(small):
    run, _ = small
    rows = {row["data"]: row for row in run.summary["table"]}
    real, noise = rows["real"], rows["random inputs"]
    assert len(rows) == 3 and real["seed"] == 3
    assert real["error_rate"] < 0.7 < noise["error_rate"]
    assert real["train_loss"] < real["initial_loss"] - 0.5
    assert real["distance"] > 2 * noise["distance"]
    assert real["split_half"] > noise["split_half"] + 0.3
    assert 0 < noise["chance_distance"] < real["distance"]
    assert [figure.name for figure in run.figures()] == ["easy_examples.png"]


def test_what_was_measured_before_it_was_killed_is_not_measured_again(small):
    run, measured = small
    assert [each.distance for each in measured] == [row["distance"] for row in run.summary["table"]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--num-nets", "1"), "num_nets: 1; expected at least 2"),
        (("--num-examples", "2000"), "num_examples: 2,000; expected at most the 1,437"),
        (("--width", "0"), "width: 0; expected a positive number"),
        (("--seeds", "-1"), "expected integers from 0 to"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
