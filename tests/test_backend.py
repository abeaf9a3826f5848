"""JAX's global settings: what is set, what is left alone, and several processes that agree."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

import rote
from rote import backend
from rote.core import InputError

BARE = {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "XLA"))}
ENVIRONMENT = {**BARE, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(rote.__file__).parents[1])}

SETTINGS = """
import json, rote
rote.configure()
import jax
jax.jit(lambda x: x + 1)(1.0)
names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
print(json.dumps([jax.device_count(), *(jax.config.values[name] for name in names)]))
"""


def settings(cache_home: Path, **environment: str) -> list[Any]:
    """Number of devices, cache folder and least compile time, in a new process."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETTINGS],
        env={**ENVIRONMENT, "XDG_CACHE_HOME": str(cache_home), **environment},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_programs_are_kept_and_every_core_is_a_device(tmp_path: Path) -> None:
    devices, folder, least = settings(tmp_path)
    assert devices == backend._usable_cores()
    assert Path(folder).parent == tmp_path / "rote" / "xla"
    assert least == 0
    assert any(Path(folder).iterdir()), "a small program is kept, too"


def test_what_the_environment_says_stays(tmp_path: Path) -> None:
    given = {
        "JAX_NUM_CPU_DEVICES": "3",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "5",
    }
    assert settings(tmp_path, **given) == [3, str(tmp_path / "mine"), 5]
    assert not (tmp_path / "rote").exists()


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    forced = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    assert settings(tmp_path / "file", **forced)[:2] == [4, None]


def test_devices_in_use_and_earlier_settings_are_left_alone() -> None:
    before, devices = dict(jax.config.values), jax.devices()
    backend.configure()
    backend.configure(cpu_devices=7, compilation_cache=False)
    assert dict(jax.config.values) == before
    assert jax.devices() == devices


def test_the_folder_follows_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = backend._machine()
    assert len(here) == 8 and here == backend._machine()
    monkeypatch.setattr(backend.jaxlib.version, "__version__", "0.0.1")
    assert backend._machine() != here


def test_without_a_cluster_the_flags_are_named() -> None:
    with pytest.raises(InputError, match=r"--coordinator HOST:PORT --num-processes N --process-id"):
        backend.configure(distributed=True)
    with pytest.raises(InputError, match="are for --distributed"):
        backend.configure(num_processes=2)


def test_one_process_says_it_to_itself() -> None:
    assert backend.first_says(lambda: "complete") == "complete"


TOGETHER = """
import sys
import jax
from rote import backend, cli
from rote.core import InputError
from rote.studies.config import TrainConfig

def run(config, out):
    first = jax.process_index() == 0
    assert (jax.process_count(), jax.device_count(), out.writes) == (2, 2, first)
    assert backend.first_says(lambda: f"für alle, von {jax.process_index()}") == "für alle, von 0"
    try:
        backend.first_says(refuse)
    except InputError as error:
        assert str(error) == "refused by 0"
    else:
        raise AssertionError("not refused")
    out.log({"process": jax.process_index()})
    out.finish("the table")

def refuse():
    raise InputError(f"refused by {jax.process_index()}")

cli.main(run, {"only": TrainConfig()}, argv=sys.argv[1:], doc="x", experiment="x")
"""


def together(folder: Path, *arguments: str) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each of two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--num-processes", "2"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, *flags, "--process-id", str(number), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**ENVIRONMENT, "XDG_CACHE_HOME": str(folder / "cache")},
        )
        for number in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *shown) for p, shown in zip(processes, outputs, strict=True)]


def test_two_processes_agree_and_one_writes_and_speaks(tmp_path: Path) -> None:
    first, second = together(tmp_path, "--out", "here")
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "the table" in first[1] and "the table" not in second[1]
    assert rote.RunDir.open(tmp_path / "here").rows() == [{"process": 0}]
    first, second = together(tmp_path, "--out", "here", "--seeds", "5")
    assert (first[0], second[0]) == (2, 2)
    assert "differs in seeds" in first[2] and "error:" not in second[2]
