"""What the contenders share: a job's description, and one file of data, weights and orders."""

import dataclasses
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.benchmark.workloads import Device, Workload, choose


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker process is to do; travels as JSON on its command line.

    Attributes:
      contender: a key of ``contenders.CONTENDERS``, or ``"export"``, ``"peak-jax"`` or
        ``"peak-torch"``.
      workload: its name.
      device: what to compute on.
      quick: whether the workload is the small one.
      folder: where the shared file is.
      part: which of ``parts`` equal parts of the runs is this process's.
      parts: see ``part``.
      created: when the process was started, in seconds since the epoch.
    """

    contender: str
    workload: str
    device: Device
    quick: bool
    folder: str
    part: int = 0
    parts: int = 1
    created: float = dataclasses.field(default_factory=time.time)

    def load_workload(self) -> Workload:
        """The workload itself."""
        (workload,) = choose(self.device, [self.workload], quick=self.quick)
        return workload

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))


class Shared(NamedTuple):
    """What every contender starts from.

    Attributes:
      train_images: ``[N, H, W, C]`` uint8.
      train_labels: ``[N]`` int32.
      test_images: ``[M, H, W, C]`` uint8.
      test_labels: ``[M]`` int32.
      orders: ``[R, E, N]`` int32, the order of the training examples by run and epoch.
      weights: by path such as ``"block1/conv/kernel"``, ``[R, ...]``: initial parameters and state.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    orders: np.ndarray
    weights: dict[str, np.ndarray]


def save(folder: str, shared: Shared) -> None:
    """Writes the shared file."""
    arrays = shared._asdict() | {f"weights/{k}": v for k, v in shared.weights.items()}
    del arrays["weights"]
    np.savez(Path(folder) / "shared.npz", **arrays)


def load(job: Job) -> Shared:
    """Reads the shared file, keeping the job's part of the runs."""
    with np.load(Path(job.folder) / "shared.npz") as file:
        arrays = dict(file)
    mine = slice(job.part, None, job.parts)
    weights = {
        name.removeprefix("weights/"): arrays.pop(name)[mine]
        for name in list(arrays)
        if name.startswith("weights/")
    }
    return Shared(**arrays | {"orders": arrays["orders"][mine]}, weights=weights)
