"""What can be wrong with a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from usermgmt.kernel.errors import NotFound
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Sequence


class JobNotFound(NotFound):
    """There is no job {name}."""

    code = "tick.not_found"
    hint = N_("the jobs are {names}")

    @classmethod
    def near(cls, name: str, names: Sequence[str]) -> Self:
        """Return the error with the nearest of ``names`` in its hint."""
        from usermgmt.kernel.settings_values import nearest

        close, every = nearest(name, names), ", ".join(names)
        if close:
            return cls(name=name, names=every, near=close, hint=N_("did you mean {near}? The jobs are {names}"))
        return cls(name=name, names=every)
