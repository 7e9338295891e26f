"""Language models: with and without a cache, sampling, and beam search."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.nn import models, sampling


def gpt(layers: int = 1, **settings: Any) -> models.GPT:
    cr.manual_seed(1)
    model = models.GPT(11, 12, 16, layers, 2, **settings)
    for parameter in model.parameters():  # so that tokens differ
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.4)
    return model.eval()


@functools.cache
def reader(kind: str = "learned") -> tuple[models.GPT, Any]:
    """A model and its step, compiled."""
    model = gpt(**KINDS[kind])
    return model, cr.compile(model.step)


KINDS: dict[str, dict[str, Any]] = {
    "learned": {},
    "sinusoidal": {"positions": "sinusoidal", "tied": False},
    "rotary": {"positions": "rotary", "bias": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_with_a_cache_and_without(kind: str) -> None:
    model = gpt(2, **KINDS[kind])
    tokens = np.random.default_rng(0).integers(0, 11, (3, 12)).astype(np.int32)
    whole = model(tokens).numpy()
    step = cr.compile(model.step)

    def check(run: Any, state: Any, *cuts: int) -> Any:
        for start, stop in itertools.pairwise(cuts):
            logits, state = run(tokens[:, start:stop], state)
            np.testing.assert_allclose(logits.numpy(), whole[:, stop - 1], rtol=1e-4, atol=1e-5)
        return state

    state = check(step, model.new_state(3), *range(13))
    # A prompt in pieces is the same, whatever stood in the cache before.
    check(model.step, models.GPTState(cr.tensor(0), state.layers), 0, 5, 6, 12)
    check(step, models.GPTState(cr.tensor(0), state.layers), 0, 12)
    # It is full: an error where somebody can be told.
    with pytest.raises(ShapeError, match=r"leave a cache of 12|there are 12 positions"):
        model.step(tokens[:, :1], state)
    assert np.isnan(step(tokens[:, :1], state)[0].numpy()).all()


@functools.cache
def loop(kind: str = "learned") -> nn.TokenLoop:
    """The same model for many tokens in one call."""
    return nn.TokenLoop(reader(kind)[0].step, 11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_tokens_are_chosen(kind: str) -> None:
    model, step = reader(kind)
    prompts = np.array([[1, 4, 2], [7, 7, 0]], np.int32)

    def read_again(tokens: Any, text: Any) -> Any:
        """Without a cache: all of the text in each step."""
        text = np.concatenate([text, tokens], 1)
        return model(text)[:, -1], text

    for temperature in (0.0, 1.0):
        settings: dict[str, Any] = {"length": 9, "seed": 5, "temperature": temperature}
        with_cache = list(nn.generate(step, prompts, model.new_state(2), **settings))
        without = nn.generate(read_again, prompts, np.zeros((2, 0), np.int32), **settings)
        np.testing.assert_array_equal(with_cache, list(without))
        in_calls = nn.generate(loop(kind), prompts, model.new_state(2), **settings)
        np.testing.assert_array_equal(with_cache, list(in_calls))
    assert len(np.unique(with_cache)) > 3


@pytest.mark.parametrize(
    "settings",
    [
        {"context": 12, "length": 30},
        {"context": 12, "length": 30, "piece": 4},
        {"temperature": 0.0, "stop": 3},
        {"top_k": 3},
        {"top_p": 0.6, "temperature": 1.5},
        {"top_k": 5, "top_p": 0.9, "repetition_penalty": 1.7},
        {"temperature": 0.0, "repetition_penalty": 3.0},
    ],
    ids=str,
)
def test_many_tokens_in_one_call(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of a step for each token, however many a call makes."""
    model, step = reader()
    prompts = [[1, 4, 2, 9, 9, 0, 5], [7, 7], [10, 3, 6, 2]]
    settings = {"length": 5, "seed": 3, "temperature": 1.0} | settings
    one_by_one = list(nn.generate(step, prompts, model.new_state(3), **settings))
    assert any((tokens < 0).any() for tokens in one_by_one)  # rows begin at different times
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(sampling, "PATIENCE", seconds)
        made = list(nn.generate(loop(), prompts, model.new_state(3), **settings))
        np.testing.assert_array_equal(made, one_by_one)


def test_a_token_writes_its_own_keys_and_values() -> None:
    """What was read before stays where it is: no nest stores a cache but where the token stands."""
    model = gpt(2)
    state = model.new_state(1)
    caches = [array for layer in state.layers for array in layer]

    @cr.compile
    def step(tokens: cr.Tensor) -> cr.Tensor:
        logits, new = model.step(tokens, models.GPTState(state.position, state.layers))
        for own, value in zip(caches, [a for layer in new.layers for a in layer], strict=True):
            own.assign_(value)
        return logits

    text = str(cr.show(step, np.zeros((1, 1), np.int32))).split("== program")[1]
    assert text.count("nest scatter") == len(caches)
    before = [cache.numpy().copy() for cache in caches]
    state.position.assign_(5)
    step(np.zeros((1, 1), np.int32))
    for cache, old in zip(caches, before, strict=True):
        steps = cache.shape.index(12)
        changed = np.flatnonzero((cache.numpy() != old).any(tuple({1, 2, 3} - {steps}))[0])
        assert changed.tolist() == [5]


def test_what_a_token_loop_refuses() -> None:
    model = gpt()
    state = model.new_state(1)

    def made(step: Any, state: Any = state, vocabulary: int = 11) -> Any:
        read = nn.TokenLoop(step, vocabulary)
        return list(nn.generate(read, [[1]], state, length=20, temperature=0.0))

    with pytest.raises(DataError, match="token 9 of prompt 0 is not among the 7"):
        list(nn.generate(nn.TokenLoop(model.step, 7), [[1, 9]], state, length=1))
    with pytest.raises(ShapeError, match=r"gives scores \(1, 11\), not \(1, 7\)"):
        made(model.step, vocabulary=7)
    with pytest.raises(ShapeError, match="shaped otherwise than before"):
        made(lambda tokens, state: (cr.zeros(1, 11), cr.zeros(2)), cr.zeros(1))
    with pytest.raises(DataError, match=r"(?s)no token to choose .* a full cache makes NaN"):
        made(model.step)


def test_a_program_compiled_once_serves_all_lengths() -> None:
    model = gpt()
    traced = []

    @cr.compile
    def step(tokens: Any, state: Any) -> Any:
        traced.append(1)
        return model.step(tokens, state)

    list(nn.generate(step, [[1, 2], [3, 4]], model.new_state(2), length=30, context=12))
    assert len(traced) == 1


def test_rows_read_for_themselves() -> None:
    """What stands beside a row, how long its prompt is, and when others end, changes nothing."""
    model, step = reader()
    prompts = [[1, 2, 3, 4, 5], [6], [7, 8]]
    settings: dict[str, Any] = {"length": 6, "temperature": 0.0}
    together = np.stack(list(nn.generate(step, prompts, model.new_state(3), **settings)), 1)
    assert (together[0] == -1).sum() == 4
    for row, prompt in zip(together, prompts, strict=True):
        alone = np.concatenate(list(nn.generate(step, [prompt], model.new_state(1), **settings)))
        np.testing.assert_array_equal(row[row >= 0], alone)
    stop = int(together[1][together[1] >= 0][2])
    cut = np.stack(list(nn.generate(step, prompts, model.new_state(3), stop=stop, **settings)), 1)
    for row, full in zip(cut, together, strict=True):
        full = full[full >= 0].tolist()
        kept = full[: full.index(stop) + 1] if stop in full else full
        assert row[row >= 0].tolist() == kept


def test_read_in_pieces() -> None:
    model = gpt()
    sizes: set[int] = set()

    def step(tokens: Any, state: Any) -> Any:
        sizes.add(tokens.shape[1])
        return model.step(tokens, state)

    prompts, settings = [list(range(10)), [3, 1, 4, 1, 5]], {"length": 8, "context": 12}
    one, four = (
        list(nn.generate(step, prompts, model.new_state(2), piece=piece, **settings))
        for piece in (1, 4)
    )
    np.testing.assert_array_equal(one, four)
    assert sizes == {1, 4}


def test_longer_than_the_context() -> None:
    """Where the context is full, the model reads the second half of it again."""
    model, step = reader()
    text = list(range(10)) * 2
    found = nn.generate(step, [text], model.new_state(1), length=10, context=12, temperature=0.0)
    generated = [int(t[0]) for t in found]
    held, window = 0, []
    for at in range(29):
        if held == 12:
            window, held = text[at - 6 : at], 6
        window, held = [*window, text[at]], held + 1
        if at + 1 >= len(text):
            text.append(int(model(np.array([window], np.int32)).numpy()[0, -1].argmax()))
    assert generated == text[20:]


def test_a_seed_makes_one_text() -> None:
    model, step = reader()

    def text(seed: int) -> list[int]:
        found = nn.generate(step, [[3]], model.new_state(1), length=11, seed=seed)
        return [int(t[0]) for t in found]

    assert text(1) == text(1)
    assert text(1) != text(2)


def test_it_learns_to_go_round() -> None:
    cr.manual_seed(0)
    model = models.GPT(5, 8, 16, 1, 2)
    adam = optim.Adam(model.parameters(), lr=0.02)
    text = (np.arange(9) + np.arange(5)[:, None]) % 5

    @cr.compile
    def learn(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        adam.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        adam.step()
        return loss

    x, y = text[:, :-1].astype(np.int32), text[:, 1:].astype(np.int32)
    for _ in range(60):
        loss = learn(x, y)
    assert loss.item() < 0.1
    said = nn.generate(model.eval().step, [[2]], model.new_state(1), length=7, temperature=0.0)
    assert [int(t[0]) for t in said] == [3, 4, 0, 1, 2, 3, 4]


def test_a_decoder_with_its_memory() -> None:
    cr.manual_seed(0)
    layer = nn.TransformerDecoderLayer(8, 2, 9, 0.0)
    decoder = nn.TransformerDecoder(layer, 2, nn.LayerNorm(8))
    decoder.reset_parameters()
    rng = np.random.default_rng(0)
    tgt, memory = (rng.standard_normal((n, 3, 8)).astype(np.float32) for n in (6, 4))
    hidden = np.array([[False, False, False, True]] * 3)
    whole = decoder(tgt, memory, memory_key_padding_mask=hidden, tgt_is_causal=True).numpy()
    cache = decoder.new_cache(memory, 6)
    for t in range(6):
        y, cache = decoder.with_cache(tgt[t : t + 1], cache, t, hidden)
        np.testing.assert_allclose(y.numpy()[0], whole[t], rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------ sampling

LOGITS = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], np.float32))


def frequencies(logits: Any, count: int = 4000, **settings: Any) -> Any:
    many = np.repeat(logits, count, 0)
    previous = settings.pop("previous", None)
    if previous is not None:
        settings["previous"] = [previous] * count
    tokens = nn.sample(many, generator=cr.Generator(7), **settings)
    return np.bincount(tokens, minlength=4) / count


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"temperature": 0.5}, np.array([25, 9, 2.25, 0.25]) / 36.5),
        ({"top_k": 2}, [0.625, 0.375, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 9}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_p": 0.5}, [1, 0, 0, 0]),
        ({"top_p": 0.7}, [0.625, 0.375, 0, 0]),
        ({"top_p": 1.0}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 2, "top_p": 0.6}, [1, 0, 0, 0]),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
        # log 0.5 · 2 = log 0.25
        ({"repetition_penalty": 2.0, "previous": [0, 0]}, np.array([5, 6, 3, 1]) / 15),
    ],
)
def test_what_is_drawn(settings: dict[str, Any], expected: Any) -> None:
    expected = np.asarray(expected)
    found = frequencies(LOGITS, **settings)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert not found[expected == 0].any()


def test_positive_logits_are_divided_by_the_penalty() -> None:
    logits = np.array([[4.0, 3.0, -1.0, 0.0]], np.float32)
    settings: dict[str, Any] = {"temperature": 0.0, "repetition_penalty": 2.0}
    assert nn.sample(logits, previous=[[0]], **settings).tolist() == [1]
    assert nn.sample(logits, previous=[[]], **settings).tolist() == [0]
    assert nn.sample(np.zeros((1, 3), np.float32), temperature=0.0).tolist() == [0]


def test_what_cannot_be_is_never_drawn() -> None:
    logits = np.array([[-np.inf, 0.0, -np.inf, 0.0]], np.float32)
    assert frequencies(logits)[[0, 2]].tolist() == [0.0, 0.0]
    assert frequencies(logits, top_k=3, temperature=100.0)[[0, 2]].tolist() == [0.0, 0.0]


# --------------------------------------------------------------------------------- beam search

VOCABULARY = 4
CHAIN = np.random.default_rng(5).standard_normal((3, VOCABULARY, VOCABULARY)).astype(np.float32)


def chain(tokens: Any, state: Any) -> Any:
    """Scores that depend on how many tokens came before, and on the last two."""
    t, previous = state
    last = np.asarray(tokens)[:, 0]
    scores = (
        CHAIN[int(t.item()) % 3][last] * 2 + np.asarray(previous.numpy())[:, None] * CHAIN[0, 1]
    )
    return scores, (t + 1, cr.tensor(last.astype(np.float32)))


def fresh(rows: int) -> Any:
    return cr.tensor(0), cr.zeros(rows)


def exhaustive(start: int, length: int, stop: int | None, penalty: float) -> list[Any]:
    """All texts of at most ``length`` tokens with their scores, best first."""
    found = []

    def grow(tokens: list[int], token: int, state: Any, log_prob: float) -> None:
        ended = bool(tokens) and tokens[-1] == stop
        if len(tokens) == length or ended:
            divisor = ((5 + len(tokens)) / 6) ** penalty
            found.append((log_prob / divisor, tokens, log_prob))
            return
        scores, state = chain(np.array([[token]]), state)
        row = np.asarray(scores, np.float64)[0]
        row = row - np.log(np.exp(row).sum())
        for new in range(VOCABULARY):
            grow([*tokens, new], new, state, log_prob + row[new])

    grow([], start, fresh(1), 0.0)
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("stop", [None, 3])
def test_a_wide_beam_finds_what_there_is(stop: int | None, penalty: float) -> None:
    found = nn.beam_search(
        chain, [[1], [2]], fresh(2), length=4, stop=stop, beam=64, best=3, length_penalty=penalty
    )
    for start, hypotheses in zip((1, 2), found, strict=True):
        expected = exhaustive(start, 4, stop, penalty)[:3]
        assert [h.tokens for h in hypotheses] == [tokens for _, tokens, _ in expected]
        for h, (score, _, log_prob) in zip(hypotheses, expected, strict=True):
            assert h.score == pytest.approx(score)
            assert h.log_prob == pytest.approx(log_prob)


def test_a_beam_of_one_takes_the_likeliest() -> None:
    [[hypothesis]] = nn.beam_search(chain, [[1]], fresh(1), length=6, beam=1)
    greedy = nn.generate(chain, [[1]], fresh(1), length=6, temperature=0.0)
    assert hypothesis.tokens == [int(t[0]) for t in greedy]


def test_a_beam_over_a_model() -> None:
    model, step = reader()
    prompts = [[1, 2], [3, 4]]
    found = nn.beam_search(step, prompts, model.new_state(2), length=6, beam=3, best=2)
    for prompt, hypotheses in zip(prompts, found, strict=True):
        assert hypotheses[0].score >= hypotheses[1].score
        for h in hypotheses:
            text = np.array([[*prompt, *h.tokens]], np.int32)
            logits = model(text).numpy()[0].astype(np.float64)
            log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
            total = sum(log_probs[1 + i, token] for i, token in enumerate(h.tokens))
            assert h.log_prob == pytest.approx(total, rel=1e-4)


def test_a_beam_over_a_decoder_and_its_memory() -> None:
    """As in translation: sources of several lengths, padded, are part of the state."""
    cr.manual_seed(3)
    model = nn.Transformer(8, 2, 1, 2, 16, 0.0, batch_first=True)
    table, head = nn.Embedding(6, 8), nn.Linear(8, 6)
    source = np.random.default_rng(1).standard_normal((2, 4, 8)).astype(np.float32)
    hidden = np.array([[False] * 4, [False, False, True, True]])
    memory = model.encoder(source, src_key_padding_mask=hidden)

    @cr.compile
    def step(tokens: Any, state: Any) -> Any:
        position, cache, hidden = state
        y, cache = model.decoder.with_cache(table(tokens), cache, position, hidden)
        return head(y[:, -1]), (position + 1, cache, hidden)

    state = cr.tensor(0), model.decoder.new_cache(memory, 6), hidden
    found = nn.beam_search(step, [[0], [0]], state, length=5, stop=1, beam=3, best=2)
    for row, hypotheses in enumerate(found):
        for h in hypotheses:
            tokens = np.array([[0, *h.tokens[:-1]]], np.int32)
            y = model.decoder(
                table(tokens), memory[row : row + 1],
                memory_key_padding_mask=hidden[row : row + 1], tgt_is_causal=True,
            )  # fmt: skip
            log_probs = F.log_softmax(head(y)).numpy()[0]
            total = sum(log_probs[i, token] for i, token in enumerate(h.tokens))
            assert h.log_prob == pytest.approx(total, rel=1e-4)


# ----------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: nn.sample(LOGITS, temperature=-1.0), ConfigError, "temperature is -1.0"),
        (lambda: nn.sample(LOGITS, temperature=math.nan), ConfigError, "temperature is nan"),
        (lambda: nn.sample(LOGITS, top_k=0), ConfigError, "top_k is 0"),
        (lambda: nn.sample(LOGITS, top_p=0.0), ConfigError, "top_p is 0.0"),
        (lambda: nn.sample(LOGITS, top_p=1.1), ConfigError, "top_p is 1.1"),
        (lambda: nn.sample(LOGITS, repetition_penalty=0.0), ConfigError, "repetition_penalty is 0"),
        (lambda: nn.sample(LOGITS[0]), ShapeError, r"logits have shape \(4,\)"),
        (lambda: nn.sample(LOGITS * math.nan), DataError, "no token to choose .* row 0"),
        (lambda: nn.sample(LOGITS - math.inf), DataError, "no token to choose"),
        (lambda: nn.generate(chain, [[]], fresh(1), length=1), DataError, "0 is empty"),
        (lambda: nn.generate(chain, [], fresh(1), length=1), DataError, "no prompts"),
        (lambda: nn.generate(chain, [[0.5]], fresh(1), length=1), ShapeError, "prompt 0 is"),
        (lambda: nn.generate(chain, [[1]], fresh(1), length=-1), ConfigError, "length is -1"),
        (lambda: nn.generate(chain, [[1]], fresh(1), length=1, top_k=-1), ConfigError, "top_k"),
        (lambda: nn.beam_search(chain, [[1]], fresh(1), length=1, beam=2, best=3), ConfigError,
         "best is 3"),
        (lambda: nn.beam_search(chain, [[1]], fresh(1), length=1, length_penalty=-1), ConfigError,
         "length_penalty is -1"),
        (lambda: nn.beam_search(chain, [[1], [1, 2]], fresh(2), length=1), ShapeError, "differ"),
        (lambda: models.GPT(5, positions="none"), ConfigError, "positions is 'none'"),
        (lambda: models.GPT(5, width=10, heads=4), ConfigError, "4 heads cannot share 10"),
        (lambda: models.GPT(5, width=10, heads=4, positions="rotary"), ConfigError,
         "4 heads cannot share 10"),
        (lambda: models.GPT(5, 4)(np.zeros((1, 5), np.int32)), ShapeError, "1 to 4 steps"),
        (lambda: models.GPT(5, 4)(np.zeros((1, 0), np.int32)), ShapeError, "1 to 4 steps"),
        (lambda: models.GPT(5, 4)(np.zeros(3, np.int32)), ShapeError, r"tokens have shape \(3,\)"),
    ],
)  # fmt: skip
def test_it_is_refused(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_a_token_outside_of_the_vocabulary() -> None:
    model, step = reader()
    list(nn.generate(step, [[1]], model.new_state(1), length=1))
    with pytest.raises((DataError, ShapeError), match="11"):
        list(nn.generate(step, [[1, 11]], model.new_state(1), length=1))
