"""The paper's claims beside what we measured: the tables in this folder's README.

Source: Choromanska et al. 2015. Its claims, each with a test fixed beforehand, stand in
rote/studies/choromanska2015/claims.py, its correlations, recalled only, in published.py there.

Command: python experiments/choromanska2015/side_by_side.py; --help says what its options do
"""

import functools
import sys
from pathlib import Path

from rote.studies.choromanska2015.paper import PAPER
from rote.studies.comparison import command

main = functools.partial(command.run, PAPER, Path(__file__).resolve().parent, __doc__)

if __name__ == "__main__":
    sys.exit(main())
