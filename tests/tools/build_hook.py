"""Adds the pages of ``man`` to the wheel: they are made from the command tree while it is built."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):
    """Makes the pages, and hands them to the wheel as files below ``share/man``, where ``man`` looks beside ``bin``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        self.made = Path(tempfile.mkdtemp(prefix="usermgmt-man-"))
        # the source that is being built, not one that is installed where it is built
        sys.path.insert(0, self.root)
        try:
            write(self.made)
        finally:
            sys.path.remove(self.root)
        build_data["shared_data"][str(self.made)] = "share/man"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del version, build_data, artifact_path
        shutil.rmtree(self.made, ignore_errors=True)


def write(folder: Path) -> None:
    """Write the pages of every language below ``folder``."""
    from usermgmt.domains.help import man
    from usermgmt.kernel import i18n

    for language in i18n.LANGUAGES:
        i18n.use(language)
        for name, text in man.pages():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
    i18n.use("en")
