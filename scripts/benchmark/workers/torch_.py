"""PyTorch as a user after speed writes it: an eager loop, run after run.

Data are float tensors on the device, already scaled; a batch is gathered by index, or comes from a
``DataLoader`` over a ``TensorDataset``. The optimizer is fused, conv nets run in channels_last.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from scripts.benchmark import exchange
from scripts.benchmark.contenders import CONTENDERS
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Round, Start, torch_nets
from scripts.benchmark.workers.torch_device import synchronize, use

EVALUATION_BATCH = 512


class Torch:
    """Trains each run from its initial weights."""

    def __init__(self, job: Job) -> None:
        self.workload = job.load_workload()
        self.device = use(job.device, CONTENDERS[job.contender].threads)
        shared = exchange.load(job)
        self.net = torch_nets.build(self.workload.net, shared.train_images.shape[1:])
        self.net.to(self.device)
        self.initial = [
            torch_nets.convert(shared.weights, run) for run in range(len(shared.orders))
        ]
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(name in self.initial[0])  # a norm of rote's may lack a scale
        self.orders = torch.from_numpy(shared.orders.astype(np.int64)).to(self.device)
        self.train = scaled(shared.train_images, shared.train_labels, self.device)
        self.test = scaled(shared.test_images, shared.test_labels, self.device)

    def start(self) -> Start:
        """One step."""
        optimizer = self._reset(0)
        self._train_epoch(optimizer, [next(iter(self._batches(self.orders[0, 0])))])
        synchronize(self.device)
        return Start(time.time(), None)

    def round(self) -> Round:
        """See ``Contestant``."""
        training = total = 0.0
        histories = []
        for run, orders in enumerate(self.orders):
            optimizer = self._reset(run)
            synchronize(self.device)
            begin = time.perf_counter()
            history = [{"batch_loss": None, **self._evaluate()}]
            for order in orders:
                epoch_begin = time.perf_counter()
                loss = self._train_epoch(optimizer, self._batches(order))
                training += time.perf_counter() - epoch_begin
                history.append({"batch_loss": loss, **self._evaluate()})
                if self.workload.until_fitted and history[-1]["train_accuracy"] == 1:
                    break
            total += time.perf_counter() - begin
            histories.append(history)
        return Round(training, total, histories)

    def _reset(self, run: int) -> Any:
        missing, unexpected = self.net.load_state_dict(self.initial[run], strict=False)
        given_up = [n for n in missing if not n.endswith(("num_batches_tracked", "norm.weight"))]
        if unexpected or given_up:
            raise ValueError(f"weights that do not fit: {unexpected}, {given_up}")
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        rate = self.workload.learning_rate
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, fused=True)

    def _batches(self, order: Any) -> Iterable[tuple[Any, Any]]:
        images, labels = self.train
        size = self.workload.batch_size
        for rows in order[: len(order) // size * size].split(size):
            yield images[rows], labels[rows]

    def _train_epoch(self, optimizer: Any, batches: Iterable[tuple[Any, Any]]) -> float:
        self.net.train()
        losses, steps = torch.zeros((), device=self.device), 0
        for images, labels in batches:
            optimizer.zero_grad()
            with self._cast():
                loss = functional.cross_entropy(self.net(images.permute(0, 3, 1, 2)), labels)
            loss.backward()
            optimizer.step()
            losses += loss.detach()
            steps += 1
        return losses.item() / steps

    @torch.inference_mode()
    def _evaluate(self) -> dict[str, float]:
        self.net.eval()
        row = {}
        for name, (images, labels) in (("train", self.train), ("test", self.test)):
            parts = [
                self._evaluate_batch(
                    images[i : i + EVALUATION_BATCH], labels[i : i + EVALUATION_BATCH]
                )
                for i in range(0, len(labels), EVALUATION_BATCH)
            ]
            losses, predicted, _ = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
            row[f"{name}_loss"] = losses.mean().item()
            row[f"{name}_accuracy"] = (predicted == labels.cpu()).double().mean().item()
        return row

    def _evaluate_batch(self, images: Any, labels: Any) -> tuple[Any, Any, Any]:
        with self._cast():
            logits = self.net(images.permute(0, 3, 1, 2)).float()
        return judge(logits, labels)

    def _cast(self) -> Any:
        if self.workload.compute_dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device, getattr(torch, self.workload.compute_dtype))


class Loader(Torch):
    """The same with a ``DataLoader``."""

    def _batches(self, order: Any) -> Iterator[tuple[Any, Any]]:
        return iter(
            DataLoader(
                TensorDataset(*self.train),
                batch_size=self.workload.batch_size,
                sampler=order.tolist(),
                drop_last=True,
            )
        )


def scaled(images: np.ndarray, labels: np.ndarray, device: str) -> tuple[Any, Any]:
    """Images as floats in 0..1, ``[N, H, W, C]``, and labels."""
    pixels = torch.from_numpy(images).to(device).float() / 255
    return pixels, torch.from_numpy(labels.astype(np.int64)).to(device)


def judge(logits: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Loss, predicted class and margin of each example."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    column = labels[:, None]
    others = logits.scatter(1, column, -torch.inf).amax(1)
    return losses, logits.argmax(1), logits.gather(1, column)[:, 0] - others


def make(job: Job) -> Torch:
    """The contender."""
    return Loader(job) if job.contender == "dataloader" else Torch(job)
