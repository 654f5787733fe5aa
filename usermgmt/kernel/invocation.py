"""One call of the program: its argv-level options merged, its context built, its store opened, its questions asked."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usermgmt.kernel import actor, i18n, settings
from usermgmt.kernel.clock import Clock, Random
from usermgmt.kernel.context import Consent, Context, Output
from usermgmt.kernel.errors import Denied, Exit, FileMissing, NeedsConfirmation, UsageProblem, UsermgmtError
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.options import GLOBALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from usermgmt.kernel.command import Spec
    from usermgmt.kernel.context import AskFirst
    from usermgmt.kernel.store import Place, Store
    from usermgmt.kernel.streams import Streams


class PathRefused(Denied):
    """{name}: a call through sudo takes and gives data through its standard streams only."""

    code = "sudo.path"
    hint = N_("use < FILE or > FILE, and the store that the configuration names")


@dataclass
class Invocation:
    """What ``main.run`` was given, and what the parser found; ``globals`` come from before and after the verb.

    ``argv`` is what the language is chosen by before anything is parsed.
    """

    env: Mapping[str, str]
    cwd: Path
    streams: Streams
    clock: Clock = field(default_factory=Clock)
    random: Random = field(default_factory=Random)
    globals: list[dict[str, Any]] = field(default_factory=list)
    exit: Exit = Exit.OK
    argv: Sequence[str] = ()

    def option(self, name: str) -> Any:
        """Return a global option; the one after the verb wins."""
        for given in reversed(self.globals):
            value = given.get(f"global_{name}")
            if value not in (None, "", False):
                return value
        return None


def context(call: Invocation, spec: Spec, given: dict[str, Any], path: str) -> Context:
    """Take the shared options out of ``given`` and build the context.

    Raises ``UsageProblem``, ``BadConfiguration``.
    """
    call.globals.append({name: given.pop(name) for name in [f"global_{row[0]}" for row in GLOBALS]})
    who = actor.resolve(call.env)
    refused = None
    if who.narrow:
        call.env = settings.narrowed(call.env)
        refused = _refused_path(call, spec, given, who)
    loaded = load_settings(call, lenient=spec.lenient)
    if language := loaded.text("lang"):
        i18n.use(language)
    may_ask = call.streams.stdin_tty and call.streams.stderr_tty and not call.option("no_input")
    if may_ask:
        loaded.ask = partial(_passphrase, call.streams)
    ctx = Context(
        settings=loaded,
        clock=call.clock,
        random=call.random,
        actor=who,
        streams=call.streams,
        env=call.env,
        cwd=call.cwd,
        output=_output(call, loaded, given),
        command=path,
        config_file=config_file(call.option("config")),
        reason=_reason(given.pop("reason", "")),
        dry_run=given.pop("dry_run", False),
        if_version=given.pop("if_version", None),
        consent=Consent(yes=given.pop("yes", False), count=given.pop("confirm_count", None), may_ask=may_ask),
        refused=refused,
    )
    ctx.gave(*(value for value in given.values() if isinstance(value, str)))
    if spec.shows is not None:
        from usermgmt.kernel.outcomes import written
        from usermgmt.kernel.render import wanted

        ctx.fields = wanted(ctx, written(spec.shows) if spec.rehearses else spec.shows)
    if call.option("now") and not (spec.opens or spec.finds):
        raise not_simulated()
    return ctx


def _passphrase(streams: Streams) -> bytes:
    from usermgmt.kernel import secret

    return secret.prompt(streams, _("Passphrase of the store's key:"))


def _refused_path(call: Invocation, spec: Spec, given: dict[str, Any], who: actor.Actor) -> PathRefused | None:
    """Return the refusal of what would let the caller choose files that the store's account reads or writes.

    It is raised once the configured store is open, since it belongs on its audit; what was named is not looked at.
    """
    named = [f"--{name}" for name in ("store", "config") if call.option(name)]
    named += [name for name in spec.paths if given.get(name) not in (None, "", "-")]
    for one in call.globals:
        one.update(global_store="", global_config="")
    return PathRefused(name=named[0], actor=who.name) if named else None


def load_settings(call: Invocation, *, lenient: bool = False) -> settings.Settings:
    """Read the configuration of this invocation; ``lenient`` leaves out what is wrong or missing."""
    overrides = {}
    for option, key in (("store", "store.url"), ("lang", "lang"), ("color", "output.color")):
        if (value := call.option(option)) is not None:
            overrides[key] = (str(value), f"--{option}")
    named = config_file(call.option("config"))
    euid = os.geteuid()
    try:
        return settings.load(call.env, call.cwd, named, overrides, euid, lenient=lenient)
    except FileMissing:
        if not lenient:
            raise
        env = {name: value for name, value in call.env.items() if name != "USERMGMT_CONFIG"}
        return settings.load(env, call.cwd, None, overrides, euid, lenient=True)


def speak(call: Invocation) -> None:
    """Speak the configured language, where neither argv nor environment names one, before a command has its settings.

    Help and usage errors come so early, and are rare enough to read the configuration for them.
    """
    if actor.resolve(call.env).narrow:
        call.env = settings.narrowed(call.env)
    with suppress(UsermgmtError):
        i18n.use(i18n.choose(call.argv, call.env, load_settings(call, lenient=True).text("lang")))


def config_file(named: str | None) -> Path | None:
    """Return the file that ``--config`` names."""
    return Path(named) if named else None


def _output(call: Invocation, loaded: settings.Settings, given: dict[str, Any]) -> Output:
    chosen = given.pop("output_format", None)
    as_json, jq = given.pop("as_json", False), given.pop("jq", "")
    if as_json and chosen not in (None, "json"):
        raise UsageProblem(problem=_("--json and -o {format} contradict each other").format(format=str(chosen)))
    if jq and chosen not in (None, "json", "ndjson"):
        raise UsageProblem(problem=_("--jq filters JSON, not {format}").format(format=str(chosen)))
    fields = given.pop("fields", "")
    return Output(
        format="json" if as_json else str(chosen or ""),
        fields=tuple(name.strip() for name in fields.split(",") if name.strip()),
        jq=jq,
        utc=given.pop("utc", False),
        header=not given.pop("no_header", False),
        reveal=given.pop("reveal", False),
        quiet=bool(call.option("quiet")),
        verbose=bool(call.option("verbose")),
        debug=bool(call.option("debug")),
        color=loaded.text("output.color"),
    )


def _reason(text: str) -> str:
    from usermgmt.kernel.errors import Invalid
    from usermgmt.kernel.text import unstorable

    if bad := unstorable(text, lines=True):
        raise Invalid(field="--reason", problem=_("{char} cannot be stored").format(char=bad))
    if len(text) > 2000:
        raise Invalid(field="--reason", problem=_("it is longer than {n} characters").format(n=2000))
    return text


def data_home(env: Mapping[str, str]) -> Path:
    """Return the directory for data of this account: the place of its default store."""
    return _default_store(env).parent


def _default_store(env: Mapping[str, str]) -> Path:
    euid = os.geteuid()
    return settings.default_store(env, euid, settings.home(env, euid))


def store_location(env: Mapping[str, str], loaded: settings.Settings) -> str:
    """Return the path or URL of the store."""
    return loaded.text("store.url") or str(_default_store(env))


def store_place(env: Mapping[str, str], loaded: settings.Settings, cwd: Path) -> Place:
    """Return where the store is, as options, environment and configuration say."""
    from usermgmt.kernel.store import place

    return place(store_location(env, loaded), cwd, given=loaded.origin("store.url") == "--store")


def open_store(call: Invocation, ctx: Context, *, old: bool = False, anchored: bool = True) -> None:
    """Open the store, with ``old`` also one of an older schema, and, with ``--now``, set the clock of a simulated one.

    ``anchored=False`` also opens one that its anchors contradict.
    Raises what ``Store`` raises, and ``UsageProblem`` for ``--now`` on a real store.
    """
    from usermgmt.kernel.store import Store
    from usermgmt.migrations import HEAD, KNOWN

    at = store_place(ctx.env, ctx.settings, ctx.cwd)
    opened = Store(at, ctx.settings, data_home(ctx.env), accept=KNOWN if old else (HEAD,), anchored=anchored)
    ctx.use(opened)
    ctx.detail(_("store {place}, actor {actor}").format(place=opened.place.label, actor=ctx.actor.name))
    for path in ctx.settings.files:
        ctx.detail(_("configuration {path}").format(path=path))
    if now := call.option("now"):
        if not _simulated(opened):
            raise not_simulated()
        moment = ctx.moment(str(now), "--now")
        from usermgmt.kernel.clock import from_text

        ctx.clock = Clock(from_text(moment))


def find_store(call: Invocation, ctx: Context) -> None:
    """Open the store where it is sound; where it is not, or there is none, ``ctx.found`` is None.

    Raises ``UsageProblem`` for ``--now`` where no simulated store could be opened.
    """
    try:
        open_store(call, ctx)
        assert ctx.store.meta
    except UsageProblem:
        raise
    except UsermgmtError:
        ctx.use(None)
        if call.option("now"):
            raise not_simulated() from None


def _simulated(opened: Store) -> bool:
    """Tell whether the audit says that the store was made as a simulated one: a row changed later does not count."""
    from usermgmt.kernel.audit.base import first_facts

    with opened.reading() as connection:
        return first_facts(connection)[1].get("simulated") is True


def not_simulated() -> UsageProblem:
    """Return the error for ``--now`` where no simulated store is."""
    return UsageProblem(
        problem=_("--now works on a simulated store only"),
        hint=N_("usermgmt init --simulate makes one, for trials and tests"),
    )


def ask(ctx: Context, question: AskFirst) -> None:
    """Ask on the terminal; raises ``NeedsConfirmation`` where the answer is not yes."""
    ctx.streams.err(f"{question.question} {_('[y/N]')} ")
    answer = ctx.streams.stdin.readline().decode(errors="replace").strip().lower()
    if answer not in ("y", "yes", "ｙ", "是"):
        raise NeedsConfirmation(problem=_("Not confirmed; nothing was changed."), hint="")
    ctx.consent.answered = question.count
