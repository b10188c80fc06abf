"""Options that several commands have alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CollectionOption = Annotated[
    str | None, typer.Option("--collection", metavar="NAME", help="Only this collection.", show_default=False)
]
DroidOption = Annotated[
    Path | None,
    typer.Option("--droid", metavar="FILE", help="DROID signature file of PRONOM.", show_default=False),
]
ContainerOption = Annotated[
    Path | None,
    typer.Option("--container", metavar="FILE", help="Container signature file of PRONOM.", show_default=False),
]
