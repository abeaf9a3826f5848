"""How runs map to hardware: a mesh of devices, and one rule.

The mesh has two axes. Along ``run`` each device trains other runs; along ``batch`` each device
computes a part of every mini-batch of the same run, with statistics and gradients over the whole
of it. The rule, where ``Execution`` leaves it open:

* Several runs are spread over all devices. One run takes all accelerators that divide its batch,
  and one CPU device, which computes with all cores.
* On a device that has several runs, they go one after another in one program (``lax.map``) on a
  CPU, or where the net has convolutions: vectorized, those become grouped convolutions, which are
  slow. Otherwise they go together (``vmap``).
* With several processes every device takes part: what is not needed along ``run`` goes to
  ``batch``.
"""

import dataclasses
from typing import Literal, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rote.core import InputError, unknown_name
from rote.memory import free_memory
from rote.train.checkpoint import Checkpoints

MAPPINGS = ("auto", "map", "vmap")
RUN, BATCH = "run", "batch"


@dataclasses.dataclass(frozen=True)
class Execution:
    """How a call of ``fit`` or ``fit_runs`` is executed; it changes no result beyond rounding.

    Attributes:
      mapping: what a device does with several runs: ``"map"``, one after another, each exactly as
        it would be alone; ``"vmap"``, all together; ``"auto"``, by the rule above.
      run_devices: devices along the mesh axis ``run``; by default by the rule.
      batch_devices: devices along the mesh axis ``batch``; by default by the rule.
      memory: bytes of each device's memory to use; by default most of what is free. Runs that do
        not fit together go in groups, images that do not fit are streamed.
      stream: whether images are copied to the device as they are needed instead of once; by
        default where they do not fit.
      checkpoints: where and how often the training is saved; by default never.
    """

    mapping: Literal["auto", "map", "vmap"] = "auto"
    run_devices: int | None = None
    batch_devices: int | None = None
    memory: int | None = None
    stream: bool | None = None
    checkpoints: Checkpoints | None = None

    def __post_init__(self) -> None:
        if self.mapping not in MAPPINGS:
            raise unknown_name("mapping", self.mapping, MAPPINGS)
        for name in ("run_devices", "batch_devices", "memory"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}: {value}; expected at least 1")


class Placement(NamedTuple):
    """Where runs are trained.

    Attributes:
      mode: what a device does with several runs, ``"map"`` or ``"vmap"``.
      mesh: the devices, ``[run, batch]``.
    """

    mode: Literal["map", "vmap"]
    mesh: Mesh

    @property
    def run_devices(self) -> int:
        """Devices along ``run``."""
        return self.mesh.shape[RUN]

    @property
    def batch_devices(self) -> int:
        """Devices along ``batch``."""
        return self.mesh.shape[BATCH]

    def sharding(self, *axes: str | None) -> NamedSharding:
        """The sharding of an array whose leading axes lie along these mesh axes."""
        return NamedSharding(self.mesh, P(*axes))

    def describe(self, num_runs: int) -> str:
        """The placement in words.

        >>> choose_placement(Execution(run_devices=1), 3, 128).describe(3)
        '3 runs on 1 cpu device, one after another (map)'
        """
        runs = f"{num_runs} run{'s' * (num_runs != 1)}"
        platform = self.mesh.devices.flat[0].platform
        along = f"{self.run_devices} {platform} device{'s' * (self.run_devices != 1)}"
        if self.batch_devices > 1:
            along = f"{self.mesh.size} {platform} devices, each batch over {self.batch_devices}"
        how = {"map": "one after another (map)", "vmap": "together (vmap)"}[self.mode]
        share = f", {how}" if num_runs > self.run_devices else ""
        share += " on each" if share and self.run_devices > 1 else ""
        processes = jax.process_count()
        return f"{runs} on {along}{share}" + (f", {processes} processes" * (processes > 1))


def choose_placement(
    execution: Execution, num_runs: int, batch_size: int, *, has_convolutions: bool = False
) -> Placement:
    """The placement of a call: what ``execution`` says, and the rule for the rest.

    Args:
      execution: what the caller wants.
      num_runs: how many runs there are.
      batch_size: examples per step (per micro-batch, where gradients are accumulated).
      has_convolutions: whether the net has any.

    Raises:
      InputError: if there are not that many devices, or they do not divide the batch.
    """
    devices = jax.devices()
    everything = jax.process_count() > 1
    run, batch = execution.run_devices, execution.batch_devices
    if run is None:
        most = max(1, len(devices) // (batch or 1))
        run = max(d for d in _divisors(most, everything) if d <= max(1, min(num_runs, most)))
    if batch is None:
        rest = len(devices) // run
        spread = everything or (num_runs == 1 and jax.default_backend() != "cpu")
        batch = 1
        if everything:
            batch = rest
        elif spread:
            batch = max(d for d in range(1, rest + 1) if batch_size % d == 0)
    if run * batch > len(devices) or (everything and run * batch < len(devices)):
        raise InputError(
            f"run_devices x batch_devices: {run} x {batch}; there are {len(devices)} devices"
            + (", and several processes must use all of them" if everything else "")
        )
    if batch_size % batch:
        raise InputError(
            f"batch_size: {batch_size} on {batch} devices along the batch; "
            f"expected a multiple of {batch}"
        )
    mode = execution.mapping
    if mode == "auto":
        one_by_one = jax.default_backend() == "cpu" or has_convolutions or num_runs <= run
        mode = "map" if one_by_one else "vmap"
    mesh = jax.make_mesh(
        (run, batch), (RUN, BATCH), axis_types=(AxisType.Auto,) * 2, devices=devices[: run * batch]
    )
    return Placement(mode, mesh)


def memory_budget(execution: Execution) -> int:
    """Bytes that may be used on each device.

    By default four fifths of an accelerator's free memory, or half of the machine's, shared among
    its CPU devices.
    """
    if execution.memory is not None:
        return execution.memory
    device = jax.local_devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.8 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    return free_memory() // (2 * len(jax.local_devices()))


def _divisors(number: int, everything: bool) -> list[int]:
    """The candidates for a number of devices: any, or those that leave none over."""
    return [d for d in range(1, number + 1) if not everything or number % d == 0]
