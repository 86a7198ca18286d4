"""Seeds keep the words people wrote; duplicates, blanks and faults are counted or named; the kind follows the question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from searchinstruct_graph.datasets.seeds import KINDS, question_kind, read_seeds, seed_id
from searchinstruct_graph.errors import UsageError

PERSIAN = "چرا می‌گویند یزد شهر بادگیرهاست؟"


def file(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def test_seeds_of_several_files_and_formats(tmp_path: Path) -> None:
    lines = file(tmp_path, "a.txt", f"How do tides work?\n\n{PERSIAN}\nHow do  tides work?\n")
    rows = [
        {"instruction": "Name a river.", "input": "in Asia", "type": "quiz", "topic": ["geo", "x"], "weight": "2.5"},
        {"instruction": " ", "input": None},
        {"instruction": PERSIAN, "output": "چون بادگیر دارد"},
    ]
    records = file(tmp_path, "b.jsonl", "\n".join(map(json.dumps, rows)))
    found = read_seeds([lines, records])
    assert (found.duplicates, found.skipped) == (2, 1)
    first, second, third = found.seeds
    assert first == {
        "id": seed_id("How do tides work?"),
        "text": "How do tides work?",
        "kind": "how",
        "subtopic": "",
        "weight": 1.0,
        "answer": "",
    }
    assert (second["text"], second["kind"], second["answer"]) == (PERSIAN, "why", "")
    assert (third["text"], third["kind"], third["subtopic"], third["weight"]) == (
        "Name a river.\n\nin Asia",
        "quiz",
        "geo",
        2.5,
    )


def test_text_is_kept_as_it_was_written(tmp_path: Path) -> None:
    odd = [
        PERSIAN,
        "\u202eتست\u202c مختلط (mixed)",
        "e\u0301 is not é in bytes",
        "＜script＞",
        "a\u200b\u200db",
        "𝕿𝖍𝖊 😀👨‍👩‍👧",
    ]
    found = read_seeds([file(tmp_path, "odd.txt", "\n".join(odd))])
    assert [seed["text"] for seed in found.seeds] == odd


def test_ids_are_stable_and_blind_to_spacing_and_composition() -> None:
    assert seed_id("How do tides work?") == "1ecc6a10503d043a"
    assert seed_id(" e\u0301t\u00e9\u00a0 a") == seed_id("\u00e9te\u0301 a")
    assert seed_id("Tides") != seed_id("tides")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", "\n \n", "empty.txt: no seeds in it"),
        ("blank.csv", "question,answer\n,x\n", "blank.csv: no seeds in it"),
        ("long.txt", "short\n" + "x" * 8_001 + "\n", "long.txt:2: a seed of 8,001 characters; the limit is 8,000"),
        ("columns.csv", "foo,bar\n1,2\n", "columns.csv:2: no question column among 'foo, bar'"),
        ("w.jsonl", '{"text": "a", "weight": -1}', "w.jsonl:1: the weight '-1' is not a positive number"),
        ("w.csv", "text;weight\na;heavy\n", "w.csv:2: the weight 'heavy' is not a positive number"),
        ("w.json", '[{"text": "a", "weight": true}]', "w.json#1: the weight 'True'"),
    ],
)
def test_faults_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_seeds([file(tmp_path, name, content)])
    assert message in str(caught.value)


def test_no_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no file of seeds"):
        read_seeds([])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("how", "How do bees find their way home?"),
        ("how", "A pen costs $3. Tom buys four pens and pays with $20. How much does he get back?"),
        ("how", "Wie entsteht ein Regenbogen?"),
        ("how", "Comment fonctionne une écluse ?"),
        ("how", "¿Cómo se hace el queso?"),
        ("how", "چطور می‌تونم نان سنگک بپزم؟"),
        ("how", "كيف تتكون الغيوم؟"),
        ("how", "茶叶是怎么做的？"),
        ("why", "Why is the difference between the two tides so large?"),
        ("why", "Could you please explain to me why bread rises?"),
        ("why", "Warum ist der Himmel blau?"),
        ("why", "Pourquoi le ciel est-il bleu ?"),
        ("why", "¿Por qué el mar es salado?"),
        ("why", "آیا می‌تونی توضیح بدی که چرا آب دریا شور است؟"),
        ("why", "لماذا ماء البحر مالح؟"),
        ("why", "为什么海水是咸的？"),
        ("what", "Who painted the ceiling, and how long did it take?"),
        ("what", "Can you provide information on the port of Rotterdam?"),
        ("what", "Was übersetzte Schlegel?"),
        ("what", "Où se trouve la plus haute dune d'Europe ?"),
        ("what", "¿Quién inventó la imprenta?"),
        ("what", "کدوم رودخانه از اصفهان می‌گذره؟"),
        ("what", "ما هي عاصمة عمان؟"),
        ("what", "长城在哪里？"),
        ("compare", "What is the difference between a lake and a pond?"),
        ("compare", "Vergleiche Dampf- und Diesellokomotiven."),
        ("compare", "Quelle est la différence entre un lac et un étang ?"),
        ("compare", "¿Cuál es la diferencia entre un lago y un estanque?"),
        ("compare", "آیا می‌تونی تفاوت‌های گلیم و گبه رو توضیح بدی؟"),
        ("compare", "ما الفرق بين البحيرة والبركة؟"),
        ("compare", "湖和池塘有什么区别？"),
        ("list", "List the moons of Mars."),
        ("list", "Nenne drei Flüsse in Polen."),
        ("list", "اذكر ثلاثة أنهار"),
        ("list", "列出三条河流"),
        ("plan", "Can you plan a three-day trip to Kerman?"),
        ("plan", "Erstelle einen Plan für eine Woche in Rom."),
        ("plan", "چطور می‌تونم یه سفر به کویر برنامه‌ریزی کنم؟"),
        ("plan", "帮我规划一次旅行"),
        ("verify", "Is the Nile longer than the Amazon?"),
        ("verify", "Would a chef recommend raw beans?"),
        ("verify", "Can you see the Great Wall from the Moon?"),
        ("verify", "Ist der Nil länger als der Amazonas?"),
        ("verify", "Est-ce que le Nil est plus long que l'Amazone ?"),
        ("verify", "¿Es el Nilo más largo que el Amazonas?"),
        ("verify", "آیا نیل از آمازون بلندتر است؟"),
        ("verify", "هل النيل أطول من الأمازون؟"),
        ("verify", "尼罗河比亚马逊河长吗？"),
        ("recommend", "Recommend a book about sailing."),
        ("recommend", "Kannst du mir ein Buch empfehlen?"),
        ("recommend", "می‌تونی یه هتل خوب معرفی کنی؟"),
        ("recommend", "推荐一本关于航海的书"),
        ("imagine", "Suppose the Earth had two moons. What would the tides be like?"),
        ("imagine", "Was wäre, wenn die Erde zwei Monde hätte?"),
        ("imagine", "تصور کن زمین دو ماه داشت."),
        ("imagine", "假如地球有两个月亮，会怎么样？"),
        ("other", "Lightwater Country Park"),
        ("other", "¯\\_(ツ)_/¯"),
        ("other", ""),
    ],
)
def test_question_kind(kind: str, text: str) -> None:
    assert kind in KINDS
    assert question_kind(text) == kind


@pytest.mark.timeout(20)
def test_question_kind_is_linear_on_hostile_text() -> None:
    for hostile in (
        "please " * 100_000,
        "give " * 100_000,
        "? " * 100_000,
        "如果" * 100_000,
        "a.b." * 100_000,
        "، " * 100_000,
    ):
        assert question_kind(hostile) in KINDS
