"""Questions out of sentences: what the extractive model can ask of a passage, English only.

Each question is built from a clause of one sentence (its condition, reason, purpose, rule, definition or subject), so that
the sentence answers it; none is a template around a noun. Sentences that need their neighbours to be understood are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from searchinstruct_graph.models.offline.frames import unframed
from searchinstruct_graph.models.offline.grammar import (
    AUXILIARY,
    base_form,
    decapitalised,
    is_participle,
    is_plural,
    noun_phrase,
    points_elsewhere,
    pronoun_free,
    third_person,
)
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import words

SHORTEST, LONGEST = 6, 42
"""Words in a sentence that is asked about."""

CLAUSE = 3
"""Fewest words in a clause that a question is built from."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that `sentence` answers: its Bloom level, its kind, and how natural it tends to sound (1 is best)."""

    question: str
    level: str
    kind: str
    quality: float
    sentence: str


_ITEM = re.compile(r"^(?:[*•\-–]|\d{1,2}[.)]|\([a-z0-9]\))\s+")
_ASIDE = re.compile(r"\s*\((?:see|cf\.?|e\.g\.|i\.e\.|also)\b[^()]*\)|\s*\[\d+\]", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<!\w)\*{1,2}([^*\s](?:[^*]{0,60}[^*\s])?)\*{1,2}(?!\w)")
_NOISE = re.compile(r"::=|>>>|={2,}|[{}\\|]|https?://|\.\.\.|…\s*$")


def askable(text: str) -> Iterator[str]:
    """The sentences of a passage that can stand alone, white space folded, marks of lists and asides taken out."""
    for span in sentences(text):
        raw = text[span.start : span.end]
        if "\n   " in raw or "\n\t" in raw:
            # Indented lines are code or a grammar.
            continue
        # A word that the page broke at its hyphen is one word again.
        joined = re.sub(r"(?<=\w)-\n\s*(?=\w)", "-", raw)
        sentence = _ASIDE.sub("", _ITEM.sub("", " ".join(joined.split())))
        count = len(sentence.split())
        if not SHORTEST <= count <= LONGEST or not sentence.endswith(".") or not sentence[0].isalpha():
            continue
        if not sentence[0].isupper() or _NOISE.search(sentence) or points_elsewhere(sentence):
            continue
        if any(sentence.count(left) != sentence.count(right) for left, right in ("()", "[]", "“”")):
            continue
        if sentence.count('"') % 2:
            continue
        yield sentence


def asks(passage: str, title: str = "") -> list[Ask]:
    """Every question that the passage's sentences give, in the order of the sentences."""
    return [ask for sentence in askable(passage) for ask in asks_of(sentence, passage, title)]


def asks_of(sentence: str, passage: str = "", title: str = "") -> list[Ask]:
    """The questions that one sentence answers. One that says too little to stand alone names the page's `title`."""
    body = decapitalised(_EMPHASIS.sub(r"\1", sentence).rstrip("."), passage)
    found: list[tuple[str, str, str, float]] = []
    conditioned = _condition(body)
    if conditioned:
        found += _from_condition(*conditioned)
    else:
        for rule in (_definition, _use, _purpose, _reason, _rule, _passive, _predicate, _future, _difference):
            found += rule(body)
    made = []
    for question, level, kind, quality in found:
        asked = _standing(question.replace(" ,", ","), title)
        if not asked:
            continue
        # Long questions are mostly sentences that nobody would ask.
        length = len(asked.split())
        if 4 <= length <= 34 and asked.count("?") <= 1 and asked.count("(") == asked.count(")"):
            made.append(Ask(asked, level, kind, quality - max(0, length - 22) * 0.02, sentence))
    return made


TELLING = 3
"""Content words from which a question stands alone."""


def _standing(question: str, title: str) -> str:
    """The question with a capital, after the page's title when it says too little by itself; empty without one."""
    if len([word for word in words(unframed(question)) if not is_stopword(word)]) < TELLING:
        topic = decapitalised(" ".join(_EMPHASIS.sub(r"\1", title).split()))
        if not 3 <= len(topic) <= 60 or not question[0].isalpha():
            return ""
        return f"Regarding {topic}, {question}"
    return f"{question[:1].upper()}{question[1:]}"


# Conditions.

_FIRST = re.compile(r"^(if|when|whenever|once|unless) (.+)$", re.IGNORECASE)
_GOES_ON = ("and ", "or ", "but ", "nor ", "which ", "that ", "such as ", "including ", "if ", "unless ", "then only ")
_LAST = re.compile(r"^(.+?),? (if|when|whenever|unless) (.+)$")


def _condition(body: str) -> tuple[str, str, str] | None:
    """(conjunction, condition, consequence) of a sentence with one condition."""
    if first := _FIRST.match(body):
        pieces = first.group(2).split(", ")
        for at in range(1, min(len(pieces), 4)):
            condition, result = ", ".join(pieces[:at]), ", ".join(pieces[at:]).removeprefix("then ")
            if result.startswith(_GOES_ON):
                continue
            return (first.group(1).lower(), condition, result) if _whole(condition) and " " in result else None
        return None
    if (last := _LAST.match(body)) and _verbal(last.group(1)) and _whole(last.group(3)):
        result, word, condition = last.groups()
        if result.count(",") <= 1 and result.rsplit(" ", 1)[-1] not in (
            "and",
            "or",
            "even",
            "only",
            "as",
            "except",
            "but",
        ):
            return word, condition, result
    return None


_JOINED = ("and", "or", "even", "only", "as", "except", "but", "that", "especially", "particularly", "than")


def _whole(clause: str) -> bool:
    if clause.split(" ", 1)[0].lower() in ("and", "or", "only", "not", "possible", "necessary", "any", "so", "found"):
        return False
    return clause.count(",") <= 2 and pronoun_free(clause) and _verbal(clause)


def _verbal(clause: str) -> bool:
    """Whether the clause has a subject and a finite verb after it."""
    parts = clause.split()
    if len(parts) < CLAUSE or parts[0].lower() in (
        *AUXILIARY,
        "in",
        "at",
        "not",
        "just",
        "as",
        "even",
        "used",
        "using",
    ):
        return False
    if parts[0].lower().endswith("ing") and parts[1].lower() in ("a", "an", "the"):
        return False
    return any(word in AUXILIARY or third_person(word) for word in map(str.lower, parts[1:]))


def _from_condition(word: str, condition: str, result: str) -> Iterator[tuple[str, str, str, float]]:
    joined = "when" if word in ("when", "whenever", "once") else "if"
    if word == "unless":
        yield f"is it correct to say that {_plainly(result)} unless {condition}?", "evaluate", "verify", 0.7
        if pronoun_free(result) and result.count(",") == 0:
            yield f"in which case does it not hold that {_plainly(result)}?", "analyze", "when", 0.7
        return
    # Conditions serve application and design, which other sentences seldom do; so they come last where others serve too.
    yield f"what happens {joined} {condition}?", "understand", "what", 0.75
    yield f"suppose that {condition}. What follows from this?", "apply", "imagine", 0.95
    yield f"describe a concrete case in which {condition}, and say what comes of it.", "create", "imagine", 0.8
    yield f"analyse what follows when {condition}.", "analyze", "what", 0.6
    brief = re.split(r"; |, (?:otherwise|but|so|and) | \(", result)[0]
    if len(brief.split()) <= 18:
        yield f"is it correct to say that, {joined} {condition}, {_plainly(brief)}?", "evaluate", "verify", 0.6
    turned = _inverted(result)
    if turned and pronoun_free(result):
        yield f"when {turned}?", "analyze", "when", 0.95
    elif pronoun_free(brief) and brief.count(",") <= 1 and not brief.startswith("that "):
        yield f"under which condition is it true that {_plainly(brief)}?", "analyze", "when", 0.75


def _plainly(clause: str) -> str:
    return clause.strip(" ,;")


def _split(clause: str) -> tuple[str, str, str] | None:
    """(noun phrase, auxiliary, rest) of a clause that opens with its subject."""
    parts = clause.split()
    for at, word in enumerate(parts[:11]):
        if word.lower() in AUXILIARY:
            subject, rest = " ".join(parts[:at]), " ".join(parts[at + 1 :])
            return (subject, word.lower(), rest) if noun_phrase(subject) and rest else None
    return None


def _inverted(clause: str) -> str:
    """The clause with its auxiliary before the subject ("is NP done"); empty when the subject cannot be told."""
    split = _split(clause)
    if split is None or split[1] == "cannot" or split[2].startswith("not "):
        return ""
    subject, verb, rest = split
    return f"{verb} {subject} {rest}"


# Definitions, uses, purposes.


def _definition(body: str) -> Iterator[tuple[str, str, str, float]]:
    split = _split(body)
    if split is None or split[1] not in ("is", "are"):
        return
    subject, verb, rest = split
    first = rest.split()[0].lower()
    if first == "to" and re.match(r"the (?:purpose|aim|goal|job|role|task|intent) of ", subject):
        yield f"what {verb} {subject}?", "remember", "what", 1.0
        yield from _aim(rest.removeprefix("to "))
        return
    if (likened := _LIKENED.match(rest)) and verb in ("is", "are"):
        yield f"what {verb} {subject} {likened.group(1)} {likened.group(2)}?", "remember", "what", 0.8
        return
    if first not in ("a", "an", "the", "one", "any", "either", "simply") or len(rest.split()) < 4:
        return
    yield f"what {verb} {subject}?", "remember", "what", 1.0
    yield f"explain what {subject} {verb}.", "understand", "what", 0.75
    yield f"is it correct to call {subject} {rest}?", "evaluate", "verify", 0.7


_LIKENED = re.compile(
    r"^(equivalent|equal|identical|similar|compatible|responsible|subject|bound|tied|linked|restricted|limited|related|relative)"
    r" (to|with|for) (?:.+)$"
)
_USED = re.compile(r"^(.+?) (is|are|can be|may be|could be) (?:\w+ly )?used (to|for|as|by|in|when) (.+)$")
_LETS = re.compile(r"^(.+?) (?:allows?|lets?|enables?|permits?|helps?) (.+?) to (.+)$")
_POSSIBLE = re.compile(r"^(.+?) makes? it (?:possible|easy|easier|simple) to (.+)$")
_TO_FIRST = re.compile(r"^(?:in order )?to ([a-z]+ .+?), (.+)$", re.IGNORECASE)
_TO_LAST = re.compile(r"^(.+?) (?:in order|so as) to ([a-z]+ .+)$")


def _use(body: str) -> Iterator[tuple[str, str, str, float]]:
    found = _USED.match(body)
    if not found or not noun_phrase(found.group(1)):
        return
    subject, verb, how, rest = found.groups()
    turned = f"{verb} {subject}" if verb in ("is", "are") else f"{verb.split()[0]} {subject} be"
    if how in ("to", "for"):
        yield f"what {turned} used for?", "remember", "what", 1.0
    if how == "to":
        yield from _aim(rest)
    elif how == "for":
        yield f"what would you use for {_first_clause(rest)}?", "apply", "recommend", 0.8
    elif how == "as":
        yield f"as what {turned} used?", "remember", "what", 0.7
    elif how == "when" and pronoun_free(rest):
        yield f"what should be used when {_first_clause(rest)}?", "apply", "recommend", 0.85
        yield f"when {turned} used?", "understand", "when", 0.9


def _aim(goal: str) -> Iterator[tuple[str, str, str, float]]:
    wanted = _first_clause(goal)
    if len(wanted.split()) >= CLAUSE and pronoun_free(wanted):
        yield f"how can one {wanted}?", "apply", "how", 0.9
        yield f"devise a way to {wanted}.", "create", "plan", 0.9


def _first_clause(text: str) -> str:
    return re.split(r", (?:which|so|but|and|since|because|as|while|where)\b|; | \(", text)[0].strip(" ,")


def _purpose(body: str) -> Iterator[tuple[str, str, str, float]]:
    if found := _POSSIBLE.match(body):
        yield from _aim(found.group(2))
        if noun_phrase(found.group(1)):
            verb = "do" if is_plural(found.group(1)) else "does"
            yield f"what {verb} {found.group(1)} make possible?", "understand", "what", 0.8
    elif (found := _LETS.match(body)) and noun_phrase(found.group(2)) and noun_phrase(found.group(1)):
        subject, who, what = found.groups()
        goal = _first_clause(what)
        if pronoun_free(f"{who} {goal}") and len(goal.split()) >= 2:
            yield f"how can {who} {goal}?", "apply", "how", 0.9
            yield f"devise a way for {who} to {goal}.", "create", "plan", 0.85
            yield f"what {'do' if is_plural(subject) else 'does'} {subject} allow?", "understand", "what", 0.85
    elif (found := _TO_FIRST.match(body)) and _verbal(found.group(2)):
        yield from _aim(found.group(1))
    elif found := _TO_LAST.match(body):
        yield from _aim(found.group(2))


# Reasons and rules.

_BECAUSE = re.compile(r"^(.+?),? because (?!of\b)(.+)$")
_SINCE = re.compile(r"^(?:because|since|as) (.+?), (.+)$", re.IGNORECASE)


def _reason(body: str) -> Iterator[tuple[str, str, str, float]]:
    found = _BECAUSE.match(body) or _SINCE.match(body)
    if not found:
        return
    result = found.group(2) if _SINCE.match(body) else found.group(1)
    if not pronoun_free(result) or result.count(",") > 1:
        return
    if turned := _inverted(result):
        yield f"why {turned}?", "analyze", "why", 1.0
    elif _verbal(result):
        yield f"what is the reason that {result}?", "analyze", "why", 0.8


_MODAL = re.compile(
    r"^(.+?) (must not|may not|should not|can not|cannot|must|should|may|can|needs? to|has to|have to) (.+)$"
)


def _rule(body: str) -> Iterator[tuple[str, str, str, float]]:
    found = _MODAL.match(body)
    if not found or not noun_phrase(found.group(1)) or found.group(3).startswith("not "):
        return
    subject, modal, action = found.group(1), found.group(2), _first_clause(found.group(3))
    first, _, rest = action.partition(" ")
    if not pronoun_free(action) or first.endswith("ly"):
        return
    if modal in ("must not", "may not", "should not", "cannot", "can not"):
        yield f"is it allowed for {subject} to {action}?", "evaluate", "verify", 1.0
        return
    if modal in ("must", "needs to", "need to", "has to", "have to"):
        yield f"is it necessary for {subject} to {action}?", "evaluate", "verify", 0.95
    elif modal == "should":
        yield f"should {subject} {action}?", "evaluate", "verify", 0.9
    else:
        yield f"is it possible for {subject} to {action}?", "evaluate", "verify", 0.85
        means = re.split(r" (?=by |with |using )", rest)
        if first == "be" and len(means) > 1 and is_participle(means[0].split()[-1]):
            yield f"how {modal} {subject} be {means[0]}?", "apply", "how", 0.8


# What happens to a thing, and what it does.

_CAUSED = frozenset(
    "determined controlled governed caused affected influenced defined specified limited restricted triggered produced"
    " evaluated computed resolved chosen selected raised modified customized replaced".split()
)
_HOW = ("by", "with", "through", "using", "via")
_PASSIVE = re.compile(
    r"^(.+?) (is|are|was|were) (?:(?:then|also|always|automatically|usually|normally|only|implicitly|first|not|never) )?"
    r"([a-z-]+) (by|with|through|using|via|before|after|during|until|in|into|to|at|as|from) (.+)$"
)


def _passive(body: str) -> Iterator[tuple[str, str, str, float]]:
    found = _PASSIVE.match(body)
    if not found or not noun_phrase(found.group(1)) or not is_participle(found.group(3)):
        return
    if re.search(r"\b(?:not|never)\b", body[: found.start(4)]):
        return
    subject, verb, done, how, rest = found.groups()
    if done in ("used", "called", "based") and how in ("as", "by"):
        return
    if how in _HOW:
        yield f"how {verb} {subject} {done}?", "understand", "how", 0.95
        if how == "by" and done in _CAUSED:
            yield f"by what {verb} {subject} {done}?", "analyze", "what", 0.9
        elif how == "by" and not rest.split()[0].endswith("ing"):
            yield f"by what {verb} {subject} {done}?", "remember", "what", 0.7
    elif how in ("before", "after", "during", "until"):
        yield f"when {verb} {subject} {done}?", "remember", "when", 0.9
        yield f"at what point {verb} {subject} {done}?", "understand", "when", 0.7
    elif how in ("in", "into", "to", "at", "from"):
        word = {"into": "into what", "from": "from what", "to": "to what"}.get(how, "where")
        yield f"{word} {verb} {subject} {done}?", "remember", "where", 0.75
    else:
        yield f"as what {verb} {subject} {done}?", "remember", "what", 0.7


_PREPOSITIONS = ("to", "of", "on", "in", "from", "with", "for")
_ANALYTIC = "contain include combine consist depend differ rely result arise stem derive affect influence cause determine".split()
_ALSO_NOUNS = frozenset(
    """
    name form type set list result return call import format test use order match group limit point state access
    store link map mark cover cause change process request report handle support display copy process start stop end
    share sound show
    """.split()
)


def _surely_subject(subject: str) -> bool:
    """Whether it opens with a determiner or is quoted: only then is the next word surely its verb."""
    return subject.split()[0].lower() in ("the", "a", "an", "each", "every", "any", "all") or subject.endswith(
        ('"', "”")
    )


def _predicate(body: str) -> Iterator[tuple[str, str, str, float]]:
    parts = body.split()
    for at, word in enumerate(parts[1:10], 1):
        if word.lower() in AUXILIARY:
            return
        base = base_form(word.strip(",").lower())
        subject = " ".join(parts[:at])
        if not base or not noun_phrase(subject):
            continue
        plural = is_plural(subject)
        if plural == third_person(word.lower()) or (base in _ALSO_NOUNS and not _surely_subject(subject)):
            continue
        rest = parts[at + 1 :]
        if len(rest) < 2 or rest[0].lower() in ("that", "not", "whether", "how", "if", "it", "as"):
            return
        helper = "do" if plural else "does"
        if rest[0] in _PREPOSITIONS:
            if rest[0] == "to" and is_bare_verb(rest[1]):
                return
            level = "analyze" if base in _ANALYTIC else "remember"
            yield f"what {helper} {subject} {base} {rest[0]}?", level, "what", 0.9
            yield f"explain what {subject} {word} {rest[0]}.", "understand", "what", 0.6
        else:
            level = "analyze" if base in _ANALYTIC else "remember"
            yield f"what {helper} {subject} {base}?", level, "what", 0.85
            yield f"explain what {subject} {word}.", "understand", "what", 0.6
            return


_FUTURE = re.compile(r"^(.+?) will (?!be\b|not\b|have\b)([a-z]+) (?!to\b|that\b)(.+)$")


def _future(body: str) -> Iterator[tuple[str, str, str, float]]:
    found = _FUTURE.match(body)
    if found and noun_phrase(found.group(1)) and base_form(found.group(2)) == found.group(2):
        subject, verb, rest = found.groups()
        preposition = f" {rest.split()[0]}" if rest.split()[0] in _PREPOSITIONS else ""
        yield f"what will {subject} {verb}{preposition}?", "understand", "what", 0.85


def is_bare_verb(word: str) -> bool:
    """Whether the word is the base form of a verb that is known here."""
    return base_form(f"{word.lower()}s") == word.lower()


_UNLIKE = re.compile(
    r"^(?:unlike|in contrast to) (.+?), (.+?) (?:is|are|has|have|does|do|can|will|may|must)\b", re.IGNORECASE
)
_DIFFERENCE = re.compile(r"\bdifferences? between (.+?) and (.+?) (?:is|are|lies?)\b")


def _difference(body: str) -> Iterator[tuple[str, str, str, float]]:
    if found := _DIFFERENCE.search(body):
        yield f"what is the difference between {found.group(1)} and {found.group(2)}?", "analyze", "compare", 1.0
    if (found := _UNLIKE.match(body)) and noun_phrase(found.group(1)) and noun_phrase(found.group(2)):
        verb = "do" if is_plural(found.group(2)) else "does"
        yield f"how {verb} {found.group(2)} differ from {found.group(1)}?", "analyze", "compare", 1.0


# Two keywords in one sentence.


def pair_asks(sentence: str, one: str, other: str) -> list[Ask]:
    """Questions that relate two keywords of the sentence, spelled as they stand there."""
    spelled = [_spelled(sentence, keyword) for keyword in (one, other)]
    if not all(spelled) or spelled[0].lower() in spelled[1].lower() or spelled[1].lower() in spelled[0].lower():
        return []
    first, second = spelled
    return [
        Ask(f"How are {first} and {second} related?", "analyze", "compare", 0.8, sentence),
        Ask(f"Explain what {first} has to do with {second}.", "understand", "compare", 0.7, sentence),
        Ask(f"Describe a case in which both {first} and {second} matter.", "create", "imagine", 0.6, sentence),
    ]


def _spelled(sentence: str, keyword: str) -> str:
    found = re.search(rf"(?<!\w){re.escape(keyword)}(?:s|es)?(?!\w)", sentence, re.IGNORECASE)
    if not found:
        return ""
    text = found.group()
    before = re.search(r"\b(the|a|an|each|every|any) (?:\w+ )?$", sentence[: found.start()], re.IGNORECASE)
    text = text[:1].lower() + text[1:] if text[1:].islower() else text
    return (
        f"the {text}" if before and before.group(1).lower() == "the" and " " in before.group().strip() + " " else text
    )


# Other words for a seed.

_REWORDED: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"^what (is|are) (?!the difference)(.+)\?$", re.IGNORECASE), "Explain what {1} {0}."),
    (re.compile(r"^what is the difference between (.+?) and (.+)\?$", re.IGNORECASE), "How does {0} differ from {1}?"),
    (re.compile(r"^how (?:do|can|should) (?:i|you|we|one) (.+)\?$", re.IGNORECASE), "What is the way to {0}?"),
    (re.compile(r"^how does (.+?) differ from (.+)\?$", re.IGNORECASE), "What is the difference between {0} and {1}?"),
    (re.compile(r"^what happens (when|if) (.+)\?$", re.IGNORECASE), "Suppose that {1}. What follows from this?"),
    (re.compile(r"^why (is|are|does|do|can|must) (.+)\?$", re.IGNORECASE), "For what reason {0} {1}?"),
    (re.compile(r"^when (is|are|does|do|can|should) (.+)\?$", re.IGNORECASE), "Under which circumstances {0} {1}?"),
    (re.compile(r"^what does (.+?) do\?$", re.IGNORECASE), "Explain the effect of {0}."),
)


def reworded(seed: str) -> str:
    """The seed in other words; empty when no pattern fits."""
    for pattern, form in _REWORDED:
        if found := pattern.match(seed.strip()):
            return form.format(*found.groups())
    return ""
