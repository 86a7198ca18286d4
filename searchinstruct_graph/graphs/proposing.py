"""Waves of new instructions: from seeds (SearchInstruct), or from a task (DS²-Instruct).

A wave depends on the run's configuration and on what has become of the instructions of all waves but the last, never on
the clock or on the number of workers: a resumed run proposes what the unkilled one would have proposed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.curriculum import Direction, clean_keywords, name_keywords, write_question
from searchinstruct_graph.agents.expander import WANTED_KINDS, expand, passage_id
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.ledger import Instruction
from searchinstruct_graph.datasets.rows import BLOOM, Method, Operation, Selected
from searchinstruct_graph.datasets.seeds import Seed, question_kind, seed_id, seed_of
from searchinstruct_graph.datasets.tasks import Task, described
from searchinstruct_graph.graphs.answering import form_suffix
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.words import words
from searchinstruct_graph.tools.corpus import Corpus, Passage

PASSAGES = 5
"""Passages that a writer of questions sees."""

REACH = 30
"""Passages of the corpus that the shown ones are picked from."""

LOT = 10.0
"""How much chance counts beside rank when passages are picked."""

TRIES = 8
"""Keywords that a slot may try when nothing fitting can be asked about the first."""

NEAR_KEYWORDS = 0.9
"""Cosine from which two keywords are one."""

ASKED = 8
"""Questions remembered of a passage or a keyword, so that the next one is another."""

FEW_NEW = 0.1
"""A round of keywords that brings a smaller share of new ones is the last."""


class Candidate(NamedTuple):
    """A proposed instruction, before the pool has looked at it."""

    text: str
    operation: Operation
    parents: list[str]
    family: str
    kind: str
    subtopic: str
    keywords: list[str]
    bloom: str
    passages: list[str]
    selection: Selected | None = None


def given(seed: Seed) -> Candidate:
    """A seed as an instruction."""
    return Candidate(
        text=seed["text"],
        operation="seed",
        parents=[],
        family=seed["id"],
        kind=seed["kind"],
        subtopic=seed["subtopic"],
        keywords=[],
        bloom="",
        passages=[],
    )


class Proposed(NamedTuple):
    """A wave's candidates in order, the calls that failed, and the keywords of a first wave as (keyword, origin), with what
    they have cost.
    """

    candidates: list[Candidate]
    failures: list[str]
    keywords: list[tuple[str, str]]
    usage: Usage
    for_keywords: Usage


@dataclass
class History:
    """What the next wave may know. `decided` and `accepted` count by Bloom level up to the wave before the last, `pending`
    is the last wave's instructions; `kinds` counts all that were admitted.
    """

    decided: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    pending: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


class Proposing(Protocol):
    """Where candidates come from."""

    method: Method

    def shown_only(self, candidate: Candidate) -> bool:
        """Whether a given instruction is only shown to the model, not answered."""


class Proposer(Proposing, Protocol):
    """A method of making instructions."""

    def seeds(self) -> list[Candidate]:
        """Instructions that are given, not made; they stand before everything else."""

    async def propose(self, wave: int, history: History) -> Proposed:
        """The candidates of a wave, counted from 1."""

    def learn(self, instructions: Iterable[Instruction]) -> None:
        """Take note of admitted instructions, in order; also of those of an earlier process."""

    def restore(self, keywords: Sequence[str]) -> None:
        """Take up the keywords that an earlier process has found."""


def wave_size(target: int) -> int:
    """Instructions that a wave asks for: a sixth of the target, 12 to 480."""
    return max(12, min(480, target // 6))


class _Asked:
    """Which passages were shown, and the last questions asked of each passage or keyword; `blocked` ones are not shown."""

    def __init__(self, blocked: Blocked | None = None) -> None:
        self.blocked = blocked or Blocked()
        self.shown: Counter[str] = Counter()
        self.documents: Counter[str] = Counter()
        self._questions: dict[str, list[str]] = {}

    def note(self, instruction: Instruction) -> None:
        origin = instruction["origin"]
        for place in [*origin["passages"], *origin["keywords"]]:
            asked = self._questions.setdefault(place, [])
            asked.append(instruction["text"])
            del asked[:-ASKED]
        for place in origin["passages"]:
            self.shown[place] += 1
            self.documents[place.rpartition("@")[0]] += 1

    def of(self, places: Iterable[str]) -> list[str]:
        found = [text for place in places for text in self._questions.get(place, [])]
        return list(dict.fromkeys(found))[-3 * ASKED :]


async def _pick(
    corpus: Corpus | None, query: str, asked: _Asked, taken: Counter[str], count: int, draw: random.Random
) -> list[Passage]:
    """Passages that fit the query, those shown least first, so that no part of the corpus is drawn dry while another lies
    idle; by lot among equals, since a passage that nothing can be asked about is never noted as shown. `taken` counts what
    this wave shows already.
    """
    if corpus is None:
        return []
    found = await corpus.search(query, REACH)
    weights: list[tuple[float, int, Passage]] = []
    for rank, passage in enumerate(each for each in found if not asked.blocked.holds(each.uri)):
        name = passage_id(passage)
        shown = asked.shown[name] + taken[name]
        crowd = asked.documents[passage.uri] + taken[passage.uri]
        weights.append((4 * shown + rank / 2 + crowd / 3 + LOT * draw.random(), rank, passage))
    picked = [passage for _, _, passage in sorted(weights, key=lambda each: each[:2])[:count]]
    for passage in picked:
        taken[passage_id(passage)] += 1
        taken[passage.uri] += 1
    return picked


class SeedProposer:
    """SearchInstruct: seeds, then what is made of random subsets of them."""

    method: Method = "searchinstruct"

    def __init__(
        self,
        seeds: Sequence[Seed],
        focus: Sequence[Seed],
        context: BuildContext,
        corpus: Corpus | None,
        salt: str,
        blocked: Blocked | None = None,
    ) -> None:
        self._seeds = [*focus, *seeds]
        self._focus = {seed["id"] for seed in focus}
        self._families: dict[str, str] = {}
        """Of grown seeds: the family that they came from."""
        self._context, self._corpus, self._salt = context, corpus, salt
        self._asked = _Asked(blocked)
        self._size = wave_size(context.target)

    def seeds(self) -> list[Candidate]:
        """The seeds themselves; those to focus on come from an evaluation and are only shown, never answered."""
        return [given(seed) for seed in self._seeds]

    def shown_only(self, candidate: Candidate) -> bool:
        """Whether a seed is not to be answered."""
        return not self._context.answer_seeds or candidate.family in self._focus

    def restore(self, keywords: Sequence[str]) -> None:
        """Seeds need no keywords."""

    def learn(self, instructions: Iterable[Instruction]) -> None:
        """Remember what was asked; with `grow`, new instructions are seeds from now on."""
        for instruction in instructions:
            self._asked.note(instruction)
            origin = instruction["origin"]
            if self._context.grow and origin["operation"] != "seed":
                self._families[seed_id(instruction["text"])] = origin["family"]
                self._seeds.append(seed_of(instruction["text"], kind=origin["kind"], subtopic=origin["subtopic"]))

    async def propose(self, wave: int, history: History) -> Proposed:
        """Independent calls, each on its own weighted draw of seeds without replacement."""
        if not self._context.expand:
            return Proposed([], [], [], no_usage(), no_usage())
        calls = -(-self._size // self._context.questions_per_call)
        draw = random.Random(f"{self._salt}:{wave}")
        taken: Counter[str] = Counter()
        kinds = sorted(WANTED_KINDS, key=lambda kind: (history.kinds[kind], WANTED_KINDS.index(kind)))
        shown = [self._draw(draw) for _ in range(calls)]
        pages = [await _pick(self._corpus, draw.choice(s)["text"], self._asked, taken, PASSAGES, draw) for s in shown]
        allowance = self._context.limits()
        made = await together(
            (
                self._call(seeds, found, _turn(kinds, number), allowance, wave * 10_000 + number)
                for number, (seeds, found) in enumerate(zip(shown, pages, strict=True))
            )
        )
        return Proposed(
            [candidate for part in made for candidate in part.candidates],
            [part.failure for part in made if part.failure],
            [],
            join_usage([part.usage for part in made]),
            no_usage(),
        )

    def _draw(self, draw: random.Random) -> list[Seed]:
        # Weighted draw without replacement: Efraimidis and Spirakis, 2006 (keys u^(1/w), the largest win).
        count = min(self._context.seeds_per_call, len(self._seeds))
        keyed = [(draw.random() ** (1.0 / max(seed["weight"], 1e-6)), seed) for seed in self._seeds]
        return [seed for _, seed in sorted(keyed, key=lambda pair: -pair[0])[:count]]

    async def _call(
        self, seeds: Sequence[Seed], pages: Sequence[Passage], kinds: Sequence[str], allowance: Allowance, seed: int
    ) -> _Call:
        known = self._asked.of([passage_id(page) for page in pages])
        count = self._context.questions_per_call
        texts = [each["text"] for each in seeds]
        reply = await expand(texts, count, kinds, known, pages, self._context, allowance, seed)
        if isinstance(reply, Failure):
            return _Call([], f"{reply.kind}: {reply.detail}", reply.usage)
        candidates = []
        for question in reply.value.questions[: 2 * count]:
            parents = [seeds[number - 1] for number in question.seeds if 1 <= number <= len(seeds)]
            made_of = question.operation != "new" and parents
            candidates.append(
                Candidate(
                    text=" ".join(question.text.split()),
                    operation=question.operation,
                    parents=[parent["id"] for parent in parents],
                    # What rewords a seed stays on its side of a split; what is new stays with its page.
                    family=self._families.get(parents[0]["id"], parents[0]["id"])
                    if made_of
                    else pages[0].uri
                    if pages
                    else "",
                    kind=question.kind if question.kind in WANTED_KINDS else question_kind(question.text),
                    subtopic=parents[0]["subtopic"] if parents else "",
                    keywords=[],
                    bloom="",
                    passages=[passage_id(page) for page in pages],
                )
            )
        return _Call(candidates, "", reply.usage)


class _Call(NamedTuple):
    """What one call of the expander gave: candidates, or why there are none."""

    candidates: list[Candidate]
    failure: str
    usage: Usage


def _turn(kinds: Sequence[str], number: int) -> list[str]:
    """The kinds that a call is asked for: three, those that are rarest so far first, taking turns."""
    return [kinds[(3 * number + at) % len(kinds)] for at in range(3)]


class TaskProposer:
    """DS²-Instruct: keywords of a task, then a question for each drawn keyword, or pair, and Bloom level."""

    method: Method = "ds2-instruct"

    def __init__(
        self, task: Task, context: BuildContext, corpus: Corpus | None, salt: str, blocked: Blocked | None = None
    ) -> None:
        self._task, self._context, self._corpus, self._salt = task, context, corpus, salt
        self._keywords: list[str] = []
        self._asked = _Asked(blocked)
        self._used: Counter[str] = Counter()
        self._size = wave_size(context.target)

    def seeds(self) -> list[Candidate]:
        """A task has none."""
        return []

    def shown_only(self, candidate: Candidate) -> bool:
        """A task has no seeds."""
        return False

    def restore(self, keywords: Sequence[str]) -> None:
        """Take up the keywords that an earlier process has found."""
        self._keywords = list(keywords)

    def learn(self, instructions: Iterable[Instruction]) -> None:
        """Remember which keywords and passages were used, and what was asked of them."""
        for instruction in instructions:
            self._asked.note(instruction)
            self._used.update(instruction["origin"]["keywords"])

    async def propose(self, wave: int, history: History) -> Proposed:
        """Questions for the slots of a wave; the first wave finds the keywords as well."""
        named: list[tuple[str, str]] = []
        failures: list[str] = []
        spent = no_usage()
        if not self._keywords:
            named, failures, spent = await self.find_keywords()
            self._keywords = [keyword for keyword, _ in named]
            if not self._keywords:
                return Proposed([], failures or ["no keyword was found"], [], no_usage(), spent)
        slots = await self._slots(wave, history)
        made = await together((self._question(slot, wave * 10_000 + number) for number, slot in enumerate(slots)))
        asked = [candidate for part in made for candidate in part.candidates if candidate.text]
        failures += [part.failure for part in made if part.failure]
        return Proposed(asked, failures, named, join_usage([part.usage for part in made]), spent)

    # Keywords.

    async def find_keywords(self) -> tuple[list[tuple[str, str]], list[str], Usage]:
        """Core keywords, then prerequisites and advanced ones, then what passages of the corpus name, as (keyword, origin);
        the calls that failed; what it has cost.
        """
        context, draw = self._context, random.Random(f"{self._salt}:keywords")
        task = described(self._task)
        found = _Merged(context.embeddings)
        failures: list[str] = []
        spent = no_usage()
        enough = max(context.keywords, context.target // 3)

        async def ask(
            direction: Direction, count: int, shown: Sequence[str], pages: Sequence[Passage], seed: int
        ) -> list[str]:
            # The live list, newest last; a model reads no more than that.
            known = found.names[-300:]
            reply = await name_keywords(direction, task, count, shown, known, pages, context, context.limits(), seed)
            nonlocal spent
            spent = add_usage(spent, reply.usage)
            if isinstance(reply, Failure):
                failures.append(f"keywords: {reply.kind}: {reply.detail}")
                return []
            return clean_keywords(reply.value.keywords)

        async def pages_for(query: str, count: int) -> list[Passage]:
            return await self._corpus.search(query, count) if self._corpus else []

        found.add(await ask("core", context.keywords, [], await pages_for(task, 12), 0), "core")
        for number in range(context.keyword_rounds):
            before = len(found.names)
            for direction in ("prerequisite", "advanced"):
                shown = draw.sample(found.names, min(10, len(found.names)))
                pages = await pages_for(", ".join(shown), 8)
                found.add(await ask(direction, 15, shown, pages, number), direction)
            if len(found.names) - before < FEW_NEW * before or len(found.names) >= 4 * enough:
                break
        for number in range(context.corpus_rounds if self._corpus else 0):
            before = len(found.names)
            if before >= enough * 2:
                break
            shown = draw.sample(found.names, min(10, len(found.names)))
            pages = await pages_for(" ".join([task, *shown]), min(50, max(8, enough // 2)))
            terms = await together(ask("corpus", 5, shown, [page], number) for page in pages)
            for part in terms:
                found.add(part, "corpus")
            if len(found.names) - before < FEW_NEW * before:
                break
        return list(zip(found.names, found.origins, strict=True)), failures, spent

    # Questions.

    async def _slots(self, wave: int, history: History) -> list[_Slot]:
        draw = random.Random(f"{self._salt}:{wave}")
        used, taken = Counter(self._used), Counter[str]()
        slots: list[_Slot] = []
        for level in self._levels(history, draw):
            slot = await self._slot(level, used, taken, draw)
            used.update(slot.keywords)
            slots.append(slot)
        return slots

    async def _slot(self, level: str, used: Counter[str], taken: Counter[str], draw: random.Random) -> _Slot:
        # Drawn, not taken in turn: a keyword of which nothing more can be asked would be the least used for ever.
        weights = [1.0 / (1 + used[keyword]) ** 2 for keyword in self._keywords]
        first = draw.choices(self._keywords, weights)[0]
        pair = draw.random() < self._context.pairs and len(self._keywords) > 1
        pages = await _pick(self._corpus, first, self._asked, taken, PASSAGES, draw)
        second = self._partner(first, pages, used, draw) if pair else None
        return _Slot(level, [first, second] if second else [first], pages)

    def _levels(self, history: History, draw: random.Random) -> list[str]:
        """A level for every slot: in proportion to the rows that a level still lacks over the share of its questions that
        become rows.
        """
        part = self._context.target / len(BLOOM)
        needs: dict[str, float] = {}
        for level in BLOOM:
            share = (history.accepted[level] + 1) / (history.decided[level] + 2)
            missing = part - history.accepted[level] - share * history.pending[level]
            needs[level] = max(missing, 0.0) / max(share, 0.1)
        whole = sum(needs.values())
        if whole <= 0:
            needs, whole = dict.fromkeys(BLOOM, 1.0), float(len(BLOOM))
        size = min(self._size, max(3 * len(BLOOM), round(whole * 1.2)))
        exact = {level: size * need / whole for level, need in needs.items()}
        slots = [level for level in BLOOM for _ in range(int(exact[level]))]
        rest = sorted(BLOOM, key=lambda level: (int(exact[level]) - exact[level], BLOOM.index(level)))
        slots += [rest[at % len(rest)] for at in range(size - len(slots))]
        draw.shuffle(slots)
        return slots

    def _partner(self, first: str, pages: Sequence[Passage], used: Counter[str], draw: random.Random) -> str | None:
        """A keyword that stands on the same pages: two that nobody has ever named together make no question."""
        text = " ".join(words(" ".join(page.text for page in pages)))
        near = [k for k in self._keywords if k != first and f" {' '.join(words(k))} " in f" {text} "]
        if pages:
            return min(near, key=lambda keyword: (used[keyword], keyword)) if near else None
        return draw.choice([keyword for keyword in self._keywords if keyword != first])

    async def _question(self, slot: _Slot, seed: int) -> _Call:
        """The slot's question; when none can be asked, another keyword's at the same level."""
        call = await self._asked_for(slot, seed)
        spent = call.usage
        for attempt in range(1, TRIES):
            if call.failure or call.candidates[0].text:
                break
            # Its own counters: tries of a wave run side by side, and must not depend on their order.
            draw = random.Random(f"{self._salt}:{seed}:{attempt}")
            slot = await self._slot(slot.level, self._used, Counter(), draw)
            call = await self._asked_for(slot, seed)
            spent = add_usage(spent, call.usage)
        return call._replace(usage=spent)

    async def _asked_for(self, slot: _Slot, seed: int) -> _Call:
        """The model's question for the slot; without text when it says that none can be asked."""
        task, context = self._task, self._context
        places = [passage_id(page) for page in slot.pages]
        form = " ".join(filter(None, [form_suffix(task["answer_form"]), ", ".join(task["options"])]))
        known = self._asked.of([*places, *slot.keywords])
        reply = await write_question(
            described(task),
            slot.keywords,
            slot.level,
            form,
            known,
            slot.pages,
            context,
            context.limits(),
            seed,
        )
        if isinstance(reply, Failure):
            return _Call([], f"{reply.kind}: {reply.detail}", reply.usage)
        text = reply.value.question.strip()
        candidate = Candidate(
            text=text if "\n" in text and task["options"] else " ".join(text.split()),
            operation="keyword-pair" if len(slot.keywords) > 1 else "keyword",
            parents=[],
            family=slot.pages[0].uri if slot.pages else slot.keywords[0],
            kind=question_kind(text),
            subtopic="",
            keywords=slot.keywords,
            bloom=slot.level,
            passages=places,
        )
        return _Call([candidate], "", reply.usage)


class _Slot(NamedTuple):
    level: str
    keywords: list[str]
    pages: list[Passage]


class _Merged:
    """Keywords in order, near-equal ones once."""

    def __init__(self, embedding: str) -> None:
        self.names: list[str] = []
        self.origins: list[str] = []
        self._embedder = embeddings(embedding)
        self._stems: set[str] = set()
        self._vectors: list[object] = []

    def add(self, keywords: Sequence[str], origin: str) -> None:
        """Take in what is new."""
        import numpy as np

        from searchinstruct_graph.text.words import stems

        for keyword in keywords:
            stem = " ".join(sorted(stems(keyword)))
            if stem in self._stems:
                continue
            vector = self._embedder.embed([keyword])[0]
            if self._vectors and float(np.max(np.stack(self._vectors) @ vector)) >= NEAR_KEYWORDS:  # type: ignore[arg-type]
                continue
            self._stems.add(stem)
            self._vectors.append(vector)
            self.names.append(keyword)
            self.origins.append(origin)
