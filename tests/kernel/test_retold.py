"""What libraries say of a filter, a configuration or a server: in Chinese where it is common, in English as it is."""

from __future__ import annotations

import pytest

from usermgmt.kernel import i18n, postgres
from usermgmt.kernel.settings_file import TomlFault, parse


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("expression", "english", "chinese"),
    [
        ("..[", "unexpected end of file", "第 1 行第 3 列"),
        ("'a'", "INVALID_CHARACTER", "不符合 jq 的语法"),
        ("foo", "foo/0 is not defined", "foo/0 未定义"),
        (".[] | .username | .a", "Cannot index string", "string"),
        (".[] | .id | .[]", "Cannot iterate over number", "无法遍历"),
        (".[] | .id / 0", "divisor is zero", "除以零"),
        ('.[] | .id + "a"', "cannot be added", "无法运算"),
        (".[] | .username | tonumber", "cannot be parsed", "不是数字"),
    ],
)
def test_jq(run, expression, english, chinese):
    run("user add alice")
    line = ["user", "list", "--jq", expression]
    assert english in run([*line, "--lang", "en"], exit=2).err
    assert chinese in run([*line, "--lang", "zh"], exit=2).err


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("[a]\n[a]", "Cannot declare ('a',) twice", "'a' 声明了两次"),
        ('a = "x\ny"', "Illegal character", "不允许字符"),
        ("a = 'x", 'Expected "\'"', "此处应为"),
        ("a = {x = 1, x = 2}", "Duplicate inline table key", "出现了两次"),
    ],
)
def test_toml(text, english, chinese):
    for language, wanted in (("en", english), ("zh", chinese)):
        i18n.use(language)
        with pytest.raises(TomlFault) as fault:
            parse(text)
        assert wanted in fault.value.problem


@pytest.mark.engines("postgresql")
@pytest.mark.store
def test_a_server(run):
    nobody = {"USERMGMT_STORE": "postgresql+psycopg://nobody@127.0.0.1:1/none"}
    assert "Connection refused" in run("user list", exit=8, env=nobody).err
    assert "127.0.0.1 上没有服务器在监听" in run("user list --lang zh", exit=8, env=nobody).err
    absent = {"USERMGMT_STORE": run.url.replace("/test_", "/absent_")}
    assert "does not exist" in run("store info", exit=8, env=absent).err
    assert "absent_" in run("store info --lang zh", exit=8, env=absent).err


def test_what_nobody_foresaw_stays_as_it_is():
    i18n.use("zh")
    assert i18n.retold("something new", postgres._SAID) == "something new"
