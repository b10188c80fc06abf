"""A Prefect server asked as Prefect's own client asks it: one that is busy just now is asked again."""

from __future__ import annotations

import time
from typing import Any

import httpx

PATIENCE = 120.0  # seconds
BUSY = 503


def asked(method: str, url: str, **body: Any) -> Any:
    """The answer as values, None where there is none. Raises httpx.HTTPStatusError for a refusal."""
    until = time.monotonic() + PATIENCE
    while True:
        late = time.monotonic() > until
        try:
            answer = httpx.request(method, url, json=None if method == "GET" else body, timeout=30)
        except httpx.TimeoutException:
            if late:
                raise
            continue
        if answer.status_code != BUSY or late:
            answer.raise_for_status()
            return answer.json() if answer.content else None
        time.sleep(1)
