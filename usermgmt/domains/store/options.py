"""Options that commands about keys share."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.kernel.i18n import N_

Wrap = Annotated[bool, Option("--wrap", help=N_("Put the new key under a passphrase, which is asked for."))]
