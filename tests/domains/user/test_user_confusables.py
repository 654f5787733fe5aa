from __future__ import annotations

import importlib.util
import timeit
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.domains.user import confusables
from usermgmt.domains.user.confusables import UNICODE_VERSION, confusable, scripts, skeleton

GENERATOR = Path(__file__).parents[2] / "tools" / "unicode_tables.py"


def by_the_table(text):
    bare = confusables._ignorable().sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", "".join(confusables._prototypes().get(ord(char), char) for char in bare))


def test_the_table_is_whole_and_of_the_version_it_is_said_to_be():
    assert confusables._section("version") == UNICODE_VERSION == "15.0.0"
    assert len(confusables._prototypes()) == 6311
    starts, ends, names = confusables._script_ranges()
    assert all(first <= last for first, last in zip(starts, ends, strict=True))
    assert all(last < first for last, first in zip(ends, starts[1:], strict=False))
    assert len(set(names)) == 163
    assert sum(last - first + 1 for first, last in zip(starts, ends, strict=True)) == 149_251
    notice = confusables._TABLE.read_text(encoding="utf-8")
    assert "COPYRIGHT AND PERMISSION NOTICE" in notice
    assert "Unicode, Inc." in notice


@pytest.mark.parametrize(
    ("text", "looks_like"),
    [
        ("alice", "alice"),
        ("аlice", "alice"),
        ("раураl", "paypal"),
        ("ѕсоре", "scope"),
        ("mike", "rnike"),
        ("al1ce", "alIce"),
        ("b0b", "bOb"),
        ("\U0001d41a\U0001d41b", "ab"),
        ("e\u0301", "é"),
        ("म\u200cय", "मय"),
        ("\U0001f16d", "㏄\t\u20dd"),
        ("李雷", "李雷"),
    ],
)
def test_texts_that_look_alike_have_one_skeleton(text, looks_like):
    assert skeleton(text) == skeleton(looks_like)


def test_a_skeleton_is_not_a_case_mapping():
    assert skeleton("alice") == "alice"
    assert skeleton("10%") == "lOº/₀"
    assert skeleton('m|`"') == "rnl'''"
    assert skeleton("g00gle") != skeleton("google")


def test_ascii_takes_the_short_way_and_comes_to_the_same():
    for char in map(chr, range(128)):
        assert skeleton(char) == by_the_table(char)
        assert scripts(char) == ({"Latin"} if char.isalpha() else frozenset())


@given(st.text(st.characters(max_codepoint=127)))
def test_any_ascii_text_takes_the_short_way_and_comes_to_the_same(text):
    assert skeleton(text) == by_the_table(text)


@given(st.text())
def test_a_skeleton_is_its_own_and_the_same_for_equivalent_texts(text):
    once = skeleton(text)
    assert once == by_the_table(text)
    assert skeleton(unicodedata.normalize("NFC", text)) == skeleton(unicodedata.normalize("NFD", text)) == once


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", set()),
        ("123-_.", set()),
        ("alice42", {"Latin"}),
        ("Zoë", {"Latin"}),
        ("Zoe\u0308", {"Latin"}),
        ("аня", {"Cyrillic"}),
        ("аlice", {"Cyrillic", "Latin"}),
        ("张alice", {"Han", "Latin"}),
        ("アート", {"Katakana"}),
        ("ひカ漢", {"Hiragana", "Katakana", "Han"}),
        ("한글", {"Hangul"}),
        ("שלום", {"Hebrew"}),
        ("٣٤", {"Arabic"}),
        ("ー", set()),
        ("\u2ffc", {"Unknown"}),
        ("\U0010ffff", {"Unknown"}),
        ("\x00", set()),
    ],
)
def test_scripts_of_a_text(text, found):
    assert scripts(text) == found


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("alice", "alice", ""),
        ("alice", "bob", ""),
        ("李雷", "李蕾", ""),
        ("张alice", "张bob", ""),
        ("rnike", "mike", "same-script"),
        ("a1ice", "alice", "same-script"),
        ("111", "lll", "same-script"),
        ("111", "1ll", "same-script"),
        ("张a1ice", "张alice", "same-script"),
        ("scope", "ѕсоре", "whole-script"),
        ("alice", "аlice", "mixed-script"),
        ("paypal", "раураl", "mixed-script"),
        ("张alice", "张аlice", "mixed-script"),
        ("аlice", "alіce", "same-script"),
        ("10", "lО", "mixed-script"),
        ("李工", "李エ", "mixed-script"),
    ],
)
def test_likeness_of_two_names(one, other, likeness):
    assert confusable(one, other) == confusable(other, one) == likeness


@given(st.text(st.sampled_from("alаІі1lmrn0оo张工エ")), st.text(st.sampled_from("alаІі1lmrn0оo张工エ")))
def test_likeness_is_mutual_and_is_that_of_the_skeletons(one, other):
    assert confusable(one, other) == confusable(other, one)
    assert bool(confusable(one, other)) == (one != other and skeleton(one) == skeleton(other))


def load_generator():
    spec = importlib.util.spec_from_file_location("unicode_tables", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_regroups_the_files_of_one_version():
    tool = load_generator()
    table = tool.table(
        "# Version: 15.0.0\n0430 ;\t0061 ;\tMA\t# x\n\n1D41A ;\t0061 ;\tMA\t# x\n006D ;\t0072 006E ;\tMA\t# x # \n",
        "# Scripts-15.0.0.txt\n0041..005A    ; Latin # L&\n005B..005C ; Common\n0061..007A ; Latin\n007B ; Latin # x\n",
        "# DerivedCoreProperties-15.0.0.txt\n00AD ; Default_Ignorable_Code_Point # Cf\n0041..005A ; Alphabetic\n",
        "NOTICE\n\nline\n----------\nother licences\n",
    )
    head, _, body = table.partition("\n[version]\n")
    assert head.endswith("#\n# NOTICE\n#\n# line")
    assert body == (
        "15.0.0\n[ignorable]\nAD\n[prototypes]\n\\u0061\t\\u0430\\U0001d41a\n\\u0072\\u006e\t\\u006d\n"
        "[scripts]\nCommon\t5B-5C\nLatin\t41-5A 61-7B\n"
    )


def test_the_generator_refuses_files_of_two_versions():
    tool = load_generator()
    with pytest.raises(SystemExit, match=r"15\.0\.0.*16\.0\.0"):
        tool.table("# Version: 15.0.0\n", "# Scripts-16.0.0.txt\n", "# DerivedCoreProperties-15.0.0.txt\n", "")


@pytest.mark.bench
def test_cost_per_name():
    for load in (confusables._prototypes, confusables._ignorable, confusables._script_ranges):
        print(f"load {load.__name__}: {1e3 * min(timeit.repeat(load.__wrapped__, number=1, repeat=9)):.2f} ms")
    for name in ("alice.smith42", "张伟2024", "аlice"):
        for measured in (skeleton, scripts):
            cost = min(timeit.repeat(lambda f=measured, n=name: f(n), number=100_000, repeat=5)) / 100_000
            print(f"{measured.__name__} {name}: {1e6 * cost:.2f} us")
