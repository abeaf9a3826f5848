import concurrent.futures
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rote import data
from rote.core import InputError
from rote.data import cache


@pytest.fixture
def prepared(tmp_path, private_cache) -> Path:
    folder = tmp_path / "root" / "some" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    return folder


def build(folder: Path) -> dict[str, int]:
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3, 1)
    cache.write_npy(folder / "train-images.npy", images.shape, images)
    np.save(folder / "train-labels.npy", np.arange(4, dtype=np.int32))
    return {"num_classes": 4}


def fail(folder: Path) -> dict[str, int]:
    raise AssertionError("built twice")


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


def test_what_is_built_once_is_mapped_ever_after(prepared):
    first = cache.read_or_build(prepared, build)
    second = cache.read_or_build(prepared, fail)
    for entry in (first, second):
        assert entry.meta == {"num_classes": 4}
        assert isinstance(entry.arrays["train-images"], np.memmap)
        assert not entry.arrays["train-images"].flags.writeable
        assert entry.arrays["train-images"].dtype == np.uint8
        assert entry.arrays["train-images"].ravel().tolist() == list(range(24))
        assert entry.arrays["train-labels"].tolist() == [0, 1, 2, 3]


def test_entries_lie_beside_the_data(prepared, private_cache):
    cache.read_or_build(prepared, build)
    assert list((prepared / "rote").rglob("train-images.npy"))
    assert not private_cache.exists()
    assert not leftovers(prepared)


def test_entries_of_read_only_data_lie_in_the_users_cache(prepared, private_cache):
    prepared.chmod(0o555)  # read-only even for the superuser
    try:
        cache.read_or_build(prepared, build)
        assert [path.name for path in prepared.iterdir()] == ["dataset_info.json"]
        (entry,) = (private_cache / "rote").iterdir()
        assert entry.name.startswith("some-1.0.0-")
        cache.read_or_build(prepared, fail)
    finally:
        prepared.chmod(0o755)


def test_two_read_only_copies_of_one_set_have_entries_of_their_own(tmp_path, private_cache):
    for root in ("one", "two"):
        folder = tmp_path / root / "some" / "1.0.0"
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        folder.chmod(0o555)
        cache.read_or_build(folder, build)
        folder.chmod(0o755)
    assert len(list((private_cache / "rote").iterdir())) == 2


def test_data_prepared_anew_are_decoded_anew(prepared):
    cache.read_or_build(prepared, build)
    (prepared / "dataset_info.json").write_text('{"numBytes": 1}')
    with pytest.raises(AssertionError, match="built twice"):
        cache.read_or_build(prepared, fail)
    assert not leftovers(prepared)


def test_no_place_to_write(prepared, private_cache):
    private_cache.mkdir()
    for folder in (prepared, private_cache):
        folder.chmod(0o555)
    try:
        with pytest.raises(InputError, match="read-only; set XDG_CACHE_HOME"):
            cache.read_or_build(prepared, build)
    finally:
        for folder in (prepared, private_cache):
            folder.chmod(0o755)


def test_a_full_disk_is_reported_and_leaves_nothing(prepared):
    def out_of_space(folder):
        (folder / "train-images.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write decoded images .*No space left"):
        cache.read_or_build(prepared, out_of_space)
    assert not list((prepared / "rote").iterdir())


def test_an_interrupted_build_leaves_nothing(prepared):
    def interrupted(folder):
        build(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.read_or_build(prepared, interrupted)
    assert not list((prepared / "rote").iterdir())


def test_of_two_writers_the_first_wins_and_both_read(prepared):
    def slower(folder):
        cache.read_or_build(prepared, build)  # another process, in the meantime
        np.save(folder / "train-images.npy", np.zeros((4, 2, 3, 1), np.uint8))
        return {"num_classes": 7}

    assert cache.read_or_build(prepared, slower).meta == {"num_classes": 4}
    assert not leftovers(prepared)


def test_concurrent_processes_load_the_same(tiny):
    program = (
        "import sys; from rote import data; "
        "print(data.load('tiny', data_dir=sys.argv[1]).fingerprint['train'])"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tiny.parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(
                lambda _: subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=120
                ),
                range(2),
            )
        )
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    fingerprint = data.load("tiny", data_dir=tiny.parents[1]).fingerprint["train"]
    assert {run.stdout.strip() for run in runs} == {fingerprint}
    assert len(list((tiny / "rote").iterdir())) == 1


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def extend(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def another_shape(file: Path) -> None:
    np.save(file, np.zeros((5, 2, 3, 1), np.uint8))


def another_dtype(file: Path) -> None:
    np.save(file, np.zeros((4, 2, 3, 1), np.float32))


def no_array(file: Path) -> None:
    file.write_text("nonsense")


def no_numbers(file: Path) -> None:
    np.save(file, np.array([object()]), allow_pickle=True)


DAMAGE = [truncate, extend, empty, another_shape, another_dtype, no_array, no_numbers, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_corrupt_array_is_named_with_what_to_do(damage, prepared):
    cache.read_or_build(prepared, build)
    (file,) = prepared.rglob("train-images.npy")
    damage(file)
    with pytest.raises(InputError) as caught:
        cache.read_or_build(prepared, fail)
    message = str(caught.value)
    assert message.startswith(f"corrupt cache file {file}: ")
    assert message.endswith(f"delete the folder {file.parent} and load again")
    assert "\n" not in message


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"arrays": {"a": 1}})])
def test_corrupt_metadata_are_named_with_what_to_do(content, prepared):
    cache.read_or_build(prepared, build)
    (file,) = prepared.rglob("meta.json")
    file.write_text(content)
    with pytest.raises(InputError, match=r"corrupt cache file .*delete the folder"):
        cache.read_or_build(prepared, fail)


def test_a_corrupt_cache_of_a_data_set_is_an_input_error(tiny):
    data.load("tiny", data_dir=tiny.parents[1])
    (file,) = tiny.rglob("test-images.npy")
    truncate(file)
    with pytest.raises(InputError, match="corrupt cache file"):
        data.load("tiny", data_dir=tiny.parents[1])
