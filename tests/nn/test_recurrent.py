"""Recurrent layers and cells: PyTorch's numbers, lengths, carried states, and bad input."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.runtime.processors import get_num_threads, set_num_threads
from precise import in_double, parameters_of
from reference.images import cotangent, described, values
from reference.problems import load

CASES: list[dict[str, Any]] = load("recurrent")["cases"]
NAMES = [
    "-".join([str(i), c["name"], *map(str, c["args"]), *c["kwargs"]]) for i, c in enumerate(CASES)
]
KINDS = (nn.RNN, nn.LSTM, nn.GRU)
CELLS = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}


def built(case: dict[str, Any]) -> nn.Module:
    """The layer of a case with the parameters of its seed."""
    layer: nn.Module = getattr(nn, case["name"])(*case["args"], **case["kwargs"])
    layer.load_state_dict(first_parameters(case, layer))
    return layer


def first_parameters(case: dict[str, Any], layer: nn.Module) -> dict[str, Any]:
    shapes = sorted((n, p.shape) for n, p in layer.named_parameters())
    return {n: 0.5 * values(case["seed"] + 20 + i, s) for i, (n, s) in enumerate(shapes)}


def inputs_of(case: dict[str, Any]) -> list[Any]:
    """x, then the first states."""
    seed = case["seed"]
    given = [values(seed + 5 + i, tuple(shape)) for i, shape in enumerate(case["states"])]
    return [values(seed, tuple(case["shape"])), *given]


def applied(layer: Any, case: dict[str, Any], x: Any, *states: Any) -> list[cr.Tensor]:
    """Outputs of all steps, where there are steps, and last states."""
    hx = None if not states else states if len(states) > 1 else states[0]
    more = {} if case["lengths"] is None else {"lengths": case["lengths"]}
    result = layer(x, hx, **more)
    if isinstance(layer, nn.RNNCell | nn.GRUCell):
        return [result]
    if isinstance(layer, nn.LSTMCell):
        return [*result]
    y, last = result
    return [y, *(last if isinstance(last, tuple) else (last,))]


def seeds_of(case: dict[str, Any]) -> list[Any]:
    return [cotangent(case["seed"] + i, tuple(y["shape"])) for i, y in enumerate(case["ys"])]


def check_described(ours: Any, theirs: dict[str, Any], tolerance: float) -> None:
    found = described(ours)
    assert found["shape"] == theirs["shape"]
    scale = max(theirs["norm"], 1e-6)
    np.testing.assert_allclose(found["on"], theirs["on"], rtol=0, atol=tolerance * scale)
    assert found["norm"] == pytest.approx(theirs["norm"], rel=tolerance)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40
    assert {c["name"] for c in CASES} == {c.__name__ for c in (*KINDS, *CELLS.values())}


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_outputs_states_and_gradients_are_pytorchs(case: dict[str, Any]) -> None:
    layer = built(case)
    parameters = dict(layer.named_parameters())

    def joined(*inputs: Any) -> cr.Tensor:
        return cr.cat([y.flatten() for y in applied(layer, case, *inputs)])

    result = in_double(
        joined,
        inputs_of(case),
        np.concatenate([g.ravel() for g in seeds_of(case)]),
        parameters_of(parameters, first_parameters(case, layer)),
    )
    at = 0
    for theirs in case["ys"]:
        size = math.prod(theirs["shape"])
        check_described(result.y[at : at + size].reshape(theirs["shape"]), theirs, 1e-9)
        at += size
    for ours, theirs in zip(result.dinputs, [case["dx"], *case["dstates"]], strict=True):
        check_described(ours, theirs, 1e-9)
    assert list(parameters) == list(case["dparameters"])
    for name, theirs in case["dparameters"].items():
        check_described(result.dstates[id(parameters[name])], theirs, 1e-9)


@pytest.mark.parametrize("first", [0, 3])
def test_compiled_in_single_precision(first: int) -> None:
    cases = CASES[first::8]  # in one program
    layers = [built(c) for c in cases]
    inputs = [[x.astype(np.float32) for x in inputs_of(c)] for c in cases]

    @cr.compile(keep_grads=True)
    def step(inputs: list[list[cr.Tensor]]) -> Any:
        total, ys, leaves = 0.0, [], [[x.detach() for x in each] for each in inputs]
        for case, layer, given in zip(cases, layers, leaves, strict=True):
            layer.zero_grad()
            for x in given:
                x.requires_grad = True
            ys.append(applied(layer, case, *given))
            for y, g in zip(ys[-1], seeds_of(case), strict=True):
                total = total + (y * g.astype(np.float32)).sum()
        total.backward()
        return ys, [[x.grad for x in given] for given in leaves]

    results, gradients = step(inputs)
    for case, layer, ys, dxs in zip(cases, layers, results, gradients, strict=True):
        for y, theirs in zip(ys, case["ys"], strict=True):
            check_described(y.numpy(), theirs, 1e-4)
        for dx, theirs in zip(dxs, [case["dx"], *case["dstates"]], strict=True):
            check_described(dx.numpy(), theirs, 1e-4)
        for name, parameter in layer.named_parameters():
            check_described(parameter.grad.numpy(), case["dparameters"][name], 1e-4)


def test_names_shapes_and_memory_of_parameters() -> None:
    layer = nn.LSTM(3, 8, 2, bidirectional=True, proj_size=5)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes)[:6] == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0",
        "weight_ih_l0_reverse",
    ]  # fmt: skip
    assert shapes["weight_ih_l1_reverse"] == (32, 10)
    assert shapes["weight_hh_l1"] == (32, 5)
    assert shapes["weight_hr_l0"] == (5, 8)
    assert len(shapes) == 20
    assert list(nn.GRU(3, 8, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    # As `Linear` has them: rows of the product lie side by side.
    assert layer.weight_hh_l0.concrete.strides == (4, 128)


@pytest.mark.parametrize("kind", [*KINDS, *CELLS.values()])
def test_first_parameters_fill_their_range(kind: Any) -> None:
    cr.manual_seed(0)
    layer = kind(40, 64)
    for name, parameter in layer.named_parameters():
        numbers = parameter.numpy()
        assert abs(numbers).max() <= 0.125, name
        assert abs(numbers).max() > 0.12, name
        assert numbers.std() == pytest.approx(0.125 / math.sqrt(3), rel=0.1), name


# ------------------------------------------------------------------------------------ lengths

LENGTHS = np.int32([5, 1, 3])
#: others for the same compiled function
OTHER = np.int32([2, 5, 4])


class Uneven:
    """Two layers in both directions, on rows of several lengths."""

    def __init__(self, kind: Any) -> None:
        cr.manual_seed(1)
        self.layer = kind(3, 4, 2, bidirectional=True)
        count = 2 if kind is nn.LSTM else 1
        self.x = values(1, (5, 3, 3)).astype(np.float32)
        self.h = [values(2 + i, (4, 3, 4)).astype(np.float32) for i in range(count)]
        self.w = [values(5, (5, 3, 8)), *(values(6 + i, (4, 3, 4)) for i in range(count))]
        self.w = [w.astype(np.float32) for w in self.w]

    def run(self, x: Any, h: Any, w: Any, lengths: Any = None) -> Any:
        """Outputs and states, gradients of these weighed by ``w``, those of x and h."""
        leaves = [cr.tensor(t, requires_grad=True) for t in (x, *h)]
        self.layer.zero_grad()
        y, last = self.layer(
            leaves[0], tuple(leaves[1:]) if len(h) > 1 else leaves[1], lengths=lengths
        )
        results = [y, *(last if isinstance(last, tuple) else (last,))]
        sum((p * w).sum() for p, w in zip(results, w, strict=True)).backward()
        return results, [t.grad for t in leaves]

    def of_parameters(self) -> dict[str, Any]:
        return {n: p.grad.numpy() for n, p in self.layer.named_parameters()}

    def alone(self, row: int, n: int) -> Any:
        """One row without padding: results, gradients of inputs, gradients of parameters."""
        own = [t[:, row : row + 1] for t in self.h]
        w = [self.w[0][:n, row : row + 1], *(t[:, row : row + 1] for t in self.w[1:])]
        results, gradients = self.run(self.x[:n, row : row + 1], own, w)
        return [t.numpy() for t in results], [t.numpy() for t in gradients], self.of_parameters()

    def check(self, lengths: Any, found: Any, rows: Any) -> None:
        """``found`` against what the ``rows`` give alone."""
        results, gradients = ([t.numpy() for t in part] for part in found)
        inside = np.arange(len(self.x))[:, None] < lengths
        for padded in (results[0], gradients[0]):
            assert (padded[~inside] == 0).all()
        for row, (its_results, its_gradients, _) in enumerate(rows):
            for ours, theirs in zip(
                [*results, *gradients], [*its_results, *its_gradients], strict=True
            ):
                mine = ours[: theirs.shape[0], row]
                np.testing.assert_allclose(mine, theirs[:, 0], rtol=1e-4, atol=1e-5)
        for name, ours in self.of_parameters().items():
            total = sum(of_parameters[name] for _, _, of_parameters in rows)
            np.testing.assert_allclose(ours, total, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_runs_without_padding(kind: Any) -> None:
    """Row by row: outputs, states and every gradient, whatever stands in the padding."""
    uneven = Uneven(kind)
    compiled = cr.compile(uneven.run, keep_grads=True)
    for lengths, junk in ((LENGTHS, math.nan), (OTHER, 1e30)):
        rows = [uneven.alone(row, n) for row, n in enumerate(lengths)]
        inside = np.arange(len(uneven.x))[:, None] < lengths
        for filler in (0.0, junk):
            x = np.where(inside[..., None], uneven.x, np.float32(filler))
            uneven.check(lengths, compiled(x, uneven.h, uneven.w, lengths), rows)
        uneven.check(lengths, uneven.run(x, uneven.h, uneven.w, lengths), rows)


def test_compiled_lengths_that_cannot_be_are_not_silently_wrong() -> None:
    layer = nn.GRU(3, 4, bidirectional=True)
    step = cr.compile(lambda x, n: layer(x, lengths=n))
    x = np.ones((5, 3, 3), np.float32)
    y, last = step(x, np.int32([6, 5, 0]))
    assert np.isnan(y.numpy()[:, 0]).all()
    assert np.isnan(last.numpy()[:, 0]).all()
    assert np.isfinite(y.numpy()[:, 1]).all()
    assert (y.numpy()[:, 2] == 0).all()
    assert (last.numpy()[:, 2] == 0).all()


# ------------------------------------------------------------------ cells, states, derivatives


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_in_a_loop_is_a_layer(kind: Any) -> None:
    cr.manual_seed(2)
    layer, cell = kind(3, 5), CELLS[kind](3, 5)
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
    x = values(3, (6, 2, 3)).astype(np.float32)
    zero = cr.zeros(2, 5)

    def body(state: Any, row: Any) -> Any:
        new = cell(row, state)
        return new, new[0] if isinstance(new, tuple) else new

    @cr.compile
    def looped(x: Any) -> Any:
        return cr.scan(body, (zero, zero) if kind is nn.LSTM else zero, x)[1]

    expected = layer(x)[0].numpy()
    np.testing.assert_allclose(looped(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    one = cell(x[0, 0])  # a single row, from a state of zeros
    np.testing.assert_allclose(
        (one[0] if kind is nn.LSTM else one).numpy(), expected[0, 0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_to_second_order(kind: Any) -> None:
    cr.manual_seed(3)
    layer = kind(2, 3, bidirectional=True)
    first = values(2, (2, 2, 3)).astype(np.float32)
    x = values(1, (4, 2, 2)).astype(np.float32)

    def function(x: Any, h: Any) -> Any:
        return layer(x, (h, h) if kind is nn.LSTM else h, lengths=[4, 2])

    cr.check_grads(function, [x, first], order=2)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_with_carried_state_are_the_whole(kind: Any) -> None:
    layer = kind(3, 4, 2)
    x = values(4, (9, 2, 3)).astype(np.float32)
    whole, last = layer(x)
    state, pieces = None, []
    for start in range(0, 9, 3):
        y, state = layer(x[start : start + 3], state)
        pieces.append(y)
    np.testing.assert_allclose(cr.cat(pieces).numpy(), whole.numpy(), rtol=1e-6, atol=1e-7)
    for a, b in zip(last, state, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-7)


def test_truncated_backpropagation_stops_at_the_piece() -> None:
    """The gradient of the second piece is that of a run from its first state, taken as given."""
    layer = nn.LSTM(3, 4)
    x = values(4, (8, 2, 3)).astype(np.float32)

    @cr.compile(keep_grads=True)
    def step(x: Any, state: Any) -> Any:
        layer.zero_grad()
        y, state = layer(x, state)
        loss = (y * y).sum()
        loss.backward()
        return loss, tuple(s.detach() for s in state)

    state: Any = (cr.zeros(1, 2, 4), cr.zeros(1, 2, 4))
    for start in (0, 4):
        _, state = step(x[start : start + 4], state)
    found = {n: p.grad.numpy() for n, p in layer.named_parameters()}
    given = tuple(s.detach() for s in layer(x[:4])[1])
    layer.zero_grad()
    y, _ = layer(x[4:], given)
    (y * y).sum().backward()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(found[name], p.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_dropout_acts_between_layers_in_training_alone() -> None:
    cr.manual_seed(4)
    layer = nn.RNN(2, 64, 2, "relu", dropout=0.5)
    x = np.ones((3, 8, 2), np.float32)
    drawn = [layer(x)[0].numpy() for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()
    layer.eval()
    assert (layer(x)[0].numpy() == layer(x)[0].numpy()).all()
    # What is dropped is what the second layer reads: its own outputs are not zeros more often.
    full = nn.RNN(2, 64, 2, dropout=1.0)
    y, last = full(x)
    second = nn.RNN(64, 64)
    state = full.state_dict()
    second.load_state_dict({n: state[n.replace("l0", "l1")] for n in second.state_dict()})
    alone = second(np.zeros((3, 8, 64), np.float32))[0]
    np.testing.assert_allclose(y.numpy(), alone.numpy(), rtol=1e-6)
    assert abs(last.numpy()[0]).max() > 0  # the state of the first layer is kept whole


def test_training_lowers_the_loss() -> None:
    cr.manual_seed(5)
    layer, head = nn.GRU(1, 8, batch_first=True), nn.Linear(8, 1)
    optimizer = optim.Adam([*layer.parameters(), *head.parameters()], lr=1e-2)
    x = values(5, (16, 5, 1)).astype(np.float32)

    @cr.compile
    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = ((head(layer(x)[1][0]) - target) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x, x.sum(1)).item() for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind: Any) -> None:
    cr.manual_seed(6)
    layer = kind(7, 17, 2, bidirectional=True)
    x, lengths = values(6, (6, 19, 7)).astype(np.float32), np.arange(19, dtype=np.int32) % 6 + 1
    before, seen = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)

            @cr.compile(keep_grads=True)
            def step(x: Any, lengths: Any) -> Any:
                layer.zero_grad()
                y, _ = layer(x, lengths=lengths)
                (y * y).sum().backward()
                return y

            y = step(x, lengths).numpy()
            grads = [p.grad.numpy() for p in layer.parameters()]
            seen.append(b"".join(a.tobytes() for a in (y, *grads)))
    finally:
        set_num_threads(before)
    assert seen[0] == seen[1] == seen[2]


def test_a_trainer_runs_it_in_one_call() -> None:
    """The loop over the steps of a row inside of the loop over the steps of training."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 8, batch_first=True)
            self.head = nn.Linear(8, 1)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[1][0][0])

    x = values(7, (64, 6, 2)).astype(np.float32)
    y = x[:, :, 0].sum(1, keepdims=True)
    cr.manual_seed(7)
    model = Last()
    trainer = cr.Trainer(model, loss="mse", optimizer=optim.Adam(model.parameters(), lr=0.02))
    losses = trainer.fit((x, y), epochs=12, batch_size=16, seed=0, verbose=False).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert trainer.predict(x[:3]).shape == (3, 1)


def test_settings_are_shown() -> None:
    assert repr(nn.LSTM(3, 4)) == "LSTM(3, 4)"
    shown = repr(nn.RNN(3, 4, 2, "relu", bias=False, batch_first=True))
    assert shown == "RNN(3, 4, num_layers=2, bias=False, batch_first=True, nonlinearity='relu')"
    assert repr(nn.GRUCell(3, 4, bias=False)) == "GRUCell(3, 4, bias=False)"


# ----------------------------------------------------------------------------------- bad input

X = np.zeros((5, 2, 3), np.float32)


def lstm(*args: Any, **kwargs: Any) -> Any:
    return nn.LSTM(3, 4)(*args, **kwargs)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: lstm(X[None]), cr.ShapeError, "has 4 axes"),
        (lambda: lstm(X[0, 0]), cr.ShapeError, r"has 1 axis\n.*\n.*\[steps, batch, features\]"),
        (lambda: lstm(X[..., :2]), cr.ShapeError, "the layer expects 3 features"),
        (lambda: lstm(X.astype(np.int32)), cr.DTypeError, "floating-point inputs"),
        (lambda: lstm(X[:0]), cr.ShapeError, "an input without steps"),
        (lambda: lstm(X, np.zeros((1, 2, 4))), cr.ShapeError, "of an LSTM is a pair"),
        (
            lambda: lstm(X, (np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))),
            cr.ShapeError,
            r"h_0 has shape \(1, 2, 3\)\n.*\n.*needs \(1, 2, 4\)",
        ),
        (
            lambda: lstm(X, (np.zeros((1, 2, 4)), np.zeros((1, 4)))),
            cr.ShapeError,
            r"c_0 has shape \(1, 4\)",
        ),
        (lambda: nn.GRU(3, 4)(X[:, 0], np.zeros((1, 1, 4))), cr.ShapeError, r"needs \(1, 4\)"),
        (lambda: lstm(X, lengths=[5]), cr.ShapeError, "there are 2 rows"),
        (lambda: lstm(X, lengths=[5, 6]), cr.DataError, "row 1 is 6, but there are only 5 steps"),
        (lambda: lstm(X, lengths=[0, 6]), cr.DataError, "row 0 is 0, but a row has at least one"),
        (lambda: lstm(X, lengths=[-1, 5]), cr.DataError, "row 0 is -1"),
        (lambda: lstm(X, lengths=[2.0, 5.0]), cr.DTypeError, "lengths have dtype"),
        (lambda: lstm(X[:, 0], lengths=[5]), cr.ShapeError, "lengths were given for a single row"),
        (lambda: nn.LSTM(3, 4, proj_size=4), cr.ConfigError, "proj_size is 4, and hidden_size"),
        (lambda: nn.LSTM(3, 4, proj_size=-1), cr.ConfigError, "proj_size of LSTM is -1"),
        (lambda: nn.RNN(3, 4, 1, "sigmoid"), cr.ConfigError, "nonlinearity is 'sigmoid'"),
        (lambda: nn.RNNCell(3, 4, True, "gelu"), cr.ConfigError, "nonlinearity is 'gelu'"),
        (lambda: nn.GRU(3, 0), cr.ConfigError, "hidden_size of GRU is 0"),
        (lambda: nn.GRU(3.5, 4), cr.ConfigError, "input_size of GRU is 3.5"),
        (lambda: nn.GRU(3, 4, 0), cr.ConfigError, "num_layers of GRU is 0"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.5), cr.ConfigError, "dropout is 1.5"),
        (lambda: nn.LSTMCell(3, 4)(X), cr.ShapeError, "has 3 axes"),
        (lambda: nn.LSTMCell(3, 4)(X[0], X[0]), cr.ShapeError, "is a pair"),
        (lambda: nn.GRUCell(3, 4)(X[0], X[0]), cr.ShapeError, r"h has shape \(2, 3\)"),
        (lambda: nn.GRUCell(3, 4)(X[0, 0], X[0]), cr.ShapeError, r"needs \(4,\)"),
        (lambda: nn.GRUCell(3, 4)(X[0, :, :2]), cr.ShapeError, "expects 3 features"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_lengths_known_to_a_compiled_function_are_checked() -> None:
    layer = nn.RNN(3, 4)
    with pytest.raises(cr.DataError, match="row 0 is 7"):
        cr.compile(lambda x: layer(x, lengths=[7, 1]))(X)


def test_dropout_without_layers_to_drop_between_is_told() -> None:
    with pytest.warns(UserWarning, match="LSTM drops nothing: dropout=0.5 acts between layers"):
        nn.LSTM(3, 4, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(3, 4, 2, dropout=0.5)
