"""The run directory: what is written comes back, and nothing is lost or overwritten."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from rote.core import Dataset, InputError, Split
from rote.record import (
    RunDir,
    config_hash,
    environment,
    flatten_tree,
    from_json,
    load_arrays,
    save_arrays,
    to_json,
    unflatten_tree,
)
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


# JSON ---------------------------------------------------------------------------------------------


def test_json_is_strict_and_numbers_come_back() -> None:
    row = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": None, "e": 0.1, "f": True, "g": 3}
    text = json.dumps(to_json(row), allow_nan=False)
    back = from_json(json.loads(text))
    assert math.isnan(back.pop("a"))
    assert back == {k: v for k, v in row.items() if k != "a"}
    assert type(back["f"]) is bool


def test_json_takes_arrays_dataclasses_and_paths() -> None:
    value = {"x": np.float32(0.5), "y": jnp.arange(2), "z": Config(), "p": Path("a/b"), 1: (2,)}
    config = {"model": "mlp", "seeds": [0, 1], "learning_rate": None}
    assert to_json(value) == {"x": 0.5, "y": [0, 1], "z": config, "p": "a/b", "1": [2]}


def test_config_hash_is_the_same_in_another_process() -> None:
    program = (
        "from rote.record import config_hash;"
        "print(config_hash({'seeds': [0, 1], 'model': 'mlp', 'learning_rate': None}))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert other.stdout.strip() == config_hash(Config())
    assert config_hash(Config(learning_rate=0.1)) != config_hash(Config())


# Arrays -------------------------------------------------------------------------------------------

TREES = [
    {},
    {"params": {}, "state": {"bn": {}}},
    {"a/b": {"~": np.ones(2), "~0": np.zeros(1)}, "c:d": {"": {"": np.arange(3)}, "e": {}}},
    {"file": {"01_conv": {"kernel": np.ones((3, 3, 1, 2), np.float16)}}, "allow_pickle": {}},
    {"x": np.float64(3.0), "y": np.array(True), "z": np.zeros((0, 4), np.int32)},
]


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


@pytest.mark.parametrize("tree", TREES)
def test_trees_survive_flattening_and_npz(tree: dict, tmp_path: Path) -> None:
    assert_trees_equal(unflatten_tree(flatten_tree(tree)), tree)
    save_arrays(tmp_path / "a.npz", tree)
    assert_trees_equal(load_arrays(tmp_path / "a.npz"), tree)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_bfloat16_survives(tmp_path: Path) -> None:
    tree = {"a:b": jnp.array([1.5, -2.0, jnp.inf], jnp.bfloat16), "c": jnp.bfloat16(0.25)}
    save_arrays(tmp_path / "a.npz", tree)
    back = load_arrays(tmp_path / "a.npz")
    assert back["a:b"].dtype == jnp.bfloat16
    assert back["a:b"].tolist() == [1.5, -2.0, math.inf]
    assert float(back["c"]) == 0.25


def test_npz_is_readable_without_rote(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {"params": {"conv1": {"kernel": np.arange(4)}}})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert archive.files == ["params/conv1/kernel"]
        np.testing.assert_array_equal(archive["params/conv1/kernel"], np.arange(4))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {"x": np.ones(2)})
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(tmp_path / "a.npz", {"x": np.zeros(2), "y": np.array([object()])})
    assert_trees_equal(load_arrays(tmp_path / "a.npz"), {"x": np.ones(2)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_bad_array_files_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_arrays(tmp_path / "none.npz")
    save_arrays(tmp_path / "a.npz", {"x": np.arange(1000)})
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.npz"):
        load_arrays(tmp_path / "a.npz")


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


def test_environment_finds_the_devices_and_the_command() -> None:
    found = environment()
    assert found["devices"]
    assert all(isinstance(device, str) for device in found["devices"])
    assert "pytest" in found["command"]
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


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.log({"epoch": 0})
    with pytest.raises(InputError, match=r"unfinished.*--overwrite"):
        create(tmp_path / "run")
    assert out.rows() == [{"epoch": 0}]


def test_a_run_that_measured_nothing_yet_is_used(tmp_path: Path) -> None:
    create(tmp_path / "run")
    assert create(tmp_path / "run", Config(model="cnn")).config["model"] == "cnn"


def test_overwrite_removes_the_run_and_only_the_run(tmp_path: Path) -> None:
    out = create(tmp_path / "run")
    out.log({"epoch": 0})
    out.save_run(0, result())
    out.finish("old")
    (out.folder / "notes.txt").write_text("mine")
    again = create(tmp_path / "run", Config(model="cnn"), overwrite=True)
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
