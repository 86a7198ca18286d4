"""The skills that a dataset needs: keywords, questions of passages, seeds in other words. Extractive like the rest."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.offline.asking import Ask, askable, asks, pair_asks, reworded
from searchinstruct_graph.models.offline.choose import answers, candidates, chain, shaken
from searchinstruct_graph.models.offline.grammar import AUXILIARY, base_form, is_participle
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.support.reading import word_weight
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import normal_form, stems, words

NEAR_TIE = 0.15
"""Questions whose quality differs by less are near-ties: a call's seed chooses among them."""

FITTING = 0.5
"""Quality from which a question may be asked."""

MADE_OF_SEEDS = 0.3
"""Share of an expansion that rewords or joins seeds; the rest asks the passages."""


def write_question(task: Task) -> dict[str, Any]:
    """The best question of the level that the passages answer about the keywords; empty when there is none."""
    level = task.attribute("level", "bloom")
    keywords = [tag.text for tag in task.all("keyword")]
    known = {normal_form(tag.text) for tag in task.all("known")}
    draw = random.Random(task.seed)
    best: tuple[float, str] = (FITTING, "")
    for page in task.all("passage"):
        title = page.attributes.get("title", "")
        if not any(_about(keyword, f"{title} {page.text}") for keyword in keywords):
            continue
        found = asks(page.text, title)
        if len(keywords) > 1:
            found = [ask for ask in found if all(_about(keyword, ask.sentence) for keyword in keywords)]
            found += [ask for sentence in askable(page.text) for ask in pair_asks(sentence, keywords[0], keywords[1])]
        # What has been asked of a sentence has its answer already, whatever the level.
        used = {ask.sentence for ask in found if normal_form(ask.question) in known}
        for ask in found:
            if ask.level != level or ask.sentence in used:
                continue
            near = max(_nearness(keyword, ask, title) for keyword in keywords)
            score = ask.quality + near + draw.uniform(0, NEAR_TIE * min(1.0, task.temperature))
            best = max(best, (score, ask.question))
    return {"question": best[1]}


def _about(keyword: str, text: str) -> bool:
    return set(stems(keyword)) <= set(stems(text))


def _nearness(keyword: str, ask: Ask, title: str) -> float:
    """How far a question is about a keyword: it names it, its sentence does, the page's title does, or not at all."""
    if _about(keyword, ask.question):
        return 0.3
    if _about(keyword, ask.sentence):
        return 0.1
    return 0.05 if _about(keyword, f"{title} {ask.sentence}") else 0.0


def expand(task: Task) -> dict[str, Any]:
    """Some seeds reworded or joined, then questions that the passages answer, of the wanted kinds first."""
    seeds = [tag.text for tag in task.all("seed")]
    count = int(task.attribute("wanted", "count") or 5)
    kinds = [kind.strip() for kind in task.attribute("wanted", "kinds").split(",")]
    known = {normal_form(tag.text) for tag in task.all("known")} | {normal_form(seed) for seed in seeds}
    draw = random.Random(task.seed)
    asked = _asked(task, kinds, draw)
    made = list(_of_seeds(seeds, draw))
    share = min(len(made), max(1, round(count * MADE_OF_SEEDS))) if asked else len(made)
    questions: list[dict[str, Any]] = []
    for entry in [*made[:share], *asked, *made[share:]]:
        if normal_form(entry["text"]) not in known and len(questions) < count:
            known.add(normal_form(entry["text"]))
            questions.append(entry)
    return {"questions": questions}


def _asked(task: Task, kinds: Sequence[str], draw: random.Random) -> list[dict[str, Any]]:
    """Questions of the passages as (new) instructions: wanted kinds first, one a sentence."""
    every = [
        (number, ask)
        for number, page in enumerate(task.all("passage"))
        for ask in asks(page.text, page.attributes.get("title", ""))
    ]
    found = [
        (ask.quality + 0.4 * (ask.kind in kinds) + draw.uniform(0, NEAR_TIE), number, ask)
        for number, ask in every
        if ask.quality >= FITTING
    ]
    known = {normal_form(tag.text) for tag in task.all("known")}
    told = {ask.sentence for _, ask in every if normal_form(ask.question) in known}
    chosen: list[dict[str, Any]] = []
    for _, _, ask in sorted(found, key=lambda entry: (-entry[0], entry[1])):
        if ask.sentence not in told:
            told.add(ask.sentence)
            chosen.append({"text": ask.question, "operation": "new", "seeds": [], "kind": ask.kind})
    return chosen


def _of_seeds(seeds: Sequence[str], draw: random.Random) -> Iterator[dict[str, Any]]:
    order = list(range(len(seeds)))
    draw.shuffle(order)
    for at in order:
        other = reworded(seeds[at])
        if other and _otherwise(other, seeds[at]):
            yield {"text": other, "operation": "paraphrase", "seeds": [at + 1], "kind": ""}
            break
    for first, second in combinations(order, 2):
        # Two questions that have nothing to do with each other make no third one.
        if _content(seeds[first]) & _content(seeds[second]):
            text = _joined(seeds[first], seeds[second])
            yield {"text": text, "operation": "combination", "seeds": [first + 1, second + 1], "kind": ""}


NEAR = 0.92
"""Cosine from which a rewording is the seed over again."""


def _otherwise(other: str, seed: str) -> bool:
    one, two = embeddings("wordllama").embed([other, seed])
    return float(one @ two) < NEAR


def _content(text: str) -> set[str]:
    return {stem for word in words(text) if not is_stopword(word) for stem in stems(word)}


def _joined(one: str, other: str) -> str:
    """Two questions as one: in English as one sentence, elsewhere one after the other."""
    first, second = one.strip(), other.strip()
    if first.isascii() and second.isascii() and first.endswith("?") and _opens_with_question_word(second):
        return f"{first[:-1]}, and {second[0].lower()}{second[1:]}"
    return f"{first} {second}"


def _opens_with_question_word(text: str) -> bool:
    return bool(re.match(r"(?:what|how|why|when|where|which|who|is|are|does|do|can|should)\b", text, re.IGNORECASE))


# Keywords.

_PHRASE = re.compile(r"[^\W\d_][\w’'-]*(?:\s+[^\W\d_][\w’'-]*)*")
_ARTICLE = ("the", "a", "an", "each", "every", "any", "some", "no", "of", "for", "all")


def name_keywords(task: Task) -> dict[str, Any]:
    """The noun phrases of the passages: what stands between function words and verbs, often, and after an article."""
    count = int(task.attribute("wanted", "count") or 10)
    known = set(task.text("known").split(", "))
    return {"keywords": [phrase for phrase in noun_phrases(task.all("passage")) if phrase not in known][:count]}


def noun_phrases(passages: Sequence[Any]) -> list[str]:
    """Noun phrases of up to three words, those that tell most first."""
    counts: Counter[str] = Counter()
    articles: Counter[str] = Counter()
    for page in passages:
        for sentence in askable(page.text) if page.text.isascii() else [page.text]:
            for phrase, article in _phrases(sentence.replace('"', " ").replace("*", " ")):
                counts[phrase] += 1
                articles[phrase] += article

    def worth(phrase: str) -> float:
        weight = sum(map(word_weight, phrase.split())) / 10
        return weight * (1 + 0.5 * min(counts[phrase], 4)) * (1.5 if " " in phrase else 1.0)

    kept = [phrase for phrase in counts if articles[phrase] or not phrase.isascii()]
    return sorted(kept, key=lambda phrase: (-worth(phrase), phrase))


def _phrases(sentence: str) -> Iterator[tuple[str, bool]]:
    for run in _PHRASE.findall(sentence):
        held: list[str] = []
        before = ""
        for word in [*run.split(), "."]:
            small = word.lower()
            if word != "." and not _ends_phrase(small):
                held.append(word if word[1:] != word[1:].lower() else small)
                continue
            if held and len(held) <= 3 and len(held[-1]) > 2 and not _no_noun(held[-1]):
                yield " ".join(held), before in _ARTICLE
            held, before = [], small


def _ends_phrase(word: str) -> bool:
    return is_stopword(word) or word in AUXILIARY or word.endswith("ly") or word in _GENERAL


_ADJECTIVE = re.compile(r"(?:al|ous|ive|able|ible|ful|less|ic|ary|within|inside|along)$")


def _no_noun(word: str) -> bool:
    return (
        bool(_ADJECTIVE.search(word))
        or is_participle(word)
        or (bool(base_form(word)) and word.endswith("s"))
        or len(word) < 3
    )


_GENERAL = frozenset(
    "following same different possible first second last next other example way case cases thing things kind kinds number "
    "part parts one two three several many use used using called e.g i.e also may certain given whole new".split()
)


def subtopics(task: Task) -> dict[str, Any]:
    """What the passages speak about."""
    count = int(task.attribute("wanted", "count") or 10)
    titles = list(dict.fromkeys(page.attributes.get("title", "") for page in task.all("passage")))
    found = [title for title in titles if title] + noun_phrases(task.all("passage"))
    return {"subtopics": list(dict.fromkeys(found))[:count]}


def suggest(task: Task) -> dict[str, Any]:
    """Questions that the passages answer, of different kinds."""
    count = int(task.attribute("wanted", "count") or 5)
    found = _asked(task, [], random.Random(task.seed))
    taken: Counter[str] = Counter()
    chosen: list[dict[str, str]] = []
    for entry in found:
        if taken[entry["kind"]] * 3 <= count and len(chosen) < count:
            taken[entry["kind"]] += 1
            chosen.append({"text": entry["text"], "kind": entry["kind"]})
    return {"questions": chosen}


def respond(task: Task) -> dict[str, Any]:
    """The quotes that answer, or nothing: without sources there is nothing to extract an answer from."""
    question = task.text("question")
    picked = chain(question, shaken(candidates(question, task.all("quote")), task.temperature, task.seed))
    if not answers(question, picked):
        return {"response": ""}
    return {"response": " ".join(" ".join(candidate.text.split()) for candidate in picked)}


SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "Expansion": expand,
    "Keywords": name_keywords,
    "Response": respond,
    "SeedSuggestions": suggest,
    "Subtopics": subtopics,
    "WrittenQuestion": write_question,
}
