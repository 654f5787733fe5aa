"""Workbooks (Office Open XML, ECMA-376): read and written row by row with the standard library, in constant memory."""
