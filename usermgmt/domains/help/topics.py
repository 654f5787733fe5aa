"""The topics of the manual: pages in ``usermgmt/docs``, and pages made from the program itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from usermgmt.kernel.errors import NotFound
from usermgmt.kernel.i18n import N_, language

DOCS = Path(__file__).parents[2] / "docs"


class TopicNotFound(NotFound):
    """There is no topic {name}."""

    code = "help.not_found"
    hint = N_("usermgmt help lists the topics")


@dataclass(frozen=True, slots=True)
class Topic:
    """A page of the manual: a ``file`` in ``DOCS`` (its name and ``.md``, unless told), or ``made`` by a function.

    The function is the one of that name in ``reference``.
    """

    name: str
    summary: str
    file: str = ""
    made: str = ""

    def text(self, width: int) -> str:
        """Return the page, in Chinese where that is the language and there is one."""
        if self.made:
            from usermgmt.domains.help import reference

            made: str = getattr(reference, self.made)(width)
            return f"{made}\n"
        path = DOCS / (self.file or f"{self.name}.md")
        translated = path.with_suffix(f".{language()}{path.suffix}")
        return (translated if translated.exists() else path).read_text(encoding="utf-8")


TOPICS = (
    Topic("getting-started", N_("From nothing to the first users and a verified log.")),
    Topic("contract", N_("What scripts may rely on: grammar, output, writes, exit codes.")),
    Topic("commands", N_("Every command with its options."), made="commands"),
    Topic("formats", N_("How answers are written: tables, TSV, CSV, JSON, fields, times, masks.")),
    Topic("expressions", N_("The language of --where: values, operators, fields, and fields without a value.")),
    Topic("organisation", N_("Units, heads and superiors: paths, moves, members, files.")),
    Topic("exit-codes", N_("The exit codes and when each is given."), made="exit_codes"),
    Topic("errors", N_("Every error with its code, exit code, message and hint."), made="errors"),
    Topic("environment", N_("Environment variables, files and places.")),
    Topic("deployment", N_("The service account, sudo, places, backups, a restore drill, upgrades, no network.")),
    Topic("postgresql", N_("Setting up a PostgreSQL store, moving to it and back, and its backups.")),
    Topic("encryption", N_("Encrypted stores: keys, passphrases, what stays readable elsewhere.")),
    Topic("settings", N_("Every setting with its default and its limits."), made="settings"),
    Topic("cron", N_("What has to be called again and again, from cron or systemd.")),
    Topic("troubleshooting", N_("What an exit code usually comes from, and what to type next.")),
    Topic("permissions", N_("The permissions, and which commands need them."), made="permissions"),
    Topic("audit-actions", N_("The actions that the audit log can hold.")),
    Topic("audit-format", N_("The audit log byte for byte, for those who check it themselves.")),
    Topic("verifier", N_("A program of its own that checks an exported audit log."), "verify_audit.py"),
    Topic("glossary", N_("The words of this program in Chinese and English."), made="glossary"),
    Topic("guarantees", N_("What is promised and the tests that hold it, and what is not promised.")),
    Topic("reliability", N_("What was done to break it, how often, and what came of it.")),
    Topic("decisions", N_("Why things are as they are.")),
    Topic("changelog", N_("What changed from version to version.")),
)

BY_NAME = {topic.name: topic for topic in TOPICS}
