"""What the paper claims in words, each claim judged on our runs: the table in this folder's README.

Source: Valle-Perez, Camargo, Louis 2019. It prints no numbers to compare with; the claims, and the
test of each, fixed before a run was made, stand in rote/studies/valleperez2019/claims.py.

Command: python experiments/valleperez2019/side_by_side.py; --help says what its options do
"""

import functools
import sys
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.valleperez2019.paper import PAPER

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
