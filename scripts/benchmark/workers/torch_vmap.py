"""PyTorch with all runs at once: ``torch.func.vmap`` over stacked parameters (no batch norm)."""

import time
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

from scripts.benchmark import exchange
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Round, Start, torch_nets
from scripts.benchmark.workers.torch_ import judge, scaled
from scripts.benchmark.workers.torch_device import synchronize, use


class Vmap:
    """Every step advances all runs, each on its own mini-batch."""

    def __init__(self, job: Job) -> None:
        self.workload = job.load_workload()
        self.device = use(job.device)
        shared = exchange.load(job)
        self.net = torch_nets.build(self.workload.net, shared.train_images.shape[1:])
        self.net.to(self.device)
        runs = [torch_nets.convert(shared.weights, run) for run in range(len(shared.orders))]
        self.initial = {
            name: torch.stack([run[name] for run in runs]).to(self.device) for name in runs[0]
        }
        orders = torch.from_numpy(shared.orders.astype(np.int64)).to(self.device)
        self.orders = orders.transpose(0, 1).contiguous()  # [E, R, N]
        self.train = scaled(shared.train_images, shared.train_labels, self.device)
        self.test = scaled(shared.test_images, shared.test_labels, self.device)
        self.gradient = vmap(grad_and_value(self._loss))

    def start(self) -> Start:
        """One step."""
        self._reset()
        self._step(self.orders[0][:, : self.workload.batch_size])
        synchronize(self.device)
        return Start(time.time(), None)

    def round(self) -> Round:
        """See ``Contestant``."""
        self._reset()
        synchronize(self.device)
        begin = time.perf_counter()
        training = 0.0
        num_runs = self.orders.shape[1]
        rows = [self._evaluate() | {"batch_loss": [None] * num_runs}]
        for orders in self.orders:
            epoch_begin = time.perf_counter()
            size = self.workload.batch_size
            steps = orders.shape[1] // size
            losses = torch.zeros(num_runs, device=self.device)
            for indices in orders[:, : steps * size].split(size, 1):
                losses += self._step(indices)
            batch_loss = (losses / steps).tolist()
            training += time.perf_counter() - epoch_begin
            rows.append(self._evaluate() | {"batch_loss": batch_loss})
        total = time.perf_counter() - begin
        histories = [
            [{name: values[run] for name, values in row.items()} for row in rows]
            for run in range(num_runs)
        ]
        return Round(training, total, histories)

    def _reset(self) -> None:
        self.params = {name: value.clone() for name, value in self.initial.items()}
        self.momenta = [torch.zeros_like(value) for value in self.params.values()]

    def _logits(self, params: dict[str, Any], images: Any) -> Any:
        return functional_call(self.net, params, (images.permute(0, 3, 1, 2),))

    def _loss(self, params: dict[str, Any], images: Any, labels: Any) -> Any:
        return functional.cross_entropy(self._logits(params, images), labels)

    def _step(self, rows: Any) -> Any:
        images, labels = self.train
        gradients, losses = self.gradient(self.params, images[rows], labels[rows])
        torch._foreach_mul_(self.momenta, 0.9)
        torch._foreach_add_(self.momenta, [gradients[name] for name in self.params])
        rate = self.workload.learning_rate
        torch._foreach_add_(list(self.params.values()), self.momenta, alpha=-rate)
        return losses

    @torch.inference_mode()
    def _evaluate(self) -> dict[str, list[float]]:
        row = {}
        for name, (images, labels) in (("train", self.train), ("test", self.test)):
            logits = vmap(self._logits, in_dims=(0, None))(self.params, images)
            losses, predicted, margins = vmap(judge, in_dims=(0, None))(logits, labels)
            losses, predicted, _ = losses.cpu(), predicted.cpu(), margins.cpu()
            row[f"{name}_loss"] = losses.mean(1).tolist()
            row[f"{name}_accuracy"] = (predicted == labels.cpu()).double().mean(1).tolist()
        return row


def make(job: Job) -> Vmap:
    """The contender."""
    return Vmap(job)
