"""usermgmt: the user office of a platform, in one command."""

__version__ = "0.1.0"
