"""The editor corrects an outdated answer by changing as little of it as it can; code measures the change and checks it.

Follows the answer updating of SearchInstruct (arXiv 2509.10708, model editing): the stale answer is the rejected half of a
preference pair, its minimal edit the chosen one. The wording of its prompt is not published; this is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.evidence import Quote, orders
from searchinstruct_graph.agents.respondent import RESPOND, RESPONSE_CHARS, Response
from searchinstruct_graph.agents.writer import add_quotes
from searchinstruct_graph.datasets.facts import Fact
from searchinstruct_graph.models import support
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.offline.editing.asked import LAST_RESORT, SLOT, Asked, put
from searchinstruct_graph.models.offline.editing.relations import is_known
from searchinstruct_graph.models.offline.editing.statements import statements
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage, no_usage
from searchinstruct_graph.text import compare, editing
from searchinstruct_graph.text.compare import ENOUGH, content
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import normal_form, stems, words

WordingForm = Literal["direct", "statement", "confirm"]
"""How a wording asks: a question, a request ("Name the ..."), or a question to be answered with yes or no."""


class RevisedAnswer(Schema):
    """The answer with its smallest correction."""

    text: str = Field(
        max_length=RESPONSE_CHARS, description="The whole revised answer; empty when it cannot be corrected."
    )
    quotes: list[int] = Field(max_length=10, description="Numbers of the quotes that carry what was changed.")


EDIT = Prompt(
    "edit",
    1,
    f"""You correct one outdated <answer> to a <question>. Of <subject>, the <relation> was <old>; it is now <new>, as
of <as_of> where that is given, and the numbered quotes say so. Revise the answer with the least change: keep its
wording, tone, order, structure and length; replace only the names, dates and numbers that have changed; overwrite the
smallest span that is contradicted; never paraphrase otherwise. Where the answer and the quotes disagree, prefer the
quotes; what they do not speak of stays as it is. Afterwards the answer says <new> and no longer gives <old> as
current. Mend what grammar asks for around a changed word: a or an, singular or plural, pronouns, possessives. A date
that belonged to the old state becomes the one that the quotes or <as_of> give, or is left out. Add nothing that the
quotes do not say. An answer that does not name <old> still has a sentence that answers the question: change that one.
Give the whole revised answer and nothing besides, and the numbers of the quotes that carry what you changed; an empty
text when the quotes do not carry the correction. If a <problem> is given, a reviewer found it in your last revision:
mend exactly that.
{DATA_RULE}""",
)


class Revision(TypedDict):
    """A stale answer after its correction."""

    text: str
    change: float
    """Share of tokens inserted or deleted, 0 to 1: see `text.editing.change`."""
    spans: list[list[int]]
    """What was inserted, as [start, end] in code points of `text`."""
    quotes: list[int]
    """Numbers (from 1) of the given quotes that carry what was changed; those that do not exist are left out."""
    problems: list[str]
    """What `revision_faults` finds, in its words; empty when nothing is wrong."""


def told(fact: Fact) -> Inputs:
    """A fact as the models see it."""
    inputs = Inputs().add("subject", fact["subject"]).add("relation", fact["relation"])
    if fact["old"]:
        inputs.add("old", fact["old"])
    inputs.add("new", fact["new"])
    return inputs.add("as_of", fact["as_of"]) if fact["as_of"] else inputs


async def revise(
    question: str,
    stale: str,
    fact: Fact,
    quotes: Sequence[Quote],
    context: EditContext,
    allowance: Allowance,
    fault: str = "",
) -> tuple[Revision | None, Usage, str | None]:
    """Correct `stale`, an outdated answer to `question`. Returns (revision, usage, failure).

    None with a failure when the call failed; None without one when the editor found nothing that it could correct. `fault` says
    what was wrong with the last try. The revision carries its own `problems`, for `context.max_change`.
    """
    inputs = told(fact).add("question", question).add("answer", stale)
    add_quotes(inputs, quotes)
    if fault:
        inputs.add("problem", fault)
    outcome = await ask_model(context, "editor", EDIT, inputs, RevisedAnswer, allowance=allowance)
    if isinstance(outcome, Failure):
        return None, outcome.usage, f"editor: {outcome.kind}: {outcome.detail}"
    text = outcome.value.text.strip()
    if not text:
        return None, outcome.usage, None
    cited = [number for number in dict.fromkeys(outcome.value.quotes) if 1 <= number <= len(quotes)]
    return revision_of(fact, stale, text, quotes, cited, context.max_change), outcome.usage, None


def revision_of(
    fact: Fact, stale: str, text: str, quotes: Sequence[Quote], cited: Sequence[int], max_change: float
) -> Revision:
    """`text` as a revision of `stale`, measured and checked."""
    changed = editing.change(stale, text)
    revision = Revision(
        text=text,
        change=round(changed.share, 4),
        spans=[list(span) for span in changed.spans],
        quotes=list(cited),
        problems=[],
    )
    return {**revision, "problems": revision_faults(fact, stale, revision, quotes, max_change)}


def revision_faults(
    fact: Fact, stale: str, revision: Revision, quotes: Sequence[Quote], max_change: float
) -> list[str]:
    """What code can see to be wrong with a revision, each as `code: words`; empty when nothing is.

    `unchanged`; `change_too_large`; `new_object_missing`; `old_object_kept`: a sentence still gives the old object as current;
    `unsupported`: no quote names the new object, or a changed word stands neither in the quotes nor in the fact, the question
    or the stale answer; `gives_orders`.
    """
    text, found = revision["text"], []
    if revision["change"] == 0 or not (revision["spans"] or len(text) < len(stale)):
        found.append("unchanged: the revision says what the stale answer says")
    if revision["change"] > max_change:
        found.append(
            f"change_too_large: {revision['change']:.0%} of the tokens were inserted or deleted, at most {max_change:.0%} may be"
        )
    if not editing.holds(text, fact["new"], fact["old"]):
        found.append(f"new_object_missing: the revision does not say {fact['new'][:120]!r}")
    if kept := kept_as_current(fact, text):
        found.append(f"old_object_kept: the revision still says {kept[:200]!r}")
    if foreign := _uncarried(fact, stale, revision, quotes):
        found.append(f"unsupported: {foreign}")
    if orders(text):
        found.append("gives_orders: the revision gives orders to a model")
    return found


def kept_as_current(fact: Fact, text: str) -> str:
    """The first sentence of `text` that gives the old object as what is so now; empty when none does.

    A sentence that names it is about the past where a word says so ("formerly", "until", "no longer", "succeeded"), and about
    something else where it shares no word with the relation or the question.
    """
    if not fact["old"]:
        return ""
    asked = set(content(f"{fact['relation']} {fact['question']}")) - set(stems(fact["subject"]))
    for span in editing.whole_sentences(text):
        sentence = text[span.start : span.end]
        if not editing.mentions(sentence, fact["old"], fact["new"]) or editing.is_past(sentence):
            continue
        if not asked or asked & set(stems(sentence)) or editing.holds(sentence, fact["subject"]):
            return " ".join(sentence.split())
    return ""


def already_known(fact: Fact, answer: str) -> bool:
    """Whether an answer says the new object, be it by the surname, and does not give the old one as current."""
    return editing.holds(answer, fact["new"], fact["old"], surnames=True) and not kept_as_current(fact, answer)


_TIMELY = frozenset(stems("now today currently current present formerly former previously no longer since until"))


def _uncarried(fact: Fact, stale: str, revision: Revision, quotes: Sequence[Quote]) -> str:
    if not any(editing.holds(quote["text"], fact["new"], fact["old"]) for quote in quotes):
        return f"no quote names {fact['new'][:120]!r}"
    carried = " ".join(
        [*(quote["text"] for quote in quotes), *(fact[name] for name in _TOLD), stale]  # type: ignore[literal-required]
    )
    known = {*stems(carried), *_TIMELY}
    for start, end in revision["spans"]:
        for word in content(revision["text"][start:end]):
            if word not in known and not any(
                normal_form(word) in other for other in known if len(other) > len(word) > 4
            ):
                return f"{revision['text'][start:end][:120]!r} was changed, and no quote says it"
    return ""


_TOLD = ("subject", "relation", "new", "as_of", "question")


def carried(statement: str, evidence: Sequence[support.Piece]) -> float:
    """How far quotes, under the titles and headings above them, carry a statement, as far as counting tells, 0 to 1."""
    return support.assess(statement, evidence).score


SPEAKS = 0.5
"""Share of the words of a relation that a quote must hold to speak of it; all of them where it is known how pages put it."""

LONG = 12
"""Words from which it can be told in which language a quote is."""


def speaks_of(fact: Fact, form: str, piece: support.Piece) -> bool:
    """Whether a quote holds the words with which `form` (a template of `ways_to_state`) relates subject and object. That two
    names stand side by side says nothing about what the one is to the other.

    What stands above a quote counts for nouns: a list of "Mayors" holds mayors. A quote in another script or language than the
    statement's cannot be held to its words.
    """
    bare = form.replace(SLOT, " ")
    foreign = len(words(piece.text)) >= LONG and language_of(bare) != language_of(piece.text)
    if form == LAST_RESORT or foreign or compare.script(bare) != compare.script(piece.text):
        return True
    wanted = set(content(bare)) - set(stems(fact["subject"]))
    held = wanted & set(stems(f"{piece.text} {piece.above}" if " of " in form else piece.text))
    return held == wanted or (len(held) >= SPEAKS * len(wanted) and not is_known(asked_of(fact)))


def standing(fact: Fact, piece: support.Piece) -> float:
    """How well a quote states the fact, 0 to 1: the best of the `ways_to_state` it whose words the quote holds; 0 when it holds
    those of none.
    """
    told = [form for form in statements(asked_of(fact)) if speaks_of(fact, form, piece)]
    return max((carried(put(form, fact["new"]), [piece]) for form in told), default=0.0)


def speaks(fact: Fact, piece: support.Piece) -> bool:
    """Whether a quote holds the words of any of the `ways_to_state` the fact."""
    return any(speaks_of(fact, form, piece) for form in statements(asked_of(fact)))


def ways_to_state(fact: Fact, evidence: Sequence[support.Piece] = ()) -> list[str]:
    """The sentences that can state the fact, each as a template for `put`: with evidence, the best first, those that its first
    piece carries with the new object that carries one at all, the plainest first; else the one that comes nearest.

    Pages speak of a relation in words of their own (a capital as a county seat), and whoever holds a statement against them
    should not have to guess.
    """
    forms = list(statements(asked_of(fact)))
    if not evidence or len(forms) == 1:
        return forms
    nearest = 0.0, forms[0]
    for piece in evidence:
        told = [(carried(put(form, fact["new"]), [piece]), form) for form in forms if speaks_of(fact, form, piece)]
        if good := [form for score, form in told if score >= ENOUGH]:
            return good
        nearest = max([nearest, *told], key=lambda entry: entry[0])
    return [nearest[1]]


def stated(fact: Fact, value: str, evidence: Sequence[support.Piece] = (), tone: int = 0) -> str:
    """A full sentence that says that the object is `value`, in one of the `ways_to_state` the fact."""
    forms = ways_to_state(fact, evidence)
    return put(forms[tone % len(forms)], value)


def stale_statement(
    fact: Fact, form: WordingForm = "direct", tone: int = 0, evidence: Sequence[support.Piece] = ()
) -> str:
    """A full sentence that says what was so, in one of the `ways_to_state` it, for the rejected half; empty when the old object
    is not known. `confirm` answers "is it still so?" with yes.

    Its revision is the same sentence with the new object, so that only the fact tells chosen and rejected apart.
    """
    if not fact["old"]:
        return ""
    said = stated(fact, fact["old"], evidence, tone)
    return _confirmed(said) if form == "confirm" else said


def _confirmed(statement: str) -> str:
    return f"Yes, {statement[0].lower() if statement.startswith('The ') else statement[0]}{statement[1:]}"


def asked_of(fact: Fact) -> Asked:
    """What the offline model's grammar needs of a fact."""
    return Asked(fact["subject"], fact["relation"], fact["new"], fact["old"], fact["as_of"], fact["question"])


async def stale_answer(
    fact: Fact, question: str, context: EditContext, allowance: Allowance
) -> tuple[str, Usage, str | None]:
    """What the model that is to be corrected (`context.stale_model`) answers from memory. Returns (answer, usage, failure).

    Empty without a failure when no such model is set, or when it says that it does not know.
    """
    if not context.stale_model:
        return "", no_usage(), None
    inputs = Inputs().add("question", question)
    outcome = await ask_model(context, "stale", RESPOND, inputs, Response, allowance=allowance)
    if isinstance(outcome, Failure):
        return "", outcome.usage, f"stale: {outcome.kind}: {outcome.detail}"
    return outcome.value.response.strip(), outcome.usage, None
