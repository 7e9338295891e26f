"""PyTorch's forward pass in four forms, all in inference mode.

=====================  ======================================================================
eager                  the module in evaluation
channels last          the same with images, weights and activations channels last in memory
frozen                 traced, frozen and ``torch.jit.optimize_for_inference``: batch
                       normalisation folded, weights packed for oneDNN
compile channels last  ``torch.compile`` with Inductor's freezing: weights are constants
=====================  ======================================================================
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers import Predictions
from benchmarks.peers.torch_nets import convolutional, laid_out
from benchmarks.workloads import Workload


def evaluated(workload: Workload, channels_last: bool) -> nn.Sequential:
    """The module with its weights and running statistics, in evaluation."""
    model = convolutional(workload.net, channels_last).eval()
    running = [b for name, b in model.named_buffers() if "running" in name]
    arrays = workload.weights() + workload.statistics()
    with torch.no_grad():
        for own, array in zip([*model.parameters(), *running], arrays, strict=True):
            own.copy_(torch.from_numpy(array).reshape(own.shape))
    return model


def predictions(workload: Workload, form: str) -> Predictions:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)
    last = form.endswith("channels last")
    model: Any = evaluated(workload, last)
    batches = [torch.from_numpy(x) for x in workload.inputs()]
    if last:
        batches = [laid_out(x) for x in batches]
    if form == "frozen":
        with torch.no_grad():
            traced = torch.jit.trace(model, batches[0])
            model = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    elif form.startswith("compile"):
        torch._inductor.config.freezing = True
        model = torch.compile(model, dynamic=False)

    def predict(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return model(x)

    return Predictions(predict, batches)
