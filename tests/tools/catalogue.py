"""The Chinese catalogue: `--update` takes up new messages, `--check` fails where one is missing, wrong or not compiled.

Messages come from `_()`, `N_()` and `ngettext()` in the sources, from the docstrings of error classes (their templates)
and from the help of every command in the real tree.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import pkgutil
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import usermgmt
from usermgmt.kernel import tree
from usermgmt.kernel.errors import UsermgmtError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(usermgmt.__file__).parent
FOLDER = PACKAGE / "locale" / "zh" / "LC_MESSAGES"
PO, MO = FOLDER / "usermgmt.po", FOLDER / "usermgmt.mo"
MARKERS = {"_": 1, "N_": 1, "ngettext": 2}
PLACEHOLDER = re.compile(r"\{\w*(?::\w+)?\}")
HEADERS = ("Language", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")


class Dateless(Catalog):
    """A catalogue whose header says only what gettext reads, so that it changes only where a message does."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in super().mime_headers if name in HEADERS]


def empty() -> Catalog:
    """Return a catalogue without messages."""
    return Dateless(locale="zh", charset="utf-8", header_comment="# Chinese messages of usermgmt", fuzzy=False)


def from_sources() -> Iterator[str | tuple[str, str]]:
    """Yield what is marked in the sources."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (marker := ast.unparse(node.func).rpartition(".")[2]) in MARKERS:
                words = [arg.value for arg in node.args[: MARKERS[marker]] if isinstance(arg, ast.Constant)]
                if len(words) == MARKERS[marker] and all(isinstance(word, str) and word for word in words):
                    yield words[0] if len(words) == 1 else (words[0], words[1])


def from_errors() -> Iterator[str]:
    """Yield the templates of error classes that say something of their own."""
    for module in pkgutil.walk_packages([str(PACKAGE)], "usermgmt."):
        if ".migrations." not in module.name and not module.name.endswith((".__main__", ".verify_audit")):
            importlib.import_module(module.name)
    waiting = [UsermgmtError]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        words = (one.__doc__ or "").strip()
        if _speaks(words):
            yield words


def _speaks(words: str) -> bool:
    return any(char.isalpha() for char in PLACEHOLDER.sub("", words))


def from_commands() -> Iterator[str]:
    """Yield the help of every command, without its examples."""
    root = tree.root()
    waiting = [(root, name) for name in root.list_commands(None)]
    while waiting:
        group, name = waiting.pop()
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            waiting.extend((command, verb) for verb in command.list_commands(None))
        else:
            yield inspect.cleandoc(command.help or "").partition("\n\nExamples:\n")[0]


def messages() -> dict[str, str | tuple[str, str]]:
    """Return every message once, by its singular."""
    found: dict[str, str | tuple[str, str]] = {}
    for message in (*from_sources(), *from_errors(), *from_commands()):
        key = message if isinstance(message, str) else message[0]
        if key:
            found.setdefault(key, message)
    return dict(sorted(found.items()))


def load() -> Catalog:
    """Read the catalogue as it stands."""
    if not PO.exists():
        return empty()
    with PO.open("rb") as stream:
        return read_po(stream, locale="zh")


def update() -> None:
    """Write the catalogue with every message, translations kept, dead messages gone; and compile it."""
    old, new = load(), empty()
    for key, message in messages().items():
        known = old.get(key)
        new.add(message, known.string if known is not None else None)
    FOLDER.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    write_po(buffer, new, no_location=True, omit_header=False, sort_output=True, width=120)
    PO.write_text(buffer.getvalue().decode().rstrip("\n") + "\n")
    MO.write_bytes(compiled(load()))


def compiled(catalogue: Catalog) -> bytes:
    """Return the catalogue as gettext reads it."""
    buffer, plain = io.BytesIO(), empty()
    for entry in catalogue:
        if entry.id and not entry.fuzzy:
            plain.add(entry.id, entry.string)
    write_mo(buffer, plain)
    return buffer.getvalue()


def problems() -> Iterator[str]:
    """Yield what is wrong with the catalogue."""
    catalogue = load()
    wanted = messages()
    for key in wanted:
        entry = catalogue.get(key)
        texts = [] if entry is None else [entry.string] if isinstance(entry.string, str) else list(entry.string)
        if not texts or not all(texts):
            yield f"not translated: {key!r}"
        elif entry is not None and entry.fuzzy:
            yield f"fuzzy: {key!r}"
        elif any(sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(key)) for text in texts):
            yield f"other placeholders: {key!r}"
    known = (entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue if entry.id)
    yield from (f"dead: {key!r}" for key in known if key not in wanted)
    if not MO.exists() or MO.read_bytes() != compiled(catalogue):
        yield "the compiled catalogue is not that of the text: run --update"


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    asked = parser.parse_args()
    if asked.update:
        update()
    found = list(problems())
    for line in found:
        sys.stdout.write(line + "\n")
    return 1 if found and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
