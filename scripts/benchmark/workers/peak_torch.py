"""The fastest matrix product in PyTorch."""

import time

import torch

from scripts.benchmark.exchange import Job
from scripts.benchmark.workers.torch_device import synchronize, use
from scripts.benchmark.workloads import PEAK_SIZE

REPEATS = 20


def run(job: Job) -> dict[str, float]:
    """FLOP/s of ``[n, n] @ [n, n]`` by dtype, the best of some."""
    device = use(job.device)
    n = PEAK_SIZE[job.device]
    return {
        name: 2 * n**3 / _seconds(n, getattr(torch, name), device)
        for name in (("float32",) if job.device == "cpu" else ("float32", "bfloat16"))
    }


def _seconds(n: int, dtype, device: str) -> float:
    x = torch.randn(n, n, device=device).to(dtype)
    times = []
    for _ in range(REPEATS):
        synchronize(device)
        begin = time.perf_counter()
        x @ x
        synchronize(device)
        times.append(time.perf_counter() - begin)
    return min(times)
