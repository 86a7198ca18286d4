"""A question that repeats a held-out one is told, whichever way it was disguised; one that only resembles it is not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.datasets.contamination import Benchmark, Match, report
from searchinstruct_graph.datasets.contamination.numerals import numbers_of
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.text.words import words

HELD_OUT = {
    "en": "A bakery in Lyon sells 48 croissants every morning and twice as many on Sundays. If each croissant costs $3, "
    "how much money does the bakery take on a Sunday?",
    "de": "Ein Gärtner in Bremen pflanzt 36 Tulpen in jedes von fünf Beeten. Ein Drittel der Tulpen wird von Schnecken "
    "gefressen. Wie viele Tulpen bleiben übrig?",
    "fa": "پرویز در شیراز ۲۴ درخت نارنج دارد و از هر درخت ۱۵ کیلو نارنج می‌چیند. اگر هر کیلو را ۸۰ هزار تومان بفروشد، "
    "درآمد او چقدر است؟",
    "zh": "王老师买了36本练习册，每本售价8元，平均分给四个小组。每个小组的练习册一共多少钱？",
}
LANGUAGES = list(HELD_OUT)
DISGUISED = {
    "en": "a bakery in lyon sells 48 croissants -- every morning; and TWICE as many on Sundays\n\nif each croissant "
    "costs 3 how much money does   the bakery take on a sunday",
    "de": "EIN GÄRTNER IN BREMEN PFLANZT 36 TULPEN IN JEDES VON FÜNF BEETEN ein drittel der Tulpen wird von Schnecken\t"
    "gefressen – wie viele Tulpen bleiben übrig",
    "fa": "پرويز در شيراز 24 درخت نارنج دارد و از هر درخت 15 كيلو نارنج میچیند  اگر هر کیلو را 80 هزار تومان بفروشد درآمد "
    "او چقدر است",
    "zh": "王老师 买了３６本练习册 每本售价８元 平均分给四个小组 每个小组的练习册一共多少钱",
}
EMBEDDED = {
    "en": "My niece brought this home from school. {} Explain each step, and say which of them she could have skipped.",
    "de": "Meine Nichte hat diese Aufgabe mitgebracht: {} Erkläre bitte jeden Schritt so, dass ein Kind ihn versteht.",
    "fa": "خواهرزاده‌ام این مسئله را از مدرسه آورده است. {} لطفاً همهٔ مراحل را ساده توضیح بده.",
    "zh": "我侄女从学校带回了这道题：{}请用孩子听得懂的话解释每一步。",
}
REWORDED = {
    "en": "On Sundays a Lyon bakery sells double its usual number of croissants, which is forty-eight each morning. With a price "
    "of 3 dollars per croissant, what does the bakery earn on a Sunday?",
    "de": "In Bremen setzt ein Gärtner in fünf Beete jeweils sechsunddreißig Tulpen. Schnecken fressen ein Drittel davon. Welche "
    "Anzahl von Tulpen ist am Ende noch da?",
    "fa": "از هر یک از بیست و چهار درخت نارنج پرویز در شیراز ۱۵ کیلو نارنج به دست می‌آید. او هر کیلو نارنج را ۸۰ هزار تومان "
    "می‌فروشد. در مجموع چقدر درآمد دارد؟",
    "zh": "一本练习册的价格是8元，王老师一共买了三十六本，并把它们平均分给了四个小组。请问每个小组分到的练习册总价是多少？",
}
ALIKE = {
    "en": "A bakery in Lyon employs 6 people and opens at seven. If each of them earns $90 a day, how much does the bakery pay "
    "them in a week?",
    "de": "Ein Gärtner in Bremen gießt seine Tulpen alle 2 Tage mit je 14 Litern Wasser. Wie viel Wasser braucht er im Juni?",
    "fa": "مینا در تبریز یک مغازه دارد و هر روز ۴۰ نان می‌فروشد. اگر هر نان ۵ هزار تومان باشد، درآمد هفتگی او چقدر است؟",
    "zh": "王老师带领28名学生去博物馆，每张门票15元。他们一共要付多少门票钱？",
}


def benchmark(*texts: str) -> Benchmark:
    return Benchmark([("held-out.txt", number, text) for number, text in enumerate(texts, 1)], embeddings())


@pytest.fixture(scope="module")
def held_out() -> Benchmark:
    return benchmark(*HELD_OUT.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("rule", "plant"),
    [
        ("exact", lambda language: HELD_OUT[language]),
        ("exact", lambda language: f"\n {HELD_OUT[language]}\t"),
        ("normalised", lambda language: DISGUISED[language]),
        ("ngram", lambda language: EMBEDDED[language].format(HELD_OUT[language])),
        ("meaning", lambda language: REWORDED[language]),
    ],
)
def test_a_planted_copy_is_told_by_its_rule(
    held_out: Benchmark, language: str, rule: str, plant: Callable[[str], str]
) -> None:
    match = held_out.match(plant(language))
    assert match is not None
    assert (match.rule, match.file, match.line) == (rule, "held-out.txt", LANGUAGES.index(language) + 1)
    assert match.text == HELD_OUT[language]
    assert (match.score == 1.0) if rule in ("exact", "normalised") else 0.5 < match.score <= 1.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_that_only_resembles_is_not_told(held_out: Benchmark, language: str) -> None:
    assert held_out.match(ALIKE[language]) is None


def test_a_rewording_in_lower_case_keeps_its_names(held_out: Benchmark) -> None:
    assert held_out.match(REWORDED["en"].lower()) is not None


def test_other_numbers_count_against_a_rewording(held_out: Benchmark) -> None:
    same = held_out.match(REWORDED["en"])
    other = held_out.match(
        REWORDED["en"].replace("forty-eight", "ninety").replace("3", "7").replace("double", "five times")
    )
    assert same is not None
    assert same.score > 0.95
    assert other is None or other.score < 0.7


def test_numbers_alone_are_no_question() -> None:
    assert benchmark("17, 23 and 48?").match("48 17 and also 23 so") is None


def test_a_question_without_numbers_is_told_by_its_names_and_words() -> None:
    found = benchmark(
        "Why did the Hanseatic League lose its influence over trade in the Baltic Sea during the sixteenth century?"
    )
    assert found.match("What made the Hanseatic League's influence on Baltic Sea trade decline in the 16th century?")
    assert not found.match("Which towns of the Baltic Sea belonged to the Hanseatic League in the fourteenth century?")


def test_many_at_once_are_as_one_by_one(held_out: Benchmark) -> None:
    texts = [*HELD_OUT.values(), *REWORDED.values(), *ALIKE.values(), "", "?!", *DISGUISED.values()] * 40
    one_by_one = {text: held_out.match(text) for text in set(texts)}
    many = held_out.match_many(texts)
    assert [match and match[:4] for match in many] == [(one := one_by_one[text]) and one[:4] for text in texts]
    assert held_out.match_many([]) == []


def test_half_of_a_long_item_is_told_and_how_much_of_it() -> None:
    item = " ".join(f"word{n}" for n in range(40))
    match = benchmark("Something else entirely.", item).match("so " + " ".join(f"word{n}" for n in range(20)) + " then")
    assert match is not None
    assert (match.rule, match.line, match.score) == ("ngram", 2, round(8 / 28, 4))


def test_twelve_shared_words_are_not_thirteen() -> None:
    shared = "the lamp on the north pier turns twice each minute and"
    found = benchmark(f"{shared} sailors from nine villages count on it when the fog rolls over their nets")
    assert found.match(f"Ask the keeper whether {shared} who pays for the oil that it burns in winter") is None
    assert found.match(f"Ask the keeper whether {shared} sailors from nobody else") is not None


def test_a_short_item_must_end_where_a_clause_ends() -> None:
    found = benchmark("What is the capital of Bhutan?", "Why?", "什么是量子纠缠现象？")
    told = found.match("Two things: what is the capital of Bhutan? And who chose it?")
    assert told is not None
    assert told.rule == "ngram"
    assert (
        found.match("What is the capital of Bhutan National Bank, in dollars, after its merger of last year?") is None
    )
    assert found.match("Why would anybody weigh a letter before buying a stamp?") is None
    assert (match := found.match("why")) is not None
    assert match.rule == "normalised"
    assert found.match("请用简单的话说明：什么是量子纠缠现象？") is not None


def test_boilerplate_of_many_items_is_no_sign_of_one() -> None:
    frame = "Read the passage above and choose the one option that best completes the sentence about"
    nouns = "otters glaciers violins tariffs comets bridges lichens ballots kilns anchors turbines".split()
    found = benchmark(*(f"{frame} {noun} {place}" for place, noun in enumerate(nouns)))
    assert found.match(f"{frame} medieval guild charters") is None
    assert benchmark(f"{frame} otters").match(f"{frame} medieval guild charters") is not None


def test_an_operator_makes_another_formula() -> None:
    found = benchmark("x + 2 = 5, x?")
    assert (match := found.match("X+2 = 5;  x")) is not None
    assert match.rule == "normalised"
    assert found.match("x * 2 = 5, x?") is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Three hundred and twenty-five cows, two, three", {"325", "2", "3"}),
        ("two thousand five hundred sheep and half a dozen goats", {"2500", "2", "12"}),
        ("1,200 litres, 3.50 euros", {"1200", "3.5"}),
        ("Fünfundzwanzig Äpfel und dreißig Birnen", {"25", "30"}),
        ("بیست و پنج سیب و ۳ انار", {"25", "3"}),
        ("كتب ثلاثة وخمسون", {"3"}),
        ("小明有三百二十五个苹果，共12个，两万元，二〇二五年，一起", {"325", "12", "20000", "2025"}),
        ("the nineteenth century, the 19th century", {"19"}),
        ("An elf once spent five cents on a quart of milk.", {"5"}),
        ("", set()),
    ],
)
def test_numbers_in_words_and_digits_are_one(text: str, numbers: set[str]) -> None:
    assert numbers_of(text, words(text)) == numbers


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("bench.txt", f"Who keeps the bees?\n\n{HELD_OUT['en']}\n", 3),
        (
            "bench.jsonl",
            f"{json.dumps({'question': 'Who keeps the bees?'})}\n{json.dumps({'question': HELD_OUT['en']})}\n",
            2,
        ),
        ("bench.json", json.dumps([{"prompt": "Who keeps the bees?"}, {"prompt": HELD_OUT["en"]}]), 2),
        ("bench.csv", f'id,question\n1,Who keeps the bees?\n2,"{HELD_OUT["en"]}"\n', 3),
    ],
)
def test_a_file_and_its_line_are_named(tmp_path: Path, name: str, content: str, line: int) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = Benchmark.load([str(path)], embeddings())
    match = found.match(HELD_OUT["en"])
    assert len(found) == 2
    assert match is not None
    assert (match.file, match.line) == (str(path), line)
    assert found.files == {str(path): 2}


def test_an_item_of_two_files_is_held_once(tmp_path: Path) -> None:
    paths = [str(tmp_path / "one.txt"), str(tmp_path / "two.txt")]
    Path(paths[0]).write_text("Who keeps the bees of the abbey?\n", encoding="utf-8")
    Path(paths[1]).write_text("who keeps the bees of the abbey\nWho bakes the bread?\n", encoding="utf-8")
    found = Benchmark.load(paths, embeddings())
    assert found.files == {paths[0]: 1, paths[1]: 1}
    assert (match := found.match("Who keeps the bees of the abbey?")) is not None
    assert match.file == paths[0]


def test_a_file_without_a_question_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbers.jsonl"
    path.write_text('{"height": 3}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"numbers\.jsonl.*no held-out question"):
        Benchmark.load([str(path)], embeddings())
    with pytest.raises(UsageError, match=r"missing\.txt"):
        Benchmark.load([str(tmp_path / "missing.txt")], embeddings())


def test_no_items_match_nothing() -> None:
    assert benchmark().match_many(["anything", ""]) == [None, None]
    assert benchmark("", "  ", "…").match("anything at all") is None


def test_the_report_counts_by_rule_and_file(held_out: Benchmark) -> None:
    texts = [HELD_OUT["en"], ALIKE["en"], REWORDED["de"], DISGUISED["fa"]]
    found = report(texts, held_out.match_many(texts), files=[*held_out.files, "other.txt"], at_most=2)
    assert json.loads(json.dumps(found)) == found
    assert (found["checked"], found["contaminated"]) == (4, 3)
    assert found["rules"] == {"exact": 1, "normalised": 1, "ngram": 0, "meaning": 1}
    assert found["files"] == {"held-out.txt": 3, "other.txt": 0}
    assert [(each["number"], each["rule"], each["line"]) for each in found["matches"]] == [
        (1, "exact", 1),
        (3, "meaning", 2),
    ]


def test_a_report_of_nothing() -> None:
    assert report([], [])["checked"] == 0
    assert report(["a"], [Match("ngram", "f", 1, "b", 0.5)])["rules"]["ngram"] == 1


@given(st.lists(st.text(max_size=60), max_size=6), st.lists(st.text(max_size=60), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_text_is_taken_and_a_copy_always_told(items: list[str], texts: list[str]) -> None:
    found = benchmark(*items)
    for item, match in zip(items, found.match_many(items), strict=True):
        assert (match is not None and match.rule in ("exact", "normalised")) == bool(item.strip())
    assert len(found.match_many(texts)) == len(texts)


@pytest.mark.parametrize(
    "text", ["a " * 250_000, "7," * 250_000, "王" * 300_000, "three " * 100_000, "\ud800 x" * 50_000, "é'" * 200_000]
)
def test_a_huge_text_takes_time_by_its_length(held_out: Benchmark, text: str) -> None:
    begun = time.perf_counter()
    held_out.match(text)
    assert time.perf_counter() - begun < 60
