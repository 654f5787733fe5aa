"""The glossary: Chinese and English words of what exists, and the command, option, field or value that carries each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from usermgmt.kernel import layout
from usermgmt.kernel.i18n import _, language

FILE = Path(__file__).with_name("glossary.tsv")


class Term(NamedTuple):
    """One word in both languages; ``places`` name what carries it, as ``command user close`` or ``field full_name``."""

    chinese: str
    english: str
    places: tuple[str, ...]


def terms() -> list[Term]:
    """Return every term, in the order of the file: by subject."""
    rows = (line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines()[1:])
    return [Term(chinese, english, tuple(places.split("; "))) for chinese, english, places in rows]


def glossary(width: int) -> str:
    """Return the glossary, the language of the invocation on the left."""
    rows = []
    for term in terms():
        pair = (term.chinese, term.english) if language() == "zh" else (term.english, term.chinese)
        rows.append((pair[0], f"{pair[1]}  ({', '.join(_name(place) for place in term.places)})"))
    words = _(
        "Keys, values, exit codes and audit actions are the same in every language; only words for people change."
    )
    return "\n\n".join([f"# {_('Glossary')}", layout.paragraphs(words, width), layout.table(rows, width)])


def _name(place: str) -> str:
    return place.partition(" ")[2]
