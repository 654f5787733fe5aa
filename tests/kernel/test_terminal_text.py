"""What neutralises stored text, and what masks personal values."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.text import MASKS, json_neutral, neutral, tsv_cell, unstorable, whole

OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ANY = st.text(st.characters(exclude_categories=()))
NASTY = st.text(st.sampled_from("a\\nt\x1b\x9b\n\t\r\x00\x7f\u202e\u200d\ufeff\U000e0041\udcff张é{}u"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain", "plain"),
        ("张伟 é 👨\u200d👩", "张伟 é 👨\u200d👩"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m", "\\u{1b}[31m"),
        ("\x9b\x7f\x00", "\\u{9b}\\u{7f}\\u{0}"),
        ("\u202eabc\u2069", "\\u{202e}abc\\u{2069}"),
        ("\ufeff\u200b", "\\u{feff}\\u{200b}"),
        ("\U000e0041", "\\u{e0041}"),
        ("\udcff", "\\u{dcff}"),
        ("نص\u200cنص", "نص\u200cنص"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert neutral(text) == shown


@given(st.one_of(ANY, NASTY))
def test_nothing_neutral_is_obeyed_and_what_is_neutral_stays(text):
    shown = neutral(text)
    assert not OBEYED.search(shown)
    assert neutral(shown) == shown
    shown.encode()


def unescaped(cell):
    def one(match):
        escape = match[0]
        named = {"\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
        return named.get(escape) or chr(int(escape[3:-1], 16))

    return re.sub(r"\\\\|\\[nrt]|\\u\{[0-9a-f]+\}", one, cell)


@given(st.one_of(ANY, NASTY))
def test_a_tsv_cell_can_be_read_back(text):
    cell = tsv_cell(text)
    assert not OBEYED.search(cell)
    assert unescaped(cell) == text


@given(st.one_of(st.text(), NASTY.map(whole)))
def test_json_is_the_same_json_and_harmless(text):
    plain = orjson.dumps({text: [text]}).decode()
    shown = json_neutral(plain)
    assert orjson.loads(shown) == orjson.loads(plain)
    assert not OBEYED.search(shown)
    assert "\ufeff" not in shown


@given(ANY)
def test_whole_text_can_be_encoded_and_keeps_the_rest(text):
    assert whole(text).encode().decode() == whole(text)
    assert len(whole(text)) == len(text)
    assert all(b in (a, "\ufffd") for a, b in zip(text, whole(text), strict=True))


@pytest.mark.parametrize(
    ("text", "lines", "bad"),
    [
        ("", False, ""),
        ("张伟 é 👨\u200d👩 \u202e", False, ""),
        ("a\nb", False, "U+000A"),
        ("a\nb\tc", True, ""),
        ("a\rb", True, "U+000D"),
        ("\x1b", True, "U+001B"),
        ("\x00", True, "U+0000"),
        ("\x85", True, "U+0085"),
        ("\udcff", True, "U+DCFF"),
    ],
)
def test_what_is_not_stored_is_named(text, lines, bad):
    assert unstorable(text, lines=lines) == bad


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        ("email", "alice@example.com", "a***@example.com"),
        ("email", "a@d.com", "a***@d.com"),
        ("email", '"a@b"@d.com', '"***@d.com'),
        ("email", "张伟@例子.公司", "张***@例子.公司"),
        ("email", "no address", "***"),
        ("email", "", "***"),
        ("phone", "+8613800138000", "+86138****8000"),
        ("phone", "+442079460958", "+4420****0958"),
        ("phone", "+12345678", "+****5678"),
        ("phone", "+1234567", "****67"),
        ("phone", "+123", "****23"),
        ("name", "张伟", "张*"),
        ("name", "Alice Smith", "A* S*"),
        ("name", "  Alice   van\tSmith ", "A* v* S*"),
        ("name", "Q", "Q*"),
        ("date", "1990-05-17", "1990-**-**"),
        ("address", "email:alice@example.com", "email:a***@example.com"),
        ("address", "phone:+8613800138000", "phone:+86138****8000"),
        ("text", "anything", "***"),
    ],
)
def test_masks(mask, value, shown):
    assert MASKS[mask](value) == shown


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_masked_phone_hides_four_digits_at_least(number):
    shown = MASKS["phone"](number)
    assert "****" in shown
    assert number not in shown
    assert sum(map(str.isdigit, shown)) <= len(number) - 5


@given(st.text(st.characters(exclude_characters="@*"), min_size=2), st.text("abc.", min_size=1))
def test_a_masked_address_shows_one_letter_of_its_local_part(local, domain):
    shown = MASKS["email"](f"{local}@{domain}")
    assert shown == f"{local[0]}***@{domain}"


@given(st.text(min_size=1))
def test_a_masked_name_shows_one_letter_of_each_word(name):
    shown = MASKS["name"](name).split()
    assert shown == [f"{word[0]}*" for word in name.split()]


@pytest.mark.parametrize("mask", MASKS)
@given(value=ANY)
def test_no_mask_breaks_on_any_text(mask, value):
    assert isinstance(MASKS[mask](value), str)
