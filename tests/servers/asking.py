"""A Prefect server asked as Prefect's own client asks it: one whose database is busy just now is asked again."""

from __future__ import annotations

import time
from typing import Any

import httpx

PATIENCE = 60.0  # seconds
BUSY = 503


def asked(method: str, url: str, **body: Any) -> Any:
    """The answer as values, None where there is none. Raises httpx.HTTPStatusError for a refusal."""
    until = time.monotonic() + PATIENCE
    while True:
        answer = httpx.request(method, url, json=None if method == "GET" else body, timeout=30)
        if answer.status_code != BUSY or time.monotonic() > until:
            answer.raise_for_status()
            return answer.json() if answer.content else None
        time.sleep(1)
