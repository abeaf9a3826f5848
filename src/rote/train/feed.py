"""How images and labels reach the devices: once, or as they are needed.

Resident images are copied to the devices once, as one array ``[U, N, H, W, C]`` of the ``U``
different image arrays that the runs use; a mini-batch is gathered from it in the compiled chunk.
Streamed ones stay where they are, in memory or in a memory-mapped file; the rows of the next steps
are copied by a thread while the current ones compute, each process reading what its devices need.
The order of the examples, and with it the result, is the same.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from rote.train.placement import BATCH, RUN, Placement
from rote.train.program import Gathered, Staged, evaluation_batch

PARTS = ("train", "test")


class Labelled(NamedTuple):
    """A split of every run: the different image arrays, and per run which of them and its labels.

    Attributes:
      images: ``U`` host arrays ``[N, H, W, C]``.
      source: ``[R]`` int32, index into ``images``.
      labels: ``[R, N]`` int32.
    """

    images: Sequence[np.ndarray]
    source: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Labelled":
        """From each run's images and labels; arrays that are the same object are kept once."""
        unique = {id(images): images for images, _ in pairs}
        position = {key: index for index, key in enumerate(unique)}
        source = np.array([position[id(images)] for images, _ in pairs], np.int32)
        return cls(list(unique.values()), source, np.stack([labels for _, labels in pairs]))

    def of_slots(self, rows: np.ndarray) -> "Labelled":
        """With the runs in another order, or only some of them."""
        return Labelled(self.images, self.source[rows], self.labels[rows])


class Block(NamedTuple):
    """A part of a split on the devices.

    Attributes:
      length: how many examples it has; the arrays may be longer.
      images: ``[U, n, H, W, C]``.
      source: ``[S]`` int32, which of the ``U`` each slot uses.
      labels: ``[S, n]`` int32.
    """

    length: int
    images: jax.Array
    source: jax.Array
    labels: jax.Array


class Feed(Protocol):
    """The splits of the runs in the slots of a program."""

    def batches(
        self, order: jax.Array, first: int, most: int
    ) -> tuple[Gathered | Staged, jax.Array | None, int]:
        """The mini-batches of an epoch from step ``first`` on.

        Args:
          order: ``[S, n]``, the epoch's order of the examples.
          first: a step of the epoch.
          most: how many steps are wanted.

        Returns:
          What the chunk takes as ``batches`` and as ``images``, and how many steps that is good
          for, from 1 to ``most``.
        """

    def blocks(self, part: str) -> Iterator[Block]:
        """The split ``"train"`` or ``"test"`` in order."""


class Resident:
    """All images on the devices; see ``Feed``.

    Args:
      placement: where.
      images: of the training and the test split, from ``put_images``.
      train: the training split of each slot.
      test: the test split of each slot.
    """

    def __init__(
        self,
        placement: Placement,
        images: tuple[jax.Array, jax.Array],
        train: Labelled,
        test: Labelled,
    ) -> None:
        self._blocks = {
            part: Block(
                split.labels.shape[1],
                on_device,
                put(placement, split.source, RUN),
                put(placement, split.labels, RUN),
            )
            for part, on_device, split in zip(PARTS, images, (train, test), strict=True)
        }

    def batches(
        self, order: jax.Array, first: int, most: int
    ) -> tuple[Gathered | Staged, jax.Array | None, int]:
        """See ``Feed``."""
        block = self._blocks["train"]
        return Gathered(block.source, block.labels, order), block.images, most

    def blocks(self, part: str) -> Iterator[Block]:
        """See ``Feed``."""
        yield self._blocks[part]


class Streamed:
    """Images copied to the devices as they are needed, the next ones in advance; see ``Feed``.

    Args:
      placement: where.
      train: the training split of each slot.
      test: the test split of each slot.
      batch_size: examples per step.
      nbytes: bytes of a device's memory for images under way; two windows of steps share it.
    """

    def __init__(
        self, placement: Placement, train: Labelled, test: Labelled, batch_size: int, nbytes: int
    ) -> None:
        self._placement = placement
        self._splits = dict(zip(PARTS, (train, test), strict=True))
        self._batch_size = batch_size
        image_bytes = train.images[0][0].nbytes
        slots = len(train.source) // placement.run_devices
        steps = nbytes // (2 * slots * batch_size * image_bytes)
        self._window_steps = max(1, min(steps, train.labels.shape[1] // batch_size))
        batches = nbytes // (2 * len(train.images) * evaluation_batch() * image_bytes)
        every = -(-train.labels.shape[1] // evaluation_batch())
        self._block_rows = max(1, min(batches, every)) * evaluation_batch()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")
        self._order: jax.Array | None = None
        self._rows = np.zeros((0, 0), np.int32)
        self._window: Window | None = None
        self._next: Future[Window] | None = None

    def batches(
        self, order: jax.Array, first: int, most: int
    ) -> tuple[Gathered | Staged, jax.Array | None, int]:
        """See ``Feed``."""
        if order is not self._order:
            self._order, self._rows = order, to_host(order, self._placement)
            self._window = self._next = None
        if self._window is None or not self._window.first <= first < self._window.end:
            ready = self._next.result() if self._next else None
            self._window = ready if ready and ready.first == first else self._stage(first)
            more = self._window.end < self._rows.shape[1] // self._batch_size
            self._next = self._thread.submit(self._stage, self._window.end) if more else None
        return self._window.staged, None, min(most, self._window.end - first)

    def blocks(self, part: str) -> Iterator[Block]:
        """See ``Feed``."""
        split = self._splits[part]
        begins = range(0, split.labels.shape[1], self._block_rows)
        following = self._thread.submit(self._block, split, 0)
        for begin in begins:
            block = following.result()
            if begin + self._block_rows < begins.stop:
                following = self._thread.submit(self._block, split, begin + self._block_rows)
            yield block

    def _stage(self, first: int) -> "Window":
        """Copies the mini-batches from a step on; past the epoch's end, its last ones again."""
        last = self._rows.shape[1] // self._batch_size - 1
        steps = np.minimum(np.arange(first, first + self._window_steps), last)
        within = steps[:, None] * self._batch_size + np.arange(self._batch_size)
        rows, split = self._rows[:, within], self._splits["train"]  # [S, T, B]

        def images(index: Any) -> np.ndarray:
            slots = range(len(rows))[index[0]]
            return np.stack([split.images[split.source[s]][rows[s][index[1:3]]] for s in slots])

        shape = (*rows.shape, *split.images[0].shape[1:])
        axes = (RUN, None, BATCH)
        staged = Staged(
            jax.make_array_from_callback(shape, self._placement.sharding(*axes), images),
            put(self._placement, np.take_along_axis(split.labels[:, None], rows, -1), *axes),
            put(self._placement, np.full(len(rows), first, np.int32), RUN),
        )
        return Window(first, min(first + self._window_steps, last + 1), staged)

    def _block(self, split: Labelled, begin: int) -> Block:
        """Copies rows of a split; past its end, the last one again."""
        last = split.labels.shape[1] - 1
        rows = np.minimum(np.arange(begin, begin + self._block_rows), last)
        return Block(
            min(self._block_rows, last + 1 - begin),
            put_images(self._placement, [images[rows] for images in split.images]),
            put(self._placement, split.source, RUN),
            put(self._placement, split.labels[:, rows], RUN),
        )


class Window(NamedTuple):
    """Mini-batches on the devices: those of the steps ``first .. end - 1`` of an epoch."""

    first: int
    end: int
    staged: Staged


def put(placement: Placement, array: np.ndarray, *axes: str | None) -> jax.Array:
    """A host array on the devices of a placement, its leading axes along the mesh's ``axes``.

    Every process has the whole array, and copies what its devices need.
    """
    return jax.make_array_from_callback(
        array.shape, placement.sharding(*axes), lambda index: np.asarray(array[index])
    )


def put_images(placement: Placement, images: Sequence[np.ndarray]) -> jax.Array:
    """Image arrays as one on every device, ``[U, N, H, W, C]``."""
    return put(placement, images[0][None] if len(images) == 1 else np.stack(images))


def to_host(tree: Any, placement: Placement) -> Any:
    """A tree of device arrays as NumPy arrays, whole in every process."""
    return jax.device_get(_gather(placement)(tree) if jax.process_count() > 1 else tree)


@functools.lru_cache(maxsize=8)
def _gather(placement: Placement) -> Callable[[Any], Any]:
    return jax.jit(lambda tree: tree, out_shardings=placement.sharding())
