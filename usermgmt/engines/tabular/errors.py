"""What can be wrong with an input: faults of the whole file, which end the reading, and of one record, which do not."""

from __future__ import annotations

from usermgmt.kernel.errors import Invalid, NotFound, UsageProblem
from usermgmt.kernel.i18n import N_


class UnknownEncoding(UsageProblem):
    """{name} is not a text encoding that can be read here."""

    code = "encoding.unknown"
    hint = N_("name one such as utf-8, gb18030, big5 or latin-1")


class UnknownDelimiter(UsageProblem):
    """{delimiter} is not a delimiter; it is a comma, a semicolon or a tab."""

    code = "delimiter.unknown"


class FileFault(Invalid):
    """{file}: {problem}"""

    code = "file.malformed"


class EmptyFile(FileFault):
    """{file} is empty."""

    code = "file.empty"


class FileTooLarge(FileFault):
    """{file} is larger than {limit} bytes."""

    code = "file.too_large"
    hint = N_("split it, or raise the limit in the configuration")


class OtherFile(FileFault):
    """{file} is not a text file: it looks like {kind}."""

    hint = N_("give the table itself, as CSV or JSON in UTF-8")


class NulByte(FileFault):
    """{file}, line {line}: there is a NUL byte, so this is no text file, or one in UTF-16."""

    hint = N_("name its encoding if it is UTF-16 (--encoding utf-16le), or save it as UTF-8")


class Utf32File(FileFault):
    """{file} is in UTF-32, which is not read."""

    hint = N_("save it as UTF-8, or convert it: iconv -f UTF-32 -t UTF-8")


class WrongMark(FileFault):
    """{file}, line {line}: it begins with the byte order mark of {found}, which is not {encoding}."""

    hint = N_("leave --encoding out: the mark says what it is")


class UnmarkedText(FileFault):
    """{file} has no byte order mark, so nobody can say which UTF-16 it is."""

    hint = N_("name it: --encoding utf-16le (Windows) or utf-16be")


class Undecodable(FileFault):
    """{file}, line {line}: there are bytes that are not UTF-8, and the file as a whole is not GB18030."""

    hint = N_("mend that line, or name the encoding with --encoding")


class BrokenText(FileFault):
    """{file}, line {line}: there are bytes that are not {encoding}."""

    hint = N_("mend that line, or name another encoding with --encoding")


class RowTooLong(FileFault):
    """{file}, line {line}: the record that begins here is longer than {limit} characters."""

    hint = N_("look for a quote or bracket that is never closed")


class TooManyRows(FileFault):
    """{file}, line {line}: there are more than {limit} records."""

    code = "file.too_large"
    hint = N_("split the file")


class UnclosedQuote(FileFault):
    """{file}, line {line}: the record that begins here holds a quoted field that is never closed."""

    hint = N_("the file may be cut off, or a quote inside a field is not doubled")


class LostQuote(FileFault):
    """{file}, line {line}: in the record that begins here, text follows a closing quote; where it ends is unknown."""

    hint = N_("write a quote inside a quoted field twice")


class DuplicateColumn(FileFault):
    """{file}, line {line}: the header names the column {column} twice."""


class NamelessColumn(FileFault):
    """{file}, line {line}: column {number} of the header has no name."""


class BadHeader(FileFault):
    """{file}, line {line}: the header cannot be read: {problem}"""


class BrokenJson(FileFault):
    """{file}, line {line}, column {column}: this is not JSON: {problem}."""


class TruncatedJson(FileFault):
    """{file}, line {line}: the JSON text ends here, unfinished."""


class BottomlessJson(FileFault):
    """{file}, line {line}: the JSON value that begins here is nested too deeply."""


class NoRecords(FileFault):
    """{file} is JSON, but neither an array of objects nor an object."""

    code = "file.no_records"


class ArrayNotLines(FileFault):
    """{file} is a JSON array, not one object per line."""

    code = "file.no_records"
    hint = N_("give its format as json, not ndjson")


class NoWorkbook(FileFault):
    """{file} is not an Excel workbook (.xlsx) but {kind}."""

    hint = N_("open it in the program that it is for, and save it as .xlsx or CSV")


class BrokenWorkbook(FileFault):
    """{file} is a damaged workbook: {problem}."""

    hint = N_("open it in a spreadsheet, and save it again as .xlsx or CSV")


class EncryptedWorkbook(FileFault):
    """{file} is protected with a password."""

    hint = N_("save it without one")


class WorkbookBomb(FileFault):
    """{file} unpacks to far more than a workbook of its size does, so it is not opened."""

    code = "file.too_large"
    hint = N_("open it in a spreadsheet, delete what is empty, and save it again")


class SheetFull(Invalid):
    """A workbook holds {limit} of these records and no more."""

    code = "sheet.full"
    hint = N_("choose fewer, or another format")


class CellTooLong(Invalid):
    """The cell {cell} would be longer than the {limit} characters that a workbook holds."""

    code = "sheet.cell"
    hint = N_("choose another format")


class NoSheet(FileFault):
    """{file} is a workbook without a sheet."""

    code = "file.empty"


class EmptySheet(FileFault):
    """{file}: the sheet {sheet} is empty."""

    code = "file.empty"
    hint = N_("name another one with --sheet")


class NoSuchSheet(NotFound):
    """{file} has no sheet {sheet}."""

    code = "sheet.not_found"
    hint = N_("sheets: {names}")


class RecordFault(Invalid):
    """{problem}"""

    code = "record.malformed"


class RaggedRow(RecordFault):
    """The row has {found} fields, the header {expected}."""


class FieldTooLong(RecordFault):
    """The field {field} is longer than {limit} characters."""


class StrayQuote(RecordFault):
    """Text follows a closing quote; a quote inside a quoted field is written twice."""


class BadEscape(RecordFault):
    """The field {field} holds a backslash that begins no escape; a backslash is written twice."""


class NotAnObject(RecordFault):
    """The value is JSON, but not an object."""


class BrokenLine(RecordFault):
    """The line is not JSON: column {column}: {problem}."""


class DuplicateKey(RecordFault):
    """An object holds the key {key} twice."""


class TooDeep(RecordFault):
    """The value is nested deeper than {limit} levels."""


class HalfSurrogate(RecordFault):
    """A string holds half of a surrogate pair, which is no character."""


class HugeNumber(RecordFault):
    """A number is too large: {number}"""


class ErrorCell(RecordFault):
    """The cell {cell} holds the error {value}."""

    hint = N_("mend the formula, or empty the cell")


class UncalculatedCell(RecordFault):
    """The cell {cell} holds a formula that was never calculated."""

    hint = N_("open the workbook in a spreadsheet and save it")


class RoundedNumber(RecordFault):
    """The cell {cell} holds a number of more than 15 digits, of which a spreadsheet keeps 15."""

    hint = N_("format the column as text and enter the number again")


class BadCell(RecordFault):
    """The cell {cell} cannot be read: {problem}."""
