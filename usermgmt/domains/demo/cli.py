"""The ``demo`` command."""

from __future__ import annotations

from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.results import Bytes

app = tree.group("demo")


@command(app, opens=False)
def demo(ctx: Context) -> Bytes:
    """Walk the main job on a temporary store: import, manage, audit, verify, and a tampered copy being caught.

    Every line that begins with $ is a real command, followed by its real output. Nothing of it is kept.

    Examples:
    usermgmt demo
    usermgmt --lang zh demo
    """
    from usermgmt.domains.demo.tour import tour

    return Bytes(tour(ctx))
