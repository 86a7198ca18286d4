"""Are final answers read and compared rightly, and what does the self-consistency vote buy?

    python -m benchmarks.voting --data FOLDER [--repeats 2] [--seed 0] [--svg FILE]

FOLDER holds `bbh-logic`, `gsm8k`, `gsm8k-decontamination` and `multihop-qa`. Three parts:

* Extraction: around every gold answer, responses in many styles with the other options, a sentence that begins with the
  article "A", and further numbers in the reasoning. Beside it stands what published pipelines fall back to: the first
  capital that stands alone, the last number compared as a string.
* The vote: a scripted sampler that is right with a probability p of its own for each item, p drawn from Beta(2, 1.5),
  abstains in 5 % of the samples, and else gives one of four plausible wrong answers. The share of items kept and their
  accuracy against the threshold, beside the exact expectation, and the samples that stopping early saves.
* Open answers: how often two wordings of one text are linked, and two different answers to one question.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from searchinstruct_graph.datasets.voting import decided, open_vote, tally
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.answers import Form, final_answer, same_answer

LETTERS = "ABCDEFGHIJ"
THRESHOLDS = [round(0.1 * step, 1) for step in range(2, 11)]
ALPHA, BETA, ABSTAINING, WRONG = 2.0, 1.5, 0.05, 4


@dataclass
class Item:
    """A question of known answer; for a choice, the gold letter and the options' texts."""

    source: str
    form: Form
    gold: str
    options: list[str] = field(default_factory=list)
    solution: str = ""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    yield from map(json.loads, (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines())


def items(data: Path) -> list[Item]:
    """Every item of the data sets in the form that it would be asked in."""
    found: list[Item] = []
    for name in ("date_understanding", "logical_deduction_five_objects", "formal_fallacies", "object_counting"):
        for row in _lines(data / "bbh-logic" / f"{name}.jsonl"):
            if name == "object_counting":
                found.append(Item(name, "number", row["target"]))
            elif name == "formal_fallacies":
                found.append(Item(name, "text", row["target"], ["valid", "invalid"]))
            else:
                options = re.findall(r"^\([A-Z]\) (.*)$", row["input"], re.MULTILINE)
                found.append(Item(name, "choice", row["target"].strip("()"), options))
    for path in ("gsm8k/test", "gsm8k-decontamination/test_with_rephrased", "gsm8k-decontamination/train_sample"):
        for row in _lines(data / f"{path}.jsonl.gz"):
            solution, _, gold = row["answer"].rpartition("####")
            plain = re.sub(r"<<[^<>]*>>", "", solution).strip()
            found.append(Item(path.partition("/")[0], "number", gold.strip(), solution=plain))
    return found


def _reasoning(item: Item, random: random.Random) -> str:
    """Reasoning with everything in it that must not count."""
    if item.form == "choice":
        words = [f"Option ({LETTERS[n]}) says {text}." for n, text in enumerate(item.options)]
        random.shuffle(words)
        wrong = random.choice([letter for letter in LETTERS[: len(item.options)] if letter != item.gold])
        return f"A careful look helps. {' '.join(words)} Some would take {wrong}, and I see why; the answer: {wrong} is a trap."
    if item.form == "text":
        return "A valid-looking argument may be invalid, and an odd one valid. We take the premises one by one."
    return item.solution or "A chair is 1 object, 2 stoves make 3. Then 7 more, and 100 % of them count."


def _words_for(number: int) -> str:
    ones = "zero one two three four five six seven eight nine ten eleven twelve".split()
    return ones[number] if 0 <= number < len(ones) else str(number)


def _persian(number: str) -> str:
    return number.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))


def endings(item: Item) -> dict[str, tuple[Form, str]]:
    """The gold answer in every style that keeps the form: style to (form, end of the response)."""
    gold = item.gold
    if item.form == "choice":
        text = item.options[LETTERS.index(gold)]
        return {
            style: ("choice", ending)
            for style, ending in {
                "plain": f"\nAnswer: {gold}",
                "inline": f" Answer: {gold}",
                "brackets": f"\nAnswer: ({gold})",
                "bold label": f"\n**Answer:** ({gold})",
                "bold line": f"\n**Answer: {gold}**",
                "bold letter": f"\nAnswer: **{gold}.**",
                "with text": f"\nAnswer: ({gold}) {text}",
                "dotted text": f"\nAnswer: {gold}. {text}",
                "text alone": f"\nAnswer: {text}",
                "next line": f"\n### Final answer\n\n{gold}",
                "lower case": f"\nanswer: {gold.lower()}",
                "box": f"\nAnswer: $\\boxed{{{gold}}}$",
                "full width": f"\n答案：{chr(ord(gold) + 0xFEE0)}",
                "afterthought": f"\nAnswer: {gold}\n\nA last word: the rest do not fit.",
            }.items()
        }
    if item.form == "text":
        return {
            "plain": ("text", f"\nFinal answer: {gold}"),
            "bold": ("text", f"\n**Final answer:** {gold.capitalize()}."),
            "quoted": ("text", f'\nFinal answer: "{gold}"'),
            "next line": ("text", f"\n**Final Answer**\n{gold}"),
        }
    number = float(gold.replace(",", ""))
    whole = int(number)
    return {
        "plain": ("number", f"\nFinal answer: {gold}"),
        "grouped": ("number", f"\nFinal answer: {whole:,}."),
        "decimals": ("number", f"\n**Final answer:** {number:.2f}"),
        "dollars": ("number", f"\nFinal answer: ${whole:,}.00 per day."),
        "math": ("number", f"\nFinal answer: ${whole}$"),
        "noun": ("number", f"\nFinal answer: {whole} whole things"),
        "sentence": ("number", f"\nFinal answer: She has {whole} of them left (see above)."),
        "equation": ("number", f"\nFinal answer: {whole - 3} + 3 = {whole}"),
        "word": ("number", f"\nFinal answer: {_words_for(whole)}"),
        "persian": ("number", f"\nپاسخ نهایی: {_persian(str(whole))}"),
        "hashes": ("number", f"\n#### {gold}"),
        "fraction": ("number", f"\nFinal answer: {2 * whole}/2"),
        "box": ("boxed", f"\nSo it is $\\boxed{{{whole:,}}}$."),
        "boxed fraction": ("boxed", f"\nSo \\boxed{{\\frac{{{3 * whole}}}{{3}}}} it is."),
        "boxed unit": ("boxed", f"\n\\[\\boxed{{{whole}\\text{{ things}}}}\\]"),
    }


def published(item: Item, response: str) -> bool:
    """What the fallback of published pipelines makes of it: first capital alone, or the last number as a string."""
    if item.form == "choice":
        found = re.search(rf"\b([A-{LETTERS[len(item.options) - 1]}])\b", response)
        return found is not None and found[1] == item.gold
    numbers = re.findall(r"-?\d[\d,]*\.?\d*", response)
    return bool(numbers) and numbers[-1].rstrip(".").replace(",", "") == item.gold.replace(",", "")


def _near_misses(item: Item) -> list[str]:
    if item.form == "choice":
        return [letter for letter in LETTERS[: len(item.options)] if letter != item.gold]
    if item.form == "text":
        return [option for option in item.options if option != item.gold]
    gold = int(float(item.gold.replace(",", "")))
    misses = [gold + 1, gold - 1, 10 * gold + 10, 2 * gold + 2, -gold - 2, gold + 10]
    return [str(miss) for miss in dict.fromkeys(misses) if miss != gold]


def extraction(found: Sequence[Item], seed: int) -> list[dict[str, Any]]:
    """For every source and style: responses read right, read right by the published fallback; and what was confused."""
    source = random.Random(seed)
    rows: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    confused = silent = unmarked = 0
    for item in found:
        reasoning = _reasoning(item, source)
        unmarked += 1
        silent += final_answer(reasoning, item.form, item.options) is None
        for style, (form, ending) in endings(item).items():
            cell = (item.source, style)
            rows[cell] += 1
            answer = final_answer(reasoning + ending, form, item.options if form == "choice" else ())
            right[cell] += answer is not None and same_answer(answer, item.gold, form)
            before[cell] += published(item, reasoning + ending) if item.form != "text" else 0
            confused += answer is not None and any(same_answer(answer, miss, form) for miss in _near_misses(item))
    table = [
        {"source": name, "style": style, "n": n, "right": right[name, style], "published": before[name, style]}
        for (name, style), n in rows.items()
    ]
    return [*table, {"confused": confused, "of": rows.total(), "abstained": silent, "unmarked": unmarked}]


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


def expectation(k: int) -> dict[float, tuple[float, float]]:
    """Threshold to (share kept, accuracy of what is kept), exactly.

    Counts are multinomial over abstentions, the right answer and the wrong ones; over p ~ Beta(a, b) the right answers'
    part integrates to B(a + r, b + w) / B(a, b). Among groups of one size each is met first equally often.
    """
    beta = math.lgamma(ALPHA) + math.lgamma(BETA) - math.lgamma(ALPHA + BETA)
    kept = dict.fromkeys(THRESHOLDS, 0.0)
    good = dict.fromkeys(THRESHOLDS, 0.0)
    for silent, right, *wrong in _compositions(k, WRONG + 2):
        given = right + sum(wrong)
        ways = math.factorial(k) / math.prod(map(math.factorial, (silent, right, *wrong)))
        part = math.lgamma(ALPHA + right) + math.lgamma(BETA + given - right) - math.lgamma(ALPHA + BETA + given) - beta
        weight = ways * ABSTAINING**silent * (1 - ABSTAINING) ** given * math.exp(part) / WRONG ** sum(wrong)
        largest = max(right, *wrong)
        for threshold in THRESHOLDS:
            if largest and largest / k >= threshold:
                kept[threshold] += weight
                if right == largest:
                    good[threshold] += weight / (1 + wrong.count(largest))
    return {tau: (kept[tau], good[tau] / kept[tau] if kept[tau] else math.nan) for tau in THRESHOLDS}


def _said(item: Item, answer: str, source: random.Random) -> str:
    """A response that ends with `answer` in one of the styles of its form."""
    told = Item(item.source, item.form, answer, item.options)
    styles = [ending for form, ending in endings(told).values() if form == item.form]
    return "A short look." + source.choice(styles)


def votes(found: Sequence[Item], k: int, repeats: int, seed: int) -> list[dict[str, Any]]:
    """One row a threshold: share kept, accuracy of what is kept, both as expected; samples drawn, and decisions changed,
    when sampling stops early.
    """
    source = random.Random(seed)
    pool = [item for item in found if item.form != "text" and len(_near_misses(item)) >= WRONG]
    kept: Counter[float] = Counter()
    good: Counter[float] = Counter()
    drawn: Counter[float] = Counter()
    changed: Counter[float] = Counter()
    for item in pool * repeats:
        p = source.betavariate(ALPHA, BETA)
        misses = source.sample(_near_misses(item), WRONG)
        answers: list[str | None] = []
        for _ in range(k):
            if source.random() < ABSTAINING:
                response = "A hard one; I cannot tell."
            else:
                response = _said(item, item.gold if source.random() < p else source.choice(misses), source)
            answers.append(final_answer(response, item.form, item.options))
        full = tally(answers, item.form)
        right = full.majority is not None and same_answer(full.majority, item.gold, item.form)
        for threshold in THRESHOLDS:
            kept[threshold] += full.holds(threshold)
            good[threshold] += full.holds(threshold) and right
            n = next(n for n in range(k + 1) if decided(answers[:n], k, threshold, item.form))
            drawn[threshold] += n
            early = tally(answers[:n], item.form)
            changed[threshold] += (early.holds(threshold) and early.index) != (full.holds(threshold) and full.index)
    n = len(pool) * repeats
    exact = expectation(k)
    return [
        {
            "k": k,
            "threshold": tau,
            "n": n,
            "kept": kept[tau] / n,
            "kept_expected": exact[tau][0],
            "accuracy": good[tau] / kept[tau] if kept[tau] else math.nan,
            "accuracy_expected": exact[tau][1],
            "drawn": drawn[tau] / n,
            "changed": changed[tau],
        }
        for tau in THRESHOLDS
    ]


def open_links(data: Path) -> list[dict[str, Any]]:
    """For each closeness (cosine; above 1: words alone): pairs linked among two wordings of one text (rephrased questions),
    two texts on different things, and a right and a wrong answer to one question.
    """
    embedder = embeddings()
    rows = list(_lines(data / "gsm8k-decontamination" / "test_with_rephrased.jsonl.gz"))
    reworded = [
        (row["question"], row["rephrased"].partition("Question: ")[2].partition("\nAnswer:")[0]) for row in rows
    ]
    apart = [(one["question"], other["question"]) for one, other in pairwise(rows)]
    wrong = [
        (row["right_answer"], row["hallucinated_answer"])
        for row in _lines(data / "multihop-qa" / "right_vs_hallucinated.jsonl.gz")
    ]

    def linked(pairs: Sequence[tuple[str, str]], closeness: float) -> float:
        return sum(len(open_vote(pair, embedder, closeness=closeness).groups) == 1 for pair in pairs) / len(pairs)

    return [
        {
            "closeness": closeness,
            "reworded": linked(reworded, closeness),
            "apart": linked(apart, closeness),
            "wrong": linked(wrong, closeness),
        }
        for closeness in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.1)
    ]


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """The curves as SVG: accuracy of what is kept and share kept against the threshold; the expectation is dashed."""
    width, height, left, top = 560, 340, 50, 20
    plot_width, plot_height = width - left - 150, height - top - 45

    def point(threshold: float, value: float) -> str:
        return f"{left + (threshold - 0.2) / 0.8 * plot_width:.1f},{top + (1 - value) * plot_height:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
    ]
    for step in range(0, 11, 2):
        x, y = point(0.2, step / 10).split(",")
        parts.append(f'<path d="M{x} {y}h{plot_width}" stroke="#ddd"/><text x="{left - 28}" y="{y}">{step / 10}</text>')
    for threshold in THRESHOLDS:
        x = point(threshold, 0).split(",")[0]
        parts.append(f'<text x="{x}" y="{top + plot_height + 16}" text-anchor="middle">{threshold}</text>')
    parts.append(f'<text x="{left + plot_width / 2}" y="{height - 8}" text-anchor="middle">threshold</text>')
    colours: dict[tuple[int, str], str] = {
        (5, "accuracy"): "#0072b2",
        (9, "accuracy"): "#56b4e9",
        (5, "kept"): "#d55e00",
        (9, "kept"): "#e69f00",
    }
    for at, ((k, what), colour) in enumerate(colours.items()):
        mine = [row for row in rows if row["k"] == k]
        for name, style in ((what, ""), (f"{what}_expected", ' stroke-dasharray="3 4"')):
            line = " ".join(point(row["threshold"], row[name]) for row in mine)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{style}/>')
        label = f"{'accuracy of kept' if what == 'accuracy' else 'share kept'}, K = {k}"
        line_at = top + 20 + 18 * at
        parts.append(f'<path d="M{width - 140} {line_at}h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{width - 116}" y="{line_at + 4}">{label}</text>')
    return "\n".join([*parts, "</svg>\n"])


def run(data: Path, repeats: int = 2, seed: int = 0) -> dict[str, Any]:
    """{"extraction": [...], "votes": [...], "open": [...], "seconds": {...}}."""
    found = items(data)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        return result

    return {
        "extraction": timed("extraction", lambda: extraction(found, seed)),
        "votes": timed("votes", lambda: [row for k in (5, 9) for row in votes(found, k, repeats, seed)]),
        "open": timed("open", lambda: open_links(data)),
        "seconds": seconds,
    }


def main() -> None:
    """Print the tables and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=2, help="how often each item is voted on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--svg", type=Path, default=Path("voting.svg"))
    given = parser.parse_args()
    result = run(given.data, given.repeats, given.seed)
    *cells, total = result["extraction"]
    print("final answers read right, of n; published: first capital alone, last number as a string")
    for row in cells:
        before = "" if row["source"] == "formal_fallacies" else f"{row['published'] / row['n']:9.4f}"
        print(f"  {row['source']:32}{row['style']:16}{row['n']:6}{row['right'] / row['n']:9.4f}{before}")
    right, n = sum(row["right"] for row in cells), sum(row["n"] for row in cells)
    print(f"  all: {right} of {n}; equal to a near miss as well: {total['confused']}", end="")
    print(f"; without the fixed form {total['abstained']} of {total['unmarked']} abstain")
    print("\nthe vote: kept and accuracy of what is kept (expected), samples drawn when stopping early")
    for row in result["votes"]:
        print(
            f"  K={row['k']} threshold {row['threshold']:.1f}  kept {row['kept']:.4f} ({row['kept_expected']:.4f})  "
            f"accuracy {row['accuracy']:.4f} ({row['accuracy_expected']:.4f})  drawn {row['drawn']:.2f}  "
            f"changed {row['changed']} of {row['n']}"
        )
    print("\nopen answers linked: reworded text, other text, right with wrong answer (closeness above 1: words alone)")
    for row in result["open"]:
        print(f"  {row['closeness']:.2f}  {row['reworded']:.4f}  {row['apart']:.4f}  {row['wrong']:.4f}")
    print("\nseconds: " + ", ".join(f"{name} {value:.1f}" for name, value in result["seconds"].items()))
    given.svg.write_text(picture(result["votes"]), encoding="utf-8")
    print(f"picture: {given.svg}")


if __name__ == "__main__":
    main()
