"""Draws a page of verse as a scanner would see it: paper, grain, the shadow of the spine, and ink.

The only font at hand everywhere is Pillow's own, which has no Vietnamese letters. So each letter is drawn as
its base letter, and its marks as strokes over, under and through it. The same page gives the same pixels every time.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

PPI = 300
SIZE = (840, 1190)  # pixels: a pocket book of 71 by 101 mm at 300 ppi
LETTER = 34  # font size in pixels
LEADING = 92
MARGIN = (70, 190)

# Strokes of the combining marks, in units of 1/24 of the letter size, from the middle of the letter's top edge.
_ABOVE: dict[str, tuple[tuple[float, float], ...]] = {
    "\u0300": ((-3, -5), (1, -1)),  # grave: huyền
    "\u0301": ((3, -5), (-1, -1)),  # acute: sắc
    "\u0302": ((-4, -1), (0, -5), (4, -1)),  # circumflex
    "\u0303": ((-4, -2), (-2, -4), (2, -2), (4, -4)),  # tilde: ngã
    "\u0306": ((-4, -5), (-2, -2), (2, -2), (4, -5)),  # breve
    "\u0309": ((-2, -6), (1, -6), (1, -4), (-1, -1)),  # hook above: hỏi
}
_HORN, _DOT_BELOW, _STROKED = "\u031b", "\u0323", {"đ": "d", "Đ": "D"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word on the page and the box of its letters, in pixels from the top left corner."""

    text: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Page:
    """The picture (RGB) and, line by line, the words on it."""

    image: Image.Image
    lines: tuple[tuple[Word, ...], ...]


def draw_page(lines: Sequence[str], *, number: int, seed: int) -> Page:
    """One page; `seed` shapes its grain, `number` is printed at its foot."""
    ink = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(ink)
    font = ImageFont.load_default(LETTER)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    set_lines = tuple(
        _set_line(draw, font, line, baseline=MARGIN[1] + index * LEADING) for index, line in enumerate(lines)
    )
    _set_line(draw, font, str(number), baseline=SIZE[1] - 80, left=SIZE[0] // 2)
    page = ImageChops.multiply(ink, _paper(seed))
    return Page(ImageOps.colorize(page, black=(38, 30, 26), white=(248, 240, 222)), set_lines)


def _paper(seed: int) -> Image.Image:
    """Paper with a darker spine on the left and a few fibres: all from the seed."""
    width, height = SIZE
    spine = bytes(min(250, 205 + x * 2) & 0xFE for x in range(width))
    paper = Image.frombytes("L", SIZE, spine * height)
    specks = random.Random(seed).randbytes(width * height)  # noqa: S311 - grain, not a secret
    grain = Image.frombytes("L", SIZE, specks.translate(bytes([236] * 3 + [248] * 9 + [255] * 244)))
    return ImageChops.multiply(paper, grain)


def _set_line(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, line: str, *, baseline: int, left: int = MARGIN[0]
) -> tuple[Word, ...]:
    words: list[Word] = []
    x = float(left)
    for text in line.split():
        start = x
        for letter in unicodedata.normalize("NFC", text):
            x += _draw_letter(draw, font, letter, at=(x, baseline))
        words.append(Word(text, int(start), baseline - LETTER, int(x - start), LETTER + LETTER // 3))
        x += font.getlength(" ")
    return tuple(words)


def _draw_letter(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, letter: str, *, at: tuple[float, float]
) -> float:
    """Draw one letter standing on its baseline; gives its advance in pixels."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    plain = _STROKED.get(base, base)
    draw.text(at, plain, font=font, fill=0, anchor="ls")
    left, top, right, _ = font.getbbox(plain, anchor="ls")
    unit = LETTER / 24
    middle, top, right = at[0] + (left + right) / 2, at[1] + top, at[0] + right
    if base in _STROKED:
        y, x = (at[1] - 14 * unit, right - 2 * unit) if base == "đ" else (at[1] - 9 * unit, at[0] + 2 * unit)
        draw.line([(x - 4 * unit, y), (x + 4 * unit, y)], fill=0, width=2)
    for mark in marks:
        if mark == _DOT_BELOW:
            draw.ellipse([middle - 2, at[1] + 5 * unit - 2, middle + 2, at[1] + 5 * unit + 2], fill=0)
        elif mark == _HORN:
            draw.line([(right - unit, top + 2 * unit), (right + 2 * unit, top - 2 * unit)], fill=0, width=3)
        elif mark in _ABOVE:
            draw.line([(middle + x * unit, top + y * unit) for x, y in _ABOVE[mark]], fill=0, width=3)
            top -= 6 * unit  # a tone stands on top of a circumflex or a breve
    return font.getlength(plain)
