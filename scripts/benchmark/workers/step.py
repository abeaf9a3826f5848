"""rote's step, jitted alone and called batch by batch: what the chunk is measured against."""

import time

import jax
import jax.numpy as jnp

from rote import make_step
from rote.core import Batch
from rote.train import epoch_order, init_train_state, order_keys
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Round, Start, rote_nets, setting


class Step:
    """One epoch over batches that are on the device."""

    def __init__(self, job: Job) -> None:
        workload = job.load_workload()
        net, optimizer = rote_nets.build(workload.net), setting.make_optimizer(workload)
        split = setting.make_dataset(workload).train
        shuffle_key, noise_key = order_keys(0)
        size = workload.batch_size
        order = epoch_order(shuffle_key, 0, len(split.labels))
        rows = order[: len(order) // size * size].reshape(-1, size)
        images, labels = jnp.asarray(split.images), jnp.asarray(split.labels)
        self.batches = [Batch(images[each], labels[each]) for each in rows]
        example = setting.TRANSFORM(images[:1], train=False)
        params, state = net.init(jax.random.key(0), example)
        self.initial = init_train_state(params, state, optimizer, noise_key)
        self.step = jax.jit(make_step(net, optimizer, transform=setting.TRANSFORM))

    def start(self) -> Start:
        """Compiles by calling."""
        begin = time.time()
        jax.block_until_ready(self.step(self.initial, self.batches[0]))
        return Start(time.time(), time.time() - begin)

    def round(self) -> Round:
        """See ``Contestant``; there is no evaluation."""
        begin = time.perf_counter()
        now, losses = self.initial, []
        for batch in self.batches:
            now, loss = self.step(now, batch)
            losses.append(loss)
        jax.block_until_ready(now)
        seconds = time.perf_counter() - begin
        mean = float(jnp.mean(jnp.stack(losses)))
        return Round(seconds, seconds, [[{}, {"batch_loss": mean}]])


def make(job: Job) -> Step:
    """The contender."""
    return Step(job)
