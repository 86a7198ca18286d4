"""What is made of a run: exports, the dataset card, the report. Always from the ledger, never from another export."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.card import CardFacts, SplitFile, dataset_card, gather
from searchinstruct_graph.datasets.card import Contamination as CardContamination
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.edit_facts import SHOWN, edit_facts, edits_shown, is_edit
from searchinstruct_graph.datasets.export import (
    EVERYTHING,
    PLAIN,
    Manifest,
    Selection,
    export,
    export_probes,
    export_splits,
    manifest_path,
    parts,
    question_key,
    split_name,
)
from searchinstruct_graph.datasets.formats import BEIR, PROBES, TRIPLETS, Shape
from searchinstruct_graph.datasets.inspection import exported, settings_shown
from searchinstruct_graph.datasets.ledger import NAME
from searchinstruct_graph.datasets.report import (
    ReportFacts,
    ReportLimits,
    ReportUsage,
    write_report,
    write_triplet_report,
)
from searchinstruct_graph.datasets.rows import Rejection, Row
from searchinstruct_graph.datasets.run import EXPORTS, RunFile, read_run, write_atomically
from searchinstruct_graph.datasets.selection_facts import SelectionFacts, is_extraction, selection_facts
from searchinstruct_graph.datasets.triplet_card import TripletCardFacts, triplet_card
from searchinstruct_graph.datasets.triplet_export import export_beir, export_triplets
from searchinstruct_graph.datasets.triplet_measures import measure_triplets
from searchinstruct_graph.datasets.triplet_run import TripletCounts, is_triplets, triplet_counts
from searchinstruct_graph.datasets.triplets import TripletLimits, TripletRow
from searchinstruct_graph.errors import UsageError

REPORT, CARD = "report.html", "README.md"


class Rows:
    """The rows of a run, read anew from the ledger at every pass."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def __iter__(self) -> Iterator[Row]:
        with reading(self._path) as db:
            yield from ledgers.read_rows(db)


class Triplets:
    """The triplets of a run, read anew at every pass."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def __iter__(self) -> Iterator[TripletRow]:
        with reading(self._path) as db:
            yield from ledgers.read_triplets(db)


class Rejections:
    """What a run has refused, read anew at every pass."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def __iter__(self) -> Iterator[Rejection]:
        with reading(self._path) as db:
            yield from ledgers.read_rejections(db)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to export: its format, form, choice of rows, and sides."""

    format: str
    shape: Shape = PLAIN
    keep: Selection = EVERYTHING
    shares: Mapping[str, float] | None = None
    seed: int = 0


def export_run(folder: Path, wanted: Wanted, out: Path | None = None) -> dict[str, Manifest]:
    """Write an export of the run, by default into its `exports/`; returns the manifests by side (`train` without a split).

    Raises:
        UsageError: `folder` holds no run or no rows, or the request makes no sense.
        SearchInstructError: the file cannot be written.
    """
    run = read_run(folder)
    if is_triplets(run):
        return _export_triplets(folder, wanted, out)
    if wanted.format in (TRIPLETS, BEIR):
        raise UsageError(
            f"{folder} holds no triplets, so it has no format {wanted.format}; they are made by: searchinstruct triplets"
        )
    if wanted.format == PROBES:
        return {"test": _export_probes(folder, wanted, out)}
    rows: Iterable[Row] = Rows(folder)
    if next(iter(rows), None) is None:
        raise UsageError(f"{folder} has no rows yet; build some first")
    suffix = "parquet" if wanted.format == "parquet" else "jsonl"
    path = str(out or folder / EXPORTS / f"{wanted.format}.{suffix}")
    keep = replace(wanted.keep, held_out=_held_out(folder)) if is_edit(run) else wanted.keep
    if wanted.shares:
        return export_splits(rows, wanted.format, path, wanted.shares, seed=wanted.seed, shape=wanted.shape, keep=keep)
    return {"train": export(rows, wanted.format, path, shape=wanted.shape, keep=keep)}


def _export_triplets(folder: Path, wanted: Wanted, out: Path | None) -> dict[str, Manifest]:
    """The triplets under their published names, as JSON Lines or Parquet, or as a BEIR folder."""
    if wanted.format not in (TRIPLETS, BEIR, "parquet"):
        raise UsageError(
            f"{folder} holds triplets, which have no format {wanted.format}; export them with --format {TRIPLETS}, "
            f"--format {BEIR} or --format parquet"
        )
    if wanted.keep != EVERYTHING or wanted.shape != PLAIN:
        raise UsageError("triplets are exported whole: without filters of rows, licences, system prompt or citations")
    rows = Triplets(folder)
    if next(iter(rows), None) is None:
        raise UsageError(f"{folder} has no triplets yet; see: searchinstruct status {folder}")
    if wanted.format == BEIR:
        place = str(out or folder / EXPORTS / BEIR)
        return {"train": export_beir(rows, place, shares=wanted.shares, seed=wanted.seed)}
    suffix = "parquet" if wanted.format == "parquet" else "jsonl"
    path = out or folder / EXPORTS / f"{TRIPLETS}.{suffix}"
    if wanted.format == "parquet" and path.suffix != ".parquet":
        raise UsageError(
            f"{path}: the format parquet is not JSON; name the file .parquet, or take the format {TRIPLETS}"
        )
    return export_triplets(rows, str(path), shares=wanted.shares, seed=wanted.seed)


def _held_out(folder: Path) -> frozenset[str]:
    return frozenset(question_key(probe["question"]) for probe in ledgers.read_probes(folder))


def _export_probes(folder: Path, wanted: Wanted, out: Path | None) -> Manifest:
    """The probes of an edit set, but those that ask what a row asks."""
    if wanted.shares or wanted.keep.only or wanted.keep.without or wanted.shape != PLAIN:
        raise UsageError(
            f"the format {PROBES} is exported whole: without split, filters of rows, system prompt or citations"
        )
    probes = ledgers.read_probes(folder)
    if not probes:
        raise UsageError(f"{folder} has no probes; they are made by: searchinstruct edit")
    path = str(out or folder / EXPORTS / f"{PROBES}.jsonl")
    asked = {question_key(row["instruction"]) for row in Rows(folder)}
    return export_probes(probes, path, asked=asked, licenses=wanted.keep.licenses)


def rebuild(folder: Path) -> int:
    """Make the exports inside the run's folder anew, each as its manifest says; returns how many files."""
    made: set[Path] = set()
    for path in exported(folder):
        if path in made:
            continue
        manifest: Manifest = json.loads(Path(manifest_path(str(path))).read_text(encoding="utf-8"))
        options = dict(manifest["options"])
        shape = Shape(**{each.name: options[each.name] for each in fields(Shape) if each.name in options})
        keep = Selection(
            licenses=options.get("licenses"), only=options.get("only", {}), without=options.get("without", {})
        )
        shares = options.get("split")
        whole = _whole_name(path, shares) if shares else path
        wanted = Wanted(format=manifest["format"], shape=shape, keep=keep, shares=shares, seed=options.get("seed", 0))
        if next(iter(_exportable(folder, wanted.format)), None) is None:
            files = [path / part for part in parts(manifest)] or [path]
            for name in (*files, Path(manifest_path(str(path)))):
                name.unlink(missing_ok=True)
            continue
        export_run(folder, wanted, whole)
        sides = shares if whole != path and shares else {}
        made |= {path, *(Path(split_name(str(whole), side)) for side in sides)}
    return len(made)


def _exportable(folder: Path, format: str) -> Iterable[Any]:
    """What an export in this format is made of."""
    if format in (TRIPLETS, BEIR):
        return Triplets(folder)
    return ledgers.read_probes(folder) if format == PROBES else Rows(folder)


def _whole_name(path: Path, shares: Mapping[str, float]) -> Path:
    """The name that a side's file was split from."""
    for side in shares:
        whole = path.with_name(path.name.replace(f".{side}.", ".", 1))
        if split_name(str(whole), side) == str(path):
            return whole
    return path


def run_command(folder: Path) -> str:
    """The command that goes on with the run, as far as its configuration tells."""
    run = read_run(folder)
    told = run["configuration"]
    places = " ".join(f"--corpus {uri}" for uri in told["settings"].get("corpus") or [])
    models = sorted(set(told["models"].values()))
    model = f" --model {models[0]}" if models != ["offline"] else ""
    target = f" --target {run['options']['target']}" if run["options"]["target"] is not None else ""
    web = " --web" if told["settings"].get("web") else ""
    if is_triplets(run):
        pairs = "PAIRS" if told.get("pairs") else ""
        command = f"searchinstruct triplets {pairs} {places}{_triplet_options(told)}{target} --run DIR"
    elif is_edit(run):
        command = f"searchinstruct edit --facts FILE {places}{web}{model}{target} --run DIR"
    elif is_extraction(run):
        reading_ = _reading_options({**run["options"], **told["settings"]})
        command = f"searchinstruct extract {places} --examples FILE{reading_}{model}{target} --run DIR"
    else:
        task = f'--task "{told["task"]["description"]}"' if told["task"] else "--seeds FILE"
        command = f"searchinstruct build {task} {places}{web}{model}{target} --run DIR"
    return " ".join(command.split())


def _triplet_options(told: Mapping[str, Any]) -> str:
    """The options of a triplets run that say which models worked, and under which thresholds and seed."""
    settings, models = told["settings"], told["models"]
    main = Counter(models.values()).most_common(1)[0][0]
    named = {"model": main} if main != "offline" else {}
    named |= {f"{role}_model": name for role, name in models.items() if name != main}
    named |= {
        each.name: settings[each.name]
        for each in fields(TripletLimits)
        if settings.get(each.name, each.default) != each.default
    }
    named |= {name: settings[name] for name in ("seed", "language") if settings.get(name)}
    return "".join(f" --{name.replace('_', '-')} {value}" for name, value in named.items())


def _reading_options(settings: Mapping[str, Any]) -> str:
    """The options of an extraction that say what is read."""
    options = [f" --budget-documents {settings['budget_documents']}"]
    if settings.get("reward", "transport") != "transport":
        options.append(f" --reward {settings['reward']}")
    options += [" --cover RUN"] if settings.get("cover") else []
    options += [f" --baseline {settings['baseline']}"] if settings.get("baseline") else []
    options += [" --tune"] if settings.get("tune") else []
    return "".join(options)


def card_place(folder: Path, wanted: Wanted, out: Path | None = None) -> Path:
    """The folder that the card of an export belongs into: where its file lies, or the exported folder itself."""
    if wanted.format == BEIR:
        return out or folder / EXPORTS / BEIR
    return out.parent if out else folder / EXPORTS


def write_card(folder: Path, wanted: Wanted, manifests: Mapping[str, Manifest], place: Path) -> Path:
    """Write the dataset card for exported files into the folder `place`, where they lie. Returns its path."""
    run = read_run(folder)
    if is_triplets(run):
        return _write_triplet_card(folder, run, wanted, manifests, place)
    with reading(folder / NAME) as db:
        funnel, facts = ledgers.read_funnel(db), ledgers.read_facts(db)
        edits = edit_facts(db, run) if is_edit(run) else None
    held_out = facts.get("held_out", {"files": [], "items": 0})
    found = Counter(each["file"] for each in _contaminated(Rejections(folder))) if held_out["files"] else Counter[str]()
    told = CardFacts(
        title=folder.absolute().name,
        task=run["configuration"]["task"].get("description", ""),
        command=run_command(folder),
        format=wanted.format,
        shape=wanted.shape,
        files=[
            SplitFile(split=side, path=manifest["file"], rows=manifest["rows"]) for side, manifest in manifests.items()
        ],
        settings=settings_shown(run),
        counts=gather(Rows(folder)),
        funnel=funnel,
        near_duplicates="equal words, MinHash Jaccard of word 3-grams ≥ 0.8, or embedding cosine ≥ 0.92 unless names or "
        "numbers differ",
        contamination=[
            CardContamination(against=Path(file).name, items=count, found=found[file])
            for file, count in held_out["files"]
        ],
        reviewed=0,
        created_by=f"searchinstruct-graph {run['version']}",
        selection=selection_facts(folder, measured=False) if is_extraction(run) else None,
    )
    if edits is not None:
        told["edits"] = edits
    path = place / CARD
    write_atomically(path, dataset_card(told))
    return path


def _write_triplet_card(
    folder: Path, run: RunFile, wanted: Wanted, manifests: Mapping[str, Manifest], place: Path
) -> Path:
    """Write the card of exported triplets."""
    files = [
        SplitFile(split=side, path=manifest["file"], rows=manifest["rows"]) for side, manifest in manifests.items()
    ]
    if wanted.format == BEIR:
        (manifest,) = manifests.values()
        files = [
            SplitFile(split=Path(part).stem, path=part, rows=_lines(place / part))
            for part in parts(manifest)[2:]
            if part.endswith(".jsonl")
        ]
    measured, _ = measure_triplets(Triplets(folder))
    told = TripletCardFacts(
        title=folder.absolute().name,
        command=run_command(folder),
        format=BEIR if wanted.format == BEIR else TRIPLETS,
        files=files,
        left_out=sum((Counter(manifest["skipped"]) for manifest in manifests.values()), Counter[str]()),
        settings=settings_shown(run),
        found=_counted_triplets(folder, run),
        measured=measured,
        created_by=f"searchinstruct-graph {run['version']}",
    )
    path = place / CARD
    write_atomically(path, triplet_card(told))
    return path


def _counted_triplets(folder: Path, run: RunFile) -> TripletCounts:
    with reading(folder / NAME) as db:
        return triplet_counts(db, run)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


_MATCH = re.compile(r"(\w+) match \(([\d.]+)\) with (.+):(\d+)$")


def _contaminated(rejections: Iterable[Rejection]) -> Iterator[dict[str, Any]]:
    for rejection in rejections:
        if rejection["reason"] == "contaminated" and (seen := _MATCH.match(rejection["detail"])):
            rule, score, file, line = seen.groups()
            yield {
                "text": rejection["instruction"],
                "rule": rule,
                "score": float(score),
                "file": file,
                "line": int(line),
            }


def _contamination(folder: Path, held_out: Mapping[str, Any], checked: int) -> dict[str, Any]:
    rules: Counter[str] = Counter()
    files: Counter[str] = Counter({file: 0 for file, _ in held_out["files"]})
    listed: list[dict[str, Any]] = []
    for number, each in enumerate(_contaminated(Rejections(folder)), 1):
        rules[each["rule"]] += 1
        files[each["file"]] += 1
        if number <= 1_000:
            listed.append({"number": number, "item": "", **each})
    return {
        "checked": checked,
        "contaminated": sum(rules.values()),
        "rules": dict(rules),
        "files": dict(files),
        "matches": listed,
    }


def report_run(folder: Path, out: Path | None = None, against: Path | None = None) -> Path:
    """Write the run's report, by default into its `exports/`. Returns its path.

    `against` is another extraction that the report of an extraction is to show beside it.

    Raises:
        UsageError: as `read_run` does; or the two runs cannot be compared.
    """
    run = read_run(folder)
    path = out or folder / EXPORTS / REPORT
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_triplets(run):
        if against:
            raise UsageError(f"{folder} holds triplets, which are not compared with another run; leave out --against")
        told = _told(folder, run, selected=None)
        write_triplet_report(str(path), Triplets(folder), Rejections(folder), _counted_triplets(folder, run), told)
        return path
    chosen = selection_facts(folder, against) if against or is_extraction(run) else None
    told = _told(folder, run, selected=chosen)
    if is_edit(run):
        with reading(folder / NAME) as db:
            told["edits"], told["edited"] = edit_facts(db, run), edits_shown(db, SHOWN)
    write_report(str(path), lambda: Rows(folder), lambda: Rejections(folder), told)
    return path


def _told(folder: Path, run: RunFile, selected: SelectionFacts | None) -> ReportFacts:
    """What the report of any run says beside its rows."""
    with reading(folder / NAME) as db:
        funnel, facts, spending = ledgers.read_funnel(db), ledgers.read_facts(db), ledgers.read_spending(db)
        if is_triplets(run):
            last = db.execute("SELECT max(committed_at) FROM triplets").fetchone()[0]
            funnel = {**funnel, "accepted": ledgers.read_triplet_counts(db)[0]}
        else:
            last = db.execute("SELECT max(committed_at) FROM rows").fetchone()[0]
    held_out = facts.get("held_out")
    options, settings = run["options"], run["configuration"]["settings"]
    return ReportFacts(
        name=folder.absolute().name,
        funnel=funnel,
        target=options["target"],
        settings={name: _shown(value) for name, value in settings_shown(run).items()},
        models=run["configuration"]["models"],
        versions={"searchinstruct-graph": run["version"], **run["configuration"]["prompts"]},
        usage=ReportUsage(**ledgers.total(spending.values()), seconds=facts.get("seconds"), roles=spending),
        started=run["created_at"],
        finished=last or "" if facts.get("ended") else "",
        contamination=_contamination(folder, held_out, funnel["proposed"]) if held_out else None,
        corpus_documents=facts.get("documents", {}),
        limits=ReportLimits(max_share=settings.get("max_share"), max_cost_usd=options["max_cost"], max_seconds=None),
        selection=selected,
    )


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
