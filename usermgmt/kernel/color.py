"""Whether a stream may carry colour: ``--color``, then the environment's conventions, then the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def wanted(choice: str, env: Mapping[str, str], *, tty: bool) -> bool:
    """Tell whether to use colour (no-color.org, bixense.com/clicolors)."""
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    if env.get("CLICOLOR_FORCE", "0") not in ("", "0") or env.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return tty and env.get("TERM") != "dumb" and env.get("CLICOLOR") != "0"
