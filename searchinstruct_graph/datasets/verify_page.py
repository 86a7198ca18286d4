"""The checks of a dataset as one HTML file that opens anywhere: no script, nothing loaded, every word escaped.

Rows go to disk as they come, so a page costs the memory of one row. It is filtered by verdict with style sheets alone.
"""

from __future__ import annotations

import html
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from searchinstruct_graph.datasets.checks import VERDICTS, RowCheck, StatementCheck, Verdict
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.compare import shared_words
from searchinstruct_graph.text.stopwords import language_of

MOST_FAILING, MOST_PASSING = 5_000, 1_000
"""Rows that the page shows; the counts at its top are of all."""

NAMES: dict[Verdict, str] = {
    "supported": "supported",
    "contradicted": "contradicted",
    "miscited": "citation at fault",
    "not_found": "not found",
}

# Control characters, invisible ones, and those that turn the direction of what follows.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONGEST = 4_000

_STYLE = """
:root{color-scheme:light dark;--edge:#8885;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .3rem}.counts{margin:0 0 1rem}.counts b{margin-right:.25rem}.counts span{margin-right:1.2rem}
input[name=show]{margin:0 .3rem 0 0}label{margin-right:1.2rem;cursor:pointer}
article{border:1px solid var(--edge);border-radius:6px;margin:1rem 0;padding:.7rem 1rem}
article>header{display:flex;gap:1rem;justify-content:space-between;font-size:.85rem;opacity:.8}
h2{font-size:1rem;margin:.3rem 0 .6rem;white-space:pre-wrap;overflow-wrap:anywhere}
section{display:grid;grid-template-columns:1fr 1fr;gap:0 1.2rem;border-left:5px solid;margin:.5rem 0;padding:.2rem .8rem;
background:var(--soft)}
section p{margin:.2rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
section footer{grid-column:1/-1;font-size:.85rem;overflow-wrap:anywhere}
.supported{border-color:#2a9d4a}.contradicted{border-color:#d62839}.miscited{border-color:#e07a1f}.not_found{border-color:#7a7f87}
mark{background:#ffd54f88;color:inherit;border-radius:2px}
.none{opacity:.6;font-style:italic}
@media(max-width:45rem){section{grid-template-columns:1fr}}
"""


class VerifyPage:
    """Writes the page at `path`; the file appears, or is replaced, only by `finish`.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: str, dataset: str) -> None:
        self.path = os.path.abspath(path)
        self._dataset = dataset
        self._left_out = 0
        self._room = {False: MOST_FAILING, True: MOST_PASSING}
        if os.path.isdir(self.path) or not os.path.isdir(os.path.dirname(self.path)):
            raise UsageError(f"the page {path!r} cannot be written: give a file in a folder that exists")
        try:
            self._parts: dict[bool, IO[str]] = {passed: self._spool() for passed in (False, True)}
        except OSError as error:
            raise UsageError(f"the page {path!r} cannot be written: {error.strerror or error}") from error

    def _spool(self) -> IO[str]:
        return tempfile.TemporaryFile("w+", encoding="utf-8", dir=os.path.dirname(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts.values():
            part.close()

    def add(self, row: RowCheck) -> None:
        """Write one row, if there is room for its kind."""
        if not self._room[row["passed"]]:
            self._left_out += 1
            return
        self._room[row["passed"]] -= 1
        self._parts[row["passed"]].write(article(row))

    def finish(self, rows: int, passed: int, verdicts: Mapping[Verdict, int], note: str = "") -> None:
        """Put the page together: failing rows first, under the counts of the whole dataset."""
        unfinished = f"{self.path}.part"
        try:
            with open(unfinished, "w", encoding="utf-8") as page:
                page.write(_head(self._dataset, rows, passed, verdicts, note))
                for part in self._parts.values():
                    part.seek(0)
                    while block := part.read(1 << 20):
                        page.write(block)
                if self._left_out:
                    page.write(f'<p class="none">{self._left_out} more rows are counted above and not shown.</p>')
                page.write("</main></html>\n")
            os.replace(unfinished, self.path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(unfinished)
            raise UsageError(f"the page {self.path!r} cannot be written: {error.strerror or error}") from error


def _safe(text: str) -> str:
    """A stranger's text as HTML text: nothing in it is markup, drives a terminal, or turns the direction of what follows."""
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return html.escape(_UNSEEN.sub("", shown).encode("utf-8", "replace").decode("utf-8"))


def _filters() -> str:
    return "".join(
        f"#show-{each}:checked~main>article:not(.has-{each}),#show-{each}:checked~main section:not(.{each}){{display:none}}"
        for each in VERDICTS
    )


def _head(dataset: str, rows: int, passed: int, verdicts: Mapping[Verdict, int], note: str) -> str:
    share = f"{passed / rows:.1%}" if rows else "0 %"
    counts = "".join(f"<span><b>{verdicts.get(each, 0)}</b>{name}</span>" for each, name in NAMES.items())
    choices = "".join(
        f'<input type="radio" name="show" id="show-{each}"><label for="show-{each}">{name}</label>'
        for each, name in NAMES.items()
    )
    said = f'<p class="counts">{_safe(note)}</p>' if note else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{_safe(dataset)}: verified</title><style>{_STYLE}{_filters()}</style>"
        f"<h1><bdi>{_safe(dataset)}</bdi></h1>"
        f'<p class="counts"><span><b>{passed}</b>of {rows} rows pass ({share})</span></p>'
        f'<p class="counts">Statements: {counts}</p>{said}'
        f'<input type="radio" name="show" id="show-all" checked><label for="show-all">all</label>{choices}<main>\n'
    )


def article(row: RowCheck) -> str:
    """One row as HTML."""
    held = " ".join(f"has-{verdict}" for verdict in dict.fromkeys(each["verdict"] for each in row["statements"]))
    verdict = "passes" if row["passed"] else "fails"
    asked = _safe(row["question"]) or '<span class="none">no question</span>'
    problem = f'<p class="none">{_safe(row["problem"])}</p>' if row["problem"] else ""
    body = "".join(_section(each) for each in row["statements"])
    return (
        f'<article class="{held}"><header><bdi>{_safe(row["where"])}</bdi><span>{verdict}, {row["score"]:.2f}</span></header>'
        f'<h2 dir="auto">{asked}</h2>{problem}{body}</article>\n'
    )


def _section(statement: StatementCheck) -> str:
    passage = statement["passage"][:_LONGEST]
    shown = _marked(passage, statement["text"]) if passage else '<span class="none">nothing was found</span>'
    where = f" · <bdi>{_safe(statement['uri'])}</bdi> {statement['start']}–{statement['end']}" if passage else ""
    reason = f": {_safe(statement['reason'])}" if statement["reason"] else ""
    return (
        f'<section class="{statement["verdict"]}"><p dir="auto">{_safe(statement["text"])}</p><p dir="auto">{shown}</p>'
        f"<footer><b>{NAMES[statement['verdict']]}</b> {statement['score']:.2f}{reason}{where}</footer></section>"
    )


def _marked(passage: str, statement: str) -> str:
    """The passage with the words marked that the statement holds as well."""
    parts, at = [], 0
    for span in shared_words(passage, statement, language_of(statement)):
        parts += [_safe(passage[at : span.start]), "<mark>", _safe(passage[span.start : span.end]), "</mark>"]
        at = span.end
    return "".join([*parts, _safe(passage[at:])])
