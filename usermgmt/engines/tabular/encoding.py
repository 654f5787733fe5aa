"""Which encoding an input is in (by its mark, UTF-8, GB18030, or the one that was named), and its text."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from usermgmt.engines.tabular.errors import (
    BrokenText,
    NulByte,
    OtherFile,
    Undecodable,
    UnknownEncoding,
    UnmarkedText,
    Utf32File,
    WrongMark,
)
from usermgmt.engines.tabular.source import line_ends
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.engines.tabular.source import Source

# in this order: the mark of UTF-32LE begins with that of UTF-16LE
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "utf-8",
}
_WIDE = frozenset({"utf-16", "utf-16-le", "utf-16-be"})
_MAGIC = {
    b"PK\x03\x04": N_("a zip archive or an Excel workbook"),
    b"\xd0\xcf\x11\xe0": N_("an old Excel workbook"),
    b"\x1f\x8b": N_("a gzip archive"),
    b"%PDF-": N_("a PDF"),
    b"SQLite format 3": N_("a SQLite database"),
}
# WHATWG Encoding: what is labelled GB2312 or GBK is decoded as their superset
_WIDENED = {"gb2312": "gb18030", "gbk": "gb18030", "utf-8-sig": "utf-8"}
# what must read the same in an encoding, or quotes and delimiters could not be found; the first part catches escapes
_PLAIN = b"\\u0041 +AGE- ~{", bytes(range(0x20, 0x7F)) + b"\t\r\n"
_SAMPLE = 1 << 20
_PAIRS = re.compile("[\x80-\u07ff]")
# less private use, which nobody writes but GB18030 bytes read as UTF-8 meet
_LONGER = re.compile("[\u0800-\udfff\uf900-\ufffc\ufffe-\U0010ffff]")


def decide(source: Source, forced: str | None = None) -> str:
    """Return the encoding of ``source``: ``forced`` if given, else the one of its mark, else UTF-8 or GB18030.

    Without ``forced`` the whole input is looked at once before any of it is used. Text in GB18030 may begin with
    bytes that happen to be UTF-8, so a decision on the first ones could change after records have been taken.
    Raises UnknownEncoding, OtherFile, Utf32File, WrongMark, UnmarkedText, NulByte and Undecodable.
    """
    if forced is not None:
        forced = _known(forced)
    _refuse_other_files(source)
    marked = next((name for mark, name in _MARKS.items() if source.head.startswith(mark)), "")
    if marked == "utf-32":
        raise Utf32File(file=source.name)
    if marked in _WIDE or forced in _WIDE:
        wide = _wide(source, marked, forced)
        if forced is None:
            source.keep()
        source.recode(wide)
        if forced is None:
            _look_through(source)
        return wide
    _refuse_nul(source)
    if forced is not None:
        return forced
    source.keep()
    line, cut_off = _first_fault(source)
    if not line:
        return "utf-8"
    if not cut_off and _is_gb18030(source):
        return "gb18030"
    raise Undecodable(file=source.name, line=line)


def _wide(source: Source, marked: str, forced: str | None) -> str:
    """Return which UTF-16 it is, where either the mark or the caller says that it is one."""
    if forced == "utf-16" and not marked:
        # RFC 2781 says big-endian, WHATWG little-endian
        raise UnmarkedText(file=source.name)
    if marked and forced not in (None, marked) and not (forced == "utf-16" and marked in _WIDE):
        raise WrongMark(file=source.name, line=1, found=marked, encoding=forced)
    return marked or str(forced)


def texts(source: Source, encoding: str) -> Iterator[str]:
    """Yield the text of ``source`` in pieces, without a byte order mark; raises BrokenText with the line."""
    decoder = codecs.getincrementaldecoder("utf-8" if source.recoded else encoding)("strict")
    first = True
    try:
        for chunk in source.chunks():
            if text := decoder.decode(chunk):
                yield text.removeprefix("\ufeff") if first else text
                first = False
        if text := decoder.decode(b"", final=True):
            yield text
    except UnicodeDecodeError as error:
        line = source.line + line_ends(error.object[: error.start])
        raise BrokenText(file=source.name, line=line, encoding=encoding) from error


def opening(source: Source, encoding: str) -> str:
    """Return the text of the head of ``source``, for guesses; a character that it cuts is left out."""
    return source.head.decode("utf-8" if source.recoded else encoding, "ignore").removeprefix("\ufeff")


def _known(name: str) -> str:
    try:
        info = codecs.lookup(name)
        if info.name in _WIDE:
            return info.name
        plain = all(part.decode(info.name, "ignore") == part.decode("ascii") for part in _PLAIN)
    except (LookupError, ValueError, TypeError) as error:
        raise UnknownEncoding(name=name) from error
    if not plain:
        raise UnknownEncoding(name=name)
    return _WIDENED.get(info.name, info.name)


def _refuse_other_files(source: Source) -> None:
    for magic, kind in _MAGIC.items():
        if source.head.startswith(magic):
            raise OtherFile(file=source.name, kind=_(kind))


def _refuse_nul(source: Source) -> None:
    if (nul := source.head.find(b"\0")) >= 0:
        raise NulByte(file=source.name, line=1 + line_ends(source.head[:nul]))


def _look_through(source: Source) -> None:
    for _chunk in source.chunks():
        pass


def _first_fault(source: Source) -> tuple[int, bool]:
    """Return the line of the first bytes that are not UTF-8, 0 if all are, and whether only the last are missing."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    ended = False
    try:
        for chunk in source.chunks():
            decoder.decode(chunk)
        ended = True
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return source.line + line_ends(error.object[: error.start]), ended
    return 0, False


def _is_gb18030(source: Source) -> bool:
    """Say whether all of ``source``, known not to be UTF-8, decodes as GB18030 and is likely meant so.

    A broken UTF-8 file and much of Latin-1 decode too, into characters nobody wrote. So (in a sample) the faults
    must weigh as much as the sequences that are UTF-8; and at least half of the wide characters must be in GB 2312,
    which has nearly all of running Chinese, or be written in four bytes: ``Müller`` in Latin-1 holds the rare
    two-byte character ``黮``.
    """
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    sampled = lead = likely = 0
    try:
        for chunk in source.chunks():
            text = decoder.decode(chunk)
            if sampled < _SAMPLE and not chunk.isascii():
                sampled += len(chunk)
                lead += _faults_over_utf8(chunk)
                likely += _likely_over_rare(text)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return lead >= 0 and likely >= 0


def _faults_over_utf8(chunk: bytes) -> int:
    text = chunk.decode("utf-8", "replace")
    faults = text.count("\ufffd") - chunk.count("\ufffd".encode())
    # a character of GB 2312 is a pair of UTF-8 by chance in one case of seven, a longer form hardly ever
    return 3 * faults - len(_PAIRS.findall(text)) - 3 * len(_LONGER.findall(text))


def _likely_over_rare(text: str) -> int:
    wide = len(text) - _ascii_in(text)
    common = (len(text.encode("gb2312", "ignore")) - _ascii_in(text)) // 2
    four_bytes = (len(text.encode("gb18030")) - len(text) - wide) // 2
    return 2 * (common + four_bytes) - wide


def _ascii_in(text: str) -> int:
    return len(text.encode("ascii", "ignore"))
