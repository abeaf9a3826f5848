"""The lesson on watching a training: planted faults are found."""

import pytest


@pytest.mark.slow
def test_planted_faults_are_found_and_seen(run_lesson, tmp_path):
    flags = ("--seeds", "7", "--steps", "12", "--faults", "none", "dead layer")
    done = run_lesson("monitor", *flags, out=tmp_path / "run")
    none, dead = done.summary["table"]
    assert none["found"] == [] and none["last_loss"] < none["first_loss"]
    assert dead["found"][0].startswith("layer hidden2/activation is dead from step 0 on")
    assert "all 2 trainings as expected" in done.summary["text"]
    assert {path.stem for path in done.figures()} == {"dashboard_none", "dashboard_dead_layer"}
