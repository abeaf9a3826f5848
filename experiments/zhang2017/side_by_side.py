"""Our numbers beside the paper's: the table and the figure in this folder's README.

Source: Zhang et al. 2017, Tables 1 and 4, Fig. 1c, section 5; the numbers, and how sure each is,
stand in rote/studies/zhang2017/published.py, the claims in words, each with its test, in claims.py
beside it. The rule, fixed before a number was compared, is in rote/studies/comparison/rule.py.

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

import sys
from collections.abc import Sequence
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.zhang2017.paper import PAPER

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Runs the command, on the README, results and figures of ``folder``."""
    return command.run(PAPER, FOLDER, __doc__, argv, folder)


if __name__ == "__main__":
    sys.exit(main())
