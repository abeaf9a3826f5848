"""The scripts that make the environment, with a `python3` and a `uv` that only pretend."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASH = shutil.which("bash")
TOOLS = ("bash", "cat", "dirname", "mkdir", "rm")

pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

# Makes an environment whose Python is this one, and notes every install.
FAKE_UV = f"""#!{BASH}
case $1 in
  venv) mkdir -p .venv/bin; printf '#!{BASH}\\nexec "{sys.executable}" "$@"\\n' >.venv/bin/python
        chmod +x .venv/bin/python; echo "venv" >>calls ;;
  pip) echo "install ${{*: -1}}" >>calls; [ ! -e killed ] || kill -9 $PPID; [ ! -e offline ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the scripts read, and a `bin` with the few tools that they use."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in (*TOOLS, "chmod"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def fake(checkout: Path, name: str, text: str) -> None:
    path = checkout / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout / "bin"), "HOME": str(checkout)}
    return subprocess.run(
        [str(BASH), *command], cwd=checkout, env=environment, capture_output=True, text=True
    )


def make(checkout: Path, extra: str = "test") -> subprocess.CompletedProcess[str]:
    script = f"set -euo pipefail; source scripts/environment.sh; make_environment {extra}"
    return run(checkout, "-c", script)


@pytest.fixture
def with_uv(checkout: Path) -> Path:
    fake(checkout, "uv", FAKE_UV)
    fake(checkout, "python3", f'#!{BASH}\nexec "{sys.executable}" "$@"\n')
    return checkout


def calls(checkout: Path) -> list[str]:
    log = checkout / "calls"
    made = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return made


@pytest.mark.parametrize("script", ["demo", "test", "bench", "environment.sh"])
def test_scripts_parse(script: str) -> None:
    checked = subprocess.run([str(BASH), "-n", str(ROOT / "scripts" / script)])
    assert checked.returncode == 0


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/test", "scripts/bench", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("script", ["demo", "test"])
def test_a_python_that_is_too_old_is_named_in_one_line(checkout: Path, script: str) -> None:
    fake(checkout, "python3", f'#!{BASH}\n[[ "$2" == *version_info* ]] && exit 1\necho 3.8.18\n')
    fake(checkout, "python3.12", f"#!{BASH}\necho 'no such version' >&2\nexit 127\n")
    ran = run(checkout, f"scripts/{script}")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert re.fullmatch(
        rf"{script}: needs Python 3\.11 or newer, and python3 here is 3\.8\.18: install .*\n",
        ran.stderr,
    )
    assert not (checkout / ".venv").exists()


def test_no_python_at_all_and_a_python_without_ensurepip(checkout: Path) -> None:
    absent = make(checkout)
    assert absent.returncode == 1
    assert "python3 here is missing" in absent.stderr
    fake(
        checkout,
        "python3.11",
        f'#!{BASH}\n[[ "$2" == *ensurepip* ]] && exit 1\nexec "{sys.executable}" "$@"\n',
    )
    lacking = make(checkout)
    assert lacking.returncode == 1
    assert "python3.11 lacks ensurepip" in lacking.stderr
    assert lacking.stderr.count("\n") == 1


def test_an_install_is_done_once_and_again_when_the_pins_change(with_uv: Path) -> None:
    first = make(with_uv)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("\n") == 1
    assert calls(with_uv) == ["venv", "install .[test]"]
    again = make(with_uv)
    assert (again.returncode, again.stderr, calls(with_uv)) == (0, "", [])
    with (with_uv / "constraints.txt").open("a") as pins:
        pins.write("einops==0.8.1\n")
    assert make(with_uv).returncode == 0
    assert calls(with_uv) == ["install .[test]"]


def test_the_extra_is_added_once_and_never_missed(with_uv: Path) -> None:
    made = []
    for extra in ("", "test", "", "test", "bench", "test", "bench", ""):
        assert make(with_uv, extra).returncode == 0
        made += calls(with_uv)
    assert made == ["venv", "install .", "install .[test]", "install .[bench]"]


def test_an_interrupted_install_is_started_afresh(with_uv: Path) -> None:
    (with_uv / "killed").touch()
    assert make(with_uv).returncode != 0
    assert calls(with_uv) == ["venv", "install .[test]"]
    (with_uv / "killed").unlink()
    assert make(with_uv).returncode == 0
    assert calls(with_uv) == ["venv", "install .[test]"]


def test_a_failed_update_keeps_the_environment_that_was_there(with_uv: Path) -> None:
    assert make(with_uv, "").returncode == 0
    calls(with_uv)
    (with_uv / "offline").touch()
    failed = make(with_uv, "test")
    assert failed.returncode == 1
    assert "the install failed" in failed.stderr
    assert calls(with_uv) == ["install .[test]"]
    assert (make(with_uv, "").returncode, calls(with_uv)) == (0, [])


def test_an_environment_whose_python_is_gone_is_replaced(with_uv: Path) -> None:
    assert make(with_uv).returncode == 0
    (with_uv / ".venv" / "bin" / "python").unlink()
    calls(with_uv)
    assert make(with_uv).returncode == 0
    assert calls(with_uv) == ["venv", "install .[test]"]


def test_scripts_work_from_any_folder(with_uv: Path) -> None:
    (with_uv / "elsewhere").mkdir()
    command = f'cd elsewhere && "{BASH}" ../scripts/test --version'
    ran = run(with_uv, "-c", command)
    assert ran.returncode == 0, ran.stderr
    assert "pytest" in ran.stdout
    assert (with_uv / ".venv").is_dir()


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line), line
    assert len({line.split("==")[0] for line in lines}) == len(lines)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {re.split(r"[^\w-]", name)[0].replace("_", "-") for name in wanted} <= pinned


STUB = """#!/bin/sh
echo "$1 $2 $3 $4 $5" >> "$CALLS"
case $1 in
  *side_by_side.py) exit 0 ;;
  *$FAILS.py) [ "$CODE" = 1 ] && touch "$5/summary.json"; exit $CODE ;;
esac
"""


def run_paper(folder, fails, code):
    """``scripts/paper`` with a Python that trains nothing; its exit code and what it called."""
    stub = folder / "python"
    stub.write_text(STUB)
    stub.chmod(0o755)
    for name in ("table1", "corruption_sweep"):
        (folder / "out" / name).mkdir(parents=True, exist_ok=True)
    env = {"PYTHON": str(stub), "CALLS": str(folder / "calls"), "FAILS": fails, "CODE": str(code)}
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "paper"), str(folder / "out")], env={**os.environ, **env}
    )
    return done.returncode, (folder / "calls").read_text()


def test_paper_goes_on_where_a_training_diverged(tmp_path):
    code, calls = run_paper(tmp_path, "table1", 1)
    assert code == 0
    assert f"--collect {tmp_path}/out/table1 paper_table1" in calls
    assert "explicit_regularizers.py --preset paper" in calls


def test_paper_stops_where_an_experiment_fails(tmp_path):
    code, calls = run_paper(tmp_path, "corruption_sweep", 143)
    assert code == 143
    assert "paper_learning_curves" in calls and "paper_corruption_sweep" not in calls


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_paper_needs_a_folder(arguments):
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "paper"), *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2 and "scripts/paper FOLDER" in done.stderr
    assert not done.stdout
