"""PRONOM's release files from the network: the newest pair that a page lists, or that a folder of a web server does.

Bounded in size and in time, also against a server that gives one byte at a time; only HTTPS is followed from HTTPS;
what came short is an error, never a file. What is fetched here is judged elsewhere before anything is replaced.
"""

from __future__ import annotations

import http.client
import queue
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urljoin, urlsplit

from flows.settings_files import holds_credentials
from preservation.errors import PreservationError, UsageError
from preservation.formats.pronom.facts import SignatureFiles
from wording import Message, say

PAGE = "https://www.nationalarchives.gov.uk/aboutapps/pronom/droid-signature-files.htm"
LARGEST = {"page": 4 << 20, "file": 64 << 20}  # bytes; today's signature file has four million
TOGETHER = 300.0  # seconds for the page and both files
SILENCE = 30.0  # seconds without a byte

_SIGNATURES = re.compile(r"DROID_SignatureFile[_-]V(\d{1,6})\.xml", re.IGNORECASE)
_CONTAINERS = re.compile(r"container-signature-(\d{8})\.xml", re.IGNORECASE)
_LINK = re.compile(r"""href\s*=\s*["']?([^"'\s>]{1,2000})""", re.IGNORECASE)


class PronomUnreachable(PreservationError):
    """The release could not be fetched; what is in use stays in use."""


def fetch_newest(url: str, into: Path, *, together: float = TOGETHER, silence: float = SILENCE) -> SignatureFiles:
    """Fetch the newest signature file and container signature file that the page links to.

    Raises UsageError for an address that cannot be used, PronomUnreachable for everything that went wrong.
    """
    _check(url)
    answers: queue.SimpleQueue[SignatureFiles | Exception] = queue.SimpleQueue()

    def fetch() -> None:
        try:
            answers.put(_fetch(url, into, time.monotonic() + together, silence))
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            answers.put(error)

    # In a thread that can be left behind: a name server, or headers that come a byte at a time, keep to no timeout.
    threading.Thread(target=fetch, daemon=True).start()
    try:
        found = answers.get(timeout=together + 1)
    except queue.Empty:
        raise _gone(url, say("it took too long")) from None
    if isinstance(found, Exception):
        raise found
    return found


def _fetch(url: str, into: Path, until: float, silence: float) -> SignatureFiles:
    page, base = _text(url, until, silence)
    links = [urljoin(base, unquote(link.replace("&amp;", "&"))) for link in _LINK.findall(page)]
    found = []
    for pattern in (_SIGNATURES, _CONTAINERS):
        newest = newest_of(pattern, links)
        if newest is None:
            raise PronomUnreachable(
                say("The page lists no signature files of PRONOM."),
                where=url,
                expected="DROID_SignatureFile_Vnnn.xml, container-signature-YYYYMMDD.xml",
                seen=f"{len(links)} links",
                next_step=_by_hand(),
            )
        file = into / _name(newest)
        _save(newest, file, until, silence)
        found.append(file)
    return SignatureFiles(*found)


def newest_in(folder: Path) -> SignatureFiles | None:
    """The newest pair of release files in a folder; None when one of the two is not there."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    found = [newest_of(pattern, names) for pattern in (_SIGNATURES, _CONTAINERS)]
    return None if None in found else SignatureFiles(*(folder / str(name) for name in found))


def newest_of(pattern: re.Pattern[str], links: list[str]) -> str | None:
    """Of links or names, the one with the greatest number."""
    numbered = [(int(found[1]), link) for link in links if (found := pattern.fullmatch(_name(link)))]
    return max(numbered)[1] if numbered else None


def _name(link: str) -> str:
    return urlsplit(link).path.rsplit("/", 1)[-1]


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or holds_credentials(url):
        raise UsageError(
            say("This address cannot be used to fetch signatures from."),
            where="--url",
            expected="https://host/page",
            seen=parts.scheme or "–",
            next_step=say("Name a page on the web without user name or password, or give the files with --droid."),
        )


class _Wary(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from HTTPS to something else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The new request. Raises URLError for an address that is less safe."""
        if urlsplit(newurl).scheme != "https" and urlsplit(req.full_url).scheme == "https":
            raise URLError("redirected away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _pieces(url: str, most: int, until: float, silence: float) -> Iterator[tuple[str, bytes]]:
    """(Address it came from at last, bytes) as they come. Raises PronomUnreachable."""
    request = urllib.request.Request(url, headers={"User-Agent": "vankho"})  # noqa: S310 - http and https alone
    opener = urllib.request.build_opener(_Wary)
    try:
        with opener.open(request, timeout=min(silence, max(1.0, until - time.monotonic()))) as answer:
            length = answer.headers.get("Content-Length")
            got = 0
            while piece := answer.read1(1 << 16):
                got += len(piece)
                if got > most:
                    raise _gone(url, say("more than {most} bytes", most=most))
                if time.monotonic() > until:
                    raise _gone(url, say("it took too long"))
                yield answer.url, piece
            if length is not None and length.isdigit() and got != int(length):
                raise _gone(url, say("{got} of {all} bytes came", got=got, all=int(length)))
    except HTTPError as error:
        raise _gone(url, f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _gone(url, f"{type(error).__name__}: {error}") from error


def _text(url: str, until: float, silence: float) -> tuple[str, str]:
    base, text = url, bytearray()
    for base, piece in _pieces(url, LARGEST["page"], until, silence):  # noqa: B007 - the last one counts
        text += piece
    return text.decode("utf-8", "replace"), base


def _save(url: str, file: Path, until: float, silence: float) -> None:
    _check(url)
    with file.open("wb") as out:
        for _, piece in _pieces(url, LARGEST["file"], until, silence):
            out.write(piece)


def _gone(url: str, reason: str | Message) -> PronomUnreachable:
    return PronomUnreachable(
        say("The signatures could not be fetched: {reason}", reason=reason), where=url, next_step=_by_hand()
    )


def _by_hand() -> Message:
    return say(
        "Nothing was changed. Try again later, or fetch DROID's signature file and container signature file with "
        "another computer and give them with --droid and --container."
    )
