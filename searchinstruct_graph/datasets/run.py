"""A run's folder: `run.json` says what the run is, `ledger.sqlite` what it has done, `exports/` holds what was made of it;
`pile/` holds the documents of an extraction.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.ledger import NAME as LEDGER
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.digest import sha256

FORMAT = 1
RUN, LOCK, EXPORTS = "run.json", "run.lock", "exports"
PILE, ENCODER, TUNED = "pile", "encoder", "tuned.npy"
"""Of an extraction: the documents that it reads from, the encoder that it has tuned, and its vectors of the documents."""
RESULT, PAGE = "result.json", "report.html"
"""Of an evaluation: its figures, and the page of them."""


class RunFile(TypedDict):
    """What `run.json` holds. `configuration` determines the rows; `options` (target, concurrency, ...) may change."""

    format: int
    created_at: str
    version: str
    fingerprint: str
    configuration: dict[str, Any]
    options: dict[str, Any]


def fingerprint(configuration: dict[str, Any]) -> str:
    """SHA-256 over the configuration: the part of a row's id that all rows of a run share."""
    return sha256(json.dumps(configuration, sort_keys=True, ensure_ascii=False))


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed between two configurations, a line each: `name: old → new`."""

    def short(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
        return text if len(text) <= 60 else f"{text[:57]}..."

    changed = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            changed += [f"{name}.{line}" for line in difference(before, after)]
        else:
            changed.append(f"{name}: {short(before)} → {short(after)}")
    return changed


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` as a whole: temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class NoDataset(UsageError):
    """The folder holds an evaluation, where a run that makes rows is wanted."""


def read_run(folder: Path) -> RunFile:
    """What the run is that makes rows in `folder`.

    Raises:
        UsageError: there is none, one of a later format, or (`NoDataset`) an evaluation.
    """
    found = _read(folder)
    if "evaluation" in found["configuration"]:
        raise NoDataset(
            f"{folder} is an evaluation ({found['configuration']['evaluation']}) and holds no rows; its figures are in "
            f"{folder / PAGE}, and searchinstruct eval --compare {folder} OTHER sets it beside another"
        )
    return found


def _read(folder: Path) -> RunFile:
    try:
        found: RunFile = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is not a run: it has no {RUN}; start one with: searchinstruct build --run"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / RUN} cannot be read: {error}") from error
    if found.get("format") != FORMAT:
        raise UsageError(f"{folder} was written by another version (format {found.get('format')}, here {FORMAT})")
    return found


def open_run(folder: Path, configuration: dict[str, Any], options: dict[str, Any], version: str) -> RunFile:
    """The run in `folder`, begun there when the folder has none. Call with the run held.

    Raises:
        UsageError: the folder holds another run (the message shows the differences), or files that are no run.
    """
    if not (folder / RUN).exists():
        refuse_strangers(folder)
        made = RunFile(
            format=FORMAT,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version,
            fingerprint=fingerprint(configuration),
            configuration=configuration,
            options=options,
        )
        write_atomically(folder / RUN, json.dumps(made, ensure_ascii=False, indent=2))
        return made
    run = _read(folder)
    # Through JSON, so that tuples and lists compare as they are stored.
    changed = difference(run["configuration"], json.loads(json.dumps(configuration)))
    if changed:
        shown = "; ".join(changed[:8]) + (f"; and {len(changed) - 8} more" if len(changed) > 8 else "")
        raise UsageError(
            f"{folder} was begun with another configuration ({shown}); give the same again to resume it, "
            "or another --run folder, or --new-run to set it aside and begin anew"
        )
    if run["options"] != options:
        run = RunFile(**{**run, "options": options})
        write_atomically(folder / RUN, json.dumps(run, ensure_ascii=False, indent=2))
    return run


def refuse_strangers(folder: Path) -> None:
    """Raise UsageError when the folder holds files that are not a run's, and no run."""
    own = (LOCK, EXPORTS, PILE)
    if not (folder / RUN).exists():
        strangers = [p.name for p in folder.iterdir() if p.name not in own and not p.name.startswith(".")]
        if strangers:
            raise UsageError(f"{folder} holds other files ({strangers[0]}, ...) and no run; name a new or empty folder")


def stored_run(folder: Path) -> RunFile | None:
    """The run in `folder` as it was last given; None when there is none yet."""
    return _read(folder) if (folder / RUN).exists() else None


def run_folder(folder: str | Path) -> Path:
    """The folder of a run as a person named it."""
    return Path(folder).expanduser()


def set_aside(folder: Path) -> Path | None:
    """Move the run of `folder` to `<folder>.1`, `.2`, ...; returns where it is now, None when there was none."""
    if not (folder / RUN).exists():
        return None
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    aside.mkdir()
    for part in (RUN, LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", EXPORTS, PILE, ENCODER, TUNED, RESULT, PAGE):
        if (folder / part).exists():
            os.replace(folder / part, aside / part)
    return aside


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep the run for this process while the block lasts; the system lets go of it when the process ends, however.

    Raises:
        UsageError: another process works on it (named), or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the run cannot be kept in {folder}: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder} is being worked on by {_holder(file)}; wait for it, or stop it") from None
        except OSError as error:
            raise UsageError(f"{folder} cannot be locked ({error.strerror}); use a folder on a local disk") from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read(200).strip() or "another process"


def holder(folder: Path) -> str | None:
    """Who works on the run right now; None when nobody does."""
    try:
        with (folder / LOCK).open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(file)
    except OSError:
        return None
    return None
