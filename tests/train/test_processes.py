"""Several processes on this machine, which share nothing but a port and a folder."""

import os
import pathlib
import socket
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import multihost_utils

from rote.combinators import serial
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten
from rote.storage import load_arrays
from rote.train import Run, fit_runs
from rote.train.processes import agreed
from rote.transforms import unit_scale

SCRIPT = """
import pathlib, sys
import numpy as np
import rote
port, index, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
rote.configure(distributed=True, coordinator=f"127.0.0.1:{port}", num_processes=2,
               process_id=index, compilation_cache=False)
import jax, optax
from rote.core import Dataset, Split
from rote.storage import save_arrays
from rote.train import Checkpoints, Execution, Run, TrainingInterrupted, fit_runs
sys.path.insert(0, sys.argv[4])
from test_processes import CNN, RUNS, SETTINGS
arrays = np.load(folder / "data.npz")
noise = Dataset("noise", Split(*(arrays[f"train{i}"] for i in range(3))),
                Split(*(arrays[f"test{i}"] for i in range(3))), 4)
assert jax.process_count() == 2 and len(jax.devices()) == 2
events = []

def interrupt(event):
    events.append(event)
    if len(events) == 6 and index == 1:
        import os, signal
        os.kill(os.getpid(), signal.SIGTERM)  # one process alone is told; all leave

def train(runs, on_event=None, **execution):
    return fit_runs(CNN, lambda: optax.sgd(0.1, 0.9), noise, runs, on_event=on_event,
                    execution=Execution(**execution), **SETTINGS)

checkpoints = Checkpoints(folder / "checkpoints")
try:
    train(RUNS, interrupt, checkpoints=checkpoints)
    raise AssertionError("was not interrupted")
except TrainingInterrupted:
    pass
runs = train(RUNS, checkpoints=checkpoints)
(batch,) = train(RUNS[:1], batch_devices=2)
if index == 0:
    trees = {str(i): r.final.trees() for i, r in enumerate([*runs, batch])}
    save_arrays(folder / "results.npz", trees)
"""
CNN = serial(conv(4), batch_norm(), activation(jax.nn.relu), dropout(0.2), flatten(), dense(4))
RUNS = [Run(seed) for seed in range(3)]
SETTINGS = {"batch_size": 32, "max_epochs": 2, "transform": unit_scale()}


@pytest.mark.slow
def test_two_processes_agree_with_one(noise, tmp_path):
    arrays = {f"train{i}": array for i, array in enumerate(noise.train)}
    np.savez(tmp_path / "data.npz", **arrays, **{f"test{i}": a for i, a in enumerate(noise.test)})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = pathlib.Path(__file__).parent
    environment = {
        **os.environ,
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, port, str(index), str(tmp_path), str(here)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    together = load_arrays(tmp_path / "results.npz")
    alone = fit_runs(CNN, lambda: optax.sgd(0.1, 0.9), noise, RUNS, **SETTINGS)
    for name, result in zip("0123", [*alone, alone[0]], strict=True):
        chex.assert_trees_all_close(
            together[name], result.final.trees(), rtol=1e-4, atol=1e-5, custom_message=name
        )


@pytest.mark.parametrize("value", [0, 7, 2**31 - 1, 2**31, 10_757_658_624, 139 * 2**30])
def test_numbers_of_bytes_are_agreed_on_whole(value, monkeypatch):
    """What is sent becomes a JAX array, which has 32 bits here."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", jnp.asarray)
    assert agreed(value) == value
