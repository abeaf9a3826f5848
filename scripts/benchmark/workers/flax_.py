"""Flax (linen) and optax with one jitted step per call.

Images are on the device as uint8; the step gets the batch's indices, gathers and scales, and its
state is donated. One run.
"""

import time
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scripts.benchmark import exchange
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Round, Start
from scripts.benchmark.workers.flax_nets import Net, convert

EVALUATION_BATCH = 512


class Flax:
    """Trains from the initial weights."""

    def __init__(self, job: Job) -> None:
        workload = job.load_workload()
        shared = exchange.load(job)
        self.batch_size = workload.batch_size
        self.orders = shared.orders[0]
        self.train = jnp.asarray(shared.train_images), jnp.asarray(shared.train_labels)
        self.test = jnp.asarray(shared.test_images), jnp.asarray(shared.test_labels)
        self.net = Net(workload.net, workload.compute_dtype and jnp.dtype(workload.compute_dtype))
        self.optimizer = optax.sgd(workload.learning_rate, momentum=0.9)
        variables = convert(shared.weights)
        momenta = self.optimizer.init(variables["params"])
        self.initial = (variables["params"], variables["batch_stats"], momenta, jnp.zeros(()))
        self.step = jax.jit(self._step, donate_argnums=0)
        self.judge = jax.jit(self._judge)

    def start(self) -> Start:
        """Compiles by calling."""
        begin = time.time()
        now = self._train_epoch(self._copy(), [self.orders[0][: self.batch_size]])
        jax.block_until_ready(now)
        return Start(time.time(), time.time() - begin)

    def round(self) -> Round:
        """See ``Contestant``."""
        now = jax.block_until_ready(self._copy())
        begin = time.perf_counter()
        training = 0.0
        history = [{"batch_loss": None, **self._evaluate(now)}]
        steps = len(self.orders[0]) // self.batch_size
        for order in self.orders:
            epoch_begin = time.perf_counter()
            batches = order[: steps * self.batch_size].reshape(steps, -1)
            *now, losses = self._train_epoch((*now[:3], jnp.zeros(())), batches)
            batch_loss = float(losses) / steps
            jax.block_until_ready(now)
            training += time.perf_counter() - epoch_begin
            history.append({"batch_loss": batch_loss, **self._evaluate(now)})
        return Round(training, time.perf_counter() - begin, [history])

    def _copy(self) -> Any:
        return jax.tree.map(jnp.copy, self.initial)

    def _train_epoch(self, now: Any, batches: Iterable[np.ndarray]) -> Any:
        for rows in batches:
            now = self.step(now, *self.train, rows)
        return now

    def _step(self, now: Any, images: Any, labels: Any, rows: Any) -> Any:
        params, stats, momenta, losses = now
        x, y = images[rows] / 255.0, labels[rows]

        def mean_loss(params: Any) -> Any:
            logits, changed = self.net.apply(
                {"params": params, "batch_stats": stats}, x, True, mutable=["batch_stats"]
            )
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
            return loss, changed.get("batch_stats", {})

        (loss, stats), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
        updates, momenta = self.optimizer.update(gradients, momenta)
        return optax.apply_updates(params, updates), stats, momenta, losses + loss

    def _judge(self, params: Any, stats: Any, images: Any, labels: Any) -> Any:
        logits: Any = self.net.apply(
            {"params": params, "batch_stats": stats}, images / 255.0, False
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        of_label = jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]
        is_label = jnp.arange(logits.shape[1]) == labels[:, None]
        others = jnp.where(is_label, -jnp.inf, logits).max(1)
        return losses, logits.argmax(1), of_label - others

    def _evaluate(self, now: Any) -> dict[str, float]:
        row = {}
        for name, (images, labels) in (("train", self.train), ("test", self.test)):
            parts = [
                self.judge(
                    *now[:2], images[i : i + EVALUATION_BATCH], labels[i : i + EVALUATION_BATCH]
                )
                for i in range(0, len(labels), EVALUATION_BATCH)
            ]
            losses, predicted, _ = (np.concatenate(part) for part in zip(*parts, strict=True))
            row[f"{name}_loss"] = float(losses.mean(dtype=np.float64))
            row[f"{name}_accuracy"] = float(np.mean(predicted == np.asarray(labels)))
        return row


def make(job: Job) -> Flax:
    """The contender."""
    return Flax(job)
