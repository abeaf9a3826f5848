"""What a run leaves behind: the run directory, and where it happened."""

from rote.record.claim import Claim
from rote.record.environment import environment
from rote.record.rundir import RunDir

__all__ = ["Claim", "RunDir", "environment"]
