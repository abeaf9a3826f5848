"""Which functions a net with random parameters computes: simple ones, far more often than others.

Claim: drawn at random, the parameters of a net give simple functions with a probability that is
larger by many orders of magnitude than that of complex ones, P(f) <= 2^(-a K(f) + b). So a net may
generalise because most of the parameters that fit the data compute something simple.

Source: Valle-Perez, Camargo, Louis 2019 (arXiv 1805.08522), the rank plot and the plot of
probability against complexity of the net with layers (7, 40, 40, 1) and ReLU. Seven bits have 128
values, so what a net computes on them, [output > 0], is a string of 128 bits. Its complexity K is
that of Lempel and Ziv; see rote.measure.lempel_ziv_complexity.

Expected: P(f) spans many orders of magnitude and falls with K; the paper prints no numbers. Random
functions, each output a fair coin, are never found twice and are nearly all of high complexity.

  functions        how many different ones were found
  most frequent    the largest P(f)
  constant         probability of the two constant functions together
  decades          log10 of the largest P(f) over the smallest, of functions found ten times or more
  correlation      Spearman's, of P(f) and K(f), over the functions found at least twice
  complexity       mean K(f) of samples, each as often as it was found
  a, b             the line over the largest P(f) at each K, of functions found ten times or more
  above the bound  share of the functions that the next seed found ten times or more that are more
                   than a factor of two above this seed's line

Command: python experiments/valleperez2019/simplicity_bias.py --preset smoke
  smoke  3 seeds of 10,000 samples, 2,000 for each of two other nets; seconds
  cpu    5 seeds of 2 million samples, together 10^7, and of 200,000 for each of seven other nets;
         six minutes on two cores
  paper  5 seeds of 200 million samples, together 10^9, and of 2 million for each of seven other
         nets; for a GPU, and a host with 32 GiB
"paper" has not been run. Measured in processor time of one core: 30 to 60 microseconds
a sample in chunks of 512 (15 with one hidden layer, 80 with four, 200 with eight), in larger chunks
more; 0.25 for sorting it once, 16 for the complexity of a function. One sample is 2,001 random
numbers and half a million operations. A billion samples are 5e14 operations, minutes of a GPU by
its data sheet; sorting them on the host is estimated at half an hour. Every function that is found
takes 24 bytes, three times that while they are sorted: at most one sample in four was a new one.

Left open: how the paper draws parameters. Taken: weights normal with deviation w / sqrt(inputs of
the unit), biases normal with deviation 1, w = 1; tried beside it: other w, other depths, uniform
distributions of the same variance. Bits are 0 and 1. The paper has 10^10 samples of one setting in
the rank plot and 10^7 of the others, and 10^8 in the plot of complexity. How a and b were chosen is
open, too; here they are fitted to the largest probabilities, and judged on another seed.

Every chunk of samples has its own key, the same in every setting. What was counted is saved about
once a minute, and a run that is killed goes on from there to the same numbers.
"""

import dataclasses
import functools
import itertools
import math
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rote import cli, measure, models, tables, viz
from rote.core import InputError, Model
from rote.layers import Init, Initializer
from rote.studies import valleperez2019 as bias
from rote.studies.config import check_positive, check_seeds
from rote.tables import Column

Distribution = Literal["normal", "uniform"]
SAVE_SECONDS = 60.0
"""Between two savings of what was counted; more where a saving itself takes long."""
SAVING_SHARE = 0.05
SAMPLED_COMPLEXITY = 10_000
"""Samples whose mean complexity is taken, at most."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the random nets."""

    num_bits: int = 7
    """Inputs of a net; a function has 2^num_bits outputs."""
    width: int = 40
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    weight_scale: float = 1.0
    """Standard deviation of a weight, times the root of its unit's inputs."""
    bias_scale: float = 1.0
    """Standard deviation of a bias."""
    distribution: Distribution = "normal"
    """Of weights and biases."""
    num_samples: int = 2_000_000
    """Nets that each seed draws."""
    other_weight_scales: tuple[float, ...] = (0.5, 2.0, 4.0)
    """Tried one at a time, the rest as above."""
    other_depths: tuple[int, ...] = (1, 4, 8)
    """Tried one at a time, the rest as above."""
    other_distributions: tuple[Distribution, ...] = ("uniform",)
    """Tried one at a time, the rest as above."""
    other_samples: int = 200_000
    """Nets that each seed draws of these, and random functions."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each draws its own nets."""
    samples_at_once: int = 512
    """Nets in memory together, about 80 KB each. A sample does not depend on it, but which samples
    there are does."""

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
          InputError: if one cannot be used.
        """
        check_seeds(self.seeds)
        if not 1 <= self.num_bits <= 12:
            raise InputError(f"num_bits: {self.num_bits}; expected 1 to 12")
        for name in ("width", "depth", "num_samples", "other_samples", "samples_at_once"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: {getattr(self, name)}; expected at least 1")
        for depth in self.other_depths:
            if depth < 1:
                raise InputError(f"other_depths: {depth}; expected at least 1")
        for scale in (self.weight_scale, *self.other_weight_scales):
            check_positive("weight_scale", scale)
        if not 0 <= self.bias_scale < math.inf:
            raise InputError(f"bias_scale: {self.bias_scale}; expected 0 or a positive number")
        names = [setting.name for setting in settings_of(self)]
        if len(set(names)) < len(names):
            raise InputError("other_*: a value that is tried already; give different ones")


class Setting(NamedTuple):
    """What is drawn at random.

    Attributes:
      kind: ``"net"``, the one of the paper's first plot; ``"other net"``; ``"random functions"``,
        each output a fair coin.
      depth: hidden layers.
      weight_scale: see ``Config``.
      distribution: of the parameters.
    """

    kind: str
    depth: int | None = None
    weight_scale: float | None = None
    distribution: Distribution | None = None

    @property
    def name(self) -> str:
        """Names the setting in tables and files."""
        if self.depth is None:
            return self.kind
        return f"depth {self.depth}, w = {self.weight_scale:g}, {self.distribution}"


def settings_of(config: Config) -> list[Setting]:
    """The net, the others, each with one thing changed, and the control."""
    base = Setting("net", config.depth, config.weight_scale, config.distribution)
    other = base._replace(kind="other net")
    return [
        base,
        *(other._replace(weight_scale=scale) for scale in config.other_weight_scales),
        *(other._replace(depth=depth) for depth in config.other_depths),
        *(other._replace(distribution=each) for each in config.other_distributions),
        Setting("random functions"),
    ]


PRESETS = {
    "smoke": Config(
        num_samples=10_000,
        other_weight_scales=(4.0,),
        other_depths=(4,),
        other_distributions=(),
        other_samples=2_000,
        seeds=(0, 1, 2),
        samples_at_once=500,
    ),
    "cpu": Config(),
    "paper": Config(num_samples=200_000_000, other_samples=2_000_000, samples_at_once=2**17),
}


def run(config: Config, out: cli.Job) -> None:
    """Samples and counts every setting; leaves a table and two figures."""
    settings = settings_of(config)
    table: list[dict[str, Any]] = []
    pooled: dict[str, bias.Spectrum] = {}
    for setting in settings:
        rows, spectrum = measured(config, setting, out)
        table += rows
        pooled[setting.name] = spectrum
    title = f"Random nets ({config.num_bits}, {config.width} x depth, 1) with ReLU"
    curves = {name: bias.ranks(spectrum) for name, spectrum in pooled.items()}
    out.save_figure(
        "rank", viz.probability_rank(curves, num_inputs=2**config.num_bits, title=title)
    )
    dots, bounds = plotted(pooled)
    if dots:
        figure = viz.probability_and_complexity(
            dots, bounds, least_finds=bias.FOUND_OFTEN, title=title
        )
        out.save_figure("complexity", figure)
    summary = tables.summarize(
        table,
        ["setting", "num_samples"],
        {
            "functions": Column("num_functions", digits=0),
            "most frequent": Column("most_frequent", digits=2, unit="%"),
            "constant": Column("constant", digits=2, unit="%"),
            "decades": Column("decades", digits=2),
            "correlation": Column("rank_correlation", digits=3),
            "complexity": Column("mean_complexity"),
            "a": Column("bound_slope", digits=3),
            "b": Column("bound_offset", digits=2),
            "above the bound": Column("above_bound", digits=2, unit="%"),
        },
    )
    out.finish(
        tables.format_table(summary),
        table=table,
        summary=summary,
        data={
            "name": "boolean",
            "num_train": 2**config.num_bits,
            "subset": False,
            "num_test": 0,
            "stored_as": None,
        },
    )


def plotted(
    pooled: dict[str, bias.Spectrum],
) -> tuple[list[dict[str, Any]], dict[str, tuple[float, float]]]:
    """The dots and the bounds of the figure, of all seeds together."""
    dots = [
        {
            "setting": name,
            "complexity": complexity,
            "probability": finds / spectrum.num_samples,
            "finds": finds,
            "functions": number,
        }
        for name, spectrum in pooled.items()
        for complexity, finds, number in zip(
            spectrum.complexity, spectrum.finds, spectrum.number, strict=True
        )
    ]
    lines = {name: bias.upper_line(spectrum) for name, spectrum in pooled.items()}
    return dots, {
        name: (line.slope, line.offset) for name, line in lines.items() if line is not None
    }


def measured(
    config: Config, setting: Setting, out: cli.Job
) -> tuple[list[dict[str, Any]], bias.Spectrum]:
    """A row per seed and the spectrum of all seeds; kept, once a setting is done."""
    kept = out.kept().get(setting.name)
    if kept is None:
        samples = [Samples(config, setting, seed) for seed in config.seeds]
        tallies, seconds = zip(*(counted(each, out) for each in samples), strict=True)
        num_inputs = 2**config.num_bits
        spectra = [bias.spectrum_of(tally, num_inputs) for tally in tallies]
        lines = [bias.upper_line(spectrum) for spectrum in spectra]
        rows = []
        for i, each in enumerate(samples):
            line, above = lines[i], None
            if line is not None and len(spectra) > 1:
                above = bias.share_above(line, spectra[(i + 1) % len(spectra)])
            rows.append(
                {
                    "setting": setting.name,
                    **setting._asdict(),
                    "seed": each.seed,
                    "num_samples": each.number,
                    "num_functions": spectra[i].num_functions,
                    "most_frequent": float(tallies[i].counts.max() / each.number),
                    "constant": constant_share(tallies[i], num_inputs),
                    "decades": bias.decades(spectra[i]),
                    "rank_correlation": bias.rank_correlation(spectra[i]),
                    "mean_complexity": each.mean_complexity(),
                    "bound_slope": None if line is None else line.slope,
                    "bound_offset": None if line is None else line.offset,
                    "above_bound": above,
                    "seconds": seconds[i],
                }
            )
        spectrum = bias.spectrum_of(bias.merge(tallies), num_inputs)
        kept = {"rows": rows, "spectrum": [np.asarray(value).tolist() for value in spectrum]}
        out.keep(setting.name, kept)
    complexity, finds, number, once, num_samples = kept["spectrum"]
    columns = np.array(complexity), np.array(finds), np.array(number)
    return kept["rows"], bias.Spectrum(*columns, once, num_samples)


class Samples:
    """The random functions of a setting and seed, chunk by chunk.

    Attributes:
      seed: of the draws.
      name: names them in files and messages.
      number: how many there are.
    """

    def __init__(self, config: Config, setting: Setting, seed: int) -> None:
        self.seed = seed
        self.name = f"{setting.name} seed={seed}"
        self.number = config.num_samples if setting.kind == "net" else config.other_samples
        self._at_once = min(config.samples_at_once, self.number)
        self._num_inputs = 2**config.num_bits
        self._draw = drawer(config, setting, self._at_once)

    @property
    def num_chunks(self) -> int:
        """How many chunks they come in."""
        return -(-self.number // self._at_once)

    def chunk(self, index: int) -> jax.Array:
        """Packed bits ``[S, bytes]`` of one chunk, under way on the device; the last is shorter."""
        key = jax.random.fold_in(jax.random.key(self.seed), index)
        left = self.number - index * self._at_once
        return self._draw(key) if left >= self._at_once else self._draw(key)[:left]

    def mean_complexity(self) -> float:
        """Mean complexity of the first samples, each as often as it occurs."""
        first: list[np.ndarray] = []
        while sum(map(len, first)) < min(SAMPLED_COMPLEXITY, self.number):
            first.append(np.asarray(self.chunk(len(first))))
        words = bias.as_words(np.concatenate(first)[:SAMPLED_COMPLEXITY])
        return float(np.mean(bias.complexities(words, self._num_inputs), dtype=float))


def counted(samples: Samples, out: cli.Job) -> tuple[bias.Tally, float]:
    """Counts all samples of a setting and seed, from where an earlier call left off.

    Returns:
      The tally, and the seconds that it took.
    """
    kept = out.kept_arrays(samples.name)
    counter, done, before = bias.Counter(), 0, 0.0
    if kept is not None:
        counter = bias.Counter([bias.Tally(kept["words"], kept["counts"])])
        done, before = int(kept["done"]), float(kept["seconds"])
        if done == samples.num_chunks:
            return counter.total(), before

    def save(done: int) -> bias.Tally:
        tally = counter.total()
        seconds = before + time.perf_counter() - begin
        tree = {**tally._asdict(), "done": np.array(done), "seconds": np.array(seconds)}
        out.keep_arrays(samples.name, tree)
        share = 100 * done / samples.num_chunks
        print(
            f"{samples.name}: {share:.0f} % of {samples.number:,} samples, "
            f"{len(tally.counts):,} functions, {seconds:.0f} s",
            file=sys.stderr,
        )
        return tally

    begin = saved = time.perf_counter()
    pause = SAVE_SECONDS
    following = samples.chunk(done)
    for index in range(done, samples.num_chunks):
        # The device draws the next chunk while the host counts this one.
        chunk, last = following, index + 1 == samples.num_chunks
        if not last:
            following = samples.chunk(index + 1)
        counter.add(np.asarray(chunk))
        now = time.perf_counter()
        if now - saved > pause and not last:
            save(index + 1)
            saved = time.perf_counter()
            pause = max(SAVE_SECONDS, (saved - now) / SAVING_SHARE)
    return save(samples.num_chunks), before + time.perf_counter() - begin


def constant_share(tally: bias.Tally, num_inputs: int) -> float:
    """How probable the two constant functions are together."""
    ones = bias.as_words(np.packbits(np.ones((1, num_inputs), bool), axis=1))
    constant = np.all(tally.words == 0, axis=1) | np.all(tally.words == ones, axis=1)
    return float(tally.counts[constant].sum() / tally.num_samples)


@functools.cache
def drawer(config: Config, setting: Setting, number: int) -> Callable[[jax.Array], jax.Array]:
    """From a key to so many random functions ``[number, bytes]``, over all devices."""
    num_inputs = 2**config.num_bits
    if setting.kind == "random functions":
        ones = np.packbits(np.ones(num_inputs, bool))  # what fills up a byte stays 0
        return lambda key: jax.random.bits(key, (number, len(ones)), "uint8") & ones
    net = network(config, setting)
    inputs = np.array(list(itertools.product((0, 1), repeat=config.num_bits)), np.float32)
    devices = jax.devices()[: math.gcd(number, jax.device_count())]
    spread = NamedSharding(Mesh(np.array(devices), ("samples",)), PartitionSpec("samples"))
    draw = jax.jit(lambda keys: measure.random_functions(net, inputs, keys))
    return lambda key: draw(jax.device_put(jax.random.split(key, number), spread))


def network(config: Config, setting: Setting) -> Model:
    """The net whose parameters are drawn."""
    assert setting.depth and setting.weight_scale and setting.distribution
    weights = jax.nn.initializers.variance_scaling(
        setting.weight_scale**2, "fan_in", setting.distribution
    )
    biases: Callable[[float], Initializer] = (
        uniform if setting.distribution == "uniform" else jax.nn.initializers.normal
    )
    return models.mlp(
        (config.width,) * setting.depth,
        num_classes=1,
        init=Init(weights, lambda n_in: biases(config.bias_scale)),
    )


def uniform(deviation: float) -> Initializer:
    """Uniform around 0, with this standard deviation."""
    bound = math.sqrt(3) * deviation

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


if __name__ == "__main__":
    cli.main(run, PRESETS)
