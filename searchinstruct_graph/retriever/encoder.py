"""A sentence encoder that takes a query together with its instruction.

Three ways to join them (InF-Embed, arXiv 2505.21439, and its published code):

* `plain`, the default: the query, one space, the instruction. Whatever embeds texts can do it.
* `labelled`: `Instruct: {instruction}` and `Query: {query}`, a line each, as instruction-tuned encoders are trained.
* `attention`: both apart through the encoder, to token states H_I (m, d) and H_Q (n, d); then

      A = softmax over the query's tokens ( H_I H_Qᵀ / √d )        Z = A H_Q        e = mean of Z over the instruction's tokens

  One head, nothing learnt but the encoder. The instruction enters through the weights alone, so it can stress words of the
  query and add none; the paper's reviewers found it behind `plain`. Only this class can embed such a query.

A query without an instruction is embedded like a passage. Both are handed to the model as the product's `huggingface:`
embeddings do it: line breaks as spaces, the model's own default prompt, its own pooling. Which way a folder was trained in
stands in its `retriever.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.finetuning import SentenceModel, as_embedded, needed, write_record
from searchinstruct_graph.models.joining import RECORD, Join, joined, saved_join

Precision = Literal["auto", "float32", "bfloat16"]
"""In what the encoder computes; `auto`: bfloat16 on a GPU, else float32. Weights stay in 32 bits."""
Tensor = Any
Vectors = NDArray[np.float32]

PAIR_TOKENS = 256
PASSAGE_TOKENS = 512
_MASKED = -1e8


class Pair(NamedTuple):
    """A query and its instruction, kept apart."""

    query: str
    instruction: str
    """"" for none."""


Input = Pair | str
"""What can be encoded; a text is a passage."""


class Encoder(SentenceModel):
    """A SentenceTransformer that embeds pairs and passages into one space."""

    def __init__(
        self,
        base: str,
        *,
        join: Join | None = None,
        pair_tokens: int = PAIR_TOKENS,
        passage_tokens: int = PASSAGE_TOKENS,
        device: str | None = None,
        precision: Precision = "auto",
    ) -> None:
        """Load `base`, a model's name or folder; `join` None: as the folder was saved.

        `pair_tokens` and `passage_tokens` are cut down to what the model takes. `device` None: a GPU where there is one.

        Raises:
            UsageError: the extra is missing, the model cannot be loaded, or it cannot be attended to token by token.
        """
        super().__init__(base, purpose="a trained retriever", longest=max(pair_tokens, passage_tokens), device=device)
        self.join: Join = saved_join(base) if join is None else join
        longest = self.model.max_seq_length
        self.pair_tokens, self.passage_tokens = min(longest, pair_tokens), min(longest, passage_tokens)
        self.model.max_seq_length = self.passage_tokens
        self._half = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        self.at_once = 8 if self.device.type == "cpu" else 64
        self._adapter: Any = None
        self.dimensions = int(self.embed([""]).shape[1])
        if self.join == "attention" and self.embed_pairs(["a"], ["b"]).shape[1] != self.dimensions:
            raise UsageError(
                f"the encoder {base!r} makes {self.dimensions} numbers of other token states; join its instructions plainly"
            )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Passages, or queries without an instruction, as unit rows; (n, d)."""
        return self._numbers(list(texts))

    def embed_pairs(self, queries: Sequence[str], instructions: Sequence[str]) -> Vectors:
        """Queries with their instructions ("" for none) as unit rows; (n, d)."""
        return self._numbers([Pair(*both) for both in zip(queries, instructions, strict=True)])

    def truncated(self, inputs: Sequence[Input]) -> int:
        """How many of `inputs` lose their end: of a plain pair that is the instruction's.

        For `attention` a pair counts when either of its halves does.
        """
        tokenizer = self.model.tokenizer
        lost = 0
        for one in inputs:
            most = self.pair_tokens if isinstance(one, Pair) else self.passage_tokens
            for text in self._halves(one):
                # Two calls, so that no text of a corpus is turned into more tokens than are looked at.
                found = tokenizer(as_embedded(self.prompt + text), truncation=True, max_length=most + 1)["input_ids"]
                if len(found) > most:
                    lost += 1
                    break
        return lost

    def state(self) -> dict[str, Tensor]:
        """A copy of the weights that are trained, by name, on the CPU."""
        return {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in self.model.named_parameters()
            if weight.requires_grad
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put a `state` back. Raises UsageError when it is another model's."""
        own = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
            raise UsageError(f"the checkpoint holds other weights than the encoder {self.base!r}; remove it")
        with self.torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state[name])

    def add_lora(self, rank: int) -> None:
        """Freeze the weights and train low-rank additions to every linear layer (Hu et al., arXiv 2106.09685), α = rank."""
        peft = needed("peft", "low-rank training")
        settings = peft.LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules="all-linear", bias="none")
        # The layers are replaced inside the model, which the SentenceTransformer goes on using. PeftModel, which would wrap it,
        # asks transformers for an attribute that warns.
        self._adapter = peft.LoraModel(self.model[0].auto_model, settings, "default")

    def merge_lora(self) -> None:
        """Add the low-rank parts to the weights, so that the model can be saved and loaded without peft."""
        if self._adapter is not None:
            self._adapter.merge_and_unload()
            self._adapter = None

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(folder)` and `Encoder(folder)` load. LoRA is to be merged before."""
        self.save_model(folder)
        record = {
            "kind": "encoder",
            "base": self.base,
            "join": self.join,
            "pair_tokens": self.pair_tokens,
            "passage_tokens": self.passage_tokens,
        }
        write_record(folder / RECORD, record)

    def parts(self, inputs: Sequence[Input]) -> list[list[int]]:
        """Indices of `inputs` of one kind and like length, `at_once` together, so that little is padded."""
        kinds: dict[tuple[bool, int], list[tuple[int, int]]] = {}
        for at, one in enumerate(inputs):
            halves = self._halves(one)
            kinds.setdefault((isinstance(one, Pair), len(halves)), []).append((sum(map(len, halves)), at))
        found = []
        for same in kinds.values():
            order = [at for _, at in sorted(same)]
            found += [order[at : at + self.at_once] for at in range(0, len(order), self.at_once)]
        return found

    def encoded(self, inputs: Sequence[Input]) -> Tensor:
        """Unit rows (n, d) of `inputs` of one part, with gradients where they are wanted."""
        halves = [self._halves(one) for one in inputs]
        most = self.pair_tokens if isinstance(inputs[0], Pair) else self.passage_tokens
        with self.torch.autocast(self.device.type, self.torch.bfloat16, enabled=self._half):
            if len(halves[0]) == 2:
                queries, instructions = ([half[side] for half in halves] for side in (0, 1))
                rows = attended(self._states(instructions, most), self._states(queries, most))
            else:
                rows = self.model(self._features([half[0] for half in halves], most))["sentence_embedding"]
        return self.torch.nn.functional.normalize(rows.float(), dim=1)

    def _halves(self, one: Input) -> tuple[str, ...]:
        """What goes through the encoder apart: the query and the instruction under `attention`, else one text."""
        if isinstance(one, str):
            return (one,)
        if self.join == "attention" and one.instruction.strip():
            return one.query, one.instruction
        return (joined(one.query, one.instruction, self.join),)

    def _features(self, texts: Sequence[str], most: int) -> dict[str, Any]:
        self.model.max_seq_length = most
        try:
            return self.features(texts)
        finally:
            self.model.max_seq_length = self.passage_tokens

    def _states(self, texts: Sequence[str], most: int) -> States:
        features = self.model[0](self._features(texts, most))
        return States(features["token_embeddings"].float(), features["attention_mask"].bool())

    def _numbers(self, inputs: Sequence[Input]) -> Vectors:
        if not inputs:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        found: Vectors | None = None
        with self.torch.inference_mode():
            for part in self.parts(inputs):
                rows = self.encoded([inputs[at] for at in part]).cpu().numpy()
                if found is None:
                    found = np.zeros((len(inputs), rows.shape[1]), dtype=np.float32)
                found[part] = rows
        assert found is not None
        return found


class States(NamedTuple):
    """Token states of some texts."""

    states: Tensor
    """(n, length, d)."""
    valid: Tensor
    """(n, length), bool: tokens that are no padding."""


def attended(instructions: States, queries: States) -> Tensor:
    """Instruction-query attention, not yet normalised; (n, d). The formula stands at the head of this module."""
    width = queries.states.shape[2]
    scores = instructions.states @ queries.states.transpose(1, 2) / width**0.5
    weights = scores.masked_fill(~queries.valid[:, None, :], _MASKED).softmax(2)
    mixed = weights @ queries.states
    counted = instructions.valid.unsqueeze(2).to(mixed.dtype)
    return (mixed * counted).sum(1) / counted.sum(1).clamp(min=1)
