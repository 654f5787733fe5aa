"""What ``help`` answers: a topic's page, a command's help, or the list of topics."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from usermgmt.domains.help.topics import BY_NAME, TOPICS, TopicNotFound
from usermgmt.kernel import layout, tree
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.usage import UnknownCommand

if TYPE_CHECKING:
    from collections.abc import Sequence


def page(words: Sequence[str], width: int) -> str:
    """Return the page that ``words`` name: a topic, or a command's path; without words the list of topics.

    Raises ``TopicNotFound`` with the nearest name.
    """
    if not words:
        return _topics(width)
    if words[0] in BY_NAME and len(words) == 1:
        return BY_NAME[words[0]].text(width)
    try:
        found = tree.find(words)
    except UnknownCommand as unknown:
        raise _not_found(words, str(unknown.facts.get("near", ""))) from None
    found.terminal_width = width
    return f"{found.command.get_help(found)}\n"


def _not_found(words: Sequence[str], near: str) -> TopicNotFound:
    asked = " ".join(words)
    groups = {name for name, _line in tree.root().summaries()}
    if near and words[0] in groups:
        meant = f"{words[0]} {near}"
    else:
        meant = next(iter(get_close_matches(asked, [*BY_NAME, *groups], 1)), "")
    if meant:
        return TopicNotFound(name=asked, near=meant, hint=N_("did you mean usermgmt help {near}?"))
    return TopicNotFound(name=asked)


def _topics(width: int) -> str:
    return "\n\n".join(
        [
            layout.usage(_("Usage:"), ["usermgmt help", _("TOPIC")], width)
            + "\n"
            + layout.usage(_("Usage:"), ["usermgmt help", _("GROUP"), _("[VERB]")], width),
            layout.section(_("Topics"), [(topic.name, _(topic.summary)) for topic in TOPICS], width),
            layout.section(_("Commands"), tree.root().summaries(), width) + "\n",
        ]
    )


def names(before: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """Return what may follow ``help`` and the words ``before``, for completion."""
    if not before:
        rows = [*((topic.name, _(topic.summary)) for topic in TOPICS), *tree.root().summaries()]
        return [row for row in rows if row[0].startswith(incomplete)]
    found = tree.find(before).command
    if not isinstance(found, tree.Group):
        return []
    verbs = [name for name in found.list_commands(None) if name.startswith(incomplete)]
    return [(name, tree.summary(found.get_command(None, name))) for name in verbs]
