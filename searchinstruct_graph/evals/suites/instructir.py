"""InstructIR (Oh et al., arXiv 2402.14334): one query under the instructions of many kinds of people."""

from __future__ import annotations

from searchinstruct_graph.evals.instruction_benchmarks import Benchmark, instructir_scores, named_tasks

BENCHMARK = Benchmark(
    name="instructir",
    summary="InstructIR through mteb: how well is a query served under the worst of its instructions?",
    tasks=lambda: named_tasks("InstructIR"),
    topic=lambda query: query.split("_")[0],
    score=instructir_scores,
    scores=("robustness@10", "ndcg@10"),
    main="robustness@10",
)

SUITE = BENCHMARK.suite()
