"""The network of the table door against the same formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.modalities.tables.network import TableNet, embedding_width


def test_embedding_width_grows_slowly() -> None:
    assert [embedding_width(n) for n in (2, 12, 100, 1000, 10_000)] == [2, 6, 21, 32, 32]


@pytest.mark.parametrize(("numeric", "cardinalities"), [(3, ()), (0, (12, 20)), (3, (12, 20))])
def test_forward(numeric: int, cardinalities: tuple[int, ...]) -> None:
    cr.manual_seed(1)
    net = TableNet(numeric, cardinalities, 2, (8,), dropout=0.5)
    net.eval()
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5, numeric)).astype(np.float32)
    codes = np.stack([rng.integers(0, c, 5) for c in cardinalities], 1) if cardinalities else None
    inputs = ([x] if numeric else []) + ([codes.astype(np.int32)] if codes is not None else [])
    out = net(*(cr.tensor(i) for i in inputs)).numpy()
    weights = {k: np.asarray(v) for k, v in net.state_dict().items()}
    parts = [x] if numeric else []
    if codes is not None:
        parts += [weights[f"embeddings.{j}.weight"][codes[:, j]] for j in range(codes.shape[1])]
    z = np.concatenate(parts, 1).astype(np.float64)
    h = np.maximum(z @ weights["body.0.weight"].T + weights["body.0.bias"], 0)
    last = "body.3" if "body.3.weight" in weights else "body.2"
    expected = h @ weights[f"{last}.weight"].T + weights[f"{last}.bias"]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
