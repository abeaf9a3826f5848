"""He, Zhang, Ren and Sun 2015, "Deep residual learning for image recognition".

What its experiment shares with the lesson on residual nets: the nets, with shortcuts and without
(``nets``); and the training of the published ones (``recipe``).
"""

from rote.studies.he2015.nets import NETS, build, in_words
from rote.studies.he2015.recipe import learning_rate_schedule, subtract_mean

__all__ = ["NETS", "build", "in_words", "learning_rate_schedule", "subtract_mean"]
