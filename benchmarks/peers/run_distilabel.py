# mypy: ignore-errors
"""One chat call a row with distilabel; runs in distilabel's own environment. The job is one JSON argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main() -> None:
    """Run the pipeline; its steps are processes of their own, so this must not run on import."""
    job = json.loads(sys.argv[1])
    with Pipeline(name="throughput", cache_dir=job["folder"]) as pipeline:
        rows = LoadDataFromDicts(
            data=[{"instruction": job["prompt"].format(row=row)} for row in range(job["rows"])],
            batch_size=job["in_flight"],
        )
        # The calls of one batch are in flight together: its size is what bounds them.
        facts = TextGeneration(
            llm=OpenAILLM(model="scripted", base_url=job["url"], api_key="none"), input_batch_size=job["in_flight"]
        )
        rows >> facts
    made = pipeline.run(use_cache=False)
    got = sum(1 for row in made["default"]["train"] if row["generation"])
    Path(job["folder"], "got.json").write_text(json.dumps(got))


if __name__ == "__main__":
    main()
