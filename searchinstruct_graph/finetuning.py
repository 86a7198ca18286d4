"""What every training of a sentence encoder here has in common, whatever it is trained on.

Loading and feeding a SentenceTransformer, the learning rate's course, kernels that give the same weights again, and a folder
that is there whole or not at all. Knows nothing of what is contrasted with what: that is `selection.tuning` (documents and
their pairs) and `retriever.training` (queries with instructions).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from searchinstruct_graph.errors import UsageError

GRADIENT = 1.0
"""Largest norm of a step's gradient."""

EXTRA = "pip install 'searchinstruct-graph[train]'"
"""What installs everything that a training needs."""


def needed(module: str, purpose: str) -> Any:
    """The module. Raises UsageError, which says what `purpose` needs it and how it is installed, when it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"{purpose} needs the package {error.name or module}: {EXTRA}") from None


class SentenceModel:
    """A SentenceTransformer, in 32 bits and without dropout, and what training does with it."""

    def __init__(self, base: str, *, purpose: str, longest: int, device: str | None = None) -> None:
        """Load `base`, a model's name or folder, which reads `longest` tokens of a text at most.

        `purpose` says in errors what it is loaded for; `device` None: a GPU where there is one.

        Raises:
            UsageError: the extra is missing, or the model cannot be loaded.
        """
        self.torch = needed("torch", purpose)
        library = needed("sentence_transformers", purpose)
        self.base = base
        try:
            with quietly():
                self.model = library.SentenceTransformer(base, device=device).float().eval()
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(f"{purpose}: the encoder {base!r} cannot be loaded: {reason}") from error
        self.model.max_seq_length = min(self.model.max_seq_length or longest, longest)
        self.prompt: str = self.model.prompts.get(self.model.default_prompt_name or "") or ""
        # Renamed in sentence-transformers 5.3; the old name warns.
        self._tokens = getattr(self.model, "preprocess", None) or self.model.tokenize
        self.device = self.model.device

    def weights(self) -> list[Any]:
        """The weights that are trained."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def features(self, texts: Sequence[str]) -> dict[str, Any]:
        """The tokens of `texts` behind the model's own default prompt, as the model takes them, on its device."""
        features = self._tokens([as_embedded(self.prompt + text) for text in texts])
        return {name: value.to(self.device) if hasattr(value, "to") else value for name, value in features.items()}

    def save_model(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(folder)` loads."""
        with quietly():
            self.model.save(str(folder), create_model_card=False)


def as_embedded(text: str) -> str:
    """`text` as the product's embedder hands it to a model: line breaks as spaces, no lone surrogates."""
    return text.replace("\n", " ").encode("utf-8", "replace").decode("utf-8")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No bars and no load reports of transformers' own on the terminal: progress is the caller's to show."""
    logging = needed("transformers.utils.logging", "an encoder")
    shown, told = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()


@contextlib.contextmanager
def repeatable(torch: Any, seed: int) -> Iterator[None]:
    """Deterministic kernels where there are any; the caller's random state and choice come back afterwards.

    The seed makes low-rank additions, and the weights that a base lacks (a pooler that nobody uses).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    chosen = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(chosen[0], warn_only=chosen[1])


def rate_share(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak rate at `step` (from 0): `warm_up` of the steps up, then a straight line down towards 0."""
    rising = max(1, round(warm_up * steps))
    return min((step + 1) / rising, (steps - step) / max(1, steps - rising))


def set_rate(optimizer: Any, rate: float) -> None:
    """Give every group of an optimizer this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def input_digest(configuration: Any, texts: Iterator[str]) -> str:
    """SHA-256, in hex, over what a training is made of: its settings as JSON, and every text."""
    total = hashlib.sha256(json.dumps(configuration).encode())
    for text in texts:
        total.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return total.hexdigest()


def weights_digest(folder: Path, suffix: str = "safetensors") -> str:
    """SHA-256, in hex, over the names and bytes of the files in `folder` that hold weights."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob(f"*.{suffix}")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, for people as well."""
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", errors="replace")


def read_record(path: Path, fields: Sequence[str], kind: str) -> dict[str, Any]:
    """The record of a finished training at `path`, with the folder that it stands in.

    `kind` says in words what the folder should hold.

    Raises:
        UsageError: the file is missing, no JSON object, or lacks one of `fields` or its fingerprint.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not {"fingerprint", *fields} <= found.keys():
        raise UsageError(f"{path.parent} holds no {kind} ({path.name}); remove it, or give another folder")
    return {**found, "folder": str(path.parent)}


def placed(out: str | Path) -> Path:
    """The absolute path of a folder that is to be written. Raises UsageError for one that can have no folder beside it."""
    path = Path(os.path.abspath(out))
    if not path.name:
        raise UsageError(f"{out} is no folder that can be written; give another one")
    return path


@contextlib.contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """A folder of another name beside `out`, which takes its name once it is on the disk; what a kill left is cleared.

    Raises:
        UsageError: something stands in the way of `out`, or it cannot be written.
    """
    draft = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}; give another folder") from None
    try:
        yield draft
        for path in draft.rglob("*"):
            if path.is_file():
                synced(path)
        try:
            os.rename(draft, out)
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror}; remove what stands there") from None
        synced(out.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def alone(work: Path, out: Path) -> Iterator[None]:
    """Be the one process that trains `out`, with the folder `work`, which is made, for its checkpoints.

    Raises:
        UsageError: another process is at it, or the folder cannot be made.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}; give another folder") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{out} is being trained by another process; wait for it, or give another folder"
            ) from None
        yield
    finally:
        os.close(handle)


def synced(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
