"""``python -m usermgmt``."""

from usermgmt.main import console

console()
