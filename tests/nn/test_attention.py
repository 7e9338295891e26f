"""Attention and transformers: PyTorch's numbers, causality, masks that hide all, and bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import ConfigError, DataError, DTypeError, ShapeError
from chainrule.frontend.functional.attention import attend
from chainrule.ir.graph import topological
from chainrule.nn import models
from chainrule.nn.module import as_tensor
from precise import in_double, parameters_of
from reference.images import array_of, cotangent, described, parameter_values, values
from reference.problems import load

CASES: list[dict[str, Any]] = load("attention")["cases"]
NAMES = [f"{i}-{c['name']}" for i, c in enumerate(CASES)]


def built(case: dict[str, Any]) -> Callable[..., Any]:
    """The function, or the module with the parameters of its seed."""
    name, args, kwargs = case["name"], case["args"], case["kwargs"]
    if name == "scaled_dot_product_attention":
        return lambda **given: F.scaled_dot_product_attention(**given, **kwargs)
    if name in ("TransformerEncoder", "TransformerDecoder"):
        *of_layer, count = args
        more = {k: v for k, v in kwargs.items() if k != "norm"}
        layer = getattr(nn, f"{name}Layer")(*of_layer, dropout=0.0, **more)
        module = getattr(nn, name)(layer, count, nn.LayerNorm(args[0]) if kwargs["norm"] else None)
    else:
        module = getattr(nn, name)(*args, **kwargs)
    shapes = {n: p.shape for n, p in module.named_parameters()}
    assert list(shapes) == list(case["dparameters"])
    module.load_state_dict(parameter_values(case["seed"], shapes))
    return module


def parameters(call: Any) -> dict[str, cr.Tensor]:
    return dict(call.named_parameters()) if isinstance(call, nn.Module) else {}


def arrays_of(case: dict[str, Any]) -> dict[str, Any]:
    """Arrays that a case describes, by name."""
    described_inputs = enumerate(case["inputs"].items())
    return {n: array_of(one, case["seed"] + i) for i, (n, one) in described_inputs
            if isinstance(one, dict)}  # fmt: skip


def applied(call: Callable[..., Any], case: dict[str, Any], given: dict[str, Any]) -> list[Any]:
    """The results for ``given`` arrays by name; what a case says in words or lists is added."""
    arguments: dict[str, Any] = {}
    for name, one in case["inputs"].items():
        if isinstance(one, str):
            arguments[name] = arguments[one]
        else:
            arguments[name] = given[name] if isinstance(one, dict) else one
    if case["name"] == "EmbeddingBag":
        result = call(*arguments.values())
    else:
        result = call(**arguments)
    return [*result] if isinstance(result, tuple) else [result]


def check_described(ours: Any, theirs: dict[str, Any], tolerance: float) -> None:
    found = described(ours)
    assert found["shape"] == theirs["shape"]
    scale = max(theirs["norm"], 1e-3)
    np.testing.assert_allclose(found["on"], theirs["on"], rtol=0, atol=tolerance * scale)
    assert found["norm"] == pytest.approx(theirs["norm"], rel=tolerance, abs=tolerance * 1e-3)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert {c["name"] for c in CASES} == {
        "scaled_dot_product_attention", "MultiheadAttention", "TransformerEncoderLayer",
        "TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder", "Transformer",
        "EmbeddingBag",
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_outputs_and_gradients_are_pytorchs(case: dict[str, Any]) -> None:
    call, given = built(case), arrays_of(case)
    own = parameters(call)
    seeds = [cotangent(case["seed"] + i, tuple(y["shape"])) for i, y in enumerate(case["ys"])]

    def joined(*inputs: Any) -> cr.Tensor:
        ys = applied(call, case, dict(zip(given, inputs, strict=True)))
        return cr.cat([y.flatten() for y in ys])

    result = in_double(
        joined,
        list(given.values()),
        np.concatenate([g.ravel() for g in seeds]),
        parameters_of(own, parameter_values(case["seed"], {n: p.shape for n, p in own.items()})),
    )
    at = 0
    for theirs in case["ys"]:
        size = math.prod(theirs["shape"])
        check_described(result.y[at : at + size].reshape(theirs["shape"]), theirs, 1e-9)
        at += size
    gradients = dict(zip(given, result.dinputs, strict=True))
    for name, theirs in case["dinputs"].items():
        check_described(gradients[name], theirs, 1e-9)
    for name, theirs in case["dparameters"].items():
        check_described(result.dstates[id(own[name])], theirs, 1e-9)


@pytest.mark.parametrize("first", range(3))
def test_compiled_in_single_precision(first: int) -> None:
    cases = CASES[first::17]  # in one program
    calls = [built(c) for c in cases]
    inputs = [
        {n: a.astype(np.float32) if a.dtype == float else a for n, a in arrays_of(c).items()}
        for c in cases
    ]

    @cr.compile(keep_grads=True)
    def step(inputs: list[dict[str, cr.Tensor]]) -> Any:
        total, results, leaves = 0.0, [], []
        for case, call, each in zip(cases, calls, inputs, strict=True):
            given = {n: x.detach() for n, x in each.items()}
            for name in case["dinputs"]:
                given[name].requires_grad = True
            results.append(applied(call, case, given))
            leaves.append([given[name] for name in case["dinputs"]])
            for i, y in enumerate(results[-1]):
                total = total + (y * cotangent(case["seed"] + i, y.shape).astype(np.float32)).sum()
        total.backward()
        return results, [[x.grad for x in each] for each in leaves]

    results, gradients = step(inputs)
    for case, call, ys, dxs in zip(cases, calls, results, gradients, strict=True):
        for y, theirs in zip(ys, case["ys"], strict=True):
            check_described(y.numpy(), theirs, 1e-4)
        for dx, theirs in zip(dxs, case["dinputs"].values(), strict=True):
            check_described(dx.numpy(), theirs, 1e-4)
        for name, parameter in parameters(call).items():
            check_described(parameter.grad.numpy(), case["dparameters"][name], 1e-4)


def drawn(seed: int, *shape: int) -> Any:
    return values(seed, shape).astype(np.float32)


# ---------------------------------------------------------------------------------- causality

CAUSAL: dict[str, Callable[[], Callable[[Any], cr.Tensor]]] = {
    "function": lambda: lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "mask": lambda: (
        lambda x: F.scaled_dot_product_attention(x, x, x, np.tril(np.ones((9, 9), bool)))
    ),
    "heads": lambda: _called(nn.MultiheadAttention(8, 2, batch_first=True)),
    "encoder": lambda: _encoder(),
    "rotary": lambda: _encoder(rotary=nn.RotaryPositions(9, 4), norm_first=True),
    "decoder": lambda: _decoder(),
}


def _called(attention: nn.MultiheadAttention) -> Callable[[Any], cr.Tensor]:
    return lambda x: attention(x, x, x, need_weights=False, is_causal=True)[0]


def _encoder(**settings: Any) -> Callable[[Any], cr.Tensor]:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, **settings)
    encoder = nn.TransformerEncoder(layer, 2)
    return lambda x: encoder(x, is_causal=True)


def _decoder() -> Callable[[Any], cr.Tensor]:
    layer = nn.TransformerDecoderLayer(8, 2, 16, 0.0, batch_first=True)
    memory = drawn(3, 2, 4, 8)
    return lambda x: layer(x, memory, tgt_is_causal=True)


@pytest.mark.parametrize("name", CAUSAL)
def test_nothing_that_follows_changes_a_bit(name: str) -> None:
    cr.manual_seed(0)
    function = CAUSAL[name]()
    for run in (function, cr.compile(function)):
        x = drawn(1, 2, 9, 8)
        before = run(x).numpy()
        for cut in (1, 4, 8):
            other = x.copy()
            other[:, cut:] = 100.0 * drawn(cut, 2, 9 - cut, 8)
            after = run(other).numpy()
            np.testing.assert_array_equal(after[:, :cut], before[:, :cut])
            assert (after[:, cut:] != before[:, cut:]).any()


def test_said_causal_is_masked_causal() -> None:
    cr.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
    x = drawn(2, 5, 3, 8)
    said = layer(x, is_causal=True).numpy()
    for mask in (
        nn.Transformer.generate_square_subsequent_mask(5),
        np.triu(np.ones((5, 5), bool), 1),
    ):
        np.testing.assert_allclose(layer(x, mask).numpy(), said, rtol=1e-6, atol=1e-6)
        # A hint that is wrong hides more, never less.
        both = layer(x, mask, is_causal=True).numpy()
        np.testing.assert_allclose(both, said, rtol=1e-6, atol=1e-6)
    with_extra = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True)
    y, weights = with_extra(x, x, x, is_causal=True)
    masked, _ = with_extra(x, x, x, attn_mask=np.triu(np.ones((5, 5), bool), 1))
    np.testing.assert_allclose(y.numpy(), masked.numpy(), rtol=1e-6, atol=1e-6)
    assert weights is not None
    assert weights.shape == (3, 5, 7)


# ------------------------------------------------------------------------- what sees nothing

SHUT = np.array([[True, False, True], [False, False, False], [True, True, True]])
INFINITE = np.where(SHUT, 0.0, -np.inf).astype(np.float32)


@pytest.mark.parametrize("mask", [SHUT, INFINITE], ids=["bool", "float"])
@pytest.mark.parametrize("compiled", [False, True])
def test_who_may_attend_to_nothing_gets_zeros_and_gives_no_gradient(
    mask: Any, compiled: bool
) -> None:
    def gradients(q: Any, k: Any, v: Any) -> Any:
        y = F.scaled_dot_product_attention(q, k, v, mask)
        return y, *cr.grad(
            lambda q, k, v: (F.scaled_dot_product_attention(q, k, v, mask) ** 2).sum(),
            argnums=(0, 1, 2),
        )(q, k, v)

    given = [drawn(i, 2, 3, 4) for i in range(3)]
    run = cr.compile(gradients) if compiled else gradients
    y, dq, dk, dv = (t.numpy() for t in run(*given))
    assert not y[:, 1].any()
    assert not dq[:, 1].any()
    # The others are what they are without that query.
    rest, dq2, dk2, dv2 = (t.numpy() for t in _without_second(*given, mask[[0, 2]]))
    np.testing.assert_allclose(y[:, [0, 2]], rest, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dq[:, [0, 2]], dq2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dk, dk2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dv, dv2, rtol=1e-5, atol=1e-6)


def _without_second(q: Any, k: Any, v: Any, mask: Any) -> Any:
    q = q[:, [0, 2]]

    def loss(q: Any, k: Any, v: Any) -> cr.Tensor:
        return (F.scaled_dot_product_attention(q, k, v, mask) ** 2).sum()

    y = F.scaled_dot_product_attention(q, k, v, mask)
    return y, *cr.grad(loss, argnums=(0, 1, 2))(q, k, v)


def test_a_row_of_padding_alone_is_what_the_bias_says() -> None:
    cr.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    cr.nn.init.uniform_(attention.out_proj.bias)
    x = cr.tensor(drawn(0, 2, 4, 8), requires_grad=True)
    y, weights = attention(x, x, x, key_padding_mask=np.array([[False] * 4, [True] * 4]))
    assert weights is not None
    assert not weights.numpy()[1].any()
    assert (y.numpy()[1] == attention.out_proj.bias.numpy()).all()
    (y**2).sum().backward()
    assert x.grad is not None
    assert not x.grad.numpy()[1].any()
    assert np.isfinite(x.grad.numpy()).all()
    assert all(np.isfinite(p.grad.numpy()).all() for p in attention.parameters())


# ------------------------------------------------------------------------------------ details


def test_names_shapes_and_first_values() -> None:
    cr.manual_seed(0)
    attention = nn.MultiheadAttention(64, 4)
    state = attention.state_dict()
    assert {n: a.shape for n, a in state.items()} == {
        "in_proj_weight": (192, 64), "in_proj_bias": (192,),
        "out_proj.weight": (64, 64), "out_proj.bias": (64,),
    }  # fmt: skip
    bound = math.sqrt(6 / 256)
    assert 0.98 * bound < np.abs(state["in_proj_weight"]).max() <= bound
    assert np.abs(state["out_proj.weight"]).max() <= 1 / 8
    assert not state["in_proj_bias"].any()
    assert not state["out_proj.bias"].any()
    assert list(nn.MultiheadAttention(8, 2, kdim=3, add_bias_kv=True).state_dict()) == [
        "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v",
        "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    model = nn.Transformer(16, 2, 1, 1, 8)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert 0.9 * bound < np.abs(parameter.numpy()).max() <= bound, name


def test_dropout_acts_in_training_on_the_weights() -> None:
    cr.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = drawn(1, 6, 4, 8)
    _, weights = attention(x, x, x, average_attn_weights=False)
    assert weights is not None
    dropped = (weights.numpy() == 0).mean()
    assert 0.3 < dropped < 0.7
    attention.eval()
    _, weights = attention(x, x, x)
    assert weights is not None
    np.testing.assert_allclose(weights.numpy().sum(-1), 1.0, rtol=1e-6)
    y = F.scaled_dot_product_attention(x, x, x, dropout_p=1.0)
    assert not y.numpy().any()


def test_where_a_decoder_looked() -> None:
    cr.manual_seed(0)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 9, 0.0), 2, nn.LayerNorm(8))
    decoder.reset_parameters()
    tgt, memory = drawn(1, 5, 3, 8), drawn(2, 4, 3, 8)
    hidden = np.array([[False] * 4, [False, True, False, True], [True] * 3 + [False]])
    masks: dict[str, Any] = {"memory_key_padding_mask": hidden, "tgt_is_causal": True}
    y, weights = decoder.with_weights(tgt, memory, **masks)
    np.testing.assert_allclose(
        y.numpy(), decoder(tgt, memory, **masks).numpy(), rtol=1e-5, atol=1e-6
    )
    for of_layer in weights:
        assert of_layer.shape == (3, 5, 4)
        np.testing.assert_allclose(of_layer.numpy().sum(2), 1.0, rtol=1e-6)
        assert not of_layer.numpy()[np.broadcast_to(hidden[:, None], (3, 5, 4))].any()
    first = decoder.layers[0]
    x = first.norm1(tgt + first.self_attn(tgt, tgt, tgt, is_causal=True)[0])
    _, expected = first.multihead_attn(x, memory, memory, hidden)
    np.testing.assert_allclose(weights[0].numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_layers_of_a_stack_are_copies_until_they_are_drawn() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 9), 2)
    first, second = (layer.self_attn.in_proj_weight for layer in encoder.layers)
    assert first is not second
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    encoder.reset_parameters()
    assert (first.numpy() != second.numpy()).any()


def test_weights_by_alignment_and_their_context() -> None:
    cr.manual_seed(0)
    keys, queries, lengths = drawn(1, 5, 3, 6), drawn(2, 2, 3, 4), np.int32([5, 2, 3])
    additive = nn.AdditiveAttention(4, 6, 7)
    w, u, b, v = (p.numpy() for p in additive.parameters())
    inside = np.tanh((queries @ w.T)[:, None] + (keys @ u.T + b)[None])
    _check_alignment(additive, (inside @ v.T)[..., 0], queries, keys, lengths)
    multiplicative = nn.MultiplicativeAttention(4, 6)
    (w,) = (p.numpy() for p in multiplicative.parameters())
    scores = np.einsum("lni,oi,sno->lsn", queries, w, keys)
    _check_alignment(multiplicative, scores, queries, keys, lengths)
    batch_first = nn.MultiplicativeAttention(4, 6, batch_first=True)
    batch_first.load_state_dict(multiplicative.state_dict())
    swapped = batch_first(queries.swapaxes(0, 1), keys.swapaxes(0, 1), lengths=lengths)
    for a, b in zip(swapped, multiplicative(queries, keys, lengths=lengths), strict=True):
        a, b = a.numpy(), b.numpy()
        np.testing.assert_array_equal(a, b if a.shape == b.shape else b.swapaxes(0, 1))


def _check_alignment(layer: Any, scores: Any, queries: Any, keys: Any, lengths: Any) -> None:
    """Against ``scores`` [queries, keys, batch]."""
    e = np.exp(scores) * (np.arange(5)[:, None] < lengths)
    weights = e / e.sum(1, keepdims=True)
    context = np.einsum("lsn,snk->lnk", weights, keys)
    found, shares = layer(queries, keys, lengths=lengths)
    np.testing.assert_allclose(found.numpy(), context, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shares.numpy(), weights.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)
    one, share = layer(queries[0], keys, lengths=lengths)
    np.testing.assert_allclose(one.numpy(), found.numpy()[0], rtol=1e-5, atol=1e-6)
    assert share.shape == (3, 5)
    with pytest.raises(DataError, match="the length of row 1 is 0"):
        layer(queries, keys, lengths=np.int32([1, 0, 2]))


# ---------------------------------------------------------------------------------- bad input

X = np.zeros((5, 3, 8), np.float32)
HEADS = nn.MultiheadAttention(8, 2)
Q = np.zeros((2, 4, 6), np.float32)


def attends(*args: Any, **kwargs: Any) -> Any:
    return F.scaled_dot_product_attention(*args, **kwargs)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: nn.MultiheadAttention(8, 3), ConfigError,
         "3 heads cannot share 8 features\n.*\n.*num_heads must divide embed_dim"),
        (lambda: nn.TransformerEncoderLayer(8, 3), ConfigError, "3 heads cannot share 8"),
        (lambda: nn.Transformer(10, 4), ConfigError, "4 heads cannot share 10"),
        (lambda: nn.MultiheadAttention(8, 0), ConfigError, "num_heads of MultiheadAttention is 0"),
        (lambda: nn.MultiheadAttention(8, 2, dropout=2.0), ConfigError, "dropout is 2.0"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="swish"), ConfigError,
         "activation is 'swish'"),
        (lambda: nn.TransformerEncoder(nn.Identity(), 0), ConfigError, "num_layers"),
        (lambda: HEADS(X, X, X, attn_mask=np.zeros((5, 4), bool)), ShapeError,
         r"attn_mask has shape \(5, 4\)\n.*\n.*\(5, 5\) or \(6, 5, 5\)"),
        (lambda: HEADS(X, X, X, attn_mask=np.zeros((5, 5), np.int32)), DTypeError,
         "attn_mask has dtype i32\n.*\n.*True for what must not be attended to"),
        (lambda: HEADS(X, X, X, key_padding_mask=np.zeros((5, 3), bool)), ShapeError,
         r"key_padding_mask has shape \(5, 3\)\n.*\n.*\(3, 5\)"),
        (lambda: HEADS(X, X[:4], X), ShapeError, r"keys of shape \(4, 3, 8\) and values of"),
        (lambda: HEADS(X, X[:, :2], X[:, :2]), ShapeError, "3 rows of queries and 2 rows of keys"),
        (lambda: HEADS(X[..., :7], X, X), ShapeError, r"the query has shape \(5, 3, 7\)"),
        (lambda: HEADS(X, X[0], X[0]), ShapeError, r"the key has shape \(3, 8\)"),
        (lambda: HEADS(X.astype(np.int32), X, X), DTypeError, "the query has dtype i32"),
        (lambda: HEADS(X, X[:0], X[:0]), ShapeError, "no keys to attend to"),
        (lambda: attends(Q, Q, Q[:, :3]), ShapeError, "4 keys, but 3 values"),
        (lambda: attends(Q, Q[..., :5], Q), ShapeError, "query of 6 features .* keys of 5"),
        (lambda: attends(Q, Q, Q, np.ones((3, 4), bool)), ShapeError, "4 queries and 4 keys"),
        (lambda: attends(Q, Q, Q, np.ones((4, 4), np.int32)), DTypeError, "attn_mask has dtype"),
        (lambda: attends(Q, Q, Q, dropout_p=-0.1), ConfigError, "dropout_p is -0.1"),
        (lambda: attends(Q, Q, Q, scale=math.nan), ConfigError, "scale is nan"),
        (lambda: attends(Q[0, 0], Q, Q), ShapeError, r"the query has shape \(6,\)"),
        (lambda: attends(Q[None], Q[None].repeat(3, 1), Q[None], enable_gqa=True),
         ShapeError, "6 heads of the key cannot serve 2 heads of the query"),
        (lambda: nn.RotaryPositions(4, 5), ConfigError, "width of RotaryPositions is 5"),
        (lambda: nn.MultiheadAttention(8, 2, rotary=nn.RotaryPositions(4, 8)), ConfigError,
         "rotary positions of width 8 cannot turn heads of width 4"),
        (lambda: nn.LearnedPositions(4, 8)(X), ShapeError, "there are 4 positions, .* 0 to 4"),
        (lambda: nn.SinusoidalPositions(9, 8)(X, 6), ShapeError, "steps are 6 to 10"),
        (lambda: nn.SinusoidalPositions(9, 6)(X), ShapeError, "positions of width 6"),
        (lambda: HEADS.new_cache(3, 8).keys.shape == () or HEADS.with_cache(
            X, HEADS.new_cache(3, 8), 4), ShapeError, "5 steps at position 4 leave a cache of 8"),
        (lambda: HEADS.with_cache(X, HEADS.new_cache(2, 8), 0), ShapeError, "3 rows of queries"),
        (lambda: HEADS.with_cache(X, HEADS.new_cache(3, 8), 0.0), DTypeError, "a position has"),
        (lambda: nn.MultiheadAttention(8, 2, kdim=4).new_cache(1, 2), ConfigError, "plain"),
    ],
)  # fmt: skip
def test_it_is_refused(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_errors_name_the_layer() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)
    with pytest.raises(ShapeError, match=r"MultiheadAttention `layers\.0\.self_attn`"):
        encoder(X, np.zeros((4, 4), bool))


@pytest.mark.parametrize("through", [lambda f: f, cr.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("dropout_p", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["bools", "numbers", "one query"])
def test_by_the_primitive_and_with_all_weights(
    kind: str, dropout_p: float, through: Callable[[Any], Any]
) -> None:
    """The same numbers, and the same weights dropped; a row that sees nothing gets zeros."""
    rng = np.random.default_rng(0)
    queries = 1 if kind == "one query" else 5
    shapes = (2, 3, queries, 4), (2, 3, 6, 4), (2, 3, 6, 7), (2, 3, queries, 7)
    q, k, v, g = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    mask = rng.random((2, 1, 1, 6)) < 0.6
    mask[1], wanted = False, 3
    if kind == "numbers":
        mask = np.where(mask, rng.normal(size=mask.shape), -np.inf).astype(np.float32)

        wanted = 4

    def loss(call: Callable[..., Any], q: Any, k: Any, v: Any, mask: Any = mask) -> cr.Tensor:
        return (call(*map(as_tensor, (q, k, v)), mask, dropout_p) * g).sum()

    results = []
    for way in (F.scaled_dot_product_attention, lambda *given: attend(*given)[0]):
        f = through(lambda q, k, v: loss(way, q, k, v))  # noqa: B023 (called in this turn)
        operations = {n.op for n in topological(cr.compile(f).trace(q, k, v).graph.roots)}
        cr.manual_seed(3)
        value = np.asarray(f(q, k, v))
        cr.manual_seed(3)
        slopes = cr.grad(
            lambda q, k, v, m: loss(way, q, k, v, m),  # noqa: B023 (called in this turn)
            (0, 1, 2, 3)[:wanted],
        )
        results.append([value, *map(np.asarray, through(slopes)(q, k, v, mask))])
        assert ("attention" in operations) == (way is F.scaled_dot_product_attention)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropout_p", [1e-11, 1e-20])
def test_a_probability_that_rounds_to_nothing_drops_nothing(dropout_p: float) -> None:
    q = drawn(0, 2, 5, 4)
    expected = F.scaled_dot_product_attention(q, q, q).numpy()
    found = F.scaled_dot_product_attention(q, q, q, None, dropout_p).numpy()
    np.testing.assert_array_equal(found, expected)


def test_weights_that_nobody_asks_for_are_in_no_memory() -> None:
    """Layers and models attend by the primitive, whatever the order of the batch."""
    model = models.GPT(7, 8, 8, 2, 2, dropout=0.1)
    layers = [
        nn.TransformerEncoderLayer(8, 2, 9, 0.1, batch_first=first) for first in (True, False)
    ]
    tokens, x = np.zeros((2, 5), np.int32), drawn(0, 3, 5, 8)
    padding = np.zeros((3, 5), bool)
    padded = nn.TransformerEncoderLayer(8, 2, 9, batch_first=True)
    calls = [(model, tokens), *((layer, x) for layer in layers)]
    calls.append((lambda x: padded(x, src_key_padding_mask=padding), x))
    for call, given in calls:
        graph = cr.compile(lambda x: call(x)).trace(given).graph  # noqa: B023 (called in this turn)
        operations = {node.op for node in topological(graph.roots)}
        assert "attention" in operations
        assert "exp" not in operations
