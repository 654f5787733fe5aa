"""Random command lines, made of the words of the command tree and of what nobody would type."""

# ruff: noqa: E501 - the tables of inputs are as wide as they are

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from usermgmt.kernel import tree

if TYPE_CHECKING:
    import random

# these wait for ever, or reach out of the test's own directory: a store, a file or a descriptor of this process
_NEVER = {"--follow", "-f", "--store", "--config", "--password-fd", "--password-file", "--debug"}
_FILES = ("users.csv", "map.toml", "none.csv", "-", "new.out", "store.db", "keys", "sub/none/x")
# no program of jq without an end: nothing stops one
VALUES = [
    *("alice", "bob", "nobody", "id:1", "id:99999999999999999999", "uid:x", "email:alice@example.com", "phone:13800138000"),
    *("", " ", "-", "--", "---", "=", "-1", "0", "1", "9" * 25, "1e999", "nan", "0x10", "²", "٣", "1_0", "+1", "1.5"),
    *("\0", "a\0b", "\n", "\x1b[2J", "\u202e", "\ud800", "\udcff", "张伟", "İ", "ﬁ", "a" * 3000, "é" * 200, "\U0010ffff"),
    *("{}", "{0}", "{name}", "%s%n", "'; DROP TABLE user;--", "$(id)", "../x", ".", "[", "{", "\\", '"', "ext:hr/", "ext:/", "ext:hr/7"),
    *("2026-01-01", "2026-02-30", "now", "90d", "-90d", "99999999d", "9999-12-31T23:59:59.999Z", "0001-01-01", "24:00", "today"),
    *("json", "table", "csv", "xlsx", "zh", "en", "active", "closed", "person", "vip", "username", "username,email", "x,,y", "*"),
    *(".", ".[]", ".[", "input", "$__prog_args", "map(.username)", "error", "limit(3;repeat(1))", "@base32d"),
    *_FILES,
]  # fmt: skip


@dataclass
class Verb:
    path: list[str]
    flags: list[str] = field(default_factory=list)
    valued: list[str] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


def words() -> list[Verb]:
    """Every command with its options."""
    return [_verb(path, command) for path, command in _leaves([], tree.root()) if path[0] != "demo"]


def _leaves(path: list[str], command: Any) -> Any:
    if not isinstance(command, tree.Group):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from _leaves([*path, name], command.get_command(None, name))


def _verb(path: list[str], command: Any) -> Verb:
    made = Verb(path)
    for one in [*command.params, *tree.root().params]:
        for name in [*one.opts, *one.secondary_opts]:
            if not name.startswith("-") or name in _NEVER:
                continue
            (made.flags if getattr(one, "is_flag", False) else made.valued).append(name)
            if found := [str(choice.value) for choice in one.type_descriptor.choices or ()]:
                made.choices[name] = found
            if one.metavar and "FILE" in one.metavar:
                made.files.add(name)
    return made


def line(dice: random.Random, verbs: list[Verb]) -> list[str]:
    """One command line: mostly a command with options that it has, sometimes anything."""
    verb = dice.choice(verbs)
    made = list(verb.path)
    for _word in range(dice.randrange(6)):
        made += _piece(dice, verb)
    if dice.random() < 0.1:
        dice.shuffle(made)
    if dice.random() < 0.1 and made:
        at = dice.randrange(len(made))
        made[at] = dice.choice((made[at][:-1], made[at] * 2, made[at].upper(), dice.choice(VALUES)))
    return [one for one in made if one.partition("=")[0] not in _NEVER]


def _piece(dice: random.Random, verb: Verb) -> list[str]:
    kind = dice.randrange(10)
    if kind < 3:
        return [dice.choice(VALUES)]
    if kind < 5:
        return [dice.choice(verb.flags)]
    if kind == 5:
        return [dice.choice(("--json", "--yes", "--reason", "--dry-run", "-n", "--", "-"))]
    name = dice.choice(verb.valued)
    value = dice.choice(verb.choices.get(name) or (_FILES if name in verb.files else VALUES))
    if dice.random() < 0.1:
        value = dice.choice(_FILES if name in verb.files else VALUES)
    return [f"{name}={value}"] if dice.random() < 0.3 else [name, value]
