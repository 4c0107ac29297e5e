"""Tiny real models of every supported architecture, and checkpoints made of them."""

import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Before anything imports transformers: no test may reach for the network, or fork into a deadlock.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Nor may the processes that tests start take more than their share: tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    DistilBertTokenizerFast,
    LlamaConfig,
    LlamaModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    MPNetTokenizerFast,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2TokenizerFast,
    Qwen3Config,
    Qwen3Model,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizerFast,
)

from tasks.contracts import Checkpoint
from tasks.core.encoder import Encoder
from tasks.model_files import save_encoder

torch.set_num_threads(1)  # tiny models are slower on more

ARCHITECTURES = (
    *("bert", "distilbert", "llama", "modernbert"),
    *("mpnet", "qwen3", "roberta", "xlm-roberta"),
)
LAYERS = 3
TOKENS = 96

# Enough words for sentences about a few things; any other word is spelt out in letters.
_TEXT = (
    "a an and are as at be by can do every for from has how in into is it its many may not "
    "of on or the to what when where which who why with apple bakes bank bear bird boat "
    "book bread bridge bright captain castle cat city cold crew dark deep dog eats engine "
    "farmer field fire fish flies forest garden gold green grows harbour heavy house iron "
    "island keeps king lake lamp light makes market mill mine moon mountain night old "
    "orange queen rain reads river road sails sea ship silver sings sleeps small snow stone "
    "storm strong summer sun swims tall teacher tower train tree village wall warm water "
    "wheel wind winter wolf wood"
)
WORDS = tuple(_TEXT.split())
LETTERS = tuple(string.ascii_lowercase + string.digits + string.punctuation)
PIECES = (*LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS)
BYTES = tuple(sorted(pre_tokenizers.ByteLevel.alphabet()))
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "max_position_embeddings": TOKENS + 2,
}


def _numbered(*tokens: str) -> dict[str, int]:
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def _bert_tokenizer() -> PreTrainedTokenizerFast:
    return BertTokenizerFast(vocab=_numbered("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES))


def _distilbert_tokenizer() -> PreTrainedTokenizerFast:
    return DistilBertTokenizerFast(vocab=_bert_tokenizer().get_vocab())


def _llama_tokenizer() -> PreTrainedTokenizerFast:
    # As Llama's third: a token before the text, none after it, and padding on the right.
    vocabulary = _numbered("<|begin|>", "<|end|>", "<|pad|>", *BYTES)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]
    )
    names = {"bos": "<|begin|>", "eos": "<|end|>", "pad": "<|pad|>"}
    special = {f"{role}_token": token for role, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _qwen3_tokenizer() -> PreTrainedTokenizerFast:
    # As Qwen3-Embedding's: padding on the left, by the same token that ends every text.
    tokenizer = Qwen2TokenizerFast(
        vocab=_numbered("<|endoftext|>", *BYTES), merges=[], padding_side="left"
    )
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    return tokenizer


def _modernbert_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = _numbered("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", *BYTES)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    special = {f"{role}_token": token for role, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _mpnet_tokenizer() -> PreTrainedTokenizerFast:
    return MPNetTokenizerFast(vocab=_numbered("<s>", "<pad>", "</s>", "[UNK]", "<mask>", *PIECES))


def _roberta_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = _numbered("<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES)
    return RobertaTokenizerFast(vocab=vocabulary, merges=[])


def _xlm_roberta_tokenizer() -> PreTrainedTokenizerFast:
    words = [("▁", -2.0), *((f"▁{word}", -1.0) for word in WORDS)]
    special = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    letters = [(letter, -3.0) for letter in LETTERS]
    return XLMRobertaTokenizerFast(vocab=[*special, *words, *letters, ("<mask>", 0.0)])


def _modernbert(layers: int, **settings: int) -> PreTrainedModel:
    # Sliding and full attention both, and a window that even short texts exceed.
    special = {"pad_token_id": 1, "bos_token_id": 0, "cls_token_id": 0}
    return ModernBertModel(
        ModernBertConfig(
            num_hidden_layers=layers,
            layer_types=[("full" if k % 2 else "sliding") + "_attention" for k in range(layers)],
            local_attention=4,
            eos_token_id=2,
            sep_token_id=2,
            **special,
            **settings,
        )
    )


def _llama(layers: int, **settings: int) -> PreTrainedModel:
    special = {"pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 1}
    shared = {"num_key_value_heads": 2}  # heads share keys, as in every larger one
    return LlamaModel(LlamaConfig(num_hidden_layers=layers, **shared, **special, **settings))


def _qwen3(layers: int, **settings: int) -> PreTrainedModel:
    # Heads wider than the model, and windows from the second layer on.
    return Qwen3Model(
        Qwen3Config(
            num_hidden_layers=layers,
            num_key_value_heads=2,
            head_dim=16,
            use_sliding_window=True,
            sliding_window=4,
            max_window_layers=1,
            pad_token_id=0,
            eos_token_id=0,
            **settings,
        )
    )


def _roberta(config: type, model: type[PreTrainedModel]) -> Callable[..., PreTrainedModel]:
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    return lambda layers, **settings: model(config(num_hidden_layers=layers, **special, **settings))


MAKERS: dict[str, tuple[Callable[..., PreTrainedModel], Callable[[], PreTrainedTokenizerFast]]] = {
    "bert": (
        lambda layers, **settings: BertModel(BertConfig(num_hidden_layers=layers, **settings)),
        _bert_tokenizer,
    ),
    "distilbert": (
        lambda layers, **settings: DistilBertModel(
            DistilBertConfig(num_hidden_layers=layers, hidden_dim=48, **settings)
        ),
        _distilbert_tokenizer,
    ),
    "llama": (_llama, _llama_tokenizer),
    "modernbert": (_modernbert, _modernbert_tokenizer),
    "mpnet": (_roberta(MPNetConfig, MPNetModel), _mpnet_tokenizer),
    "qwen3": (_qwen3, _qwen3_tokenizer),
    "roberta": (_roberta(RobertaConfig, RobertaModel), _roberta_tokenizer),
    "xlm-roberta": (_roberta(XLMRobertaConfig, XLMRobertaModel), _xlm_roberta_tokenizer),
}


def build_encoder(
    architecture: str = "bert", *, layers: int = LAYERS, seed: int = 0, **changes: object
) -> Encoder:
    """Make a tiny encoder; `changes` are fields of Encoder.

    Weights are large and norms are not the identity, so that layers, and a norm that was left out,
    are far apart: transformers' own start would hide both.
    """
    make_model, make_tokenizer = MAKERS[architecture]
    tokenizer = make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make_model(layers, vocab_size=len(tokenizer), **SIZES).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn_like(parameter)
                parameter.copy_(parameter + 0.4 * noise if parameter.ndim == 1 else 0.3 * noise)
    settings: dict[str, Any] = {
        "pooling": "mean",
        "normalize": True,
        "max_tokens": TOKENS,
        "prompts": {"query": "query: ", "document": ""},
    }
    return Encoder(model=model, tokenizer=tokenizer, **settings | changes)


@pytest.fixture(scope="session")
def make_encoder() -> Callable[..., Encoder]:
    """Give the function that makes a tiny encoder: `make_encoder("mpnet", pooling="max")`."""
    return build_encoder


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    """Give every supported architecture in turn."""
    return str(request.param)


@pytest.fixture
def words() -> tuple[str, ...]:
    """Give the words that the tiny BERT, DistilBERT, MPNet, and XLM-R have a token for."""
    return WORDS


@pytest.fixture
def texts() -> list[str]:
    """Give texts of very different lengths: empty, short, odd, and longer than the model reads."""
    return [
        "the ship sails on the dark sea",
        "",
        "which bird flies at night?",
        "Zebra-42 ünïcode 漢字",
        " ".join(WORDS[:40]),
        "gold",
        " ".join(WORDS) * 3,
    ]


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> Callable[..., Checkpoint]:
    """Give the function that saves an encoder as a signed Checkpoint below `tmp_path/root`."""

    def make(encoder: Encoder | None = None, **facts: object) -> Checkpoint:
        encoder = encoder or build_encoder()
        exits = {"exits": list(range(1, encoder.layers + 1))}
        return Checkpoint.commit(
            tmp_path / "root", lambda folder: save_encoder(encoder, folder), exits | facts
        )

    return make


@pytest.fixture
def checkpoint(make_checkpoint: Callable[..., Checkpoint]) -> Checkpoint:
    """Give a tiny 3-layer BERT, its exits 1, 2, 3, saved below `tmp_path/root`."""
    return make_checkpoint()
