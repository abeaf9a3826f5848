"""Zhang et al. 2017, "Understanding deep learning requires rethinking generalization".

What its experiments share: the settings (``settings``), the trainings of a figure or table
(``cases``), looking at them first (``look``), training them (``training``, and ``redraw`` with
labels that do not stay the same), what they reach (``outcomes``), and what a run leaves behind
(``report``). Nothing is trained in ``expressivity``, Theorem 1's network. What its results are held
against: the numbers (``published``) and claims (``claims``, tested by ``findings``) of the paper,
put together in ``paper``.
"""

from rote.studies.zhang2017.cases import (
    LABELS,
    Case,
    condition_cases,
    corruption_cases,
    expand,
    load,
)
from rote.studies.zhang2017.look import look
from rote.studies.zhang2017.outcomes import (
    MEMORIZATION,
    Row,
    by_net,
    curves,
    learning_order,
    outcomes,
    ratio_to_clean,
)
from rote.studies.zhang2017.redraw import train_redrawn
from rote.studies.zhang2017.report import finish, present, title
from rote.studies.zhang2017.settings import (
    Recipe,
    check_compared,
    preprocessing,
    resolve,
    settled,
    weight_decay_of,
)
from rote.studies.zhang2017.training import FITTED, train

__all__ = [
    "FITTED",
    "LABELS",
    "MEMORIZATION",
    "Case",
    "Recipe",
    "Row",
    "by_net",
    "check_compared",
    "condition_cases",
    "corruption_cases",
    "curves",
    "expand",
    "finish",
    "learning_order",
    "load",
    "look",
    "outcomes",
    "preprocessing",
    "present",
    "ratio_to_clean",
    "resolve",
    "settled",
    "title",
    "train",
    "train_redrawn",
    "weight_decay_of",
]
