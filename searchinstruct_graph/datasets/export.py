"""Rows to files: streamed to a temporary name, synced, renamed, and told by a manifest.

An export is there whole or not at all; a kill, a full disk or a file limit leaves the file that was there before, or none.
The same rows and options give the same bytes. Beside `<out>` stand `<out>.manifest.json`, and for the formats that need
it `<out>.axolotl.yaml` and an entry in `dataset_info.json` (LLaMA-Factory). Blocking: call it from a thread.

JSON escapes what could act in a terminal or a line reader (control characters, line separators). Text is otherwise handed
on as it is: markup in an answer about markup is data, and a spreadsheet's formulas have no meaning in JSON or Parquet.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.failpoints import failpoint
from searchinstruct_graph.datasets.formats import (
    BEIR,
    PROBES,
    TRIPLETS,
    Format,
    Record,
    Shape,
    arrow_type,
    check_shape,
    columns,
    format_named,
    licence_of,
    records,
)
from searchinstruct_graph.datasets.rows import Row
from searchinstruct_graph.datasets.split import assign
from searchinstruct_graph.errors import SearchInstructError, UsageError

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.facts import Probe

ROW_GROUP = 10_000
"""Records in a row group of a Parquet file, and so the most that are held in memory."""

_BUFFER = 1 << 20


class Manifest(TypedDict):
    """What is known of an exported file; stands beside it as `<file>.manifest.json`."""

    file: str
    format: str
    rows: int
    """Records in the file."""
    bytes: int
    sha256: str
    """Of the file's bytes, as they lie on disk; of a folder, over those of its files (`parts`)."""
    skipped: dict[str, int]
    """Rows that are not in the file, by the filter that left them out, or by what the format needs and they lack."""
    options: dict[str, Any]
    """The shape and the selection, as far as they differ from the default; the split's shares and seed."""
    created_by: str


_FIELDS: dict[str, Callable[[Row], str]] = {
    "method": lambda row: row["origin"]["method"],
    "operation": lambda row: row["origin"]["operation"],
    "bloom": lambda row: row["origin"]["bloom"],
    "kind": lambda row: row["origin"]["kind"],
    "language": lambda row: row["language"],
    "grounding": lambda row: row["grounding"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows are exported. Values are compared in lower case; `none` is a field that is empty."""

    licenses: Collection[str] | None = None
    """Licences that may be used: a row passes when every source of it has one of these. `unknown` is a source without a
    stated licence. A row without sources passes: it rests on no page. None: all rows pass."""
    only: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values that a field must have, by field: `method`, `operation`, `bloom`, `kind`, `language`, `grounding`."""
    without: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values that a field must not have."""
    held_out: Collection[str] = ()
    """Keys (`question_key`) of questions that are held out for evaluation: no row that asks one is exported."""

    def __post_init__(self) -> None:
        for name in [*self.only, *self.without]:
            if name not in _FIELDS:
                raise UsageError(f"Rows cannot be chosen by {name!r}; there are: {', '.join(_FIELDS)}.")

    def refusal(self) -> Callable[[Row], str | None]:
        """A function that names the filter a row does not pass; None when it passes all."""
        allowed = None if self.licenses is None else {licence_of(name) for name in self.licenses}
        wanted = {name: {value.lower() for value in values} for name, values in self.only.items()}
        barred = {name: {value.lower() for value in values} for name, values in self.without.items()}
        held_out = frozenset(self.held_out)

        def refused(row: Row) -> str | None:
            for name, values in wanted.items():
                if (_FIELDS[name](row).lower() or "none") not in values:
                    return name
            for name, values in barred.items():
                if (_FIELDS[name](row).lower() or "none") in values:
                    return name
            if allowed is not None and any(licence_of(source["license"]) not in allowed for source in row["sources"]):
                return "license"
            if held_out and question_key(row["instruction"]) in held_out:
                return "held out as a probe"
            return None

        return refused

    def told(self) -> dict[str, Any]:
        """The filters that are set, as JSON."""
        chosen: dict[str, Any] = {
            kind: {name: sorted(values) for name, values in sorted(asked.items())}
            for kind, asked in (("only", self.only), ("without", self.without))
            if asked
        }
        return chosen if self.licenses is None else {**chosen, "licenses": sorted(self.licenses)}


def question_key(text: str) -> str:
    """What questions share that are equal but for case, punctuation, white space and Unicode's other forms."""
    from searchinstruct_graph.datasets.pool.tokens import tokens

    return " ".join(tokens(text))


PLAIN = Shape()
EVERYTHING = Selection()


def parse_filters(texts: Iterable[str]) -> dict[str, set[str]]:
    """`["language=fa", "language=ar", "bloom=apply"]` as a field of `Selection`. Raises UsageError for another form."""
    found: dict[str, set[str]] = {}
    for text in texts:
        name, equals, value = (piece.strip() for piece in text.partition("="))
        if not equals or not value:
            raise UsageError(f"{text!r} is not field=value, as in language=fa.")
        found.setdefault(name, set()).add(value)
    return found


def export(
    rows: Iterable[Row], format: str, out: str, *, shape: Shape = PLAIN, keep: Selection = EVERYTHING
) -> Manifest:
    """Write `rows` to the file `out` and return its manifest.

    `format` is a key of `formats.FORMATS`. A name that ends in `.gz` is compressed, one that ends in `.parquet` is Parquet
    (of any format that has columns), every other is JSON Lines. Rows are read once; memory does not grow with their number.

    Raises UsageError when the request makes no sense, SearchInstructError when the file cannot be written.
    """
    _check_of_rows(format)
    return export_records(rows, format, {"": out}, lambda row: "", shape, keep.refusal(), keep.told())[""]


def export_probes(
    probes: Iterable[Probe], out: str, *, asked: Collection[str] = (), licenses: Collection[str] | None = None
) -> Manifest:
    """Write the probes of an edit set to the file `out`, as JSON Lines, and return its manifest. A probe that asks what a row
    asks (`asked`: the rows' `question_key`s) is left out, and counted; so is one with a source of no licence in `licenses`.

    Raises as `export` does.
    """
    trained, keep = frozenset(asked), Selection(licenses=licenses)
    refused = keep.refusal()

    def refusal(probe: Any) -> str | None:
        if trained and question_key(probe["question"]) in trained:
            return "asked in training"
        return refused(probe)

    return export_records(probes, PROBES, {"": out}, lambda probe: "", PLAIN, refusal, keep.told())[""]


def _check_of_rows(format: str) -> None:
    if format == PROBES:
        raise UsageError(f"Rows have no format {PROBES}; it is of an edit set, whole: export RUN --format {PROBES}.")
    if format in (TRIPLETS, BEIR):
        raise UsageError(f"Rows have no format {format}; it is of a run of: searchinstruct triplets.")


def export_splits(
    rows: Iterable[Row],
    format: str,
    out: str,
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    shape: Shape = PLAIN,
    keep: Selection = EVERYTHING,
) -> dict[str, Manifest]:
    """Write `rows` to one file a side, `<stem>.<side><suffix>` of `out`, and return the manifests by side.

    Sides are those of all rows, whatever `keep` and the format leave out, so that exports of one run agree on them. Rows
    are read twice; an iterator, which can be read once only, is spooled to an unnamed file beside `out` meanwhile.
    """
    folder = os.path.dirname(_target(out))
    _check_of_rows(format)
    with _readable_twice(rows, folder) as again:
        side_of = assign(((row["origin"]["family"], row["instruction"]) for row in again), shares, seed)

        def side(row: Row) -> str:
            try:
                return side_of(row["origin"]["family"])
            except KeyError:
                raise SearchInstructError("Rows were added while they were exported; export them again.") from None

        told = {**keep.told(), "split": dict(shares), "seed": seed}
        outs = {name: split_name(out, name) for name in shares}
        return export_records(again, format, outs, side, shape, keep.refusal(), told)


def split_name(out: str, side: str) -> str:
    """The name of a side's file: `sft.train.jsonl.gz` for `sft.jsonl.gz`."""
    stem, suffix = _suffix(out)
    return f"{stem}.{side}{suffix}"


def _suffix(path: str) -> tuple[str, str]:
    stem, last = os.path.splitext(path)
    if last == ".gz":
        stem, before = os.path.splitext(stem)
        return stem, before + last
    return stem, last


def check(out: str) -> list[str]:
    """What is wrong with the exported file `out`, one line a finding; empty when its bytes are those of its manifest."""
    try:
        with open(manifest_path(out), encoding="utf-8") as handle:
            manifest = json.load(handle)
        told = manifest["bytes"], manifest["sha256"]
        files = [os.path.join(out, part) for part in parts(manifest)]
    except FileNotFoundError:
        return [f"{out} has no manifest: its export did not end, or the manifest was taken away. Export it again."]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{manifest_path(out)} cannot be read ({error}). Export the file again."]
    try:
        found = digest_of(map(_digest_of, files)) if files else _digest_of(out)
    except OSError as error:
        return [f"{out} cannot be read ({error.strerror}) though its manifest is there. Export it again."]
    if found[0] < told[0]:
        return [f"{out} is torn: {found[0]} bytes of {told[0]}. Export it again."]
    if found != told:
        return [f"{out} was changed after its export: its bytes are not those of its manifest. Export it again."]
    return []


def manifest_path(out: str) -> str:
    """Where the manifest of `out` is."""
    return f"{out}.manifest.json"


def parts(manifest: Mapping[str, Any]) -> list[str]:
    """The files of an exported folder, from there, in the order in which they are hashed; none when the export is one file."""
    if manifest["format"] != BEIR:
        return []
    sides = manifest["options"]["split"]
    judged = [f"qrels/{side}.{suffix}" for side in sides for suffix in ("tsv", "jsonl")]
    return ["corpus.jsonl", "queries.jsonl", *judged]


def digest_of(files: Iterable[tuple[int, str]]) -> tuple[int, str]:
    """(bytes, SHA-256 over the SHA-256s) of several files, from those of each."""
    digest, size = hashlib.sha256(), 0
    for length, sha256 in files:
        size += length
        digest.update(sha256.encode())
    return size, digest.hexdigest()


def _digest_of(path: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as handle:
        while block := handle.read(_BUFFER):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def export_records(
    rows: Iterable[Any],
    format: str,
    outs: Mapping[str, str],
    side: Callable[[Any], str],
    shape: Shape,
    refused: Callable[[Any], str | None],
    told: Mapping[str, Any],
) -> dict[str, Manifest]:
    """Write rows of any kind as the format's records, each to the file of its side; the manifests by side.

    `outs` are the files by side, `side` gives that of a row, `refused` why a row is left out (None: it is not), `told` what the
    manifest is to say of the choice. Raises as `export` does.
    """
    form = format_named(format)
    check_shape(format, shape)
    for out in outs.values():
        _check_name(form, format, out)
    _check_dataset_info(form, shape, outs.values())
    drafts: dict[str, Draft] = {}
    try:
        for name, out in outs.items():
            drafts[name] = Draft(out)
        sinks = {name: _sink(draft, form, shape) for name, draft in drafts.items()}
        skipped: dict[str, Counter[str]] = {name: Counter() for name in outs}
        for row in rows:
            at = side(row)
            if why := refused(row):
                skipped[at][why] += 1
                continue
            before = sinks[at].count
            for record in records(form, row, shape):
                sinks[at].add(record)
            if sinks[at].count == before:
                skipped[at][f"needs {form.needs}"] += 1
            failpoint("export.half")
        for name, draft in drafts.items():
            sinks[name].close()
            draft.finish()
        failpoint("export.written")
        return {
            name: _publish(draft, format, form, shape, sinks[name].count, skipped[name], told)
            for name, draft in drafts.items()
        }
    except BaseException:
        for draft in drafts.values():
            draft.discard()
        raise


def _publish(
    draft: Draft, format: str, form: Format, shape: Shape, count: int, skipped: Counter[str], asked: Mapping[str, Any]
) -> Manifest:
    # Without its manifest a file is not vouched for: a kill between the two renames shows in `check`.
    with suppress(FileNotFoundError):
        os.unlink(manifest_path(draft.path))
    draft.publish()
    failpoint("export.renamed")
    manifest = Manifest(
        file=os.path.basename(draft.path),
        format=format,
        rows=count,
        bytes=draft.size,
        sha256=draft.sha256,
        skipped=dict(sorted(skipped.items())),
        options={**{name: value for name, value in asdict(shape).items() if value}, **asked},
        created_by=created_by(),
    )
    write_manifest(manifest, draft.path)
    _write_axolotl(form, shape, draft.path)
    _write_dataset_info(form, shape, draft.path)
    return manifest


def write_manifest(manifest: Manifest, path: str) -> None:
    """Put the manifest beside the export at `path`: from now on it is vouched for."""
    write_whole(manifest_path(path), json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def created_by() -> str:
    """This program and its version."""
    from importlib.metadata import version

    return f"searchinstruct-graph {version('searchinstruct-graph')}"


def _target(out: str) -> str:
    """The file that `out` means, through links; its folder is made. Raises UsageError when it cannot be one."""
    path = os.path.realpath(out)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # A device or a pipe would be replaced by the rename, a folder cannot be.
        if os.path.exists(out) and not stat.S_ISREG(os.stat(out).st_mode):
            raise UsageError(f"{out} is not a regular file; name a file to write to.")
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written to: {error.strerror}. Name a file in a folder that is yours."
        ) from error
    return path


class Draft:
    """A binary file that takes its name only when it is whole. Counts and hashes what is written."""

    def __init__(self, out: str) -> None:
        self.path = _target(out)
        folder, name = os.path.split(self.path)
        _sweep(folder, name)
        self._temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(4)}.tmp")
        self._digest = hashlib.sha256()
        self._discarded = False
        self.size = 0
        with self._told():
            handle = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            # Held while this process lives, so that another export can tell a left draft from a growing one.
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._file = os.fdopen(handle, "wb", buffering=_BUFFER)

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._digest.hexdigest()

    @property
    def closed(self) -> bool:
        """Never, to those who write into it: `publish` and `discard` close it."""
        return False

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def write(self, data: Any) -> int:
        """Add bytes; returns how many."""
        block = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        if self._discarded:  # what compressors write when they are collected
            return len(block)
        with self._told():
            self._file.write(block)
        self._digest.update(block)
        self.size += len(block)
        return len(block)

    def flush(self) -> None:
        """Nothing to do before `finish`."""

    def finish(self) -> None:
        """Bring every byte to the disk, and see that it is there."""
        with self._told():
            self._file.flush()
            os.fsync(self._file.fileno())
            if os.fstat(self._file.fileno()).st_size != self.size:
                raise OSError(0, "fewer bytes arrived than were written")

    def publish(self) -> None:
        """Give the file its name."""
        with self._told():
            os.replace(self._temporary, self.path)
            _sync_folder(self.path)
        self._file.close()

    def discard(self) -> None:
        """Leave nothing behind. What was under the final name stays."""
        self._discarded = True
        with suppress(OSError):
            os.unlink(self._temporary)
        with suppress(OSError):  # what is buffered still does not fit
            self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SearchInstructError(
                f"{self.path} was not written: {error.strerror or error}. Nothing of it is left; mend that and export again."
            ) from error


def _sweep(folder: str, name: str) -> None:
    """Delete the drafts of this file that a killed process left."""
    with suppress(OSError):
        for entry in os.listdir(folder):
            if re.fullmatch(re.escape(f".{name[:100]}.") + r"[0-9a-f]{8}\.tmp", entry):
                _unlink_unlocked(os.path.join(folder, entry))


def _unlink_unlocked(path: str) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(handle)


def _sync_folder(path: str) -> None:
    handle = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: str, text: str) -> None:
    """Write a file that is there whole or not at all."""
    draft = Draft(path)
    try:
        draft.write(text.encode())
        draft.finish()
        draft.publish()
    except BaseException:
        draft.discard()
        raise


@contextmanager
def _readable_twice(rows: Iterable[Row], folder: str) -> Iterator[Iterable[Row]]:
    if iter(rows) is not rows:
        yield rows
        return
    with tempfile.TemporaryFile("w+", dir=folder, encoding="ascii", newline="\n") as spool:
        try:
            spool.writelines(json.dumps(row) + "\n" for row in rows)
        except OSError as error:
            raise SearchInstructError(f"{folder} has no room for the rows: {error.strerror}.") from error
        yield _Spooled(spool)


@dataclass
class _Spooled:
    spool: Any

    def __iter__(self) -> Iterator[Row]:
        self.spool.seek(0)
        return map(json.loads, self.spool)


class _Sink(Protocol):
    count: int

    def add(self, record: Record) -> None: ...

    def close(self) -> None: ...


def _check_name(form: Format, format: str, out: str) -> None:
    _, suffix = _suffix(out)
    if form.parquet and suffix in (".jsonl", ".json", ".ndjson"):
        raise UsageError(f"{out}: the format {format} is not JSON; name the file .parquet, or take the format rows.")
    if suffix == ".parquet" and form.columns is None:
        raise UsageError(
            f"{out}: the format {format} has no fixed columns; take the format parquet, or name the file .jsonl."
        )
    if suffix.endswith(".gz") and (form.parquet or suffix == ".parquet.gz"):
        raise UsageError(f"{out}: Parquet is compressed within; leave .gz away.")
    if suffix in (".csv", ".tsv", ".xlsx"):
        raise UsageError(f"{out}: exports are JSON Lines or Parquet; name the file .jsonl or .parquet.")


def _sink(draft: Draft, form: Format, shape: Shape) -> _Sink:
    if form.parquet or draft.path.endswith(".parquet"):
        return _Parquet(draft, form, shape)
    return _Lines(draft, compress=draft.path.endswith(".gz"))


# Line separators that some readers of lines heed beside \n, and that JSON lets stand.
_SEPARATORS = re.compile("[\u0085\u2028\u2029]")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def json_line(record: Record) -> bytes:
    """A record as a line of JSON. Raises UsageError for a number that JSON does not know."""
    try:
        text = _encode(record)
    except ValueError as error:
        raise UsageError(
            f"Row {_id(record)} holds a number that JSON does not know ({error}); mend the row."
        ) from error
    if not text.isascii():
        text = _SEPARATORS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    return _bytes(text) + b"\n"


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair is no character: readers of JSON refuse the whole file for it.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _id(record: Record) -> str:
    return str(record.get("id") or record.get("metadata", {}).get("id") or "without id")


class _Lines:
    """JSON Lines, perhaps compressed; no time and no name in the compressed header, so that equal rows are equal bytes."""

    def __init__(self, draft: Draft, compress: bool) -> None:
        self.count = 0
        self._gzip = gzip.GzipFile("", "wb", 6, draft, 0) if compress else None
        self._write: Callable[[bytes], int] = self._gzip.write if self._gzip else draft.write

    def add(self, record: Record) -> None:
        self._write(json_line(record))
        self.count += 1

    def close(self) -> None:
        if self._gzip:
            self._gzip.close()


class _Parquet:
    def __init__(self, draft: Draft, form: Format, shape: Shape) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise UsageError('Parquet needs pyarrow: pip install "searchinstruct-graph[datasets]".') from None
        named = columns(form, shape)
        assert named is not None
        self.count = 0
        self._pa = pa
        self._schema = pa.schema([(name, arrow_type(kind)) for name, kind in named.items()])
        self._held: list[Record] = []
        self._writer = pq.ParquetWriter(draft, self._schema, compression="zstd")

    def add(self, record: Record) -> None:
        self._held.append(record)
        self.count += 1
        if len(self._held) == ROW_GROUP:
            self._flush()

    def close(self) -> None:
        if self._held:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        try:
            table = self._pa.Table.from_pylist(self._held, schema=self._schema)
        except UnicodeEncodeError:
            whole = [json.loads(_bytes(_encode(record))) for record in self._held]
            table = self._pa.Table.from_pylist(whole, schema=self._schema)
        except (self._pa.ArrowInvalid, self._pa.ArrowTypeError) as error:
            first = _id(self._held[0])
            raise UsageError(f"A row after {first} does not fit the columns ({error}); mend the row.") from error
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._held.clear()


def _write_axolotl(form: Format, shape: Shape, path: str) -> None:
    if form.axolotl is None:
        return
    import yaml

    name = os.path.basename(path)
    entry = form.axolotl(shape)
    kind = "parquet" if name.endswith(".parquet") else "json"
    entry["datasets"] = [{"path": name, "ds_type": kind, **one} for one in entry["datasets"]]
    head = "# For Axolotl's configuration; `path` is seen from this folder.\n"
    write_whole(f"{path}.axolotl.yaml", head + yaml.safe_dump(entry, sort_keys=False, allow_unicode=True))


def _info_entry(form: Format, shape: Shape, path: str) -> dict[str, Any]:
    # LLaMA-Factory tells a file's kind by its last suffix and does not unpack.
    if form.llama_factory is None or path.endswith(".gz"):
        return {}
    return form.llama_factory(shape)


def _read_dataset_info(path: str) -> tuple[str, dict[str, Any]]:
    where = os.path.join(os.path.dirname(path), "dataset_info.json")
    try:
        with open(where, encoding="utf-8") as handle:
            held = json.load(handle)
    except FileNotFoundError:
        return where, {}
    except (OSError, ValueError):
        held = None
    if not isinstance(held, dict):
        raise UsageError(f"{where} is not a JSON object, so the export cannot be entered in it; mend or remove it.")
    return where, held


def _check_dataset_info(form: Format, shape: Shape, outs: Iterable[str]) -> None:
    for out in outs:
        if _info_entry(form, shape, out):
            _read_dataset_info(_target(out))


def _write_dataset_info(form: Format, shape: Shape, path: str) -> None:
    """Enter the file in the folder's `dataset_info.json`, beside what other exports entered there."""
    if not (entry := _info_entry(form, shape, path)):
        return
    where, held = _read_dataset_info(path)
    name = os.path.basename(path)
    held[re.sub(r"[^\w-]+", "_", _suffix(name)[0])] = {"file_name": name, **entry}
    write_whole(where, json.dumps(held, ensure_ascii=False, indent=2) + "\n")
