"""A bag profile to change in one place, and a bag that keeps to it."""

from __future__ import annotations

from typing import Any

IDENTIFIER = "https://thuvien.example.vn/bagit/so-hoa-1.0.json"
INFO = f"BagIt-Profile-Identifier: {IDENTIFIER}\nSource-Organization: Thư viện Hà Nội\n"


def a_profile(*, info: dict[str, Any] | None = None, labels: dict[str, Any] | None = None, **changes: Any) -> dict:
    """A small whole profile; `changes` replace fields (underscores stand for dashes), None leaves one out."""
    profile: dict[str, Any] = {
        "BagIt-Profile-Info": {
            "BagIt-Profile-Identifier": IDENTIFIER,
            "BagIt-Profile-Version": "1.4.0",
            "Source-Organization": "Thư viện Hà Nội",
            "External-Description": "Scanned books",
            "Version": "1.0",
            **(info or {}),
        },
        "Bag-Info": {"Source-Organization": {"required": True}} if labels is None else labels,
        "Manifests-Required": ["sha256"],
        "Accept-BagIt-Version": ["1.0"],
    }
    profile |= {name.replace("_", "-"): value for name, value in changes.items()}
    profile["BagIt-Profile-Info"] = {k: v for k, v in profile["BagIt-Profile-Info"].items() if v is not None}
    return {name: value for name, value in profile.items() if value is not None}
