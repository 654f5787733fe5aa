"""The pages of ``man``: one for the program, each group and each command, and one for each topic that is prose.

They are made from the program when a wheel is built, and stand in no repository: what is made cannot drift.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from usermgmt import __version__
from usermgmt.domains.help import roff
from usermgmt.domains.help.topics import TOPICS, Topic
from usermgmt.kernel import layout, tree
from usermgmt.kernel.errors import WHEN
from usermgmt.kernel.i18n import N_, _, language

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NO_PAGES = {"commands", "verifier", "decisions", "changelog", "errors"}
"""Topics without a page: the other pages themselves, a program, what only its makers read, what imports the whole."""

ENVIRONMENT = (
    ("USERMGMT_STORE", N_("The store: the path of its file, or a postgresql+psycopg:// URL.")),
    ("USERMGMT_CONFIG", N_("A configuration file beside the usual ones.")),
    ("USERMGMT_LANG", N_("The language of messages and help: en or zh; else that of the locale.")),
    ("USERMGMT_SECTION_KEY", N_("Any other setting, as usermgmt-settings(7) lists them.")),
    ("NO_COLOR", N_("No colour; --color wins.")),
)
FILES = (
    ("/etc/usermgmt/config.toml", N_("The settings of this host.")),
    ("~/.config/usermgmt/config.toml", N_("The settings of this account; never read for root.")),
    (
        "/var/lib/usermgmt/store.db",
        N_("The store of root and of the account with that home; ~/.local/share/usermgmt/store.db for others."),
    ),
    ("keys/, anchors/", N_("The keys and the anchors of the audit log, beside the store unless settings move them.")),
)


def pages() -> Iterator[tuple[str, str]]:
    """Yield every page in the language in use: its place below a directory of manuals, and its text."""
    folder = "" if language() == "en" else f"{_locale()}/"
    for ctx in _commands():
        name = _page_name(ctx)
        yield f"{folder}man1/{name}.1", _page(name, 1, _body(ctx))
    for topic in topics():
        name = f"{tree.PROGRAM}-{topic.name}"
        yield f"{folder}man7/{name}.7", _page(name, 7, _topic(topic, name))


def topics() -> list[Topic]:
    """Return the topics that have a page."""
    return [topic for topic in TOPICS if topic.name not in _NO_PAGES]


def _locale() -> str:
    return {"zh": "zh_CN"}[language()]


def _commands() -> Iterator[Any]:
    """Yield the contexts of the program, of every group before its commands, and of every command."""
    yield tree.find(())
    parent = None
    for ctx in tree.leaves():
        if ctx.parent.parent is not None and ctx.parent is not parent:
            parent = ctx.parent
            yield parent
        yield ctx


def _page_name(ctx: Any) -> str:
    return tree.command_path(ctx).replace(" ", "-")


def _page(name: str, section: int, body: Iterable[str]) -> str:
    head = roff.title(name, section, f"{tree.PROGRAM} {__version__}", _("User administration"))
    # a heading begins a paragraph by itself
    return re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", "\n".join([head, *body]) + "\n", flags=re.MULTILINE)


# -- commands ----------------------------------------------------------------------------------------------------------


def _body(ctx: Any) -> Iterator[str]:
    command = ctx.command
    words, examples = tree.described(command)
    yield from _name(_page_name(ctx), tree.summary(command))
    yield roff.heading(_("SYNOPSIS"))
    yield " ".join([roff.bold(tree.command_path(ctx)), *map(_piece, command.pieces(ctx))])
    yield roff.heading(_("DESCRIPTION"))
    yield from roff.paragraphs(_(words))
    if isinstance(command, tree.Group):
        yield from _verbs(ctx)
    yield from _options(ctx)
    if examples:
        yield roff.heading(_("EXAMPLES"))
        yield roff.literal(examples)
    yield from _exit_status(whole=isinstance(command, tree.Root))
    yield from _surroundings()
    yield from _see_also(ctx)


def _name(name: str, summary: str) -> Iterator[str]:
    yield roff.heading(_("NAME"))
    yield rf"{roff.escaped(name)} \- {roff.escaped(summary.rstrip('.。'))}"


def _piece(piece: str) -> str:
    """Return a word of a synopsis: what is typed as it stands in bold, what stands for a value in italic."""
    return " ".join(
        "".join(_part(part) for part in re.split(r"([\[\]|]|\.\.\.)", word) if part) for word in piece.split(" ")
    )


def _part(part: str) -> str:
    if not part[0].isalpha() and part[0] != "-":
        return roff.escaped(part)
    return roff.italic(part) if part.isupper() else roff.bold(part)


def _verbs(ctx: Any) -> Iterator[str]:
    for title, rows in ctx.command.children(ctx):
        yield roff.heading(title)
        linked = ((roff.bold(f"{_page_name(ctx)}-{name}") + "(1)", summary) for name, summary in rows)
        yield from roff.tagged(linked)


def _options(ctx: Any) -> Iterator[str]:
    sections = [(title, rows) for title, rows in ctx.command.option_sections(ctx) if rows]
    if sections:
        yield roff.heading(_("OPTIONS"))
    for title, rows in sections:
        yield roff.subheading(title)
        yield from roff.tagged((", ".join(map(_piece, left.split(", "))), right) for left, right in rows)


def _exit_status(*, whole: bool) -> Iterator[str]:
    yield roff.heading(_("EXIT STATUS"))
    if whole:
        yield from roff.tagged((f"{roff.bold(str(int(code)))} {code.word}", _(when)) for code, when in WHEN.items())
    else:
        known = ", ".join(f"{int(code)} {code.word}" for code in WHEN)
        yield from roff.paragraphs(_("{codes}. usermgmt(1) says when each is given.").format(codes=known))
    yield from roff.paragraphs(_("An unknown code means failure."))


def _surroundings() -> Iterator[str]:
    yield roff.heading(_("ENVIRONMENT"))
    yield from roff.tagged((roff.bold(name), _(words)) for name, words in ENVIRONMENT)
    yield roff.heading(_("FILES"))
    yield from roff.tagged((roff.italic(name), _(words)) for name, words in FILES)


def _see_also(ctx: Any) -> Iterator[str]:
    above, one = [], ctx.parent
    while one is not None:
        above.append((_page_name(one), 1))
        one = one.parent
    about = [(f"{tree.PROGRAM}-{topic.name}", 7) for topic in topics()]
    yield roff.heading(_("SEE ALSO"))
    yield ",\n".join(f"{roff.bold(name)}({section})" for name, section in [*reversed(above), *about])


# -- topics ------------------------------------------------------------------------------------------------------------


def _topic(topic: Topic, name: str) -> Iterator[str]:
    yield from _name(name, _(topic.summary))
    yield roff.heading(_("DESCRIPTION"))
    text = topic.text(layout.USUAL)
    if topic.made:
        yield roff.literal(text.partition("\n")[2].strip("\n").splitlines())
    else:
        yield from roff.of_markdown(text)
    yield roff.heading(_("SEE ALSO"))
    yield f"{roff.bold(tree.PROGRAM)}(1)"
