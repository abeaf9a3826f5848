"""The paper's claims beside what we measured: the tables in this folder's README.

Source: Smith et al. 2021; its claims, each with a test fixed beforehand, stand in
rote/studies/smith2021/claims.py. Its curves have no printed numbers that we know of, so there are
none here.

Command: python experiments/smith2021/side_by_side.py; --help says what its options do
"""

import functools
import sys
from pathlib import Path

from rote.studies.comparison import command
from rote.studies.smith2021.paper import PAPER

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
