"""The flags of the command itself, and what they make: how a run is executed, and where."""

import dataclasses
import math
from pathlib import Path
from typing import Literal

from rote import backend
from rote.core import InputError
from rote.record import RunDir
from rote.train import Checkpoints, Execution

_POSITIVE = (
    "checkpoint_minutes",
    "checkpoint_epochs",
    "keep_checkpoints",
    "run_devices",
    "batch_devices",
    "memory_gib",
)


@dataclasses.dataclass(frozen=True)
class Launch:
    """The flags of the command itself, which are no part of the configuration."""

    preset: str
    """Configuration to start from; the flags below and a --config file change it."""
    config: Path | None = None
    """A run's config.json to start from: repeats that run."""
    out: Path | None = None
    """Run directory (None: it follows from the configuration). The same command continues an
    unfinished run."""
    overwrite: bool = False
    """Replace what an earlier run left in the run directory."""
    resume: bool = False
    """Continue the run that must be there; with --out alone, with its configuration."""
    checkpoint_minutes: float = 5.0
    """Minutes between checkpoints."""
    checkpoint_epochs: int | None = None
    """Epochs between checkpoints, too."""
    keep_checkpoints: int = 2
    """How many checkpoints to keep."""
    mapping: Literal["auto", "map", "vmap"] = "auto"
    """What a device does with several runs: one after another (map), all together (vmap)."""
    run_devices: int | None = None
    """Devices over which runs are spread."""
    batch_devices: int | None = None
    """Devices over which each batch is spread."""
    memory_gib: float | None = None
    """Memory of each device to use (None: most of it). Fewer runs go together, or images are
    streamed."""
    stream: bool | None = None
    """--stream or --no-stream: copy images to the device as they are needed, or all at once (None:
    as memory allows)."""
    distributed: bool = False
    """One of several processes that train together; start all with the same command. The cluster
    is read from the environment (SLURM, TPU pods), or from the three flags that follow."""
    coordinator: str | None = None
    """HOST:PORT of process 0."""
    num_processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which of them this one is, from 0."""

    def __post_init__(self) -> None:
        """Checks what can be checked before anything is loaded.

        Raises:
          InputError: if flags contradict one another.
        """
        if self.resume and self.overwrite:
            raise InputError("--resume continues a run, --overwrite removes it; give one of them")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name}: {value}; expected a positive number")
        self.execution(self.checkpoints(Path()))

    def configure_backend(self) -> None:
        """Sets up JAX; see ``rote.configure``."""
        backend.configure(
            distributed=self.distributed,
            coordinator=self.coordinator,
            num_processes=self.num_processes,
            process_id=self.process_id,
        )

    def checkpoints(self, folder: Path) -> Checkpoints:
        """The run's checkpoints, in that folder.

        Raises:
          InputError: if a flag's value cannot be used.
        """
        return Checkpoints(
            folder,
            every_minutes=self.checkpoint_minutes,
            every_epochs=self.checkpoint_epochs,
            keep=self.keep_checkpoints,
        )

    def execution(self, checkpoints: Checkpoints) -> Execution:
        """How the run is executed.

        Raises:
          InputError: if a flag's value cannot be used.
        """
        return Execution(
            mapping=self.mapping,
            run_devices=self.run_devices,
            batch_devices=self.batch_devices,
            memory=None if self.memory_gib is None else int(self.memory_gib * 2**30),
            stream=self.stream,
            checkpoints=checkpoints,
        )


@dataclasses.dataclass(frozen=True)
class Job(RunDir):
    """What an experiment's ``run`` gets: where to write, and how to train.

    Attributes:
      execution: for ``fit`` and ``fit_runs``, with the run directory's folder of checkpoints.
    """

    execution: Execution = dataclasses.field(default_factory=Execution)
