"""Users by any sequence of commands, imports, backups and restores, beside a plain model of them."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field

import pytest
from campaigns import kept  # noqa: F401 - a fixture
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

OK, MISSING, CONFLICT, INVALID, PARTIAL = 0, 3, 5, 6, 7

# few names, so that they meet; none resembles another
NAMES = st.sampled_from(["amber", "birch", "cedar", "dahlia", "张伟"])
TAGS = st.sampled_from(["vip", "beta", "张"])
SHOWN = st.sampled_from(["A", "乙", "=1+1"])
EMAILS = st.sampled_from(["a@example.com", "b@example.com"])
DRY = st.sampled_from([False, False, False, True])
ROWS = st.lists(
    st.tuples(NAMES | st.just("bad name"), SHOWN | st.just(""), st.sets(TAGS, max_size=2)), min_size=1, max_size=5
)


@dataclass
class User:
    status: str = "active"
    display_name: str | None = None
    email: str | None = None
    tags: set[str] = field(default_factory=set)
    formers: set[str] = field(default_factory=set)


class Office:
    """The model: users by name. Each method returns the exit code of its command."""

    def __init__(self):
        self.users: dict[str, User] = {}

    def reserved(self, name, owner=None):
        return any(name in user.formers for user in self.users.values() if user is not owner)

    def taken(self, email, owner=None):
        return email is not None and any(user.email == email for user in self.users.values() if user is not owner)

    def add(self, name, shown, email):
        if name in self.users or self.reserved(name) or self.taken(email):
            return CONFLICT
        self.users[name] = User(display_name=shown, email=email)
        return OK

    def ensure(self, name, shown, email):
        return self.set(name, shown, email) if name in self.users else self.add(name, shown, email)

    def set(self, name, shown, email):
        user = self.users.get(name)
        if user is None:
            return MISSING
        if self.taken(email, user):
            return CONFLICT
        user.display_name = shown or user.display_name
        user.email = email or user.email
        return OK

    def rename(self, name, new):
        user = self.users.get(name)
        if user is None:
            return MISSING
        if new == name:
            return OK
        if new in self.users or self.reserved(new, user):
            return CONFLICT
        del self.users[name]
        self.users[new] = user
        user.formers = user.formers - {new} | {name}
        return OK

    def turn(self, verb, name):
        """Suspend, activate, close or reopen."""
        user = self.users.get(name)
        if user is None:
            return MISSING
        allowed, status = {
            "suspend": ({"active", "suspended"}, "suspended"),
            "activate": ({"active", "suspended"}, "active"),
            "close": ({"active", "suspended", "closed"}, "closed"),
            "reopen": ({"active", "closed"}, "active"),
        }[verb]
        if user.status not in allowed:
            return CONFLICT
        user.status = status
        return OK

    def remove(self, name):
        if name not in self.users:
            return MISSING
        if self.users[name].formers:
            return CONFLICT
        del self.users[name]
        return OK

    def tag(self, names, tag, verb):
        there = [self.users[name] for name in names if name in self.users]
        for user in there:
            user.tags = user.tags | {tag} if verb == "add" else user.tags - {tag}
        return OK if len(there) == len(names) else PARTIAL if there else MISSING

    def row(self, name, shown, tags, if_exists):
        """One record of an import; returns its outcome."""
        user = self.users.get(name)
        if user is None:
            if name == "bad name" or self.reserved(name):
                return "rejected"
            self.users[name] = User(display_name=shown or None, tags=set(tags))
            return "created"
        if (not shown or shown == user.display_name) and (not tags or tags == user.tags):
            return "unchanged"
        if if_exists == "update":
            user.display_name = shown or user.display_name
            user.tags = set(tags) or user.tags
        return {"fail": "rejected", "skip": "skipped", "update": "updated"}[if_exists]

    def take_in(self, rows, if_exists, on_error):
        """Return the outcomes of an import, None where it is taken back."""
        before, outcomes = copy.deepcopy(self.users), []
        for one in rows:
            outcomes.append(self.row(*one, if_exists))
            if outcomes[-1] == "rejected" and on_error != "continue":
                break
        if "rejected" in outcomes and on_error == "rollback":
            self.users = before
            return None
        return outcomes

    def shown(self):
        return {
            name: (user.status, user.display_name, user.email, sorted(user.tags)) for name, user in self.users.items()
        }


class UserMachine(RuleBasedStateMachine):
    def __init__(self, kept):
        super().__init__()
        kept.back()
        self.run = kept.run
        self.office = Office()
        self.backups = []
        self.lineage = 1
        self.numbers = itertools.count()

    def go(self, argv, dry, act):
        """Run a command, and its model: both come to the same exit; a rehearsal changes nothing."""
        before = copy.deepcopy(self.office.users)
        expected = act()
        self.run([*argv, *(["--dry-run"] if dry else [])], exit=expected)
        if dry:
            self.office.users = before

    @rule(
        verb=st.sampled_from(["add", "ensure", "set"]),
        name=NAMES,
        shown=st.none() | SHOWN,
        email=st.none() | EMAILS,
        dry=DRY,
    )
    def writes(self, verb, name, shown, email, dry):
        if verb == "set" and shown is None and email is None:
            shown = "A"
        fields = (["--display-name", shown] if shown else []) + (["--email", email] if email else [])
        self.go(["user", verb, name, *fields], dry, lambda: getattr(self.office, verb)(name, shown, email))

    @rule(name=NAMES, new=NAMES, dry=DRY)
    def renames(self, name, new, dry):
        self.go(["user", "rename", name, new], dry, lambda: self.office.rename(name, new))

    @rule(verb=st.sampled_from(["suspend", "activate", "close", "reopen"]), name=NAMES, dry=DRY)
    def turns(self, verb, name, dry):
        self.go(["user", verb, name, "--yes", "--reason", "r"], dry, lambda: self.office.turn(verb, name))

    @rule(name=NAMES, dry=DRY)
    def removes(self, name, dry):
        self.go(["user", "remove", name, "--yes"], dry, lambda: self.office.remove(name))

    @rule(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), tag=TAGS, verb=st.sampled_from(["add", "remove"]))
    def tags(self, names, tag, verb):
        argv = ["user", "tag", *names, f"--{verb}-tag", tag, "--yes"]
        self.go(argv, False, lambda: self.office.tag(names, tag, verb))

    @rule(
        rows=ROWS,
        if_exists=st.sampled_from(["fail", "skip", "update"]),
        on_error=st.sampled_from(["continue", "stop", "rollback"]),
        dry=DRY,
    )
    def imports(self, rows, if_exists, on_error, dry):
        before = copy.deepcopy(self.office.users)
        outcomes = self.office.take_in(rows, if_exists, on_error)
        text = "username,display_name,tags\n" + "".join(f"{n},{s},{';'.join(sorted(t))}\n" for n, s, t in rows)
        argv = ["import", "users", "-", "--json", "--if-exists", if_exists, "--on-error", on_error]
        answer = self.run([*argv, *(["--dry-run"] if dry else [])], stdin=text, exit=None)
        if outcomes is None:
            assert answer.exit == INVALID
        else:
            assert answer.exit in ((PARTIAL, INVALID) if "rejected" in outcomes else (OK,)), answer.err
            found = {name: answer.json[name] for name in set(outcomes)}
            assert found == {name: outcomes.count(name) for name in found}
            assert answer.json["read"] == len(outcomes)
        if dry:
            self.office.users = before

    @rule()
    def exports(self):
        rows = self.run("export users -o json").json
        found = {
            row["username"]: tuple(row[name] for name in ("status", "display_name", "email", "tags")) for row in rows
        }
        assert found == self.office.shown()

    @precondition(lambda self: len(self.backups) < 3)
    @rule()
    def backs_up(self):
        name = f"b{next(self.numbers)}.db"
        self.run(["store", "backup", name])
        self.backups.append((name, copy.deepcopy(self.office.users)))

    @precondition(lambda self: self.backups)
    @rule(data=st.data(), dry=DRY)
    def restores(self, data, dry):
        name, users = data.draw(st.sampled_from(self.backups))
        self.run(["store", "restore", name, "--yes", *(["--dry-run"] if dry else [])])
        if not dry:
            self.lineage += 1
            self.office.users = copy.deepcopy(users)
        self.exports()

    @rule()
    def verifies(self):
        assert self.run("audit verify --state --json").json["lineage"] == self.lineage

    def teardown(self):
        self.exports()
        self.verifies()


def walk(kept, examples, steps):
    kept.keep()
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(lambda: UserMachine(kept), settings=chosen)


def test_users_are_as_a_plain_model_of_them(kept):
    walk(kept, 4, 12)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_campaign_of_commands_against_the_model(kept):
    walk(kept, 200, 50)
