"""Stored text is hostile: what neutralises it for a terminal, a TSV cell or a log, and what masks personal values."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL, C1, line and paragraph separators, bidi controls, zero-width and tag characters, variation of none of them
# is wanted on a terminal; ZWJ and ZWNJ stay, because names in several scripts need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LONE = re.compile("[\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# In JSON the C0 characters are escaped by the format itself; these are not, and a terminal obeys some of them.
UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def neutral(text: str) -> str:
    r"""Return ``text`` with everything that a terminal would obey written out, as ``\n`` or ``\u{1b}``."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda m: _NAMED.get(m[0]) or f"\\u{{{ord(m[0]):x}}}", text)


def whole(text: str) -> str:
    """Return ``text`` with U+FFFD for lone surrogates, which arguments that are no UTF-8 have and JSON cannot hold."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def tsv_cell(text: str) -> str:
    r"""Return ``text`` as one TSV cell: backslashes doubled, so that ``\t`` and ``\n`` can be read back."""
    return neutral(text.replace("\\", "\\\\") if "\\" in text else text)


def json_neutral(text: str) -> str:
    r"""Return JSON ``text`` with the characters that JSON lets through and terminals obey as ``\uXXXX`` escapes."""
    return text if text.isascii() and "\x7f" not in text else UNSAFE_IN_JSON.sub(_json_escape, text)


def json_neutral_bytes(data: bytes) -> bytes:
    """Return what ``json_neutral`` does, for much JSON in UTF-8 at once."""
    return json_neutral(data.decode()).encode() if data.translate(None, _HARMLESS) else data


# all bytes that begin no character which json_neutral escapes: what is left without them is looked at closely
_HARMLESS = bytes(set(range(256)) - {0x7F, 0xC2, 0xD8, 0xE1, 0xE2, 0xEF, 0xF3})


def _json_escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point < 0x10000:
        return f"\\u{point:04x}"
    point -= 0x10000
    return f"\\u{0xD800 + (point >> 10):04x}\\u{0xDC00 + (point & 0x3FF):04x}"


def unstorable(text: str, *, lines: bool = False) -> str:
    """Name the first character of ``text`` that is not stored (controls, NUL, lone surrogates), or return ``""``.

    ``lines`` admits line breaks and tabs, for notes and other longer texts.
    """
    if text.isascii() and text.isprintable():
        return ""
    for char in text:
        category = unicodedata.category(char)
        if (category == "Cc" and not (lines and char in "\n\t")) or category == "Cs":
            return f"U+{ord(char):04X}"
    return ""


def mask_email(value: str) -> str:
    """``alice@example.com`` -> ``a***@example.com``; what is no address is hidden whole."""
    local, at, domain = value.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else "***"


def mask_phone(value: str) -> str:
    """``+8613800138000`` -> ``+86138****8000``; short numbers keep two digits."""
    if len(value) < 9:
        return "****" + value[-2:]
    return f"{value[:-8]}****{value[-4:]}"


def mask_name(value: str) -> str:
    """``张伟`` -> ``张*``; ``Alice Smith`` -> ``A* S*``."""
    return " ".join(word[:1] + "*" for word in value.split())


def mask_date(value: str) -> str:
    """``1990-05-17`` -> ``1990-**-**``."""
    return f"{value[:4]}-**-**"


def mask_address(value: str) -> str:
    """``email:alice@example.com`` -> ``email:a***@example.com``, and phones likewise."""
    kind, _colon, rest = value.partition(":")
    return f"{kind}:{mask_email(rest) if kind == 'email' else mask_phone(rest)}"


def mask_text(_value: str) -> str:
    """Hide a free text whole: nobody can say which part of it is personal."""
    return "***"


MASKS = {
    "address": mask_address,
    "email": mask_email,
    "phone": mask_phone,
    "name": mask_name,
    "date": mask_date,
    "text": mask_text,
    # each attribute has its own mask (kernel.masking); what should be attributes and is none is hidden
    "attributes": mask_text,
}
