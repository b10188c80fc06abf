"""The peers' programs, in an environment of their own (bench/constraints.txt; `make bench` installs it)."""

from __future__ import annotations

import os
from pathlib import Path

HOME = Path(os.environ.get("VANKHO_PEERS") or Path(__file__).resolve().parents[1] / ".venv-bench")
PYTHON = HOME / "bin" / "python"


def there() -> bool:
    """Whether they are installed."""
    return PYTHON.is_file()


def tool(name: str) -> Path:
    """One of them. Raises FileNotFoundError with what to do when it is not there."""
    path = HOME / "bin" / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} is not installed: run `make .venv-bench/.installed`")
    return path
