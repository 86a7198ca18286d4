"""Near-duplicate detection for a pool that grows to a million instructions.

Sorted arrays of hashes find the candidates, the texts themselves decide, and what is saved is only what was added.

Why not a library, as measured on one core: datasketch 2.0 keeps its MinHash buckets in Python sets, 4 KB a text, that is
4 GB at a million, and is saved as a whole. A graph index (usearch 2.26, hnswlib, faiss) must be searched and grown text
by text: 450 microseconds a text at the first 50,000 and rising; its answers are approximate in a way that depends on how
the graph grew, and it is saved as a whole too, or built again for minutes on resuming.
"""

from searchinstruct_graph.datasets.pool.near import Pool, Rule, Twin

__all__ = ["Pool", "Rule", "Twin"]
