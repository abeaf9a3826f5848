"""The run directory: what is written comes back, and nothing is lost or overwritten."""

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from rote.core import Dataset, InputError, Split
from rote.record import RunDir, environment
from rote.train.result import Checkpoint, DataRecord, Record, Result, Run


@dataclasses.dataclass(frozen=True)
class Config:
    model: str = "mlp"
    seeds: tuple[int, ...] = (0, 1)
    learning_rate: float | None = None


def create(folder: Path, config: object = Config(), **options: object) -> RunDir:
    return RunDir.create(folder, config, devices=["cpu:0"], **options)  # type: ignore[arg-type]


LABELS = np.array([1, 0, 1], np.int32)
CLEAN = np.array([1, 1, 1], np.int32)
IMAGES = np.zeros((3, 2, 2, 1), np.uint8)
DATASET = Dataset(
    "three",
    Split(IMAGES, LABELS, CLEAN),
    Split(IMAGES, CLEAN, CLEAN),
    2,
    ({"operation": "random_labels", "probability": 0.5, "seed": 0},),
)


def result(
    label: str = "random labels, seed 0", *, best: bool = True, value: float = 1.0
) -> Result:
    tree = {"dense1": {"kernel": np.full((2, 3), value, np.float32)}, "relu": {}}
    state = {"dense1": {}, "relu": {}}
    return Result(
        run=Run(0, label=label),
        data=DataRecord.of(DATASET),
        status="fitted",
        error=None,
        final=Checkpoint(2, tree, state),
        initial=Checkpoint(0, {**tree, "dense1": {"kernel": np.zeros((2, 3))}}, state),
        best=Checkpoint(1, {**tree, "dense1": {"kernel": np.ones((2, 3), np.int8)}}, state)
        if best
        else None,
        history=[{"epoch": 0, "train_loss": math.inf}, {"epoch": 2, "train_loss": 0.1}],
        record=Record(
            np.array([0, 2], np.int32),
            np.array([[1, 2, 3], [4, 5, 255]], np.uint8),
            np.array([[-1, 0, 1], [2, 3, np.inf]], np.float32),
        ),
        steps_per_epoch=7,
    )


def assert_trees_equal(one: object, other: object) -> None:
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_trees_equal(one[key], other[key])
    else:
        a, b = np.asarray(one), np.asarray(other)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_params_come_back_by_known_names_only(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.save_run(0, result())
    with pytest.raises(InputError, match="unknown which 'inital': did you mean 'initial'"):
        out.load_params(0, "inital")  # type: ignore[arg-type]


def test_an_unused_run_directory_is_discarded_and_a_used_one_kept(tmp_path: Path) -> None:
    unused, used = create(tmp_path / "unused"), create(tmp_path / "used")
    used.log({"epoch": 0})
    for out in (unused, used):
        out.discard_if_unused()
    assert not unused.folder.exists()
    assert used.rows() == [{"epoch": 0}]


# The run directory --------------------------------------------------------------------------------


def test_create_writes_config_and_environment(tmp_path: Path) -> None:
    out = create(tmp_path / "deep" / "run", command="python x.py --seeds 0 1")
    assert out.config == {"model": "mlp", "seeds": [0, 1], "learning_rate": None}
    assert out.env["command"] == "python x.py --seeds 0 1"
    assert out.env["devices"] == ["cpu:0"]
    assert out.env["versions"]["numpy"] == np.__version__
    assert out.env["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert out.env["cores"] >= 1
    assert not out.complete
    assert RunDir.open(out.folder) == out


def test_environment_finds_the_devices_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "my study.py", "--seeds", "0"])
    found = environment()
    assert found["devices"]
    assert all(isinstance(device, str) for device in found["devices"])
    assert found["command"] == "python 'my study.py' --seeds 0"
    commit = found["commit"]
    assert commit is None or (len(commit["id"]) == 40 and isinstance(commit["dirty"], bool))


def test_rows_come_back_and_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    assert out.rows() == []
    out.log({"epoch": 0, "train_loss": math.nan, "changed_accuracy": None})
    out.log({"epoch": 1, "train_loss": np.float32(0.5), "label": "ü"})
    metrics = out.folder / "metrics.jsonl"
    strict = [
        json.loads(line, parse_constant=lambda name: pytest.fail(name))
        for line in metrics.read_text().splitlines()
    ]
    assert strict[0] == {"epoch": 0, "train_loss": "NaN", "changed_accuracy": None}
    assert math.isnan(out.rows()[0]["train_loss"])
    with metrics.open("a") as file:
        file.write('{"epoch": 2, "tra')
    assert [row["epoch"] for row in out.rows()] == [0, 1]
    assert out.rows()[1] == {"epoch": 1, "train_loss": 0.5, "label": "ü"}


def test_a_broken_line_elsewhere_is_an_error(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    (out.folder / "metrics.jsonl").write_text('{"epoch": 0}\n{"epo\n{"epoch": 2}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 2"):
        out.rows()


def test_a_complete_run_is_found_again(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.log({"epoch": 0})
    out.finish("the table", table=[{"x": math.inf}])
    before = {p: p.read_bytes() for p in out.folder.rglob("*") if p.is_file()}
    again = create(tmp_path / "run", {"seeds": [0, 1], "learning_rate": None, "model": "mlp"})
    assert again.complete
    assert again.summary["text"] == "the table"
    assert again.summary["table"] == [{"x": math.inf}]
    assert {p: p.read_bytes() for p in out.folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("complete", [True, False])
def test_another_configuration_is_refused(tmp_path: Path, complete: bool) -> None:
    out = create(tmp_path / "run")
    out.log({"epoch": 0})
    if complete:
        out.finish("")
    with pytest.raises(InputError, match=r"differs in learning_rate, seeds.*--overwrite.*--out"):
        create(tmp_path / "run", Config(seeds=(1,), learning_rate=0.1))
    assert out.rows() == [{"epoch": 0}]


def interrupt(out: RunDir, *, epoch: int = 3) -> None:
    """Leaves what an interrupted training leaves."""
    meta = out.checkpoints / "steps" / "7" / "meta"
    meta.mkdir(parents=True)
    (meta / "metadata").write_text(json.dumps({"epoch": epoch}))
    (out.checkpoints / "manifest.json").write_text("{}")
    out.log({"run": 0, "epoch": 0})


def complete(out: RunDir, status: str) -> None:
    """Leaves what a run leaves whose only training ended with that status."""
    (out.checkpoints / "ended").mkdir(parents=True)
    (out.checkpoints / "ended" / "00000.npz").write_bytes(b"")
    interrupt(out)
    out.save_run(0, dataclasses.replace(result(), status=status))
    out.finish("the table")
    out.drop_checkpoints()


def test_an_unfinished_run_is_continued(tmp_path: Path) -> None:
    first = create(tmp_path / "run", command="the first")
    interrupt(first)
    first.note_env(mapping="on one device")
    assert first.continues and first.saved_epoch == 3
    for number in (1, 2):
        out = create(tmp_path / "run", command="again")
        assert not out.complete
        assert out.rows() == [{"run": 0, "epoch": 0}]
        assert out.env["command"] == "again"
        assert [env["command"] for env in out.env["earlier"]] == ["the first", "again"][:number]
    assert out.env["earlier"][0]["mapping"] == "on one device"
    assert "mapping" not in out.env


def test_the_time_of_the_last_session(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    env = json.loads((out.folder / "env.json").read_text())
    env["started"] = "2026-01-02T03:04:05+00:00"
    (out.folder / "env.json").write_text(json.dumps(env))
    out.finish("the table")
    summary = json.loads((out.folder / "summary.json").read_text())
    for finished, seconds in (
        ("2026-01-02T03:04:05+00:00", 1),
        ("2026-01-02T04:04:06+00:00", 3601),
    ):
        (out.folder / "summary.json").write_text(json.dumps({**summary, "finished": finished}))
        assert out.seconds == seconds


def test_an_unfinished_run_that_saved_nothing_begins_anew(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.log({"run": 0, "epoch": 0})
    assert not out.continues
    again = create(tmp_path / "run")
    assert again.rows() == [] and "earlier" not in again.env


def test_trainings_that_ended_are_not_lost_without_checkpoints(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.save_run(0, result())
    with pytest.raises(InputError, match=r"unfinished.*without checkpoints.*--overwrite"):
        create(tmp_path / "run")
    assert len(out.runs()) == 1


@pytest.mark.parametrize("ended", [False, True])
def test_max_epochs_may_be_raised_and_nothing_else(tmp_path: Path, ended: bool) -> None:
    config = {"max_epochs": 10, "seeds": [0]}
    out = create(tmp_path / "run", config)
    complete(out, "max_epochs") if ended else interrupt(out)
    for other in ({**config, "max_epochs": 9}, {"max_epochs": 20, "seeds": [1]}):
        with pytest.raises(InputError, match="differs in max_epochs"):
            create(tmp_path / "run", other)
    assert out.complete is ended
    raised = create(tmp_path / "run", {**config, "max_epochs": 20})
    assert raised.config["max_epochs"] == 20
    assert raised.env["earlier"][0]["max_epochs"] == 10
    assert not raised.complete
    assert raised.rows() == [{"run": 0, "epoch": 0}]


def test_a_complete_run_that_never_reached_max_epochs_stays(tmp_path: Path) -> None:
    out = create(tmp_path / "run", {"max_epochs": 10})
    complete(out, "fitted")
    assert not out.checkpoints.exists()
    with pytest.raises(InputError, match="never reached max_epochs"):
        create(tmp_path / "run", {"max_epochs": 20})
    assert out.complete


def test_what_raising_max_epochs_needs_is_kept(tmp_path: Path) -> None:
    out = create(tmp_path / "run", {"max_epochs": 10})
    complete(out, "max_epochs")
    assert {path.name for path in out.checkpoints.iterdir()} == {"manifest.json", "ended"}


@pytest.mark.parametrize("text", ["", '{"model": "ml', "[1]"])
def test_a_damaged_config_is_in_the_way_of_nothing_but_a_measured_run(
    tmp_path: Path, text: str
) -> None:
    out = create(tmp_path / "run")
    (out.folder / "config.json").write_text(text)
    assert create(tmp_path / "run").config["model"] == "mlp"
    interrupt(out)
    for damage in (lambda file: file.write_text(text), lambda file: file.unlink()):
        damage(out.folder / "config.json")
        with pytest.raises(InputError, match=r"unknown configuration.*--overwrite"):
            create(tmp_path / "run")
        assert len(out.rows()) == 1
    assert create(tmp_path / "run", overwrite=True).rows() == []


def test_a_damaged_environment_does_not_stop_a_run(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    interrupt(out)
    (out.folder / "env.json").write_text("{")
    assert create(tmp_path / "run").env["earlier"] == []


def test_a_process_that_does_not_write_leaves_no_trace(tmp_path: Path) -> None:
    out = RunDir(tmp_path / "run", writes=False)
    out.log({"epoch": 0})
    out.note_env(mapping="x")
    out.save_run(0, result())
    out.finish("done")
    out.drop_checkpoints()
    out.discard_if_unused()
    assert out.restore(0, {0: []}, {}) == ([], {0})
    assert not out.folder.exists()


def test_a_folder_that_vanished_is_named(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    for file in out.folder.iterdir():
        file.unlink()
    out.folder.rmdir()
    with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
        out.log({"epoch": 0})


def test_restoring_cuts_and_adds_rows_and_runs(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    for epoch in range(3):
        for run in range(2):
            out.log({"run": run, "label": f"seed {run}", "epoch": epoch, "loss": 1.0})
    with (out.folder / "metrics.jsonl").open("a") as file:
        file.write('{"run": 0, "ep')
    out.save_run(0, result("seed 0"))
    out.save_run(1, result("seed 1"))
    history = [{"epoch": epoch, "loss": 1.0} for epoch in range(4)]
    held, saved = out.restore(0, {0: history}, {1: history[:2]})
    rows = [(row["run"], row["epoch"]) for row in out.rows()]
    assert rows == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert held == [{"run": 0, "label": "seed 0", "epoch": epoch, "loss": 1.0} for epoch in (2, 3)]
    assert saved == {0}
    assert [run["run"] for run in out.runs()] == [0]
    held, saved = out.restore(1, {}, {})
    assert [(row["run"], row["epoch"]) for row in out.rows()] == [(0, 0), (0, 1)]
    assert (held, saved) == ([], set())


def test_a_run_that_measured_nothing_yet_is_used(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.checkpoints.mkdir()
    (out.checkpoints / "manifest.json").write_text("{}")
    assert create(tmp_path / "run", Config(model="cnn")).config["model"] == "cnn"


def test_overwrite_removes_the_run_and_only_the_run(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.log({"epoch": 0})
    out.save_run(0, result())
    out.finish("old")
    (out.folder / "notes.txt").write_text("mine")
    (out.checkpoints / "steps").mkdir(parents=True)
    again = create(tmp_path / "run", Config(model="cnn"), overwrite=True)
    assert not out.checkpoints.exists()
    assert again.config["model"] == "cnn"
    assert not again.complete
    assert again.rows() == [] and again.runs() == []
    assert (out.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(InputError, match="holds files but no run"):
        create(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another folder with --out") as caught:
        create(tmp_path / "file" / "run")
    assert "\n" not in str(caught.value)


def test_opening_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        RunDir.open(tmp_path)


def test_runs_are_saved_and_loaded(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    first, second = result(), result("true / seed: 1", best=False, value=2.0)
    out.save_run(10, second, condition="true", seed=1)
    out.save_run(2, first)
    assert [run["run"] for run in out.runs()] == [2, 10]
    saved = out.runs()[1]
    assert (saved["label"], saved["condition"], saved["seed"]) == ("true / seed: 1", "true", 1)
    assert (saved["status"], saved["epoch"], saved["best_epoch"]) == ("fitted", 2, None)
    assert out.runs()[0]["best_epoch"] == 1
    for key, expected in ((2, first), ("true / seed: 1", second)):
        params, state = out.load_params(key)
        assert_trees_equal(params, expected.params)
        assert_trees_equal(state, expected.state)
    assert_trees_equal(out.load_params(10, "initial")[0], second.initial.params)
    assert first.best is not None
    assert_trees_equal(out.load_params(2, "best")[0], first.best.params)
    labels = {"labels": LABELS, "clean_labels": CLEAN}
    assert_trees_equal(out.load_examples(2), {**first.record._asdict(), **labels})
    run = out.run(2)
    assert run["provenance"] == list(DATASET.provenance)
    assert run["fingerprint"] == DATASET.fingerprint
    assert (run["num_classes"], run["image_shape"]) == (2, [2, 2, 1])


def test_runs_that_are_not_there(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.save_run(0, result("seed 0", best=False))
    with pytest.raises(InputError, match="did you mean 'seed 0'"):
        out.load_params("seed 1")
    with pytest.raises(InputError, match="Known: 0"):
        out.load_params(1)
    with pytest.raises(InputError, match="kept no best"):
        out.load_params(0, "best")


def test_figures_are_saved_alike_each_time(tmp_path: Path) -> None:
    from rote import viz

    rows = [{"condition": "true", "seed": 0, "step": i, "train_loss": 1 / (i + 1)} for i in (0, 1)]
    out = create(tmp_path / "run")
    files = []
    for _ in range(2):
        path = out.save_figure("curves", viz.learning_curves(rows))
        files.append((path.read_bytes(), path.with_suffix(".svg").read_bytes()))
    assert files[0] == files[1]
    assert files[0][0][:4] == b"\x89PNG"
    assert b"<svg" in files[0][1]
    assert out.figures() == [out.folder / "figures" / "curves.png"]
