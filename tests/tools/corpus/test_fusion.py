from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.tools.corpus.fusion import K, fuse


def test_the_formula() -> None:
    scores = fuse([[("a", 1.0), ("b", 1.0)], [("b", 0.4)]])
    assert scores == {"a": 1 / (K + 1), "b": 1 / (K + 2) + 0.4 / (K + 1)}


@given(st.lists(st.integers(), unique=True, max_size=30), st.floats(0.1, 10))
def test_one_ranking_keeps_its_order(items: list[int], weight: float) -> None:
    scores = fuse([[(item, weight) for item in items], []])
    assert sorted(scores, key=lambda item: -scores[item]) == items


def test_the_first_hit_of_the_weaker_half_stays_among_ten() -> None:
    scores = fuse([[(f"w{n}", 1.0) for n in range(50)], [(f"v{n}", 0.2) for n in range(50)]])
    ranked = sorted(scores, key=lambda item: -scores[item])
    assert "v0" in ranked[:20]
    assert ranked[0] == "w0"
