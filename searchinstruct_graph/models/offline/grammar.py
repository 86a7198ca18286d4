"""As much English grammar as asking needs: auxiliaries, verbs that are met often, their forms, noun phrases, articles."""

from __future__ import annotations

import re

AUXILIARY = frozenset("is are was were can cannot may might must should shall will would has have had".split())

_VERBS = frozenset(
    """
    accept access act add affect allow appear apply arise assign attach avoid begin belong bind break bring build
    call carry cause change check claim close combine compare compile compute consist contain control convert copy
    correspond count cover create declare decrease define delete deliver denote depend derive describe designate
    determine differ disable discard display divide effect eliminate enable encode end ensure enter establish
    evaluate examine exclude execute exist expand expect explain export express extend fail fetch find finish fold
    follow form format generate get give govern group guarantee handle happen help hide hold identify ignore
    implement imply import improve include increase indicate inform inherit initialize insert intercept introduce
    invoke involve iterate join keep lead leave limit link list live load look loop maintain make manage map mark
    match mean measure modify move name need notify obtain occur offer omit open operate order override own pass
    perform permit point prefer prepare prevent print proceed process produce prohibit protect provide raise reach
    read receive recognize record reduce refer reflect reject relate release rely remain remove rename replace
    report represent request require reserve reside resolve respect restore restrict result retain retrieve return
    reveal run save search select send separate serve set share show signal simplify specify split stand start state
    stay stem stop store strip suggest supply support suppress suspend swap switch take tell terminate test throw
    transfer transform translate treat trigger turn unbind unpack update use validate vary verify wait warn work
    wrap write yield attract bear beat belong burn cost drive eat employ fall feed fight fly grow guide heat host
    inhabit kill lay lie love nest occupy pay play power pull push rise rule sail sell sing sit sleep spread stretch
    surround swim teach travel visit win
    """.split()
)
_PARTICIPLES = frozenset(
    """
    been begun bent bound bought broken brought built caught chosen come cut dealt done drawn driven fallen fed felt
    found given gone grown heard held hidden hit kept known laid led left lent lost made meant met paid put read run
    said seen sent set shown shut sold split spread stolen stood stuck sung sunk swept taken taught thought thrown
    told torn understood won worn written
    """.split()
)
_DETERMINERS = frozenset(
    "the a an each every any all some both no one two three several many most such its their".split()
)
_NOT_IN_SUBJECT = frozenset(
    """
    that which who whom whose where when while if because although though since unless until than then there here
    this these those it they he she we you i not but or nor so yet also only even just perhaps however therefore
    thus instead otherwise
    """.split()
)
_PREPOSITIONS = frozenset(
    """
    in on at by with for from to as after before during under over into upon without within between among about
    through like
    """.split()
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|she|his|her|him|this|these|those|such|former|latter|we|our|us|you|your|i|my)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|he|she|his|her|such|here|there|note|see|also"
    r"|for example|for instance|otherwise|however|therefore|thus|then|but|and|or|so|similarly|likewise"
    r"|in this|in that|in these|in such|in particular|in addition|on the other hand|as a result|finally"
    r"|next|first|second|third|instead|again|more|both|another|others?|some of|the (?:former|latter|same"
    r"|other|rest|second|first|last|next|above|following|example|result|rules?|idea|point|reason|effect)"
    r"|we|you|let|i|changed|deprecated|added|new)\b|\b(?:see section|see also|as follows|following"
    r"|followed by the|above|below|previous|previously|preceding|earlier|later on|next section"
    r"|this section|this chapter|this document|this page|this example|these rules|this rule"
    r"|in the example|for example|described|aforementioned|mentioned|listed|discussed|table|figure"
    r"|footnote|chapter|section|here|respectively|same way|version \d)\b|\betc\.|\bsimilar (?:mechanism"
    r"|way|manner|to)\b|\b(?:do|does|doing|supports?|of|for|to|than|like) (?:this|these|so|that)(?=[.,;]"
    r"| as\b| is\b)",
    re.IGNORECASE,
)


def points_elsewhere(sentence: str) -> bool:
    """Whether the sentence needs another place to be understood, or speaks about the text itself."""
    return bool(_ELSEWHERE.search(sentence))


def pronoun_free(clause: str) -> bool:
    """Whether nothing in the clause stands for something outside of it."""
    return not _PRONOUN.search(clause)


def third_person(word: str) -> bool:
    """Whether the word is a verb met often, in the third person."""
    return bool(base_form(word)) and word not in _VERBS


def base_form(word: str) -> str:
    """The base form of a verb met often, from it or from its third person; empty for anything else."""
    if word in _VERBS:
        return word
    if word.endswith("ies") and f"{word[:-3]}y" in _VERBS:
        return f"{word[:-3]}y"
    if word.endswith("es") and word[:-2] in _VERBS:
        return word[:-2]
    if word.endswith("s") and word[:-1] in _VERBS:
        return word[:-1]
    return ""


def is_participle(word: str) -> bool:
    """Whether the word looks like a past participle."""
    return word in _PARTICIPLES or (len(word) > 4 and word.endswith("ed"))


def is_plural(subject: str) -> bool:
    """Whether a noun phrase is plural, as far as its head shows it."""
    head = re.split(r" (?:of|in|for|with|from|to|on|at|by|inside|outside) ", subject)[0]
    last = head.split()[-1].strip("\"'”").lower()
    if subject.lower().startswith(("a ", "an ", "each ", "every ", "one ")):
        return False
    return " and " in head or (last.endswith("s") and not last.endswith(("ss", "us", "is")))


def noun_phrase(text: str) -> bool:
    """Whether a piece of text may be the subject of a question: short, opens like a noun phrase, holds no clause."""
    parts = [part.strip("()") for part in text.lower().split()]
    if text.count("(") != text.count(")"):
        return False
    if not 1 <= len(parts) <= 9 or "," in text or ";" in text or ":" in text or parts[0] in _PREPOSITIONS:
        return False
    if any(part in _NOT_IN_SUBJECT or part in AUXILIARY for part in parts) or not pronoun_free(text):
        return False
    if (
        parts[0].endswith("ly")
        or parts[0] in ("to", "only", "what", "how", "why")
        or parts[-1] in (*_DETERMINERS, *_PREPOSITIONS, "and", "or")
    ):
        return False
    if any(
        is_participle(part) and part not in ("set", "read", "cut", "put", "run", "split", "left") for part in parts[:1]
    ):
        return False
    # "a name bound in a block" is a subject; "the method raises an exception" is a clause.
    return not any(
        third_person(part) and at > 0 and parts[at - 1] not in _DETERMINERS for at, part in enumerate(parts[:-1])
    )


def decapitalised(sentence: str, passage: str = "") -> str:
    """The sentence with a small first letter, unless its first word is written large elsewhere too."""
    first = sentence.split(" ", 1)[0].strip("\"'“”,")
    if not first or not first[0].isupper() or (not first[1:].islower() and len(first) > 1):
        return sentence
    rest = sentence[len(first) :]
    inside = re.search(rf"(?<=[a-z,;] ){re.escape(first)}\b", f"{passage} {rest}")
    small = re.search(rf"\b{re.escape(first.lower())}\b", f"{passage} {rest}")
    if (inside and not small) or first == "I":
        return sentence
    if not small and not inside and _looks_like_name(sentence):
        # Never seen small, and nothing shows that it is only the sentence's opening.
        return sentence
    return sentence[0].lower() + sentence[1:]


def _looks_like_name(sentence: str) -> bool:
    """Whether a sentence opens with a name: two capitals in a row, or a capital right before a verb in the third person."""
    parts = sentence.split()
    if parts[0].lower() in _DETERMINERS | _PREPOSITIONS | _NOT_IN_SUBJECT or len(parts) < 2:
        return False
    singular = not parts[0].endswith("s") and (parts[1] in ("is", "was", "has") or third_person(parts[1]))
    return parts[1][0].isupper() or singular


# Number, person and tense.

_ONE_STATE = frozenset(
    "states nations netherlands philippines emirates bahamas maldives times post house news alps olympics".split()
)
_PAST = {
    "become": "became", "begin": "began", "break": "broke", "bring": "brought", "build": "built", "buy": "bought",
    "choose": "chose", "come": "came", "do": "did", "draw": "drew", "drive": "drove", "fall": "fell", "fight": "fought",
    "find": "found", "get": "got", "give": "gave", "go": "went", "grow": "grew", "have": "had", "head": "headed",
    "hold": "held", "keep": "kept", "know": "knew", "lead": "led", "leave": "left", "lie": "lay", "lose": "lost",
    "make": "made", "marry": "married", "meet": "met", "pay": "paid", "put": "put", "read": "read", "rise": "rose",
    "run": "ran", "say": "said", "see": "saw", "sell": "sold", "send": "sent", "set": "set", "sing": "sang", "sit": "sat",
    "speak": "spoke", "spend": "spent", "stand": "stood", "take": "took", "teach": "taught", "tell": "told",
    "win": "won", "write": "wrote",
}  # fmt: skip
PAST_FORMS = frozenset(_PAST.values())
"""Irregular past tenses."""


def is_many(subject: str) -> bool:
    """Whether a name or noun phrase takes a plural verb: a plural in small letters, two things joined, or "the Rovers"."""
    parts = subject.split()
    last = parts[-1].strip("\"'”)") if parts else ""
    if " and " in subject and not re.search(r"[A-Z][\w.]* and [A-Z]", subject):
        return True
    if last.istitle():
        return parts[0].lower() == "the" and len(parts) == 2 and is_plural(last) and last.lower() not in _ONE_STATE
    return last.islower() and last.isalpha() and is_plural(subject)


def third(base: str) -> str:
    """The third person of a verb."""
    if base == "have":
        return "has"
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ies"
    return f"{base}es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else f"{base}s"


def past_of(base: str) -> str:
    """The past tense of a verb."""
    if base in _PAST:
        return _PAST[base]
    if base.endswith("e"):
        return f"{base}d"
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgmnprt]", base):
        return f"{base}{base[-1]}ed"
    return f"{base}ed"


def base_of_past(past: str) -> str:
    """The base form of a verb in the past tense."""
    for base, form in _PAST.items():
        if form == past:
            return base
    if past.endswith("ied"):
        return f"{past[:-3]}y"
    for base in (past.removesuffix("d"), past.removesuffix("ed")):
        if base_form(base) == base:
            return base
    return past.removesuffix("ed") if past.removesuffix("ed")[-2:-1] in "aeiouyrlns" else past.removesuffix("d")


# Articles of names.

_WITH_ARTICLE = frozenset(
    """
    agency alliance army association authority board brigade bureau cabinet centre center coalition command
    commission committee company confederation congress consortium convention corporation council department
    division expedition federation fleet force forces foundation front fund government group guard guards
    guild institute institution isles islands league legion ministry mission movement navy netherlands
    observatory office orchestra organisation organization parliament party philippines railroad railway
    regiment registry republic senate service society squadron staff syndicate tribunal trust union
    """.split()
)
_COUNTRIES = frozenset(
    [
        "Netherlands",
        "Philippines",
        "United States",
        "United Kingdom",
        "United Arab Emirates",
        "Soviet Union",
        "Dutch East Indies",
    ]
)
_OF_SOMETHING = re.compile(
    r"(?:[A-Z][\w’'.-]* )*"
    rf"(?:University|Bank|Kingdom|Faculty|Battle|Gulf|{'|'.join(sorted(word.capitalize() for word in _WITH_ARTICLE))})"
    r" (?:of|for) .+"
)
_OF_A_KIND = re.compile(r"[A-Z][a-z]+(?:an|ese|ish) [a-z]{4,} [A-Z].*")


def with_article(name: str) -> str:
    """A proper name as it stands inside of a sentence: with "the" where its words ask for it ("the Reform League", "the Senate
    of Lund", "the German submarine U-1"); anything else is left as it is.
    """
    parts = name.split()
    if not parts or not name.isascii() or not name[0].isupper() or parts[0] in ("The", "A", "An"):
        return name
    last = parts[-1]
    ends = last[0].isupper() and last.strip(".").lower() in _WITH_ARTICLE
    # "Senate" alone may be a title; "Netherlands" cannot.
    alone = name in _COUNTRIES
    long = len(parts) > 1 and ends
    return f"the {name}" if long or alone or _OF_SOMETHING.fullmatch(name) or _OF_A_KIND.fullmatch(name) else name
