"""PDF to text, in a child process with limits of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import cast

from searchinstruct_graph.text.dates import iso_date

from .result import Reading, Reason, Unreadable

MAX_PAGES = 2_000
TIMEOUT_SECONDS = 120.0
_MEMORY_BYTES = 1_500_000_000
_WORKER = os.path.join(os.path.dirname(__file__), "pdf_worker.py")
# A soft hyphen or a hyphen at a line's end inside a word was put there by the typesetter.
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[^\W\d_A-Z])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f]")


def read_pdf(
    data: bytes,
    *,
    max_pages: int = MAX_PAGES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    memory_bytes: int = _MEMORY_BYTES,
) -> Reading | Unreadable:
    """The text of a PDF's first `max_pages` pages, pages apart by a blank line, and its title from the metadata.

    `timeout_seconds` bounds both wall and processor time of the child, `memory_bytes` its address space; whatever the
    file does to the parser, this function returns.
    """
    if b"%PDF-" not in data[:1024]:
        return Unreadable("broken", "not a PDF: its header is missing")
    # `-P` keeps this folder, whose html.py would shadow the standard library's, off the child's import path.
    command = [
        sys.executable,
        "-P",
        _WORKER,
        str(memory_bytes),
        str(max(1, round(timeout_seconds))),
        str(max_pages),
    ]
    try:
        # subprocess.run kills the child when the time is up.
        done = subprocess.run(  # noqa: S603 (our own interpreter and script)
            command,
            input=data,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Unreadable("timeout", f"the PDF took longer than {timeout_seconds:g} s to read")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        detail = f"the PDF reader died on this file (exit status {done.returncode})"
        return Unreadable("timeout" if done.returncode == -24 else "broken", detail)
    if "text" not in answer:
        return Unreadable(cast(Reason, answer["reason"]), str(answer["detail"]))
    text = _CONTROL.sub("", str(answer["text"])).encode("utf-8", "replace").decode("utf-8")
    missed = int(answer["pages"]) - int(answer["read"])
    note = f"{missed} of {answer['pages']} pages not read" if missed else ""
    title = " ".join(str(answer["title"]).split())
    return Reading(_BROKEN_WORD.sub("", text), title, published=iso_date(str(answer["date"])), note=note)
