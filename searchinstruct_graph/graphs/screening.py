"""What stands between a proposed instruction and an admitted one: rules, held-out questions, and the pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.context import RunContext
from searchinstruct_graph.datasets.acceptance import Rules, row_id, secret_in, source_unit
from searchinstruct_graph.datasets.contamination import Benchmark
from searchinstruct_graph.datasets.export import question_key
from searchinstruct_graph.datasets.ledger import Instruction, Outcome
from searchinstruct_graph.datasets.pool import Pool, Twin
from searchinstruct_graph.datasets.rows import Origin, Rejection, no_spending
from searchinstruct_graph.datasets.screening import find_secret, screen_instruction
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.proposing import Candidate, Proposing
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.language import languages


def instruction_id(text: str) -> str:
    """An instruction's id: equal for texts that differ in case, punctuation and white space alone, as the pool tells texts apart;
    "C" and "C++" are two.
    """
    return sha256(question_key(text))[:32]


def rules_for(
    context: BuildContext, fingerprint: str, levels: bool, corpus: Corpus | None, sizes: Mapping[str, int]
) -> Rules:
    """What the settings say about accepting; `levels` spreads rows over the Bloom levels, `sizes` are the characters of the
    corpus's documents.
    """
    whole = sum(sizes.values()) or 1
    parts: Counter[str] = Counter()
    for uri, size in sizes.items():
        parts[source_unit(uri)] += size
    return Rules(
        target=context.target,
        fingerprint=fingerprint,
        language=context.language,
        levels=levels,
        max_share=context.max_share,
        documents=sum(report.documents for report in corpus.report) if corpus else None,
        parts={unit: size / whole for unit, size in parts.items()},
    )


def check_language(context: RunContext) -> None:
    """Raise UsageError for a language that cannot be told from others."""
    if context.language and context.language not in languages():
        raise UsageError(f"language {context.language!r} is not known; known are: {', '.join(sorted(languages()))}")


class Screen:
    """Holds candidates against the rules, held-out questions and the pool, in order."""

    def __init__(
        self,
        context: RunContext,
        proposer: Proposing,
        fingerprint: str,
        pool: Pool,
        benchmark: Benchmark | None = None,
    ) -> None:
        self._language = context.language or None
        self._proposer, self._fingerprint, self._pool, self._benchmark = proposer, fingerprint, pool, benchmark

    def admit(
        self, wave: int, candidates: Sequence[Candidate], *, given: bool
    ) -> tuple[list[Instruction], list[Rejection]]:
        """The admitted instructions, and what was refused with its reason. `given` candidates are seeds."""
        refused: list[Rejection] = []
        passed: list[Candidate] = []
        for candidate in candidates:
            finding = screen_instruction(candidate.text, language=self._language)
            if finding is None:
                passed.append(candidate)
            else:
                refused.append(self._refusal(wave, candidate, finding.reason, finding.detail, finding.quarantine))
        if self._benchmark is not None and passed:
            passed = self._clean(self._benchmark, wave, passed, refused, given)
        admitted: list[Instruction] = []
        for candidate, verdict in zip(passed, self._pool.admit([each.text for each in passed]), strict=True):
            if isinstance(verdict, Twin):
                reason = "duplicate" if verdict.rule == "exact" else "near_duplicate"
                detail = f"like instruction {verdict.ordinal} ({verdict.rule}, {verdict.similarity:.2f})"
                refused.append(self._refusal(wave, candidate, reason, detail))
                continue
            shown = given and self._proposer.shown_only(candidate)
            admitted.append(
                Instruction(
                    ordinal=verdict,
                    id=instruction_id(candidate.text),
                    text=candidate.text,
                    wave=wave,
                    status="shown" if shown else "admitted",
                    origin=self._origin(wave, candidate),
                )
            )
        return admitted, refused

    def refused(self, wave: int, candidate: Candidate, outcome: Outcome) -> Rejection:
        """A candidate that came with its answer, and with the fault that keeps both out."""
        fault, numbers = outcome["fault"], outcome["critic"]
        assert fault is not None
        refusal = self._refusal(wave, candidate, fault["reason"], fault["detail"], fault["quarantined"])
        if find_secret(candidate.text) or secret_in(outcome):
            return {**refusal, "instruction": "", "reason": "secret", "detail": "a key or password stands in the pair"}
        scores = {name: numbers[name] for name in ("support", "agreement", "confidence")}
        return {
            **refusal,
            "answer": outcome["answer"],
            "statements": outcome["statements"],
            "sources": outcome["sources"],
            "scores": scores,
            "usage": outcome["usage"],
        }

    def _clean(
        self,
        benchmark: Benchmark,
        wave: int,
        candidates: Sequence[Candidate],
        refused: list[Rejection],
        given: bool,
    ) -> list[Candidate]:
        clean: list[Candidate] = []
        for candidate, match in zip(candidates, benchmark.match_many([each.text for each in candidates]), strict=True):
            # Failed questions of an evaluation are shown, not answered, so they may be what they are.
            if match is None or (given and self._proposer.shown_only(candidate)):
                clean.append(candidate)
                continue
            detail = f"{match.rule} match ({match.score:.2f}) with {match.file}:{match.line}"
            refused.append(self._refusal(wave, candidate, "contaminated", detail))
        return clean

    def _origin(self, wave: int, candidate: Candidate) -> Origin:
        origin = Origin(
            method=self._proposer.method,
            operation=candidate.operation,
            parents=candidate.parents,
            family=candidate.family or instruction_id(candidate.text),
            kind=candidate.kind,
            subtopic=candidate.subtopic,
            keywords=candidate.keywords,
            bloom=candidate.bloom,
            passages=candidate.passages,
            wave=wave,
        )
        if candidate.selection is not None:
            origin["selection"] = candidate.selection
        return origin

    def _refusal(
        self, wave: int, candidate: Candidate, reason: str, detail: str, quarantined: bool = False
    ) -> Rejection:
        return Rejection(
            id=row_id(self._fingerprint, instruction_id(candidate.text)),
            # A key that a model has written down is not kept anywhere.
            instruction="" if reason == "secret" else candidate.text,
            stage="proposal",
            reason=reason,
            detail=detail,
            quarantined=quarantined,
            answer="",
            statements=[],
            sources=[],
            scores={},
            origin=self._origin(wave, candidate),
            usage=no_spending(),
        )
