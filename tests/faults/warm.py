"""A process that has everything imported and forks one child for each run of the program: a run costs milliseconds.

Started by ``rig.Rig``; speaks JSON lines. A request names ``env``, ``lines`` (argument lists, run one after the other;
with ``stop_at_failure`` only up to the first that fails), and what is done to the child before: ``arm`` (see
``shim.c``), ``patch`` (see ``_patch``), ``reader`` (the store is held open by a reader, so that a writer that ends does
not empty the log). The answer: what each line left, how the child ended, how many calls the shim counted.
With ``crowd`` N children run the lines of a ``template`` at once, and answer with the seconds that each line took.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from usermgmt.kernel.streams import Streams
from usermgmt.main import _harden, run


def warm(env, cwd):
    """Run each kind of command once: what they import is then there for every child."""
    for line in ("user show nobody", "audit verify --state", "doctor", "store info", "import users /dev/null"):
        command(line.split(), env, cwd)


def command(argv, env, cwd):
    out, err = io.BytesIO(), io.BytesIO()
    code = run(argv, env, Path(cwd), Streams(io.BytesIO(), out, err))
    return code, out.getvalue().decode(errors="replace"), err.getvalue().decode(errors="replace")


def _patch(given):
    """Make the program less careful than it is (``synchronous``), or take WAL away from it (``wal``)."""
    from usermgmt.kernel import sqlite

    if "wal" in given:
        sqlite.wal_is_safe = lambda _version: given["wal"]
    if "synchronous" in given:
        careful = sqlite._set_up

        def careless(connection, **more):
            careful(connection, **more)
            connection.execute(f"PRAGMA synchronous={given['synchronous']}")

        sqlite._set_up = careless
    for name in given.get("unqueued", ()):
        from contextlib import nullcontext

        from usermgmt.kernel import store

        setattr(store, name, lambda _path, patience: nullcontext(patience))


def child(request, results):
    """Run the lines; after each, tell its number and what it left, as an acknowledgement that a reader of it has."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _patch(request.get("patch") or {})
    reader = None
    if request.get("reader"):
        from usermgmt.kernel import sqlite

        reader = sqlite.driver().connect(request["env"]["USERMGMT_STORE"], isolation_level=None)
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
    armed = request.get("arm")
    if armed:
        shim = ctypes.CDLL(None)
        shim.fault_hit.restype = ctypes.c_char_p
        shim.fault_arm(
            armed.get("at", -1),
            armed.get("calls", "").encode(),
            armed.get("errno", 0),
            armed.get("half", 0),
            armed["root"].encode(),
            armed.get("log", "").encode(),
        )
    for number, argv in enumerate(request["lines"]):
        left = command(argv, request["env"], request["cwd"])
        if armed:
            shim.fault_mark(number)
        # straight to the descriptor: what was told is told, whatever becomes of this process
        os.write(results, json.dumps(left).encode() + b"\n")
        if left[0] and request.get("stop_at_failure"):
            break
    if armed:
        counted = {"calls": shim.fault_count(), "hit": os.fsdecode(shim.fault_hit())}
        os.write(results, json.dumps(counted).encode() + b"\n")
    del reader


def forked(work, *arguments):
    """Run ``work`` in a child; return its process id and where its words come out."""
    told, tell = os.pipe()
    process = os.fork()
    if process:
        os.close(tell)
        return process, told
    os.close(told)
    code = 1
    try:
        gc.enable()
        work(*arguments, tell)
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not come back into the parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


def collected(told):
    with os.fdopen(told, "rb") as stream:
        return [json.loads(line) for line in stream if line.endswith(b"\n")]


def one(request):
    process, told = forked(child, request)
    left = collected(told)
    _process, status = os.waitpid(process, 0)
    counted = left.pop() if left and isinstance(left[-1], dict) else {}
    return {"left": left, "ended": os.waitstatus_to_exitcode(status), **counted}


def member(request, number, start, tell):
    """Run the template ``each`` times, or for ``seconds``, from the instant ``start`` on; tell the time of each."""
    _patch(request.get("patch") or {})
    time.sleep(max(0.0, start - time.monotonic()))
    took, times, until = [], request.get("each") or 1 << 40, start + (request.get("seconds") or 1e9)
    while len(took) < times and time.monotonic() < until:
        argv = [word.format(n=number, i=len(took)) for word in request["template"]]
        began = time.monotonic()
        code, _out, err = command(argv, request["env"], request["cwd"])
        took.append(time.monotonic() - began)
        if code:
            os.write(tell, json.dumps({"code": code, "err": err}).encode() + b"\n")
            return
    # more than a pipe holds would be cut where another process is slow to read: one write per piece
    for at in range(0, len(took), 100):
        os.write(tell, json.dumps([round(one, 6) for one in took[at : at + 100]]).encode() + b"\n")


def crowd(request):
    start = time.monotonic() + 0.2 + 0.01 * request["crowd"]
    members = [forked(member, request, number, start) for number in range(request["crowd"])]
    answers, errors = [], []
    for process, told in members:
        pieces = collected(told)
        os.waitpid(process, 0)
        errors += [piece for piece in pieces if isinstance(piece, dict)]
        answers.append([each for piece in pieces if isinstance(piece, list) for each in piece])
    return {"took": answers, "errors": errors}


def main():
    _harden()
    for line in sys.stdin:
        request = json.loads(line)
        with suppress(BrokenPipeError):
            if "warm" in request:
                warm(request["env"], request["cwd"])
                gc.collect()
                gc.freeze()
                answer = {}
            else:
                answer = crowd(request) if "crowd" in request else one(request)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


main()
