"""Layers with weights against PyTorch's numbers: outputs, all gradients, running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from precise import agree, in_double, parameters_of
from reference.problems import load

CASES = load("layers")["cases"]


def built(case: dict[str, Any]) -> nn.Module:
    # The default eps of RMSNorm is the rounding of the dtype; the numbers were made in double.
    default = {"eps": 2.0**-52} if case["name"] == "RMSNorm" else {}
    layer: nn.Module = getattr(nn, case["name"])(*case["args"], **default | case["kwargs"])
    layer.load_state_dict(case["state"])
    return layer.train(case["mode"] == "train")


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{c['mode']}")
def test_layer_is_pytorchs(case: dict[str, Any]) -> None:
    layer = built(case)
    assert set(layer.state_dict()) == set(case["state"])
    tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    state = dict(case["state"])
    for call in case["calls"]:
        inputs = [np.asarray(x) for x in call["inputs"]]
        result = in_double(layer, inputs, call["g"], parameters_of(tensors, state))
        agree(result.y, call["y"])
        for ours, theirs in zip(result.dinputs, call["dinputs"] or [], strict=False):
            if theirs is not None:
                agree(ours, theirs)
        for name, theirs in call["dparameters"].items():
            agree(result.dstates[id(tensors[name])], theirs)
        for name, theirs in call["state_after"].items():
            agree(result.after.get(id(tensors[name]), np.asarray(state[name])), theirs)
        state = {**state, **call["state_after"]}


def test_compiled_batch_norm_moves_its_statistics() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (64, 3)).astype(np.float32)
    layers = [nn.BatchNorm1d(3), nn.BatchNorm1d(3)]
    compiled = cr.compile(layers[0])
    for _ in range(3):
        np.testing.assert_allclose(compiled(x).numpy(), layers[1](x).numpy(), rtol=1e-5, atol=1e-6)
    for (name, a), b in zip(
        layers[0].state_dict().items(), layers[1].state_dict().values(), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, err_msg=name)
    assert layers[0].state_dict()["num_batches_tracked"] == 3


def test_linear_is_stored_input_major_unless_narrow_and_aligned() -> None:
    wide, narrow = nn.Linear(5, 16).weight.concrete, nn.Linear(5, 15).weight.concrete
    assert (wide.shape, narrow.shape) == ((16, 5), (15, 5))
    assert wide.strides == (4, 64)
    assert narrow.strides == (20, 4)
    assert wide.ctypes.data % 64 == narrow.ctypes.data % 64 == 0


def test_shape_errors_name_the_layer() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(9, 2)))
    with pytest.raises(cr.ShapeError) as caught:
        model(np.zeros((3, 4), np.float32))
    text = str(caught.value)
    assert "(3, 8)" in text
    assert "(2, 9)" in text
    assert "Linear `2.0` at " in text
    assert "test_layers.py" in text


def test_whole_numbers_are_refused_by_linear_and_real_ones_by_embedding() -> None:
    with pytest.raises(cr.DTypeError, match="i32"):
        nn.Linear(2, 2)(np.zeros((1, 2), np.int32))
    with pytest.raises(cr.DTypeError, match="f32"):
        nn.Embedding(2, 2)(np.zeros(1, np.float32))


def test_embedding_refuses_indices_outside() -> None:
    with pytest.raises(cr.ShapeError, match="length 3"):
        nn.Embedding(3, 2)(np.array([0, 3]))


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    layer = nn.Dropout(0.25)
    y = layer(np.ones((200, 100), np.float32)).numpy()
    assert abs((y == 0).mean() - 0.25) < 0.01
    np.testing.assert_allclose(y[y != 0], 1 / 0.75, rtol=1e-6)
    assert (layer.eval()(np.ones(5, np.float32)).numpy() == 1).all()


def test_flatten_unflatten_identity() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    flat = nn.Flatten()(x)
    assert flat.shape == (2, 12)
    assert (nn.Unflatten(1, (3, 4))(flat).numpy() == x).all()
    assert nn.Identity()(x) is x


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.LayerNorm(2.5), "normalized_shape of LayerNorm is 2.5"),  # type: ignore
        (lambda: nn.LayerNorm(-3), "normalized_shape of LayerNorm is -3"),
        (lambda: nn.LayerNorm(()), r"normalized_shape of LayerNorm is \(\)"),
        (lambda: nn.LayerNorm(3, eps=-1.0), "eps of LayerNorm is -1.0"),
        (lambda: nn.RMSNorm((3, 0.5)), "normalized_shape of RMSNorm is 0.5"),  # type: ignore
        (lambda: nn.Embedding(-1, 2), "num_embeddings of Embedding is -1"),
        (lambda: nn.Embedding(3, 2.5), "embedding_dim of Embedding is 2.5"),  # type: ignore
        (lambda: nn.Embedding(3, 2, padding_idx=1.0), "padding_idx"),  # type: ignore
        (lambda: nn.Bilinear(0, 2, 3), "in1_features of Bilinear is 0"),
        (lambda: nn.Bilinear(2, 2.5, 3), "in2_features of Bilinear is 2.5"),  # type: ignore
    ],
)
def test_sizes_of_layers_are_checked_when_they_are_made(make: Any, words: str) -> None:
    with pytest.raises(cr.ConfigError, match=words):
        make()
