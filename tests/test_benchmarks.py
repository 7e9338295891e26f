"""What the benchmark says of its workloads is what they are: shapes, data, operations, results."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from benchmarks import report
from benchmarks.cold import Compilation
from benchmarks.peers import PEERS
from benchmarks.peers.chainrule_peer import ChainruleSession, build
from benchmarks.recurrent import Recurrent
from benchmarks.workloads import COLD, WORKLOADS, Workload, named

EVERY = [*WORKLOADS.values(), *(w for pair in COLD.values() for w in pair)]


@pytest.mark.parametrize("workload", EVERY, ids=lambda w: w.name)
def test_weights_fit_the_model_in_order(workload: Workload) -> None:
    expected = [tuple(p.shape) for p in build(workload).parameters()]
    assert [array.shape for array in workload.weights()] == expected
    assert all(array.dtype == np.float32 for array in workload.weights())


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_data_fill_whole_batches(workload: Workload) -> None:
    assert {len(array) for array in workload.data()} == {workload.rows}
    assert workload.order(2).shape == (2 * workload.steps_per_epoch, workload.batch)
    assert workload.compared <= workload.steps_per_epoch


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_every_workload_is_ours_and_has_a_peer(workload: Workload) -> None:
    libraries = [peer.library for peer in PEERS if workload.name in peer.workloads]
    assert libraries[0] == "chainrule"
    assert {"torch", "jax"} <= set(libraries)


def test_rows_of_several_lengths() -> None:
    workload = named("bilstm")
    x, lengths, _ = workload.data()
    assert lengths.dtype == np.int32
    assert (lengths.min(), lengths.max()) == (10, 50)
    beyond = np.arange(x.shape[1]) >= lengths[:, None]
    assert (x[beyond] == 0).all()
    assert (x[~beyond] != 0).all()


def test_operations_of_recurrent_networks() -> None:
    """One step of each cell multiplies by W and U; the data and the padding need no gradient."""
    lstm = 2 * 32 * 64 * 512 * (2 * 16 + 3 * 128) + 3 * 2 * 32 * 128
    assert named("lstm").flops == lstm
    each = 2 * 8 * 200 * (128 * (2 * 8 + 3 * 32) + 3 * 32)
    assert named("lstm-small").flops == each
    layers = 2 * 384 * (2 * 40 + 3 * 96) + 2 * 384 * 3 * (192 + 96)
    assert named("bilstm").flops == 24 * (2 * 30 * layers + 3 * 2 * 192 * 10)
    lengths = named("bilstm").data()[1]
    assert math.isclose(float(np.mean(lengths)), 30, rel_tol=0.03)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_batches_of_several_inputs_train(cell: str) -> None:
    """A small sibling of ``bilstm``, called and in a loop."""
    model = Recurrent(cell, 3, 4, 5, 6, "mean", both=True, shortest=2)  # type: ignore[arg-type]
    workload = Workload("small", model, "cross_entropy", 12, 4, lr=0.01, loop_steps=3, compared=3)
    threads = cr.get_num_threads()
    try:
        called, looped = ChainruleSession(workload, "call"), ChainruleSession(workload, "loop")
        losses = called.answers(3)
        looped.reset()
        looped.run(3)
    finally:
        cr.set_num_threads(threads)
    assert np.isfinite(losses).all()
    assert np.isfinite(looped.trainer.history["loss"]).all()


def test_results_read_back() -> None:
    quick = Compilation("lstm", "chainrule", 2, few=[0.5, 0.4], many=[0.5, 0.6])
    missing = Compilation("lstm", "jax tree", 2, absent="the package jax is not installed")
    results = report.Results(compilations=[quick, missing])
    assert report.from_json(report.to_json(results, {})) == results
    assert quick.growth == 0.5 / 0.4
    assert quick.median_growth == 1.25
    (table,) = report.sections(results, markdown=True)
    assert "| lstm | chainrule | 0.40 | 0.45 | 0.50 | 0.55 | 1.25 | 1.25 |" in table
    assert "* lstm, jax tree: absent: the package jax is not installed" in table
