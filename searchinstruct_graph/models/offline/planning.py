"""How the offline model plans: a question is split at its borders, and a yes-no question by the things that it is about.

"Did A do B before C?" and "Is A larger than B?" are seldom answered by one sentence. What can be looked up is each thing by
itself: when it was, how large it is, or what is known about it with regard to what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from searchinstruct_graph.models.offline.grammar import base_form, is_participle, is_plural
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.text.constraints import Constraint, read_constraints
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import normal_form, words

PARTS = 4
"""Most sub-questions in a plan."""

SUBJECTS = 3
"""Most things that a yes-no question is taken apart into."""

PART_CHARS, WHOLE_CHARS = 2_000, 4_000
"""Characters of a sub-question and of a restatement that a plan holds; a longer question is cut."""

LONGEST = 400
"""Characters of a yes-no question from which it is not taken apart: then it is a task, not a question."""

_NEXT_QUESTION = re.compile(
    r"(?<=[?？؟])\s*(?=\S)"
    r"|[;,]?\s+(?:and\s+(?=(?:what|how|why|when|who|where|which)\b)|und\s+(?=(?:was|wie|warum|wann|wer|wo|welche)\b)"
    r"|et\s+(?=(?:que|quoi|comment|pourquoi|quand|qui|où|quel)\b)|y\s+(?=(?:qué|cómo|cuándo|quién|dónde|cuál)\b))",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:both|either|same|first|earlier|later|older|younger|more|between|better|longer|larger|compare|difference|versus|vs)\b|,?\s+or\s+",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^(?:(?:hypothetically|theoretically|in theory|today|generally|if [^,]{2,80}|in [^,?]{2,60}),\s*)?"
    r"(is|are|was|were|do|does|did|can|could|would|will|should|has|have|had|might|may)(?:n't)?\s+(?=\S)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:before|after|during|until|since|while|when|ever|alive|lived?|living|born|died?|dies|earlier|later|first|last"
    r"|century|centuries|decade|ancient|era|age|ages|historic|historical|contemporary|contemporaries|older|younger|predate"
    r"|predates|outlive|witness|witnessed|meet|met|attended|invented)\b",
    re.IGNORECASE,
)
_DEGREES = {
    "longer": "long",
    "taller": "tall",
    "higher": "high",
    "older": "old",
    "younger": "old",
    "heavier": "heavy",
    "bigger": "large",
    "larger": "large",
    "smaller": "large",
    "shorter": "long",
    "faster": "fast",
    "slower": "fast",
    "deeper": "deep",
    "hotter": "hot",
    "colder": "cold",
    "warmer": "warm",
    "farther": "far",
    "further": "far",
    "closer": "far",
    "stronger": "strong",
    "richer": "rich",
    "cheaper": "expensive",
    "outweigh": "heavy",
    "outlive": "old",
    "longest": "long",
    "fit": "large",
}
_VAGUE = frozenset(
    """
    likely unlikely possible possibly impossible able unable hypothetically theoretically typically usually often ever still
    enough same different similar better worse best worst good bad normal common average popular successful single multiple
    several many much lot lots kind type way thing things part member someone somebody anyone person people easily safe safely
    actually technically really completely entirely every always never today usual frequently necessary appropriate
    more less fewer greater lesser least most main major real whole different entire certain well far long high old
    out up down off away together due apart example
    """.split()
)
_GENERAL_VERBS = frozenset(
    """
    get getting go going goes went come came know known want find found think believe consider considered make made take
    need needed become became use used using have having called
    """.split()
)
_SOURCES = frozenset(
    """source sources study studies paper papers article articles page pages document documents publication publications report
    reports review reviews post posts book books guideline guidelines published written documentation""".split()
)
_READERS = (
    "beginners? novices? newcomers? laymen laypeople laypersons? children kids experts? professionals? specialists? clinicians "
    "doctors patients students teachers developers programmers engineers"
)
_FOR_WHOM = re.compile(
    # "Exercises for children" says what is asked about; only what is added or what explains is for a reader.
    rf"(?:,\s{{0,5}}|\b(?:explained|explanations?|introductions?|tutorials?|guides?|overviews?) )"
    rf"(for (?:an? )?(?:absolute |complete |total )?(?:{'|'.join(_READERS.split())}))\b(?=[\s,;.?!]*(?:$|,|and\b))",
    re.IGNORECASE,
)
_HOW_TO = re.compile(
    r"^\s*(?:how (?:do|can|could|should|would|to)\b|what is (?:a|the best|the easiest) way to\b)", re.IGNORECASE
)
_WITHOUT = re.compile(r"\b(without (?:using|the (?:use|help) of) [\w'’+#.-]+(?: [\w'’+#-]+){0,3})", re.IGNORECASE)
_WORD = re.compile(r"[^\W_](?:[\w’'\-]|\.(?=\w))*")
_LINKS = re.compile(r"^(?:['’]s?|\s+of(?:\s+(?:the|a|an))?)?\s+$", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?:['’]s|['’])$")


def keywords(question: str) -> str:
    """The question without its function words and question marks."""
    kept = [word for word in re.findall(r"[\w’'.\-+#/]+", question) if not is_stopword(normal_form(word.strip(".'’-")))]
    return " ".join(word.strip(".") for word in kept) or question


def plan(task: Task) -> dict[str, Any]:
    """Split at question borders; a yes-no part by its subjects; ask any other with itself and each name it compares."""
    question = task.text("question")
    parts = [part.strip() for part in _NEXT_QUESTION.split(question) if part and part.strip()] or [question]
    failed = bool(task.text("failed"))
    planned: list[dict[str, Any]] = []
    for part in parts[:PARTS]:
        implied = [] if failed else implied_questions(part)
        planned += implied if len(parts) == 1 and implied else [_as_asked(part, failed)]
    instruction = implied_instruction(question)
    planned = [{**part, "instruction": instruction} for part in planned]
    return {"restatement": question[:WHOLE_CHARS], "sub_questions": planned}


def _as_asked(part: str, failed: bool) -> dict[str, Any]:
    queries = [part]
    compared = names(part)
    if len(compared) > 1 and _COMPARED.search(part):
        rest = [word for word in keywords(part).split() if not any(word in name for name in compared)]
        queries += [" ".join([name, *rest[:4]]) for name in compared]
    elif failed:
        queries = [keywords(part), *compared]
    return {"text": part[:PART_CHARS], "queries": queries[:3], "requires": [part[:PART_CHARS]]}


def implied_instruction(question: str) -> str:
    """What an English question asks of its sources, in its own words; empty when it asks nothing of them.

    Dates of publication, hosts and languages of sources, whom it is for, and in a question for a way what that way shall not
    use. A year, a language or a host in a question is mostly what it is about, so these need a word for sources.
    """
    if len(question) > LONGEST or language_of(question) != "en":
        return ""
    # A question opens with what it is about: only its clauses are read as criteria.
    asked = read_constraints(question.rstrip("?？ .!"), date.today()).constraints
    told = [(each.spans[0], each.text) for each in asked if _asks_of_sources(each)]
    taken = [span for span, _ in told]
    for pattern in (_FOR_WHOM, *([_WITHOUT] if _HOW_TO.search(question) else [])):
        told += [
            (found.span(1), found[1])
            for found in pattern.finditer(question)
            if not any(start < found.end() and found.start() < end for start, end in taken)
        ]
    return ", ".join(" ".join(text.split()) for _, text in sorted(told))


def _asks_of_sources(constraint: Constraint) -> bool:
    said = set(words(constraint.text))
    if said & {"was", "were", "is", "are", "been"}:
        # "What article was published in 1937" asks for the article.
        return False
    return bool(said & _SOURCES)


class _Word(NamedTuple):
    """A word of the question and where it stands."""

    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        return normal_form(_POSSESSIVE.sub("", self.text))


def implied_questions(question: str) -> list[dict[str, Any]]:
    """What an English yes-no question about two or three things takes to be looked up; nothing for any other question.

    The first one is also asked in the person's own words: a page may answer as a whole.
    """
    opening = _YES_NO.match(question)
    if not opening or len(question) > LONGEST or language_of(question) != "en":
        return []
    body = question[opening.end() :].rstrip("?？ .!")
    # "The Sun of the Sleepless and Nevada" looks like one name; where two are compared, it is two.
    named = [name for joined in names(body) for name in joined.split(" and ")] if _COMPARED.search(body) else []
    shared = len(named) > 1
    if shared:
        found = named[:SUBJECTS]
        held = set(words(" ".join(found)))
        said = [
            word for word in keywords(body).split() if not set(words(word)) <= held and _COMPARED.search(word) is None
        ]
        said = [word for word in said if normal_form(word) not in (*_VAGUE, *_DEGREES)][:4]
    else:
        found, said = subjects(body, supported=opening[1].lower() not in ("is", "are", "was", "were"))
    if len(found) < 2:
        return []
    planned = []
    for at, subject in enumerate(found):
        # What two names are compared by is asked of each; else what is done is asked of who does it.
        text = _need(subject, question, said if shared or at == 0 else [])
        queries = [*([question] if at == 0 else []), text, " ".join([subject, *said[:3]])]
        required = [question, text] if at == 0 else [text]
        planned.append({"text": text, "queries": list(dict.fromkeys(queries))[:3], "requires": required})
    return planned


def _need(subject: str, question: str, said: Sequence[str]) -> str:
    """What of a subject the question turns on: a measure, a time, or what is known about it."""
    verb = "are" if is_plural(subject) else "is"
    compared = [word for word in map(normal_form, question.split()) if word in _DEGREES] if " than " in question else []
    if compared:
        return f"How {_DEGREES[compared[0]]} {verb} {subject}?"
    if re.search(r"\b(?:more|fewer|less|greater|enough|exceeds?|outnumber)\b", question, re.IGNORECASE):
        auxiliary = "do" if verb == "are" else "does"
        return (
            f"How many {' '.join(said)} {auxiliary} {subject} have?"
            if said
            else f"How much or how many {verb} {subject}?"
        )
    if _TIME.search(question) and names(question):
        return f"When {'were' if verb == 'are' else 'was'} {' '.join([subject, *said])}?"
    about = f" and {' '.join(said)}" if said else ""
    return f"What is known about {subject}{about}?"


def subjects(body: str, *, supported: bool) -> tuple[list[str], list[str]]:
    """The things that a clause is about, as it writes them, and the words that say what is asked of them.

    `body` is a yes-no question without its first word; `supported` when that word was an auxiliary before a bare verb
    ("did A see B"), so that the first run of words ends in a verb.
    """
    runs = _runs(body, supported)
    found: list[str] = []
    said: list[str] = []
    for run, verbs in runs:
        said += verbs
        text = " ".join(word.text for word in run)
        if run and not all(word.key in _VAGUE or word.key in _GENERAL_VERBS for word in run):
            found.append(_POSSESSIVE.sub("", body[run[0].start : run[-1].end] if len(run) > 1 else text))
    distinct = {normal_form(text): text for text in reversed(found)}
    kept = [text for text in found if distinct.get(normal_form(text)) is text]
    # Names first where there are too many: they are what pages are about.
    ranked = sorted(kept, key=lambda text: not names(f"x {text}"))[:SUBJECTS]
    return [text for text in kept if text in ranked], [word for word in said if word not in _GENERAL_VERBS]


def _runs(body: str, supported: bool) -> list[tuple[list[_Word], list[str]]]:
    """Runs of words that belong together, each with the verbs and qualities that ended it."""
    found: list[tuple[list[_Word], list[str]]] = []
    run: list[_Word] = []
    verbs: list[str] = []

    def close() -> None:
        nonlocal run, verbs
        if run or verbs:
            found.append((run, verbs))
        run, verbs = [], []

    listed = [_Word(match.group(), match.start(), match.end()) for match in _WORD.finditer(body)]
    for at, word in enumerate(listed):
        gap = body[run[-1].end : word.start] if run else ""
        if is_stopword(word.key):
            linking = word.key == "of" or (run and at and listed[at - 1].key == "of" and word.key in ("the", "a", "an"))
            if not linking:
                if supported and not found and run and not verbs and word.key not in ("be", "have", "been", "not"):
                    _verb_out(run, verbs)
                close()
            continue
        if run and not _LINKS.match(gap) and gap.strip():
            close()
        if _is_quality(word):
            close()
            continue
        if _is_verb(word, run, supported):
            verbs.append(word.key)
            close()
            continue
        if supported and not found and run and word.text[0].isupper() and run[-1].text[0].islower():
            _verb_out(run, verbs)
            close()
        run.append(word)
    if supported and not found and len(run) > 1:
        _verb_out(run, verbs)
    close()
    return found


def _verb_out(run: list[_Word], verbs: list[str]) -> None:
    """Take the verb, which ends the run of the subject, out of it."""
    if len(run) > 1 and run[-1].text[0].islower() and not run[-2].text.endswith(("'s", "’s", "s'", "s’")):
        verbs.append(run.pop().key)


def _is_quality(word: _Word) -> bool:
    """Whether a word says how something is: it parts what stands around it and is no part of a name."""
    return word.text[0].islower() and (word.key in _VAGUE or word.key in _DEGREES or word.key.endswith("ly"))


def _is_verb(word: _Word, run: Sequence[_Word], supported: bool) -> bool:
    """Whether a word is a verb, as far as lists and endings show it; a bare one opens a run only after an auxiliary."""
    if not word.text[0].islower():
        return False
    if is_participle(word.key) or word.key in _GENERAL_VERBS:
        return True
    return bool(base_form(word.key)) and (bool(run) or supported)
