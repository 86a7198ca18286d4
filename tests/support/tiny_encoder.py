"""A real encoder, small enough to be trained in a test: a BERT of two layers with random weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import pytest

needs_training = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("torch", "sentence_transformers", "langchain_huggingface"))),
    reason="needs the extra train",
)


def write_encoder(folder: Path, words: Iterable[str], longest: int = 64) -> str:
    """Write the encoder, with a vocabulary of `words`, into `folder`; returns the folder's name. Skips the test without torch."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: at for at, word in enumerate([*special, *sorted(set(words))])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # Two threads of a model this small only wait for one another.
    torch.set_num_threads(1)
    torch.manual_seed(7)
    shape = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=longest,
    )
    # The pooler that is missing is made up by whoever loads it: a seed must hold that too.
    transformers.BertModel(shape, add_pooling_layer=False).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=longest,
    ).save_pretrained(folder)
    return str(folder)
