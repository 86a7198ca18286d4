"""Pairs of pages on a disease, a medicine or the like: its symptoms, causes, treatment. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from searchinstruct_graph.models.offline.pairs.page import (
    POOR,
    SHORTEST_ANSWER,
    UNNAMED_OPENING,
    Draft,
    Page,
    Sentence,
    fill,
    joined,
)
from searchinstruct_graph.text.sentences import Span

# What a page on a disease, a medicine or the like says of its topic.

_ABOUT_HEALTH = re.compile(
    r"\b(?:diseases?|disorders?|syndrome|symptoms?|infections?|patients?|cancer|diagnos\w+|inherited|medicines?"
    r"|treatment)\b",
    re.IGNORECASE,
)

_NO_CURE = (
    r"there (?:is|are) (?:currently |presently |also )?no (?:known |specific |standard |effective |single )*(?:cure"
    r"|treatment|therapy|treatments)"
)

_CUES: tuple[tuple[re.Pattern[str], str, str, float], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), question, level, quality)
    for pattern, question, level, quality in (
        (
            r"\b(?:signs?(?: and|,| or) symptoms?|symptoms?|features) (?:of [^.]{2,80}? |in [^.]{2,50}? )?(?:may "
            r"|can |often |usually |commonly |typically |also )*(?:include|are|vary|range|develop|appear|begin"
            r"|consist)\b",
            "What are the symptoms of {t}?",
            "remember",
            1.0,
        ),
        (
            r"^[^.]{2,120}?\b(?:is|are|can be|may be) (?:\w+ )?caused by\b|\b(?:the )?(?:exact |main |most common "
            r"|underlying )*causes? of [^.]{2,80} (?:is|are)\b|\bmutations? in [^.]{2,120} causes? \b|\bis due to\b",
            "What causes {t}?",
            "analyze",
            1.0,
        ),
        (
            r"\binherited (?:in|as) an?\b|\b(?:is|are) not inherited\b|\b(?:autosomal|x-linked) (?:dominant"
            r"|recessive)(?: pattern| manner| fashion| inheritance)",
            "How {is} {t} inherited?",
            "understand",
            1.0,
        ),
        (
            r"\b(?:affects?|occurs? in|seen in|found in|estimated (?:to|at|that)|diagnosed in|reported in"
            r"|prevalence|incidence)\b[^.]{0,80}\b(?:1 in|one in|\d[\d,.]* (?:people|individuals|newborns|births"
            r"|children|cases|families|per|in|women|men|live)|per \d)|\b\d[\d,]* (?:cases|people|affected"
            r" individuals|families|individuals)[^.]{0,40} (?:have been|are|were) (?:reported|described|identified"
            r"|diagnosed)|\bprevalence (?:of [^.]{2,60} )?is unknown",
            "How common {is} {t}?",
            "remember",
            1.0,
        ),
        (
            r"\btreatment (?:for|of|options|is|includes?|may|usually|focuses|involves|consists|depends|generally"
            rf"|typically|with)\b|\btreatments? (?:for [^.]{{2,60}} )?(?:include|are|may)|\b(?:is|are|can be|may"
            rf" be) (?:\w+ )?treated (?:with|by|using)|\b(?:used|given|prescribed) to treat\b|{_NO_CURE}",
            "How {is} {t} treated?",
            "understand",
            1.0,
        ),
        (
            r"\b(?:is|are|can be|may be) (?:\w+ )?diagnosed (?:by|with|using|based|through|when|after|from)"
            r"|\bdiagnosis (?:of [^.]{2,60} )?(?:is|can be|may be) (?:\w+ )?(?:based|made|confirmed|established"
            r"|suspected)|\bto diagnose\b",
            "How {is} {t} diagnosed?",
            "understand",
            1.0,
        ),
        (
            r"\bprognosis\b[^.]{0,60}\b(?:is|for|depends|varies)\b|\blife expectancy\b|\b(?:most|many) (?:people"
            r"|patients|individuals|children)[^.]{0,60} (?:recover|get better|live)\b|\bthe outlook\b",
            "What is the outlook for people with {t}?",
            "understand",
            0.95,
        ),
        (
            r"\b(?:can|may|could) (?:\w+ )?(?:be )?prevent(?:ed)?\b|\bto (?:help )?prevent\b|\b(?:lower|reduce)"
            r" (?:your|the) (?:risk|chances)\b|\bbest way to (?:prevent|avoid)\b",
            "How can {t} be prevented?",
            "apply",
            0.9,
        ),
        (
            r"\b(?:greater|higher|increased|high|at) risk (?:for|of)\b|\brisk factors? (?:for|include|of)\b|\bmore"
            r" (?:likely|common|often|frequently) (?:to (?:get|develop|have)|in|among)\b",
            "Who is at risk for {t}?",
            "analyze",
            0.9,
        ),
        (
            r"\bcomplications (?:of [^.]{2,60} )?(?:may |can )?(?:include|are)\b|\bcan lead to\b",
            "What complications can {t} cause?",
            "analyze",
            0.85,
        ),
        (
            r"\b(?:spreads?|transmitted|contagious|passed) (?:\w+ )?(?:from|through|by|to|when|via|between)\b",
            "How {does} {t} spread?",
            "understand",
            0.9,
        ),
        (
            r"\b(?:supports?|conducts?|fund(?:s|ing)) (?:\w+ )*research\b|\bresearch(?:ers)? (?:\w+ )?(?:is|are)"
            r" (?:\w+ )?(?:aimed|focused|studying|working|looking|testing|investigating)",
            "What research is being done on {t}?",
            "remember",
            0.9,
        ),
        (
            r"\bthere are (?:two|three|four|five|six|seven|several|many|\d+) (?:main |major |basic |different "
            r"|known )*(?:types|kinds|forms|stages|subtypes)\b",
            "What are the types of {t}?",
            "remember",
            0.9,
        ),
    )
)


def topic_cues(page: Page) -> Iterator[Draft]:
    """What the topic of a titled page is, and for each cue the first sentences that tell of it."""
    if not page.title or page.named_at(page.text) < 0 or len(_ABOUT_HEALTH.findall(page.text[:8_000])) < 2:
        return
    yield from _what_it_is(page)
    asked: set[str] = set()
    for held in page.paragraphs.values():
        for at, sentence in enumerate(held):
            if (
                not SHORTEST_ANSWER <= len(sentence.text.split()) <= 70
                or POOR.search(sentence.text)
                or sentence.text.endswith("?")
            ):
                continue
            for pattern, question, level, quality in _CUES:
                if question in asked or not (found := pattern.search(sentence.text)):
                    continue
                if "research" not in question and _RESEARCH.search(sentence.text):
                    continue
                if not _of_topic(page, sentence, found) or _SEVERAL.search(sentence.text):
                    continue
                made = _around(page, held, at, pattern)
                if made is None:
                    continue
                asked.add(question)
                yield Draft(fill(question, page.topic), made[1], made[0], level, quality)
                break


_SEVERAL = re.compile(r"\bthese (?:disorders|families|conditions|tumors|cases|diseases|syndromes)\b", re.IGNORECASE)

_RESEARCH = re.compile(r"\b(?:research(?:ers)?|scientists|clinical trials?|investigators|NIH|NINDS|studies are)\b")

_OTHER = re.compile(
    r"\b(?:of|for|with) (?!the\b|this\b|these\b|people\b|patients\b|individuals\b|children\b|adults\b|an?\b)",
    re.IGNORECASE,
)


def _of_topic(page: Page, sentence: Sentence, cue: re.Match[str]) -> bool:
    """Whether the cue speaks of the topic: it is named in the sentence, or nothing else is."""
    if sentence.about or page.named_at(sentence.text) >= 0:
        return True
    if re.search(
        r"\b(?:this|the) (?:disease|disorder|syndrome|condition|infection|cancer|illness)\b",
        sentence.text,
        re.IGNORECASE,
    ):
        return True
    said, rest = sentence.text[: cue.end()], sentence.text[cue.end() :].lstrip()
    return cue.start() <= 15 and not _OTHER.search(said) and not _OTHER.match(rest)


_FOLLOWS_UP = re.compile(
    r"(?:this|these|it|they|its|their|such|other (?:symptoms|signs|treatments|causes|common|features)|some"
    r" (?:people|patients|individuals|of)|in (?:addition|some|most|rare|many|severe)|also|additional"
    r"|additionally"
    r"|less common(?:ly)?|however|for example|symptoms|treatment|most|medications?|surgery|as a result|if|when"
    r"|because|affected|children|people|patients|individuals|the (?:symptoms|disease|condition|disorder"
    r"|signs))\b",
    re.IGNORECASE,
)


def _around(page: Page, held: Sequence[Sentence], at: int, cue: re.Pattern[str]) -> tuple[Span, str] | None:
    """The sentence and those after it that go on about the same; the one before it too where it points back."""
    first = at
    if UNNAMED_OPENING.match(held[at].text) and not held[at].about:
        if at == 0:
            return None
        first = at - 1
    taken = list(held[first : at + 1])
    if any(POOR.search(sentence.text) for sentence in taken):
        return None
    for sentence in held[at + 1 : at + 4]:
        size = sentence.span.end - taken[0].span.start
        if size > 600 or POOR.search(sentence.text) or sentence.text.endswith("?"):
            break
        if cue.search(sentence.text):
            taken.append(sentence)
            continue
        if not _FOLLOWS_UP.match(sentence.text) or any(pattern.search(sentence.text) for pattern, *_ in _CUES):
            break
        taken.append(sentence)
    return joined(page, taken)


def _what_it_is(page: Page) -> Iterator[Draft]:
    """What the topic is: the opening sentence that says so, with what goes on about it."""
    for sentence in page.sentences[:6]:
        at = page.named_at(sentence.text)
        if not 0 <= at <= 12 or not _SAYS_WHAT.match(sentence.text[at:]):
            continue
        if POOR.search(sentence.text) or len(sentence.text.split()) < SHORTEST_ANSWER:
            continue
        held = page.paragraphs[sentence.block]
        made = _around(page, held, held.index(sentence), _NEVER)
        if made:
            yield Draft(fill("What {is} {t}?", page.topic), made[1], made[0], "remember", 1.05)
        return


_SAYS_WHAT = re.compile(
    r".{0,150}?\b(?:(?:is|are) (?:(?:usually|often|actually|really) )?(?:an?|the|one of|any|another"
    r"|characterized|characterised|when)\b(?! (?:most |only )?(?:common )?(?:important|contributing|factor"
    r"|cause))"
    r"|refers? to|occurs? when|affects?|causes?|means)\b"
)

_NEVER = re.compile(r"(?!)")
