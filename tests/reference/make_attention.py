"""Attention, transformers and bags of embeddings.

A case names a module, what it is made of, and its inputs, each described: real numbers (``x``),
indices (``index``), masks (``bool``, ``float``, ``causal``), or a number that stands for itself.
`images.array_of` makes the same arrays for both frameworks from the seed of the case.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images import array_of, cotangent, described, parameter_values

#: name, arguments, settings, inputs by name
Case = tuple[str, list[Any], dict[str, Any], dict[str, Any]]


def x(*shape: int) -> dict[str, Any]:
    return {"kind": "x", "shape": list(shape)}


def index(*shape: int, below: int = 7) -> dict[str, Any]:
    return {"kind": "index", "shape": list(shape), "below": below}


def hides(*shape: int) -> dict[str, Any]:
    """Some are True, never all of a row."""
    return {"kind": "bool", "shape": list(shape)}


def shows(*shape: int) -> dict[str, Any]:
    return {"kind": "shows", "shape": list(shape)}


def adds(*shape: int) -> dict[str, Any]:
    return {"kind": "float", "shape": list(shape)}


def causal(n: int, kind: str = "causal") -> dict[str, Any]:
    """Hides what comes later: bools, or numbers to add (``causal_float``)."""
    return {"kind": kind, "shape": [n, n]}


def dot(
    q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...] | None = None, **more: Any
) -> Case:
    settings = {n: s for n, s in more.items() if n != "attn_mask"}
    masks = {n: s for n, s in more.items() if n == "attn_mask"}
    inputs = {"query": x(*q), "key": x(*k), "value": x(*(v or k)), **masks}
    return "scaled_dot_product_attention", [], settings, inputs


def own(size: int, heads: int, shape: tuple[int, ...], /, *, calls: Any = None, **kw: Any) -> Case:
    """Of a sequence to itself."""
    inputs = {"query": x(*shape), "key": "query", "value": "query", **(calls or {})}
    return "MultiheadAttention", [size, heads], kw, inputs


def cross(
    size: int, heads: int, q: tuple[int, ...], k: tuple[int, ...], v: Any = "key",
    *, calls: Any = None, **kw: Any,
) -> Case:  # fmt: skip
    inputs = {"query": x(*q), "key": x(*k), "value": v, **(calls or {})}
    return "MultiheadAttention", [size, heads], kw, inputs


def layer(name: str, size: int, heads: int, inner: int, inputs: Any, **kw: Any) -> Case:
    return name, [size, heads, inner], {"dropout": 0.0, **kw}, inputs


def encoder(shape: tuple[int, ...], /, heads: int = 2, **kw: Any) -> Case:
    calls = kw.pop("calls", {})
    inputs = {"src": x(*shape), **calls}
    return layer("TransformerEncoderLayer", shape[-1], heads, 9, inputs, **kw)


def decoder(tgt: tuple[int, ...], memory: tuple[int, ...], /, heads: int = 2, **kw: Any) -> Case:
    calls = kw.pop("calls", {})
    inputs = {"tgt": x(*tgt), "memory": x(*memory), **calls}
    return layer("TransformerDecoderLayer", tgt[-1], heads, 9, inputs, **kw)


def bag(inputs: Any, **kw: Any) -> Case:
    return "EmbeddingBag", [7, 5], kw, inputs


BATCH = {"batch_first": True}
PRE = {"norm_first": True}
CASES: list[Case] = [
    # the function: odd lengths, other keys than queries, masks that stretch, grouped queries
    dot((2, 3, 5, 4), (2, 3, 5, 4)), dot((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)),
    dot((5, 3), (2, 3)), dot((1, 1), (1, 1)), dot((4, 17, 9), (4, 33, 9), scale=0.3),
    dot((2, 3, 9, 4), (2, 3, 9, 4), is_causal=True),
    dot((2, 3, 5, 4), (2, 3, 8, 4), is_causal=True),
    dot((2, 3, 8, 4), (2, 3, 5, 4), is_causal=True, scale=2.0),
    dot((2, 3, 5, 4), (2, 3, 7, 4), attn_mask=shows(5, 7)),
    dot((2, 3, 5, 4), (2, 3, 7, 4), attn_mask=shows(2, 1, 1, 7)),
    dot((2, 3, 5, 4), (2, 3, 7, 4), attn_mask=adds(3, 5, 7)),
    dot((2, 3, 5, 4), (2, 3, 7, 4), attn_mask=adds(2, 1, 5, 7)),
    dot((2, 6, 5, 4), (2, 3, 5, 4), enable_gqa=True),
    dot((2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 3), enable_gqa=True, attn_mask=shows(6, 5, 7)),
    dot((1, 4, 9, 8), (1, 1, 9, 8), enable_gqa=True, is_causal=True),
    # several heads: batch orders, one row, other sizes of keys and values, masks, extra keys
    own(8, 2, (5, 3, 8)), own(8, 2, (3, 5, 8), **BATCH), own(6, 1, (5, 6)),
    own(9, 3, (7, 9), **BATCH),
    own(12, 4, (1, 2, 12), bias=False), own(12, 12, (5, 2, 12)),
    own(8, 2, (5, 3, 8), calls={"average_attn_weights": False}),
    own(8, 2, (5, 3, 8), calls={"attn_mask": causal(5)}),
    own(8, 2, (3, 5, 8), calls={"attn_mask": causal(5, "causal_float")}, **BATCH),
    own(8, 2, (5, 3, 8), calls={"attn_mask": adds(6, 5, 5)}),
    own(8, 2, (5, 3, 8), calls={"attn_mask": hides(6, 5, 5), "average_attn_weights": False}),
    own(8, 2, (5, 3, 8), calls={"key_padding_mask": hides(3, 5)}),
    own(8, 2, (3, 5, 8), calls={"key_padding_mask": adds(3, 5), "attn_mask": adds(5, 5)}, **BATCH),
    own(8, 2, (5, 8), calls={"key_padding_mask": hides(5)}),
    cross(8, 2, (5, 3, 8), (4, 3, 8)), cross(8, 4, (3, 1, 8), (3, 7, 8), x(3, 7, 8), **BATCH),
    cross(8, 2, (5, 3, 8), (4, 3, 5), x(4, 3, 6), kdim=5, vdim=6),
    cross(8, 2, (3, 5, 8), (3, 4, 5), x(3, 4, 8), kdim=5, bias=False, **BATCH),
    cross(8, 2, (5, 3, 8), (4, 3, 8), add_bias_kv=True, calls={"key_padding_mask": hides(3, 4)}),
    own(8, 2, (5, 3, 8), add_zero_attn=True, calls={"attn_mask": causal(5)}),
    own(8, 2, (3, 5, 8), add_bias_kv=True, add_zero_attn=True, **BATCH),
    # layers: both norms, both activations, both orders, masks, without biases
    encoder((5, 3, 8)), encoder((5, 3, 8), **PRE), encoder((3, 5, 8), **BATCH),
    encoder((3, 5, 8), activation="gelu", **BATCH, **PRE), encoder((7, 9), heads=3, **PRE),
    encoder((5, 3, 8), bias=False, layer_norm_eps=1e-3),
    encoder((3, 5, 8), calls={"src_mask": causal(5), "src_key_padding_mask": hides(3, 5)}, **BATCH),
    encoder((5, 3, 8), calls={"src_mask": causal(5, "causal_float")}, activation="gelu", **PRE),
    decoder((5, 3, 8), (4, 3, 8)), decoder((3, 5, 8), (3, 4, 8), **BATCH, **PRE),
    decoder((5, 3, 8), (4, 3, 8), activation="gelu", calls={
        "tgt_mask": causal(5), "memory_mask": hides(5, 4), "tgt_key_padding_mask": hides(3, 5),
        "memory_key_padding_mask": hides(3, 4),
    }),
    decoder((5, 8), (7, 8), bias=False, **PRE),
    # stacks
    ("TransformerEncoder", [8, 2, 9, 2], {"norm": True, "norm_first": True},
     {"src": x(5, 3, 8), "mask": causal(5)}),
    ("TransformerEncoder", [8, 2, 9, 3], {"norm": False, "batch_first": True},
     {"src": x(3, 5, 8), "src_key_padding_mask": hides(3, 5)}),
    ("TransformerDecoder", [8, 2, 9, 2], {"norm": True},
     {"tgt": x(5, 3, 8), "memory": x(4, 3, 8), "tgt_mask": causal(5)}),
    ("Transformer", [8, 2, 2, 2, 9], {"dropout": 0.0}, {"src": x(4, 3, 8), "tgt": x(5, 3, 8)}),
    ("Transformer", [9, 3, 1, 2, 7],
     {"dropout": 0.0, "batch_first": True, "norm_first": True, "activation": "gelu"},
     {"src": x(2, 6, 9), "tgt": x(2, 3, 9), "tgt_mask": causal(3),
      "src_key_padding_mask": hides(2, 6), "memory_key_padding_mask": hides(2, 6)}),
    ("Transformer", [8, 2, 1, 1, 9], {"dropout": 0.0, "bias": False},
     {"src": x(4, 8), "tgt": x(5, 8), "tgt_mask": causal(5, "causal_float")}),
    # bags: rows or pieces, each mode, factors, padding, empty bags
    *(each for mode in ("sum", "mean", "max") for each in (
        bag({"input": index(4, 6)}, mode=mode),
        bag({"input": index(11), "offsets": [0, 3, 3, 8]}, mode=mode),
        bag({"input": index(4, 6)}, mode=mode, padding_idx=2),
        bag({"input": index(11), "offsets": [0, 3, 7, 7, 11]}, mode=mode,
            include_last_offset=True, padding_idx=0),
    )),
    bag({"input": index(4, 6), "offsets": None, "per_sample_weights": x(4, 6)}, mode="sum"),
    bag({"input": index(11), "offsets": [0, 5, 6], "per_sample_weights": x(11)}, mode="sum",
        padding_idx=3),
]  # fmt: skip


def built(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in ("TransformerEncoder", "TransformerDecoder"):
        *of_layer, count = args
        more = {k: v for k, v in kwargs.items() if k != "norm"}
        one = getattr(nn, f"{name}Layer")(*of_layer, dropout=0.0, **more)
        norm = nn.LayerNorm(args[0]) if kwargs["norm"] else None
        return getattr(nn, name)(one, count, norm)
    return getattr(nn, name)(*args, **kwargs)


def described_as(one: Any, kind: str) -> bool:
    return isinstance(one, dict) and one["kind"] == kind


def tensors(inputs: dict[str, Any], seed: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for i, (name, one) in enumerate(inputs.items()):
        if isinstance(one, str):
            made[name] = made[one]
        elif isinstance(one, dict):
            tensor = torch.tensor(array_of(one, seed + i))
            made[name] = tensor.requires_grad_() if one["kind"] == "x" else tensor
        else:
            whole = torch.tensor(one, dtype=torch.int32) if isinstance(one, list) else one
            made[name] = whole
    return made


def computed(number: int, case: Case) -> dict[str, Any]:
    name, args, kwargs, inputs = case
    seed = 20_000 + 100 * number
    given = tensors(inputs, seed)
    parameters: dict[str, Tensor] = {}
    if name == "scaled_dot_product_attention":
        result: Any = F.scaled_dot_product_attention(**given, **kwargs)
    else:
        # In training, where nothing takes a fast path; all probabilities of dropout are 0.
        module = built(name, args, kwargs).double().train()
        parameters = dict(module.named_parameters())
        shapes = {n: tuple(p.shape) for n, p in parameters.items()}
        with torch.no_grad():
            for n, value in parameter_values(seed, shapes).items():
                parameters[n].copy_(torch.tensor(value))
        result = module(**given)
    ys = [*result] if isinstance(result, tuple) else [result]
    for i, y in enumerate(ys):
        y.backward(torch.tensor(cotangent(seed + i, tuple(y.shape))), retain_graph=True)
    leaves = {n: t for n, t in given.items() if described_as(inputs[n], "x")}
    return {
        "name": name, "args": args, "kwargs": kwargs, "inputs": inputs, "seed": seed,
        "ys": [described(y.detach()) for y in ys],
        "dinputs": {n: described(t.grad) for n, t in leaves.items()},
        "dparameters": {n: described(p.grad) for n, p in parameters.items()},
    }  # fmt: skip


def attention() -> dict[str, Any]:
    return {"cases": [computed(i, case) for i, case in enumerate(CASES)]}
