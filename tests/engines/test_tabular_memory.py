"""However large the input, reading and writing stay below 200 MB, and what is too large is refused."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import usermgmt

LIMIT_MB = 200
# The peak of this process image alone: ru_maxrss would count the test runner that it was forked from.
MEASURED = """
import io, sys, re, tempfile
from pathlib import Path

class Made(io.RawIOBase):
    "A seekable file of `head`, then `body` over and over up to `size` bytes, then `tail`."

    def __init__(self, head, body, tail, size):
        self.head, self.tail, self.at = head, tail, 0
        self.body = body * (1 + (1 << 20) // len(body))
        self.times = (size - len(head) - len(tail)) // len(body)
        self.end = len(head) + self.times * len(body)
        self.unit = len(body)

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=0):
        self.at = offset if whence == 0 else self.end + len(self.tail) + offset
        return self.at

    def readinto(self, buffer):
        if self.at < len(self.head):
            piece = self.head[self.at:]
        elif self.at < self.end:
            start = (self.at - len(self.head)) % self.unit
            piece = self.body[start:start + self.end - self.at]
        else:
            piece = self.tail[self.at - self.end:]
        piece = piece[:len(buffer)]
        buffer[:len(piece)] = piece
        self.at += len(piece)
        return len(piece)

from usermgmt.engines.tabular.errors import FileFault
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import BadRecord, Format
from usermgmt.engines.tabular.writing import writer

def read(stream, name="-", **options):
    count = bad = 0
    try:
        with open_table(stream, name=name, **options) as table:
            for item in table:
                count += 1
                bad += isinstance(item, BadRecord)
    except FileFault as error:
        print(type(error).__name__, error.facts.get("line"), count, bad)
    else:
        print("read", count, bad)

def made(head, body, tail=b"", size=200 << 20):
    return io.BufferedReader(Made(head, body, tail, size))

{code}
status = Path("/proc/self/status").read_text()
print(re.search(r"VmHWM:\\s+(\\d+)", status)[1], file=sys.stderr)
"""


BOMBS = """
import random, tempfile, zipfile
sys.path.insert(0, "tests/engines")
from workbooks import MAIN, parts, sheet

NAMED = f'<worksheet xmlns="{MAIN}"><sheetData>'.encode()
HEAD = NAMED + b'<row r="1"><c t="str"><v>a</v></c></row>'
ROW, TAIL = b'<row r="2"><c t="str">', b"</sheetData></worksheet>"
CELL = b'<row r="2"><c t="s"><v>0</v></c></row>'

def noise():
    "A mebibyte of letters that hardly packs."
    return random.Random(1).randbytes(1 << 19).hex().encode()

def bomb(sheet1=(HEAD, TAIL), strings=(), more={}):
    "Read a workbook whose parts are made of many pieces."
    plain = parts(sheet(["a"]), strings="" if strings else None)
    big = {"xl/worksheets/sheet1.xml": sheet1}
    if strings:
        big["xl/sharedStrings.xml"] = [f'<sst xmlns="{MAIN}">'.encode(), *strings, b"</sst>"]
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, xml in {**plain, **more}.items():
                with archive.open(name, "w") as part:
                    for piece in big.get(name, [xml]):
                        part.write(piece if isinstance(piece, bytes) else piece.encode())
        file.seek(0)
        read(file, "x.xlsx")

"""


def measured(code: str, feed=()) -> str:
    """Run ``code`` in a fresh interpreter and return what it printed; its peak is checked here."""
    with subprocess.Popen(
        [sys.executable, "-c", MEASURED.replace("{code}", code)],
        cwd=Path(usermgmt.__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        # what is refused as it comes is not read to its end
        with contextlib.suppress(BrokenPipeError):
            for piece in feed:
                child.stdin.write(piece)
        out, err = child.communicate()
    assert child.returncode == 0, err.decode()
    assert int(err) / 1024 < LIMIT_MB
    return out.decode().strip()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestMemory:
    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ('read(made(b"a,b\\n1,2\\n", b"x"))', "RowTooLong 3 1 0"),
            ('read(made(b"a,b\\n1,2\\n", "张".encode()))', "RowTooLong 3 1 0"),
            ('read(made(b"a,b\\n1,2\\n", "张".encode("gb18030")), encoding="gb18030")', "RowTooLong 3 1 0"),
            ('read(made(b"a,b\\n1,2\\n" + b\'"\', b"x\\n"))', "RowTooLong 3 1 0"),
            ('read(made(b"a,b\\n1,", b"\\"\\"", b"\\n"))', "RowTooLong 2 0 0"),
            ('read(made(b"a,b\\n1,2\\n", b","))', "RowTooLong 3 1 0"),
            ('read(made(b"", b"x,"))', "RowTooLong 1 0 0"),
            ('read(made(b"a\\tb\\n", b"x\\t"), "x.tsv")', "RowTooLong 2 0 0"),
            ("""read(made(b'{"a":1}\\n{"a":"', b"x"), "x.ndjson")""", "RowTooLong 2 1 0"),
            ("""read(made(b'[{"a":1},\\n{"a":"', b"x", b'"}]'), "x.json")""", "RowTooLong 2 1 0"),
            ("""read(made(b'[{"a":1},\\n{"a":[', b"1,", b'1]}]'), "x.json")""", "RowTooLong 2 1 0"),
            ("""read(made(b'[{"a":1},\\n', b"1"), "x.json")""", "RowTooLong 2 1 0"),
            ("""read(made(b'[{"a":1},\\n{"a":', b"["), "x.json")""", "BottomlessJson 2 1 0"),
            ("""read(made(b'[{"a":1},', b"\\n", b"]"), "x.json")""", "BrokenJson 209715191 1 0"),
            ('read(made(b"a,b\\n", b"\\0"))', "NulByte 2 0 0"),
            ('read(made(b"a,b\\n", b"1,2\\n", size=2 << 30))', "FileTooLarge None 0 0"),
        ],
    )
    def test_200_mb_on_one_line(self, code, said):
        # it takes a second; a quadratic way would take minutes of the processor's time
        began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        assert measured(code) == said
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began < 30

    @pytest.mark.parametrize("options", ["", ', encoding="utf-8"'])
    def test_200_mb_on_one_line_of_a_pipe(self, options):
        feed = (b"a\n1\n" if i == 0 else b"x" * (1 << 20) for i in range(201))
        assert measured(f"read(sys.stdin.buffer{options})", feed) == "RowTooLong 3 1 0"

    def test_a_sparse_file_is_refused_at_once(self, tmp_path):
        path = tmp_path / "sparse.csv"
        with path.open("wb") as stream:
            stream.truncate(10 << 30)
        assert measured(f"read(open({str(path)!r}, 'rb'))") == "FileTooLarge None 0 0"

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("bomb(sheet1=[b' ' * (1 << 20)] * 40)", "WorkbookBomb None 0 0"),
            ("bomb(strings=[b' ' * (1 << 20)] * 40)", "WorkbookBomb None 0 0"),
            ("bomb(more={f'{n}.xml': b'' for n in range(20_000)})", "WorkbookBomb None 0 0"),
            ('bomb(sheet1=[HEAD, b\'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>\', TAIL])', "read 1 1"),
            ("bomb(sheet1=[HEAD, ROW, b'<v>', *[noise()] * 8])", "RowTooLong 2 0 0"),
            ("bomb(sheet1=[HEAD, b'<row x=\"', *[noise()] * 8])", "BrokenWorkbook None 0 0"),
            ("bomb(strings=[b'<si><t>', *[noise()] * 8, b'</t></si>'], sheet1=[HEAD, CELL, TAIL])", "read 1 1"),
            ("bomb(strings=[b'<si>%s' % (b'<a>' * 100_000)])", "BrokenWorkbook None 0 0"),
        ],
    )
    def test_a_workbook_that_unpacks_to_more_than_it_is(self, code, said):
        assert measured(BOMBS + code) == said

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("bomb(sheet1=[b' ' * (1 << 20)] * 900)", "WorkbookBomb None 0 0"),
            ("bomb(sheet1=[noise()] * 1100)", "FileTooLarge None 0 0"),
            ('bomb(sheet1=[HEAD, *(b\'<row r="%d" ht="15"/>\' % n for n in range(2, 1 << 20)), TAIL])', "read 0 0"),
            ("bomb(sheet1=[HEAD, ROW, b'<v>', *[noise()] * 200])", "RowTooLong 2 0 0"),
            ("bomb(sheet1=[HEAD, b'<!--', *[noise()] * 200])", "BrokenWorkbook None 0 0"),
            ("bomb(strings=[b'<si><t>', *[noise()] * 200, b'</t></si>'], sheet1=[HEAD, CELL, TAIL])", "read 1 1"),
            (
                "bomb(strings=[b'<si><t>%d</t></si>' % n for n in range(1_500_000)], sheet1=[HEAD, CELL, TAIL])",
                "read 1 0",
            ),
        ],
    )
    def test_a_workbook_that_unpacks_to_far_more_than_it_is(self, code, said):
        assert measured(BOMBS + code) == said

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("code", "count"),
        [
            ("""read(made(b'[{"n":0}', b',\\n{"n":1,"t":"' + b"x" * 984 + b'"}', b"]", 1 << 30), "x.json")""", 1 << 20),
            ("""read(made(b'', b'{"n":1,"t":"' + b"x" * 1009 + b'"}\\n', b"", 1 << 30), "x.ndjson")""", 1 << 20),
            ("""read(made(b"n,t\\n", b'1,"' + b"x" * 1019 + b'"\\n', b"", 1 << 30))""", 1 << 20),
        ],
    )
    def test_a_gibibyte_is_read(self, code, count):
        kind, read, bad = measured(code).split()
        assert (kind, bad) == ("read", "0")
        assert abs(int(read) - count) < count // 20

    @pytest.mark.slow
    @pytest.mark.parametrize("form", ["CSV", "TSV", "JSON", "NDJSON", "XLSX"])
    def test_a_million_rows_are_written(self, form):
        code = f"""
with tempfile.TemporaryFile() as stream, writer(Format.{form}, [str(i) for i in range(12)], stream) as out:
    out.write_rows(tuple(f"+{{i}}{{j}}张" for j in range(12)) for i in range(1_000_000))
    print(out.count)
"""
        assert measured(code) == "1000000"
