"""Files: what is written comes back, strictly, and whole or not at all."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from rote.core import InputError
from rote.storage import (
    config_hash,
    flatten_tree,
    from_json,
    load_arrays,
    save_arrays,
    to_json,
    unflatten_tree,
)


@dataclasses.dataclass(frozen=True)
class Config:
    model: str = "mlp"
    seeds: tuple[int, ...] = (0, 1)
    learning_rate: float | None = None


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
        "from rote.storage import config_hash;"
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
