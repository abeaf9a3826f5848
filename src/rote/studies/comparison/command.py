"""The command that puts our numbers beside a paper's, in the README of its experiments."""

import argparse
import importlib.util
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rote import viz
from rote.core import InputError
from rote.record import RunDir
from rote.storage import atomic
from rote.studies.comparison import page
from rote.studies.comparison.claims import Claim, judge_claims
from rote.studies.comparison.numbers import Recipe, compare
from rote.studies.comparison.published import Published
from rote.studies.comparison.results import collect, read_results, save


class Paper(NamedTuple):
    """What there is to compare with.

    Attributes:
      name: authors and year.
      published: its numbers; none, where it prints none.
      claims: what it says in words.
      columns: the columns of the experiments' tables that a result file keeps, beside ``measured``.
      measured: those of what a run has reached; one that diverged has reached nothing.
      recipe: what a model takes of a preset, where models have settings of their own.
    """

    name: str
    published: Sequence[Published]
    claims: Sequence[Claim]
    columns: Collection[str]
    measured: Collection[str]
    recipe: Recipe | None = None


def run(
    paper: Paper,
    experiments: Path,
    doc: str | None,
    argv: Sequence[str] | None = None,
    folder: Path | None = None,
) -> int:
    """Runs the command.

    Args:
      paper: what to compare with.
      experiments: the folder of their files, whose presets "paper" have the paper's settings.
      doc: what ``--help`` says first.
      argv: the arguments; by default the process's.
      folder: where README.md, results and figures are; by default the same.

    Returns:
      The exit code: 0, 1 if ``--check`` finds another text, 2 if an input cannot be used.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        epilog="Without an option it writes the tables into README.md, between its markers, and "
        "figures/side_by_side.png, where the paper has numbers.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--collect",
        nargs=2,
        metavar=("RUN_DIR", "NAME"),
        help="copy what the comparison needs of a finished run into results/NAME.json, to be "
        "committed",
    )
    modes.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if README.md is not what the result files give",
    )
    arguments = parser.parse_args(argv)
    folder = folder or experiments
    try:
        if arguments.collect:
            run_dir, name = arguments.collect
            columns = {*paper.columns, *paper.measured}
            print(save(collect(RunDir.open(run_dir), name, columns), folder / "results"))
            return 0
        text, rows = _comparison(paper, experiments, folder)
        return (
            _check(experiments, folder, text)
            if arguments.check
            else _write(paper, folder, text, rows)
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _write(paper: Paper, folder: Path, text: str, rows: Sequence[Mapping[str, Any]]) -> int:
    with atomic(folder / "README.md") as file:
        file.write(text.encode())
    if not rows:
        return 0
    figure = viz.side_by_side(rows, title=f"{paper.name}, side by side")
    with atomic(folder / "figures" / "side_by_side.png") as file:
        figure.savefig(file, format="png", dpi=150)
    return 0


def _check(experiments: Path, folder: Path, text: str) -> int:
    if text == (folder / "README.md").read_text(encoding="utf-8"):
        return 0
    print(
        "README.md is not what the result files give; run: "
        f"python experiments/{experiments.name}/side_by_side.py",
        file=sys.stderr,
    )
    return 1


def _comparison(paper: Paper, experiments: Path, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """What the README should say, and the rows of the figure."""
    results = read_results(folder / "results", paper.measured)
    names = {result.experiment for result in results} & {
        value.experiment for value in paper.published
    }
    presets = {name: _paper_preset(experiments, name) for name in names}
    compared = compare(paper.published, results, presets, paper.recipe)
    judged = judge_claims(paper.claims, results)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    text = page.insert(readme, page.section(experiments.name, compared, judged, results))
    return text, page.figure_rows(compared)


def _paper_preset(folder: Path, experiment: str) -> Any:
    """The preset of an experiment that has the paper's settings, out of its file."""
    path = folder / f"{experiment}.py"
    if not path.is_file():
        raise InputError(f"a result is of {experiment!r}, and there is no {path.name} here")
    spec = importlib.util.spec_from_file_location(experiment, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks for its module by name.
    sys.modules[experiment] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[experiment]
    return module.PRESETS["paper"]
