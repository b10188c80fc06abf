"""Packages in: a folder, a ZIP, a tar or a given bag is claimed and received, and what was supplied is checked."""

from preservation.packages.limits import Limits
from preservation.packages.litter import Litter
from preservation.packages.receive import receive
from preservation.packages.received import Received
from preservation.packages.submission import Submission, claim, release, sweep

__all__ = ["Limits", "Litter", "Received", "Submission", "claim", "receive", "release", "sweep"]
