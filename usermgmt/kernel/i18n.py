"""Words on screen: English is the source, gettext catalogues translate, machine output never passes here."""

from __future__ import annotations

import gettext
import re
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LANGUAGES = ("en", "zh")
LOCALE_DIR = Path(__file__).parent.parent / "locale"

# never written to: it is the catalogue that translates nothing
_catalogue: ContextVar[gettext.NullTranslations] = ContextVar("catalogue", default=gettext.NullTranslations())  # noqa: B039
_language: ContextVar[str] = ContextVar("language", default="en")


def _(message: str) -> str:
    """Translate ``message`` into the language of this invocation."""
    # gettext answers the empty string with the catalogue's header
    return _catalogue.get().gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Translate a message that depends on ``count``."""
    return _catalogue.get().ngettext(one, many, count)


def N_(message: str) -> str:
    """Mark ``message`` for the catalogue where it stands as data; ``_`` translates it when it is shown."""
    return message


def retold(text: str, known: Iterable[tuple[str, str]]) -> str:
    """Say in the language of this invocation what another program's library said, where one of ``known`` fits it.

    ``known`` are patterns with the marked message that each amounts to. English readers get the library's own words.
    """
    if language() == "en":
        return text
    for pattern, message in known:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return _(message).format(**match.groupdict(""))
    return text


def language() -> str:
    """Return the language in use, one of ``LANGUAGES``."""
    return _language.get()


def use(lang: str) -> None:
    """Speak ``lang`` from here on in this context."""
    _language.set(lang)
    if lang == "en":
        _catalogue.set(gettext.NullTranslations())
    else:
        _catalogue.set(gettext.translation("usermgmt", LOCALE_DIR, [lang], fallback=True))


def choose(argv: Sequence[str], env: Mapping[str, str], configured: str = "") -> str:
    """Choose the language: ``--lang`` in argv (the last one wins), environment, configuration, locale, English.

    Read from argv before anything is parsed, because help and usage errors are translated too.
    """
    for asked in (_asked(argv), env.get("USERMGMT_LANG", ""), configured):
        if asked in LANGUAGES:
            return asked
    return _of_locale(env)


def _asked(argv: Sequence[str]) -> str:
    asked = ""
    for i, word in enumerate(argv):
        if word == "--":
            break
        if word == "--lang" and i + 1 < len(argv):
            asked = argv[i + 1]
        elif word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
    return asked.lower()


def _of_locale(env: Mapping[str, str]) -> str:
    locale = next(filter(None, map(env.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if locale.partition(".")[0] in ("", "C", "POSIX"):
        return "en"
    # GNU gettext: LANGUAGE refines the locale, but not where the locale is C; the first one counts that is spoken here
    for name in (env.get("LANGUAGE") or locale).split(":"):
        language = re.split("[-_.@]", name)[0].lower()
        if language in LANGUAGES:
            return language
    return "en"
