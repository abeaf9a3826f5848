"""The paper's numbers and claims beside what we measured: the tables in this folder's README.

Source: He et al. 2015; its test errors stand in rote/studies/he2015/published.py, its claims, each
with a test fixed beforehand, in claims.py there.

Command: python experiments/he2015/side_by_side.py; --help says what its options do
"""

import functools
import sys
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.he2015.paper import PAPER

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
