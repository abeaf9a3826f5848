"""The fastest matrix product in JAX."""

import time

import jax
import jax.numpy as jnp

from scripts.benchmark.exchange import Job
from scripts.benchmark.workloads import PEAK_SIZE

REPEATS = 20


def run(job: Job) -> dict[str, float]:
    """FLOP/s of ``[n, n] @ [n, n]`` by dtype, the best of some."""
    n = PEAK_SIZE[job.device]
    return {
        name: 2 * n**3 / _seconds(n, name)
        for name in (("float32",) if job.device == "cpu" else ("float32", "bfloat16"))
    }


def _seconds(n: int, dtype: str) -> float:
    x = jax.random.normal(jax.random.key(0), (n, n), jnp.dtype(dtype))
    product = jax.jit(jnp.matmul)
    product(x, x).block_until_ready()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        product(x, x).block_until_ready()
        times.append(time.perf_counter() - begin)
    return min(times)
