"""Our numbers beside the paper's: the table and the figure in this folder's README.

Source: Zhang et al. 2017, Tables 1, 2 and 4, Fig. 1c, section 5; the numbers, and how sure each is,
stand in rote/studies/zhang2017/published.py, the claims in words, each with its test, in claims.py
beside it. The rule, fixed before a number was compared, is in rote/studies/comparison/rule.py.

Command: python experiments/zhang2017/side_by_side.py; --help says what its options do

A run is comparable if it has the settings of its experiment's preset "paper", on the data that the
paper had; so this command reads the presets from the files beside it.
"""

import functools
import sys
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.zhang2017.paper import PAPER

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
