"""Pairs of single sentences: a statement of fact, or the finding that answers a study's own question. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from searchinstruct_graph.models.offline.pairs.aims import aims
from searchinstruct_graph.models.offline.pairs.findings import findings
from searchinstruct_graph.models.offline.pairs.page import (
    ENDS,
    POOR,
    SHORTEST_ANSWER,
    UNNAMED_OPENING,
    WE,
    Draft,
    Page,
    Sentence,
    plural_topic,
)
from searchinstruct_graph.models.offline.pairs.phrases import OWN, Found, plain, telling
from searchinstruct_graph.text.standalone import pointer, unnamed
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import stems, words

# Statements of fact.


def statements(page: Page) -> Iterator[Draft]:
    """The questions that single sentences answer whole."""
    spoken, known = page.short_forms, page.known
    lower = not re.search(r"[.] [A-Z]", page.text)
    for held in page.paragraphs.values():
        for sentence in held:
            text = sentence.text
            if not SHORTEST_ANSWER <= len(text.split()) <= 60 or not ENDS.search(text) or text.endswith("?"):
                continue
            opening = text.lstrip("\"'“‘(")
            if (
                not opening
                or not opening[0].isalpha()
                or not (any(map(str.isupper, opening.split()[0])) or lower or sentence.first)
            ):
                continue
            if (
                POOR.search(text)
                or _CODE_LIKE.search(text)
                or any(text.count(a) != text.count(b) for a, b in ("()", "[]", "“”"))
            ):
                continue
            said = plain(text)
            answer = f"{said[0].upper()}{said[1:]}"
            subject = _named(said, sentence, page)
            if not subject or pointer(answer) or WE.search(answer):
                continue
            for found in findings(subject, known):
                if subject != said and _PRONOUN.match(said) and _WHAT_IS_TOPIC.match(found.question):
                    continue
                question = _spoken(_with_topic(found.question, page), spoken)
                yield Draft(question, answer, sentence.span, found.level, found.quality)


# A study's own question, with the finding that answers it.

_RESULT = re.compile(
    r"\b(?:significant\w*|higher|lower|greater|fewer|increase[sd]?|decrease[sd]?|associated|correlat\w+"
    r"|differen\w+|differ(?:s|ed)?|improv\w+|reduc\w+|more|less|similar"
    r"|effective|predict\w*|found|showed|revealed|likely|comparable|superior|\d+(?:\.\d+)? ?%)|\bp ?[<=>]",
    re.IGNORECASE,
)

_METHOD = re.compile(
    r"\b(?:(?:was|were) (?:\w+ly )?(?:randomi[sz]ed|assessed|evaluated|measured|recorded|collected|performed"
    r"|recruited|enrolled|analy[sz]ed|used|examined|studied|compared|calculated|obtained|reviewed|included"
    r"|determined|investigated"
    r"|conducted|identified using|defined)|we (?:\w+ly )?(?:assessed|evaluated|measured|collected|performed"
    r"|recruited|enrolled|analy[sz]ed|used|examined|studied|compared|calculated|reviewed|included|investigated"
    r"|conducted|tested|sought|aimed|hypothesi[sz]ed)"
    r"|(?:aims?|purpose|objectives?|goal) (?:of|was|were)|in order to|to (?:determine|assess|evaluate|examine"
    r"|investigate|test|explore|compare))\b",
    re.IGNORECASE,
)

ANSWERED = 0.6
"""Share of the telling words of a study's question that its answer must hold."""


def study_questions(page: Page) -> Iterator[Draft]:
    """What a study set out to find, with the finding that holds most of it."""
    spoken, known = page.short_forms, page.known
    for at, sentence in enumerate(page.sentences):
        for found in [*aims(sentence.text, known), *_put_plainly(sentence.text)]:
            best = _best_finding(found.question, page.sentences[at + 1 :])
            if best is not None:
                said = plain(best.text)
                answer = f"{said[0].upper()}{said[1:]}"
                if not pointer(answer) and not WE.search(answer):
                    yield Draft(_spoken(found.question, spoken), answer, best.span, found.level, found.quality)


_PUT_PLAINLY = re.compile(
    r"(?:^|: )((?:is|are|was|were|do|does|did|can|could|what|how|which)\b[^:?]{20,220}\?)$", re.IGNORECASE
)


def _put_plainly(sentence: str) -> Iterator[Found]:
    """The question of a study that asks it: "we addressed the question: is ...?"."""
    found = _PUT_PLAINLY.search(sentence)
    question = found.group(1) if found else ""
    if question and not unnamed(question) and not OWN.search(question) and telling(question) >= 3:
        yield Found(f"{question[0].upper()}{question[1:]}", "analyze", 1.05)


def _best_finding(question: str, after: Sequence[Sentence]) -> Sentence | None:
    """The sentence that holds most of what a study's question asks about and reports a result; None when none holds enough."""
    wanted = {stem for word in words(question) if not is_stopword(word) and word not in _ASKING for stem in stems(word)}
    best, held_most = None, ANSWERED
    for sentence in after:
        if (
            not _RESULT.search(sentence.text)
            or _METHOD.search(sentence.text)
            or POOR.search(sentence.text)
            or not ENDS.search(sentence.text)
        ):
            continue
        if UNNAMED_OPENING.match(plain(sentence.text)) or len(sentence.text.split()) < SHORTEST_ANSWER:
            continue
        share = len(wanted & set(stems(sentence.text))) / max(1, len(wanted))
        # Of two that hold as much the later one is nearer to the conclusion.
        if share >= held_most:
            best, held_most = sentence, share
    return best


_ASKING = frozenset(
    "effect role prevalence incidence accuracy value relationship association correlation effective differ"
    " improve affect influence".split()
)

_CODE_LIKE = re.compile(r"::=|>>>|={2,}|[{}\\|]|\w\(\)\.|^\W*[A-Z ]+:\s")

_PRONOUN = re.compile(
    r"^(?:it|he|she|the (?:film|movie|song|album|book|novel|series|show|disease|disorder|syndrome|condition"
    r"|game|band|company|program|tournament|single"
    r"|episode|season|stadium|festival|museum|city|town|play|poem|drug|medicine))(?= (?:is|was|has|had|were|are"
    r"|\w+ed|\w+s|won|began|took)\b)",
    re.IGNORECASE,
)

TOPIC = "TopicX"
"""Stands for the topic while a question is built: a title may hold words that no subject of a question does."""

_WHAT_IS_TOPIC = re.compile(rf"(?:What|Who) \w+ {TOPIC}s?\?")


def _named(said: str, sentence: Sentence, page: Page) -> str:
    """The statement with the topic in place of its opening pronoun or title; empty when it opens with something unnamed."""
    stand_in = f"{TOPIC}s" if page.topic and plural_topic(page.topic) else TOPIC
    if _PRONOUN.match(said):
        return _PRONOUN.sub(stand_in, said, count=1) if sentence.about and page.topic else ""
    if page.topic and page.opening.match(said):
        return page.opening.sub(stand_in, said, count=1)
    return said


_THE_CONDITION = re.compile(
    r"\b(?:the|this) (?:condition|disease|disorder|syndrome|infection)\b(?! (?:of|in|that|which|is|was)\b)"
)


def _with_topic(question: str, page: Page) -> str:
    if page.title and page.topic:
        question = _THE_CONDITION.sub(TOPIC, question)
    return re.sub(f"{TOPIC}s?", lambda _: page.topic, question)


def _spoken(question: str, spoken: dict[str, str]) -> str:
    """The question with the long form of the first use of each short one that the document explains."""
    for short, long in spoken.items():
        if re.search(re.escape(long), question, re.IGNORECASE):
            continue
        question = re.sub(rf"(?<![\w-]){re.escape(short)}(?![\w-])", f"{long} ({short})", question, count=1)
    return question
