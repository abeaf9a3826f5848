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
    """A run that was killed when all was measured, and gone on with."""
    out = tmp_path_factory.mktemp("easy") / "run"

    def killed(*arguments, **options):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDir, "save_figure", killed)
        with pytest.raises(Killed):
            command(NAME, *SMALL, "--out", str(out))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rote.measure.error_agreement", killed)  # nothing is measured again
        assert command(NAME, *SMALL, "--out", str(out)) == 0
    return RunDir.open(out)


def test_nets_agree_on_real_examples_and_not_on_noise(small):
    rows = {row["data"]: row for row in small.summary["table"]}
    real, noise = rows["real"], rows["random inputs"]
    assert len(rows) == 3 and real["seed"] == 3
    assert real["error_rate"] < 0.7 < noise["error_rate"]
    assert real["train_loss"] < real["initial_loss"] - 0.5
    assert real["distance"] > 2 * noise["distance"]
    assert real["split_half"] > noise["split_half"] + 0.3
    assert 0 < noise["chance_distance"] < real["distance"]
    assert [figure.name for figure in small.figures()] == ["easy_examples.png"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--num-nets", "1"), "num_nets: 1; expected at least 2"),
        (("--num-examples", "2000"), "num_examples: 2,000; expected at most the 1,437"),
        (("--learning-rate", "1e9", "--num-nets", "2"), "2 of 2 nets diverged; expected one with"),
        (("--width", "0"), "width: 0; expected a positive number"),
        (("--seeds", "-1"), "seeds: -1; expected integers from 0 to 143,165,575"),
    ],
)
def test_bad_input_is_one_line(command, flags, message, tmp_path, capsys):
    assert command(NAME, "--preset", "smoke", *flags, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
