"""Files that cannot be read are refused whole, with what is wrong, where, and what to do."""

from pathlib import Path

import pytest

from checkout.store.importing.csvfile import CsvFile, Row
from checkout.store.importing.report import BadRow, ImportRefused

HEADER = b"sku,warehouse,quantity\n"
REQUIRED = ("sku", "quantity")


def make(tmp_path: Path, content: bytes) -> CsvFile:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return CsvFile(path, required=REQUIRED, optional=("warehouse", "note"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv is empty"),
        ("sku,quantity\n".encode("utf-16"), "file.csv is encoded in UTF-16, needed: UTF-8"),
        (HEADER + b"A,main,1\nB\0,main,1\n", "file.csv, line 3: a NUL byte"),
        (
            HEADER + "A,main,1\nB\xfcrste,main,1\n".encode("latin-1"),
            r"file.csv, line 3: byte 0xfc after 'B' is not UTF-8. Save the file .* iconv -f WINDOWS-1252 -t UTF-8 file",
        ),
        (HEADER.replace(b",", b";"), "file.csv is separated by semicolons, needed: commas"),
        (HEADER.replace(b",", b"\t"), "file.csv is separated by tabs, needed: commas"),
        (b"SKU,Amount,a,b,c,d\n", r"line 1: the header lacks 'quantity'; it begins 'SKU', 'Amount', 'a', 'b', 'c', …"),
        (b"A,1\nB,2\n", "line 1: the header lacks 'sku', 'quantity'; it begins 'A', '1'"),
        (b"sku,quantity,SKU\n", "line 1: the column 'sku' is there 2 times"),
        (b'sku,"quan"tity\n', "line 1: the header is no CSV"),
        (b"\n", "line 1: the header lacks 'sku', 'quantity'; it begins $"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ImportRefused, match=message):
        make(tmp_path, content)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="is not a file"):
        CsvFile(tmp_path, required=REQUIRED)


def test_a_byte_order_mark_case_and_spaces_do_not_matter(tmp_path: Path) -> None:
    file = make(tmp_path, b"\xef\xbb\xbf SKU ,Quantity,else\r\n A ,1,x\r\n")
    assert file.columns == {"sku", "quantity"}
    assert list(file.rows()) == [Row(2, {"sku": "A", "quantity": "1"})]


def test_rows_know_the_line_where_they_begin(tmp_path: Path) -> None:
    file = make(tmp_path, b'sku,quantity,note\nA,1,"two\nlines"\n\n,,\nB,2\n')
    assert list(file.rows()) == [
        Row(2, {"sku": "A", "quantity": "1", "note": "two\nlines"}),
        Row(6, {"sku": "B", "quantity": "2"}),
    ]
    assert file.bytes_read == file.size


def test_bad_rows_are_said_and_the_rest_is_read(tmp_path: Path) -> None:
    file = make(tmp_path, b'sku,quantity\nA,1,2\n"B"x,2\nC,3,\nD,4\n')
    extra, quote, *rest = file.rows()
    assert extra == BadRow(2, "", "3 fields, but 2 in the header: is a comma not in quotes?")
    assert isinstance(quote, BadRow)
    assert quote.line == 3
    assert [row.line for row in rest] == [4, 5]


def test_a_quote_left_open_ends_in_a_bad_row(tmp_path: Path) -> None:
    (bad,) = make(tmp_path, b'sku,quantity\n"A,1\nB,2\n').rows()
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert "is a quote left open?" in str(bad)


def test_a_cell_beyond_the_limit_of_the_format_is_a_bad_row(tmp_path: Path) -> None:
    first, second = make(tmp_path, b"sku,quantity\n" + b"A" * 200_000 + b",1\nB,2\n").rows()
    assert isinstance(first, BadRow)
    assert second == Row(3, {"sku": "B", "quantity": "2"})
