"""What belongs to the runs of a cohort, put on the devices in the order of their slots."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from rote.train.feed import Feed, Labelled, Resident, Streamed, put, put_images
from rote.train.moment import Settings, Task
from rote.train.placement import RUN, Placement
from rote.train.program import order_keys


class Slots(NamedTuple):
    """What belongs to the runs in the slots, on the devices."""

    feed: Feed
    hparams: dict[str, jax.Array]
    init_keys: jax.Array
    shuffle_keys: jax.Array
    noise_keys: jax.Array
    examples: jax.Array
    active: jax.Array


class Seating:
    """The data of runs, for whatever slots they are in.

    Args:
      placement: the devices.
      settings: of the call.
      tasks: the runs.
      stream: bytes of a device's memory for images, if they are to be streamed.
    """

    def __init__(
        self,
        placement: Placement,
        settings: Settings,
        tasks: Sequence[Task],
        stream: int | None,
    ) -> None:
        self._placement, self._settings, self._stream = placement, settings, stream
        self._tasks = {task.index: task for task in tasks}
        self._row = {task.index: row for row, task in enumerate(tasks)}
        self._train, self._test = (
            Labelled.of([(split.images, split.labels) for split in splits])
            for splits in (
                [task.dataset.train for task in tasks],
                [task.dataset.test for task in tasks],
            )
        )
        self._images: tuple[jax.Array, jax.Array] | None = None
        if stream is None:
            train, test = self._train.images, self._test.images
            self._images = put_images(placement, train), put_images(placement, test)
        self._slots: tuple[tuple[int | None, ...], Slots] | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """How many examples the training and the test split have."""
        return self._train.labels.shape[1], self._test.labels.shape[1]

    @property
    def example(self) -> jax.Array:
        """One image, ``[1, H, W, C]``."""
        return put(self._placement, self._train.images[0][:1])

    def at(self, slots: tuple[int | None, ...]) -> Slots:
        """What belongs to the runs in these slots, on the devices."""
        if self._slots is None or self._slots[0] != slots:
            tasks = self._in(slots)
            rows = np.array([self._row[task.index] for task in tasks])
            train, test = (split.of_slots(rows) for split in (self._train, self._test))
            feed: Feed
            if self._images is None:
                feed = Streamed(
                    self._placement, train, test, self._settings.batch_size, self._stream or 0
                )
            else:
                feed = Resident(self._placement, self._images, train, test)
            float_dtype = jax.dtypes.canonicalize_dtype(float)
            hparams = {
                name: np.array([task.run.hparams[name] for task in tasks], float_dtype)
                for name in tasks[0].run.hparams
            }
            examples = np.stack([task.examples for task in tasks])
            active = np.array([run is not None for run in slots])
            hparams, examples, active = jax.tree.map(
                lambda leaf: put(self._placement, leaf, RUN), (hparams, examples, active)
            )
            seeds = [(task.run.init_seed, task.run.order_seed) for task in tasks]
            init = [jax.random.key(init_seed) for init_seed, _ in seeds]
            shuffle, noise = zip(
                *(order_keys(first if second is None else second) for first, second in seeds),
                strict=True,
            )
            keys = [self._put_keys(each) for each in (init, shuffle, noise)]
            self._slots = slots, Slots(feed, hparams, keys[0], keys[1], keys[2], examples, active)
        return self._slots[1]

    def _in(self, slots: Sequence[int | None]) -> list[Task]:
        """The task in each slot; an idle one repeats the first."""
        some = next(run for run in slots if run is not None)
        return [self._tasks[some if run is None else run] for run in slots]

    def _put_keys(self, keys: Sequence[jax.Array]) -> jax.Array:
        data = np.stack([jax.random.key_data(key) for key in keys])
        return jax.random.wrap_key_data(put(self._placement, data, RUN))
