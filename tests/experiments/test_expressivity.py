"""The experiment on Theorem 1: its settings, what it refuses and what it leaves."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from rote import cli
from rote.core import InputError
from rote.record import RunDir

FILE = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017" / "expressivity.py"


@pytest.fixture(scope="module")
def experiment():
    spec = importlib.util.spec_from_file_location("expressivity", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_points", (0,)), ("dims", ()), ("depths", (1,)), ("targets", ("any",)), ("seeds", (-1,))],
)
def test_settings_are_checked(experiment, field, value):
    with pytest.raises(InputError, match=field):
        experiment.Config(**{field: value})


def test_too_many_images_are_refused(experiment, tmp_path, capsys):
    arguments = ["--dataset", "digits", "--num-points", "2000", "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as left:
        cli.main(experiment.run, experiment.PRESETS, argv=arguments)
    assert left.value.code == 2
    assert "digits has 1437 different images" in capsys.readouterr().err


def test_smoke(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, str(FILE), "--preset", "smoke", "--out", str(out), "--seeds", "0"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    table = RunDir.open(out).summary["table"]
    assert {row["num_points"] for row in table} == {10, 30, 100, 300, 1000}
    for row in table:
        assert row["num_weights"] == 2 * row["num_points"] + row["dim"]
        assert row["residual"] < 0.5
        assert row["labels_right"] == (1.0 if row["target"] == "classes" else None)
    assert [path.name for path in RunDir.open(out).figures()] == ["residual.png"]


@pytest.mark.parametrize("flags", [("--depths", "3"), ("--num-points", "1"), ("--dims", "1")])
def test_what_cannot_be_drawn_is_in_the_table(experiment, flags, tmp_path):
    small = ("--dataset", "gaussian", "--seeds", "0", "--targets", "classes")
    points = () if "--num-points" in flags else ("--num-points", "3")
    out = tmp_path / "run"
    argv = [*small, *points, *flags, "--out", str(out)]
    cli.main(experiment.run, experiment.PRESETS, argv=argv)
    assert RunDir.open(out).summary["table"]
