"""`searchinstruct train-retriever` as a user runs it: processes of its own, real folders, and the search that then obeys."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.desk import Shell, json_of
from tests.support.manners import MANNERS, THINGS, manners, page
from tests.support.tiny_encoder import needs_training, write_encoder
from tests.support.zygote import ForkedShell, Zygote

TRAINED = THINGS[:6]


def write_triplets(path: Path, things: list[str] = TRAINED) -> None:
    """A file of the published fields; compressed when its name says so."""
    records = [
        "\n",
        *(json.dumps({**each._asdict(), "family": each.query_positive}) + "\n" for each in manners(things)),
    ]
    path.write_bytes(gzip.compress("".join(records).encode()) if path.suffix == ".gz" else "".join(records).encode())


class Workshop(ForkedShell):
    """A shell in a folder with triplets, and with pages about all things in all manners."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        super().__init__(folder, zygote)
        write_triplets(folder / "triplets.jsonl.gz")
        (folder / "pages").mkdir()
        for thing in THINGS:
            for manner in MANNERS:
                (folder / "pages" / f"{thing}-{manner}.md").write_text(f"{page(thing, manner)}\n")

    def train(self, *more: str) -> list[str]:
        """The arguments of a training on the triplets."""
        return ["train-retriever", "triplets.jsonl.gz", "--hold-out", "0.35", *more]

    def found(self, query: str, *more: str) -> list[str]:
        """The pages that a search finds, best first, by thing and manner."""
        told = json_of(self.do("search", query, "--corpus", "pages", "-k", "5", "--json", *more))
        passages: list[dict[str, Any]] = told["passages"] if isinstance(told, dict) else told
        return [Path(each["uri"]).stem for each in passages]


@pytest.fixture
def workshop(tmp_path: Path, zygote: Zygote) -> Workshop:
    return Workshop(tmp_path, zygote)


def test_from_triplets_to_a_search_that_obeys(workshop: Workshop) -> None:
    done = workshop.do(*workshop.train("--out", "obedient"))
    assert done.returncode == 0, done.stderr
    assert "14 triplets to train on, 10 held out, of 6 families" in done.stderr
    assert "left out: 6 triplets whose poisoned query is held out" in done.stderr
    assert "held out are 10 triplets with 2 queries: few" in done.stderr
    assert "a re-scorer for wordllama" in done.stdout
    assert "--embeddings obedient" in done.stdout
    out = workshop.folder / "obedient"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "rescorer.npz",
        "retriever.json",
        "training.json",
    ]
    assert json.loads((out / "retriever.json").read_text()) == {
        "kind": "rescorer",
        "base": "wordllama",
        "join": "plain",
    }
    # Things of which no triplet was trained on, and manners in words that no page holds.
    for thing, manner in zip(THINGS[6:], ("music", "birds"), strict=True):
        told = ("--instruction", f"only {manner}", "--embeddings", "obedient")
        assert workshop.found(thing, *told)[0] == f"{thing}-{manner}"
    assert workshop.found("tower", "--embeddings", "obedient") == workshop.found("tower")
    # The same command hands back what is there; another one does not touch it.
    written = (out / "README.md").stat().st_mtime_ns
    again = json_of(workshop.do(*workshop.train("--out", "obedient", "--json")))
    assert (out / "README.md").stat().st_mtime_ns == written
    assert (again["kind"], again["triplets"], again["held"]) == ("rescorer", 14, 10)
    gained = again["measured"]["gain"]["p_mrr"]
    assert gained["low"] <= gained["value"] <= gained["high"]
    assert again["measured"]["after"]["accuracy"]["value"] > 0.5
    refused = workshop.do(*workshop.train("--out", "obedient", "--seed", "7"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "holds a retriever trained on other rows or settings" in refused.stderr
    assert sorted(path.name for path in workshop.folder.iterdir() if path.name.startswith(".")) == []


def test_the_card_tells_what_it_was_made_of(workshop: Workshop) -> None:
    write_triplets(workshop.folder / "b|ad `name`.jsonl", TRAINED[:2])
    outcome = json_of(
        workshop.do(
            "train-retriever",
            "triplets.jsonl.gz",
            "b|ad `name`.jsonl",
            "--out",
            "out/deep",
            "--json",
            "--hold-out",
            "0.3",
        )
    )
    assert outcome["data"]["left_out"]["triplets that were there before"] == 10
    card = (workshop.folder / "out/deep/README.md").read_text()
    _, front, body = card.split("---\n", 2)
    assert "instruction-following-retrieval" in yaml.safe_load(front)["tags"]
    assert "base_model" not in yaml.safe_load(front)
    for source in outcome["data"]["sources"]:
        assert source["fingerprint"][:16] in body
    assert "| p-MRR |" in body
    assert "--embeddings FOLDER" in body
    assert outcome["digest"] in body
    assert "b&#124;ad" in body
    assert str(workshop.folder) not in card


def test_a_killed_training_is_made_anew(workshop: Workshop) -> None:
    through = json_of(workshop.do(*workshop.train("--out", "through", "--json")))
    process = workshop.begin(*workshop.train("--out", "killed"))
    while not (workshop.folder / ".killed.training").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    again = json_of(workshop.do(*workshop.train("--out", "killed", "--json")))
    assert again["digest"] == through["digest"]
    assert again["measured"] == through["measured"]
    assert sorted(path.name for path in workshop.folder.glob(".*")) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere", "--out", "x"], "nowhere is no folder of a run and no file"),
        (["pages", "--out", "x"], "is not a run"),
        (["empty.jsonl", "--out", "x"], "holds no triplets"),
        (["bad.jsonl", "--out", "x"], "bad.jsonl:2: instruction_negative is missing or blank"),
        (["triplets.jsonl.gz", "--out", "pages", "--hold-out", "0"], "pages holds no trained retriever"),
        (["triplets.jsonl.gz", "--out", "x", "--epochs", "3"], "epochs: the re-scorer of wordllama is solved for"),
        (["triplets.jsonl.gz", "--out", "x", "--plain", "p.jsonl"], "plain rows: the re-scorer of wordllama"),
        (["triplets.jsonl.gz", "--out", "x", "--hold-out", "1.5"], "held-out share: must lie between 0 and 1"),
        (["triplets.jsonl.gz", "--out", "x", "--families", "P,Q"], "contrast 'P,Q'"),
        (["triplets.jsonl.gz", "--out", "x", "--families", "P", "--method", "infonce"], "leave one of them out"),
        (["triplets.jsonl.gz", "--out", "x", "--base", "openai:gpt"], "its weights are not at hand"),
        (["triplets.jsonl.gz", "--out", "x", "--base", ""], "the base is empty"),
        (["triplets.jsonl.gz"], "Missing option '--out'"),
        (["triplets.jsonl.gz", "--out", "x", "--method", "sgd"], "'sgd' is not one of"),
    ],
)
def test_what_cannot_be_trained_is_one_line(workshop: Workshop, arguments: list[str], told: str) -> None:
    (workshop.folder / "empty.jsonl").write_text("")
    whole = manners(TRAINED)[0]._asdict()
    lines = [json.dumps(each) for each in (whole, {**whole, "instruction_negative": " "})]
    (workshop.folder / "bad.jsonl").write_text("\n".join(lines))
    done = workshop.do("train-retriever", *arguments)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert told in last
    assert done.stdout == ""
    assert not (workshop.folder / "x").exists()
    assert list(workshop.folder.glob(".*")) == []


@pytest.mark.skipif("not needs_training.args[0]", reason="the extra train is here")
def test_without_the_extra_it_is_named(workshop: Workshop) -> None:
    done = workshop.do(*workshop.train("--out", "x", "--base", "some/encoder"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("pip install 'searchinstruct-graph[train]'")
    assert list(workshop.folder.glob(".*")) == []


class Bench(Shell):
    """A shell in a folder with triplets, plain rows, pages and a small encoder of random weights."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment["OMP_NUM_THREADS"] = "1"
        write_triplets(folder / "triplets.jsonl", THINGS)
        plain = [{"query": f"the {thing}", "passage": page(thing, manner)} for thing in THINGS for manner in MANNERS]
        (folder / "plain.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in plain))
        words = {word for each in manners() for text in each for word in text.split()}
        write_encoder(folder / "tiny", {*words, "Instruct:", "Query:"})

    def train(self, out: str, *more: str) -> list[str]:
        settings = ("--epochs", "6", "--examples", "8", "--rate", "5e-3", "--patience", "100", "--hold-out", "0.2")
        return ["train-retriever", "triplets.jsonl", "--base", "tiny", "--out", out, *settings, *more]


@needs_training
@pytest.mark.timeout(600)
def test_an_encoder_is_stopped_goes_on_and_is_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plain = ("--plain", "plain.jsonl", "--plain-ratio", "0.3")
    process = bench.start(*bench.train("out", *plain))
    while not (tmp_path / ".out.training" / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=110)
    assert process.returncode == 130, error
    assert "stopping: the step at hand is finished" in error
    assert "resume with the same command" in error
    other = bench.run(*bench.train("out", *plain, "--seed", "1"))
    assert other.returncode == 2
    assert "was made of other rows or settings" in other.stderr
    done = bench.run(*bench.train("out", *plain))
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    through = json_of(bench.run(*bench.train("through", *plain, "--json")))
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["digest"] == through["digest"]
    assert through["measured"]["plain_queries"] == 2
    assert through["measured"]["after"]["plain_ndcg"]["value"] <= 1
    assert "nDCG&#64;10 without an instruction" in (tmp_path / "out" / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    (tmp_path / "pages").mkdir()
    for manner in MANNERS:
        (tmp_path / "pages" / f"{manner}.md").write_text(page("bridge", manner))
    told = ("search", "bridge", "--instruction", "only birds", "--corpus", "pages", "--json")
    assert json_of(bench.run(*told, "--embeddings", "out"))


@needs_training
@pytest.mark.timeout(600)
def test_attention_is_trained_and_refused_in_search(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    done = bench.run(*bench.train("out", "--join", "attention", "--method", "infonce", "--epochs", "1", "--lora", "0"))
    assert done.returncode == 0, done.stderr
    assert "search cannot join by attention" in done.stdout
    assert "encoder.embed_pairs" in (tmp_path / "out" / "README.md").read_text()
    (tmp_path / "page.md").write_text("a bridge")
    refused: subprocess.CompletedProcess[str] = bench.run(
        "search", "bridge", "--corpus", "page.md", "--embeddings", "out"
    )
    assert refused.returncode == 2
    assert "attention" in refused.stderr
