"""What can be wrong with a request about units."""

from __future__ import annotations

from usermgmt.domains.user.errors import UnitNotFound
from usermgmt.kernel.errors import Conflict, Invalid
from usermgmt.kernel.i18n import N_


class ParentNotFound(UnitNotFound):
    """There is no unit {name}, below which {unit} would stand."""

    code = "org.parent_not_found"
    hint = N_("make it first, or pass --parents")


class UnitExists(Conflict):
    """There is a unit {path} already."""

    code = "org.exists"
    hint = N_("usermgmt org show {path}; --if-exists skip or update takes it as it is")


class NameTaken(Conflict):
    """There is a unit {path} already."""

    code = "org.exists"
    hint = N_("choose another name, or rename that one: usermgmt org set {path} --name NAME")


class UnitCycle(Conflict):
    """{path} cannot stand below {parent}, which is the unit itself or below it."""

    code = "org.cycle"
    hint = N_("move {parent} out of {path} first")


class UnitInUse(Conflict):
    """{path} cannot be removed: {what}."""

    code = "org.in_use"


class TooManyUnits(Invalid):
    """org: there are {limit} units already, which is the most there can be."""

    code = "org.full"
