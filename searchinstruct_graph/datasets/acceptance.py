"""Which answers become rows. Answers stand here in the order of their instructions, so the choice does not depend on
which of them came first.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from searchinstruct_graph.datasets.ledger import Decision, Instruction, Outcome, answer_key
from searchinstruct_graph.datasets.rows import BLOOM, Rejection, Row, Stage
from searchinstruct_graph.datasets.screening import find_secret, screen_answer
from searchinstruct_graph.text.digest import sha256

SLACK = 1.05
"""How far one Bloom level may go beyond its even part; the sixth of six then still has three quarters of it."""

FEW_FILES = 2.0
"""With few files each may give this many times its even part, whatever the share says."""

LONG_FILE = 1.5
"""A long file may give this many times its part of the corpus's text."""

SHORT_ANSWER = 40
"""Characters up to which equal answers to different instructions are no sign of a duplicate ("42", "yes")."""


SURE = 80
"""Characters of instruction and answer together from which their detected language can be relied on."""


class Rules(NamedTuple):
    """What is accepted. `documents` is the number of documents in the corpus, None when rows do not come from one; `parts`
    maps files to their part of the corpus's text, as far as it is known.
    """

    target: int
    fingerprint: str
    language: str
    levels: bool
    """Whether rows are spread evenly over the Bloom levels."""
    max_share: float
    documents: int | None
    parts: Mapping[str, float]

    @classmethod
    def without_shares(cls, target: int, fingerprint: str, language: str) -> Rules:
        """What is accepted where neither files nor levels have a share."""
        return cls(target, fingerprint, language, levels=False, max_share=1.0, documents=None, parts={})


def source_unit(uri: str) -> str:
    """What a share is counted for: a file, or a host of the web."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return (parts.hostname or uri).removeprefix("www.")
    return uri.rpartition("#")[0] or uri


class Blocked:
    """Sources that nothing may rest on: each a page's URI, a file with its records, a folder, a site, a host, or the SHA-256
    of a page's text. Local paths are compared as absolute ones too.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self.sources = tuple(dict.fromkeys(sources))
        self._places = [place for source in self.sources for place in _spellings(source)]

    def holds(self, uri: str, sha256_: str = "") -> bool:
        """Whether a page is one of them, or lies below one."""
        if not self._places:
            return False
        if sha256_ and sha256_ in self._places:
            return True
        unit = source_unit(uri)
        return any(
            place in (each, unit) or each.startswith((f"{place.rstrip('/')}/", f"{place}#"))
            for place in self._places
            for each in _spellings(uri)
        )


def _spellings(source: str) -> tuple[str, ...]:
    if ":" in source.split("/", 1)[0] or len(source) == 64:
        return (source,)
    return (source, os.path.realpath(os.path.expanduser(source)))


class Acceptance:
    """The pool's state that decides: rows so far by level and source, and their answers."""

    def __init__(
        self,
        rules: Rules,
        models: Mapping[str, str],
        versions: Mapping[str, str],
        told: Callable[[str], bool] = lambda key: False,
        blocked: Blocked | None = None,
    ) -> None:
        """`told` says whether a committed row has an answer with that key; no row may rest on a `blocked` source."""
        self._rules, self._told, self._blocked = rules, told, blocked or Blocked()
        self._models, self._versions = dict(models), dict(versions)
        self.accepted = 0
        self._levels: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._fresh: set[str] = set()
        """Answer keys that are decided here and may not be committed yet."""

    def resume(self, accepted: int, levels: Mapping[str, int], sources: Mapping[str, int]) -> None:
        """Take up the counts of earlier rows: by Bloom level, and by the URI of the first source."""
        self.accepted = accepted
        self._levels.update(levels)
        for uri, count in sources.items():
            self._sources[source_unit(uri)] += count

    def committed(self) -> None:
        """Everything decided so far is in the ledger."""
        self._fresh.clear()

    @property
    def full(self) -> bool:
        """Whether the target is reached."""
        return self.accepted >= self._rules.target

    def level_cap(self) -> int:
        """Most rows of one Bloom level."""
        return math.ceil(self._rules.target / len(BLOOM) * SLACK)

    def source_cap(self, unit: str) -> int:
        """Most rows of one file or host: the share that is set, or more where that would be less than its due."""
        documents = self._rules.documents
        due = max(FEW_FILES / documents if documents else 0.0, LONG_FILE * self._rules.parts.get(unit, 0.0))
        share = max(self._rules.max_share, due)
        return max(3, math.ceil(self._rules.target * min(1.0, share)))

    def decide(self, instruction: Instruction, outcome: Outcome) -> Decision:
        """A row, a rejection, or surplus: what is good but not wanted with this target."""
        ordinal = instruction["ordinal"]
        if where := secret_in(outcome):
            return self._rejected(instruction, outcome, "secret", f"a key or password stands in {where}", False)
        outcome = {**outcome, "rejected": [each for each in outcome["rejected"] if not find_secret(each["answer"])]}
        if outcome["fault"] is not None:
            fault = outcome["fault"]
            return self._rejected(instruction, outcome, fault["reason"], fault["detail"], fault["quarantined"])
        evidence = [quote["text"] for source in outcome["sources"] for quote in source["quotes"]]
        language = self._rules.language or None
        found = outcome["language"]
        if language and found not in (language, "und") and len(instruction["text"] + outcome["answer"]) > SURE:
            return self._rejected(instruction, outcome, "language", f"it is in {found}, not {language}", False)
        finding = screen_answer(instruction["text"], outcome["answer"], language=language, evidence=evidence)
        if finding is not None:
            return self._rejected(instruction, outcome, finding.reason, finding.detail, finding.quarantine)
        named = [(source["uri"], source["sha256"]) for source in outcome["sources"]]
        shown = [(place.rpartition("@")[0], "") for place in instruction["origin"]["passages"]]
        if bad := next((uri for uri, digest in [*named, *shown] if self._blocked.holds(uri, digest)), ""):
            return self._rejected(instruction, outcome, "purged_source", f"rests on {bad}", False)
        key = answer_key(outcome["answer"], outcome["statements"])
        if len(outcome["answer"]) > SHORT_ANSWER and (key in self._fresh or self._told(key)):
            return self._rejected(instruction, outcome, "same_answer", "another row gives the same answer", False)
        level = instruction["origin"]["bloom"]
        unit = source_unit(outcome["sources"][0]["uri"]) if outcome["sources"] else ""
        crowded = (self._rules.levels and self._levels[level] >= self.level_cap()) or (
            unit and self._sources[unit] >= self.source_cap(unit)
        )
        if self.full or crowded:
            return Decision(ordinal=ordinal, row=None, rejection=None)
        self.accepted += 1
        self._levels[level] += 1
        if unit:
            self._sources[unit] += 1
        self._fresh.add(key)
        return Decision(ordinal=ordinal, row=self._row(instruction, outcome), rejection=None)

    def _row(self, instruction: Instruction, outcome: Outcome) -> Row:
        return Row(
            id=row_id(self._rules.fingerprint, instruction["id"]),
            instruction=instruction["text"],
            answer=outcome["answer"],
            language=outcome["language"],
            grounding=outcome["grounding"],
            statements=outcome["statements"],
            sources=outcome["sources"],
            origin=instruction["origin"],
            critic=outcome["critic"],
            vote=outcome["vote"],
            rejected=outcome["rejected"],
            models=self._models,
            versions=self._versions,
            usage=outcome["usage"],
        )

    def _rejected(
        self, instruction: Instruction, outcome: Outcome, reason: str, detail: str, quarantined: bool
    ) -> Decision:
        numbers = outcome["critic"]
        stage: Stage = "answer" if outcome["fault"] is not None else "acceptance"
        secret = reason == "secret"
        rejection = Rejection(
            id=row_id(self._rules.fingerprint, instruction["id"]),
            instruction=instruction["text"],
            stage=stage,
            reason=reason,
            detail=detail,
            quarantined=quarantined,
            # A key that stood on a page is not kept anywhere.
            answer="" if secret else outcome["answer"],
            statements=[] if secret else outcome["statements"],
            sources=[] if secret else outcome["sources"],
            scores={
                "support": numbers["support"],
                "agreement": numbers["agreement"],
                "confidence": numbers["confidence"],
            },
            origin=instruction["origin"],
            usage=outcome["usage"],
        )
        return Decision(ordinal=instruction["ordinal"], row=None, rejection=rejection)


def secret_in(outcome: Outcome) -> str:
    """Where a key stands in what would be kept; empty when nowhere."""
    if find_secret(outcome["answer"]):
        return "the answer"
    if outcome["fault"] and find_secret(outcome["fault"]["detail"]):
        return "the critic's words"
    texts = [text for s in outcome["sources"] for text in (s["title"], s["uri"], *(q["text"] for q in s["quotes"]))]
    return "a source" if any(map(find_secret, texts)) else ""


def row_id(fingerprint: str, instruction_id: str) -> str:
    """A row's id: a hash of what determines it."""
    return sha256(f"{fingerprint}:{instruction_id}")
