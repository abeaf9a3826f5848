"""The command line."""

import argparse
import importlib.metadata
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rote.record.environment import environment
from scripts.benchmark import report
from scripts.benchmark.driver import Bench
from scripts.benchmark.workloads import choose


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the flags."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Times rote against PyTorch and Flax on this machine and prints the tables.",
        epilog="Leave the machine alone meanwhile: about 20 minutes on two CPU cores.",
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these workloads")
    parser.add_argument("--rounds", type=int, help="instead of each workload's own number")
    parser.add_argument("--quick", action="store_true", help="tiny workloads, to see that it runs")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write FILE.md and FILE.json")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: expected at least 1")
    try:
        options.workloads = choose(options.device, options.only, quick=options.quick)
    except ValueError as error:
        parser.error(f"--only: {error}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code is 1 where contenders did not train alike."""
    options = parse(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    where = environment(shlex.join(["scripts/bench", *given]), devices=[])
    for package in ("torch", "flax"):
        where["versions"][package] = importlib.metadata.version(package)
    bench = Bench(options.device, options.quick, options.rounds, _say)
    peaks = bench.peaks()
    measured = []
    for workload in options.workloads:
        measured.append(bench.measure(workload))
        for line in report.lines(measured[-1]):
            _say(f"{line.workload}, against {line.against}: {line.interval.median:.2f}")
    text = report.markdown(measured, peaks, where)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text(text + "\n")
        raw = {
            "environment": where,
            "peaks": peaks,
            "workloads": [asdict(each) for each in measured],
        }
        options.out.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")
    problems = report.complaints(measured)
    for problem in problems:
        _say(problem)
    return 1 if problems else 0


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
