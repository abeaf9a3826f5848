"""What is timed, against what, and what we aim for."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

Device = Literal["cpu", "gpu"]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
      against: the contender that ``base`` is measured against; of several, the fastest.
      goal: the ratio we aim for, if any.
      base: whose speed it is about.
      at_most: the ratio is ``base``'s time over the other's and should be at most the goal, instead
        of the other's time over ``base``'s and at least the goal.
    """

    against: tuple[str, ...]
    goal: float | None = None
    base: str = "rote"
    at_most: bool = False


@dataclasses.dataclass(frozen=True)
class Workload:
    """One training that all contenders do.

    Attributes:
      name: for ``--only``.
      title: for the tables.
      net: a name that ``workers.rote_nets``, ``torch_nets`` and ``flax_nets`` know.
      batch_size: examples per step.
      comparisons: the lines of the table; their contenders are the workload's.
      image_shape: ``(H, W, C)`` of the synthetic images; ``None`` for the digits.
      num_train: synthetic training examples.
      num_test: synthetic test examples.
      epochs: of one round; at most, where ``until_fitted``.
      num_runs: trainings per round, with seeds 0, 1, ...
      until_fitted: train on random labels until all are learned, and time whole processes.
      learning_rate: of SGD with momentum 0.9.
      compute_dtype: inside the net; ``None`` for float32.
      evaluates: whether there is a measure with evaluation.
      rounds: how often each contender has its turn.
    """

    name: str
    title: str
    net: str
    batch_size: int
    comparisons: tuple[Comparison, ...]
    image_shape: tuple[int, int, int] | None = None
    num_train: int = 0
    num_test: int = 0
    epochs: int = 1
    num_runs: int = 1
    until_fitted: bool = False
    learning_rate: float = 0.02
    compute_dtype: str | None = None
    evaluates: bool = True
    rounds: int = 12

    @property
    def contenders(self) -> tuple[str, ...]:
        """Everyone who takes part."""
        names = [name for line in self.comparisons for name in (line.base, *line.against)]
        return tuple(dict.fromkeys(names))


NUM_CLASSES = 10
PEAK_SIZE = {"cpu": 2048, "gpu": 8192}
MNIST, COLOR, CIFAR = (28, 28, 1), (28, 28, 3), (32, 32, 3)
TORCH = ("torch-1", "torch-all")


def _against(*names: str, **goals: float) -> tuple[Comparison, ...]:
    """Comparisons without a goal, then those that have one, by contender."""
    return (
        *(Comparison((name,)) for name in names),
        *(Comparison((name.replace("_", "-"),), goal) for name, goal in goals.items()),
    )


CPU = (
    Workload(
        name="mlp16",
        title="MLP 784-16-16-10, batch 128",
        net="mlp16",
        batch_size=128,
        comparisons=_against("torch-all", "dataloader", torch_1=3, flax=2),
        image_shape=MNIST,
        num_train=60_000,
        num_test=10_000,
        epochs=2,
    ),
    Workload(
        name="mlp512",
        title="MLP 2352-512-10, batch 128",
        net="mlp512",
        batch_size=128,
        comparisons=(Comparison(TORCH, 1.2), *_against(dataloader=1.6, flax=1.8)),
        image_shape=COLOR,
        num_train=12_800,
        num_test=2_000,
    ),
    Workload(
        name="alexnet16",
        title="16-channel AlexNet, batch 64",
        net="alexnet16",
        batch_size=64,
        comparisons=(Comparison(TORCH, 1), *_against("flax")),
        image_shape=COLOR,
        num_train=2_560,
        num_test=512,
        learning_rate=0.002,  # at 0.02 rounding grows to 1 % of the loss within the epoch
    ),
    Workload(
        name="alexnet_small",
        title="alexnet_small, batch 128",
        net="alexnet_small",
        batch_size=128,
        comparisons=(Comparison(TORCH, 0.8), *_against(flax=2)),
        image_shape=COLOR,
        num_train=1_024,
        num_test=256,
        rounds=9,
    ),
    Workload(
        name="resnet20",
        title="ResNet-20, batch 128",
        net="resnet20",
        batch_size=128,
        comparisons=(Comparison(TORCH, 0.6), *_against(flax=2)),
        image_shape=CIFAR,
        num_train=512,
        num_test=128,
        rounds=9,
    ),
    Workload(
        name="sweep",
        title="digits MLP 64-128-10, 64 runs, batch 128",
        net="mlp128",
        batch_size=128,
        comparisons=_against("rote-vmap", torch_1=8, torch_vmap=4),
        epochs=5,
        num_runs=64,
    ),
    Workload(
        name="fit16",
        title="16 digit runs to 100 % on random labels, MLP 64-512-10, batch 128, whole process",
        net="mlp512",
        batch_size=128,
        comparisons=(
            Comparison(("torch-2-processes",), 2.5),
            Comparison(("torch-2-processes",), base="rote-cold"),
        ),
        epochs=300,
        num_runs=16,
        until_fitted=True,
        learning_rate=0.1,
        rounds=9,
    ),
    Workload(
        name="chunk",
        title="a CNN's step inside the chunk, batch 64",
        net="cnn",
        batch_size=64,
        comparisons=(Comparison(("rote-step",), 1.1, at_most=True),),
        image_shape=COLOR,
        num_train=1_280,
        num_test=64,
        evaluates=False,
    ),
)


def _gpu(net: str, title: str, shape: tuple[int, int, int], batch: int, dtype: str | None):
    return Workload(
        name=f"{net}-{batch}-{dtype or 'float32'}",
        title=f"{title}, batch {batch}, {dtype or 'float32'}",
        net=net,
        batch_size=batch,
        comparisons=_against("torch-all", flax=1),
        image_shape=shape,
        num_train=25_600,
        num_test=5_120,
        compute_dtype=dtype,
    )


GPU = (
    *(
        _gpu(net, title, shape, batch, dtype)
        for net, title, shape in (
            ("inception_small", "inception_small", COLOR),
            ("resnet18", "ResNet-18 (CIFAR stem)", CIFAR),
        )
        for batch in (128, 1024)
        for dtype in (None, "bfloat16")
    ),
    *(
        Workload(
            name=f"sweep{num_runs}",
            title=f"digits MLP 64-128-10, {num_runs} runs, batch 128",
            net="mlp128",
            batch_size=128,
            comparisons=_against("torch-vmap", "rote-map", **goals),
            epochs=5,
            num_runs=num_runs,
        )
        for num_runs, goals in ((64, {"rote_sequential": 20.0}), (1024, {}))
    ),
    Workload(
        name="sweep-cnn",
        title="cnn, 16 runs, batch 128",
        net="cnn",
        batch_size=128,
        comparisons=_against("rote-map", "rote-vmap"),
        image_shape=COLOR,
        num_train=12_800,
        num_test=2_560,
        num_runs=16,
    ),
)


def choose(device: Device, only: Sequence[str] = (), *, quick: bool = False) -> list[Workload]:
    """The workloads of a device, by name where names are given, small ones where ``quick``.

    Raises:
      ValueError: if there is no such name; the message lists them.
    """
    table = {workload.name: workload for workload in (CPU if device == "cpu" else GPU)}
    if unknown := [name for name in only if name not in table]:
        raise ValueError(f"no workload {', '.join(unknown)}; there are {', '.join(table)}")
    return [_small(table[name]) if quick else table[name] for name in (only or table)]


def _small(workload: Workload) -> Workload:
    return dataclasses.replace(
        workload,
        title=f"{workload.title} (tiny)",
        num_train=min(workload.num_train, 4 * workload.batch_size),
        num_test=min(workload.num_test, 64),
        epochs=workload.epochs if workload.until_fitted else 1,
        num_runs=min(workload.num_runs, 4),
        rounds=3,
    )
