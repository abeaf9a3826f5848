"""What the paper claims in words, each claim judged on our runs: the table in this folder's README.

Source: Arpit et al. 2017. It prints no numbers to compare with; the claims, and the test of each,
fixed before a run was made, stand in rote/studies/arpit2017, a module for each experiment.

Command:
  python experiments/arpit2017/side_by_side.py --collect RUN_DIR NAME
      copies what the comparison needs of a finished run into results/NAME.json, to be committed
  python experiments/arpit2017/side_by_side.py
      writes the tables into README.md, between its markers
  python experiments/arpit2017/side_by_side.py --check
      exits with 1 if the README is not what the result files give
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rote.studies.arpit2017.paper import PAPER
from rote.studies.comparison import command

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Runs the command, on the README and results of ``folder``."""
    return command.run(PAPER, FOLDER, __doc__, argv, folder)


if __name__ == "__main__":
    sys.exit(main())
