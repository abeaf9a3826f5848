"""Quantities of a trained net that tell learning from memorising."""

from rote.measure.examples import forgetting_counts, learned_epochs

__all__ = ["forgetting_counts", "learned_epochs"]
