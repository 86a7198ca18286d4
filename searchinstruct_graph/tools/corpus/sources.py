"""A source as the user names it, and the files in it with their stamps. Nothing is read here but directories."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from dataclasses import dataclass, field

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.tools.reading.document import Document

PYDOC = "pydoc:"
_SUFFIXES = {
    ".md": "text",
    ".markdown": "text",
    ".mdown": "text",
    ".mdx": "text",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".rest": "text",
    "": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".jsonl": "records",
    ".ndjson": "records",
    ".jsonl.gz": "records",
    ".ndjson.gz": "records",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source (or the whole of `pydoc:`)."""

    key: str
    """Path below the source with `/`; empty for a source that is one file."""
    path: str
    """Where to open it."""
    stamp: str
    """Changes when the file's content may have changed: size, times and inode."""
    settled: bool
    """Whether the file is old enough for its stamp to be trusted (a write in the same clock tick is invisible)."""
    kind: str
    """`text`, `html`, `pdf`, `records`, `pydoc`, `page`, or `unknown` (to be told from its content)."""
    page: Document | None = None
    """What was fetched, when the source is a page of the web."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the user named, and the key of its index."""

    given: str
    identity: str
    """`pydoc:` or the absolute path: relative and absolute spellings share one index."""
    prefix: str
    """What stands before a document's key in its URI."""
    entries: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(key, reason) of what is in the folder and is not read."""

    @property
    def fetched(self) -> bool:
        """Whether this is a page of the web, which is what it was when it was fetched."""
        return any(entry.page for entry in self.entries)

    @property
    def folder_name(self) -> str:
        """A name for the index's folder: readable, and distinct for distinct sources."""
        base = os.path.basename(self.identity.rstrip("/")) or "root"
        readable = "".join(ch if ch.isascii() and (ch.isalnum() or ch in "-_.") else "_" for ch in base)[:40].strip(".")
        digest = hashlib.sha256(self.identity.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return f"{readable or 'source'}-{digest}"


def is_page(source: str) -> bool:
    """Whether a source is a page of the web."""
    return source.lower().startswith(("http://", "https://"))


def printable(name: str) -> str:
    r"""A file name that every encoder accepts: bytes that are not UTF-8 stand as `\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def kind_of(name: str) -> str:
    """What a file's name says it holds; `unknown` when it says nothing we know."""
    lower = name.lower()
    if lower.endswith(".gz"):
        lower = lower[:-3]
        return _SUFFIXES.get(os.path.splitext(lower)[1] + ".gz", "unknown")
    return _SUFFIXES.get(os.path.splitext(lower)[1], "unknown")


def _entry(key: str, path: str, info: os.stat_result, kind: str, now_ns: int) -> Entry:
    stamp = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"
    settled = now_ns - max(info.st_mtime_ns, info.st_ctime_ns) > 2_000_000_000
    return Entry(key, path, stamp, settled, kind)


def page_source(given: str, page: Document) -> Source:
    """A page of the web, fetched from the URL `given`, as a source."""
    return Source(given, given, page.uri, [Entry("", "", page.sha256, True, "page", page)])


def scan(given: str, now_ns: int) -> Source:
    """List the files of the source `given`. `now_ns` is the present, in nanoseconds since the epoch.

    Raises UsageError when it does not exist, cannot be listed, or is neither file nor folder.
    """
    if given == PYDOC:
        version = f"{platform.python_implementation()} {platform.python_version()}"
        return Source(given, PYDOC, PYDOC, [Entry("", "", version, True, "pydoc")])
    if not given.strip() or "\x00" in given:
        raise UsageError(f"corpus {given!r} is not a path; name a file, a folder or pydoc:")
    path = os.path.realpath(os.path.expanduser(given))
    try:
        info = os.stat(path)
    except OSError as error:
        raise UsageError(f"corpus {given!r}: {_why(error)}; name a file, a folder or {PYDOC}") from error
    name = printable(given)
    if stat.S_ISREG(info.st_mode):
        return Source(given, path, name, [_entry("", path, info, kind_of(path), now_ns)])
    if not stat.S_ISDIR(info.st_mode):
        raise UsageError(f"corpus {given!r} is neither a file nor a folder")
    source = Source(given, path, name.rstrip("/") + "/")
    _walk(source, path, now_ns)
    return source


def _walk(source: Source, root: str, now_ns: int) -> None:
    def unlisted(error: OSError) -> None:
        if error.filename == root:
            raise UsageError(f"corpus {source.given!r}: {_why(error)}") from error
        source.skipped.append((_key(root, str(error.filename)), _why(error)))

    keys: set[str] = set()
    for folder, folders, names in os.walk(root, onerror=unlisted):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = os.path.join(folder, name)
            key = _key(root, path)
            try:
                if os.path.islink(path) and not os.path.realpath(path).startswith(root.rstrip("/") + "/"):
                    source.skipped.append((key, "symbolic link that leads out of the folder"))
                    continue
                info = os.stat(path)
            except OSError as error:
                source.skipped.append((key, _why(error)))
                continue
            kind = kind_of(name)
            if not stat.S_ISREG(info.st_mode):
                source.skipped.append((key, "not a regular file"))
            elif kind == "unknown":
                source.skipped.append(
                    (
                        key,
                        f"files of type {os.path.splitext(printable(name))[1]} are not read",
                    )
                )
            else:
                # Two names that differ only in bytes that are not UTF-8 may print alike.
                if key not in keys:
                    source.entries.append(_entry(key, path, info, kind, now_ns))
                keys.add(key)


def _key(root: str, path: str) -> str:
    return printable(os.path.relpath(path, root).replace(os.sep, "/"))


def _why(error: OSError) -> str:
    """The system's reason in the words people know."""
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return (error.strerror or type(error).__name__).lower()
