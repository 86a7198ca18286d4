"""Evaluations as tests: the fixture `searchinstruct_eval`, and results that say why they do not hold.

    def test_answers_stay_good(searchinstruct_eval):
        result = searchinstruct_eval("answers", data="questions.jsonl", corpus=["docs/"])
        result.require("token_f1", at_least=0.6)

pytest loads this module at every start, wherever the package is installed: it imports nothing but pytest.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from searchinstruct_graph.evals.result import EvalResult, Figure
    from searchinstruct_graph.evals.suite import Item

SHOWN = 3
"""Worst cases that a failure names."""

_WORDS = 160


class Evaluated:
    """An evaluation that has ended. `result` is what `result.json` in `folder` holds."""

    def __init__(self, result: EvalResult) -> None:
        self.result = result
        self.folder = Path(result["folder"])

    def __repr__(self) -> str:
        told = self.result
        return f"<evaluation {told['suite']}: {told['scored']} of {told['cases']} cases, {self.folder}>"

    def figure(self, measure: str, group: str | None = None) -> Figure:
        """One figure; without a group the one over all groups. Raises UsageError for one that there is not."""
        from searchinstruct_graph.evals.result import figure

        return figure(self.result, measure, group)

    def items(self) -> Iterator[Item]:
        """Every case with its scores and their reasons."""
        from searchinstruct_graph.evals.running import items

        return items(self.folder)

    def require(
        self,
        measure: str,
        at_least: float | None = None,
        at_most: float | None = None,
        group: str | None = None,
        no_missing: bool = True,
    ) -> None:
        """Fail the test unless the measure holds; the message has value, interval and the worst cases.

        With `no_missing`, cases whose score could not be taken let it fail as well, since they may be the bad ones; so does an
        evaluation that ended before its last case.

        Raises:
            UsageError: there is no such measure or group, or no bound is given.
        """
        from searchinstruct_graph.errors import UsageError
        from searchinstruct_graph.evals.result import shortfall

        __tracebackhide__ = True
        if at_least is None and at_most is None:
            raise UsageError(f"require({measure!r}) needs a bound: at_least or at_most")
        found = self.figure(measure, group)
        told = shortfall(found, at_least, at_most, no_missing=no_missing)
        if not told and no_missing and self.result["ended"] != "done":
            reached = f"{self.result['scored']:,} of {self.result['cases']:,} cases"
            told = f"{measure} is {found['value']:g}, but only {reached} are scored"
        if told:
            pytest.fail(self._failure(told, found), pytrace=False)

    def _failure(self, told: str, found: Figure) -> str:
        interval = "" if found["low"] is None else f", 95 % interval {found['low']:g} to {found['high']:g}"
        where = "" if found["group"] == "all" else f"group {found['group']}, "
        lines = [f"{told} ({where}{found['cases']:,} cases{interval})"]
        if note := self.result["note"]:
            lines.append(f"it ended early: {_cut(note)}")
        for value, reason, asked in self._worst(found):
            lines.append(f"  {value:>7}  {_cut(asked)}")
            lines += [f"           {_cut(reason)}"] if reason else []
        page = self.folder / "report.html"
        return "\n".join([*lines, f"see {page}"])

    def _worst(self, found: Figure) -> list[tuple[str, str, str]]:
        """(value, reason, question) of the worst cases of a measure, those that failed first."""
        from searchinstruct_graph.evals.page import title_of
        from searchinstruct_graph.evals.running import evaluated

        suite, context, _ = evaluated(self.folder)
        measure = next(each for each in suite.measures(context) if each.name == found["measure"])
        name, sign = measure.columns[0], 1 if measure.higher_is_better else -1
        ranked: list[tuple[float, int, tuple[str, str, str]]] = []
        for number, item in enumerate(self.items()):
            score = item["scores"].get(name)
            if score is None or found["group"] not in ("all", item["group"]):
                continue
            if score["failure"]:
                ranked.append((float("-inf"), number, (score["failure"], score["reason"], title_of(item))))
            elif score["value"] is not None and len(measure.columns) == 1:
                told = (f"{score['value']:.3f}", score["reason"], title_of(item))
                ranked.append((sign * score["value"], number, told))
        return [told for _, _, told in heapq.nsmallest(SHOWN, ranked)]


def _cut(text: str) -> str:
    line = " ".join(part for part in text.split() if part.isprintable())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"


@pytest.fixture(scope="session")
def searchinstruct_eval(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Evaluated]:
    """A function that evaluates: `(suite, data, judge="", **settings)`, settings being fields of `EvalContext`.

    An evaluation is kept in pytest's cache, so a later session asks only what is missing: `pytest --cache-clear`, other data,
    other settings or changed files of the corpus make it anew. Without a cache it is kept for the session.

    It raises UsageError and ProviderError as `evals.evaluate` does.
    """
    cache = getattr(request.config, "cache", None)
    place = Path(cache.mkdir("searchinstruct")) if cache is not None else tmp_path_factory.mktemp("searchinstruct")

    def evaluated(
        suite: str, data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], judge: str = "", **settings: Any
    ) -> Evaluated:
        from searchinstruct_graph.evals.running import run_eval

        places = [data] if isinstance(data, str | os.PathLike) else list(data)
        given = {**settings, "data": [os.fspath(each) for each in places], "judge": judge}
        return Evaluated(run_eval(suite, place / f"{suite}-{_stamp(given)}", **given))

    return evaluated


def _stamp(settings: dict[str, Any]) -> str:
    """What an evaluation is kept under: its settings, and the files that they name, by size and time of change."""
    import json

    from searchinstruct_graph.models.chat import resolve_model
    from searchinstruct_graph.text.digest import sha256

    files = []
    for place in [*settings["data"], *(settings.get("corpus") or [])]:
        path = Path(place).expanduser()
        within = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [(str(each), *_changed(each)) for each in within if each.is_file()]
    model = resolve_model(settings.get("model"))
    return sha256(json.dumps([settings, model, files], sort_keys=True, default=str))[:12]


def _changed(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns
