"""What a person sees: progress on standard error, the answer on standard output.

Titles, quotes and answers are written by strangers: control characters are taken out, and Rich never reads their markup.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.constraints import constraint_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status
    from rich.text import Text

    from searchinstruct_graph.agents.progress import Progress
    from searchinstruct_graph.graphs.state import ResearchOutput
    from searchinstruct_graph.tools.corpus import SourceReport

_CONTROL = re.compile(
    # Whole sequences before single characters, or their letters would stay behind.
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_JSON_CONTROL = re.compile(r"[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_QUOTE_SHOWN = 240


def plain(text: str) -> str:
    """`text` without control characters, escape sequences and bidi overrides; lone surrogates become `?`."""
    cleaned = _CONTROL.sub("", text)
    kept = "".join(letter for letter in cleaned if unicodedata.category(letter) != "Cs")
    return kept.encode("utf-8", "replace").decode("utf-8")


def as_json(value: Any) -> str:
    """One JSON document; text that UTF-8 cannot carry is replaced, numbers that JSON does not know are refused."""
    # Where standard output is not UTF-8, everything else is escaped rather than lost.
    narrow = getattr(sys.stdout, "encoding", "utf-8").lower().replace("-", "") != "utf8"
    text = json.dumps(value, ensure_ascii=narrow, allow_nan=False, indent=2).encode("utf-8", "replace").decode("utf-8")
    # JSON escapes the first control characters itself; these would still drive a terminal.
    return _JSON_CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def console(*, error: bool = False) -> Console:
    """Standard output, or standard error; without colours when piped or when NO_COLOR is set."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False, emoji=False, markup=False)
    # Piped text is not folded: a path broken in two is no path.
    made.soft_wrap = not made.is_terminal
    return made


class _Live:
    """The live line: what is going on, and for how long the program has been at work."""

    def __init__(self) -> None:
        self.line = "starting"
        self._began = time.monotonic()

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text.assemble(self.line, (f"  {time.monotonic() - self._began:.0f} s", "dim"))


class Narrator:
    """Tells the run's progress: a live line and finished steps on a terminal, plain lines elsewhere.

    `quiet` says nothing unless a person is watching (used with --json).
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = console(error=True)
        self._quiet = quiet and not self._console.is_terminal
        self._status: Status | None = None
        self._live = _Live()

    def __enter__(self) -> Self:
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Take the live line away, for good or for a question to the person."""
        if self._status:
            self._status.stop()
            self._status = None

    def go_on(self) -> None:
        """Show the live line, first or again after `pause`."""
        if self._console.is_terminal and self._status is None:
            self._status = self._console.status(self._live)
            self._status.start()

    def say(self, line: str) -> None:
        """One line that stays."""
        if not self._quiet:
            self._console.print(plain(line), style="dim" if self._status else None, soft_wrap=True)

    def warn(self, line: str) -> None:
        """One line that is said even when quiet: something was left out."""
        self._console.print(plain(line), style="yellow" if self._status else None, soft_wrap=True)

    def skipped(self, reports: Sequence[SourceReport]) -> None:
        """Say how many files of each source were not read."""
        for report in reports:
            if report.skipped:
                uri, reason = report.skipped[0]
                self.warn(f"skipped {len(report.skipped)} in {report.source}, the first: {uri} ({reason})")

    def doing(self, line: str) -> None:
        """What is going on right now; kept only on a terminal."""
        self._live.line = plain(line)

    def event(self, event: Progress) -> None:
        """One step of the graph."""
        step, data = event["step"], event["data"]
        self.say(f"{_MARKS.get(step, '·')} {event['message']}")
        if step == "plan":
            for number, text in enumerate(data["sub_questions"], 1):
                self.say(f"    {number}. {text}")
        self.doing(_NEXT.get(step, "working"))


_MARKS = {
    "plan": "◇",
    "search": "→",
    "read": "·",
    "assess": "?",
    "write": "✎",
    "critique": "✓",
    "reanswer": "≈",
    "verdict": "=",
    "result": "■",
}
_NEXT = {
    "plan": "searching",
    "search": "reading",
    "read": "reading",
    "assess": "searching or writing",
    "write": "checking the draft against its quotes",
    "critique": "drawing independent re-answers",
    "reanswer": "drawing independent re-answers",
    "verdict": "acting on the verdict",
}


def edited_text(text: str, suffix: str) -> str:
    """`text` after a person has edited it in $VISUAL, $EDITOR or vi. Raises UsageError when the editor cannot be run."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=suffix, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            subprocess.run([*shlex.split(editor), file.name], check=True)  # noqa: S603 (the person's own editor)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f"the editor {editor!r} failed ({error}); set EDITOR to one that works") from error
        return Path(file.name).read_text(encoding="utf-8")


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _shortened(text: str) -> str:
    line = " ".join(plain(text).split())
    return line if len(line) <= _QUOTE_SHOWN else line[: _QUOTE_SHOWN - 1].rsplit(" ", 1)[0] + " …"


def show_result(result: ResearchOutput, models: Sequence[str]) -> None:
    """The answer for a person: text, sources with their quotes, and how it was checked."""
    from rich.padding import Padding
    from rich.text import Text

    out = console()
    out.print(Text(plain(result["answer"])))
    for source in result["sources"]:
        out.print()
        out.print(
            Text.assemble(
                (f"[{source['id']}] ", "bold"),
                (plain(source["title"]) or "untitled", "bold"),
                "  ",
                (plain(source["uri"]), "cyan"),
            )
        )
        for quote in source["quotes"]:
            line = Text(f"“{_shortened(quote['text'])}”  ({quote['start']}-{quote['end']})", style="italic")
            out.print(Padding(line, (0, 0, 0, 4)) if out.is_terminal else Text("    ") + line)
    critique, usage = result["critique"], result["usage"]
    agreed = (
        "no re-answers"
        if critique["agreement"] is None
        else f"{critique['agreement']:.0%} of {critique['samples']} re-answers agree"
    )
    cost = "cost unknown" if usage["cost_usd"] is None else f"${usage['cost_usd']:.4f}"
    out.print()
    out.print(
        Text(
            f"{result['status']} ({result['stop_reason']}), confidence {result['confidence']:.2f}, {agreed}; "
            f"{_count(critique['rounds'], 'round')}, {_count(usage['searches'], 'search', 'es')}, "
            f"{_count(usage['pages'], 'page')}, {_count(usage['model_calls'], 'model call')}, "
            f"{usage['seconds']:.1f} s, {cost}",
            style="green" if result["status"] == "answered" else "yellow",
        )
    )
    for told in constraint_lines(result["constraints"]):
        out.print(Text(f"  {plain(told)}", style="dim"))
    if not result["read"] and any(each["dropped"] for each in result["constraints"]):
        out.print(Text("  nothing that was found fits the instruction; widen it, or leave it out", style="yellow"))
    for problem in critique["problems"][:5]:
        out.print(Text(f"  note: {_shortened(problem)}", style="dim"))
    if "offline" in models:
        out.print(Text("  The offline model is extractive: its sentences are copied from the sources.", style="dim"))
    sys.stdout.flush()
