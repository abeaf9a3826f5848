"""Free memory, out of files as Linux writes them."""

from pathlib import Path

import pytest

from rote.memory import free_memory

MACHINE = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n"}
JOB = {**MACHINE, "proc/self/cgroup": "0::/slurm/job_7\n"}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "limits", "expected"),
    [
        (MACHINE, {}, 4000 * 1024),
        (JOB, {"slurm/job_7": ("max", "0")}, 4000 * 1024),
        (JOB, {"slurm/job_7": ("3000", "1000")}, 2000),
        (JOB, {"slurm/job_7": ("max", "0"), "slurm": ("5000", "1500")}, 3500),
    ],
    ids=["machine", "no limit", "job", "group above"],
)
def test_the_least_counts(tmp_path, files, limits, expected):
    for group, (limit, current) in limits.items():
        folder = f"sys/fs/cgroup/{group}"
        files = {**files, f"{folder}/memory.max": limit, f"{folder}/memory.current": current}
    assert free_memory(write(tmp_path, files)) == expected


def test_this_machine_has_some(tmp_path):
    assert 2**20 < free_memory() < 2**50
    assert free_memory(tmp_path) > 2**20  # nothing known but all there is
