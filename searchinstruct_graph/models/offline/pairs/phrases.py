"""What makes a piece of a sentence fit for a question: it names something by itself and points at nothing outside."""

from __future__ import annotations

import re
from typing import NamedTuple

from searchinstruct_graph.models.offline.grammar import AUXILIARY, base_form, is_plural, pronoun_free
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import words


class Found(NamedTuple):
    """A question, the Bloom level it asks for, and how natural it tends to be (1 is best)."""

    question: str
    level: str
    quality: float


_CONNECTIVE = re.compile(
    r"^(?:(?:in conclusion|overall|moreover|furthermore|in addition|however|additionally|finally|notably|interestingly"
    r"|thus|therefore|consequently|importantly|surprisingly|similarly|conversely|(?:by|in) contrast|specifically|hence"
    r"|in summary|in general|nevertheless|nonetheless|indeed|also|first|second|third|accordingly|in fact|of"
    r" note|likewise"
    r"|conclusions?|results?|background|findings|as expected|unfortunately|fortunately|instead|then|in particular"
    r"|(?:in|on|by|using|after) (?:a |the )?(?:univariate|multivariate|multivariable|bivariate|adjusted"
    r"|logistic|linear|cox|final)"
    r"[\w -]{0,40}),? ?[,:] |and |but |yet )+",
    re.IGNORECASE,
)

_SAID = (
    r"(?:also |further |clearly |strongly |consistently )?(?:found|find|shows?|showed|shown|suggest(?:s|ed)?"
    r"|indicate[sd]?"
    r"|demonstrate[sd]?|conclude[sd]?|confirm(?:s|ed)?|observed|report(?:s|ed)?|reveal(?:s|ed)?|point(?:s|ed)?"
    r" out|support the (?:idea|view|hypothesis))"
)

_STUDY = (
    r"(?:results?|findings?|data|stud(?:y|ies)|analys[ei]s|observations?|evidence|work|report|paper|review"
    r"|models?|experiments?|tests?"
    r"|calculations?|regression|odds ratio|estimates|comparisons?|measurements?|examination|investigations?"
    r"|survey|trial|literature)"
)

_FRAME = re.compile(
    rf"^(?:we|the authors|(?:the |these |our |this )?(?:[\w-]+ ){{0,3}}?{_STUDY}(?: \([^()]*\))?(?: (?:of|from"
    r"|made|on|at|in)"
    rf" [^,;]{{3,60}}?)?)"
    rf" (?:have |has )?(?:clearly )?{_SAID} (?:from (?:its|their) results? )?that "
    r"|^it (?:is|was|has been|can be|may be) (?:also |thus |therefore )?(?:found|shown|concluded|observed"
    r"|demonstrated|seen|noted|established) that "
    r"|^(?:in|from) (?:this|our|the present|the current) (?:[\w-]+ ){0,2}(?:study|series|cohort|sample|review"
    r"|analysis|trial|population|survey"
    r"|setting|experience|paper|work|report),? ",
    re.IGNORECASE,
)


# An adverbial in front of the clause that the answer keeps and the question can do without.
FRONT = re.compile(
    r"^(?:on the basis of|based on|using|according to|despite|after adjust\w+|at follow-up|as (?:expected"
    r"|compared)|compared (?:with|to)) [^,]{3,110}, (?=\S+ \S+ \S+ \S+)",
    re.IGNORECASE,
)


def plain(sentence: str) -> str:
    """The statement itself: without "however", "we found that" or "in this study" in front of it."""
    for _ in range(3):
        shorter = _FRAME.sub("", _CONNECTIVE.sub("", sentence))
        if shorter == sentence:
            break
        sentence = shorter
    return sentence


OWN = re.compile(
    r"\b(?:we|our|us|i|my|you|your|this|these|those|it|its|they|their|them|he|she|his|her|both|former|latter"
    r"|respectively|such|others?|another|same"
    r"|there|here|whether|(?:study|control|two|three|four|each|all|other|second|first|treatment|intervention"
    r"|experimental|comparison|patient|the|between|among|of) (?:groups?|arms?|cohorts?)"
    r"|(?:two|three|four) (?:methods|types|cases|techniques)|respondents|participants|the (?:patients?"
    r"|subjects?|samples?|results?|data|differences?|changes?"
    r"|increase|decrease|effects?|outcomes?|analys[ei]s|methods?|study|model|tests?|present|survey|intervention"
    r"|procedures?|theory|problem|solution|technique"
    r"|authors?|report|investigation)(?! (?:of|for|in|on|between|with|who|undergoing|treated|receiving)\b))\b",
    re.IGNORECASE,
)

THOSE = re.compile(r"\bthose (?=who\b|of\b|with\b|without\b|in\b|that\b|having\b|receiving\b|from\b)", re.IGNORECASE)


def telling(text: str) -> int:
    """How many different words of `text` tell what it is about: neither function words nor the words of any study."""
    kept = {word for word in words(text) if len(word) > 1 and not is_stopword(word)} - _GENERIC
    return sum(not word.isdigit() for word in kept)


_GENERIC = frozenset(
    """
    patient patients group groups study studies result results mean median average overall total rate rates number numbers
    percent percentage level levels significant significantly difference differences increase increased decrease
    decreased higher lower high low value values score scores risk time times year years month months week weeks day days age
    women men male female subject subjects case cases control controls method methods effect effects outcome outcomes analysis
    associated association correlation correlated relationship related compare compared change changes case first second
    different used using use type types general main major important large small long short good better best new common
    present observed found data test tests treatment actual survival mortality size weight length duration removed reduction
    variable variables factor factors thing things kind part parts way
    way ways form forms example happens one two three baseline postoperative preoperative follow hospital length stay
    """.split()
)

_FINITE = AUXILIARY | frozenset(
    "does do did showed found remained became occurred had think thinks believe believes say says know knows"
    " want wants consider".split()
)


def names_itself(phrase: str, longest: int = 14) -> bool:
    """Whether a noun phrase says by itself what it is about, so that a question may be asked of it."""
    return whole_phrase(phrase, longest) and telling(phrase) >= 1


def whole_phrase(phrase: str, longest: int = 14) -> bool:
    """Whether the words may be one noun phrase that points at nothing outside of it; it may be as general as "women"."""
    parts = phrase.split()
    if not 1 <= len(parts) <= longest or phrase.count("(") != phrase.count(")") or phrase.count('"') % 2:
        return False
    small = [part.strip("(),").lower() for part in parts]
    if any(part in _FINITE for part in small) or OWN.search(phrase) or not pronoun_free(phrase):
        return False
    if _NO_PHRASE.search(phrase) or _cut_list(phrase):
        return False
    if small[0] in _NO_OPENING or small[-1] in _NO_ENDING or small[0].endswith("ly"):
        return False
    return len(parts) < 4 or parts[: len(parts) // 2] != parts[len(parts) // 2 :]


_NO_PHRASE = re.compile(
    r"^the (?:[a-z]+['’]s )?[a-z-]+$|^(?i:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\b)|^the"
    r" (?:recent )?(?:literature|evidence)$|,[\"”]|(?i:\ba an\b)|\b(?:of|in|for|on|by|to|with|from) the"
    r" [a-z-]+$"
    r"|[*;:<>=±]|\b(?:where|what|how|why|that)\b"
    r"|(?:^|, )(?:and|but|or|which|who|that|while|when|where|although|because|if)\b"
    r"|^(?:an?|the) (?:additional|certain|simple|new|similar|related|further|possible|single|whole|general"
    r"|present|given|special|growing|recent|alternate|alternative|second|first|last"
    r"|next|main|key|only|latest|current|previous|final|original|name|word|term|method|methods|approach"
    r"|procedure|technique|problem|aim|purpose|results?|type|kind|rest|use|idea|way)\b(?! [A-Z])"
)

_NO_OPENING = frozenset(
    """
    in on at by with for from to as after before during under over into upon without within between among about through
    while when where although because if since of that which who whether not only and or but than then using based given
    compared according despite unlike until out also one two three below above following
    some many most few several all any each every no none neither either more less
    """.split()
)

_NO_ENDING = frozenset(
    """
    of in on at by with for from to as and or but the a an that which who than more less significantly also not be been
    being its their very most such after before during between among considerable strong little great significant important exert
    """.split()
)


# What follows the point of a finding: numbers in brackets, statistics, comparisons.
_TAIL = re.compile(
    r"\s*(?:[:;] | (?:but|and) (?:is|are|was|were|has|have|had|can|may|did|does|do|should)\b| and \w+ly"
    r" (?:correlated|associated|related)\b|\([^()]*(?:\d|=|<|>|%)[^()]*\)?|\[[^\]]*\]?|[,;:]"
    r" ?(?:p ?[=<>]|or ?[=:]|rr ?[=:]|hr ?[=:]|r ?=|95 ?%|with|which|but|and|while|whereas|although|as"
    r"|respectively|compared|suggesting|indicating|n ?=)| (?:compared|relative|as compared|in comparison)"
    r" (?:with|to)\b|, ?(?:even|especially|particularly|including|such as|because|since|where|who|using"
    r"|although|though|yet|so|regardless|independent|after|before|when|if|unless|however)\b).*$",
    re.IGNORECASE,
)


def is_many(subject: str) -> bool:
    """Whether a noun phrase is plural by its head, before brackets and clauses."""
    head = re.split(
        r" (?:\(|who\b|that\b|undergoing\b|caused\b|without\b|treated\b|receiving\b|while\b|when\b|during\b"
        r"|after\b|between\b|among\b)",
        subject,
    )[0]
    return is_plural(head) or head.split()[-1].lower() in ("people", "children", "men", "women")


def trim(phrase: str) -> str:
    """The phrase without statistics and further clauses; empty where that would cut a list in two."""
    cut = _TAIL.search(phrase)
    kept = (phrase[: cut.start()] if cut else phrase).strip(" ,;:.")
    inside = cut and ", " in kept and re.match(r"\s*, ?(?:and|or)\b", cut.group())
    return "" if inside or _cut_list(kept) else kept


def _cut_list(phrase: str) -> bool:
    """Whether the phrase lists things without an "and" or "or" before the last one."""
    return ", " in phrase and not re.search(r"\b(?:and|or)\b", phrase.rsplit(", ", 1)[1])


STATISTICS = re.compile(
    r" ?[(\[][^()\[\]]{0,160}(?:[=<>%±]|\bCI\b|\d/\d|\bn\. ?s\.)[^()\[\]]{0,160}[)\]]| ?\(\d[\d.,–-]*\)"
)
"""Brackets that hold the numbers of a finding: a question does without them."""

INSERTED = re.compile(
    r", (?:however|therefore|thus|moreover|in turn|indeed|in fact|for example|on the other hand|in contrast|too),(?= )"
)


class Vocabulary(NamedTuple):
    """How a document writes its words inside of sentences: which with a capital, which small."""

    large: frozenset[str]
    small: frozenset[str]


NOTHING_KNOWN = Vocabulary(frozenset(), frozenset())
"""For a sentence without its document."""

_LARGE_INSIDE = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]*")

_SMALL = re.compile(r"\b[a-z][\w-]*")


def vocabulary(text: str) -> Vocabulary:
    """The words of `text` by how they are written."""
    return Vocabulary(frozenset(_LARGE_INSIDE.findall(text)), frozenset(_SMALL.findall(text)))


def lowered(sentence: str, known: Vocabulary) -> str:
    """With a small first letter, unless the document writes its first word large inside of sentences too."""
    first = re.match(r"[^\s,;:]+", sentence)
    if not first or not sentence[0].isupper() or first.group()[1:] != first.group()[1:].lower() or first.group() == "I":
        return sentence
    word = re.sub(r"['’]s$", "", first.group())
    if word.lower() not in _DETERMINING and (
        (word in known.large and word.lower() not in known.small)
        or re.match(r"\S+ [A-Z][a-z]", sentence)
        or (word.lower() not in known.small and re.match(r"\S+ (?:is|was|has|had)\b", sentence) and word in known.large)
    ):
        return sentence
    return sentence[0].lower() + sentence[1:]


_DETERMINING = frozenset(
    "the a an in on at by for no there all some most to of as patients women men children people".split()
)


def gerund_base(word: str) -> str:
    """The base form of a known verb from its -ing form; empty for anything else."""
    small = word.lower()
    if not small.endswith("ing") or len(small) < 6:
        return ""
    stem = small[:-3]
    doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else ""
    return next(
        (form for form in (stem, f"{stem}e", doubled) if form and (base_form(form) == form or form in _DEEDS)), ""
    )


_DEEDS = frozenset(
    """
    install configure upgrade deploy debug edit download upload connect log parse plan plant prune clean cook bake brew boil
    measure choose design draw paint repair mend fix assemble mount disassemble schedule register order book pay file apply
    train test monitor migrate backup merge commit clone fork package publish query filter sort group join rename encrypt
    sign authenticate render
    """.split()
)
"""What headings such as "Installing packages" tell how to do, beside the verbs of `grammar`."""
