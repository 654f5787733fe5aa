"""Chinese: the catalogue has every message, help and errors speak it, and what machines read stays the same."""

from __future__ import annotations

import ast
import importlib.util
import re
import unicodedata
from pathlib import Path

import pytest
from typer.core import TyperOption

from usermgmt.kernel import i18n, layout, tree
from usermgmt.kernel.clock import Clock, from_text

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "usermgmt"
LEAVES = {tree.command_path(ctx).partition(" ")[2]: ctx for ctx in tree.leaves()}
HAN = re.compile("[\u4e00-\u9fff]")
# two English words in a row make a sentence, or its beginning
PROSE = re.compile(r"(?<![-\w])[A-Za-z]{2,} [a-z]{2,}\b")
COMMANDS = re.compile(r"\b(usermgmt|chmod|pip|audit|user|store)( [-a-z]+)+\b")
FORMATS = ("json", "ndjson", "tsv", "csv", "yaml", "ids", "count")


@pytest.fixture(scope="module")
def catalogue():
    spec = importlib.util.spec_from_file_location("catalogue", TOP / "tests" / "tools" / "catalogue.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def chinese(text: str) -> bool:
    return bool(HAN.search(text))


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_the_catalogue_is_complete(catalogue):
    assert list(catalogue.problems()) == []


def pairs(catalogue):
    for entry in catalogue.load():
        if entry.id:
            sources = [entry.id] if isinstance(entry.id, str) else list(entry.id)
            texts = [entry.string] if isinstance(entry.string, str) else list(entry.string)
            yield sources[-1], texts


def test_placeholders_are_those_of_the_source(catalogue):
    for source, texts in pairs(catalogue):
        wanted = sorted(re.findall(r"\{[^{} ]*\}", source))
        assert all(sorted(re.findall(r"\{[^{} ]*\}", text)) == wanted for text in texts), source


def test_paragraphs_are_those_of_the_source(catalogue):
    """Its lines are joined where they break, and Chinese would be parted there by a space."""
    for source, texts in pairs(catalogue):
        assert all(text.count("\n\n") == source.count("\n\n") for text in texts), source
        assert all("\n" not in text.replace("\n\n", "") for text in texts), source


def test_translations_are_typeset_as_chinese(catalogue):
    for source, texts in pairs(catalogue):
        for text in texts:
            words = re.sub(r"\{[^{}]*\}", "x", text)
            assert not re.search(
                "[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", re.sub(r"\{\w+\}", "", text)
            ), text
            assert not re.search("[\u4e00-\u9fff][,;:!?]|[\u4e00-\u9fff]\\.(?![.\\w])", words), text
            assert chinese(text) or not PROSE.search(COMMANDS.sub("", source)), source


def test_words_of_the_glossary_are_not_mixed(catalogue):
    """One word for one thing: the log is not the approval, and the account is not closed but 注销."""
    for _source, texts in pairs(catalogue):
        for text in texts:
            assert not re.search(
                "审核日志|审计人|日誌|用户帐|帐号|登陆|您|缺省|锁死|冻结账号|关闭账号|禁用|校检", text
            ), text


# -- help --------------------------------------------------------------------------------------------------------------


def untranslated(text: str) -> list[str]:
    """Return the lines in which English stands where no command, option, value or example is meant."""
    told = []
    examples = False
    for line in text.splitlines():
        examples = line.strip() == i18n._("Examples:") or (examples and line.startswith("  "))
        if not examples and PROSE.search(COMMANDS.sub("", line)) and not chinese(line):
            told.append(line)
    return told


@pytest.mark.parametrize("name", ["", *LEAVES])
@pytest.mark.engines("sqlite")
@pytest.mark.store
def test_help_is_chinese(run, name):
    shown = run([*name.split(), "--help"], env={"USERMGMT_LANG": "zh", "COLUMNS": "100"}).out
    assert shown.startswith("用法：usermgmt")
    assert untranslated(shown) == []
    english = run([*name.split(), "--help"], env={"COLUMNS": "100"}).out
    assert english.startswith("Usage: usermgmt")
    assert untranslated(english)


@pytest.mark.parametrize("name", LEAVES)
def test_every_word_of_help_has_a_translation(name):
    ctx = LEAVES[name]
    i18n.use("zh")
    words, _examples = tree.described(ctx.command)
    helps = [one.help for one in ctx.command.params if isinstance(one, TyperOption) or one.help]
    panels = [one.rich_help_panel for one in ctx.command.params if getattr(one, "rich_help_panel", None)]
    for message in (words, *filter(None, helps), *panels):
        assert chinese(i18n._(message)), message


@pytest.mark.parametrize("name", LEAVES)
def test_the_first_sentence_stands_in_the_list(name):
    i18n.use("zh")
    line = tree.summary(LEAVES[name].command)
    assert chinese(line)
    assert line.endswith("。")
    assert line.count("。") == 1


def test_lines_of_chinese_help_fit_the_terminal():
    i18n.use("zh")
    for ctx in LEAVES.values():
        ctx.terminal_width = 60
        text = ctx.command.get_help(ctx).partition(i18n._("Examples:"))
        after = text[2].partition("\n\n")[2]
        wide = [line for line in (text[0] + after).splitlines() if layout.cells(line) > 60 and chinese(line)]
        assert wide == []


# -- which language ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "env", "configured", "language"),
    [
        ("user list", {}, "", "en"),
        ("user list --lang zh", {}, "", "zh"),
        ("--lang zh user list", {}, "", "zh"),
        ("--lang zh user list --lang=en", {}, "", "en"),
        ("--lang=ZH user list", {}, "", "zh"),
        ("user note alice --text x -- --lang zh", {}, "", "en"),
        ("user list --lang", {}, "", "en"),
        ("user list --lang fr", {"LANG": "zh_CN.UTF-8"}, "", "zh"),
        ("user list --lang en", {"USERMGMT_LANG": "zh"}, "zh", "en"),
        ("user list", {"USERMGMT_LANG": "zh", "LANG": "en_US.UTF-8"}, "en", "zh"),
        ("user list", {"USERMGMT_LANG": "", "LANG": "zh_CN.UTF-8"}, "", "zh"),
        ("user list", {"LANG": "en_US.UTF-8"}, "zh", "zh"),
        ("user list", {"LANG": "zh_CN.UTF-8"}, "en", "en"),
        ("user list", {"LANG": "zh_CN.UTF-8"}, "", "zh"),
        ("user list", {"LANG": "zh"}, "", "zh"),
        ("user list", {"LANG": "zh_TW.Big5"}, "", "zh"),
        ("user list", {"LANG": "zha_CN"}, "", "en"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "", "en"),
        ("user list", {"LANG": "en_US.UTF-8", "LC_MESSAGES": "en_US", "LC_ALL": "zh_CN.UTF-8"}, "", "zh"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "", "en"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8", "LANGUAGE": "zh"}, "", "en"),
        ("user list", {"LANG": "POSIX", "LANGUAGE": "zh_CN"}, "", "en"),
        ("user list", {"LANGUAGE": "zh_CN"}, "", "en"),
        ("user list", {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "", "zh"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh"}, "", "en"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LANGUAGE": "fr:zh"}, "", "zh"),
        ("user list", {"LANG": "zh_CN.UTF-8", "LANGUAGE": "fr"}, "", "en"),
    ],
)
def test_the_language_is_chosen(argv, env, configured, language):
    assert i18n.choose(argv.split(), env, configured) == language


def configure(run, text):
    """Give the calls a configuration of their own: never the one of the account that runs the tests."""
    file = run.home / "mine.toml"
    file.write_text(text)
    file.chmod(0o600)
    run.env["USERMGMT_CONFIG"] = str(file)


@pytest.mark.engines("sqlite")
class TestSpeaking:
    @pytest.mark.parametrize(
        "line", ["--lang zh user show nobody", "user show nobody --lang zh", "--lang en user show nobody --lang=zh"]
    )
    def test_the_option_before_and_after_the_verb(self, run, line):
        assert run(line, exit=3).err.startswith("错误：没有用户 nobody。\n提示：")

    @pytest.mark.parametrize(
        "env", [{"USERMGMT_LANG": "zh"}, {"LANG": "zh_CN.UTF-8"}, {"LANG": "en_US.UTF-8", "LANGUAGE": "zh"}]
    )
    def test_the_environment(self, run, env):
        assert run("user show nobody", exit=3, env=env).err.startswith("错误：没有用户 nobody。")

    def test_the_c_locale_and_the_option_en(self, run):
        for line, env in (("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}), ("--lang en ", {"LANG": "zh_CN.UTF-8"})):
            assert run(f"{line}user show nobody", exit=3, env=env).err.startswith("error: There is no user nobody.")

    def test_the_configuration_counts_for_help_and_usage_errors_too(self, run):
        configure(run, 'lang = "zh"')
        assert run("user show nobody", exit=3).err.startswith("错误：")
        assert run("--help").out.startswith("用法：")
        assert run("user add --help").out.startswith("用法：")
        assert run("user", exit=2).err.startswith("用法：")
        assert run("user lst", exit=2).err.startswith("错误：没有命令 lst。")
        assert run("user add x --bad", exit=2).err.startswith("错误：此处没有选项 --bad。")
        assert run("user add --help --lang en").out.startswith("Usage:")
        assert run("user add --help", env={"USERMGMT_LANG": "en"}).out.startswith("Usage:")

    def test_a_broken_configuration_does_not_keep_help_away(self, run):
        configure(run, "lang = [")
        assert run("user add --help").out.startswith("Usage:")
        assert run("user list", exit=8, env={"USERMGMT_LANG": "zh"}).err.startswith("错误：配置 ")

    def test_one_call_does_not_speak_the_language_of_the_last(self, run):
        run("user show nobody --lang zh", exit=3)
        assert run("user show nobody", exit=3).err.startswith("error:")


# -- errors ------------------------------------------------------------------------------------------------------------

ZH = {"USERMGMT_LANG": "zh"}
WRONG = [
    ("user show nobody", 3, "没有用户 nobody。"),
    ("user add alice", 5, "此 username 已被其他用户使用：alice。"),
    ("user add bob --email a..b@x.y", 6, "email: 邮箱地址中不能有连续的点。"),
    ("user add bob --email a(@x.y", 6, "email: @ 之前有无效字符：'('。"),
    ("user add bob --phone 12", 6, "phone: "),
    ("user add bob --birth-date 2999-01-01", 6, "birth_date: 在将来"),
    ("user add bob --valid-until soon", 6, "valid_until: soon 不是时间"),
    ("user add -- -x", 6, "username: 不能以 - 开头"),
    ("user set alice --if-version 9 --occupation x", 5, "alice 的版本是 1，不是 9：期间有人修改过。"),
    ("user reopen bob", 3, "没有用户 bob。"),
    ("user close alice", 9, "注销 1 个账号？"),
    ("user list --from-file x", 2, "此处没有选项 --from-file。"),
    ("user list --limit x", 2, "--limit: 必须是不小于 0 的整数"),
    ("user list -o xml", 2, "--output: 必须是以下之一："),
    ("user list --fields nmae", 2, "没有字段 nmae"),
    ("user list --status gone", 2, "--status：没有状态 gone"),
    ("user list extra", 2, "参数: 太多"),
    ("user list --json -o csv", 2, "--json 与 -o csv 互相矛盾"),
    ("user list --jq [", 2, "语法见 jq 手册"),
    ("user set alice", 2, "没有要修改的内容"),
    ("user note alice", 2, "缺少：--text。"),
    ("user show", 2, "缺少：USER。"),
    ("usr list", 2, "没有命令 usr。"),
    ("user lst", 2, "没有命令 lst。"),
    ("user list --now 2026-01-01", 2, "--now 只能用于模拟存储"),
    ("user list --since", 2, ""),
    ("user set --from-file missing.txt --occupation x --yes", 3, "没有文件 "),
    ("config get lan", 3, "没有设置 lan。"),
    ("--config mine.toml config set lang fr", 6, 'lang: "fr" 不是以下之一：'),
    ("help nothing", 3, "没有主题 nothing。"),
    ("--store missing.db user list", 8, " 处没有存储。"),
    ("--config missing.toml user list", 3, "没有文件 "),
    ("audit show 999", 3, "没有审计条目 999。"),
]


@pytest.mark.engines("sqlite")
class TestErrors:
    @pytest.fixture(autouse=True)
    def alice(self, run):
        run("user add alice")

    @pytest.mark.parametrize(("line", "code", "words"), WRONG)
    def test_an_error_is_chinese_and_has_the_same_code(self, run, line, code, words):
        said = run(line, exit=code, env=ZH).err
        assert chinese(said)
        assert words in said
        assert not PROSE.search(re.sub("jq: .*", "", COMMANDS.sub("", said))), said
        assert not chinese(run(line, exit=code).err)

    @pytest.mark.parametrize(
        ("line", "code"), [(line, code) for line, code, _words in WRONG if "--j" not in line and "help" not in line]
    )
    def test_as_json_only_words_are_translated(self, run, line, code):
        line = line.replace("user add -- ", "user add --json -- ") if " -- " in line else f"{line} --json"
        ours, theirs = run(line, exit=code, env=ZH).error, run(line, exit=code).error
        assert chinese(ours["message"])
        assert not chinese(theirs["message"])
        assert ours.keys() == theirs.keys()
        assert (ours["code"], ours["exit_code"]) == (theirs["code"], theirs["exit_code"])
        assert ours["details"].keys() == theirs["details"].keys()

    def test_what_the_system_says_is_chinese(self, run):
        (run.home / "folder").mkdir()
        said = run("user set --from-file folder --occupation x --yes", exit=8, env=ZH).err
        assert "无法读写：它是目录" in said

    @pytest.mark.parametrize(
        "hostile", ["a\x1b[31mb", "a\u202eb", "a\rb", "{0}{name}{x!r}", "%s%n", "[red]b[/red]", "a\u009bb"]
    )
    def test_hostile_text_stays_neutral(self, run, hostile):
        run(["user", "add", "mallory", "--occupation", "x"])
        run.sql("UPDATE \"user\" SET username = ?, username_norm = 'm' WHERE username = 'mallory'", hostile)
        for line in (
            "user suspend id:2 --dry-run",
            "user set id:2 --if-version 7 --occupation y",
            "user show id:2 -o table",
        ):
            done = run(line, exit=None, env=ZH)
            told = done.out + done.err
            assert chinese(told)
            assert not [char for char in told if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs")]
            if hostile.isprintable():
                assert hostile in told


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
class TestAnswers:
    @pytest.fixture(autouse=True)
    def users(self, run):
        run("user add alice --email alice@example.com --phone 13800138000 --add-tag vip --gender female")
        run("user add 张伟 --full-name 张伟 --valid-until 2020-01-01")
        run("user add robot --kind service")
        run("user suspend alice --reason 拒付")
        run("user note alice --text 已回电")

    @pytest.mark.parametrize("shape", FORMATS)
    @pytest.mark.parametrize(
        "line", ["user list", "user show alice", "user show 张伟", "audit list", "audit show 3", "user history alice"]
    )
    def test_what_machines_read_is_the_same(self, run, line, shape):
        ours, theirs = run(f"{line} -o {shape}", env=ZH), run(f"{line} -o {shape}")
        assert ours.data == theirs.data
        assert ours.data

    @pytest.mark.parametrize("shape", ["json", "tsv", "csv", "ids"])
    @pytest.mark.parametrize(
        "line", ["user suspend 张伟 robot", "user add bob", "user set alice --occupation 医生", "user close alice"]
    )
    def test_answers_of_writes_are_the_same(self, run, line, shape):
        clock = Clock(from_text("2026-11-01T00:00:00.000Z"))
        ours, theirs = (run(f"{line} --dry-run -o {shape}", env=env, clock=clock).data for env in (ZH, {}))
        assert ours == theirs

    def test_config_and_store_answer_machines_the_same(self, run):
        for line in (
            "config show --json --fields key,default",
            "store info --json",
            "version --json",
            "doctor --json --fields check,severity",
        ):
            assert run(line, exit=None, env=ZH).data == run(line, exit=None).data

    def test_a_table_has_chinese_headings_and_labels(self, run):
        head, alice, zhang, robot = run("user list -o table --fields username,status,cause,kind,gender", env=ZH).lines
        assert head.split() == ["用户名", "状态", "无效原因", "类型", "性别"]
        assert alice.split() == ["alice", "停用", "停用", "个人", "女"]
        assert zhang.split() == ["张伟", "正常", "已过期", "个人"]
        assert robot.split() == ["robot", "正常", "服务账号"]

    def test_columns_of_wide_characters_align(self, run):
        lines = run("user list -o table --fields username,status", env=ZH).lines
        starts = {
            layout.cells(line[: line.index(word)]) for line, word in zip(lines, ("状", "停", "正", "正"), strict=True)
        }
        assert len(starts) == 1

    def test_every_column_has_a_chinese_label(self, run):
        for line in ("user show alice", "audit show 2", "store info", "doctor", "version", "audit verify"):
            for row in run(f"{line} -o table", exit=None, env=ZH).lines:
                label = re.split("  +", row)[0]
                assert (
                    chinese(label) or label in ("", "ID", "UID", "Python", "SQLite", "SHA-256") or line == "doctor"
                ), row

    def test_a_write_answers_in_a_chinese_line(self, run):
        assert run("user set alice --occupation 医生", env=ZH).out == "用户 alice：已更新（occupation）\n"
        assert (
            run("user suspend robot --dry-run", env=ZH).out
            == "用户 robot：已更新（status）（预演：没有保存任何内容）\n"
        )
        assert run("user activate 张伟", env=ZH).out == "用户 张伟：无变化\n"
        assert (
            run("user rename 张伟 zhang", env=ZH).out
            == "用户 zhang：已更新（username, former_names）；账号目前无效：已过期\n"
        )

    def test_a_question_is_chinese_and_is_answered_in_either_language(self, run):
        done = run("user close alice", env=ZH, tty=True, stdin="是\n")
        assert "注销 1 个账号？ [y/N]" in done.err
        assert run("user show alice --json").json["status"] == "closed"

    def test_a_limit_is_told_in_chinese(self, run):
        assert run("user list --limit 1", env=ZH).err == "共 3 条，显示 1 条\n"

    def test_topics_made_from_the_program_are_chinese(self, run):
        for topic in ("exit-codes", "settings", "permissions", "errors", "glossary", "commands"):
            assert chinese(run(f"help {topic}", env=ZH).lines[0]), topic
        assert untranslated(run("help exit-codes", env=ZH).out) == []
        assert untranslated(run("help errors", env={**ZH, "COLUMNS": "100"}).out) == []


# -- the sources -------------------------------------------------------------------------------------------------------

SPOKEN = {"problem", "hint", "note", "question", "help"}
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]")


def says(node: ast.expr) -> bool:
    """Tell whether an expression holds English prose of its own that no ``_`` stands around."""
    match node:
        case ast.Constant(str(text)):
            return bool(WORDS.search(text))
        case ast.JoinedStr(parts):
            return any(isinstance(part, ast.Constant) and re.search("[A-Za-z]{3}", part.value) for part in parts)
        case ast.BinOp(left, _, right):
            return says(left) or says(right)
        case ast.IfExp(_, body, other):
            return says(body) or says(other)
    return False


def unmarked(source: str) -> list[int]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            spoken = [one.value for one in node.keywords if one.arg in SPOKEN]
            if name in ("note", "warn", "detail", "confirm"):
                spoken += node.args
            if name in ("_", "N_"):
                spoken += [one for one in node.args if isinstance(one, ast.JoinedStr | ast.BinOp)]
            found += [node.lineno for one in spoken if says(one)]
    return found


def test_prose_reaches_people_through_the_catalogue():
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if not {"docs", "migrations"} & set(path.parts)]
    assert {str(path.relative_to(TOP)): lines for path in paths if (lines := unmarked(path.read_text()))} == {}


def test_prose_past_the_catalogue_is_noticed():
    for slip in (
        'ctx.note("all is well")',
        'E(problem=f"not {x} here")',
        '_(f"there is {x} here")',
        'E(hint="do it " + again)',
    ):
        assert unmarked(slip) == [1]
    assert unmarked('E(problem=_("not here"), hint=N_("do it"))') == []
