"""An audit entry for what was done outside any store: to the configuration, to files; left where a store takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.kernel.errors import NoStore, UsermgmtError
from usermgmt.kernel.i18n import _
from usermgmt.kernel.invocation import data_home, store_place

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.events import E


def record_outside(ctx: Context, action: E, target: str, **facts: Any) -> None:
    """Leave an entry in the store that the settings name; where that cannot be, a warning says so.

    No store at all is worth a word only to somebody who gave a reason, which is then kept nowhere.
    """
    from usermgmt.kernel.store import Store
    from usermgmt.kernel.transaction import record

    try:
        ctx.use(Store(store_place(ctx.env, ctx.settings, ctx.cwd), ctx.settings, data_home(ctx.env)))
        record(ctx, action, target, facts=facts)
    except NoStore as error:
        if ctx.reason:
            ctx.warn(_("the reason is kept nowhere: {problem}").format(problem=error.message))
    except UsermgmtError as error:
        ctx.warn(_("this is not on the audit: {problem}").format(problem=error.message))
