"""The final answer of a response, and when two are the same."""

from __future__ import annotations

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.text.answers import FORMS, Form, answer_keys, final_answer, same_answer

FORM_NAMES: tuple[Form, ...] = get_args(Form)


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("It spreads risk.\nAnswer: C", "C"),
        ("A portfolio spreads risk over assets. Answer: C", "C"),
        ("Reason: A fails, B fails.\n**Answer:** (C)", "C"),
        ("**Answer: C**", "C"),
        ("Answer: **C.** The bond", "C"),
        ("Answer: C) the bond", "C"),
        ("answer: c", "C"),
        ("Final answer: option C", "C"),
        ("Answer: C, since A and B are taxed", "C"),
        ("Answer: C is correct", "C"),
        ("Answer:\n\nC", "C"),
        ("### Answer\n(C)", "C"),
        ("Answer: $\\boxed{C}$", "C"),
        ("Answer: A\nWait, that forgets the tax.\nAnswer: C", "C"),
        ("Answer: C\n\nThe other answer: B is wrong because of the tax.", "C"),
        ("<think>Answer: B</think>\nAnswer: C", "C"),
        ("理由很短。\n答案：Ｃ", "C"),
        ("دلیل کوتاه است.\nپاسخ: C", "C"),
        ("A bond is a loan.", None),
        ("A", None),
        ("Answer: A portfolio of bonds", None),
        ("Answer: A and C", None),
        ("Answer: A, C", None),
        ("Answer: (A) or (C)", None),
        ("Answer: <letter>", None),
        ("Answer: <C>", "C"),
        ("Answer: C ✅", "C"),
        ("Answer: C++", None),
        ("Answer: A's share", None),
        ("Answer: \u200fC\u200f", "C"),
        ("答案是：C", "C"),
        ("Answer: none of these", None),
        ("So the answer is probably C", None),
        ("Explain the answer: B is wrong", None),
        ("", None),
    ],
)
def test_only_the_fixed_form_names_a_letter(response: str, letter: str | None) -> None:
    assert final_answer(response, "choice") == letter


def test_options_limit_the_letters_and_may_be_given_by_their_text() -> None:
    options = ["(A) a lawful act", "(B) a debt", "(C) 12 March 1961"]
    assert final_answer("Answer: D", "choice", options) is None
    assert final_answer("Answer: B", "choice", options) == "B"
    assert final_answer("Answer: A lawful act", "choice", options) == "A"
    assert final_answer("Answer: A lawful deed", "choice", options) is None
    assert final_answer("Answer: March 12, 1961", "choice", options) == "C"
    assert final_answer("Answer: B a debt", "choice", options) == "B"
    assert final_answer("Answer: invalid", "choice", ["valid", "invalid"]) == "B"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("9 * 2 = 18\nFinal answer: 18", "18"),
        ("Final answer: $1,200.50 per year.", "$1,200.50 per year"),
        ("**Final Answer**\n\n$18$", "18"),
        ("Final answer: The total is 18 dollars.", "18 dollars"),
        ("Final answer: 9 * 2 = 18 eggs", "18 eggs"),
        ("Final answer: 18 (see above)", "18 (see above)"),
        ("Final answer: $36 ($2 × 18)", "$36 ($2 * 18)"),
        ("Final answer: <18>", "18"),
        ("Final answer: 2:3", "2:3"),
        ("Final answer: $$18$$", "18"),
        ("Final answer: approx. 12.5 m/s. That is slow.", "approx. 12.5 m/s"),
        ("Final answer: Rs. 1,200", "Rs. 1,200"),
        ("Final answer: 10–12 hours", "10-12 hours"),
        ("Final answer: 7:30 PM", "7:30 PM"),
        ("Final answer: \\boxed{18}", "18"),
        ("The final answer is $18$. I hope it is correct.", "18"),
        ("9 * 2 = 18\n#### 18", "18"),
        ("الإجابة النهائية: ١٨", "18"),
        ("Final answer: 17\nNo, one was broken.\nFinal answer: 18", "18"),
        ("Final answer: 3 or 4", None),
        ("Final answer: 18 eggs, or $36 a day", None),
        ("Final answer: x = 3 and y = 4", None),
        ("Final answer: it cannot be known", None),
        ("There are 18 eggs.", None),
        ("Final answer:", None),
    ],
)
def test_the_number_on_the_marked_line(response: str, answer: str | None) -> None:
    assert final_answer(response, "number") == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1}, no: \boxed{2}", "2"),
        (r"the set is \boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"in \boxed{} we put \boxed{x^{2^{3}}} and not \boxed{}", r"x^{2^{3}}"),
        (r"\boxed 7", "7"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"first \boxed{1}, then \boxed{\frac{1}{", None),
        ("Final answer: 7", None),
    ],
)
def test_the_last_box_by_counting_braces(response: str, answer: str | None) -> None:
    assert final_answer(response, "boxed") == answer


@pytest.mark.parametrize(
    ("response", "two", "three"),
    [
        ("Answer: yes", "yes", "yes"),
        ("Answer: **No.** It is not.", "no", "no"),
        ("Answer: No, because it rained", "no", "no"),
        ("Answer: maybe", None, "maybe"),
        ("پاسخ: خیر", "no", "no"),
        ("答案：是", "yes", "yes"),
        ("Answer: no one knows", None, None),
        ("Answer: yes and no", None, None),
        ("Yes, it is.", None, None),
    ],
)
def test_verdicts(response: str, two: str | None, three: str | None) -> None:
    assert final_answer(response, "yes_no") == two
    assert final_answer(response, "yes_no_maybe") == three


def test_text_and_open_answers() -> None:
    assert final_answer("Walls were thick.\nFinal answer: **the Tarn**.", "text") == "the Tarn"
    assert final_answer("It is the Tarn.", "text") is None
    assert final_answer("Final answer: `__init__`", "text") == "__init__"
    assert final_answer("Final answer: x**2", "text") == "x**2"
    assert final_answer("<think>hm</think> It is the Tarn. ", "open") == "It is the Tarn."
    assert final_answer("  ", "open") is None


SAME_NUMBERS = [
    [
        "1/2",
        "0.5",
        "50 %",
        "½",
        r"\frac{1}{2}",
        r"\dfrac12",
        ".5",
        "0,5",
        "fifty percent",
        "2/4",
        "5e-1",
        "۰٫۵",
        "$0.5$",
    ],
    [
        "1,200",
        "1200",
        "1 200",
        "1'200",
        "1.2e3",
        "1.2 × 10³",
        r"1.2\times 10^{3}",
        "1.2 x 10^3",
        "１２００",
        "١٬٢٠٠",
        "१२००",
    ],
    ["1.50", "1.5", "3/2", "1 1/2", "1½", r"1\frac{1}{2}", "+1.5"],
    ["5 km", "5 kilometres", "5,000 m", "5000 meters", "۵ کیلومتر", "5公里", "about 5 km", r"5\text{ km}"],
    [
        "$18",
        "18 dollars",
        "18 USD",
        "USD 18",
        "US$18.00",
        r"\$18",
        "1,800 cents",
        "18 dollars a day",
        "$18 per day",
        "18 $",
    ],
    ["18", "18 eggs", "18 fresh duck eggs per day", "eighteen", "Eighteen eggs.", "18.0", "x = 18", "18 (eighteen)"],
    ["90 minutes", "1.5 hours", "1 hour 30 minutes", "1 hour and 30 minutes", "1 h 30 min", "5400 s"],
    ["-5", "−5", "(-5)", "-5.0", "- 5"],
    ["3 million", "3,000,000", "3.000.000", "30,00,000", "3百万"],
    [r"2\sqrt{3}", r"\sqrt{12}", "√12", "2√3", "sqrt(12)", r"\frac{6}{\sqrt{3}}", "12^(1/2)"],
    [r"\frac{\pi}{4}", "π/4", "pi/4", r"0.25\pi"],
    [r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1", "-1 + √2"],
    ["7:30 PM", "19:30", "7:30 p.m."],
    ["60 mph", "60 miles per hour", "60 miles an hour"],
    ["10 m²", "10 m^2", "10 square metres", "10 sq. m", "10 sqm"],
    ["1,125", "one thousand one hundred and twenty-five", "one thousand one hundred twenty five"],
    ["6 feet 6 inches", "6.5 ft", "78 inches"],
]


@pytest.mark.parametrize("family", SAME_NUMBERS, ids=lambda family: family[0])
def test_equal_numbers(family: list[str]) -> None:
    assert len(set(answer_keys(family, "number"))) == 1
    for one in family:
        for other in family:
            assert same_answer(one, other, "number"), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 km", "5 miles"),
        ("5 km", "5000"),
        ("5 km", "5 kg"),
        ("$5", "€5"),
        ("5", "-5"),
        ("1.200", "1200"),
        ("0.5", "0.5 %"),
        ("1", "1 %"),
        ("0.333", "1/3"),
        ("10⁵", "105"),
        ("2^10", "210"),
        ("3 million", "3"),
        ("18", "18 or 19"),
        ("one two three", "6"),
        ("1,200", "1.2"),
        ("36 (18 + 18)", "1296"),
        ("10-12", "-2"),
        ("10-12", "10-13"),
    ],
)
def test_different_numbers(one: str, other: str) -> None:
    assert not same_answer(one, other, "number")


def test_a_bare_number_takes_the_unit_that_most_answers_state() -> None:
    assert same_answer("5 km", "5", "number")
    assert same_answer("5 miles", "5", "number")
    first, bare, second, third = answer_keys(["5 miles", "5", "5 km", "5000 m"], "number")
    assert bare not in (first, second)
    assert second == third
    keys = answer_keys(["5 miles", "5", "5 km", "5 kilometers"], "number")
    assert keys[1] == keys[2] == keys[3] != keys[0]


def test_when_fifty_means_fifty_per_cent() -> None:
    assert same_answer("50", "50 %", "number")
    assert not same_answer("50", "0.5", "number")
    assert len(set(answer_keys(["50", "0.5", "50 %"], "number"))) == 1
    assert same_answer("150 %", "1.5", "number")
    assert same_answer("150 %", "150", "number")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("(1, 2)", "(1,2)", True),
        ("(1, 2)", "(2, 1)", False),
        ("(1/2, 0.5)", r"\left(\frac12, \frac{1}{2}\right)", True),
        (r"\{1, 2\}", r"\{2,1\}", True),
        ("[0, 1)", "[0, 1]", False),
        ("1, 2", "1,2", True),
        ("1,200", "1200", True),
        ("(x+1)^2", "x^2 + 2x + 1", True),
        ("(x+1) (x+2)", "x^2 + 3x + 2", True),
        ("x = 5", "5", True),
        ("x^2", "x^3", False),
        (r"\text{yes}", "Yes", True),
        (r"90^\circ", "90 degrees", True),
        (r"5\text{ m}", "5 metres", True),
        ("a < b", "b < a", False),
    ],
)
def test_boxed_mathematics(one: str, other: str, same: bool) -> None:
    assert same_answer(one, other, "boxed") is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2 January 1958", "January 2nd, 1958", True),
        ("1958-01-02", "Thursday, Jan. 2, 1958", True),
        ("2. Januar 1958", "2 de enero de 1958", True),
        ("1958年1月2日", "2 January 1958", True),
        ("13/02/1958", "February 13, 1958", True),
        ("01/02/1958", "1/2/1958", True),
        ("01/02/1958", "2 January 1958", False),
        ("January 1958", "January 1959", False),
        ("May 5", "5 May", True),
        ("7:30 PM", "19:30", True),
        ("7:30 AM", "7:30 PM", False),
        ("The Eiffel Tower", "eiffel tower.", True),
        ("U.S.", "the US", True),
        ("Vitamin A", "vitamin", False),
        ("C++", "C#", False),
        ("Mary’s house", "mary's house", True),
        ("«رودخانه‌ی کارون»", "رودخانهی كارون", True),
        ("5 apples", "5 pears", False),
        ("twelve", "۱۲", True),
        ("007", "7", False),
        ("not Paris", "Paris", False),
        ("A", "the", False),
        ("(1, 2)", "(1,2)", True),
        ("北京", "北京。", True),
    ],
)
def test_short_texts(one: str, other: str, same: bool) -> None:
    assert same_answer(one, other, "text") is same


ANSWERS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="0123456789.,%$/ -+()^\\{}x½π√²٣۴kme", max_size=20),
    st.sampled_from([answer for family in SAME_NUMBERS for answer in family]),
)


@given(st.lists(ANSWERS, max_size=6), st.sampled_from(FORM_NAMES), st.randoms())
def test_equality_is_an_equivalence_and_blind_to_order(answers: list[str], form: Form, random: object) -> None:
    keys = answer_keys(answers, form)
    assert len(set(keys)) <= len(answers)
    backwards = answer_keys(answers[::-1], form)
    assert backwards[::-1] == keys
    for answer in answers:
        assert same_answer(answer, answer, form)


@given(st.text(), st.sampled_from(FORM_NAMES))
def test_any_response_is_read_or_abstains(response: str, form: Form) -> None:
    for framed in (response, f"Final answer: {response}", f"\\boxed{{{response}}}"):
        answer = final_answer(framed, form)
        assert answer is None or answer.strip()
        assert answer is None or same_answer(answer, answer, form)


@pytest.mark.parametrize("form", FORM_NAMES)
def test_the_suffix_itself_is_no_answer(form: Form) -> None:
    assert form == "open" or final_answer(FORMS[form].suffix, form) is None


HOSTILE = [
    "(" * 50_000,
    "9" * 50_000,
    "1," * 25_000,
    " " * 50_000 + "x",
    "Answer" + " " * 50_000,
    "Answer: " * 6_000,
    "Final answer " * 4_000,
    "\\boxed{" * 8_000,
    "\\frac{" * 8_000,
    "$" * 50_000,
    "$1 " * 16_000,
    "9^9^9^9^9^9",
    "(9^400)^400",
    "(1+√2+√3+√5+√7+π)^400",
    "\\sqrt{999999937}",
    "1e400*1e400*1e400",
    "{" * 2_000 + "1" + "}" * 2_000,
    "\\{" * 900 + "1" + "\\}" * 900,
    "one hundred thousand " * 2_000,
    "*" * 50_000,
    "\n" * 50_000 + "Answer:",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_costs_little(text: str) -> None:
    start = time.process_time()
    for form in FORM_NAMES:
        final_answer(text, form)
        final_answer(f"Final answer: {text}", form)
        answer_keys([text, text[::-1]], form)
    assert time.process_time() - start < 20
