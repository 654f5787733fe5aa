"""Writes what is generated from the program itself; `--check` only compares, and exits 1 where something drifted.

docs/commands.md, docs/audit-actions.md, the tables of docs/reliability.md, completions/*, and tests/golden/surface.txt:
one line for everything that a script can rely on, so that a change of the surface shows in a review as a changed line.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parents[1] / "faults"))
import page

from usermgmt.domains.completion import cli as completion
from usermgmt.domains.help import reference
from usermgmt.domains.help.topics import TOPICS
from usermgmt.kernel import events, i18n, tree
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.layout import WIDEST
from usermgmt.kernel.permissions import P
from usermgmt.kernel.settings import TABLE
from usermgmt.kernel.settings_attributes import FAMILY
from usermgmt.kernel.settings_values import written

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
DOCS = TOP / "usermgmt" / "docs"
# Options that every command, or every answer, has: one line each instead of one per command
SHARED = {"help", "output_format", "as_json", "fields", "jq", "utc", "no_header", "dry_run", "reason"}


def files() -> dict[Path, str]:
    """Return every generated file with what it has to hold."""
    i18n.use("en")
    made = {
        DOCS / "commands.md": reference.commands(WIDEST) + "\n",
        DOCS / "audit-actions.md": audit_actions(),
        DOCS / "reliability.md": page.filled((DOCS / "reliability.md").read_text()),
        TOP / "tests" / "golden" / "surface.txt": "\n".join(surface()) + "\n",
    }
    scripts = Path(completion.__file__).parent
    return made | {TOP / "completions" / name: (scripts / name).read_text() for name in completion.FILES.values()}


def audit_actions() -> str:
    """Return the page of audit actions; what each means is the comment beside it."""
    rows = re.findall(r'^    [A-Z_]+ = "([a-z.\-_]+)"  # (.+)$', Path(events.__file__).read_text(), re.MULTILINE)
    assert len(rows) == len(events.E), "an action without its meaning"
    width = max(len(action) for action, _meaning in rows)
    lines = (f"    {action:{width}}  {meaning[0].upper()}{meaning[1:]}." for action, meaning in rows)
    words = (
        "Every entry of the audit log has one of these as its `action`. A refused command leaves one whose action is\n"
        "the command itself (`user.suspend`), with the outcome `denied` or `failed`."
    )
    return "\n".join(["# Audit actions", "", words, "", *lines, ""])


def surface() -> Iterator[str]:
    """Yield a line for each thing that scripts rely on."""
    for one in tree.root().params:
        yield f"global {'/'.join(sorted(one.opts, key=len))} {tree.metavar(one)}".rstrip()
    for ctx in tree.leaves():
        yield from command_surface(tree.command_path(ctx).partition(" ")[2], ctx.command)
    yield from (f"exit {int(code)} {code.word}" for code in Exit)
    yield from (f"permission {permission}" for permission in P)
    yield from (f"action {action}" for action in events.E)
    yield from (f"setting {row.key} {row.kind} {written(row, row.default)!r}" for row in (*TABLE, *FAMILY))
    yield from sorted({f"error {one.code} {int(one.exit)}" for one in reference.error_classes()})
    yield from (f"topic {topic.name}" for topic in TOPICS)


def command_surface(name: str, command: tree.Command) -> Iterator[str]:
    """Yield the lines of one command."""
    spec = command.spec
    traits = [word for word in ("writes", "chunks", "files", "confirms", "versioned", "reveals") if getattr(spec, word)]
    yield f"command {name}: {' '.join([f'may={spec.may}' if spec.may else 'no permission', *traits])}"
    for one in command.params:
        if one.hidden or one.name in SHARED:
            continue
        kind = "argument" if one.param_type_name == "argument" else "option"
        many = "..." if one.nargs != 1 or getattr(one, "multiple", False) else ""
        names = (
            tree.metavar(one) if kind == "argument" else f"{'/'.join(sorted(one.opts, key=len))} {tree.metavar(one)}"
        )
        yield f"{kind} {name} {names.strip()}{many}{' required' if one.required else ''}"
    for column in spec.shows.columns if spec.shows else ():
        yield f"field {name} {column.name}"


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file drifted")
    check = parser.parse_args().check
    drifted = False
    for path, wanted in files().items():
        found = path.read_text() if path.exists() else ""
        if found == wanted:
            continue
        drifted = True
        name = str(path.relative_to(TOP))
        if check:
            sys.stdout.writelines(
                difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), name, "generated")
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
            print(name)
    return int(check and drifted)


if __name__ == "__main__":
    sys.exit(main())
