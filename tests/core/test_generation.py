"""Generation: what is written for a prompt is what the model would write for it alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BloomConfig,
    BloomForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from tasks.core.alone import Alone
from tasks.core.contrast import PLAUSIBLE, Contrast
from tasks.core.generation import Line, Prompt, Reader, write_lines
from tasks.core.row_attention import ROW_BY_ROW
from tasks.core.sampling import Sampling
from tasks.core.sequence_to_sequence import write_answers
from tasks.core.slots import Slots, agrees

TOKENS = 60
SIZES = {"vocab_size": TOKENS, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
ENDS = {0: "\n", 1: "", 2: " what?"}
CAUSAL = ("llama", "gpt2", "mistral", "gemma3")


def spell(token: int) -> str:
    return ENDS.get(token, f" w{token // 2}")  # two tokens for each word


def lively(model: PreTrainedModel) -> PreTrainedModel:
    """Spread the weights, so that what is attended to decides what is written."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(0.25 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def build(kind: str) -> PreTrainedModel:
    grouped = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2}
    models = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**grouped)),
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**SIZES)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**grouped, sliding_window=6)),
        "gemma3": lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(
                **grouped,
                head_dim=8,
                sliding_window=6,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            )
        ),
        "bloom": lambda: BloomForCausalLM(
            BloomConfig(vocab_size=TOKENS, hidden_size=32, n_layer=3, n_head=4)
        ),
        "t5": lambda: T5ForConditionalGeneration(
            T5Config(
                vocab_size=TOKENS,
                d_model=32,
                d_kv=8,
                d_ff=48,
                num_layers=2,
                num_heads=4,
                decoder_start_token_id=3,
            )
        ),
        "bart": lambda: BartForConditionalGeneration(
            BartConfig(
                vocab_size=TOKENS,
                d_model=32,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                encoder_ffn_dim=48,
                decoder_ffn_dim=48,
                decoder_start_token_id=3,
                forced_bos_token_id=4,
            )
        ),
    }
    torch.manual_seed(0)
    return lively(models[kind]())


def sampling(temperature: float = 0, lines: int = 3, max_tokens: int = 9) -> Sampling:
    return Sampling(lines, max_tokens, temperature, 0.9, spell)


def prompts(count: int = 11) -> list[Prompt]:
    draws = np.random.default_rng(3)
    texts = [draws.integers(5, TOKENS, size=3 + 5 * (n % 4) + n).tolist() for n in range(count)]
    return [Prompt(text, seed) for seed, text in enumerate(texts)]


PREFIX = np.random.default_rng(4).integers(5, TOKENS, size=13).tolist()


def write(reader: Reader, how: Sampling, what: Sequence[Prompt]) -> list[list[Line]]:
    found = dict(write_lines(reader, what, how))
    return [found[number] for number in range(len(what))]


def slowly(model: PreTrainedModel, prompt: Prompt, how: Sampling) -> list[list[int]]:
    """Write by the whole text for every token, with no cache and nobody beside it."""

    def logits(tokens: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            return model(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0, -1]

    text = [*PREFIX, *prompt.tokens]
    first: dict[str, int] = {}
    for token in logits(text).argsort(descending=True).tolist():
        if token > 2:
            first.setdefault(spell(token), token)
    lines = []
    for token in list(first.values())[: how.lines]:
        line = [token]
        while len(line) < how.max_tokens:
            following = int(logits([*text, *line]).argmax())
            if following in (0, 1):
                break
            line.append(following)
            if following == 2:
                break
        lines.append(line)
    return lines


@pytest.mark.parametrize("kind", CAUSAL)
@pytest.mark.parametrize("attention", ["sdpa", ROW_BY_ROW, "eager"])
def test_the_kept_prefix_changes_nothing(kind: str, attention: str) -> None:
    model = build(kind)
    wanted = [slowly(model, prompt, sampling()) for prompt in prompts()]
    assert len({tuple(line) for lines in wanted for line in lines}) > len(wanted)
    model.set_attn_implementation(attention)
    assert agrees(model, PREFIX)
    found = write(Slots(model, PREFIX, 7, 80), sampling(), prompts())
    assert [[list(line.tokens) for line in lines] for lines in found] == wanted


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_a_model_read_alone_writes_the_same(kind: str) -> None:
    model = build(kind)
    wanted = [slowly(model, prompt, sampling()) for prompt in prompts(3)]
    found = write(Alone(model, PREFIX, 3), sampling(), prompts(3))
    assert [[list(line.tokens) for line in lines] for lines in found] == wanted


def test_a_model_that_cannot_be_told_what_a_row_sees_is_noticed() -> None:
    assert not agrees(build("bloom"), PREFIX)


@pytest.mark.parametrize("temperature", [0, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_others_do_not_matter(temperature: float, dtype: torch.dtype) -> None:
    model = build("llama").to(dtype)
    model.set_attn_implementation(ROW_BY_ROW)
    how, what = sampling(temperature), prompts()
    wanted = write(Slots(model, PREFIX, 3, 80), how, what)
    assert write(Slots(model, PREFIX, 24, 99), how, what) == wanted
    assert write(Slots(model, PREFIX, 8, 70), how, what[::-1]) == wanted[::-1]


def test_a_seed_decides_the_draws() -> None:
    model, (prompt, *_) = build("llama"), prompts()
    others = [Prompt(prompt.tokens, seed) for seed in (prompt.seed, 77)]
    first, again, other = write(Slots(model, PREFIX, 9, 80), sampling(2), [prompt, *others])
    assert first == again != other
    assert write(Slots(model, PREFIX, 9, 80), sampling(0), others[1:]) == write(
        Slots(model, PREFIX, 9, 80), sampling(0), [prompt]
    )


def test_lines_begin_with_unlike_words_and_end_in_time() -> None:
    for lines in write(Slots(build("llama"), PREFIX, 8, 80), sampling(1, max_tokens=4), prompts()):
        assert len({spell(line.tokens[0]) for line in lines}) == 3
        for line in lines:
            assert not {0, 1}.intersection(line.tokens)
            assert 2 not in line.tokens[:-1]
            assert line.is_finished or len(line.tokens) == 4
            assert not line.is_finished or len(line.tokens) < 4 or line.tokens[-1] == 2


def test_an_empty_prefix_and_no_prompts_will_do() -> None:
    model = build("llama")
    assert write(Slots(model, [], 3, 80), sampling(), []) == []
    whole = [Prompt([*PREFIX, *prompt.tokens], prompt.seed) for prompt in prompts()]
    wanted = write(Slots(model, PREFIX, 3, 80), sampling(), prompts())
    assert write(Slots(model, [], 3, 80), sampling(), whole) == wanted


def test_contrast_prefers_what_the_text_adds() -> None:
    model, blank, weight = build("llama"), [7, 8], 1.5
    reader = Contrast(Slots(model, PREFIX, 5, 80), blank, weight)
    assert reader.rows == 2
    texts = [list(prompt.tokens) for prompt in prompts(2)]
    with torch.inference_mode():
        for row, text in enumerate(texts):
            reader.read(row, text)
    for token in (9, 30):
        with torch.inference_mode():
            found = reader.step([token, token])
        blank = [*blank, token]
        texts = [[*text, token] for text in texts]
        for row, text in enumerate(texts):
            whole = [torch.tensor([[*PREFIX, *tokens]]) for tokens in (text, blank)]
            with torch.inference_mode():
                a, b = (model(input_ids=tokens).logits[0, -1].softmax(-1) for tokens in whole)
            wanted = a.log() + weight * (a.log() - b.log())
            is_plausible = a >= PLAUSIBLE * a.max()
            assert torch.allclose(found[row][is_plausible], wanted[is_plausible], atol=1e-4)
            assert torch.isinf(found[row][~is_plausible]).all()


def test_contrast_of_no_weight_writes_the_same() -> None:
    model = build("llama")
    wanted = write(Slots(model, PREFIX, 3, 80), sampling(), prompts())
    plain = Contrast(Slots(model, PREFIX, 9, 80), [5], 0)
    assert write(plain, sampling(), prompts()) == wanted
    strong = Contrast(Slots(model, PREFIX, 9, 80), [5], 3)
    assert write(strong, sampling(), prompts()) != wanted


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_and_decoder_write_what_they_would_alone(kind: str) -> None:
    model, how = build(kind), sampling()
    opening = [3] if kind == "t5" else [3, 4]
    assert model.generation_config
    model.generation_config.forced_bos_token_id = 4 if kind == "bart" else None
    found = dict(write_answers(model, prompts(), how, rows=12))
    for number, prompt in enumerate(prompts()):
        inputs = torch.tensor([list(prompt.tokens)])
        for line in found[number]:
            for length, token in enumerate(line.tokens[1:], start=1):
                seen = torch.tensor([[*opening, *line.tokens[:length]]])
                with torch.inference_mode():
                    logits = model(input_ids=inputs, decoder_input_ids=seen, use_cache=False).logits
                assert int(logits[0, -1].argmax()) == token
    assert len({spell(line.tokens[0]) for line in found[0]}) == 3


def test_tokens_are_drawn_by_their_shares() -> None:
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    how = Sampling(1, 9, 1.0, 0.9, spell)
    draws = ((np.arange(1000) + 0.5) / 1000).tolist()
    chosen = how.choose(shares.log().expand(1000, -1), draws)
    wanted = shares[:3] / shares[:3].sum()
    found = torch.bincount(torch.tensor(chosen), minlength=4) / 1000
    assert torch.allclose(found, torch.tensor([*wanted.tolist(), 0.0]), atol=0.002)
    assert Sampling(1, 9, 0, 0.9, spell).choose(shares.log()[None], [0.99]) == [0]
