"""Does a question with its answer stand alone? Checks in code, for any script: what points at a text or at something unnamed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from searchinstruct_graph.text.compare import content, support
from searchinstruct_graph.text.orders import orders
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import normal_form, words

CARRIED = 0.7
"""Support that every sentence of an answer needs from its quotes, 0 to 1: that of a statement in a run."""

SHORTEST = 3
"""Words from which a question asks something (two adjacent characters, where a script has no spaces)."""

_TEXTS = (
    "texts?|passages?|articles?|study|studies|papers?|documents?|excerpts?|abstracts?|paragraphs?|sections?|chapters?"
    "|authors?|surveys?|reports?|snippets?|pages?|posts?|tables?|figures?|trials?|researchers?|investigators?"
)
_SAYS = (
    "says?|states?|stated|mentions?|mentioned|describes?|described|discuss\\w*|reports?|reported|suggests?|suggested"
    "|thinks?|believes?|argues?|claims?|shows?|showed|finds?|found|concludes?|concluded|recommends?|uses?|used|investigates?|investigated|examine[sd]?"
    "|evaluate[sd]?|proposes?|proposed|aim\\w*|participants?|population|findings|results|is|was|were|are|does"
    "|did|do|have"
    "|has|and"
)
_POINTING = re.compile(
    normal_form(
        # English: a text that is at hand, then places in it.
        r"\b(?:this|these|our|(?:the|this) (?:present|current|above|following|given|provided|same)) (?:[\w-]+"
        rf" ){{0,2}}?(?:{_TEXTS})\b"
        r"|\b(?:the|which) (?:text|passage|excerpt|abstract|article|study|studies|paper|authors?|document"
        r"|researchers|report)"
        rf"(?=(?:'s)?(?: (?:{_SAYS})\b|\s*[?,.;:]|\s*$))"
        r"|\b(?:mentioned|described|listed|discussed|shown|given|stated|presented|reported|provided) (?:above"
        r"|below|here|earlier)\b"
        r"|\b(?:above|below)[- ]mentioned\b|\baforementioned\b|\b(?:the|this) (?:former|latter)\b"
        r"|\b(?:table|figure|list|example|diagram|equation|code|section|chart|image) (?:above|below)\b"
        r"|\b(?:table|figure|fig\.|appendix) (?:\d+|[ivx]+)\b(?! of\b)|\bsee (?:also )?(?:the )?(?:section"
        r"|table|figure|chapter)\b"
        # Other languages: the commonest ways to point at a text.
        r"|\b(?:diese[rsmn]?|vorliegende[rsn]?|obige[rsmn]?) (?:text|artikel|studie|abschnitt|tabelle|dokument"
        r"|arbeit)\w*|\b(?:laut|im) text\b"
        r"|\b(?:ce|cet|cette|le présent|la présente) (?:texte|article|étude|document|passage|tableau)\b"
        r"|\b(?:selon|dans) le texte\b|\bci-dessus\b"
        r"|\b(?:este|esta|el presente|la presente) (?:texto|artículo|estudio|documento|pasaje|tabla)\b"
        r"|\b(?:según|en) el texto\b"
        r"|این (?:متن|مقاله|مطالعه|پژوهش|تحقیق|سند|جدول|بخش|نوشته|نوشتار|گزارش|صفحه)|(?:در|طبق|بر اساس) متن(?:"
        r" بالا| فوق)?(?!\w)|(?:متن|جدول|شکل) (?:بالا|فوق|زیر)"
        r"|(?:هذا|هذه) (?:النص|المقال|المقاله|الدراسه|البحث|الوثيقه|الجدول|القسم|الفقره|الصفحه)|(?:في|حسب)"
        r" النص(?!\w)|اعلاه(?!\w)"
        r"|本文|本研究|本论文|这篇|這篇|该研究|该文|这项研究|上文|上述|下文|此文|文中(?!\w*[国國])|这段话|作者(?:认为|指出|提到|说)"
    )
)
_UNNAMED = re.compile(
    r"\b(?:he|she|it|they|him|them|his|her|hers|its|their|theirs|himself|herself|itself|themselves|this|that"
    r"|these|those)\b"
)
# "Is it possible to", "how long does it take to", "what does it mean to": the pronoun stands for what follows.
_EMPTY_IT = re.compile(
    r"\b(?:is|was|does|did|can|would|should|will|it's) it (?:is |be |a |an )?(?:\w+ly )?(?:[\w-]+ )?(?:to|that"
    r"|for|if|when|take|takes|cost|mean|rain|snow|called)\b"
    r"|\bit (?:takes?|costs?|means?) \b|\bthat (?:is|are|was|were|can|has|have|do|does|the|a|an)\b"
)
_OPENS_UNNAMED = re.compile(normal_form(r"^(?:(?:او|وی|آن|آنها|ایشان|هو|هي|هم)(?!\w)|[他她它])"))
_UNANSWERED = re.compile(
    r"\b(?:not|never|nowhere) (?:\w+ )?(?:specified|mentioned|stated|given|provided|discussed|addressed|clear)"
    r" (?:in|by|from) (?:the|this) (?:text|passage|document|article|context|study|abstract|paper)\b"
    r"|\bthe (?:text|passage|document|article|context) (?:does not|doesn't) (?:say|mention|specify|state"
    r"|provide|give|answer)\b"
    r"|\b(?:i (?:do not|don't|cannot|can't) (?:know|answer|tell)|no answer|n/a|not available)\b",
)
_YES_OR_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had)\b"
)


def pointer(text: str) -> str:
    """The words with which `text` points at a text at hand ("this study", "the table above"); empty when it does not."""
    found = _POINTING.search(" ".join(normal_form(text).split()))
    return found.group().strip() if found else ""


def unnamed(question: str) -> str:
    """A pronoun of the question that stands for nothing named before it in the question; empty when there is none."""
    spaced = " ".join(normal_form(question).split())
    if opening := _OPENS_UNNAMED.match(spaced):
        return opening.group()
    empty = [found.span() for found in _EMPTY_IT.finditer(spaced)]
    for found in _UNNAMED.finditer(spaced):
        if any(start <= found.start() < end for start, end in empty):
            continue
        before = [word for word in words(spaced[: found.start()]) if not is_stopword(word)]
        # "Who" and "people" are as good a name as a noun; two words before it name something.
        if len(before) < (2 if found.group().startswith(("th", "it")) else 1):
            return found.group()
    return ""


def faults(question: str, answer: str, quotes: Sequence[str]) -> str:
    """Why a pair cannot stand alone or is not carried by its `quotes`, in one line; empty when nothing is wrong.

    The question must ask something and name what it asks about; question and answer must not point at a text, a table or a
    place in it; the answer must be complete, say more than the question, and each of its sentences needs a support of at least
    `CARRIED` from the quotes (`text.compare.support`). Neither may give orders to a model.
    """
    asked, told = " ".join(question.split()), " ".join(answer.split())
    return _question_fault(asked) or _answer_fault(told) or _together(asked, told, answer, quotes)


def _question_fault(asked: str) -> str:
    if len(words(asked)) < SHORTEST:
        return "the question is too short to stand alone"
    if orders(asked):
        return "the question gives orders to a model"
    if found := pointer(asked):
        return f"the question points at a text that nobody sees: {found!r}"
    if found := unnamed(asked):
        return f"the question does not name what it asks about: {found!r}"
    if not any(not is_stopword(word) for word in words(asked)):
        return "the question names nothing"
    return ""


def _answer_fault(told: str) -> str:
    if not words(told):
        return "there is no answer"
    if orders(told):
        return "the answer gives orders to a model"
    if _UNANSWERED.search(normal_form(told)):
        return "the question is answered nowhere"
    if told.endswith((":", "\uff1a", ",", "\u060c", "…", "...")):
        return "the answer breaks off"
    if found := pointer(told):
        return f"the answer points at a text that nobody sees: {found!r}"
    return ""


def _together(asked: str, told: str, answer: str, quotes: Sequence[str]) -> str:
    language = language_of(asked)
    said, wanted = set(content(told, language)), set(content(asked, language))
    if said <= wanted and not _YES_OR_NO.match(normal_form(asked)):
        return "the answer says nothing that the question does not"
    for span in sentences(answer, language):
        sentence = answer[span.start : span.end]
        if words(sentence) and support(sentence, quotes, language) < CARRIED:
            return f"the evidence does not carry: {' '.join(sentence.split())[:120]!r}"
    return ""
