"""The numbers of Choromanska et al. (2015): recalled only, so nothing is judged by them."""

from rote.studies.comparison import Published

CORRELATIONS = {25: 0.7616, 50: 0.6861, 100: 0.5983, 250: 0.5302, 500: 0.4081}
"""Of training loss and test loss over 1,000 nets, by hidden units."""

PUBLISHED = tuple(
    Published(
        "Experiments",
        f"{width} hidden units",
        "correlation",
        value,
        "recalled",
        "minima",
        {"kind": "width", "width": width},
        dataset="mnist",
        margin=None,
        drawn=False,
        without=("nets",),
    )
    for width, value in CORRELATIONS.items()
)
