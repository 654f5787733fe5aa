"""The language itself: what it reads as CEL does, and what it leaves out of CEL."""

from __future__ import annotations

import re

import pytest
from rules_cases import SCHEMA, oracle

from usermgmt.engines.rules.errors import BadExpression
from usermgmt.engines.rules.rule import rule
from usermgmt.engines.rules.tree import Broken, Const


def read(source):
    return rule(source, SCHEMA, "--where")


def value(source):
    """What an expression without fields is: True, False, or None for an error; asked beside a field, so that it may
    be an error and yet be read."""
    tree = read(f"({source}\n) || bools.b").tree
    if isinstance(tree, Const):
        return True
    found = getattr(tree, "args", [tree])[0]
    return None if isinstance(found, Broken) else False


@pytest.fixture(scope="module")
def cel():
    return oracle()


# -- as CEL has it -----------------------------------------------------------------------------------------------------

CONFORMANCE = [
    # precedence and grouping
    *("1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "10 - 2 - 3 == 5", "100 / 10 / 2 == 5", "7 % 4 * 2 == 6", "-2 + 3 == 1"),
    *(
        "true || false && false",
        "!true || true",
        "!(true || true) == false",
        "1 < 2 == true",
        "1 + 1 == 2 && 2 + 2 == 4",
    ),
    *("true ? false : true ? true : true", "false ? true : false ? true : true", "(true ? 1 : 2) == 1", "!!true"),
    *("1 in [1, 2] == true", "2 * 3 in [6]", "--1 == 1", "- 1 == -1", "3 - -1 == 4", "true == false == false"),
    # whole numbers
    *("-5 / 2 == -2", "-5 % 2 == -1", "5 / -2 == -2", "5 % -2 == 1", "0x1F == 31", "-0x1 == -1", "007 == 7"),
    *(
        "9223372036854775807 > 0",
        "-9223372036854775808 < 0",
        "9223372036854775807 + 1 == 0",
        "1 / 0 == 1",
        "1 % 0 == 1",
    ),
    *("-(-9223372036854775808) == 0", "-9223372036854775808 - 1 == 0", "4611686018427387904 * 2 == 0"),
    *("(-9223372036854775807 - 1) % -1 == 0", "(-9223372036854775807 - 1) / -1 == 0"),
    # fractions
    *(".5 < 1.0", "1e3 == 1000.0", "1.5E-2 == 0.015", "-0.0 == 0.0", "0.1 < 0.2", "5e-324 > 0.0"),
    # texts and their escapes
    *(
        r"'\x41' == 'A'",
        r"'\X41' == 'A'",
        r"'\101' == 'A'",
        r"'é' == 'é'",
        r"'\U0001F600' == '😀'",
        r"'\`\?\'\"' == '`?\'\"'",
    ),
    *(
        r"r'\n'.size() == 2",
        r"R'\n'.size() == 2",
        r"'\n'.size() == 1",
        "'''a\n'b''' == \"a\\n'b\"",
        '"""a"b""" == \'a"b\'',
    ),
    *(
        r'r"""\n""".size() == 2',
        '\'a"b\' == "a\\"b"',
        "size('😀') == 1",
        "size('') == 0",
        r"'\a\b\f\r\t\v\\'.size() == 7",
    ),
    *(
        "'a' + 'b' == 'ab'",
        "'😀' > '￿'",
        "'a' < 'B'",
        "'ab'.startsWith('a')",
        "'ab'.endsWith('b')",
        "'ab'.contains('')",
    ),
    *("''.startsWith('')", "'aBß'.lowerAscii() == 'abß'", "'aBß'.upperAscii() == 'ABß'", "'%'.contains('%')"),
    # errors are absorbed from either side, and by nothing else
    *("true || 1 / 0 == 1", "1 / 0 == 1 || true", "false && 1 / 0 == 1", "1 / 0 == 1 && false", "false || 1 / 0 == 1"),
    *(
        "1 / 0 == 1 || false",
        "true && 1 / 0 == 1",
        "1 / 0 == 1 && true",
        "!(1 / 0 == 1)",
        "1 / 0 == 1 || 2 / 0 == 1 || true",
    ),
    *("true ? true : 1 / 0 == 1", "false ? true : 1 / 0 == 1", "1 / 0 == 1 ? true : true", "true ? 1 / 0 == 1 : true"),
    # times
    *(
        "timestamp('2026-01-01T00:00:00+08:00') == timestamp('2025-12-31T16:00:00Z')",
        "duration('1h30m') == duration('90m')",
    ),
    *(
        "duration('1.5h') == duration('5400s')",
        "duration('-1h') < duration('0s')",
        "duration('1000ms') == duration('1s')",
    ),
    *(
        "timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')",
        "duration('0') == duration('0s')",
    ),
    *("timestamp('2026-03-01T00:00:00Z') - timestamp('2026-02-01T00:00:00Z') == duration('672h')",),
    *("timestamp('9999-12-31T23:59:59Z') + duration('1s') == timestamp('9999-12-31T23:59:59Z')",),
    *("timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:01Z') == duration('0s')",),
    *("timestamp('2016-12-31T23:59:59.5Z') < timestamp('2017-01-01T00:00:00Z')",),
    # lists, null, comments
    *(
        "1 in [1, 2, 3]",
        "4 in [1, 2, 3]",
        "1 in []",
        "'a' in ['a', 'b',]",
        "true in [false]",
        "null == null",
        "null != null",
    ),
    *("// all of them\n true", "true // done", "true\t\r\n\f&& true"),
]


@pytest.mark.parametrize("source", CONFORMANCE)
def test_it_means_what_cel_means(cel, source):
    found = cel.alone(source).value()
    assert value(source) == (found if isinstance(found, bool) else None)


@pytest.mark.parametrize(
    "source",
    [
        "",
        " ",
        "1 +",
        "(true",
        "true)",
        "true &&",
        "&& true",
        "'a",
        '"a\nb" == ""',
        r"'\q' == ''",
        r"'\x4' == ''",
        r"'\u12' == ''",
        r"'\400' == ''",
        "1 = 1",
        "true & true",
        "a b",
        "true true",
        "!-1 == 1",
        "5. == 5.0",
        "1u.x",
        "as == 1",
        "user.in",
        "[1,,2] == 1",
        "1 < 'a'",
        "1 == 'a'",
        "true + true == true",
        "'a' * 2 == 'aa'",
        "'a' - 'b' == ''",
        "!1",
        "-'a' == ''",
        "1 && true",
        "1 ? true : false",
        "true ? 1 : 'a'",
        "'a' == null",
        "size(1) == 1",
        "'a'.size(1) == 1",
        "nothing",
        "size == 1",
        "nothing(1)",
        "'a'.nothing()",
        "texts.s.startsWith(1)",
        "has(1)",
        "has()",
        "1 in 2",
        "'a' in [1]",
        "1 in ['a']",
        "@",
        "true;",
        "\x00",
    ],
)
def test_what_cel_refuses_is_refused_here(cel, source):
    with pytest.raises(RuntimeError):
        cel.alone(source)
    with pytest.raises(BadExpression):
        read(source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1u == 1", "not a number"),
        ("b'a' == b'b'", "not expected"),
        ("{'a': 1}.a == 1", "no meaning"),
        ("[1, 2][0] == 1", "brackets"),
        ("lists.labels.exists(x, x == 'a')", "no function"),
        ("texts.s.matches('a')", "no function"),
        ("string(1) == '1'", "no function"),
        ("timestamp('2026-01-01T00:00:00.0001Z') == now", "milliseconds"),
        ("duration('1us') == duration('0s')", "milliseconds"),
        ("ints.n * ints.m > 0", "64 bits"),
        ("(times.u + duration('1h')) + duration('1h') > now", "computed"),
        ("timestamp(texts.s) > now", "quotes"),
        ("texts.s in [texts.t]", "plain values"),
        ("lists.labels == ['a']", "does not fit"),
        ("size([1, 2]) == 2", "known"),
        ("(texts.s + 'x') in lists.labels", "plain value or a field"),
        (r"'\x00' == ''", "U+0000"),
        (r"'\ud800' == ''", "U+D800"),
    ],
)
def test_what_is_left_out_of_cel_is_refused_in_words(source, words):
    with pytest.raises(BadExpression, match=re.escape(words)):
        read(source)
