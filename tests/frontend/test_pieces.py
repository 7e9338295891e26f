"""Writing to pieces: what reaches the Tensor they were cut from, compared with NumPy's views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.frontend.interpreted import interpreter_backend

FLATTEN, UNFLATTEN = nn.Flatten(), nn.Unflatten(2, (2, 2))
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

#: the same cut for a Tensor and for an array, where its result is a view in NumPy and PyTorch
CUTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "index": (lambda t: t[1], lambda a: a[1]),
    "negative": (lambda t: t[-1, 0], lambda a: a[-1, 0]),
    "a Tensor's number": (lambda t: t[cr.tensor(1)], lambda a: a[1]),
    "an array's number": (lambda t: t[np.array(1), 1:], lambda a: a[1, 1:]),
    "element": (lambda t: t[1, 2, 3], lambda a: a[1, 2, 3:4].reshape(())),
    "slice": (lambda t: t[:, 1:], lambda a: a[:, 1:]),
    "steps": (lambda t: t[..., ::2], lambda a: a[..., ::2]),
    "backwards": (lambda t: t[:, ::-2], lambda a: a[:, ::-2]),
    "new axes": (lambda t: t[None, 1, :, None], lambda a: a[None, 1, :, None]),
    "dots": (lambda t: t[...], lambda a: a[...]),
    "nothing": (lambda t: t[1:1], lambda a: a[1:1]),
    "view": (lambda t: t.view(-1), lambda a: a.reshape(-1)),
    "reshape": (lambda t: t.reshape(4, 6), lambda a: a.reshape(4, 6)),
    "view_as": (lambda t: t.view_as(cr.zeros(6, 4)), lambda a: a.reshape(6, 4)),
    "flatten": (lambda t: t.flatten(1), lambda a: a.reshape(2, 12)),
    "nn.Flatten": (lambda t: FLATTEN(t), lambda a: a.reshape(2, 12)),
    "nn.Unflatten": (lambda t: UNFLATTEN(t), lambda a: a.reshape(2, 3, 2, 2)),
    "squeeze": (lambda t: t[:, :1].squeeze(1), lambda a: a[:, 0]),
    "unsqueeze": (lambda t: t.unsqueeze(1), lambda a: a[:, None]),
    "permute": (lambda t: t.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1)),
    "transpose": (lambda t: t.transpose(0, -1), lambda a: a.swapaxes(0, 2)),
    "movedim": (lambda t: t.movedim(0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "T": (lambda t: t.T, lambda a: a.T),
    "mT": (lambda t: t.mT, lambda a: a.swapaxes(1, 2)),
    "expand": (lambda t: t.expand(2, -1, 4), lambda a: a),
    "expand_as": (lambda t: t.expand_as(t), lambda a: a),
    "split": (lambda t: t.split([1, 2], 1)[1], lambda a: a[:, 1:]),
    "chunk": (lambda t: t.chunk(2, 2)[0], lambda a: a[..., :2]),
    "unbind": (lambda t: t.unbind(1)[2], lambda a: a[:, 2]),
    "iteration": (lambda t: [*t][1], lambda a: [*a][1]),
    "detach": (lambda t: t.detach(), lambda a: a),
    "contiguous": (lambda t: t.contiguous(), lambda a: a),
    "same dtype": (lambda t: t.float(), lambda a: a),
    "cut of a cut": (lambda t: t[1][1:][0], lambda a: a[1][1:][0]),
    "cut of a turn": (lambda t: t.T.view(-1)[3:7].reshape(2, 2), lambda a: None),
    "turn of a cut": (lambda t: t[:, 1:].mT[1].T, lambda a: a[:, 1:].swapaxes(1, 2)[1].T),
}
#: turning makes a copy in NumPy before it can be flat
FLAT_TURN = np.arange(24).reshape(2, 3, 4).T.reshape(-1)[3:7]


def _multiplied(piece: Any) -> None:
    piece *= 3


WRITES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "add_": (lambda p: p.add_(1), lambda v: np.add(v, 1, out=v)),
    "*=": (_multiplied, _multiplied),
    "zero_": (lambda p: p.zero_(), lambda v: v.fill(0)),
    "fill_": (lambda p: p.fill_(7), lambda v: v.fill(7)),
    "assign_": (lambda p: p.assign_(p * p), lambda v: np.multiply(v, v, out=v)),
    "[...]": (lambda p: p.__setitem__(..., -5.0), lambda v: v.__setitem__(..., -5.0)),
    "[0]": (lambda p: p.__setitem__(0, 9.0) if p.ndim and p.shape[0] else None,
            lambda v: v.__setitem__(0, 9.0) if v.ndim and v.shape[0] else None),
    "[0] +=": (lambda p: p.__setitem__(0, p[0].add_(2)) if p.ndim and p.shape[0] else None,
               lambda v: v.__setitem__(0, v[0] + 2) if v.ndim and v.shape[0] else None),
}  # fmt: skip


def _expected(cut: str, write: str, a: Any) -> Any:
    a = a.copy()
    if cut != "cut of a turn":
        WRITES[write][1](CUTS[cut][1](a))
        return a
    flat, places = a.reshape(-1), FLAT_TURN
    part = flat[places].reshape(2, 2)
    WRITES[write][1](part)
    flat[places] = part.reshape(-1)
    return a


def _eager(function: Callable[[Any], Any]) -> Any:
    return function(cr.tensor(X))


RUNS: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "eager": _eager,
    "a result": lambda f: f(cr.tensor(X - 1, requires_grad=True) + 1),
    "argument": lambda f: cr.compile(f)(X),
    "interpreted": lambda f: cr.compile(f, backend=interpreter_backend)(X),
    "constant": lambda f: cr.compile(lambda: f(cr.tensor(X)), backend=interpreter_backend)(),
}


#: two writes stand for all where a program is compiled
TRIED = [(w, r) for w in WRITES for r in RUNS if r in ("eager", "a result") or w in ("[0]", "*=")]


@pytest.mark.parametrize(("write", "run"), TRIED)
@pytest.mark.parametrize("cut", CUTS)
def test_a_write_reaches_what_was_cut(cut: str, write: str, run: str) -> None:
    def written(t: Any) -> Any:
        piece = CUTS[cut][0](t)
        WRITES[write][0](piece)
        return t, CUTS[cut][0](t) - piece  # the piece is what stands there now

    whole, difference = RUNS[run](written)
    np.testing.assert_array_equal(whole.numpy(), _expected(cut, write, X))
    assert not difference.numpy().any()


@pytest.mark.parametrize("backend", [None, interpreter_backend])
@pytest.mark.parametrize("cut", CUTS)
def test_a_write_reaches_a_state(cut: str, backend: Any) -> None:
    state = cr.tensor(X)

    def step() -> None:
        CUTS[cut][0](state).add_(1)

    compiled = cr.compile(step, backend=backend)
    for times in (1, 2):
        compiled()
        wanted = X
        for _ in range(times):
            wanted = _expected(cut, "add_", wanted)
        np.testing.assert_array_equal(state.numpy(), wanted)


@pytest.mark.parametrize("cut", [c for c in CUTS if c not in ("detach", "nothing")])
def test_derivatives_of_a_write_through_a_piece(cut: str) -> None:
    def changed(x: Any) -> Any:
        y = x * x
        piece = CUTS[cut][0](y)
        piece *= piece
        return (y * X).sum()

    mask = _expected(cut, "add_", X) != X
    x = X + 1
    slope = np.where(mask, 4 * x**3, 2 * x) * X
    np.testing.assert_allclose(cr.grad(changed)(x).numpy(), slope, rtol=1e-5)
    np.testing.assert_allclose(cr.compile(cr.grad(changed))(x).numpy(), slope, rtol=1e-5)


def test_pieces_side_by_side_are_all_written() -> None:
    t = cr.tensor(X)
    a, b = t.chunk(2, 2)
    a += 1
    b *= 2
    for row in t:
        row -= 1
    t[:, ::2].mul_(2)
    even, odd = t[..., ::2], t[..., 1::2]
    even += 1
    odd += 2
    v = X.copy()
    v[..., :2] += 1
    v[..., 2:] *= 2
    v -= 1
    v[:, ::2] *= 2
    v[..., ::2] += 1
    v[..., 1::2] += 2
    np.testing.assert_array_equal(t.numpy(), v)


def test_everything_between_is_written() -> None:
    t = cr.tensor(X)
    flat = t.view(-1)
    part = flat[2:5]
    part += 1
    assert flat[2:5].tolist() == part.tolist() == [3.0, 4.0, 5.0]
    flat *= 2
    assert t[0, 0].tolist() == [0.0, 2.0, 6.0, 8.0]
    with pytest.raises(cr.StateError, match="has changed since"):
        part += 1


def test_what_is_out_of_date_is_not_written() -> None:
    for change in (
        lambda t, p: t.add_(1),
        lambda t, p: t[0].add_(1),
        lambda t, p: t.__setitem__(0, 1.0),
        lambda t, p: cr.compile(lambda: t.add_(1))(),
        lambda t, p: t.view(-1).add_(1),
    ):
        t = cr.tensor(X)
        piece = t[0, 1:]
        change(t, piece)
        with pytest.raises(cr.StateError, match="has changed since"):
            piece += 1
        piece.clone().add_(1)
    t = cr.tensor(X)
    piece = t[0, 1:]
    t[1] += 1  # elsewhere
    piece += 1
    wanted = X.copy()
    wanted[1] += 1
    wanted[0, 1:] += 1
    assert t.tolist() == wanted.tolist()

    def late(t: Any) -> None:
        piece = t[0]
        t += 1
        piece += 1

    with pytest.raises(cr.StateError, match="has changed since"):
        cr.compile(late)(X)


def test_copies_are_tensors_of_their_own() -> None:
    for copied in (
        lambda t: t.clone(),
        lambda t: t[[0, 1]],
        lambda t: t[np.array([0])],
        lambda t: t.flip(0),
        lambda t: t + 0,
        lambda t: t.int(),
        lambda t: cr.tensor(t),
        lambda t: cr.stack([t]),
    ):
        t = cr.tensor(X)
        copied(t).add_(1)
        assert t.tolist() == X.tolist()


def test_what_cannot_find_its_way_back_is_refused() -> None:
    t = cr.ones(3)
    with pytest.raises(cr.ShapeError, match="elements share memory"):
        t.expand(2, 3).add_(1)
    with pytest.raises(cr.ShapeError, match="integers and slices"):
        cr.compile(lambda i: t[i].add_(1))(np.int32(1))
    row = t[:2]
    with pytest.raises(cr.TraceError, match="outside of the compiled function"):
        cr.compile(lambda: row.add_(1))()
    assert t.tolist() == [1.0, 1.0, 1.0]


def test_a_piece_of_nothing_else_is_a_state_like_any_other() -> None:
    a, b = cr.zeros(2, 3)

    def step() -> None:
        a.add_(1)
        b.add_(2)

    cr.compile(step)()
    assert (a.tolist(), b.tolist()) == ([1.0] * 3, [2.0] * 3)


def test_memory_that_several_views_share_is_written_by_none() -> None:
    t = cr.tensor(X)
    a = t[0]
    b = a.clone()
    del t
    c = a[1:]
    a[1:] += 1
    c.clone()
    a += 1
    assert c.tolist() == X[0, 1:].tolist()
    assert b.tolist() == X[0].tolist()
    assert a[0].tolist() == (X[0, 0] + 1).tolist()
    t = cr.tensor(X)
    kept = t.clone()[0]
    part, rest = kept[1:], kept[:1]
    part += 1
    rest *= 2
    assert kept.tolist() == [*(X[0, :1] * 2).tolist(), *(X[0, 1:] + 1).tolist()]
    assert t.tolist() == X.tolist()


def test_a_piece_may_be_written_with_another() -> None:
    def moved(t: Any) -> Any:
        t[:, 1:] = t[:, :-1]
        t[..., ::-1].assign_(t)
        t[0].T[:3].mul_(t[1, :, :3])
        t[0].copy_(t[0])
        return t

    v = X.copy()
    v[:, 1:] = v[:, :-1].copy()
    v[..., ::-1] = v.copy()
    v[0].T[:3] *= v[1, :, :3]
    assert moved(cr.tensor(X)).tolist() == v.tolist()
    assert cr.compile(moved)(X).tolist() == v.tolist()


def test_detached_weights_are_written() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    w.detach().mul_(2)
    w.detach()[0] = 7.0
    assert w.tolist() == [7.0, 4.0]
    assert w.is_leaf
    y = w * w
    y.detach().add_(100)
    (y * y).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2 * (49 + 100) * 2 * 7, 2 * (16 + 100) * 2 * 4]


def test_augmented_assignment_writes_once() -> None:
    from chainrule.frontend import trace_function

    def step(x: Any) -> Any:
        x[0, 1:] += 1
        return x

    nodes = trace_function(step, (X[0],), {}).graph.nodes()
    assert [n.op for n in nodes].count("select") == 1


def _program(seed: int, whole: Any, arrays: bool) -> list[Any]:
    """Random cuts and writes; all values that were seen on the way."""
    rng = np.random.default_rng(seed)
    side = 1 if arrays else 0
    names = [n for n in CUTS if n not in ("cut of a turn", "detach", "same dtype", "contiguous")]
    pieces = [whole]
    for _ in range(rng.integers(3, 9)):
        number, action = rng.integers(len(pieces)), rng.integers(4)
        piece = pieces[number]
        name = names[rng.integers(len(names))]
        if action < 2 and piece.shape == X.shape:
            pieces.append(CUTS[name][side](piece))
        elif action < 2 and piece.ndim and piece.shape[0]:
            pieces.append(piece[rng.integers(piece.shape[0]) :])
        elif action == 2 and piece.ndim and piece.shape[0]:
            piece[rng.integers(piece.shape[0])] = np.float32(rng.integers(50))
        else:
            piece *= np.float32(rng.integers(2, 4))
    return pieces


@pytest.mark.parametrize("seed", range(80))
def test_random_programs_do_what_numpy_does_or_refuse(seed: int) -> None:
    expected = _program(seed, X.copy(), arrays=True)
    for run in (lambda f: f(cr.tensor(X)), lambda f: cr.compile(f, backend=interpreter_backend)(X)):
        try:
            whole = run(lambda t: _program(seed, t, arrays=False)[0])
        except cr.StateError:  # a piece that is out of date
            continue
        np.testing.assert_array_equal(whole.numpy(), expected[0])
