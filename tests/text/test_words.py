from searchinstruct_graph.text.words import normal_form, stems, words


def test_english_words_are_stemmed_to_one_form() -> None:
    assert stems("Running runners' RUNS") == stems("running RUNNERS run")[:1] + stems("runners") + ["run"]


def test_scripts_without_spaces_become_bigrams_and_neighbours_stay_words() -> None:
    assert words("中文abc漢字 字") == ["中文", "abc", "漢字", "字"]


def test_vowel_signs_do_not_split_words() -> None:
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_arabic_and_persian_spellings_meet() -> None:
    assert words("کتابی") == words("كتابي")
    assert words("مُحَمَّد") == words("محمد")
    assert words("می‌خواهم ۱۲") == ["ميخواهم", "12"]


def test_elided_articles_leave_the_noun() -> None:
    assert words("L'eau et l’idée") == ["l", "eau", "et", "l", "idée"]


def test_an_unknown_language_leaves_words_whole() -> None:
    assert stems("running", "xx") == ["running"]
    assert normal_form("Straße") == "strasse"
