"""The tables, in Markdown, and the raw numbers."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.benchmark.contenders import CONTENDERS
from scripts.benchmark.driver import Measured
from scripts.benchmark.paired import Interval, median_interval, ratios
from scripts.benchmark.workloads import Comparison

PACKAGES = ("rote", "jax", "jaxlib", "optax", "torch", "flax", "numpy", "python")
IDLE_LIMIT = 0.02
BACKWARD = 3  # a training step costs about three forward passes


@dataclasses.dataclass(frozen=True)
class Line:
    """One comparison by one measure."""

    workload: str
    against: str
    goal: float | None
    at_most: bool
    interval: Interval
    rounds: int

    @property
    def reached(self) -> str:
        """Whether the median reaches the goal."""
        if self.goal is None:
            return "–"
        median = self.interval.median
        return "yes" if (median <= self.goal if self.at_most else median >= self.goal) else "no"


def lines(measured: Measured) -> Iterator[Line]:
    """The comparisons of a workload, by training time alone and with evaluation."""
    whole = "" if measured.workload.until_fitted else ", with evaluation"
    for suffix, seconds in ((", training alone", measured.training), (whole, measured.total)):
        for comparison in measured.workload.comparisons if seconds else ():
            yield _line(measured.workload.title + suffix, comparison, seconds)


def _line(title: str, comparison: Comparison, seconds: Mapping[str, list[float]]) -> Line:
    medians = {name: median_interval(seconds[name]).median for name in comparison.against}
    peer = min(medians, key=medians.__getitem__)
    against = CONTENDERS[peer].title
    if len(medians) > 1:
        against += " (the faster of " + ", ".join(CONTENDERS[name].title for name in medians) + ")"
    if comparison.base != "rote":
        title += f" ({CONTENDERS[comparison.base].title})"
    pair = seconds[peer], seconds[comparison.base]
    values = ratios(*(reversed(pair) if comparison.at_most else pair))
    interval = median_interval(values)
    return Line(title, against, comparison.goal, comparison.at_most, interval, len(values))


def markdown(
    everything: Sequence[Measured], peaks: Mapping[str, float], environment: Mapping[str, Any]
) -> str:
    """The whole report."""
    return "\n\n".join(
        [
            _where(environment, everything, peaks),
            _comparisons(everything),
            "Ratios are the other's time over rote's, of the same round: above 1, rote is faster; "
            "`cost` is rote's time over the other's. Brackets: an interval for the median between "
            "two order statistics, with its coverage where that is below 95 %. Every contender has "
            "its process; in each round all train once, in random order, from the same weights, in "
            "the same batch order. Training alone: the sum of the times of the training steps. "
            "With evaluation: also a full pass over both splits before the first epoch and after "
            "each one (loss, prediction and margin of every example).",
            _contenders(everything, peaks),
            "GFLOP/s: 2 x 3 x the forward multiply-adds, over the training time; share: of the "
            "fastest matrix product of either framework. Start: from the start of the process to "
            "the end of the first training step (rote evaluates before it), with an empty and with "
            "a filled compilation cache. Deviation: largest relative difference of losses from "
            "rote's, over the first two epochs.",
        ]
    )


def _where(
    environment: Mapping[str, Any], everything: Sequence[Measured], peaks: Mapping[str, float]
) -> str:
    commit = environment["commit"]
    changed = " with changes" if commit and commit["dirty"] else ""
    versions = environment["versions"]
    devices = everything[0].facts["devices"] if everything else []
    rows = {
        "date": environment["started"],
        "command": f"`{environment['command']}`",
        "commit": f"{commit['id']}{changed}" if commit else "unknown",
        "hardware": f"{environment['cores']} cores of {environment['cpu']}",
        "devices": ", ".join(devices),
        "system": environment["platform"],
        "versions": ", ".join(f"{name} {versions[name]}" for name in PACKAGES if name in versions),
        "matrix product": ", ".join(f"{n} {value / 1e9:.0f} GFLOP/s" for n, value in peaks.items()),
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items())


def _comparisons(everything: Sequence[Measured]) -> str:
    header = ("workload", "against", "goal", "median ratio [95 % CI]", "rounds", "reached")
    rows = []
    for measured in everything:
        for line in lines(measured):
            sign = "cost ≤" if line.at_most else "≥"
            goal = "–" if line.goal is None else f"{sign} {line.goal:g}"
            cells = (line.workload, line.against, goal, _show(line.interval))
            rows.append((*cells, str(line.rounds), line.reached))
    return table(header, rows)


def _show(interval: Interval) -> str:
    note = "" if interval.coverage >= 0.95 else f" ({interval.coverage:.0%})"
    return f"{interval.median:.2f} [{interval.low:.2f}, {interval.high:.2f}]{note}"


def _contenders(everything: Sequence[Measured], peaks: Mapping[str, float]) -> str:
    header = (
        "workload",
        "contender",
        "ms/step",
        "GFLOP/s",
        "share of peak",
        "seconds a round",
        "compile cold / warm (s)",
        "start cold / warm (s)",
        "memory (MiB)",
        "epochs",
        "deviation",
    )
    rows = []
    for measured in everything:
        for name in measured.workload.contenders:
            rows.append(_contender(measured, name, peaks))
    return table(header, rows)


def _contender(measured: Measured, name: str, peaks: Mapping[str, float]) -> tuple[str, ...]:
    workload, facts = measured.workload, measured.facts
    per_step = rate = share = "–"
    if name in measured.training:
        seconds = median_interval(measured.training[name]).median / facts["steps_per_round"]
        flops = 2 * BACKWARD * facts["multiply_adds"] * workload.batch_size / seconds
        dtype = workload.compute_dtype or "float32"
        peak = max((value for key, value in peaks.items() if key.endswith(dtype)), default=None)
        per_step, rate = f"{seconds * 1e3:.3g}", f"{flops / 1e9:.3g}"
        share = f"{flops / peak:.0%}" if peak else "–"
    round_seconds = measured.total.get(name) or measured.training[name]
    starts = measured.starts.get(name, {})
    deviation = measured.deviations.get(name)
    return (
        workload.title,
        CONTENDERS[name].title,
        per_step,
        rate,
        share,
        f"{median_interval(round_seconds).median:.3g}",
        _cold_warm(starts, "compile_seconds"),
        _cold_warm(starts, "first_step_seconds"),
        f"{measured.peak_bytes[name] / 2**20:.0f}",
        str(measured.epochs[name]),
        "–" if deviation is None else f"{deviation:.1e}",
    )


def _cold_warm(starts: Mapping[str, Mapping[str, float | None]], what: str) -> str:
    values = [starts.get(kind, {}).get(what) for kind in ("cold", "warm")]
    return " / ".join("–" if value is None else f"{value:.1f}" for value in values)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def complaints(everything: Sequence[Measured]) -> list[str]:
    """What makes the numbers wrong: losses that differ, workers that were busy while waiting."""
    found = []
    for measured in everything:
        name = measured.workload.name
        if not measured.agrees:
            found.append(
                f"{name}: the losses differ, so the times mean nothing: {measured.deviations}"
            )
        if measured.idle_share > IDLE_LIMIT:
            found.append(f"{name}: waiting workers used {measured.idle_share:.1%} of a core each")
    return found
