"""Small releases in PRONOM's form, made from the files that FIDO brings along: read in no time, and any number or day."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lxml import etree

from preservation.formats import kept

NEEDED = frozenset(
    {"fmt/353", "fmt/11", "fmt/18", "fmt/4", "fmt/101", "fmt/483", "x-fmt/263", "fmt/111", "fmt/189", "x-fmt/111"}
)
DROID, CONTAINER = "DROID_SignatureFile_V118.xml", "container-signature-20240501.xml"


@cache
def _trimmed() -> tuple[str, str]:
    twin = kept.fido_as_droid()
    assert twin is not None
    droid = etree.parse(twin.signatures).getroot()
    for known in list(droid.iterfind(".//{*}FileFormat")):
        if known.get("PUID") not in NEEDED:
            known.getparent().remove(known)
    wanted = {each.text for each in droid.iterfind(".//{*}InternalSignatureID")}
    for each in list(droid.iterfind(".//{*}InternalSignature")):
        if each.get("ID") not in wanted:
            each.getparent().remove(each)
    containers = etree.parse(twin.containers).getroot()
    named = {}
    for each in list(containers.iterfind(".//{*}FileFormatMapping")):
        named[each.get("signatureId")] = each.get("Puid")
        if each.get("Puid") not in NEEDED:
            each.getparent().remove(each)
    for each in list(containers.iterfind(".//{*}ContainerSignature")):
        if named[each.get("Id")] not in NEEDED:
            each.getparent().remove(each)
    return etree.tostring(droid, encoding="unicode"), etree.tostring(containers, encoding="unicode")


def release_in(folder: Path, *, number: str = "118", dated: str = "2024-04-29") -> Path:
    """A folder with a small release of that number, its container signatures always of 2024-05-01."""
    droid, containers = _trimmed()
    folder.mkdir(parents=True, exist_ok=True)
    droid = droid.replace('Version="109"', f'Version="{number}"', 1).replace("2022-11-01T", f"{dated}T", 1)
    (folder / f"DROID_SignatureFile_V{number}.xml").write_text(droid, "utf-8")
    (folder / CONTAINER).write_text(containers, "utf-8")
    return folder
