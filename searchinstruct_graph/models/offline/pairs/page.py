"""A document as the rules of extraction see it: its blocks, its sentences, its topic. Layout is read in any script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from searchinstruct_graph.models.offline.grammar import is_plural
from searchinstruct_graph.models.offline.pairs.layout import Block, blocks
from searchinstruct_graph.models.offline.pairs.phrases import Vocabulary, names_itself, vocabulary
from searchinstruct_graph.text.compare import script
from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.stopwords import is_stopword, language_of
from searchinstruct_graph.text.words import words

LONGEST_ANSWER = 1_100
"""Characters of an answer that is made of several sentences."""

ENGLISH = 0.12
"""Share of function words from which a text is English prose; pages of commands hold fewer."""

SHORTEST_ANSWER = 6
"""Words of a sentence that may be an answer."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair before it is chosen; `span` is where its evidence stands, one piece of the text."""

    question: str
    answer: str
    span: Span
    level: str
    quality: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document."""

    span: Span
    text: str
    """White space folded, spaces before marks taken out."""
    block: int
    first: bool
    about: bool
    """Whether its subject is the document's topic: by name, or by a pronoun that follows the name."""


class Page:
    """One document as the rules see it."""

    def __init__(self, text: str, title: str) -> None:
        self.text = text
        self.title = " ".join(title.split()).strip(" .")
        self.blocks: list[Block] = blocks(text)

    @cached_property
    def english(self) -> float:
        """Share of English function words where the letters are Latin and no other language has more; 0 elsewhere."""
        sample = self.text[:2_000]
        return _english_share(sample) if script(sample[:200]) == "latin" and language_of(sample) == "en" else 0.0

    @cached_property
    def known(self) -> Vocabulary:
        """How the text writes its words inside of sentences."""
        return vocabulary(self.text)

    @cached_property
    def short_forms(self) -> dict[str, str]:
        """The short forms that the text explains, with their long ones."""
        return _short_forms(self.text)

    @cached_property
    def topic(self) -> str:
        """What the document is about, as it is written inside of a sentence; empty when the title does not say."""
        title = re.sub(r"\s*\([^()]*\)$", "", self.title) or self._first_subject()
        if (
            not 1 <= len(title.split()) <= 9
            or len(title) > 90
            or re.search(r"[?!:;|>]|\. |^(?:how|why|what)\b", title, re.I)
        ):
            return ""
        if any(word in _FINITE for word in title.lower().split()):
            return ""
        small = title[0].lower() + title[1:]
        for form in (title.lower(), small):
            if form != title and re.search(rf"(?<=[a-z,;] ){re.escape(form)}\b", self.text):
                return form
        return title

    def _first_subject(self) -> str:
        """What an untitled text opens with: the subject of its first sentence."""
        found = _FIRST_SUBJECT.match(self.text)
        subject = found.group(1).strip() if found else ""
        if not names_itself(f"{subject[:1].lower()}{subject[1:]}", 6):
            return ""
        bare = re.sub(r"^(?:an?|the) (?=[a-z])", "", subject, flags=re.IGNORECASE)
        first = bare.split()[0]
        seen_small = first.lower() in self.known.small or _COMMON_ENDING.search(bare)
        common = bare[1:] == bare[1:].lower() and bool(seen_small) and first not in self.known.large
        return bare[0].lower() + bare[1:] if common else bare

    @cached_property
    def mention(self) -> re.Pattern[str] | None:
        """The topic's names: the title, and the short form that the text gives it."""
        if not self.topic:
            return None
        names = [self.topic]
        found = re.search(rf"{re.escape(self.topic)}s? ?\(\s?\"?([A-Z][\w-]{{1,10}})\"?\s?\)", self.text, re.IGNORECASE)
        if found:
            names.append(found.group(1))
        if found := re.search(r"\(([^()]{2,20})\)$", self.title):
            names.append(found.group(1))
        # A person is called by the last name later on.
        if len(parts := self.topic.split()) in (2, 3) and all(part[0].isupper() for part in parts):
            names.append(parts[-1])
        return re.compile(
            "|".join(rf"\b{re.escape(name)}(?:s|es)?\b" for name in names if name[0].isalnum()) or r"(?!)",
            re.IGNORECASE,
        )

    @cached_property
    def opening(self) -> re.Pattern[str]:
        """The topic where a sentence opens with it, quoted or not."""
        return re.compile(rf"[\"“']?{re.escape(self.topic)}[\"”']?(?=[ ,])", re.IGNORECASE)

    @cached_property
    def sentences(self) -> list[Sentence]:
        """The sentences of the paragraphs and lists, in order."""
        found: list[Sentence] = []
        for at, block in enumerate(self.blocks):
            if block.kind not in ("paragraph", "list"):
                continue
            about = False
            for number, span in enumerate(sentences(self.text[block.start : block.end])):
                place = Span(span.start + block.start, span.end + block.start)
                folded = tidy(self.text[place.start : place.end])
                about = self._about(folded, about or (number == 0 and not found))
                found.append(Sentence(place, folded, at, number == 0, about))
        return found

    @cached_property
    def _title_words(self) -> frozenset[str]:
        return frozenset(word for word in words(self.topic) if not is_stopword(word))

    def named_at(self, sentence: str) -> int:
        """Where the sentence names the topic, in characters; -1 when it does not. "Type 1 diabetes" names "Diabetes Type 1"."""
        if self.mention is None:
            return -1
        if found := self.mention.search(sentence):
            return found.start()
        if len(self._title_words) > 1 and self._title_words <= set(words(sentence[:100])):
            return 0
        return -1

    def _about(self, sentence: str, before: bool) -> bool:
        return 0 <= self.named_at(sentence) <= 25 or (before and bool(_POINTS_BACK.match(sentence)))

    @cached_property
    def paragraphs(self) -> dict[int, list[Sentence]]:
        """The sentences of each block, by its number."""
        held: dict[int, list[Sentence]] = {}
        for sentence in self.sentences:
            held.setdefault(sentence.block, []).append(sentence)
        return held


_COMMON_ENDING = re.compile(r"(?:tion|ment|ness|ity|ism|sis|ance|ence|logy|ure|ing|itis|[^s]s)$")

_FIRST_SUBJECT = re.compile(
    r"\s*((?:The |An? )?[^\W\d_][^,;:.()\n]{1,60}?)(?: ?\([^()]{1,60}\))?,? (?:is|are|was|were|belongs?|refers?"
    r"|means?)\b"
)

_FINITE = frozenset("is are was were has have does do did can will should".split())

_POINTS_BACK = re.compile(
    r"(?:it|he|she|they|its|his|her|their|the (?:disease|disorder|syndrome|condition|infection|virus|film|movie"
    r"|song|album|book|novel|series|show"
    r"|city|town|country|river|island|band|company|team|game|building|bridge|tool|command|language|program)"
    r"|this (?:disease|disorder|syndrome|condition|infection|type|form|species|drug|medicine|medication))\b",
    re.IGNORECASE,
)


def _english_share(sample: str) -> float:
    found = words(sample)
    return sum(word in _ENGLISH for word in found) / max(1, len(found))


_ENGLISH = frozenset(
    "the a an of to and in is are was were for with on by that this it as from be or not at which can".split()
)

_BEFORE_MARK = re.compile(
    r" +(?=[,;:.?!)\]](?:\s|$|[,;:.?!)\]]))|(?<=[(\[]) +|(?<=\w) (?=['’](?:s|t|re|ve|ll|d|m)\b)|(?<=\w) (?=n['’]t\b)"
)

_TOKENISED = re.compile(r"`` ?([^`']{1,200}?) ?''(?!')")


def tidy(text: str) -> str:
    """The text as one line: white space folded, and none left before closing marks (as tokenised text has it)."""
    folded = _BEFORE_MARK.sub("", " ".join(text.split()))
    return _TOKENISED.sub(r'"\1"', folded) if "``" in folded else folded


def block_text(text: str, block: Block) -> str:
    """A block as it is shown in an answer: a paragraph on one line, lists and code line by line."""
    raw = text[block.start : block.end]
    if block.kind == "paragraph":
        return tidy(raw)
    return "\n".join(line.rstrip() for line in raw.splitlines() if line.strip())


POOR = re.compile(
    r"\b(?:click|see (?:also|the|our|page|section|below)|visit|more information|table below|listed below|shown"
    r" below|following (?:list|table|figure)|dictionary|web ?sites?|copyright|Human Phenotype Ontology"
    r"|subscribe|read more|learn more|call us|contact us|sign up|log in|this (?:post|page|article|section"
    r"|chapter|guide|topic|fact sheet|document|PEP|video|list|table)|key points|top of page)\b"
    r"|[ÃÂÙØÐ][\u0080-\u00bf]|â[\u0080-\u20ff]|,\.$|https?://|www\.|@\w|\{\{|::|\[\d+\]|…",
    re.IGNORECASE,
)


def joined(page: Page, taken: Sequence[Sentence]) -> tuple[Span, str] | None:
    """Neighbouring sentences as one answer; None when they break off."""
    kept = list(taken)
    while kept and (kept[-1].text.endswith(":") or not ENDS.search(kept[-1].text)):
        kept.pop()
    if not kept or len(" ".join(sentence.text for sentence in kept).split()) < 3:
        return None
    return Span(kept[0].span.start, kept[-1].span.end), " ".join(sentence.text for sentence in kept)


ENDS = re.compile(r"[.!?\u3002\uff01\u061f\u06d4][\"'”’»)\]]*$")

_SINGULAR = (
    "itis", "osis", "us", "ss", "is", "diabetes", "rabies", "herpes", "scabies", "measles", "mumps", "aids", "rickets"
)  # fmt: skip


def plural_topic(topic: str) -> bool:
    """Whether a topic takes "are": "rabies" and "Super Mario Brothers" do not."""
    if " and " in topic and not topic.endswith("s"):
        return False
    return is_plural(topic) and not topic.lower().endswith(_SINGULAR) and not re.search(r" [A-Z]", topic)


def fill(question: str, topic: str) -> str:
    """A question pattern with the topic as `{t}` and its verbs as `{is}` and `{does}`."""
    is_, does = ("are", "do") if plural_topic(topic) else ("is", "does")
    return question.format(t=topic, **{"is": is_, "does": does})


UNNAMED_OPENING = re.compile(
    r"(?:it|they|these|this(?! (?:disease|disorder|syndrome|condition|infection|illness|cancer)\b)|those|that"
    r"|such|he|she|its|their"
    r"|however|therefore|thus)\b",
    re.IGNORECASE,
)

WE = re.compile(r"\b(?:we|our|us|i|my)\b", re.IGNORECASE)

_SHORT_FORM = re.compile(r"\( ?([A-Z][A-Za-z0-9-]{1,9}?)s? ?\)")


def _short_forms(text: str) -> dict[str, str]:
    """The short forms that the text explains, each with its long one: its letters are the first letters of the words."""
    found: dict[str, str] = {}
    for match in _SHORT_FORM.finditer(text):
        letters = [letter.lower() for letter in match.group(1) if letter.isalpha()]
        parts = re.findall(r"[\w'’-]+", text[max(0, match.start() - 120) : match.start()])[-6:]
        for size in range(len(parts), 1, -1):
            tail = parts[-size:]
            pieces = [piece[0].lower() for part in tail for piece in part.split("-") if piece]
            if letters in (pieces, [part[0].lower() for part in tail]) and not is_stopword(tail[0].lower()):
                found.setdefault(match.group(1), " ".join(tail))
    return found
