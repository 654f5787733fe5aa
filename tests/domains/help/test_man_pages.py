"""The pages of `man`: one for everything that can be typed, and what groff, mandoc and man itself make of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from usermgmt.domains.help import man, roff
from usermgmt.groups import GROUPS
from usermgmt.kernel import i18n, tree

TOP = Path(__file__).parents[3]
sys.path.insert(0, str(TOP / "tests" / "tools"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pages of both languages, as a wheel has them."""
    import build_hook

    made = tmp_path_factory.mktemp("man")
    build_hook.write(made)
    return made


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")


def shown(*pages: Path, text: str = "") -> str:
    """Pages as groff shows them on a terminal, without bold and underline; it has nothing to say about them."""
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=100n", *map(str, pages)]
    done = subprocess.run(command, input=text.encode("ascii"), capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


def test_everything_that_can_be_typed_has_a_page(folder):
    wanted = {tree.command_path(ctx).replace(" ", "-") for ctx in tree.leaves()}
    wanted |= {f"usermgmt-{row.name}" for row in GROUPS} | {"usermgmt"}
    assert {path.name for path in (folder / "man1").iterdir()} == {f"{name}.1" for name in wanted}
    for section in ("man1", "man7"):
        here, there = folder / section, folder / "zh_CN" / section
        assert {path.name for path in here.iterdir()} == {path.name for path in there.iterdir()}


def test_a_page_says_what_the_command_takes_and_how_it_ends(folder):
    needs("groff")
    text = " ".join(shown(folder / "man1" / "usermgmt-user-add.1").split())
    for said in (
        "usermgmt-user-add - Add a user, active unless told otherwise",
        "usermgmt user add USERNAME [OPTIONS]",
        "--if-exists fail|skip|update What to do about a record that is there already and differs. [default: fail]",
        "EXAMPLES usermgmt user add alice --email alice@example.com usermgmt user add 张伟",
        "5 conflict, 6 invalid",
        "USERMGMT_STORE The store: the path of its file",
        "/etc/usermgmt/config.toml",
        "SEE ALSO usermgmt(1), usermgmt-user(1), usermgmt-getting-started(7)",
    ):
        assert said in text, said


def test_the_programs_page_has_every_group_and_what_exit_codes_mean(folder):
    needs("groff")
    text = " ".join(shown(folder / "man1" / "usermgmt.1").split())
    assert all(f"usermgmt-{row.name}(1)" in text for row in GROUPS)
    assert "7 partial Several were meant and some were refused" in text
    assert "usermgmt-user-suspend(1)" in shown(folder / "man1" / "usermgmt-user.1")


def test_chinese_pages_are_chinese(folder):
    needs("groff")
    text = shown(folder / "zh_CN" / "man1" / "usermgmt-user-add.1")
    assert all(f"\n{heading}\n" in text for heading in ("名称", "概要", "说明", "选项", "示例", "退出状态", "参见"))
    assert "添加用户" in text


def test_pages_are_ascii_and_change_only_with_the_program(folder):
    pages = sorted(folder.rglob("*.[17]"))
    assert len(pages) > 80
    assert all(page.read_bytes().isascii() for page in pages)
    i18n.use("en")
    assert dict(man.pages()) == {
        str(page.relative_to(folder)): page.read_text() for page in pages if "zh_CN" not in page.parts
    }


def test_groff_has_nothing_to_say_about_any_page(folder):
    needs("groff")
    assert shown(*folder.rglob("*.[17]")).count("USERMGMT-USER-ADD(1)") == 4


def test_mandoc_misses_the_date_only(folder):
    needs("mandoc")
    pages = sorted(map(str, folder.rglob("*.[17]")))
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False
    )
    assert {line for line in done.stdout.splitlines() if "missing date" not in line} == set()


@pytest.mark.parametrize(
    "text",
    [
        ".TH evil 1",
        "'br",
        r"\fBbold\fR \n(yr \\",
        "--dry-run -n a-b",
        "`code` ~/x ^a 'single' \"double\"",
        "...",
        "张伟 138****5678",
        'end with \\"comment',
        "\\",
    ],
)
def test_text_is_shown_as_it_stands(text):
    needs("groff")
    head = roff.title("x", 1, "v", "m")
    for page in (
        [head, roff.heading("NAME"), *roff.paragraphs(text)],
        [head, roff.heading("NAME"), roff.literal([text])],
        [head, roff.heading("NAME"), *roff.tagged([(roff.bold(text), text)])],
        [head, roff.heading(text)],
        [head, *roff.of_markdown(f"# T\n\n- {text.replace('`', '')}" if "`" not in text else f"    {text}")],
    ):
        assert text in shown(text="\n".join(page) + "\n"), page


def test_markdown_as_the_manual_has_it():
    needs("groff")
    text = (
        "# Title\n\nWords with `--code`, **strong** and [a link](https://example.com).\n\n## Part\n\n"
        "- one\n  more\n- two\n\n1. first\n2. second\n\n| a | b | c |\n|---|---|---|\n| x | y | z |\n\n"
        "    code  here\n\n```sh\nfenced\n\n  too\n```\n"
    )
    page = "\n".join([roff.title("x", 7, "v", "m"), roff.heading("DESCRIPTION"), *roff.of_markdown(text)]) + "\n"
    told = shown(text=page)
    assert "Words with --code, strong and a link." in told
    for line in (
        "Part",
        "       • one more",
        "       • two",
        "       1.  first",
        "           code  here",
        "             too",
    ):
        assert f"\n{line}\n" in told, line
    assert re.search(r"x +b: y\n +c: z\n", told)


def test_a_wheel_installs_them_where_man_looks(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        data = [name for name in archive.namelist() if ".data/data/share/man/" in name]
        archive.extractall(tmp_path / "wheel", data)
    (root,) = (tmp_path / "wheel").glob("*.data/data")
    assert (root / "share/man/man1/usermgmt-user-add.1").is_file()
    assert (root / "share/man/zh_CN/man7/usermgmt-contract.7").is_file()
    needs("man")
    (root / "bin").mkdir()
    env = {"PATH": f"{root / 'bin'}:/usr/bin:/bin", "MANPAGER": "cat", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    done = subprocess.run(["man", "usermgmt-user-add"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("USERMGMT-USER-ADD(1)")
