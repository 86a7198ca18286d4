# mypy: ignore-errors
"""One chat call a row with NeMo Data Designer; runs in Data Designer's own environment. The job is one JSON argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner

job = json.loads(sys.argv[1])
designer = DataDesigner(
    artifact_path=Path(job["folder"], "artifacts"),
    model_providers=[dd.ModelProvider(name="loopback", endpoint=job["url"], provider_type="openai", api_key="none")],
)
designer.set_run_config(dd.RunConfig(otel_metrics_port=None))
config = dd.DataDesignerConfigBuilder(
    model_configs=[
        dd.ModelConfig(
            alias="scripted",
            model="scripted",
            provider="loopback",
            inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=job["in_flight"]),
        )
    ]
)
prompts = [job["prompt"].format(row=row) for row in range(job["rows"])]
config.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"prompt": prompts})))
config.add_column(dd.LLMTextColumnConfig(name="fact", model_alias="scripted", prompt="{{ prompt }}"))
made = designer.create(config, num_records=job["rows"]).load_dataset()
Path(job["folder"], "got.json").write_text(json.dumps(int(made["fact"].astype(bool).sum())))
