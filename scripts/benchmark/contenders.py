"""Who takes part."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to train.

    Attributes:
      title: for the tables.
      module: the module of ``workers`` that implements it.
      threads: how many threads it may use; by default all.
      processes: over how many processes it spreads its runs.
      compiles: whether it has a compilation cache, and so a cold and a warm start.
      fresh_cache: whether each of its processes starts with an empty compilation cache.
    """

    title: str
    module: str
    threads: int | None = None
    processes: int = 1
    compiles: bool = False
    fresh_cache: bool = False


CONTENDERS = {
    "rote": Contender("rote", "rote_", compiles=True),
    "rote-cold": Contender(
        "rote, empty compilation cache", "rote_", compiles=True, fresh_cache=True
    ),
    "rote-sequential": Contender("rote, `fit` run by run", "rote_", compiles=True),
    "rote-map": Contender("rote, runs one after another on a device", "rote_", compiles=True),
    "rote-vmap": Contender("rote, runs vectorized", "rote_", compiles=True),
    "rote-step": Contender("the same step jitted alone", "step", compiles=True),
    "torch-1": Contender("PyTorch, 1 thread", "torch_", threads=1),
    "torch-all": Contender("PyTorch, all threads", "torch_"),
    "dataloader": Contender("PyTorch with DataLoader", "torch_"),
    "torch-vmap": Contender("torch.func vmap", "torch_vmap"),
    "torch-2-processes": Contender("PyTorch in 2 processes", "torch_", threads=1, processes=2),
    "flax": Contender("Flax, one jitted step per call", "flax_", compiles=True),
}
