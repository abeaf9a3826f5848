"""Figures: one function per kind of plot; a table (a list of dicts) in, a figure out.

The figures are ``matplotlib.figure.Figure`` objects made without ``pyplot``: no global state, no
style left behind. Save them with ``RunDir.save_figure`` or ``figure.savefig``.
"""

from rote.viz.accuracies import accuracies
from rote.viz.corruption import corruption_sweep, test_error, time_to_fit
from rote.viz.curves import learning_curves
from rote.viz.learning_order import learning_order
from rote.viz.linear import distances, norm_and_error

__all__ = [
    "accuracies",
    "corruption_sweep",
    "distances",
    "learning_curves",
    "learning_order",
    "norm_and_error",
    "test_error",
    "time_to_fit",
]
