"""Recurrent layers and cells, and the loss for sequences without alignment (CTC)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from images import cotangent, described, values

#: name, arguments, settings, shape of the input, whether first states are given, lengths
Case = tuple[str, list[Any], dict[str, Any], tuple[int, ...], bool, list[int] | None]

UNEVEN = [7, 2, 5, 1]


def case(
    name: str,
    *args: Any,
    shape: tuple[int, ...] = (7, 4, 3),
    states: bool = False,
    lengths: list[int] | None = None,
    **kwargs: Any,
) -> Case:
    return name, list(args) or [3, 5], kwargs, shape, states, lengths


RELU = {"nonlinearity": "relu"}
BOTH = {"bidirectional": True}
CASES: list[Case] = [
    # one kind after the other: plain, without biases, from given states, of one row, batch first
    *(
        each
        for name in ("RNN", "LSTM", "GRU")
        for each in (
            case(name),
            case(name, bias=False, states=True),
            case(name, shape=(7, 3), states=True),
            case(name, batch_first=True, shape=(4, 7, 3)),
            case(name, 3, 5, 2, states=True),
            case(name, 3, 5, 3, bias=False),
            case(name, **BOTH),
            case(name, 3, 5, 2, states=True, batch_first=True, shape=(4, 7, 3), **BOTH),
            case(name, 2, 17, shape=(3, 2, 2)),
            case(name, 1, 1, shape=(1, 1, 1), states=True),
            # rows of several lengths
            case(name, lengths=UNEVEN),
            case(name, 3, 5, 2, lengths=UNEVEN, states=True, **BOTH),
            case(name, lengths=UNEVEN, batch_first=True, shape=(4, 7, 3), **BOTH),
            case(name, lengths=[3, 1, 4, 2], states=True),
        )
    ),
    case("RNN", **RELU), case("RNN", 3, 5, 2, states=True, **RELU, **BOTH),
    case("RNN", lengths=UNEVEN, bias=False, **RELU, **BOTH),
    case("LSTM", proj_size=2), case("LSTM", proj_size=1, bias=False, states=True),
    case("LSTM", 3, 5, 2, proj_size=3, states=True, **BOTH),
    case("LSTM", 3, 6, 2, proj_size=2, lengths=UNEVEN, states=True, **BOTH),
    case("LSTM", proj_size=4, shape=(7, 3)), case("LSTM", 3, 18, proj_size=17, shape=(3, 2, 3)),
    *(
        each
        for name in ("RNNCell", "LSTMCell", "GRUCell")
        for each in (
            case(name, shape=(4, 3)), case(name, shape=(4, 3), states=True),
            case(name, shape=(3,), states=True, bias=False), case(name, 3, 17, shape=(2, 3)),
        )
    ),
    case("RNNCell", shape=(4, 3), states=True, **RELU),
]  # fmt: skip


def first_states(module: Any, shape: tuple[int, ...], seed: int) -> list[Tensor]:
    """Seeded h, and c of an LSTM, as the module wants them."""
    layers: tuple[int, ...] = ()
    out = module.hidden_size
    rows = shape[:-1]
    if isinstance(module, nn.RNNBase):
        layers = (module.num_layers * (2 if module.bidirectional else 1),)
        out = module.proj_size or out
        rows = (shape[0 if module.batch_first else 1],) if len(shape) == 3 else ()
    sizes = [out, module.hidden_size] if isinstance(module, nn.LSTM | nn.LSTMCell) else [out]
    return [torch.tensor(values(seed + 5 + i, (*layers, *rows, n))) for i, n in enumerate(sizes)]


def results(module: Any, x: Tensor, states: list[Tensor], lengths: Any) -> list[Tensor]:
    """Outputs of all steps, where there are steps, and last states."""
    hx = None if not states else tuple(states) if len(states) > 1 else states[0]
    if lengths is not None:
        first = module.batch_first
        steps = x.shape[1 if first else 0]
        packed = pack_padded_sequence(x, torch.tensor(lengths), first, enforce_sorted=False)
        packed, last = module(packed, hx)
        y, _ = pad_packed_sequence(packed, first, total_length=steps)
    elif isinstance(module, nn.RNNBase):
        y, last = module(x, hx)
    else:
        last = module(x, hx)
        return [*last] if isinstance(last, tuple) else [last]
    return [y, *last] if isinstance(last, tuple) else [y, last]


def computed(number: int, one: Case) -> dict[str, Any]:
    name, args, kwargs, shape, given, lengths = one
    seed = 5000 + 64 * number
    module = getattr(nn, name)(*args, **kwargs).double()
    with torch.no_grad():
        for i, (_, parameter) in enumerate(sorted(module.named_parameters())):
            parameter.copy_(0.5 * torch.tensor(values(seed + 20 + i, tuple(parameter.shape))))
    x = torch.tensor(values(seed, shape), requires_grad=True)
    states = first_states(module, shape, seed) if given else []
    for state in states:
        state.requires_grad_()
    ys = results(module, x, states, lengths)
    for i, y in enumerate(ys):
        y.backward(torch.tensor(cotangent(seed + i, tuple(y.shape))), retain_graph=True)
    return {
        "name": name, "args": args, "kwargs": kwargs, "shape": list(shape), "seed": seed,
        "states": [list(s.shape) for s in states], "lengths": lengths,
        "ys": [described(y.detach()) for y in ys], "dx": described(x.grad),
        "dstates": [described(s.grad) for s in states],
        "dparameters": {n: described(p.grad) for n, p in module.named_parameters()},
    }  # fmt: skip


def recurrent() -> dict[str, Any]:
    return {"cases": [computed(i, one) for i, one in enumerate(CASES)]}


#: steps, targets (padded with -1), lengths of inputs and targets, settings, scale of the logits
Alignment = tuple[int, list[list[int]], list[int], list[int], dict[str, Any], float]

TARGETS = [[1, 2, 3, -1], [2, 2, -1, -1], [4, 1, 4, 1]]
LONG = [9, 5, 8]
SHORT = [3, 2, 4]
ALIGNMENTS: list[Alignment] = [
    *((9, TARGETS, LONG, SHORT, {"reduction": r}, 1.0) for r in ("none", "sum", "mean")),
    (9, TARGETS, [9, 9, 9], SHORT, {"reduction": "none"}, 1.0),
    (9, TARGETS, LONG, SHORT, {"reduction": "none"}, 30.0),
    (9, TARGETS, LONG, SHORT, {"reduction": "mean"}, 0.0),
    # another blank
    (9, [[1, 2, 3, -1], [2, 2, -1, -1], [0, 1, 0, 1]], LONG, SHORT,
     {"reduction": "none", "blank": 4}, 1.0),
    (9, [[1, 0, 3, -1], [0, 0, -1, -1], [4, 1, 4, 1]], LONG, SHORT,
     {"reduction": "sum", "blank": 2}, 1.0),
    # just long enough: as many steps as labels, and one more for each pair of equal ones
    (4, [[1, 2, 3, 4]], [4], [4], {"reduction": "none"}, 1.0),
    (5, [[1, 2, 2, 1]], [5], [4], {"reduction": "none"}, 1.0),
    (7, [[3, 3, 3, 3]], [7], [4], {"reduction": "none"}, 1.0),
    # nothing said, by all or by some
    (6, [[-1, -1], [-1, -1]], [6, 3], [0, 0], {"reduction": "none"}, 1.0),
    (6, [[1, 2], [-1, -1]], [6, 3], [2, 0], {"reduction": "mean"}, 1.0),
    (1, [[2], [-1]], [1, 1], [1, 0], {"reduction": "none"}, 1.0),
    # impossible: too few steps, or too few for a label said twice
    (4, [[1, 2, 1, 2, 1], [1, 2, 3, -1, -1]], [4, 4], [5, 3],
     {"reduction": "none", "zero_infinity": True}, 1.0),
    (4, [[1, 1, 2, 2], [3, 2, 1, -1]], [4, 4], [4, 3],
     {"reduction": "mean", "zero_infinity": True}, 1.0),
    (4, [[1, 2, 1, 2, 1], [1, 2, 3, -1, -1]], [4, 4], [5, 3], {"reduction": "none"}, 1.0),
    (8, [[1, 1, 1, 1], [1, 2, 3, 4]], [6, 3], [4, 4],
     {"reduction": "sum", "zero_infinity": True}, 1.0),
    # one row alone, a long one, very sure ones
    (8, [[1, 2, 1]], [7], [3], {"reduction": "none", "alone": True}, 1.0),
    (8, [[1, 2, 1]], [8], [3], {"reduction": "mean", "alone": True}, 1.0),
    (120, [[1 + i % 4 for i in range(40)]], [120], [40], {"reduction": "none"}, 2.0),
    (60, [[1 + i // 3 % 4 for i in range(20)], [2] * 20], [60, 41], [20, 20],
     {"reduction": "mean"}, 5.0),
    (12, TARGETS, [12, 5, 8], SHORT, {"reduction": "sum"}, 200.0),
]  # fmt: skip
CLASSES = 5


def aligned(number: int, one: Alignment) -> dict[str, Any]:
    steps, targets, inputs, labels, settings, scale = one
    seed = 9000 + 20 * number
    kwargs = {k: v for k, v in settings.items() if k != "alone"}
    alone = settings.get("alone", False)
    shape = (steps, CLASSES) if alone else (steps, len(targets), CLASSES)
    x = torch.tensor(scale * values(seed, shape), requires_grad=True)
    loss = nn.CTCLoss(**kwargs)(
        torch.log_softmax(x, -1),
        torch.tensor(targets[0] if alone else targets),
        torch.tensor(inputs[0] if alone else inputs),
        torch.tensor(labels[0] if alone else labels),
    )
    loss.backward(torch.tensor(cotangent(seed, tuple(loss.shape))))
    # Where no alignment exists, PyTorch's gradient is NaN: there is nothing to compare.
    finite = torch.isfinite(x.grad)
    rows = finite.all(-1).all(0)
    known = x.grad if rows.all() else x.grad[:, rows]
    return {
        "name": "CTCLoss", "kwargs": kwargs, "seed": seed, "scale": scale, "shape": list(shape),
        "targets": targets[0] if alone else targets, "inputs": inputs[0] if alone else inputs,
        "labels": labels[0] if alone else labels, "y": loss.tolist(),
        "rows": rows.tolist(), "dx": described(known),
    }  # fmt: skip


def alignments() -> dict[str, Any]:
    return {"cases": [aligned(i, one) for i, one in enumerate(ALIGNMENTS)]}
