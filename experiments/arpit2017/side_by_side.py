"""What the paper claims in words, each claim judged on our runs: the table in this folder's README.

Source: Arpit et al. 2017. It prints no numbers to compare with; the claims, and the test of each,
fixed before a run was made, stand in rote/studies/arpit2017, a module for each experiment.

Command: python experiments/arpit2017/side_by_side.py; --help says what its options do
"""

import functools
import sys
from pathlib import Path

from rote.studies.arpit2017.paper import PAPER
from rote.studies.comparison import command

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
