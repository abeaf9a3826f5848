"""Zhang et al. 2017, "Understanding deep learning requires rethinking generalization".

What its experiments share: the settings (``settings``), the trainings of a figure or table
(``cases``), looking at them first (``look``), training them (``training``, and ``redraw`` with
labels that do not stay the same), and the tables that come out (``outcomes``). What its results are
held against: the numbers (``published``) and claims (``claims``, tested by ``findings``) of the
paper, put together in ``paper``.
"""

from rote.studies.zhang2017.cases import (
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
    describe_data,
    finish,
    grouped,
    learning_order,
    outcomes,
    present,
    ratio_to_clean,
    title,
    top_k_accuracy,
)
from rote.studies.zhang2017.redraw import train_redrawn
from rote.studies.zhang2017.settings import (
    RECIPES,
    Recipe,
    preprocessing,
    resolve,
    settled,
    weight_decay_of,
)
from rote.studies.zhang2017.training import FITTED, train

__all__ = [
    "FITTED",
    "MEMORIZATION",
    "RECIPES",
    "Case",
    "Recipe",
    "Row",
    "by_net",
    "condition_cases",
    "corruption_cases",
    "curves",
    "describe_data",
    "expand",
    "finish",
    "grouped",
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
    "top_k_accuracy",
    "train",
    "train_redrawn",
    "weight_decay_of",
]
