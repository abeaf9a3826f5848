"""Figures: one function per kind of plot; a table (a list of dicts) in, a figure out.

The figures are ``matplotlib.figure.Figure`` objects made without ``pyplot``: no global state, no
style left behind. Save them with ``RunDir.save_figure`` or ``figure.savefig``.
"""

from rote.viz.accuracies import accuracies
from rote.viz.bubbles import bubbles
from rote.viz.comparison import side_by_side
from rote.viz.corruption import corruption_sweep, test_error, time_to_fit
from rote.viz.curves import learning_curves
from rote.viz.dashboard import dashboard
from rote.viz.descent import descent_paths, valleys
from rote.viz.fitted_lines import fitted_lines
from rote.viz.graph import computation_graph
from rote.viz.heat_map import heat_map
from rote.viz.histograms import histograms
from rote.viz.images import confidences, feature_maps, image_grid
from rote.viz.learning_order import learning_order
from rote.viz.linear import distances, norm_and_error
from rote.viz.lines import lines
from rote.viz.range_test import range_test
from rote.viz.regions import Plane, decision_regions
from rote.viz.representation import Frame, representation_film, representation_stills
from rote.viz.simplicity import probability_and_complexity, probability_rank
from rote.viz.spread import spread
from rote.viz.trade_off import trade_off

__all__ = [
    "Frame",
    "Plane",
    "accuracies",
    "bubbles",
    "computation_graph",
    "confidences",
    "corruption_sweep",
    "dashboard",
    "decision_regions",
    "descent_paths",
    "distances",
    "feature_maps",
    "fitted_lines",
    "heat_map",
    "histograms",
    "image_grid",
    "learning_curves",
    "learning_order",
    "lines",
    "norm_and_error",
    "probability_and_complexity",
    "probability_rank",
    "range_test",
    "representation_film",
    "representation_stills",
    "side_by_side",
    "spread",
    "test_error",
    "time_to_fit",
    "trade_off",
    "valleys",
]
