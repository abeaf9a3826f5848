"""Our numbers beside the paper's: the table and the figure in this folder's README.

Source: Zhang et al. 2017, Tables 1 and 4, Fig. 1c, section 5; the numbers, and how sure each is,
stand in rote/studies/published.py. The rule is in rote/studies/comparison.py and was fixed before a
number was compared; the claims in words, each with its test, are in rote/studies/claims.py.

Command:
  python experiments/zhang2017/side_by_side.py --collect RUN_DIR NAME
      copies what the comparison needs of a finished run into results/NAME.json, to be committed
  python experiments/zhang2017/side_by_side.py
      writes the tables into README.md, between its markers, and figures/side_by_side.png
  python experiments/zhang2017/side_by_side.py --check
      exits with 1 if the README is not what the result files give

A run is comparable if it has the settings of its experiment's preset "paper", on the data that the
paper had; so this command reads the presets from the files beside it.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.core import InputError
from rote.record import RunDir
from rote.storage import atomic
from rote.studies import side_by_side
from rote.studies.claims import claims, judge_claims
from rote.studies.comparison import compare
from rote.studies.published import PUBLISHED
from rote.studies.results import collect, read_results, save
from rote.viz.comparison import side_by_side as draw

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Runs the command.

    Args:
      argv: the arguments; by default the process's.
      folder: where README.md, results and figures are.

    Returns:
      The exit code: 0, 1 if ``--check`` finds another text, 2 if an input cannot be used.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--collect", nargs=2, metavar=("RUN_DIR", "NAME"))
    modes.add_argument("--check", action="store_true")
    arguments = parser.parse_args(argv)
    try:
        if arguments.collect:
            run_dir, name = arguments.collect
            print(save(collect(RunDir.open(run_dir), name), folder / "results"))
            return 0
        return _check(folder) if arguments.check else _write(folder)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _write(folder: Path) -> int:
    text, rows = _comparison(folder)
    with atomic(folder / "README.md") as file:
        file.write(text.encode())
    figure = draw(rows, title="Zhang et al. 2017, side by side")
    with atomic(folder / "figures" / "side_by_side.png") as file:
        figure.savefig(file, format="png", dpi=150)
    return 0


def _check(folder: Path) -> int:
    text, _ = _comparison(folder)
    if text == (folder / "README.md").read_text(encoding="utf-8"):
        return 0
    print(
        "README.md is not what the result files give; run: "
        "python experiments/zhang2017/side_by_side.py",
        file=sys.stderr,
    )
    return 1


def _comparison(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """What the README should say, and the rows of the figure."""
    results = read_results(folder / "results")
    names = {result.experiment for result in results} & {value.experiment for value in PUBLISHED}
    compared = compare(PUBLISHED, results, {name: _paper_preset(name) for name in names})
    judged = judge_claims(claims(), results)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    text = side_by_side.insert(readme, side_by_side.section(compared, judged, results))
    return text, side_by_side.figure_rows(compared)


def _paper_preset(experiment: str) -> Any:
    """The preset of an experiment that has the paper's settings, out of its file."""
    path = FOLDER / f"{experiment}.py"
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


if __name__ == "__main__":
    sys.exit(main())
