"""Choosing documents of a pile: texts become vectors, the selection does the rest. What it has chosen can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.datasets.coverage import Holes
from searchinstruct_graph.datasets.ledger import PullRecord
from searchinstruct_graph.datasets.pair_vectors import as_fact, from_fact, packed, unpacked
from searchinstruct_graph.datasets.run import ENCODER, TUNED
from searchinstruct_graph.datasets.seeds import Seed
from searchinstruct_graph.errors import SearchInstructError
from searchinstruct_graph.models.embeddings import Embedder, embeddings
from searchinstruct_graph.tools.corpus import Pile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from searchinstruct_graph.selection.selector import Landed, Pull, SelectionSettings, Selector
    from searchinstruct_graph.selection.tuning import TuningProgress

    Vectors = NDArray[np.float32]

MOST_EXAMPLES = 1_024
"""Examples that the selection looks at; of more, as many k-means++ picks stand for all."""

_EMBED_AT_ONCE = 2_048


def as_pair(question: str, answer: str) -> str:
    """The text whose embedding stands for a pair: question and answer on two lines."""
    return f"{question}\n{answer}"


class Chooser:
    """The selection over a pile, as it stands after the pulls that were handed to it."""

    def __init__(
        self,
        pile: Pile,
        examples: Sequence[Seed],
        embedder: Embedder,
        context: ExtractContext,
        budget: int,
        *,
        planned: int | None = None,
        target: dict[str, Any] | None = None,
        holes: Holes | None = None,
        folder: Path | None = None,
    ) -> None:
        """`planned` is the budget that the run began with, `target` what `kept_target` gave then; `folder` is where a tuned
        encoder is kept, needed for `tune`.
        """
        self.pile, self.context, self.holes = pile, context, holes
        self._settings = selection_settings(context, budget, planned)
        self._folder = folder
        self._examples = [as_pair(seed["text"], seed["answer"]) for seed in examples]
        self._kept = target
        self._take(embedder, pile.vectors, target)

    def _take(self, embedder: Embedder, vectors: Vectors, kept: dict[str, Any] | None) -> None:
        from searchinstruct_graph.selection.nearness import farthest_kept
        from searchinstruct_graph.selection.selector import Selector

        self.embedder = embedder
        self.target: Vectors = self._examples_seen(embedder) if kept is None else from_fact(kept)
        self.farthest = farthest_kept(self.target, self.context.on_target) if self.context.on_target else None
        self.selector: Selector = Selector(
            vectors,
            self.target,
            self._settings,
            holes=None if self.holes is None else self.holes.open,
        )

    def _examples_seen(self, embedder: Embedder) -> Vectors:
        """The examples' vectors, as exact as they are kept; of very many, those that stand for all."""
        import numpy as np

        from searchinstruct_graph.selection.transport import representatives

        rows = embedder.embed(self._examples)
        if len(rows) > MOST_EXAMPLES:
            rows = rows[representatives(rows, MOST_EXAMPLES, 0)]
        return rows.astype(np.float16).astype(np.float32)

    @property
    def clusters(self) -> int:
        """How many clusters there are; 0 before they are formed."""
        labels = self.selector.labels
        return 0 if labels is None else int(labels.max()) + 1

    def replay(self, records: Iterable[PullRecord], clusters: bytes | None) -> tuple[int, int]:
        """Let the selection choose again what it has chosen; returns (pulls, documents read).

        Raises:
            SearchInstructError: it would choose other documents now.
        """
        if clusters is not None and self.context.tune:
            self._take(*self._tuned(), self._kept)
        pulls = read = 0
        for record in records:
            if self.selector.needs_clusters() and clusters is not None:
                self.selector.restore_clusters(clusters)
            pull = self._again(record)
            self.land(pull, unpacked(record["vectors"], self.target.shape[1]), record["owners"], record["cells"])
            pulls += 1
            read += len(pull.documents)
        if clusters is not None and self.selector.needs_clusters():
            self.selector.restore_clusters(clusters)
        return pulls, read

    def _again(self, record: PullRecord) -> Pull:
        """The pull that was made, chosen again."""
        # The last pull of a smaller budget may have been short.
        pull = self.selector.next(len(record["documents"])) if self.selector.ready() else None
        if pull is None or pull.documents != record["documents"]:
            raise SearchInstructError(
                f"pull {record['number']} of this run read other documents than the selection would read now; another version "
                "chose them: install that one to go on, or begin anew with --new-run"
            )
        return pull

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The vectors of pairs, as exact as the ledger keeps them, so that a replay computes with the same numbers."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.target.shape[1]), dtype=np.float32)
        return self.embedder.embed(texts).astype(np.float16).astype(np.float32)

    def cells(self, vectors: Vectors, levels: Sequence[str]) -> list[int]:
        """The quota cells of pairs; empty without a run to cover."""
        return [] if self.holes is None else self.holes.cells(vectors, levels)

    def land(self, pull: Pull, vectors: Vectors, owners: Sequence[int], cells: Sequence[int]) -> Landed:
        """Hand in what the earliest pull gave that has not landed yet."""
        return self.selector.land(pull.number, vectors, owners, cells or None)

    def distances(self, vectors: Vectors) -> Vectors:
        """From each pair to its nearest example."""
        from searchinstruct_graph.selection.nearness import nearest_distances

        return nearest_distances(vectors, self.target)

    # A real encoder can be tuned on the warm-up's pairs (EQUAL, step A).

    def tune(
        self, warmup: Sequence[PullRecord], told: Callable[[TuningProgress], None] | None = None
    ) -> list[PullRecord]:
        """Tune the encoder on the pairs of the warm-up and see the pile, the examples and those pairs through it from now on;
        returns the warm-up's records with their new vectors. The same again after a kill gives the same.
        """
        from searchinstruct_graph.selection.tuning import checked_encoder, tune_encoder

        assert self._folder is not None
        read = [document for record in warmup for document in record["documents"]]
        at = {document: number for number, document in enumerate(read)}
        tune_encoder(
            checked_encoder(self.context.embeddings),
            [self._document_text(document) for document in read],
            [text for record in warmup for text in record["texts"]],
            [at[document] for record in warmup for document in record["owners"]],
            self._folder / ENCODER,
            seed=self.context.seed,
            on_progress=told,
        )
        self._take(*self._tuned(), None)
        seen = []
        for record in warmup:
            vectors = self.vectors(record["texts"])
            self.land(self._again(record), vectors, record["owners"], record["cells"])
            seen.append(PullRecord(**{**record, "vectors": packed(vectors), "texts": []}))
        return seen

    def _document_text(self, index: int) -> str:
        section = self.pile.section(index)
        return f"{section.title}\n{section.text}" if section.title else section.text

    def _tuned(self) -> tuple[Embedder, Vectors]:
        """The tuned encoder, and its vectors of the pile, which are made when they are not there."""
        import numpy as np

        from searchinstruct_graph.selection.tuning import tuned_encoder

        assert self._folder is not None
        embedder = embeddings(tuned_encoder(self._folder / ENCODER).embedding)
        path = self._folder / TUNED
        if not path.exists():
            temporary = path.with_name(f".{path.name}.part")
            shape = (len(self.pile), embedder.dimensions)
            rows = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            for first in range(0, len(self.pile), _EMBED_AT_ONCE):
                some = range(first, min(first + _EMBED_AT_ONCE, len(self.pile)))
                rows[some.start : some.stop] = embedder.embed([self._document_text(index) for index in some])
            rows.flush()
            del rows
            temporary.replace(path)
        return embedder, np.load(path, mmap_mode="r")

    def kept_target(self) -> dict[str, Any]:
        """The examples' vectors as a run keeps them."""
        return as_fact(self.target)


def selection_settings(context: ExtractContext, budget: int, planned: int | None = None) -> SelectionSettings:
    """How documents are chosen, from the settings of the run."""
    from searchinstruct_graph.selection.selector import SelectionSettings

    return SelectionSettings(
        budget=budget,
        planned=planned,
        clusters=context.clusters,
        warmup=context.warmup,
        alpha=context.weight(),
        reward=context.reward,
        prior=context.prior,
        order=context.order,
        neighbours=context.neighbours,
        in_flight=context.pulls_in_flight,
        seed=context.seed,
        baseline=context.baseline or "",
    )
