"""FollowIR (Weller et al., arXiv 2403.15246): TREC topics whose instructions were changed so that documents have to fall."""

from __future__ import annotations

from searchinstruct_graph.evals.instruction_benchmarks import Benchmark, followir_scores, named_tasks, qrel_diff

TASKS = ("Robust04InstructionRetrieval", "News21InstructionRetrieval", "Core17InstructionRetrieval")

BENCHMARK = Benchmark(
    name="followir",
    summary="FollowIR through mteb: do documents fall when the instruction rules them out?",
    tasks=lambda: named_tasks(*TASKS),
    topic=lambda query: query.removesuffix("-og").removesuffix("-changed"),
    score=followir_scores,
    scores=("p_mrr", "map@1000", "ndcg@5", "changed_map@1000", "changed_ndcg@5"),
    main="p_mrr",
    fallen=qrel_diff,
)

SUITE = BENCHMARK.suite()
