"""Writes what the peers start from: rote's data, initial weights and data order."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rote
from rote.train import epoch_order, order_keys
from scripts.benchmark import exchange
from scripts.benchmark.exchange import Job, Shared
from scripts.benchmark.workers import rote_nets, setting


def run(job: Job) -> dict[str, Any]:
    """Writes the shared file and says what the net costs and where it runs."""
    workload = job.load_workload()
    dataset = setting.make_dataset(workload)
    net = rote_nets.build(workload.net)
    example = setting.TRANSFORM(jnp.asarray(dataset.train.images[:1]), train=False)
    num_train = len(dataset.train.labels)
    init = jax.jit(net.init)
    runs = [init(jax.random.key(seed), example) for seed in range(workload.num_runs)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *runs)
    weights = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for tree in stacked
        for path, leaf in jax.tree.leaves_with_path(tree)
    }

    @jax.jit
    def orders(seed):
        shuffle_key, _ = order_keys(seed)
        return jax.lax.map(
            lambda epoch: epoch_order(shuffle_key, epoch, num_train), np.arange(workload.epochs)
        )

    shared = Shared(
        dataset.train.images,
        dataset.train.labels,
        dataset.test.images,
        dataset.test.labels,
        np.stack([orders(seed) for seed in range(workload.num_runs)]).astype(np.int32),
        weights,
    )
    exchange.save(job.folder, shared)
    return {
        "multiply_adds": rote.summary(net, example).multiply_adds,
        "steps_per_round": num_train // workload.batch_size * workload.epochs * workload.num_runs,
        "devices": [
            f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()
        ],
    }
