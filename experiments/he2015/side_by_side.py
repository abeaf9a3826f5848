"""The paper's numbers and claims beside what we measured: the tables in this folder's README.

Source: He et al. 2015; its test errors stand in rote/studies/he2015/published.py, its claims, each
with a test fixed beforehand, in claims.py there.

Command:
  python experiments/he2015/side_by_side.py --collect RUN_DIR NAME
      copies what the comparison needs of a finished run into results/NAME.json, to be committed
  python experiments/he2015/side_by_side.py
      writes the tables into README.md, between its markers
  python experiments/he2015/side_by_side.py --check
      exits with 1 if the README is not what the result files give
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.he2015.paper import PAPER

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Runs the command, on the README and results of ``folder``."""
    return command.run(PAPER, FOLDER, __doc__, argv, folder)


if __name__ == "__main__":
    sys.exit(main())
