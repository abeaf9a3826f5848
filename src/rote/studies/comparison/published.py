"""A number that a paper prints, how sure it is, and where ours comes from.

Values are fractions, not percent. How sure a number is, is said by its ``tag``:

* ``verified``: read in the paper's text or in its authors' code;
* ``second-hand``: read in third parties' notes on the paper, which agree with one another;
* ``computed``: follows from such numbers by arithmetic;
* ``recalled``: from memory, without a source at hand. Nothing is judged by it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rote.studies.comparison.rule import Tag

TEST_MARGIN = 0.01
"""A test accuracy (or error) this close counts as the same."""
TRAIN_MARGIN = 0.003
"""A train accuracy this close counts as the same."""
FULL_SIZE = {"cifar10": 50_000, "mnist": 60_000, "imagenet2012": 1_281_167}
"""Training images of the sets that papers used."""


class Published(NamedTuple):
    """One number of the paper.

    Attributes:
      where: table, figure or section.
      what: the setting, in words.
      column: the column of our tables with this quantity.
      value: the number; an accuracy or an error is a fraction.
      tag: how sure it is.
      experiment: whose table has our number.
      match: which rows: a value per column; ``True`` and ``False`` stand for "not 0" and "0" too.
      dataset: what the paper used.
      margin: the difference that counts as none; ``None`` where no margin was fixed.
      drawn: whether runs differ at all; the solution of a linear system does not.
      without: settings of the experiment that have no part in this number.
      otherwise: what our experiment has otherwise than the paper whatever the settings.
    """

    where: str
    what: str
    column: str
    value: float
    tag: Tag
    experiment: str
    match: Mapping[str, Any]
    dataset: str = "cifar10"
    margin: float | None = TEST_MARGIN
    drawn: bool = True
    without: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
