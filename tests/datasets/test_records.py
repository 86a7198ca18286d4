"""Records come out of every usual format as they stand in it, and what cannot be read is named by file and line."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from searchinstruct_graph.datasets.records import Record, answer_of, context_of, question_of, read_records, value_of
from searchinstruct_graph.errors import UsageError

PERSIAN = "چرا می‌گویند یزد شهر بادگیرهاست؟"
Write = Callable[[str, str | bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return put


def texts(path: str) -> list[Any]:
    return [record.data["text"] for record in read_records(path)]


def refusal(path: str) -> str:
    with pytest.raises(UsageError) as caught:
        list(read_records(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Plain text


@pytest.mark.parametrize("name", ["seeds.txt", "seeds.md", "seeds", "SEEDS.TXT"])
def test_text_is_one_item_a_line_and_blanks_are_skipped(write: Write, name: str) -> None:
    path = write(name, f"\ufeff  Why is the sky blue? \r\n\r\n \t\n{PERSIAN}\n一个问题\u2028same line")
    assert list(read_records(path)) == [
        Record(f"{path}:1", {"text": "Why is the sky blue?"}),
        Record(f"{path}:4", {"text": PERSIAN}),
        Record(f"{path}:5", {"text": "一个问题\u2028same line"}),
    ]


def test_old_line_ends_and_other_encodings(write: Write) -> None:
    assert texts(write("mac.txt", b"one\rtwo\rthree")) == ["one", "two", "three"]
    assert texts(write("wide.txt", f"{PERSIAN}\nتهران".encode("utf-16"))) == [PERSIAN, "تهران"]
    assert texts(write("wider.txt", f"{PERSIAN}\nتهران".encode("utf-32"))) == [PERSIAN, "تهران"]
    assert texts(write("bare.txt", "plain words without a mark\n".encode("utf-16-le"))) == [
        "plain words without a mark"
    ]
    [row] = read_records(write("wide.csv", f"question\tanswer\r\n{PERSIAN}\tx\r\n".encode("utf-16")))
    assert row.data == {"question": PERSIAN, "answer": "x"}
    path = write("latin.txt", "first\nOù est né le général ?\n".encode("cp1252"))
    assert f"{path}:2: not UTF-8 (byte 0xf9 at column 2); save the file as UTF-8" in refusal(path)


def test_a_bad_byte_far_into_a_file_is_named_by_its_line(write: Write) -> None:
    path = write("long.txt", b"a good line of text\n" * 10_000 + b"a bad \xff one\n")
    assert f"{path}:10001: not UTF-8 (byte 0xff at column 7)" in refusal(path)


def test_a_character_cut_by_the_first_block_is_no_error(write: Write) -> None:
    path = write("cut.txt", "x" * 65_535 + "é" * 10)
    assert texts(path) == ["x" * 65_535 + "é" * 10]


def test_a_picture_named_as_text_is_refused(write: Write) -> None:
    assert "binary data" in refusal(write("seeds.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4))


def test_nul_and_lone_surrogates_become_the_replacement_character(write: Write) -> None:
    path = write("odd.jsonl", '{"text": "a\\u0000b\\ud800c", "k\\ud800": ["\\udfff"]}\n{"text": "\\ud83d\\ude00"}\n')
    first, second = read_records(path)
    assert first.data == {"text": "a\ufffdb\ufffdc", "k\ufffd": ["\ufffd"]}
    assert second.data == {"text": "😀"}
    for record in (first, second):
        json.dumps(record.data, ensure_ascii=False).encode()


# JSON and JSONL


def test_json_list_and_object_with_one_list(write: Write) -> None:
    path = write("a.json", '\n[{"question": "q1"},\n "q2"]')
    assert [(r.where, r.data) for r in read_records(path)] == [
        (f"{path}#1", {"question": "q1"}),
        (f"{path}#2", {"text": "q2"}),
    ]
    assert texts(write("b.json", '{"version": 2, "data": ["x"], "tags": ["not data"]}')) == ["x"]
    assert texts(write("c.json", '{"meta": {}, "anything": ["x", "y"]}')) == ["x", "y"]


def test_one_record_as_an_object(write: Write) -> None:
    [record] = read_records(write("one.json", '{"question": "What?", "answers": ["this"]}'))
    assert (question_of(record), answer_of(record)) == ("What?", "this")


def test_an_object_with_several_lists_says_which(write: Write) -> None:
    assert "2 lists (train, test)" in refusal(write("two.json", '{"train": [], "test": []}'))
    assert "no list" in refusal(write("none.json", '{"version": 1}'))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "rows", "rows.txt"])
def test_jsonl_also_under_the_wrong_name(write: Write, name: str) -> None:
    path = write(name, '{"question": "a"}\n\n{"question": "b"}\r\n')
    assert [(r.where, r.data["question"]) for r in read_records(path)] == [(f"{path}:1", "a"), (f"{path}:3", "b")]


def test_broken_json_is_named_by_line(write: Write) -> None:
    path = write("seeds.jsonl", '{"text": "a"}\n{"text": \n')
    assert refusal(path).startswith(f"{path}:2: not JSON: ")
    assert "a JSON list is read from a file named .json" in refusal(write("l.jsonl", "[\n1]"))
    assert refusal(path := write("b.json", '[{"a": 1},\n{"b" 2}]')).startswith(f"{path}:2: not JSON")
    assert "nested too deeply" in refusal(write("deep.jsonl", "[" * 100_000))
    assert "nested too deeply" in refusal(write("deep.json", "[" * 100_000))
    assert "too long" in refusal(write("digits.jsonl", '{"a": ' + "9" * 5_000 + "}"))
    assert refusal(path := write("n.jsonl", "17\n")) == f"{path}:1: neither an object nor a string, but a number"
    assert "but null" in refusal(write("n.json", "[null]"))


def test_nan_is_a_missing_value(write: Write) -> None:
    [record] = read_records(write("nan.jsonl", '{"question": "q", "weight": NaN, "x": -Infinity, "y": 1e999}'))
    assert record.data == {"question": "q", "weight": None, "x": None, "y": None}


def test_gzip_is_read_and_a_cut_archive_is_named(write: Write) -> None:
    packed = gzip.compress(b'{"text": "a"}\n{"text": "b"}\n')
    assert texts(write("a.jsonl.gz", packed)) == ["a", "b"]
    assert texts(write("a.jsonl", packed)) == ["a", "b"]
    assert "broken gzip data" in refusal(write("cut.jsonl.gz", packed[:-10]))
    assert "broken gzip data" in refusal(write("junk.txt.gz", b"\x1f\x8bjunk that is no archive"))
    assert "unpack it first" in refusal(write("a.parquet.gz", packed))


def test_limits_hold_for_what_is_unpacked(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCHINSTRUCT_MAX_FILE_MB", "0.1")
    line = write("line.jsonl.gz", gzip.compress(b'{"text": "' + b"a" * 200_000 + b'"}'))
    assert "SEARCHINSTRUCT_MAX_FILE_MB" in refusal(line)
    bomb = write("bomb.txt.gz", gzip.compress((b"a" * 999 + b"\n") * 7_000))
    assert "more than 6.4 MB" in refusal(bomb)
    whole = write("whole.json", b"[" + b"1,\n" * 100_000 + b"1]")
    assert "as JSONL, which is streamed" in refusal(whole)


def test_jsonl_streams(write: Write) -> None:
    path = write("big.jsonl", b'{"question": "%s"}\n' % (b"w " * 500) * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in read_records(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000, "20 MB of records held at once"


def test_standard_input_is_text_or_jsonl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{PERSIAN}\n\nnext\n".encode())))
    assert [(r.where, r.data) for r in read_records("-")] == [
        ("stdin:1", {"text": PERSIAN}),
        ("stdin:3", {"text": "next"}),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"prompt": "p"}\n{"prompt"')))
    with pytest.raises(UsageError, match="stdin:2: not JSON"):
        list(read_records("-"))


def test_what_is_no_file_of_records(write: Write, tmp_path: Path) -> None:
    assert "No such file" in refusal(str(tmp_path / "missing.txt"))
    (tmp_path / "folder.txt").mkdir()
    assert "a folder" in refusal(str(tmp_path / "folder.txt"))
    assert "not a format that can be read" in refusal(write("seeds.docx", b"PK"))


def test_empty_files_hold_no_records(write: Write) -> None:
    for name in ("a.txt", "a.json", "a.jsonl", "a.csv"):
        assert list(read_records(write(name, " \n"))) == []


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_with_any_usual_delimiter(write: Write, delimiter: str) -> None:
    cells = [["Question", "Answer"], ['"Who, or what; is it?"', '"line one\r\nline ""two"""'], [PERSIAN, "x"]]
    path = write("t.csv", "\ufeff" + "\r\n".join(delimiter.join(row) for row in cells) + "\r\n\r\n")
    first, second = read_records(path)
    assert first == Record(f"{path}:2", {"Question": "Who, or what; is it?", "Answer": 'line one\nline "two"'})
    assert second == Record(f"{path}:4", {"Question": PERSIAN, "Answer": "x"})


def test_csv_of_one_column_keeps_its_commas(write: Write) -> None:
    path = write("one.csv", 'question\nWhich is larger, a or b?\n"quoted, too"\n')
    assert [r.data["question"] for r in read_records(path)] == ["Which is larger, a or b?", "quoted, too"]


def test_csv_faults_are_named_by_line(write: Write) -> None:
    assert "a.csv:3: 3 cells under 2 columns" in refusal(write("a.csv", "question,answer\na,b\na,b,c\n"))
    assert "q.csv:2: not a row" in refusal(write("q.csv", 'question,answer\n"open,b\nc,d\n'))
    assert "two columns are named 'q'" in refusal(write("h.csv", "q,q\n1,2\n"))
    [short] = read_records(write("s.csv", "question,answer,\nonly\n"))
    assert short.data == {"question": "only", "answer": "", "column_3": ""}


def test_xlsx_takes_the_sheet_with_a_known_column(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Notes"])  # type: ignore[union-attr]
    sheet = book.create_sheet("Data")
    sheet.append([])
    sheet.append(["Question", "Weight", "When"])
    sheet.append([PERSIAN, 2.5, date(2024, 5, 1)])
    sheet.append([])
    sheet.append(["a_x000D_\nb", None, None])
    path = str(tmp_path / "book.xlsx")
    book.save(path)
    first, second = read_records(path)
    assert first == Record(f"{path}#3", {"Question": PERSIAN, "Weight": 2.5, "When": "2024-05-01T00:00:00"})
    assert second.where == f"{path}#5"
    assert second.data["Question"].replace("\r", "") == "a\nb"


def _workbook(tmp_path: Path, **parts: str) -> str:
    """A workbook with some of its parts replaced; `__` in a name stands for a slash."""
    book = openpyxl.Workbook()
    book.active.append(["question"])  # type: ignore[union-attr]
    plain = tmp_path / "plain.xlsx"
    book.save(plain)
    changed = {name.replace("__", "/") + ".xml": content for name, content in parts.items()}
    path = tmp_path / "changed.xlsx"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            target.writestr(part, changed.pop(part, source.read(part)))
        for part, content in changed.items():
            target.writestr(part, content)
    return str(path)


SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'


def test_xlsx_bombs_are_refused(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCHINSTRUCT_MAX_FILE_MB", "1")
    assert "unpacks to" in refusal(_workbook(tmp_path, xl__filler="0" * 9_000_000))
    entity = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + SHEET.format("")
    assert "declares entities" in refusal(_workbook(tmp_path, xl__worksheets__sheet1=entity))
    assert "not an XLSX workbook" in refusal(write("old.xlsx", b"\xd0\xcf\x11\xe0 an old one"))
    assert "not a workbook" in refusal(_workbook(tmp_path, xl__worksheets__sheet1="<worksheet"))
    row = '<sheetData><row r="1"><c t="str"><v>question</v></c></row><row r="2"><c t="s"><v>7</v></c></row></sheetData>'
    assert "broken workbook" in refusal(_workbook(tmp_path, xl__worksheets__sheet1=SHEET.format(row)))


@pytest.mark.timeout(20)
def test_xlsx_sheets_that_lie_about_their_size_cost_nothing(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1" t="str"><v>question</v></c></row><row r="2"><c r="A2" t="str"><v>q</v></c></row>'
    lie = '<dimension ref="A1:XFD1048576"/><sheetData>{}<row r="99999999999"><c t="str"><v>x</v></c></row></sheetData>'
    path = _workbook(tmp_path, xl__worksheets__sheet1=SHEET.format(lie.format(cells)))
    assert [record.data for record in read_records(path)] == [{"question": "q"}]


def test_parquet(tmp_path: Path, write: Write) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {
            "question": [PERSIAN, None],
            "messages": [[{"role": "user", "content": "hi"}], []],
            "picture": [b"\xff", b"\xff"],
            "score": [1.5, float("nan")],
        }
    )
    path = str(tmp_path / "rows.parquet")
    parquet.write_table(table, path)
    first, second = read_records(path)
    assert first == Record(
        f"{path}#1", {"question": PERSIAN, "messages": [{"role": "user", "content": "hi"}], "score": 1.5}
    )
    assert second.data == {"question": None, "messages": [], "score": None}
    assert "broken Parquet data" in refusal(write("bad.parquet", b"PAR1 not really PAR1"))


def test_parquet_without_pyarrow_says_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'searchinstruct-graph[datasets]'" in refusal(write("rows.parquet", b"PAR1"))


# The parts of a record


ASKED: dict[str, Any] = {"role": "user", "content": "u"}
REPLY: dict[str, Any] = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("data", "question", "answer"),
    [
        ({"Question": " Who? ", "Best Answer": "She"}, "Who?", "She"),
        ({"instruction": "Translate.", "input": "Haus", "output": "house"}, "Translate.\n\nHaus", "house"),
        ({"instruction": "Say hi.", "input": "<noinput>", "output": "hi"}, "Say hi.", "hi"),
        ({"instruction": "Add.", "instances": [{"input": "1+1", "output": "2"}]}, "Add.\n\n1+1", "2"),
        ({"PROMPT": "p", "completion": "c"}, "p", "c"),
        ({"input": "2+2=", "target": 4}, "2+2=", "4"),
        ({"problem": "x", "solution": r"\boxed{1}"}, "x", r"\boxed{1}"),
        ({"question": "Is it?", "answer": True}, "Is it?", "yes"),
        ({"question": "Which?", "choices": ["red", "blue"], "answer": 1}, "Which?", "blue"),
        (
            {"question": {"stem": "Which?"}, "answers": {"text": ["blue", "azure"], "answer_start": [1, 2]}},
            "Which?",
            "blue",
        ),
        ({"question": "", "text": "fallback", "answer": ["", "second"]}, "fallback", "second"),
        ({"سوال": PERSIAN, "پاسخ": "چون"}, PERSIAN, "چون"),
        ({"messages": [{"role": "system", "content": "s"}, ASKED, REPLY]}, "u", "a"),
        ({"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}, "u", "a"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "parts"}]}]}, "parts", None),
        ({"prompt": [ASKED], "chosen": [ASKED, REPLY]}, "u", "a"),
        ({"text": "<|user|>u<|assistant|>a", "messages": [ASKED]}, "u", None),
        ({"dialog": ["u", "a", "u2"]}, "u", "a"),
        ({"id": 7, "question": None, "answer": []}, None, None),
        ({"messages": "not a list", "conversations": [3]}, None, None),
    ],
)
def test_question_and_answer_under_usual_names(data: dict[str, Any], question: str | None, answer: str | None) -> None:
    record = Record("f:1", data)
    assert (question_of(record), answer_of(record)) == (question, answer)
    assert question_of(data) == question


def test_context() -> None:
    assert context_of({"context": " one "}) == "one"
    assert context_of({"facts": ["a", "", "b"]}) == "a\n\nb"
    assert context_of({"context": {"title": ["t"], "sentences": [["s1", "s2"], ["s3"]]}}) == "s1\n\ns2\n\ns3"
    assert context_of({"passages": [{"passage_text": "p", "is_selected": 1}]}) == "p"
    assert context_of({"question": "q"}) is None


def test_value_of_takes_the_first_name_that_is_filled() -> None:
    data = {"Topic": " ", "sub-topic": "food", "weight": 0}
    assert value_of(data, "topic", "subtopic", "sub_topic") == "food"
    assert value_of(data, "weight") == 0
    assert value_of(data, "missing") is None


def test_text_that_is_nested_by_the_thousand_is_no_text() -> None:
    dicts: Any = "deep"
    lists: Any = "deep"
    for _ in range(5_000):
        dicts, lists = {"text": dicts}, [lists]
    for value in (dicts, lists):
        record = {
            "question": value,
            "answer": value,
            "context": value,
            "messages": [{"role": "user", "content": value}],
        }
        assert (question_of(record), answer_of(record), context_of(record)) == (None, None, None)
