"""ONNX Runtime on the processor: the network as an ONNX graph with all optimisations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.nets import Array, Conv, Layer, Linear, MaxPool, Mean, Net, Norm, Relu, Residual
from benchmarks.peers import Predictions, Session
from benchmarks.workloads import Mode, Workload

OPSET, IR_VERSION = 17, 8


def model_of(net: Net, batch: int, weights: list[Array], statistics: list[Array]) -> bytes:
    """The network as a file would hold it; input x, output logits."""
    walk = Walk(net.axes, iter(weights), iter(statistics))
    last = walk.through(net.layers, "x")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *net.features))
    logits = helper.make_tensor_value_info(last, TensorProto.FLOAT, (batch, net.outputs))
    graph = helper.make_graph(walk.nodes, "net", [x], [logits], walk.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class Walk:
    """Collects nodes and weights while a value passes the layers."""

    def __init__(self, axes: int, weights: Iterator[Array], statistics: Iterator[Array]) -> None:
        self.axes, self.weights, self.statistics = axes, weights, statistics
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def through(self, layers: Sequence[Layer], x: str) -> str:
        for layer in layers:
            x = self.one(layer, x)
        return x

    def one(self, layer: Layer, x: str) -> str:
        match layer:
            case Conv(_, _, kernel, stride, padding, groups, bias):
                weights = self.take(self.weights, 2 if bias else 1)
                along = [kernel] * self.axes
                pads, strides = [padding] * (2 * self.axes), [stride] * self.axes
                sizes = {"kernel_shape": along, "pads": pads, "strides": strides}
                return self.node("Conv", x, *weights, group=groups, **sizes)
            case Norm():
                learned, running = self.take(self.weights, 2), self.take(self.statistics, 2)
                return self.node("BatchNormalization", x, *learned, *running, epsilon=1e-5)
            case Relu():
                return self.node("Relu", x)
            case MaxPool(size):
                along = [size] * self.axes
                return self.node("MaxPool", x, kernel_shape=along, strides=along)
            case Mean():
                return self.node("Flatten", self.node("GlobalAveragePool", x))
            case Linear(_, _, pixels):
                flat = self.node("Flatten", x) if pixels > 1 else x
                return self.node("Gemm", flat, *self.take(self.weights, 2), transB=1)
            case Residual(body, shortcut):
                inner = self.through(body, x)
                return self.node("Relu", self.node("Add", inner, self.through(shortcut, x)))
        raise NotImplementedError(f"no node for {layer}")

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        """The name of the new node's output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def take(self, arrays: Iterator[Array], count: int) -> list[str]:
        """Names of the next arrays, kept as constants of the graph."""
        names = []
        for _ in range(count):
            names.append(f"c{len(self.constants)}")
            self.constants.append(numpy_helper.from_array(next(arrays), names[-1]))
        return names


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    arrays = workload.weights(), workload.statistics()
    session = onnxruntime.InferenceSession(
        model_of(workload.net, workload.batch, *arrays), options, ["CPUExecutionProvider"]
    )
    return Predictions(lambda x: session.run(None, {"x": x})[0], workload.inputs())
