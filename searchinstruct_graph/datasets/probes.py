"""What is held out of an edit set: one pool knows both what is trained on and what will be asked in evaluation, so that no
question is both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from searchinstruct_graph.datasets.facts import Fact, Probe, ProbeKind
from searchinstruct_graph.datasets.pool import Pool, Twin
from searchinstruct_graph.datasets.screening import find_secret, screen_instruction
from searchinstruct_graph.models.embeddings import Embedder
from searchinstruct_graph.text.compare import content
from searchinstruct_graph.text.editing import holds
from searchinstruct_graph.text.periods import time_asked

REWORDED: frozenset[ProbeKind] = frozenset(("efficacy", "generality"))
"""Kinds of probe that ask for the fact itself in other words: of its own fact's wordings they must be no copies, and cannot
but be paraphrases."""

_SAME_MEANING = frozenset(("wording", "embedding"))


class FactPool(Pool):
    """The pool of an edit set: training wordings and probes of every fact so far, in one order.

    The rules are those of `Pool`, with one exception: the wordings of one fact ask the same in other words, so among them
    only copies count (`exact`, `minhash`).
    """

    def __init__(self, embedder: Embedder, text_of: Callable[[int], str]) -> None:
        super().__init__(embedder, text_of)
        self._held_out: set[int] = set()
        self._first = 0
        self.twins: dict[str, Twin] = {}
        """Of the fact at work: what was not admitted, with what it repeats."""

    def knows_held_out(self, ordinals: Iterable[int]) -> None:
        """Say which of the texts that were loaded are probes."""
        self._held_out.update(ordinals)

    def begin(self) -> None:
        """Another fact begins."""
        self._first = len(self)
        self.twins = {}

    def admit(self, texts: Sequence[str]) -> list[Twin | int]:
        """Training wordings: of each its twin among everything before it, or the ordinal under which it was added."""
        return [self._admit_one(text, reworded=True) for text in texts]

    def hold_out(self, question: str, kind: ProbeKind) -> Twin | int:
        """A probe's twin, or the ordinal under which its question is held out from now on."""
        verdict = self._admit_one(question, reworded=kind in REWORDED)
        if not isinstance(verdict, Twin):
            self._held_out.add(verdict)
        return verdict

    def is_held_out(self, twin: Twin | None) -> bool:
        """Whether what a text repeats is a probe."""
        return twin is not None and twin.ordinal in self._held_out

    def _admit_one(self, text: str, *, reworded: bool) -> Twin | int:
        (verdict,) = super().admit([text])
        if not isinstance(verdict, Twin):
            return verdict
        if reworded and verdict.ordinal >= self._first and verdict.rule in _SAME_MEANING:
            super().add([text])
            return len(self) - 1
        self.twins[text] = verdict
        return verdict


def unsettled_by(probe: Probe, facts: Iterable[Fact]) -> Fact | None:
    """Another fact of the run that this probe rests on, so that its answer does not stand or is no news: the probe asks for what
    that fact says of its subject, or expects one of its objects as an answer about it. The subject may stand in the question or
    be what the probe's own fact makes of it ("the owner of the ferry", who is the other fact's subject).
    """
    facts = list(facts)
    own = next((fact for fact in facts if fact["id"] == probe["fact"]), None)
    for fact in facts:
        if fact["id"] == probe["fact"]:
            continue
        reached = own is not None and probe["kind"] == "portability" and holds(own["new"], fact["subject"])
        if not reached and not holds(probe["question"], fact["subject"]):
            continue
        wanted = set(content(fact["question"] or fact["relation"])) - set(content(fact["subject"]))
        # What was so in another year is another question.
        if wanted and not time_asked(probe["question"]) and wanted <= set(content(probe["question"])):
            return fact
        if any(told and holds(probe["answer"], told) for told in (fact["old"], fact["new"])):
            return fact
    return None


def hold_out(
    probes: Iterable[Probe], pool: FactPool, facts: Sequence[Fact], language: str = ""
) -> tuple[list[tuple[int, Probe]], list[list[str]]]:
    """The probes that are kept, with their ordinals in the pool, and those that are not: kind, question, why.

    Call it when the training wordings of the fact are in the pool; `facts` are all of the run.
    """
    kept: list[tuple[int, Probe]] = []
    dropped: list[list[str]] = []
    for probe in probes:
        why = _fault(probe, facts, language)
        verdict = pool.hold_out(probe["question"], probe["kind"]) if not why else None
        if isinstance(verdict, Twin):
            why = "repeated" if pool.is_held_out(verdict) else "asked_in_training"
        if why:
            secret = why == "secret"
            dropped.append([probe["kind"], "" if secret else probe["question"], why])
        elif isinstance(verdict, int):
            kept.append((verdict, probe))
    return kept, dropped


def _fault(probe: Probe, facts: Sequence[Fact], language: str) -> str:
    finding = screen_instruction(probe["question"], language=language or None)
    if finding is not None:
        return finding.reason
    if find_secret(probe["answer"]) or find_secret(probe["stale"]):
        return "secret"
    if probe["kind"] not in REWORDED and unsettled_by(probe, facts):
        return "changed_by_another_fact"
    return ""
