"""The selector on planted pools: what it finds, what it never does, and that the clock does not matter."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.selection import Landed, Pull, SelectionSettings, Selector
from searchinstruct_graph.selection import selector as module
from searchinstruct_graph.selection.alignment import Alignment
from searchinstruct_graph.selection.rewards import Matrix

WIDE = 24
KINDS = 12

Extracted = tuple[Matrix, list[int], list[int]]
Extraction = Callable[[Pull], Extracted]


def unit(rows: NDArray[np.floating]) -> Matrix:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), dtype=np.float32)


class World(NamedTuple):
    """Documents of `KINDS` kinds; a document gives `pairs[i]` pairs of its own kind, in the cell of that kind."""

    vectors: Matrix
    kinds: NDArray[np.int64]
    target: Matrix
    pairs: NDArray[np.int64]

    def extract(self, pull: Pull) -> Extracted:
        owner = [document for document in pull.documents for _ in range(int(self.pairs[document]))]
        noise = [np.random.default_rng([9, document]).normal(scale=0.6 / 4, size=WIDE) for document in owner]
        rows = self.vectors[owner] + np.array(noise).reshape(-1, WIDE) + 0.3 * np.eye(WIDE)[-1]
        return unit(rows), owner, self.kinds[owner].tolist()


def world(documents: int = 600, wanted: int = 0, seed: int = 0, none: float = 0.2) -> World:
    draw = np.random.default_rng(seed)
    kinds = draw.integers(KINDS, size=documents)
    vectors = unit(np.eye(WIDE)[kinds] + draw.normal(scale=0.7 / 4, size=(documents, WIDE)))
    target = unit(
        np.eye(WIDE)[np.full(40, wanted)] + draw.normal(scale=0.7 / 4, size=(40, WIDE)) + 0.3 * np.eye(WIDE)[-1]
    )
    pairs = np.where(draw.random(documents) < none, 0, draw.integers(1, 5, size=documents))
    return World(vectors, kinds, target, pairs)


class Run(NamedTuple):
    pulls: list[Pull]
    landed: list[Landed]
    selector: Selector

    @property
    def read(self) -> list[int]:
        return [document for pull in self.pulls for document in pull.documents]


def finish(selector: Selector, extract: Extraction, early: Callable[[], bool] = lambda: False) -> Run:
    """Drive the selector as a runner does; `early` says whether a pull lands although another could be issued."""
    flying: deque[Pull] = deque()
    run = Run([], [], selector)
    issuing = True
    while issuing or flying:
        if selector.needs_clusters():
            selector.form_clusters()
        if issuing and selector.ready() and not (flying and early()):
            pull = selector.next()
            if pull is None:
                issuing = False
            else:
                run.pulls.append(pull)
                flying.append(pull)
        else:
            pull = flying.popleft()
            run.landed.append(selector.land(pull.number, *extract(pull)))
    return run


def choose(w: World, *, holes: NDArray[np.float64] | None = None, **more: Any) -> Selector:
    chosen = SelectionSettings(**({"budget": 60, "clusters": KINDS} | more))
    return Selector(w.vectors, w.target, chosen, holes=holes)


WORLD = world()


class TestFinding:
    @pytest.mark.parametrize("prior", ["documents", "mean"])
    @pytest.mark.parametrize("reward", ["transport", "divergence", "similarity"])
    @pytest.mark.parametrize("order", ["random", "nearest"])
    def test_most_of_the_budget_goes_to_the_kind_that_is_wanted(self, prior: str, reward: str, order: str) -> None:
        shares = []
        for seed in range(3):
            w = world(wanted=seed, seed=seed)
            # Without the documents' promise the warm-up is what tells clusters apart.
            warmup = 0.1 if prior == "documents" else 0.3
            given = choose(w, prior=prior, reward=reward, order=order, seed=seed, warmup=warmup)
            run = finish(given, w.extract)
            shares.append(np.mean(w.kinds[run.read] == seed))
        assert np.mean(shares) > (5 if prior == "documents" else 3) / KINDS

    def test_neighbour_sharing_finds_it_too(self) -> None:
        run = finish(choose(WORLD, neighbours=0.2), WORLD.extract)
        assert np.mean(WORLD.kinds[run.read] == 0) > 4 / KINDS

    def test_misleading_documents_are_seen_through(self) -> None:
        """Where a kind's documents look like the target but their pairs do not, the pairs have the last word."""
        w = world(none=0.0)

        def extract(pull: Pull) -> Extracted:
            vectors, owner, cells = w.extract(pull)
            away = w.kinds[owner] == 0
            vectors[away] = unit(0.2 * vectors[away] + np.eye(WIDE)[-2])
            return vectors, owner, cells

        run = finish(choose(w, budget=120, alpha=0.1), extract)
        early, late = np.array(run.read[24:60]), np.array(run.read[-24:])
        assert np.mean(w.kinds[early] == 0) > 0.3
        assert np.mean(w.kinds[late] == 0) < 0.2

    def test_an_untried_kind_with_no_promise_need_not_be_tried(self) -> None:
        run = finish(choose(WORLD, budget=40, clusters=60), WORLD.extract)
        arms = [pull.cluster for pull in run.pulls if pull.cluster is not None]
        assert len(set(arms)) < len(arms)

    def test_by_the_mean_every_arm_is_tried_before_a_third_pull(self) -> None:
        run = finish(choose(WORLD, budget=100, prior="mean", in_flight=1), WORLD.extract)
        counts = np.array([0.0] * KINDS)
        pairs = np.array([0] * KINDS)
        labels = run.selector.labels
        assert labels is not None
        for pull in run.pulls:
            arms = labels[pull.documents]
            if pull.cluster is not None:
                if counts[pull.cluster] >= 2 and pairs[pull.cluster] >= 5:
                    assert all((pairs >= 5) | (counts >= 3))
                counts[pull.cluster] += 1
            np.add.at(pairs, arms, WORLD.pairs[pull.documents])
            if pull.cluster is None:
                counts = (pairs >= 5).astype(float)
        assert counts.max() > 5

    def test_clusters_that_give_nothing_are_left(self) -> None:
        w = world()
        w.pairs[w.kinds == 0] = 0
        run = finish(choose(w, budget=200, in_flight=1), w.extract)
        late = np.array(run.read[100:])
        assert np.mean(w.kinds[late] == 0) < 0.25


class TestCoverage:
    def test_goes_where_the_holes_are_and_moves_on(self) -> None:
        w = world(documents=900, none=0.0)
        holes = np.zeros(KINDS)
        holes[3], holes[7] = 60.0, 30.0
        run = finish(choose(w, budget=50, reward="coverage", holes=holes, in_flight=1), w.extract)
        chosen = np.array([document for pull in run.pulls if pull.cluster is not None for document in pull.documents])
        kinds = w.kinds[chosen]
        assert np.mean(np.isin(kinds, [3, 7])) > 0.5
        assert np.mean(kinds[:15] == 3) > 0.6
        # The second hole is the larger one once the first is half filled.
        assert np.count_nonzero(kinds[15:] == 7) > 5
        filled = [w.pairs[run.read][w.kinds[run.read] == kind].sum() for kind in (3, 7)]
        assert filled[0] > 30
        assert filled[1] > 15

    def test_needs_no_target(self) -> None:
        chosen = SelectionSettings(budget=40, reward="coverage", clusters=KINDS)
        run = finish(Selector(WORLD.vectors, WORLD.target[:0], chosen, holes=np.full(KINDS, 5.0)), WORLD.extract)
        assert len(run.read) == 40
        assert all(landed.distance is None for landed in run.landed)


class TestPulls:
    @settings(max_examples=25, deadline=None)
    @given(
        budget=st.integers(1, 450),
        documents=st.integers(2, 120),
        warmup=st.sampled_from([0.0, 0.05, 0.2, 0.3]),
        in_flight=st.integers(1, 9),
        baseline=st.sampled_from(["", "", "random", "all"]),
        seed=st.integers(0, 50),
    )
    def test_the_budget_holds_and_nothing_is_read_twice(
        self, budget: int, documents: int, warmup: float, in_flight: int, baseline: str, seed: int
    ) -> None:
        w = world(documents)
        draw = np.random.default_rng(seed)
        given_settings: dict[str, Any] = {"warmup": warmup, "in_flight": in_flight, "baseline": baseline, "seed": seed}
        selector = choose(w, budget=budget, clusters=None, **given_settings)
        run = finish(selector, w.extract, lambda: bool(draw.random() < 0.5))
        assert len(run.read) == len(set(run.read)) == min(budget, documents)
        per_pull = math.ceil(budget / 200)
        assert all(0 < len(pull.documents) <= per_pull for pull in run.pulls)
        assert [pull.number for pull in run.pulls] == list(range(len(run.pulls)))
        assert [landed.number for landed in run.landed] == list(range(len(run.pulls)))
        if not baseline and budget < documents:
            assert sum(len(pull.documents) for pull in run.pulls if pull.cluster is None) <= warmup * budget + 1e-9

    def test_an_exhausted_arm_gives_its_remainder(self) -> None:
        """Pulls of two from clusters of odd sizes: nothing stays unread while there is budget."""
        w = world(401)
        run = finish(choose(w, budget=400, clusters=30), w.extract)
        assert len(run.read) == 400
        short = [pull for pull in run.pulls if len(pull.documents) == 1]
        assert short
        sizes = {arm["cluster"]: (arm["size"], arm["read"]) for arm in run.selector.summary()}
        assert all(sizes[p.cluster][0] == sizes[p.cluster][1] for p in short[:-1] if p.cluster is not None)

    def test_a_landing_without_pairs_counts(self) -> None:
        run = finish(choose(WORLD), lambda pull: (np.zeros((0, WIDE), np.float32), [], []))
        assert len(run.read) == 60
        assert sum(arm["read"] for arm in run.selector.summary()) == 60
        assert all(arm["pairs"] == 0 and arm["distance"] is None for arm in run.selector.summary())

    def test_no_warm_up(self) -> None:
        run = finish(choose(WORLD, warmup=0.0), WORLD.extract)
        assert all(pull.cluster is not None for pull in run.pulls)

    @pytest.mark.parametrize(("chunk", "widest"), [(4_096, 1_024), (7, 1_024), (7, 10), (1, 1)])
    def test_documents_are_ordered_in_chunks(self, chunk: int, widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CHUNK", chunk)
        monkeypatch.setattr(module, "WIDEST", widest)
        w = world(50)
        expected = np.sort(w.vectors @ w.target.T, axis=1)[:, -5:].mean(axis=1)
        assert module._closeness(choose(w), Alignment(None)) == pytest.approx(expected, abs=1e-6)

    def test_documents_without_a_vector_can_be_read(self) -> None:
        w = world(100)
        w.vectors[::3] = 0
        assert len(finish(choose(w, budget=100), w.extract).read) == 100

    def test_baselines_read_the_same_in_the_same_batches(self) -> None:
        w = world(500)
        runs = [finish(choose(w, budget=401, baseline=baseline), w.extract) for baseline in ("", "random", "all")]
        assert [len(run.read) for run in runs] == [401] * 3
        assert [len(pull.documents) for pull in runs[1].pulls] == [3] * 133 + [2]
        assert [len(pull.documents) for pull in runs[2].pulls] == [3] * 133 + [2]
        assert runs[2].read == list(range(401))
        assert runs[1].read != sorted(runs[1].read)
        assert not any(run.selector.needs_clusters() for run in runs)
        assert all(pull.cluster is None for pull in runs[1].pulls + runs[2].pulls)

    def test_what_is_wanted_beyond_the_budget_is_none(self) -> None:
        run = finish(choose(WORLD, budget=5), WORLD.extract)
        assert run.selector.ready()
        assert run.selector.next() is None


class TestOrderOfEvents:
    @settings(max_examples=20, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        share=st.sampled_from([0.2, 0.5, 1.0]),
        prior=st.sampled_from(["documents", "mean"]),
        reward=st.sampled_from(["transport", "divergence", "similarity", "coverage"]),
        neighbours=st.sampled_from([0.0, 0.2]),
    )
    def test_the_time_of_landing_does_not_matter(
        self, seed: int, share: float, prior: str, reward: str, neighbours: float
    ) -> None:
        w = world(300)
        more: dict[str, Any] = {
            "prior": prior, "reward": reward, "neighbours": neighbours, "holes": np.full(KINDS, 8.0), "in_flight": 5
        }  # fmt: skip
        plain = finish(choose(w, **more), w.extract)
        draw = np.random.default_rng(seed)
        other = finish(choose(w, **more), w.extract, lambda: bool(draw.random() < share))
        assert other.pulls == plain.pulls
        assert other.landed == plain.landed
        assert other.selector.summary() == plain.selector.summary()

    @settings(max_examples=20, deadline=None)
    @given(stopped=st.integers(0, 60), early=st.booleans())
    def test_a_run_is_restored_by_replay(self, stopped: int, early: bool) -> None:
        w = world(300)
        whole = finish(choose(w), w.extract)
        state = whole.selector.clusters_state()
        again = choose(w)
        if early:
            again.restore_clusters(state)
        for expected, pairs in [(pull, w.extract(pull)) for pull in whole.pulls[:stopped]]:
            if again.needs_clusters():
                again.restore_clusters(state)
            assert again.next() == expected
            assert again.land(expected.number, *pairs) == whole.landed[expected.number]
        rest = finish(again, w.extract)
        assert rest.pulls == whole.pulls[stopped:]
        assert again.summary() == whole.selector.summary()
        assert again.clusters_state() == state

    def test_pulls_in_flight_are_unknown_to_a_choice(self) -> None:
        """What landed after pull n - in_flight changes nothing for pull n."""
        w = world(300)
        runs = [choose(w, in_flight=4), choose(w, in_flight=4)]
        outcomes = []
        for at, selector in enumerate(runs):
            pulls: list[Pull] = []
            while len(pulls) < 40:
                if selector.needs_clusters():
                    selector.form_clusters()
                pull = selector.next()
                assert pull is not None
                pulls.append(pull)
                vectors, owner, cells = w.extract(pull)
                if at and pull.number >= 34:
                    vectors = unit(vectors + 3 * np.eye(WIDE)[-3])
                selector.land(pull.number, vectors, owner, cells)
            outcomes.append(pulls)
        assert outcomes[0][:38] == outcomes[1][:38]

    def test_issuing_waits_for_the_pulls_before(self) -> None:
        selector = choose(WORLD, warmup=0.2, in_flight=3)
        pulls = [selector.next() for _ in range(3)]
        assert not selector.ready()
        with pytest.raises(RuntimeError, match="landed"):
            selector.next()
        assert pulls[0] is not None
        assert selector.land(0, *WORLD.extract(pulls[0])) == Landed(0, None, None, None)
        assert selector.ready()

    @settings(max_examples=20, deadline=None)
    @given(before=st.integers(0, 12), seed=st.integers(0, 10**6))
    def test_pulls_land_in_the_order_of_their_numbers(self, before: int, seed: int) -> None:
        """In the warm-up and after it any other number is refused, and the refusal changes nothing."""
        draw = np.random.default_rng(seed)
        selector = choose(WORLD, warmup=0.1, in_flight=4)
        refused = 0

        def extract(pull: Pull) -> Extracted:
            nonlocal refused
            others = [pull.number - 1, pull.number + 1, pull.number + int(draw.integers(2, 9))]
            for other in others if pull.number >= before else []:
                with pytest.raises(ValueError, match=f"Pull {other} cannot land: .* {pull.number} is the next"):
                    selector.land(other, np.zeros((0, WIDE), np.float32), [])
                refused += 1
            return WORLD.extract(pull)

        run = finish(selector, extract, lambda: bool(draw.random() < 0.3))
        plain = finish(choose(WORLD, warmup=0.1, in_flight=4), WORLD.extract)
        assert refused == 3 * (60 - before)
        assert (run.pulls, run.landed) == (plain.pulls, plain.landed)

    def test_clusters_wait_for_the_warm_up(self) -> None:
        selector = choose(WORLD, budget=20, warmup=0.2, in_flight=8)
        pulls = [selector.next() for _ in range(4)]
        assert all(pull is not None and pull.cluster is None for pull in pulls)
        assert not selector.ready()
        assert not selector.needs_clusters()
        with pytest.raises(RuntimeError, match="warm-up"):
            selector.form_clusters()
        for pull in pulls:
            assert pull is not None
            selector.land(pull.number, *WORLD.extract(pull))
        assert not selector.ready()
        assert selector.needs_clusters()
        selector.form_clusters()
        assert selector.ready()
        assert not selector.needs_clusters()

    def test_the_seed_changes_what_is_read(self) -> None:
        one, other = (finish(choose(WORLD, seed=seed), WORLD.extract) for seed in (1, 2))
        assert one.pulls != other.pulls


class TestSummary:
    def test_accounts_for_everything(self) -> None:
        run = finish(choose(WORLD), WORLD.extract)
        summary = run.selector.summary()
        assert [arm["cluster"] for arm in summary] == list(range(len(summary)))
        assert sum(arm["size"] for arm in summary) == len(WORLD.vectors)
        assert sum(arm["read"] for arm in summary) == 60
        assert sum(arm["pairs"] for arm in summary) == WORLD.pairs[run.read].sum()
        nearest = min((arm for arm in summary if arm["distance"] is not None), key=lambda arm: arm["distance"] or 0.0)
        assert max(summary, key=lambda arm: arm["read"]) == nearest
        assert all(len(arm["centroid"]) == WIDE for arm in summary)

    def test_is_empty_before_the_clusters(self) -> None:
        assert choose(WORLD).summary() == []

    def test_a_landing_tells_the_distance_of_its_cluster(self) -> None:
        run = finish(choose(WORLD, reward="transport"), WORLD.extract)
        assert all(landed.distance is None for landed in run.landed if landed.cluster is None)
        told = [landed for landed in run.landed if landed.distance is not None]
        assert told
        assert all(landed.reward == pytest.approx(-(landed.distance or 0.0)) for landed in told)
        run = finish(choose(WORLD, reward="divergence"), WORLD.extract)
        other = [landed for landed in run.landed if landed.distance is not None]
        assert other
        assert all(landed.reward is not None and -landed.reward < (landed.distance or 0.0) for landed in other)


class TestRefusals:
    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"budget": 0}, "budget"),
            ({"in_flight": 0}, "in_flight"),
            ({"clusters": 0}, "clusters"),
            ({"warmup": 0.31}, "warmup"),
            ({"warmup": math.nan}, "warmup"),
            ({"neighbours": -1.0}, "neighbours"),
            ({"alpha": "often"}, "alpha"),
            ({"reward": "price"}, "reward"),
            ({"reward": "coverage"}, "holes"),
            ({"prior": "none"}, "prior"),
            ({"order": "last"}, "order"),
            ({"baseline": "best"}, "baseline"),
            ({"seed": -1}, "seed"),
        ],
    )
    def test_settings(self, wrong: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            choose(WORLD, **wrong)

    def test_targets(self) -> None:
        chosen = SelectionSettings(budget=10)
        with pytest.raises(UsageError, match="no target"):
            Selector(WORLD.vectors, WORLD.target[:0], chosen)
        with pytest.raises(UsageError, match="one embedding model"):
            Selector(WORLD.vectors, WORLD.target[:, :5], chosen)
        with pytest.raises(UsageError, match="not finite"):
            Selector(WORLD.vectors, np.full((3, WIDE), np.nan, np.float32), chosen)

    def test_landings(self) -> None:
        selector = choose(WORLD)
        pull = selector.next()
        assert pull is not None
        one = unit(np.ones((1, WIDE)))
        stranger = next(document for document in range(9) if document not in pull.documents)
        for number, vectors, owner, cells, words in (
            (1, one, pull.documents[:1], None, "and 0 is the next"),
            (-1, one, pull.documents[:1], None, "and 0 is the next"),
            (0, one, [stranger], None, "not one of the pull's"),
            (0, one * np.nan, pull.documents[:1], None, "not finite"),
            (0, one, pull.documents[:1], [1, 2], "2 cells for 1 pairs"),
            (0, one[:, :3], pull.documents[:1], None, "shape"),
        ):
            with pytest.raises(ValueError, match=words):
                selector.land(number, vectors, owner, cells)
        selector.land(0, one, pull.documents[:1])
        for number in (0, 1):
            with pytest.raises(ValueError, match="every pull that was issued has landed"):
                selector.land(number, one, pull.documents[:1])

    def test_cells_beyond_the_holes(self) -> None:
        selector = choose(WORLD, reward="coverage", holes=np.ones(2))
        pull = selector.next()
        assert pull is not None
        with pytest.raises(ValueError, match="not one of the 2"):
            selector.land(0, unit(np.ones((1, WIDE))), pull.documents[:1], [2])

    def test_saved_clusters_of_others(self) -> None:
        run = finish(choose(WORLD), WORLD.extract)
        state = run.selector.clusters_state()
        with pytest.raises(UsageError, match="other documents"):
            choose(world(50)).restore_clusters(state)
        for broken in (b"", b"PK", state[:200], np.float32(1).tobytes()):
            with pytest.raises(UsageError, match="cannot be read"):
                choose(WORLD).restore_clusters(broken)
        with pytest.raises(RuntimeError, match="in use"):
            run.selector.restore_clusters(state)
        with pytest.raises(RuntimeError, match="no clusters"):
            choose(WORLD).clusters_state()
