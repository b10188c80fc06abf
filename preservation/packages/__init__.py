"""Packages in: a folder, a ZIP, a tar or a given bag is claimed and received, and what was supplied is checked."""

from preservation.packages.descriptor import Descriptor, descriptor_findings, read_descriptor
from preservation.packages.limits import Limits
from preservation.packages.litter import Litter
from preservation.packages.receive import receive
from preservation.packages.received import Received
from preservation.packages.submission import Submission, claim, release, sweep
from preservation.packages.supplied import Supplied, check_supplied, supplied_from_bag

__all__ = [
    "Descriptor",
    "Limits",
    "Litter",
    "Received",
    "Submission",
    "Supplied",
    "check_supplied",
    "claim",
    "descriptor_findings",
    "read_descriptor",
    "receive",
    "release",
    "supplied_from_bag",
    "sweep",
]
