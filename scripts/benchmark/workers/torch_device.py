"""PyTorch's settings for speed."""

import torch

from scripts.benchmark.workloads import Device


def use(device: Device, threads: int | None = None) -> str:
    """Sets what a user after speed would set; returns PyTorch's name of the device.

    On a GPU float32 products may use TF32, as JAX's do by default.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "cpu":
        return "cpu"
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    return "cuda"


def synchronize(device: str) -> None:
    """Waits until all work that was queued is done."""
    if device == "cuda":
        torch.cuda.synchronize()
