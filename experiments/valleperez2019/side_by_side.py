"""What the paper claims in words, each claim judged on our runs: the table in this folder's README.

Source: Valle-Perez, Camargo, Louis 2019. It prints no numbers to compare with; the claims, and the
test of each, fixed before a run was made, stand in rote/studies/valleperez2019/claims.py.

Command:
  python experiments/valleperez2019/side_by_side.py --collect RUN_DIR NAME
      copies what the comparison needs of a finished run into results/NAME.json, to be committed
  python experiments/valleperez2019/side_by_side.py
      writes the tables into README.md, between its markers
  python experiments/valleperez2019/side_by_side.py --check
      exits with 1 if the README is not what the result files give
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.valleperez2019.paper import PAPER

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Runs the command, on the README and results of ``folder``."""
    return command.run(PAPER, FOLDER, __doc__, argv, folder)


if __name__ == "__main__":
    sys.exit(main())
