"""Santurkar, Tsipras, Ilyas and Madry 2018, "How does batch normalization help optimization?".

What its experiment shares with the lesson on batch norm: the nets with and without it (``nets``),
a training that is looked at as it goes (``course``), and what is seen there (``landscape``).
"""

from rote.studies.santurkar2018.course import Look, looks_along
from rote.studies.santurkar2018.landscape import LANDSCAPE, landscape
from rote.studies.santurkar2018.nets import NETS, Net, chain, noise, vgg

__all__ = [
    "LANDSCAPE",
    "NETS",
    "Look",
    "Net",
    "chain",
    "landscape",
    "looks_along",
    "noise",
    "vgg",
]
