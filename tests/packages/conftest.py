"""Deliveries for the tests: a package goes in as a producer would hand it over, and the answer comes out."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages import Limits, Litter, Received, claim, receive, release
from preservation.progress import Progress, Silent


@dataclass
class Delivery:
    """What came of one delivery: the received package, or None with the findings of the refusal."""

    received: Received | None
    findings: tuple[Finding, ...]

    @property
    def codes(self) -> list[str]:
        return sorted(finding.code for finding in self.findings)

    @property
    def errors(self) -> list[tuple[str, str | None]]:
        return sorted((f.code, f.path) for f in self.findings if f.severity is Severity.ERROR)

    @property
    def files(self) -> dict[str, bytes]:
        assert self.received is not None
        return {fact.path: (self.received.payload / fact.path).read_bytes() for fact in self.received.inventory}


Deliver = Callable[..., Delivery]


@pytest.fixture
def deliver(tmp_path: Path) -> Iterator[Deliver]:
    submissions = []

    def _deliver(
        source: Path,
        *,
        litter: Litter = Litter.SET_ASIDE,
        algorithms: frozenset[str] = frozenset({"sha256"}),
        progress: Progress | None = None,
        limits: Limits | None = None,
    ) -> Delivery:
        try:
            submission = claim(source, staging=tmp_path / "staging", submission_id=f"s{len(submissions)}")
        except PackageUnreadable as error:
            return Delivery(None, error.findings)
        submissions.append(submission)
        try:
            received = receive(
                submission,
                algorithms=algorithms,
                litter=litter,
                progress=progress or Silent(),
                limits=limits or Limits(),
            )
        except PackageUnreadable as error:
            return Delivery(None, error.findings)
        return Delivery(received, received.findings)

    yield _deliver
    for submission in submissions:
        release(submission)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    def _make(files: Mapping[str, bytes], *, name: str = "book") -> Path:
        root = tmp_path / "given" / name
        root.mkdir(parents=True)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root

    return _make


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    def _make(files: Mapping[str, bytes], *, name: str = "book.zip", method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for entry, content in files.items():
                archive.writestr(entry, content)
        return path

    return _make


@pytest.fixture
def make_tar(tmp_path: Path) -> Callable[..., Path]:
    def _make(
        files: Mapping[str, bytes | tarfile.TarInfo], *, name: str = "book.tar", format: int = tarfile.PAX_FORMAT
    ) -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w", format=format) as archive:
            for entry, content in files.items():
                if isinstance(content, tarfile.TarInfo):
                    archive.addfile(content)
                    continue
                info = tarfile.TarInfo(entry)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return _make
