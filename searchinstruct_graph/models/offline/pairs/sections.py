"""Pairs that the layout gives: questions with their answers in any script; commands, sections and procedures in English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from searchinstruct_graph.models.offline.grammar import base_form
from searchinstruct_graph.models.offline.pairs.layout import QUESTION_MARKS, Block, heading_text
from searchinstruct_graph.models.offline.pairs.page import (
    ENGLISH,
    LONGEST_ANSWER,
    POOR,
    Draft,
    Page,
    Sentence,
    block_text,
    fill,
    joined,
    tidy,
)
from searchinstruct_graph.models.offline.pairs.phrases import gerund_base, telling
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.text.standalone import unnamed
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, stems

# Questions that stand in the document, with what follows them.


def asked_in_text(page: Page) -> Iterator[Draft]:
    """Questions on a line of their own with what stands below, in any script; in English also inside of a paragraph."""
    for at, block in enumerate(page.blocks):
        raw = page.text[block.start : block.end]
        if block.kind == "heading" and raw.rstrip(" *_#")[-1:] in QUESTION_MARKS:
            question = " ".join(heading_text(raw).split())
            if (made := _below(page, at, 3)) and not unnamed(question) and not _MENU.match(question):
                yield Draft(question, made[1], made[0], "understand", 1.1)
    if page.english < ENGLISH:
        return
    for held in page.paragraphs.values():
        for at, sentence in enumerate(held[:-1]):
            asked = sentence.text
            if (
                asked.endswith("?")
                and _QUESTION.match(asked)
                and not _YOURS.search(asked)
                and telling(asked) >= 1
                and not unnamed(asked)
            ):
                answer = _from(page, held, at + 1, 4)
                if answer and not answer[1].endswith("?") and _speaks_of(asked, answer[1]):
                    yield Draft(asked, answer[1], answer[0], "understand", 0.95 if sentence.first else 0.8)


_YOURS = re.compile(r"\b(?:i|me|my|mine|we|us|our|your)\b", re.IGNORECASE)


def _speaks_of(question: str, answer: str) -> bool:
    return bool({stem for stem in stems(question) if not is_stopword(stem)} & set(stems(answer)))


_MENU = re.compile(r"(?:have|got|need|any|more|still|ready|want|looking|did you know|was this)\b", re.IGNORECASE)

_QUESTION = re.compile(
    r"(?:what|how|why|when|where|who|which|is|are|does|do|can|should|will)\b(?! (?:you|we|i|if|about|else|more"
    r"|happens next)\b)",
    re.IGNORECASE,
)


def _below(page: Page, at: int, most: int) -> tuple[Span, str] | None:
    """What stands under the heading `at` until the next one: at most `most` blocks, whole, as (span, text)."""
    taken: list[Block] = []
    for block in page.blocks[at + 1 : at + 1 + most]:
        leads = page.text[block.start : block.end].rstrip().endswith((":", "\uff1a"))
        if block.kind == "heading" or (taken and (leads or block.end - taken[0].start > LONGEST_ANSWER)):
            break
        taken.append(block)
        if block.kind == "paragraph" and not leads and block.end - taken[0].start > 400:
            break
    if not taken or taken[0].kind == "code":
        return None
    if taken[-1].end - taken[0].start > LONGEST_ANSWER:
        held = [sentence for sentence in page.sentences if taken[0].start <= sentence.span.start < taken[0].end]
        return _from(page, held, 0, 6) if held else None
    while taken and page.text[taken[-1].start : taken[-1].end].rstrip().endswith((":", "\uff1a")):
        taken.pop()
    if not taken:
        return None
    shown = "\n".join(block_text(page.text, block) for block in taken)
    return (Span(taken[0].start, taken[-1].end), shown) if not POOR.search(shown) else None


def _from(page: Page, held: Sequence[Sentence], at: int, most: int) -> tuple[Span, str] | None:
    """Up to `most` whole sentences of one block from number `at` on, while they are part of the answer."""
    taken: list[Sentence] = []
    for sentence in held[at : at + most]:
        if (
            sentence.text.endswith("?")
            or POOR.search(sentence.text)
            or (taken and sentence.span.end - taken[0].span.start > LONGEST_ANSWER)
        ):
            break
        taken.append(sentence)
    return joined(page, taken)


# Pages of commands: a description, then the command itself.

_COMMAND = re.compile(
    r"^[-*+] (?P<what>[^\n:`]{3,160}(?:`[^`\n]+`[^\n:`]{0,80}){0,4}):[ \t]*\n\s*?\n?["
    r" \t]*(?P<code>`[^`\n]{2,300}`|(?: {4}|\t)\S[^\n]{0,300}|\$ [^\n]{1,300})[ \t]*$",
    re.MULTILINE,
)


def commands(page: Page) -> Iterator[Draft]:
    """How to do with a command what the page describes, and what the command does."""
    matches = list(_COMMAND.finditer(page.text))
    if not matches:
        return
    opening = next(
        (heading_text(page.text[block.start : block.end]) for block in page.blocks[:2] if block.kind == "heading"), ""
    )
    name = opening or page.title
    if not 1 <= len(name) <= 40 or len(name.split()) > 4:
        return
    for found in matches:
        what = " ".join(re.sub(r"^\[\w+\] |\[(?=\w\]\w)|(?<=\[\w)\](?=\w)", "", found["what"]).split())
        first = what.split()[0]
        if not first.isalpha() or not _imperative(first):
            continue
        goal = re.split(r"(?<=\w{3})\. (?=[A-Z])", f"{first.lower()}{what[len(first) :]}")[0].rstrip(".")
        named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", goal, re.IGNORECASE)
        question = f"How do you {goal}{'' if named else f' with {name}'}?"
        # The mark of the list is left out, the description and the command stay as they stand.
        span = Span(found.start("what"), found.end("code"))
        yield Draft(question, " ".join(page.text[span.start : span.end].split()), span, "apply", 1.0)
    described = re.search(r"^> ([^\n<>]{10,200}\.)[ \t]*$", page.text, re.MULTILINE)
    if (
        described
        and not re.match(
            r"(?:See also|More information|Note|Some subcommands|This command is an alias)", described.group(1)
        )
        and name.isascii()
    ):
        yield Draft(
            f"What does the {name} command do?", tidy(described.group(1)), Span(*described.span(1)), "remember", 0.95
        )


def _imperative(word: str) -> bool:
    small = word.lower()
    return (
        small not in _NOT_VERBS
        and not is_stopword(small)
        and not small.endswith(("ing", "tion", "ed", "ly", "ment"))
        and (base_form(small) == small or len(small) > 2)
    )


_NOT_VERBS = frozenset(
    "note example examples default optional usage options for with using in on as when if alternatively".split()
)


# Sections whose heading says what they tell of the document's topic.

_HEADINGS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(rf"(?:{pattern})$", re.IGNORECASE), question, level)
    for pattern, question, level in (
        (r"(?:signs?(?: and|,| &)? )?symptoms?(?: and signs)?", "What are the symptoms of {t}?", "remember"),
        (r"(?:possible )?causes?|etiology|aetiology|pathogenesis", "What causes {t}?", "analyze"),
        (r"treatments?(?: options)?|therapy|management|treatment and management", "How {is} {t} treated?", "understand"),
        (r"diagnosis|tests and diagnosis|exams and tests|how (?:it|\w+) is diagnosed", "How {is} {t} diagnosed?", "understand"),
        (r"prevention", "How can {t} be prevented?", "apply"),
        (r"prognosis|outlook(?: \(prognosis\))?", "What is the outlook for people with {t}?", "understand"),
        (r"risk factors?", "What are the risk factors for {t}?", "analyze"),
        (r"(?:possible )?complications", "What are the complications of {t}?", "remember"),
        (r"epidemiology|frequency|prevalence|statistics", "How common {is} {t}?", "remember"),
        (r"inheritance(?: pattern)?|genetics", "How {is} {t} inherited?", "understand"),
        (r"side effects?|adverse effects?", "What are the side effects of {t}?", "remember"),
        (r"mechanism(?: of action)?|how it works", "How {does} {t} work?", "understand"),
        (r"etymology|origin of (?:the )?name", "Where does the name {t} come from?", "remember"),
        (r"geography|location", "Where {is} {t} located?", "remember"),
        (r"install(?:ation|ing)?", "How do you install {t}?", "apply"),
        (r"usage|how to use(?: it)?", "How do you use {t}?", "apply"),
        (r"advantages|benefits", "What are the advantages of {t}?", "analyze"),
        (r"disadvantages|drawbacks|limitations", "What are the limitations of {t}?", "analyze"),
        (r"uses|applications", "What {is} {t} used for?", "understand"),
        (r"types|kinds|classification", "What types of {t} are there?", "remember"),
    )
)  # fmt: skip

_HOW_TO = re.compile(r"how to (.+?)\??$", re.IGNORECASE)


def sections(page: Page) -> Iterator[Draft]:
    """What a section tells of the topic, or how to do what its heading names."""
    for at, block in enumerate(page.blocks):
        if block.kind != "heading":
            continue
        heading = " ".join(heading_text(page.text[block.start : block.end]).split())
        question, level = _heading_question(heading, page)
        if question and (made := _below(page, at, 3)) and len(made[1].split()) >= 8 and not _META.match(made[1]):
            yield Draft(question, made[1], made[0], level, 1.0)


_META = re.compile(r"(?:in )?(?:this|the following) (?:section|chapter|part|page|document)\b", re.IGNORECASE)


def _heading_question(heading: str, page: Page) -> tuple[str, str]:
    if found := _HOW_TO.match(heading):
        return (
            (f"How do you {found.group(1)[0].lower()}{found.group(1)[1:]}?", "apply")
            if telling(found.group(1)) >= 2
            else ("", "")
        )
    first, _, rest = heading.partition(" ")
    if (base := gerund_base(first)) and telling(rest) >= 1 and len(rest.split()) <= 7 and ":" not in rest:
        where = "" if telling(rest) >= 2 or not page.topic else f" in {page.topic}"
        return (f"How do you {base} {rest[0].lower() if rest[1:2].islower() else rest[0]}{rest[1:]}{where}?", "apply")
    if page.topic and normal_form(heading) != normal_form(page.title):
        bare = re.sub(rf" (?:of|for|with) (?:the )?{re.escape(page.topic)}$", "", heading, flags=re.IGNORECASE)
        for pattern, question, level in _HEADINGS:
            if pattern.match(bare):
                return fill(question, page.topic), level
    return "", ""


# A purpose, then the steps.

_LEAD = re.compile(
    r"(?:(?:in order )?to|if you (?:want|need|wish) to) ([a-z]+ [^,:]{4,90}?)(?:, [^:]{0,90}|(?:"
    r" in)?[^:]{0,20})?:$|(?:the )?steps (?:to|for) ([a-z]+ [^:]{4,90}?)(?: are(?: as follows)?)?:$",
    re.IGNORECASE,
)

_INCLUDE = re.compile(
    r"^(?:the )?((?:(?:common|main|most common|early|typical|possible|other|usual|key|major|signs? and|risk)"
    r" )*(?:symptoms?|signs?|causes|risk factors|complications|side effects|types|kinds|forms|stages|benefits"
    r"|advantages|disadvantages"
    r"|requirements|examples|features|components|steps|reasons|functions|treatments|tests|uses|goals|options"
    r"|factors|properties|principles|elements|parts)(?: of| for| that| in)?(?: [\w '’(),-]{2,80}?)?)"
    r" (?:include|are|may include|can include|includes|are as follows|may be|consist of)(?: the following| as"
    r" follows)?:$",
    re.IGNORECASE,
)


def procedures(page: Page) -> Iterator[Draft]:
    """Lists that a sentence introduces: steps towards a goal, or the parts, symptoms, benefits of something."""
    for before, block in pairwise(page.blocks):
        if block.kind != "list" or before.kind not in ("paragraph", "heading"):
            continue
        lead = tidy(page.text[before.start : before.end])
        sentence = re.split(r"(?<=[.!?]) ", lead)[-1]
        start = (
            page.text.rfind(sentence.split(" ")[0], before.start, before.end)
            if before.kind == "paragraph"
            else block.start
        )
        held = [each for each in page.sentences if before.start <= each.span.start < before.end]
        if before.kind == "paragraph" and held:
            start = held[-1].span.start
            sentence = held[-1].text
        if block.end - start > LONGEST_ANSWER or block.end - block.start < 20:
            continue
        question, level = _list_question(sentence, page)
        items = block_text(page.text, block)
        if question and not POOR.search(items):
            lines = [tidy(page.text[start : before.end])] if before.kind == "paragraph" else []
            yield Draft(question, "\n".join([*lines, items]), Span(start, block.end), level, 1.0)


def _list_question(sentence: str, page: Page) -> tuple[str, str]:
    if found := _LEAD.match(sentence):
        goal = (found.group(1) or found.group(2)).strip()
        return (
            (f"How do you {goal}?", "apply") if telling(goal) >= 2 and not unnamed(f"How do you {goal}?") else ("", "")
        )
    if found := _INCLUDE.match(sentence):
        what = found.group(1)
        what = f"{what[0].lower()}{what[1:]}"
        if telling(what) >= 2 and re.search(r" (?:of|for|in) ", what):
            return f"What are the {what}?", "remember"
        if page.topic and " " not in what.strip() and page.mention:
            return f"What are the {what} of {page.topic}?", "remember"
    return "", ""
