"""The command line, with an experiment that trains nothing: flags, exit codes, what it shows."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rote
from rote.cli import Job, main
from rote.cli.command import parse
from rote.cli.config import default_out, from_file
from rote.core import Dataset, InputError, Split
from rote.record import Claim, RunDir
from rote.storage import to_json
from rote.studies.config import TrainConfig
from rote.train import CheckpointError, Checkpoints, Execution
from rote.train.result import Checkpoint, DataRecord, DivergedError, Record, Result, Run

ENVIRONMENT = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(Path(rote.__file__).parents[1]),
}


@dataclasses.dataclass(frozen=True)
class Config(TrainConfig):
    """What this experiment can be told."""

    corruptions: tuple[float, ...] = (0.0, 1.0)
    """Corruption levels."""
    balanced: bool = False
    """Whether classes are equally large."""


PRESETS = {
    "smoke": Config(max_epochs=3),
    "paper": Config(dataset="cifar10", seeds=(0, 1, 2), max_epochs=100, balanced=True),
}


def result(label: str, status: str = "fitted", error: str | None = None) -> Result:
    end = Checkpoint(1, {"dense": {"kernel": np.ones(2)}}, {"dense": {}})
    record = Record(np.zeros(1, np.int32), np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.float32))
    split = Split(np.zeros((4, 2, 2, 1), np.uint8), *[np.arange(4, dtype=np.int32)] * 2)
    data = DataRecord.of(Dataset("four", split, split, 4))
    rows = [{"epoch": 0}]
    return Result(Run(0, label=label), data, status, error, end, end, None, rows, record, 5)


def run(config: Config, out: Job) -> None:
    for index, seed in enumerate(config.seeds):
        out.log({"run": index, "epoch": 0})
        out.save_run(index, result(f"seed {seed}"))
    out.finish(f"corruptions {config.corruptions}", seeds=config.seeds)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def exit_code(*argv: str, run: Callable[..., None] = run, **options: Any) -> int:
    try:
        main(run, PRESETS, argv=argv, **options)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


# Flags --------------------------------------------------------------------------------------------


def test_precedence_is_preset_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"max_epochs": 7, "seeds": [5, 6], "learning_rate": [1]}))
    assert parse([], PRESETS)[0] == PRESETS["smoke"]
    assert parse(["--preset", "paper"], PRESETS)[0] == PRESETS["paper"]
    from_paper = parse(["--config", str(file), "--preset=paper"], PRESETS)[0]
    assert from_paper == dataclasses.replace(
        PRESETS["paper"], max_epochs=7, seeds=(5, 6), learning_rate=(1.0,)
    )
    flags = ["--max-epochs", "9", "--no-balanced", "--corruptions", ".5"]
    config = parse(["--preset", "paper", "--config", str(file), *flags], PRESETS)[0]
    assert config == dataclasses.replace(
        from_paper, max_epochs=9, balanced=False, corruptions=(0.5,)
    )


def test_launch_flags() -> None:
    _, launch = parse(["--out", "a/b", "--overwrite"], PRESETS)
    assert (launch.preset, launch.out, launch.overwrite) == ("smoke", Path("a/b"), True)
    assert parse(["--learning-rate", "0.1", "--learning-rate", "None"], PRESETS)[0] == Config(
        max_epochs=3
    )


def test_flags_that_say_how_to_execute() -> None:
    flags = "--mapping vmap --run-devices 2 --batch-devices 3 --memory-gib 0.5 --no-stream"
    saves = "--checkpoint-minutes 0.5 --checkpoint-epochs 4 --keep-checkpoints 3"
    config, launch = parse([*flags.split(), *saves.split()], PRESETS)
    assert config == PRESETS["smoke"]
    checkpoints = launch.checkpoints(Path("here"))
    assert checkpoints == Checkpoints(Path("here"), every_minutes=0.5, every_epochs=4, keep=3)
    assert launch.execution(checkpoints) == Execution(
        "vmap", 2, 3, memory=2**29, stream=False, checkpoints=checkpoints
    )
    _, plain = parse([], PRESETS)
    assert plain.execution(checkpoints) == Execution(checkpoints=checkpoints)
    assert parse(["--stream"], PRESETS)[1].stream is True


def test_help_shows_docstrings_presets_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help", doc="Fig. 1: what it shows.") == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Fig. 1: what it shows." in shown
    assert "Presets: smoke, paper." in shown
    assert "Corruption levels. (default: 0.0 1.0)" in shown
    assert "Epochs after which a run ends unfitted. (default: 3)" in shown
    for flag in ("--preset", "--config", "--out", "--overwrite", "--label-seed", "--no-balanced"):
        assert flag in shown
    exit_code("--help")
    assert "an experiment that trains nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--datset", "mnist"], "unknown flag '--datset': did you mean '--dataset'"),
        (["--preset", "papr"], "unknown preset 'papr': did you mean 'paper'"),
        (["--balanced", "False"], "unexpected argument 'False'"),
        (["--batch-size", "many"], "Error parsing --batch-size: .*'many'"),
        (["--optimizer", "adamw"], "invalid choice 'adamw'.*'sgd', 'momentum', 'adam'"),
        (["--seeds"], "seeds: none; expected one or more"),
        (["--seeds", "1", "1"], "seeds: 1 1; expected one or more different"),
        (["--max-epochs", "0"], "max_epochs: 0; expected at least 1"),
        (["--num-train", "-5"], "num_train: -5"),
        (["--learning-rate", "nan"], "learning_rate: nan; expected a positive number"),
        (["--weight-decay", "-1"], "weight_decay: -1.0"),
        (["--config", "nowhere.json"], "cannot read nowhere.json: No such file"),
        (["--resume"], "no run to resume in runs/tests/test_cli/digits-.*--out"),
        (["--resume", "--out", "nowhere"], "cannot read nowhere/config.json"),
        (["--resume", "--overwrite"], "--resume continues a run, --overwrite removes it"),
        (["--mapping", "pmap"], "invalid choice 'pmap'"),
        (["--run-devices", "0"], "run_devices: 0; expected a positive"),
        (["--checkpoint-minutes", "0"], "checkpoint_minutes: 0.0; expected a positive"),
        (["--memory-gib", "-1"], "^error: memory_gib: -1.0; expected a positive"),
        (["--process-id", "1"], "for --distributed"),
        (["--out", "/dev/null/run"], "cannot write the run directory .*--out"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*argv) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert shown.out == ""
    assert line.startswith("error: ")
    assert re.search(message, line), line
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rat": 0.1}, "learning_rat'.*did you mean 'learning_rate'"),
        ({"seeds": 3}, r"seeds is 3; expected tuple\[int, \.\.\.\]"),
        ({"seeds": [0, "1"]}, "seeds is"),
        ({"balanced": "false"}, "balanced is 'false'; expected bool"),
        ({"balanced": 1}, "balanced is 1; expected bool"),
        ({"batch_size": 12.5}, r"batch_size is 12.5; expected int \| None"),
        ({"batch_size": True}, "batch_size is True"),
        ({"optimizer": "lion"}, "optimizer is 'lion'"),
        ({"micro_batches": None}, "micro_batches is None; expected int"),
        ([1, 2], "expected a JSON object"),
    ],
)
def test_bad_config_files(values: object, message: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(values))
    with pytest.raises(InputError, match=message) as caught:
        from_file(file, Config())
    assert "c.json" in str(caught.value)
    file.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        from_file(file, Config())


@pytest.mark.parametrize(
    "config", [*PRESETS.values(), Config(corruptions=(), label_seed=3, learning_rate=(0.25,))]
)
def test_config_round_trip(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_json(config)))
    assert from_file(file, PRESETS["paper"]) == config


def test_default_out_follows_from_the_configuration_alone() -> None:
    here = default_out("zhang2017/sweep", TrainConfig(seeds=(0, 1), learning_rate=(0.1,)))
    assert here.parent == Path("runs/zhang2017/sweep")
    assert (
        here.name.startswith("digits-mlp_1x512-") and len(here.name) == len("digits-mlp_1x512-") + 8
    )
    program = (
        "from rote.cli.config import *; from rote.studies.config import *;"
        "print(default_out('zhang2017/sweep', TrainConfig(learning_rate=(0.1,), seeds=(0, 1))))"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert there.stdout.strip() == str(here)
    assert default_out("zhang2017/sweep", TrainConfig()) != here


# Running ------------------------------------------------------------------------------------------


def resolve(config: Config) -> Config:
    return dataclasses.replace(config, learning_rate=config.learning_rate or (1,))


def test_a_run_is_recorded_resolved_and_found_again(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[Config] = []

    def counted(config: Config, out: Job) -> None:
        calls.append(config)
        run(config, out)

    assert exit_code("--seeds", "3", "4", run=counted, resolve=resolve) == 0
    first = capsys.readouterr().out
    (folder,) = Path("runs/tests/test_cli").iterdir()
    out = RunDir.open(folder)
    assert out.config["learning_rate"] == [1.0]
    assert out.config["seeds"] == [3, 4]
    assert out.summary["seeds"] == [3, 4]
    assert [run["label"] for run in out.runs()] == ["seed 3", "seed 4"]
    assert first.splitlines()[0] == "corruptions (0.0, 1.0)"
    assert re.search(rf"^took \d+(\.\d)? s; everything else: {folder}$", first, re.MULTILINE)

    same = [
        ["--seeds", "3", "4"],
        ["--seeds", "3", "4", "--learning-rate", "1"],
        ["--config", str(folder / "config.json")],
    ]
    for argv in same:
        assert exit_code(*argv, run=counted, resolve=resolve) == 0
        shown = capsys.readouterr()
        assert shown.out == first
        assert "--overwrite" in shown.err
    assert len(calls) == 1
    assert exit_code(*same[0], "--overwrite", run=counted, resolve=resolve) == 0
    assert len(calls) == 2 and calls[0] == calls[1]
    assert len(list(Path("runs/tests/test_cli").iterdir())) == 1


def test_another_run_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--out", "here", "--seeds", "1") == 0
    assert exit_code("--out", "here", "--seeds", "2") == 2
    assert "differs in seeds" in capsys.readouterr().err
    assert RunDir.open("here").summary["seeds"] == [1]


def begin(config: Config, out: Job) -> None:
    """Leaves what an interrupted training leaves, and is interrupted by a full disk."""
    (out.checkpoints / "steps" / "3").mkdir(parents=True)
    out.log({"run": 0, "epoch": 0})
    raise OSError(errno.ENOSPC, "No space left on device", str(out.folder / "metrics.jsonl"))


def test_a_full_disk_is_one_line_and_the_same_command_continues(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code("--out", "here", run=begin) == 1
    shown = capsys.readouterr()
    assert shown.err.endswith("error: here/metrics.jsonl: No space left on device\n")
    assert RunDir.open("here").rows() == [{"run": 0, "epoch": 0}]
    for argv in (["--seeds", "1"], ["--max-epochs", "2"]):
        assert exit_code("--out", "here", *argv) == 2
    capsys.readouterr()
    assert exit_code("--out", "here") == 0
    shown = capsys.readouterr()
    assert "continuing the run in here" in shown.err
    assert RunDir.open("here").complete and not Path("here/checkpoints").exists()


def test_checkpoint_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(config: Config, out: Job) -> None:
        raise CheckpointError("cannot write the checkpoint in here/checkpoints: disk full")

    assert exit_code("--out", "here", run=fails) == 1
    assert capsys.readouterr().err.endswith(
        "error: cannot write the checkpoint in here/checkpoints: disk full\n"
    )


def test_resume_takes_the_configuration_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Config] = []

    def look(config: Config, out: Job) -> None:
        seen.append(config)
        run(config, out)

    given = ["--seeds", "4", "--corruptions", "0.5"]
    assert exit_code("--out", "here", *given, run=begin) == 1
    assert exit_code("--out", "here", "--resume", "--max-epochs", "9", run=look) == 0
    assert seen == [Config(seeds=(4,), corruptions=(0.5,), max_epochs=9)]
    assert RunDir.open("here").config["max_epochs"] == 9
    assert "s since it was last continued; everything else: here" in capsys.readouterr().out
    assert exit_code("--out", "here", "--resume", run=look) == 0, "it is there already"
    assert len(seen) == 1


def test_the_run_gets_its_checkpoints_and_how_to_execute() -> None:
    def look(config: Config, out: Job) -> None:
        assert out.execution.checkpoints is not None
        assert out.execution.checkpoints.folder == Path("here/checkpoints")
        assert out.execution.mapping == "map"
        run(config, out)

    assert exit_code("--out", "here", "--mapping", "map", run=look) == 0


def test_a_run_directory_in_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def nested(config: Config, out: Job) -> None:
        assert exit_code("--out", "here") == 2
        assert "here is in use by process" in capsys.readouterr().err
        run(config, out)

    assert exit_code("--out", "here", run=nested) == 0
    assert not list(Path("here").glob(".*")), "the claim is given back"
    with Claim.take(Path("here")):
        assert exit_code("--out", "here") == 0, "reading needs no claim"
        assert exit_code("--out", "here", "--overwrite") == 2


def test_figures_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def with_figure(config: Config, out: Job) -> None:
        from matplotlib.figure import Figure

        out.save_figure("curves", Figure())
        out.finish("done")

    assert exit_code("--out", "here", run=with_figure) == 0
    assert "figure: here/figures/curves.png" in capsys.readouterr().out


def test_input_errors_of_the_run_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    def refused(config: Config, out: Job) -> None:
        raise InputError("batch_size: 9; expected 1 to 4")

    assert exit_code("--out", "here", run=refused) == 2
    assert "error: batch_size: 9; expected 1 to 4" in capsys.readouterr().err
    assert exit_code("--out", "here") == 0, "a refused run leaves nothing in the way"


def test_a_diverged_training_finishes_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def diverges(config: Config, out: Job) -> None:
        out.save_run(0, result("seed 0", "diverged", "the loss is not finite at epoch 4"))
        out.finish("the table")

    for _ in range(2):  # run, then found again
        assert exit_code("--out", "here", run=diverges) == 1
        shown = capsys.readouterr()
        assert "the table" in shown.out
        assert "diverged: seed 0: the loss is not finite at epoch 4" in shown.err


def test_a_single_fit_that_diverges_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    def diverges(config: Config, out: Job) -> None:
        raise DivergedError(result("", "diverged", "not finite at epoch 1, step 3"))

    assert exit_code("--out", "here", run=diverges) == 1
    assert capsys.readouterr().err.endswith("error: not finite at epoch 1, step 3\n")


def test_a_run_must_say_that_it_is_finished() -> None:
    with pytest.raises(RuntimeError, match=r"out\.finish"):
        main(lambda config, out: None, PRESETS, argv=["--out", "here"], doc="x", experiment="x")


def test_help_keeps_commands_and_lists_apart_from_text(capsys: pytest.CaptureFixture[str]) -> None:
    doc = "Reaches\n99 %.\n\nCommand: python x.py\nThe page.\n  cpu  small\n       set\nMore."
    exit_code("--help", doc=doc)
    lines = capsys.readouterr().out.splitlines()
    for line in ("Reaches 99 %.", "Command: python x.py", "The page.", "  cpu  small", "More."):
        assert line in lines


def test_help_is_quick() -> None:
    """Beside the import of jax, ``--help`` costs well under a second of computing."""
    program = """
import sys, time, jax, optax
from rote.cli import main
from rote.studies.config import TrainConfig
begin = time.process_time()
try:
    main(print, {"only": TrainConfig()}, argv=["--help"], doc="x", experiment="x")
except SystemExit:
    pass
print(time.process_time() - begin, "matplotlib" in sys.modules, file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT
    )
    seconds, matplotlib = ran.stderr.split()
    assert float(seconds) < 1
    assert matplotlib == "False"
