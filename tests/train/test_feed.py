"""Streamed images: the same shuffle and the same result as resident ones."""

import chex
import jax
import numpy as np
import optax
import pytest

from rote.combinators import serial
from rote.core import Dataset, Split
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten
from rote.train import Execution, Run, feed, fit_runs
from rote.transforms import unit_scale

CNN = serial(conv(8), batch_norm(), activation(jax.nn.relu), dropout(0.2), flatten(), dense(4))
SETTINGS = {"batch_size": 32, "transform": unit_scale(), "max_epochs": 3}


def train(dataset, num_runs=1, on_event=None, **execution):
    runs = [Run(seed, subset=np.arange(seed, seed + 290)) for seed in range(num_runs)]
    return fit_runs(
        CNN,
        lambda: optax.sgd(0.1, 0.9),
        dataset,
        runs,
        execution=Execution(**execution),
        on_event=on_event,
        **SETTINGS,
    )


@pytest.mark.parametrize(
    ("num_runs", "memory", "devices"),
    [
        (1, 1, {}),  # a window of one step, blocks of one evaluation batch
        (1, 8 * 4 * 32 * 36, {}),  # four steps: the epoch of nine does not divide
        pytest.param(3, 1, {"run_devices": 2}, marks=pytest.mark.slow),
        (1, 10**9, {"batch_devices": 2}),  # the whole epoch
    ],
)
def test_streamed_is_resident(noise, tmp_path, num_runs, memory, devices):
    files = {}
    for part in ("train", "test"):
        np.save(tmp_path / f"{part}.npy", getattr(noise, part).images)
        files[part] = np.load(tmp_path / f"{part}.npy", mmap_mode="r")
    mapped = Dataset(
        "noise",
        *(
            Split(files[part], getattr(noise, part).labels, getattr(noise, part).clean_labels)
            for part in ("train", "test")
        ),
        4,
    )
    resident = train(noise, num_runs, **devices)
    streamed = train(mapped, num_runs, stream=True, memory=memory, **devices)
    for a, b in zip(resident, streamed, strict=True):
        chex.assert_trees_all_equal(a.final, b.final)
        np.testing.assert_array_equal(a.record.margin, b.record.margin)
        assert [{**r, "seconds": 0} for r in a.history] == [{**r, "seconds": 0} for r in b.history]


def test_images_are_streamed_where_they_do_not_fit(noise, monkeypatch):
    kinds = []
    monkeypatch.setattr(
        feed.Streamed, "__init__", spy(feed.Streamed.__init__, lambda: kinds.append("streamed"))
    )
    said = []
    train(noise, memory=noise.train.images.nbytes, on_event=said.append)
    assert kinds
    assert said[0].mapping.endswith("images are streamed")
    kinds.clear()
    train(noise, memory=10 * noise.train.images.nbytes)
    assert not kinds


def spy(function, note):
    def call(*arguments, **keywords):
        note()
        return function(*arguments, **keywords)

    return call


def test_the_next_window_is_copied_while_the_current_one_computes(noise, monkeypatch):
    """When a window is handed out, the thread has been given the one after it."""
    given, submitted = [], []
    window = feed.Streamed.batches

    def batches(self, order, first, most):
        result = window(self, order, first, most)
        given.append(self._window.first)
        submitted.append(self._next is not None)
        return result

    monkeypatch.setattr(feed.Streamed, "batches", batches)
    train(noise, stream=True, memory=1)
    assert sorted(set(given)) == list(range(9))
    assert all(flag == (first < 8) for first, flag in zip(given, submitted, strict=True))
