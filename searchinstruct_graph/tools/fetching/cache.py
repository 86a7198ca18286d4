"""Pages on disk: bodies by the hash of their bytes, and one small record a URL, under the hash of itself. Made of files
that appear whole or not.

A record that is torn, altered or of another version is a miss, never an error: the page is fetched again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from dataclasses import asdict, fields, replace
from pathlib import Path

from .result import FetchedPage

VERSION = 1
MAX_BYTES = 1_000_000_000
"""Most that the bodies may take on disk before the oldest go."""

_PRUNE_EVERY = 200


def pages_folder() -> Path:
    """Where pages are kept: `pages` under SEARCHINSTRUCT_HOME, else in the user's cache folder."""
    import platformdirs

    home = os.environ.get("SEARCHINSTRUCT_HOME") or platformdirs.user_cache_dir("searchinstruct")
    return Path(home).expanduser() / "pages"


class PageCache:
    """The cache in one folder. Blocking: call it from a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writes = 0

    def get(self, url: str) -> FetchedPage | None:
        """The page kept for `url`; None when there is none, or none that is whole."""
        try:
            digest, _, text = self._record(url).read_bytes().partition(b"\n")
            if digest != _digest(text).encode():
                return None
            record = json.loads(text)
            if record["version"] != VERSION or record["asked"] != url:
                return None
            body = zlib.decompress(self._body(record["sha256"]).read_bytes())
            known = {field.name for field in fields(FetchedPage)}
            page = FetchedPage(body=body, **{name: value for name, value in record.items() if name in known})
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            return None
        whole = _digest(body) == record["sha256"]
        return replace(page, chain=tuple(page.chain)) if whole else None

    def put(self, url: str, page: FetchedPage) -> None:
        """Keep `page` for `url`. A full disk or a read-only folder costs the cache, not the run."""
        digest = _digest(page.body)
        record = {**asdict(page), "version": VERSION, "asked": url, "sha256": digest}
        del record["body"]
        try:
            # A body that is there already may be a broken one.
            _write(self._body(digest), zlib.compress(page.body, 6))
            text = json.dumps(record).encode()
            _write(self._record(url), _digest(text).encode() + b"\n" + text)
        except OSError:
            return
        self._writes += 1
        if self._writes % _PRUNE_EVERY == 1:
            self._prune()

    def _record(self, url: str) -> Path:
        return self._folder / "urls" / _digest(url.encode())

    def _body(self, digest: str) -> Path:
        return self._folder / "bodies" / str(digest)

    def _prune(self) -> None:
        """Drop the bodies that were used longest ago until the rest is within bounds; their records become misses."""
        try:
            bodies = sorted((self._folder / "bodies").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            taken = 0
            for path in bodies:
                taken += path.stat().st_size
                if taken > MAX_BYTES:
                    path.unlink(missing_ok=True)
        except OSError:
            return


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all: a temporary file, synced, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
