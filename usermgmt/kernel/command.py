"""``@command``: opens the store, knows the actor, requires the permission, runs the transaction, renders.

A command declares what it needs; its body is the part that is its own.
"""

from __future__ import annotations

import gc
import inspect
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import typer

from usermgmt.kernel import invocation
from usermgmt.kernel.context import AskFirst
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.options import ahead, bundled, global_parameters, inputs, own_parameters, paths, shared_parameters
from usermgmt.kernel.results import Bytes, Listing, View
from usermgmt.kernel.tree import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.invocation import Invocation
    from usermgmt.kernel.permissions import P

NO_VIEW = View("", ())
_LEAVES_ENTRY = (Exit.CONFLICT, Exit.INVALID)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a command declares.

    ``writes``: runs in one writers' transaction. ``chunks``: writes, and begins its own transactions. ``files``: writes
    files and no rows. ``opens``: opens the store; ``old``: also one of an older schema; ``finds``: instead takes a
    store in whatever state, or none, and looks at it itself (``ctx.found``); ``checks``: also opens one that its
    anchors contradict, and begins its own transactions, because it reports what is wrong. ``polls``: the flag with
    which a reading command begins its own transactions, because it waits for changes. ``shows``: the view of its
    result; ``also``: formats beyond the renderer's, which the command itself writes. ``paths``: parameters that name
    files, found by their metavar; ``inputs``: those that a writing command reads before its transaction, with ``|-``
    in theirs. ``lenient``: works with a broken configuration, to mend it. ``needs``: what a flag requires beside
    ``may``, by the flag's name.
    """

    may: P | None = None
    writes: bool = False
    chunks: bool = False
    files: bool = False
    opens: bool = True
    old: bool = False
    finds: bool = False
    checks: bool = False
    polls: str = ""
    shows: View | None = None
    also: tuple[str, ...] = ()
    reveals: bool = False
    confirms: bool = False
    versioned: bool = False
    reasoned: bool = False
    raw: bool = False
    lenient: bool = False
    needs: Mapping[str, P] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def rehearses(self) -> bool:
        """Whether it has ``--dry-run``."""
        return self.writes or self.chunks or self.files


def command(app: typer.Typer, name: str = "", **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a command of ``app``; ``declared`` are the fields of ``Spec``.

    The function takes the ``Context`` and its own parameters, and returns a result of ``kernel.results``.
    """
    declaration = Spec(**declared)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        bundles: dict[str, type[Any]] = {}

        def run(context: typer.Context, **given: Any) -> None:
            spec: Spec = run.spec  # type: ignore[attr-defined]
            context.obj.exit = execute(context.obj, spec, body, given, context.command_path)

        def body(ctx: Context, given: dict[str, Any]) -> Any:
            return function(ctx, **bundled(given, bundles))

        def prepare() -> None:
            """Read the signatures; done when the command is named, since a group has many and a call needs one."""
            mine, found = own_parameters(function)
            bundles.update(found)
            run.spec = replace(declaration, paths=paths(mine), inputs=inputs(mine))  # type: ignore[attr-defined]
            parameters = _parameters(mine, declaration)
            run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
            run.__annotations__ = {one.name: one.annotation for one in parameters}

        run.__doc__ = function.__doc__
        run.prepare = prepare  # type: ignore[attr-defined]
        app.command(name or function.__name__.rstrip("_").replace("_", "-"), cls=Command)(run)
        return function

    return decorate


def _parameters(mine: list[inspect.Parameter], spec: Spec) -> list[inspect.Parameter]:
    return [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *mine,
        *shared_parameters(
            shows=spec.shows is not None and not spec.raw,
            also=spec.also,
            writes=spec.rehearses,
            reveals=spec.reveals,
            confirms=spec.confirms,
            versioned=spec.versioned,
            reasoned=spec.reasoned,
        ),
        *global_parameters(hidden=True),
    ]


def execute(call: Invocation, spec: Spec, run: Callable[..., Any], given: dict[str, Any], path: str) -> Exit:
    """Run one command for one invocation; returns its exit code.

    Raises every error of the command; ``main`` turns them into exit codes.
    """
    ctx = invocation.context(call, spec, given, path.partition(" ")[2])
    if ctx.refused is not None:
        _leave_refusal(call, ctx, spec, ctx.refused)
        raise ctx.refused

    def body() -> Any:
        _require_for_flags(ctx, spec, given)
        return run(ctx, given)

    if not (spec.opens or spec.finds):
        return _show(ctx, spec, body())
    # start-up is over (see main.console); what runs now may be long
    gc.enable()
    if spec.finds:
        invocation.find_store(call, ctx)
    else:
        invocation.open_store(call, ctx, old=spec.old, anchored=not spec.checks)
    try:
        if spec.chunks or spec.finds or spec.checks or given.get(spec.polls):
            ctx.require_declared(spec.may)
            return _show(ctx, spec, body())
        if spec.writes:
            for name in ahead(given, spec.inputs, spec.paths):
                ctx.read_ahead(name)
            return _show(ctx, spec, _write(ctx, spec, body))
        return _read(ctx, spec, body)
    except UsermgmtError as error:
        _leave_entry(ctx, spec, error)
        raise


def _require_for_flags(ctx: Context, spec: Spec, given: dict[str, Any]) -> None:
    for flag, permission in spec.needs.items():
        if given[flag]:
            ctx.require(permission)


def _leave_refusal(call: Invocation, ctx: Context, spec: Spec, refused: UsermgmtError) -> None:
    # where there is no sound store, the refusal stands all the same
    with suppress(UsermgmtError):
        invocation.find_store(call, ctx)
    _leave_entry(ctx, spec, refused)


def _show(ctx: Context, spec: Spec, result: Any) -> Exit:
    from usermgmt.kernel.render import Renderer

    code = Renderer(ctx, spec.shows or NO_VIEW).show(result)
    return max(code, ctx.exit)


def _write(ctx: Context, spec: Spec, body: Callable[[], Any]) -> Any:
    from usermgmt.kernel.transaction import writing

    while True:
        try:
            with writing(ctx):
                ctx.require_declared(spec.may)
                return body()
        except AskFirst as ask:
            # asked here, where no lock is held; the answer is compared with the count inside the next transaction
            invocation.ask(ctx, ask)


def _read(ctx: Context, spec: Spec, body: Callable[[], Any]) -> Exit:
    from usermgmt.kernel.reveal import record_reveal
    from usermgmt.kernel.transaction import reading

    with reading(ctx):
        ctx.require_declared(spec.may)
        result = body()
        if ctx.output.reveal:
            record_reveal(ctx, result)
        try:
            return _show(ctx, spec, result)
        finally:
            # a list that its reader left early ends before its connection does
            if isinstance(result, Listing | Bytes):
                result.close()


def _leave_entry(ctx: Context, spec: Spec, error: UsermgmtError) -> None:
    from usermgmt.kernel.transaction import record_failure

    refused_write = spec.rehearses and not spec.files and error.exit in _LEAVES_ENTRY
    if ctx.found is None or ctx.dry_run or not (error.exit == Exit.DENIED or refused_write):
        return
    try:
        record_failure(ctx, ctx.action, error)
    except UsermgmtError as second:
        # the refusal stands; that it could not be recorded is said beside it
        ctx.warn(second.message)
