"""Records from the files that people keep questions and answers in: text, JSON, JSONL, CSV, TSV, XLSX, Parquet.

Reading streams wherever the format allows, so a file of a million rows costs the memory of one. `question_of`,
`answer_of` and `context_of` find a record's parts under the column names that published data sets use.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import itertools
import json
import math
import os
import re
import sys
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any, NamedTuple

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.tools.corpus.limits import VARIABLE, max_file_bytes, max_records_bytes, over_limit
from searchinstruct_graph.tools.reading.decoding import decode_text, looks_binary
from searchinstruct_graph.tools.reading.result import Unreadable

STANDARD_INPUT = "-"
"""The path that stands for standard input."""

_FORMATS = {
    "": "lines",
    ".txt": "lines",
    ".text": "lines",
    ".md": "lines",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_READABLE = "text (one item a line), .json, .jsonl, .csv, .tsv (each also with .gz), .xlsx or .parquet"

_PEEK = 1 << 16
_GZIP = b"\x1f\x8b"
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


class Record(NamedTuple):
    """One item of a file."""

    where: str
    """`file:line`; `file#record` (from 1; in a workbook the number of its row) where the format has no lines."""
    data: dict[str, Any]
    """Its columns as the file names them; an item that is a mere string is {"text": string}."""


def read_records(path: str) -> Iterator[Record]:
    r"""The records of one file in order, in the format that its suffix names; `-` reads text or JSONL from standard input.

    Characters that no store accepts (NUL, lone surrogates) become U+FFFD. Line ends inside cells become `\n`.

    Raises:
        UsageError: at the first thing that cannot be read, naming the file and the line or record; nothing is skipped
            but blank lines.
    """
    if path == STANDARD_INPUT:
        yield from _stream(sys.stdin.buffer, "stdin", "lines")
        return
    name = _shown(path)
    stem, suffix = os.path.splitext(path.lower())
    packed = suffix == ".gz"
    kind = _FORMATS.get(os.path.splitext(stem)[1] if packed else suffix)
    if kind is None:
        raise UsageError(f"{name}: not a format that can be read; give {_READABLE}")
    if packed and kind in ("xlsx", "parquet"):
        raise UsageError(f"{name}: unpack it first; {kind} files are read as they are")
    try:
        if os.path.isdir(path):
            raise UsageError(f"{name}: a folder; name the files in it")
        if kind == "xlsx":
            yield from _workbook(path, name)
        elif kind == "parquet":
            yield from _parquet(path, name)
        else:
            with open(path, "rb", 0) as handle:
                yield from _stream(handle, name, kind)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}") from None


def _shown(path: str) -> str:
    return "".join(ch if ch.isprintable() else "?" for ch in path)


# Streams of bytes -----------------------------------------------------------------------------------------------------


def _stream(handle: IO[bytes], name: str, kind: str) -> Iterator[Record]:
    source = handle if isinstance(handle, io.BufferedReader) else io.BufferedReader(handle, _PEEK)  # type: ignore[type-var]
    head = source.peek(_PEEK)
    size = 0 if head.startswith(_GZIP) else _size(handle)
    if head.startswith(_GZIP):
        source = io.BufferedReader(gzip.GzipFile(fileobj=source), _PEEK)
        with _unpacking(name):
            head = source.peek(_PEEK)
    lines = _decoded(source, head, name, size)
    if kind == "json":
        yield from _json(lines, name)
    elif kind == "csv":
        yield from _table(lines, name)
    else:
        yield from _items(lines, name, kind)


def _size(handle: IO[bytes]) -> int:
    """Bytes of a file, 0 for a pipe: so that a message can say what a limit must be raised to."""
    try:
        return os.fstat(handle.fileno()).st_size
    except OSError:
        return 0


@contextmanager
def _unpacking(name: str, number: int = 0) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{name}: broken gzip data after line {number} ({error})") from None


def _decoded(source: IO[bytes], head: bytes, name: str, size: int) -> Iterator[tuple[int, str]]:
    """Numbered lines. UTF-8 is streamed; UTF-16 and UTF-32 show themselves, and take the whole file.

    Any other encoding is refused: guessing it from a few lines gives wrong letters now and then, and nobody would see.
    """
    if b"\x00" in head or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield from enumerate(io.StringIO(_whole(source, name, size), newline=None), 1)
        return
    if looks_binary(head):
        raise UsageError(f"{name}: binary data, not text; give {_READABLE}")
    number = 0
    for raw in _raw_lines(source, name, size):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            detail = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}"
            raise UsageError(f"{name}:{number + 1}: not UTF-8 ({detail}); save the file as UTF-8") from None
        if not number:
            line = line.removeprefix("\ufeff")
        if "\x00" in line:
            line = line.replace("\x00", "\ufffd")
        if "\r" not in line:
            number += 1
            yield number, line
            continue
        for part in io.StringIO(line, newline=None):
            number += 1
            yield number, part


def _raw_lines(source: IO[bytes], name: str, size: int) -> Iterator[bytes]:
    longest, budget = max_file_bytes(), max_records_bytes()
    for number in itertools.count(1):
        with _unpacking(name, number - 1):
            line = source.readline(longest + 1)
        if not line:
            return
        budget -= len(line)
        if len(line) > longest:
            raise UsageError(f"{name}:{number}: {over_limit(max(len(line), size))}")
        if budget < 0:
            raise UsageError(
                f"{name}:{number}: more than {max_records_bytes() / 1e6:g} MB; split it or raise {VARIABLE}"
            )
        yield line


def _whole(source: IO[bytes], name: str, size: int) -> str:
    """The text of a file in a wide encoding, decoded without a damaged character."""
    with _unpacking(name):
        data = source.read(max_file_bytes() + 1)
    if len(data) > max_file_bytes():
        raise UsageError(f"{name}: {over_limit(max(len(data), size))}, or save it as UTF-8, which is streamed")
    text = decode_text(data)
    if isinstance(text, Unreadable):
        raise UsageError(f"{name}: {text.detail}; save it as UTF-8")
    at = text.find("\ufffd")
    if at >= 0 and "\ufffd".encode() not in data:
        line = text.count("\n", 0, at) + 1
        raise UsageError(f"{name}:{line}: a character that does not belong to the file's encoding; save it as UTF-8")
    return _clean_text(text)


def _clean_text(text: str) -> str:
    return text if text.isascii() and "\x00" not in text else _UNSAFE.sub("\ufffd", text)


def _clean(value: Any) -> Any:
    """`value` as plain JSON data: safe strings, dates as ISO 8601, no NaN, no bytes."""
    if isinstance(value, str):
        return _clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return None if isinstance(value, bytes | bytearray) else _clean_text(str(value))


# Lines and JSON -------------------------------------------------------------------------------------------------------


def _items(lines: Iterator[tuple[int, str]], name: str, kind: str) -> Iterator[Record]:
    """Lines as they stand, or JSONL; what is named neither is JSONL when its first line is a JSON object."""
    first = True
    for number, line in lines:
        stripped = line.strip()
        if not stripped:
            continue
        if first and kind == "lines" and stripped.startswith("{") and _is_object(stripped):
            kind = "jsonl"
        first = False
        if kind == "lines":
            yield Record(f"{name}:{number}", {"text": stripped})
        else:
            yield _json_line(stripped, name, number)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_line(line: str, name: str, number: int) -> Record:
    where = f"{name}:{number}"
    try:
        value = json.loads(line, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        hint = "; a JSON list is read from a file named .json" if line.startswith("[") else ""
        raise UsageError(f"{where}: not JSON: {error.msg} (column {error.colno}){hint}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {_why(error)}") from None
    # Only an escape can bring in what UTF-8 does not hold.
    return _record(value, where, checked="\\u" not in line)


def _no_number(_: str) -> None:
    """NaN and the infinities, which Python's writers put where a number is missing."""


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else "a number that is too long"


def _record(value: Any, where: str, *, checked: bool = False) -> Record:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise UsageError(f"{where}: neither an object nor a string, but {_kind_of(value)}")
    try:
        return Record(where, value if checked else _clean(value))
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply") from None


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    return {"list": "a list", "bool": "true or false"}.get(type(value).__name__, "a number")


def _json(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Record]:
    """A JSON document, or lines of JSON under the wrong name, which many publish: those are streamed."""
    start: list[tuple[int, str]] = []
    for number, line in lines:
        start.append((number, line))
        if line.strip():
            break
    follows = next(((number, line) for number, line in lines if line.strip()), None)
    if follows is not None:
        # Blank lines between are lost; the line numbers of errors come from the lines themselves.
        rest = itertools.chain([follows], lines)
        if start[-1][1].lstrip().startswith("{") and _is_object(start[-1][1]):
            yield from _items(itertools.chain(start[-1:], rest), name, "jsonl")
            return
        yield from _document(_joined(itertools.chain(start, rest), name), name)
        return
    yield from _document(_joined(iter(start), name), name)


def _joined(lines: Iterator[tuple[int, str]], name: str) -> str:
    parts: list[str] = []
    size, number = 0, 0
    for at, line in lines:
        parts.append("\n" * (at - number - 1))
        parts.append(line)
        number = at
        size += len(line)
        if size > max_file_bytes():
            raise UsageError(f"{name}: {over_limit(size)}, or as JSONL, which is streamed")
    return "".join(parts)


def _document(text: str, name: str) -> Iterator[Record]:
    if not text.strip():
        return
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: not JSON: {error.msg} (column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not JSON: {_why(error)}") from None
    checked = "\\u" not in text
    items = _list_in(value, name)
    for number, item in enumerate(items, 1):
        yield _record(item, f"{name}#{number}", checked=checked)


_LISTS = ("data", "rows", "records", "examples", "items", "questions", "instances", "seeds")


def _list_in(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise UsageError(f"{name}: neither a list nor an object with a list, but one value")
    lists = [key for key, held in value.items() if isinstance(held, list)]
    named = [key for key in lists if _folded(key) in _LISTS]
    if question_of(value) is not None and not named:
        return [value]
    chosen = named if len(named) == 1 else lists
    if len(chosen) != 1:
        held = f"{len(lists)} lists ({_listing(lists)})" if lists else "no list"
        raise UsageError(f"{name}: the object holds {held}; give a list of records, or an object with one")
    found: list[Any] = value[chosen[0]]
    return found


def _listing(names: Iterable[str]) -> str:
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in itertools.islice(names, 8)]
    return _shown(", ".join(shown))


# Tables ---------------------------------------------------------------------------------------------------------------

_DELIMITERS = ",\t;|"
_NO_DELIMITER = "\x1f"
_LONGEST_CELL = 16_000_000


def _table(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Record]:
    head: list[str] = []
    # One line is the header, unless a cell of it is quoted over several.
    for number, line in lines:
        if line.strip() or head:
            head.append(line)
            first = number - len(head) + 1
        if head and sum(part.count('"') for part in head) % 2 == 0:
            break
    if not head:
        return
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)
    text = itertools.chain(head, (line for _, line in lines))
    reader = csv.reader(text, delimiter=_delimiter(head), strict=True)
    columns: list[str] | None = None
    start = first
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{name}:{start}: not a row of a table: {error} (is a quote left open?)") from None
        where, start = f"{name}:{start}", first + reader.line_num
        if columns is None:
            columns = _header(cells, where)
        elif any(cell and not cell.isspace() for cell in cells):
            if len(cells) > len(columns):
                detail = f"{len(cells)} cells under {len(columns)} columns"
                raise UsageError(f"{where}: {detail}; quote a cell that holds the delimiter")
            yield Record(where, dict(itertools.zip_longest(columns, cells, fillvalue="")))


def _delimiter(head: list[str]) -> str:
    """What parts the header's cells: the one that gives the most known columns, then the most columns."""
    best, chosen = (0, 1), _NO_DELIMITER
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader(head, delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        score = (sum(_folded(cell) in _KNOWN for cell in cells), len(cells))
        if len(cells) > 1 and score > best:
            best, chosen = score, delimiter
    return chosen


def _header(cells: Sequence[Any], where: str) -> list[str]:
    columns = [str(cell).strip() or f"column_{number}" for number, cell in enumerate(cells, 1)]
    twice = next((column for column in columns if columns.count(column) > 1), None) if len(columns) < 1000 else None
    if twice is not None:
        raise UsageError(f"{where}: two columns are named {twice[:40]!r}; rename one")
    return columns


# An Excel sheet has no more rows; a file that claims more would have empty ones made up.
_MOST_ROWS = 1_048_576
_MOST_COLUMNS = 500
_MOST_PARTS = 10_000
_UNPACKED_FACTOR = 8


def _workbook(path: str, name: str) -> Iterator[Record]:
    import openpyxl
    from openpyxl.utils.escape import unescape

    _refuse_bombs(path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, EOFError, zlib.error) as error:
        raise UsageError(f"{name}: not a workbook that can be read ({_line(error)})") from None
    try:
        found = _sheet(book.worksheets, name)
        if found is None:
            return
        sheet, top, columns = found
        rows = sheet.iter_rows(min_row=top + 1, max_row=_MOST_ROWS, max_col=len(columns), values_only=True)
        for number, cells in enumerate(rows, top + 1):
            if any(cell is not None for cell in cells):
                values = (unescape(cell) if isinstance(cell, str) and "_x" in cell else cell for cell in cells)
                row = {column: "" if value is None else _clean(value) for column, value in zip(columns, values)}  # noqa: B905
                yield Record(f"{name}#{number}", row)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, EOFError, zlib.error) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name}: a broken workbook ({_line(error)})") from None
    finally:
        book.close()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _sheet(sheets: Sequence[Any], name: str) -> tuple[Any, int, list[str]] | None:
    """The first sheet with a known column, else the first that holds anything: with the row and cells of its header."""
    fallback = None
    for sheet in sheets:
        # What a sheet states of its own size is a stranger's claim, and openpyxl would make rows of that width.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_row=1000, max_col=_MOST_COLUMNS, values_only=True)
        for number, cells in enumerate(rows, 1):
            if any(cell is not None for cell in cells):
                width = max(at for at, cell in enumerate(cells, 1) if cell is not None)
                titles = ["" if cell is None else _clean(cell) for cell in cells[:width]]
                columns = _header(titles, f"{name}#{number}")
                if any(_folded(column) in _KNOWN for column in columns):
                    return sheet, number, columns
                fallback = fallback or (sheet, number, columns)
                break
    return fallback


def _refuse_bombs(path: str, name: str) -> None:
    """Refuse an archive that unpacks to more than a workbook may hold, or whose XML declares entities."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            if size > max_file_bytes() * _UNPACKED_FACTOR or len(parts) > _MOST_PARTS:
                raise UsageError(f"{name}: unpacks to {size // 1_000_000} MB; save the table as CSV, which is streamed")
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels")):
                    with archive.open(part) as handle:
                        if b"<!DOCTYPE" in handle.read(4096):
                            raise UsageError(f"{name}: {_shown(part.filename)} declares entities; no workbook does")
    except zipfile.BadZipFile:
        raise UsageError(f"{name}: not an XLSX workbook (encrypted, or saved by an old Excel?)") from None
    except (NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise UsageError(f"{name}: not a workbook that can be read ({_line(error)})") from None


def _parquet(path: str, name: str) -> Iterator[Record]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        install = "pip install 'searchinstruct-graph[datasets]'"
        raise UsageError(f"{name}: Parquet needs pyarrow; install it with {install}") from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            # Pictures and sound are no use here and fill the memory.
            binary = (arrow.types.is_binary, arrow.types.is_large_binary, arrow.types.is_fixed_size_binary)
            columns = [field.name for field in file.schema_arrow if not any(test(field.type) for test in binary)]
            for batch in file.iter_batches(batch_size=1024, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(f"{name}#{number}", _clean(row))
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: broken Parquet data after record {number} ({_line(error)})") from None


# The parts of a record ------------------------------------------------------------------------------------------------

_QUESTION = tuple(
    "question instruction prompt query problem seed seed_question seed_text question_text question_title user_query"
    " user_prompt instructions task_description question_stem user human frage pregunta سوال پرسش سؤال 问题 問題 質問".split()
)
# A rendering of a chat stands under these names too, so messages come before them.
_WEAK_QUESTION = tuple("input inputs text utterance request task goal stem sentence claim".split())
_MESSAGES = tuple("messages conversations conversation chat dialog dialogue turns".split())
_ANSWER = tuple(
    "answer output response completion target solution best_answer correct_answer right_answer final_answer reference_answer"
    " gold_answer long_answer short_answer reference gold ideal chosen reply answers responses outputs targets"
    " expected_output expected_answer ground_truth correct canonical_solution answer_text assistant gpt label"
    " antwort respuesta réponse پاسخ جواب الجواب 答案 回答".split()
)
_CONTEXT = tuple(
    "context passage paragraph document evidence background article source_text knowledge facts premises premise story"
    " contexts passages paragraphs documents sources support supporting_text reference_text abstract".split()
)
_CHOICES = ("choices", "options")
_KNOWN = frozenset((*_QUESTION, *_WEAK_QUESTION, *_MESSAGES, *_ANSWER, *_CONTEXT))

# Alpaca's `input` completes these; what its files write where there is none is not text.
_COMPLETED = ("instruction", "instructions", "prompt", "task", "task_description")
_NOTHING = frozenset(["<noinput>", "noinput", "no input", "<no input>", "n/a", "none", "null", "nan"])
_PERSON = frozenset("user human prompter person customer patient student question client".split())
_MACHINE = frozenset("assistant gpt bot model chatgpt ai chatbot bard claude machine answer agent".split())
_TEXTS = ("text", "value", "content", "stem", "question", "answer", "contexts", "sentences", "passage_text", "aliases")


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


@lru_cache(maxsize=512)
def _by_folded(names: tuple[str, ...]) -> dict[str, str]:
    return {_folded(name): name for name in reversed(names)}


def value_of(record: Record | Mapping[str, Any], *names: str) -> Any:
    """The first value under one of `names`, in their order, that is not empty; None when there is none.

    Names are compared without case, and blanks, dashes and underscores are one: `Best Answer` is `best_answer`.
    """
    return next(_values(record, names), None)


def _values(record: Record | Mapping[str, Any], names: Iterable[str]) -> Iterator[Any]:
    data = record.data if isinstance(record, Record) else record
    columns = _by_folded(tuple(data))
    for name in names:
        if name in columns:
            value = data[columns[name]]
            if not (value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())):
                yield value


def question_of(record: Record | Mapping[str, Any]) -> str | None:
    """What is asked: the first known column with text, or the first turn of the person in a chat; None without one.

    An Alpaca record's `input` follows its instruction after a blank line.
    """
    for names in (_QUESTION, _MESSAGES, _WEAK_QUESTION):
        for value in _values(record, names):
            if (text := _turns(value)[0] if names is _MESSAGES else _text(value)) is not None:
                return _with_input(record, text) if value is value_of(record, *_COMPLETED) else text
    return None


def has_question_column(record: Record | Mapping[str, Any]) -> bool:
    """Whether some column, filled or not, is one that a question stands in."""
    data = record.data if isinstance(record, Record) else record
    columns = _by_folded(tuple(data))
    return any(name in columns for name in (*_QUESTION, *_MESSAGES, *_WEAK_QUESTION))


def answer_of(record: Record | Mapping[str, Any]) -> str | None:
    """The reference answer as text, the first where several are equally right; None without one.

    A boolean gives `yes` or `no`, a number its digits, an index into the record's choices the choice.
    """
    for value in _values(record, _ANSWER):
        if isinstance(value, int) and not isinstance(value, bool):
            choices = value_of(record, *_CHOICES)
            choices = choices.get("text") if isinstance(choices, dict) else choices
            if isinstance(choices, list) and 0 <= value < len(choices):
                value = choices[value]
        if (text := _answer_text(value)) is not None:
            return text
    for value in _values(record, _MESSAGES):
        if (text := _turns(value)[1]) is not None:
            return text
    instance = _instance(record)
    return None if instance is None else _answer_text(value_of(instance, "output"))


def context_of(record: Record | Mapping[str, Any]) -> str | None:
    """The passage that the question is asked about, several joined by blank lines; None without one."""
    for value in _values(record, _CONTEXT):
        if parts := list(_flat(value)):
            return "\n\n".join(parts)
    return None


def _with_input(record: Record | Mapping[str, Any], text: str) -> str:
    value = value_of(record, "input")
    if value is None and (instance := _instance(record)) is not None:
        value = value_of(instance, "input")
    more = _text(value)
    if more is None or more == text or more.lower() in _NOTHING:
        return text
    return f"{text}\n\n{more}"


def _instance(record: Record | Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first instance of a Self-Instruct task."""
    found = value_of(record, "instances")
    return found[0] if isinstance(found, list) and isinstance(found[0], dict) else None


# How deep the text may be wrapped; strangers nest by the thousand.
_DEEPEST = 6


def _text(value: Any, depth: int = 0) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        return _text(value_of(value, *_TEXTS), depth + 1)
    return _turns(value, depth + 1)[0]


def _answer_text(value: Any, depth: int = 0) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return _answer_text(value_of(value, *_TEXTS), depth + 1)
    if isinstance(value, list) and value and depth < _DEEPEST:
        if isinstance(value[0], dict) and (text := _turns(value)[1]) is not None:
            return text
        return next((text for item in value if (text := _answer_text(item, depth + 1)) is not None), None)
    return None


def _flat(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        if text := value.strip():
            yield text
    elif isinstance(value, dict) and depth < _DEEPEST:
        yield from _flat(value_of(value, *_TEXTS, *_CONTEXT), depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _flat(item, depth + 1)


def _turns(value: Any, depth: int = 0) -> tuple[str | None, str | None]:
    """The first turn of the person in a chat and the machine's reply to it."""
    asked: str | None = None
    if not isinstance(value, list):
        return None, None
    for number, turn in enumerate(value):
        if isinstance(turn, str):
            role, said = ("user", "assistant")[number % 2], turn.strip()
        elif isinstance(turn, dict):
            role = str(value_of(turn, "role", "from", "author", "speaker") or "").strip().lower()
            parts = value_of(turn, "content", "value", "text", "message")
            said = " ".join(_flat(parts)) if isinstance(parts, list) else _text(parts, depth + 1) or ""
        else:
            return None, None
        if asked is None and said and role in _PERSON:
            asked = said
        elif asked is not None and said and role in _MACHINE:
            return asked, said
    return asked, None
