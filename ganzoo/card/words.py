"""Words for a model's card: a stranger's, made harmless, and numbers."""

from __future__ import annotations

import html
import unicodedata

from ganzoo.model_folder import REPO
from ganzoo.variant import Json

SPECIAL = "\\[]*~"
"""Letters that mean something to Markdown wherever they stand."""
NO_LETTERS = ("Cc", "Cs", "Zl", "Zp")
"""The categories of Unicode for controls, halves of pairs, and ends of lines and paragraphs."""
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What decides in which direction the letters after it are read."""


def title_of(name: str) -> str:
    """What a card calls the model that ``ganzoo.load`` finds as ``name``: the last part of it."""
    name = readable(name)
    repo = name.partition("@")[0]
    # A path may have an @ in it, and a revision a slash.
    return (repo if REPO.fullmatch(repo) else name).rstrip("/").rpartition("/")[2] or name


def readable(name: str) -> str:
    """``name`` on one line, and \N{REPLACEMENT CHARACTER} for what is no letter, or would turn around those beside it."""
    told = "".join(c if unicodedata.category(c) not in NO_LETTERS and c not in TURNING else "\ufffd" for c in name)
    return told if told.strip() else "model"


def count(value: Json) -> str:
    """A whole number, for people; ``?`` for what is none."""
    return f"{value:,}" if isinstance(value, int) else "?"


def line(value: Json) -> str:
    """A stranger's words on one line."""
    return " ".join(str(value).split())


def cell(value: Json) -> str:
    """A stranger's words as they may stand in a table or a sentence: on one line, no column, link or tag of their own."""
    words = line(value).replace("|", "/").replace("`", "'")
    words = html.escape("".join(f"\\{letter}" if letter in SPECIAL else letter for letter in words), quote=False)
    # What looks like an address becomes a link without any brackets.
    for letters, code in (("://", "&#58;//"), ("www.", "www&#46;"), ("WWW.", "WWW&#46;"), ("@", "&#64;")):
        words = words.replace(letters, code)
    return words
