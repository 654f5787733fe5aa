"""What can be wrong with an expression itself: each with its place, found before any record is looked at."""

from __future__ import annotations

from typing import Self

from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import N_, _

_EXCERPT = 24


class BadExpression(UsageProblem):
    """{option}, {what}: {problem}"""

    code = "expression"
    hint = N_("usermgmt help expressions")

    @classmethod
    def at(cls, source: str, at: int, problem: str, hint: str | None = None, **facts: object) -> Self:
        """Return the error about the place ``at`` of ``source``; ``Rule`` adds the option that it came by."""
        before = source[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
        place = N_("column {column}") if line == 1 else N_("line {line}, column {column}")
        what = _(place).format(line=line, column=column)
        excerpt = source[at : at + _EXCERPT].partition("\n")[0].rstrip()
        if excerpt:
            problem = _("{problem}, at: {excerpt}").format(problem=problem, excerpt=excerpt)
        return cls(hint, option="", what=what, line=line, column=column, excerpt=excerpt, problem=problem, **facts)

    def of(self, option: str) -> Self:
        """Name the option that the expression was given by."""
        self.facts["option"] = option
        return self


class BadSyntax(BadExpression):
    """{option}, {what}: {problem}"""

    code = "expression.syntax"


class UnknownName(BadExpression):
    """{option}, {what}: {problem}"""

    code = "expression.name"


class WrongType(BadExpression):
    """{option}, {what}: {problem}"""

    code = "expression.type"


class TooLarge(BadExpression):
    """{option}, {what}: {problem}"""

    code = "expression.limit"
