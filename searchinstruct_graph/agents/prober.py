"""The prober words the question of a fact in many ways, and asks what must follow from it and what must not have changed.

The kinds of probe are those of knowledge editing: efficacy and generality (Meng et al. 2022, arXiv 2202.05262), portability
(Yao et al. 2023, arXiv 2305.13172), locality (both). Questions come from a model; whether they may be asked is decided in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import Field
from typing_extensions import TypedDict

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.critic import REANSWER, Reanswer
from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.editor import WordingForm, told
from searchinstruct_graph.agents.evidence import Quote, orders, quote_key
from searchinstruct_graph.agents.extractor import extract, faults, located
from searchinstruct_graph.agents.reader import QUOTE_CHARS
from searchinstruct_graph.agents.writer import add_quotes
from searchinstruct_graph.datasets.facts import Fact, Unchanged
from searchinstruct_graph.models.limits import Allowance, remaining
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.text.compare import content, coverage, support
from searchinstruct_graph.text.editing import holds
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.standalone import CARRIED, pointer, unnamed
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, words

Use = Literal["train", "efficacy", "generality"]


MOST_PAIRS_PER_PAGE = 4
"""Neighbouring facts asked of one passage, so that several passages have a share in the probes."""

SHOWN = 40
"""Most quotes shown to the prober at once."""


class WordedQuestion(Schema):
    """The question of a fact in one wording."""

    text: str = Field(min_length=1, max_length=2_000, description="It names the subject and never the new object.")
    form: Literal["direct", "statement"] = Field(description="A question, or a request such as: Name the ...")


class Wordings(Schema):
    """The question of a fact in many wordings."""

    questions: list[WordedQuestion] = Field(max_length=100)
    held_out: str = Field(max_length=2_000, description="One more direct question; empty when there is none.")
    paraphrases: list[str] = Field(max_length=50, description="The same asked in quite different words.")


WORDINGS = Prompt(
    "wordings",
    1,
    f"""A fact has changed: of <subject>, the <relation> is now <new>. Write the question that asks for it in as many
wordings as <wanted> gives, each natural, correct and different from the others, as different people would ask it:
questions, and requests such as "Name the ..." or "Tell me ...". Each names the subject, so that it stands alone, and
asks for the current state of the fact and for nothing else. Every wording must be answered by one and the same full
sentence, so ask nothing that is answered with yes or no. Never give the answer away: name neither <new> nor <old>.
Where <question> is given, word that question; keep the time it asks about. Where <as_of> is given, some wordings may
ask for the state at that time. Then write one more direct question, and as many paraphrases as <wanted> gives: the
same asked in quite different words, with other verbs and nouns, sharing no phrase with the wordings. Write in the
language of the relation and the question. Write fewer rather than odd ones.
{DATA_RULE}""",
)


class DraftedProbe(Schema):
    """A question one step away from the fact."""

    kind: Literal["reverse", "confirm", "before", "hop"]
    question: str = Field(min_length=1, max_length=2_000)
    answer: str = Field(min_length=1, max_length=2_000)
    stale: str = Field(
        max_length=2_000, description="What somebody would answer who knows only the old state; else empty."
    )
    aliases: list[str] = Field(max_length=10, description="Shorter or other forms of the answer that are as good.")
    quotes: list[int] = Field(max_length=10, description="Numbers of the quotes that carry the answer.")


class PortabilityProbes(Schema):
    """Questions whose answers follow from the fact."""

    probes: list[DraftedProbe] = Field(max_length=20)


PORTABILITY = Prompt(
    "portability",
    1,
    f"""A fact has changed: of <subject>, the <relation> was <old> and is now <new>. Write questions that are one step
away from it: somebody who knows the new state answers them rightly, somebody who only learned to repeat one sentence
does not. Use these kinds: reverse: from the new object back to the subject, where only this subject fits; confirm: a
question to be answered with yes or no, such as whether it is still <old>, the answer beginning with Yes or No;
before: who or what was so before <new>, where the quotes say it; hop: something that the quotes say about <new>
itself, asked about it without its name, as what the fact makes it ("In which town was the owner of ... born?"). Write
at most two of a kind, and none rather than a doubtful one. Each stands alone and names what it asks about. Take
answers from the numbered quotes alone, in their words, and give the numbers of the quotes that carry them. Give as
stale what somebody would answer who knows only the old state, or leave it empty when the quotes do not tell.
{DATA_RULE}""",
)


class Wording(TypedDict):
    """The question of a fact in one wording."""

    question: str
    form: WordingForm
    use: Use
    """`train`, or held out: a direct wording for `efficacy`, a paraphrase for `generality`."""


class DraftProbe(TypedDict):
    """A probe of portability or locality before it has its place in a data set."""

    kind: Literal["portability", "locality"]
    question: str
    answer: str
    stale: str
    """What an uncorrected model says; empty when that is not known, and of locality."""
    aliases: list[str]
    quotes: list[Quote]
    """Verbatim quotes that carry the answer; never empty."""


class Probing(NamedTuple):
    """What probing gave: drafts that stood the checks, the cost, the failure of a call, and why others were refused."""

    probes: list[DraftProbe]
    usage: Usage
    failure: str | None
    refused: list[str]


async def word_questions(
    fact: Fact, count: int, context: EditContext, allowance: Allowance
) -> tuple[list[Wording], Usage, str | None]:
    """At most `count` wordings to train on, one to probe `efficacy`, and at most `context.paraphrases` to probe `generality`.

    Returns (wordings, usage, failure). All take the same full sentence for an answer. A wording that gives the new or old object
    away, does not stand alone, or repeats another is left out; the fact's own question comes first among those to train on,
    unless it gives the new object away. When the model gives nothing that can be used, the fact's own question is all there is.
    """
    inputs = told(fact)
    if fact["question"]:
        inputs.add("question", fact["question"])
    inputs.add("wanted", "wordings", questions=count, paraphrases=context.paraphrases)
    outcome = await ask_model(context, "prober", WORDINGS, inputs, Wordings, allowance=allowance)
    failed = f"prober: {outcome.kind}: {outcome.detail}" if isinstance(outcome, Failure) else None
    made = Wordings(questions=[], held_out="", paraphrases=[]) if isinstance(outcome, Failure) else outcome.value
    known: set[str] = set()
    # A question that names the new object asks for something else than the fact; it is used when there is nothing else.
    usable = fact["question"] and (not gives_away(fact, fact["question"]) or not made.questions)
    own = WordedQuestion(text=fact["question"], form="direct") if usable else None
    train = [
        Wording(question=_spaced(each.text), form=each.form, use="train")
        for each in [*([own] if own else []), *made.questions]
        if (each is own or not wording_fault(fact, each.text)) and _new(each.text, known)
    ][:count]
    held = [
        Wording(question=_spaced(text), form="direct", use="efficacy") for text in _usable([made.held_out], fact, known)
    ]
    others = [
        Wording(
            question=_spaced(text), form="direct" if text.endswith(QUESTION_MARKS) else "statement", use="generality"
        )
        for text in _usable(made.paraphrases, fact, known)
    ][: context.paraphrases]
    return [*train, *held, *others], outcome.usage, failed


QUESTION_MARKS = ("?", "？", "؟")


def _usable(texts: Sequence[str], fact: Fact, known: set[str]) -> Iterator[str]:
    for text in texts:
        if text.strip() and not wording_fault(fact, text) and _new(text, known):
            yield text


def _new(text: str, known: set[str]) -> bool:
    """Whether no wording had these words yet; they are remembered."""
    key = " ".join(words(text))
    if key in known:
        return False
    known.add(key)
    return True


def _spaced(text: str) -> str:
    return " ".join(text.split())


def gives_away(fact: Fact, question: str) -> bool:
    """Whether a question names the new object, and not the old one beside it, as "Is it A or B?" does."""
    return holds(question, fact["new"], fact["old"]) and not (fact["old"] and holds(question, fact["old"], fact["new"]))


def wording_fault(fact: Fact, question: str) -> str:
    """Why a wording cannot be used, in words; empty when it can. The question that the fact itself brings is not judged."""
    if orders(question):
        return "it gives orders to a model"
    if pointer(question):
        return f"it points at a text that nobody sees: {pointer(question)!r}"
    if not holds(question, fact["subject"]) and not set(content(fact["subject"])) & set(content(question)):
        return "it does not name the subject"
    given = f"{fact['subject']} {fact['relation']} {fact['question']}"
    for side in ("new", "old"):
        value = fact[side]
        if value and holds(question, value) and not holds(given, value):
            return f"it gives the {side} object away"
    return ""


async def probe(
    fact: Fact, quotes: Sequence[Quote], context: EditContext, allowance: Allowance, pages: Sequence[Quote] = ()
) -> Probing:
    """Probes of portability and locality for a fact that `quotes` carry.

    `pages` are longer passages of the same pages (or of others), as quotes with their offsets: sentences about either object and
    neighbouring facts are looked for in them. Locality comes from the fact's own `unchanged` questions, answered by the quotes
    and passages, and from at most `context.neighbours` pairs that the extractor finds in the passages (in the quotes, when there
    are none) and that name neither object.
    """
    shown = with_sentences(fact, quotes, pages)
    used, failures, refused = no_usage(), list[str](), list[str]()
    found: list[DraftProbe] = []

    inputs = told(fact)
    if fact["question"]:
        inputs.add("question", fact["question"])
    add_quotes(inputs, shown)
    outcome = await ask_model(context, "prober", PORTABILITY, inputs, PortabilityProbes, allowance=allowance)
    used = add_usage(used, outcome.usage)
    if isinstance(outcome, Failure):
        failures.append(f"prober: {outcome.kind}: {outcome.detail}")
    else:
        for drafted in outcome.value.probes:
            draft = DraftProbe(
                kind="portability",
                question=_spaced(drafted.question),
                answer=_spaced(drafted.answer),
                stale=_spaced(drafted.stale),
                aliases=[_spaced(alias) for alias in drafted.aliases if alias.strip()],
                quotes=[shown[number - 1] for number in dict.fromkeys(drafted.quotes) if 1 <= number <= len(shown)],
            )
            _keep(found, refused, draft, portability_fault(fact, drafted.kind, draft))

    for entry in fact["unchanged"]:
        kept, usage, failed = await _stays(entry, quotes, pages, context, remaining(allowance, used))
        used = add_usage(used, usage)
        failures += [failed] if failed else []
        if kept is None:
            refused.append(f"locality: {entry['question'][:200]!r}: no quote carries its answer")
        else:
            _keep(found, refused, kept, locality_fault(fact, kept, entry))

    wanted = context.neighbours
    for passage in pages or quotes:
        if wanted <= 0:
            break
        neighbours, usage, failed = await _neighbours(
            fact, passage, min(wanted, MOST_PAIRS_PER_PAGE), context, remaining(allowance, used)
        )
        used = add_usage(used, usage)
        failures += [failed] if failed else []
        before = len(found)
        for draft in neighbours:
            if wanted > len(found) - before:
                _keep(found, refused, draft, locality_fault(fact, draft))
        wanted -= len(found) - before
    return Probing(found, used, failures[0] if failures else None, refused)


def _keep(found: list[DraftProbe], refused: list[str], draft: DraftProbe, fault: str) -> None:
    if any(words(draft["question"]) == words(other["question"]) for other in found):
        return
    if fault:
        refused.append(f"{draft['kind']}: {draft['question'][:200]!r}: {fault}")
    else:
        found.append(draft)


def with_sentences(fact: Fact, quotes: Sequence[Quote], pages: Sequence[Quote]) -> list[Quote]:
    """What the prober sees, numbered from 1: the quotes, then the sentences of the passages that name one of the objects."""
    shown = {quote_key(quote): quote for quote in quotes[:SHOWN]}
    covered = [(quote["uri"], quote["start"], quote["end"]) for quote in shown.values()]
    for page in pages:
        for span in sentences(page["text"]):
            text = page["text"][span.start : span.end]
            start, end = page["start"] + span.start, page["start"] + span.end
            if len(shown) >= SHOWN or len(text) > QUOTE_CHARS or orders(text):
                continue
            if any(uri == page["uri"] and a <= start and end <= b for uri, a, b in covered):
                continue
            if holds(text, fact["new"], fact["old"]) or (fact["old"] and holds(text, fact["old"], fact["new"])):
                slice_ = Quote(**{**page, "text": text, "start": start, "end": end})
                shown.setdefault(quote_key(slice_), slice_)
    return list(shown.values())


def portability_fault(fact: Fact, kind: str, draft: DraftProbe) -> str:
    """Why a drafted probe of portability cannot be used, in words; empty when it can.

    Its question must stand alone; its answer must not be the stale one, and stand in its quotes: the fact itself for `confirm`
    and `reverse` (a quote names the new object), the old object for `before`, and the whole answer for `hop`.
    """
    evidence = [quote["text"] for quote in draft["quotes"]]
    if fault := _unclear(draft["question"]):
        return fault
    if not evidence:
        return "it cites no quote"
    if words(draft["answer"]) == words(draft["stale"]):
        return "its answer is the stale one"
    of_new = any(holds(text, fact["new"], fact["old"]) for text in evidence)
    if kind == "before":
        carried = (
            bool(fact["old"])
            and holds(draft["answer"], fact["old"])
            and any(holds(text, fact["old"], fact["new"]) for text in evidence)
        )
        return "" if carried else "its quotes do not name what was before"
    if not of_new:
        return "its quotes do not name the new object"
    if kind == "confirm":
        return "" if _YES_NO.match(normal_form(draft["answer"])) else "its answer is neither yes nor no"
    if kind == "reverse":
        return "" if holds(draft["answer"], fact["subject"]) else "its answer is not the subject"
    if holds(draft["question"], fact["new"], fact["old"], surnames=True):
        return "it names the new object, so nothing has to follow from the fact"
    return "" if _carried(draft["answer"], evidence) else "its quotes do not carry its answer"


_YES_NO = re.compile(r"(?:yes|no|ja|nein|oui|non|si|sí|no|بله|خیر|نعم|لا|是|不是|否|不)(?!\w)|[是不否]")


def locality_fault(fact: Fact, draft: DraftProbe, given: Unchanged | None = None) -> str:
    """Why a drafted probe of locality cannot be used, in words; empty when it can.

    Question and answer may name neither object, and the answer must stand in the quotes. What the person has `given` as
    unchanged may name them (an earlier period is another fact) and only has to be carried; but an answer that was found for it
    may not name the new object, which it was given to be apart from.
    """
    evidence = [quote["text"] for quote in draft["quotes"]]
    both = f"{draft['question']} {draft['answer']}"
    if given:
        if not given["answer"] and holds(draft["answer"], fact["new"], fact["old"], surnames=True):
            return "the answer that was found names the new object"
    elif fault := _unclear(draft["question"]):
        return fault
    elif holds(both, fact["new"], surnames=True):
        return "it names the new object"
    elif holds(both, fact["old"], surnames=True):
        return "it names the old object"
    elif _asks_the_fact(fact, draft["question"]):
        return "it asks for the fact itself"
    elif not _names_something(fact, draft):
        return "it does not say what it is about"
    return "" if _carried(draft["answer"], evidence) else "its quotes do not carry its answer"


def _asks_the_fact(fact: Fact, question: str) -> bool:
    """Whether a question holds all that the fact's question asks: subject and relation."""
    wanted = set(content(f"{fact['subject']} {fact['relation']}"))
    return wanted <= set(content(question))


_PLACE = re.compile(r"\b(?:in|see) (?:the )?(?:sections?|chapters?|appendix)\b", re.IGNORECASE)


def _names_something(fact: Fact, draft: DraftProbe) -> bool:
    """Whether a question names something that it alone is about: the subject, what its page is about, or a name of two words and
    more. "When is a TypeError raised?" has many answers.
    """
    question = draft["question"]
    if len({word for word in words(question) if not is_stopword(word)}) < 2 or _PLACE.search(question):
        return False
    topics = [fact["subject"], *(_NUMBERS.sub("", quote["title"]) for quote in draft["quotes"])]
    if any(coverage(topic, [question]) >= NAMED for topic in topics):
        return True
    return any(" " in name for name in names(question.partition(" ")[2]))


NAMED = 0.5
"""Share of a topic's content words that a question must hold to name it."""

_NUMBERS = re.compile(r"\d[\d.]*")


def _unclear(question: str) -> str:
    if orders(question):
        return "it gives orders to a model"
    if found := pointer(question) or unnamed(question):
        return f"it does not stand alone: {found!r}"
    return ""


def _carried(answer: str, evidence: Sequence[str]) -> bool:
    """Whether an answer stands in its quotes: named there when it is short, else sentence by sentence."""
    if not evidence:
        return False
    if any(holds(text, answer) for text in evidence):
        return True
    spans = sentences(answer)
    return bool(spans) and all(support(answer[span.start : span.end], evidence) >= CARRIED for span in spans)


async def _stays(
    entry: Unchanged, quotes: Sequence[Quote], pages: Sequence[Quote], context: EditContext, allowance: Allowance
) -> tuple[DraftProbe | None, Usage, str | None]:
    """A probe out of an unchanged question: its own answer where a quote names it, else what the quotes answer."""
    passages = _nearest(entry["question"], [*quotes, *pages])
    if entry["answer"]:
        carrying = [quote for quote in passages if holds(quote["text"], entry["answer"])][:QUOTES_OF_PROBE]
        return (_locality(entry["question"], entry["answer"], carrying) if carrying else None), no_usage(), None
    if not passages:
        return None, no_usage(), None
    inputs = add_quotes(Inputs().add("question", entry["question"]), passages)
    outcome = await ask_model(context, "prober", REANSWER, inputs, Reanswer, allowance=allowance)
    if isinstance(outcome, Failure):
        return None, outcome.usage, f"prober: {outcome.kind}: {outcome.detail}"
    reply = outcome.value
    cited = [passages[number - 1] for number in dict.fromkeys(reply.quotes) if 1 <= number <= len(passages)]
    if not reply.answerable or not reply.answer.strip() or not cited:
        return None, outcome.usage, None
    return _locality(entry["question"], _spaced(reply.answer), cited[:QUOTES_OF_PROBE]), outcome.usage, None


QUOTES_OF_PROBE = 3
"""Quotes that may carry the answer of one probe."""


def _locality(question: str, answer: str, quotes: Sequence[Quote]) -> DraftProbe:
    return DraftProbe(
        kind="locality", question=_spaced(question), answer=answer, stale="", aliases=[], quotes=list(quotes)
    )


def _nearest(question: str, texts: Sequence[Quote]) -> list[Quote]:
    """The sentences of the texts, as quotes, that hold most of the question's words, best first; at most `SHOWN`."""
    found: dict[str, tuple[float, Quote]] = {}
    for text in texts:
        last = 0
        for span in sentences(text["text"]):
            # "It was founded in 1901" needs the sentence before it.
            first = last if unnamed(text["text"][span.start : span.end]) else span.start
            last = span.start
            piece = text["text"][first : span.end]
            if len(piece) > QUOTE_CHARS or orders(piece):
                continue
            start, end = text["start"] + first, text["start"] + span.end
            quote = Quote(**{**text, "text": piece, "start": start, "end": end})
            found.setdefault(quote_key(quote), (coverage(question, [f"{text['title']} {piece}"]), quote))
    ranked = sorted(found.values(), key=lambda entry: -entry[0])
    return [quote for share, quote in ranked if share > 0][:SHOWN]


async def _neighbours(
    fact: Fact, passage: Quote, count: int, context: EditContext, allowance: Allowance
) -> tuple[list[DraftProbe], Usage, str | None]:
    """Pairs of question and answer that the extractor finds in a passage, as probes of locality with their quotes."""
    outcome = await extract(
        passage["text"],
        passage["title"],
        domain="",
        form="",
        # More than wanted: those about the fact itself fall away.
        count=count + 2,
        context=context,
        allowance=allowance,
        seed=0,
    )
    if isinstance(outcome, Failure):
        return [], outcome.usage, f"extractor: {outcome.kind}: {outcome.detail}"
    made: list[DraftProbe] = []
    for pair in outcome.value.pairs:
        place = located(pair, passage["text"])
        quotes = [
            Quote(
                **{
                    **passage,
                    "text": q["text"],
                    "start": passage["start"] + q["start"],
                    "end": passage["start"] + q["end"],
                }
            )
            for q in place.quotes
        ]
        if quotes and not faults(pair.question, pair.answer, [quote["text"] for quote in quotes]):
            made.append(_locality(pair.question, pair.answer, quotes))
    return made, outcome.usage, None
