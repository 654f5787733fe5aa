"""The sample configuration: every setting explained, with its default, and commented out."""

from __future__ import annotations

from usermgmt.kernel.settings import TABLE
from usermgmt.kernel.settings_values import written

SAMPLE_HEAD = """\
# usermgmt: configuration. Read from /etc/usermgmt/config.toml, then from ~/.config/usermgmt/config.toml (not for
# root), then from the file that --config or USERMGMT_CONFIG names; what is read later wins. The environment
# (USERMGMT_STORE_BUSY_TIMEOUT for busy_timeout of [store], USERMGMT_STORE for its url) and the command line win over
# every file. Each line shows the default: take the # away to change one. "usermgmt config show --origin" tells what
# holds, "usermgmt config validate" what is wrong.
"""
SAMPLE_END = """
# Attributes of users that this platform has and others have not, each a table of its own, as many as 100 in a file:
# type is text, integer, boolean, date or choice. "usermgmt help formats" says more.
#
#   [attribute.department]
#   label = "部门"
#   choices = ["销售", "研发", "客服"]
#
#   [attribute.badge_number]
#   type = "text"
#   maximum = 20
#   mask = "text"
"""


def sample() -> str:
    """Return the sample configuration: every setting with its help and its default, commented out."""
    import textwrap

    import tomlkit

    lines = SAMPLE_HEAD.splitlines()
    section = ""
    for setting in TABLE:
        before, dot, name = setting.key.rpartition(".")
        lines += ["", f"[{before}]"] if dot and before != section else []
        section = before
        words = f"{setting.help} ({', '.join(filter(None, setting.choices))})" if setting.choices else setting.help
        lines += ["", *(f"# {line}" for line in textwrap.wrap(words, 110, break_on_hyphens=False))]
        lines.append(f"#{name} = {tomlkit.item(written(setting, setting.default)).as_string()}")
    return "\n".join(lines) + "\n" + SAMPLE_END
