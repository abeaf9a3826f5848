"""The command line of an experiment: typed flags in, a run directory out."""

from rote.cli.command import main
from rote.cli.launch import Job
from rote.cli.progress import Progress

__all__ = ["Job", "Progress", "main"]
