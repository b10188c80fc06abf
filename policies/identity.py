"""Which producer's identifier a package goes by: a later package with the same one is its next version.

A folder's name is no identifier unless the policy says so: two deliveries named "0001" are two packages.
"""

from __future__ import annotations

from policies.model import Policy


def producer_identifier(policy: Policy, *, descriptor: str | None, bag_info: str | None, name: str) -> str | None:
    """The first identifier that `packaging.identifier_from` finds; None when the package carries none."""
    given = {"descriptor": descriptor, "bag-info": bag_info, "name": name}
    found = (given[place] for place in policy.packaging.identifier_from)
    return next((text.strip() for text in found if text and text.strip()), None)
