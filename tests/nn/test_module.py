"""Modules: registration, walks, modes, state."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False))


def test_names_are_pytorchs() -> None:
    m = model()
    assert [n for n, _ in m.named_parameters()] == [
        "0.weight", "0.bias", "2.weight", "2.bias", "3.weight",
    ]  # fmt: skip
    assert [n for n, _ in m.named_buffers()] == [
        "2.running_mean", "2.running_var", "2.num_batches_tracked",
    ]  # fmt: skip
    assert [n for n, _ in m.named_modules()] == ["", "0", "1", "2", "3"]


def test_state_travels_between_models() -> None:
    a, b = model(), model()
    state = a.state_dict()
    assert all(v.flags.c_contiguous for v in state.values())
    assert b.load_state_dict(state) == ([], [])
    for name, value in b.state_dict().items():
        assert (value == state[name]).all()
    state["0.weight"][...] = 7.0  # a copy
    assert not (a.state_dict()["0.weight"] == 7.0).any()


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    m = model()
    before = m.state_dict()
    wrong = {**before, "0.bias": np.zeros(4), "9.weight": np.zeros(1)}
    del wrong["3.weight"]
    with pytest.raises(cr.StateError) as caught:
        m.load_state_dict({k: np.ones_like(v) if k in before else v for k, v in wrong.items()})
    for part in ("missing 3.weight", "unknown 9.weight", "0.bias: (4,) instead of (3,)"):
        assert part in str(caught.value)
    for name, value in m.state_dict().items():
        assert (value == before[name]).all()
    assert m.load_state_dict({"0.bias": np.ones(3)}, strict=False).missing_keys[0] == "0.weight"
    assert (m.state_dict()["0.bias"] == 1).all()


def test_shared_parameters_are_listed_once_and_saved_twice() -> None:
    layer = nn.Linear(2, 2)
    m = nn.Sequential(layer, layer)
    assert len(list(m.parameters())) == 2
    assert set(m.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_copies_are_apart_and_keep_the_layout() -> None:
    wide = nn.Linear(4, 16)
    for copied in (copy.deepcopy(wide), pickle.loads(pickle.dumps(wide))):
        assert copied.weight.requires_grad
        assert copied.weight.concrete.flags.f_contiguous
        assert copied.weight.concrete.ctypes.data % 64 == 0
    a = model()
    b = copy.deepcopy(a)
    with cr.no_grad():
        b[0].weight.zero_()
    assert (a.state_dict()["0.weight"] != 0).any()


def test_modes_and_epoch() -> None:
    from chainrule.frontend.modes import structure

    m = model()
    epoch = structure.epoch
    m.train()
    assert structure.epoch == epoch
    m.eval()
    assert structure.epoch != epoch
    m.train()
    assert structure.epoch == epoch
    copy.deepcopy(m).eval()
    m.eval()
    assert structure.epoch != epoch
    assert not any(module.training for module in m.modules())


def test_attributes_cannot_be_assigned_while_tracing() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            self.calls = self.calls + 1
            return x * 2

    counting = Counting()
    with pytest.raises(cr.TraceError, match="'calls' of a Counting"):
        cr.compile(counting)(np.ones(2, np.float32))
    assert counting.calls == 0
    with pytest.raises(cr.TraceError, match=r"train\(\) and eval\(\)"):
        cr.compile(lambda x: counting.eval() and x)(np.ones(2, np.float32))


def test_parameters_need_super_init() -> None:
    class Hasty(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(cr.StateError, match="super"):
        Hasty()


def test_containers() -> None:
    listed = nn.ModuleList([nn.Linear(1, 2), nn.Linear(2, 3)])
    listed.append(nn.ReLU())
    assert len(listed) == 3
    assert isinstance(listed[-1], nn.ReLU)
    assert [n for n, _ in listed.named_parameters()][2] == "1.weight"
    listed[0] = nn.Identity()
    assert [type(m).__name__ for m in listed] == ["Identity", "Linear", "ReLU"]
    named = nn.ModuleDict({"a": nn.ReLU()})
    assert "a" in named
    assert [*named] == ["a"]
    with pytest.raises(cr.ConfigError, match="parentheses"):
        nn.Sequential(nn.ReLU)  # type: ignore[arg-type]
    assert isinstance(model()[1:], nn.Sequential)
    assert "in_features=4" in repr(model())


def test_custom_parameters_and_buffers() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(np.array([2.0, 3.0]))
            self.register_buffer("seen", cr.zeros(), persistent=False)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            self.seen.assign_(self.seen + 1)
            return x * self.factor

    scale = Scale()
    compiled = cr.compile(scale)
    for _ in range(3):
        y = compiled(np.array([1.0, 1.0], np.float32))
    assert y.tolist() == [2.0, 3.0]
    assert scale.seen.item() == 3.0
    assert list(scale.state_dict()) == ["factor"]
    del scale.factor
    assert list(scale.parameters()) == []


def test_names_under_which_nothing_could_be_found() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    for name, part in (("parameters", nn.Linear(1, 1)), ("forward", nn.Parameter([1.0]))):
        with pytest.raises(cr.StateError, match="already has an attribute of that name"):
            setattr(model, name, part)
    for wrong in ("", "a.b", 3):
        with pytest.raises(cr.StateError, match="a name without dots"):
            model.register_buffer(wrong, cr.ones(1))  # type: ignore[arg-type]
    with pytest.raises(cr.StateError, match="a ndarray cannot be 'b'"):
        model.register_buffer("b", np.ones(1))  # type: ignore[arg-type]
    with pytest.raises(cr.StateError, match="a int cannot be 'child'"):
        model.register_module("child", 3)  # type: ignore[arg-type]
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias"]


def test_a_forgotten_init_is_named() -> None:
    class Forgot(nn.Module):
        def __init__(self) -> None:
            pass

    for use in (repr, lambda m: list(m.parameters()), lambda m: m.state_dict(), lambda m: m.eval()):
        with pytest.raises(AttributeError, match=r"super\(\).__init__\(\) first"):
            use(Forgot())


def test_containers_are_edited_like_lists_and_dicts() -> None:
    for row in (nn.ModuleList([nn.ReLU(), nn.Tanh()]), nn.Sequential(nn.ReLU(), nn.Tanh())):
        row.insert(0, nn.SiLU())
        row += [nn.GELU()]
        assert [type(m).__name__ for m in row] == ["SiLU", "ReLU", "Tanh", "GELU"]
        del row[1]
        row[0] = nn.Mish()
        assert isinstance(row.pop(), nn.GELU)
        assert [(n, type(m).__name__) for n, m in row.named_children()] == [
            ("0", "Mish"),
            ("1", "Tanh"),
        ]
        delattr(row, "0")
        row.append(nn.ELU())
        assert [type(m).__name__ for m in row] == ["Tanh", "ELU"]
    named = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    assert list(named.keys()) == ["a", "b"]
    assert isinstance(named.pop("a"), nn.ReLU)
    del named["b"]
    assert list(named.values()) == []
    with pytest.raises(cr.StateError, match="no child 'b'"):
        del named["b"]
