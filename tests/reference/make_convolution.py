"""Layers for images: convolution, pooling, normalisation, resizing."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from images import cotangent, described, parameters, values

Case = tuple[str, list[Any], dict[str, Any], tuple[int, ...]]


def conv2d(*args: Any, size: tuple[int, int] = (7, 6), n: int = 2, **kwargs: Any) -> Case:
    return "Conv2d", list(args), kwargs, (n, args[0], *size)


def transposed(*args: Any, size: tuple[int, int] = (5, 4), **kwargs: Any) -> Case:
    return "ConvTranspose2d", list(args), kwargs, (2, args[0], *size)


CONVOLUTIONS: list[Case] = [
    # kernel and stride
    conv2d(1, 1, 1), conv2d(3, 5, 1), conv2d(16, 16, 1), conv2d(4, 17, 3),
    conv2d(3, 4, 2), conv2d(3, 4, 5, size=(9, 8)), conv2d(2, 3, 7, size=(8, 8)),
    conv2d(4, 8, [3, 1]), conv2d(4, 8, [1, 5]), conv2d(2, 3, [7, 6]),
    conv2d(3, 4, 3, stride=2), conv2d(3, 4, 3, stride=[2, 1]), conv2d(3, 4, 3, stride=3),
    conv2d(3, 4, 2, stride=2, size=(8, 6)), conv2d(5, 6, 1, stride=2), conv2d(3, 4, 2, stride=3),
    # padding
    conv2d(3, 4, 3, padding=1), conv2d(16, 32, 3, padding=1), conv2d(3, 4, 3, padding=2),
    conv2d(3, 4, 5, padding=2), conv2d(3, 4, [3, 5], padding=[1, 2]), conv2d(3, 4, 1, padding=1),
    conv2d(3, 4, 3, padding=4), conv2d(3, 4, 3, padding="same"), conv2d(3, 4, 4, padding="same"),
    conv2d(3, 4, [2, 5], padding="same", dilation=[2, 1]), conv2d(3, 4, 3, padding="valid"),
    conv2d(2, 3, 9, padding=4, size=(3, 2)),
    # both, and dilation
    conv2d(3, 4, 3, stride=2, padding=1), conv2d(16, 32, 3, stride=2, padding=1, size=(8, 8)),
    conv2d(3, 4, 5, stride=2, padding=2, size=(9, 11)), conv2d(3, 4, 7, stride=2, padding=3),
    conv2d(3, 4, 3, stride=[1, 3], padding=[2, 0]), conv2d(3, 4, 3, dilation=2),
    conv2d(3, 4, 3, dilation=2, padding=2), conv2d(3, 4, 3, dilation=[3, 1], padding=1),
    conv2d(3, 4, 2, dilation=3, stride=2), conv2d(3, 4, 3, dilation=2, stride=2, padding=2),
    # groups
    conv2d(4, 6, 3, groups=2), conv2d(6, 9, 3, groups=3, padding=1), conv2d(4, 4, 3, groups=4),
    conv2d(16, 16, 3, groups=16, padding=1), conv2d(4, 8, 3, groups=4, stride=2, padding=1),
    conv2d(4, 4, 5, groups=4, padding="same"), conv2d(4, 6, 1, groups=2),
    conv2d(4, 4, 3, groups=4, dilation=2, padding=2),
    # odd sizes, few and many images, without a bias
    conv2d(30, 33, 3, padding=1, size=(5, 7), n=1), conv2d(1, 8, 3, size=(13, 11), n=3),
    conv2d(3, 2, 3, size=(3, 3), n=1), conv2d(17, 15, 3, size=(4, 5), n=5),
    conv2d(3, 4, 3, bias=False), conv2d(6, 4, 3, bias=False, groups=2, stride=2),
    ("Conv2d", [3, 4, 3], {}, (3, 6, 7)),
    # one and three axes
    ("Conv1d", [3, 4, 3], {}, (2, 3, 9)),
    ("Conv1d", [3, 4, 5], {"stride": 2, "padding": 2}, (2, 3, 12)),
    ("Conv1d", [4, 6, 3], {"dilation": 3, "groups": 2}, (2, 4, 11)),
    ("Conv1d", [3, 17, 4], {"padding": "same"}, (1, 3, 10)),
    ("Conv1d", [5, 5, 7], {"groups": 5, "padding": 3, "bias": False}, (2, 5, 8)),
    ("Conv3d", [2, 3, 2], {}, (2, 2, 4, 3, 5)),
    ("Conv3d", [2, 4, 3], {"padding": 1, "stride": 2}, (1, 2, 5, 4, 5)),
    ("Conv3d", [4, 4, [1, 3, 3]], {"groups": 2, "padding": [0, 1, 1]}, (1, 4, 3, 4, 4)),
    ("Conv3d", [2, 2, 2], {"dilation": [1, 2, 1], "bias": False}, (1, 2, 3, 5, 3)),
    # transposed
    transposed(3, 4, 3), transposed(3, 4, 2, stride=2), transposed(4, 3, 1, stride=2),
    transposed(3, 4, 3, stride=2, padding=1), transposed(16, 17, 3, stride=2, padding=1),
    transposed(3, 4, 3, stride=2, padding=1, output_padding=1), transposed(3, 4, 3, padding=2),
    transposed(3, 4, 3, padding=3, size=(6, 5)),
    transposed(3, 4, 4, stride=[3, 1], output_padding=[2, 0]),
    transposed(4, 6, 3, groups=2, stride=2), transposed(4, 4, 3, groups=4, padding=1),
    transposed(3, 4, 3, dilation=2, padding=1), transposed(3, 2, 5, stride=2, dilation=2),
    transposed(3, 4, 3, bias=False),
    ("ConvTranspose1d", [3, 4, 4], {"stride": 2, "padding": 1}, (2, 3, 6)),
    ("ConvTranspose1d", [4, 6, 3], {"groups": 2, "dilation": 2}, (1, 4, 5)),
]  # fmt: skip

IMAGE = (2, 3, 9, 8)
POOLS: list[Case] = [
    ("MaxPool2d", [2], {}, IMAGE), ("MaxPool2d", [3], {}, IMAGE),
    ("MaxPool2d", [[1, 4]], {}, IMAGE),
    ("MaxPool2d", [3, 2], {}, IMAGE), ("MaxPool2d", [3, 2, 1], {}, IMAGE),
    ("MaxPool2d", [3, 1, 1], {}, IMAGE), ("MaxPool2d", [2, 3], {}, IMAGE),
    ("MaxPool2d", [2], {"ceil_mode": True}, IMAGE), ("MaxPool2d", [1, 2], {}, IMAGE),
    ("MaxPool2d", [3, 2, 1], {"ceil_mode": True}, IMAGE),
    ("MaxPool2d", [[3, 2], [2, 1], [1, 0]], {}, IMAGE),
    ("MaxPool2d", [3, 2, 1], {"dilation": 2}, IMAGE), ("MaxPool2d", [8], {}, IMAGE),
    ("MaxPool1d", [2], {}, (2, 3, 9)), ("MaxPool1d", [3, 2, 1], {}, (2, 3, 9)),
    ("MaxPool3d", [2], {}, (1, 2, 4, 5, 6)), ("MaxPool3d", [3, 2, 1], {}, (1, 2, 4, 5, 6)),
    ("MaxPool2d", [2], {}, (3, 5, 6)),
    ("AvgPool2d", [2], {}, IMAGE), ("AvgPool2d", [3, 2], {}, IMAGE),
    ("AvgPool2d", [3, 2, 1], {}, IMAGE), ("AvgPool2d", [3, 2, 1], {"ceil_mode": True}, IMAGE),
    ("AvgPool2d", [3, 2, 1], {"count_include_pad": False}, IMAGE),
    ("AvgPool2d", [3, 2, 1], {"count_include_pad": False, "ceil_mode": True}, IMAGE),
    ("AvgPool2d", [2], {"divisor_override": 3}, IMAGE),
    ("AvgPool2d", [[3, 2], [1, 2], [1, 0]], {}, IMAGE),
    ("AvgPool1d", [4, 2], {}, (2, 3, 9)), ("AvgPool3d", [2], {}, (1, 2, 4, 5, 6)),
    ("AvgPool3d", [3, 2, 1], {}, (1, 2, 4, 5, 6)),
    ("AdaptiveAvgPool2d", [1], {}, IMAGE), ("AdaptiveAvgPool2d", [[3, 4]], {}, IMAGE),
    ("AdaptiveAvgPool2d", [[4, 3]], {}, IMAGE), ("AdaptiveAvgPool2d", [[11, None]], {}, IMAGE),
    ("AdaptiveAvgPool1d", [4], {}, (2, 3, 9)),
    ("AdaptiveMaxPool2d", [1], {}, IMAGE), ("AdaptiveMaxPool2d", [[3, 4]], {}, IMAGE),
    ("AdaptiveMaxPool2d", [[4, 3]], {}, IMAGE), ("AdaptiveMaxPool1d", [4], {}, (2, 3, 9)),
]  # fmt: skip

OTHERS: list[Case] = [
    ("Upsample", [], {"scale_factor": 2}, IMAGE), ("Upsample", [[5, 13]], {}, IMAGE),
    ("Upsample", [], {"scale_factor": 1.7}, IMAGE), ("Upsample", [12], {}, (2, 3, 5)),
    ("Upsample", [], {"scale_factor": 2, "mode": "bilinear"}, IMAGE),
    ("Upsample", [], {"scale_factor": 2, "mode": "bilinear", "align_corners": True}, IMAGE),
    ("Upsample", [[4, 11]], {"mode": "bilinear"}, IMAGE),
    ("Upsample", [[1, 5]], {"mode": "bilinear", "align_corners": True}, IMAGE),
    ("Upsample", [], {"scale_factor": 2.5, "mode": "linear"}, (2, 3, 5)),
    ("Upsample", [], {"scale_factor": 2, "mode": "trilinear"}, (1, 2, 3, 2, 3)),
    ("PixelShuffle", [2], {}, (2, 8, 3, 4)), ("PixelShuffle", [3], {}, (1, 9, 2, 3)),
    ("ZeroPad2d", [2], {}, IMAGE), ("ZeroPad2d", [[1, 0, 2, 3]], {}, IMAGE),
    ("ZeroPad2d", [[-1, 2, 0, -3]], {}, IMAGE), ("ZeroPad1d", [[1, 2]], {}, (2, 3, 5)),
    ("BatchNorm2d", [3], {}, IMAGE), ("BatchNorm3d", [2], {}, (2, 2, 3, 4, 2)),
    ("GroupNorm", [2, 6], {}, (2, 6, 4, 5)), ("GroupNorm", [1, 4], {}, (3, 4, 5)),
    ("GroupNorm", [4, 4], {"affine": False, "eps": 1e-3}, (2, 4, 3, 3)),
    ("InstanceNorm1d", [3], {}, (2, 3, 9)), ("InstanceNorm2d", [3], {"affine": True}, IMAGE),
    ("InstanceNorm2d", [3], {"affine": True, "track_running_stats": True}, IMAGE),
]  # fmt: skip


def settings(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def computed(number: int, case: Case) -> dict[str, Any]:
    name, args, kwargs, shape = case
    seed = 1000 + 10 * number
    kind = "ties" if "Max" in name else "unit"
    plain = {key: settings(value) for key, value in kwargs.items()}
    layer = getattr(nn, name)(*map(settings, args), **plain).double()
    state = layer.state_dict()
    learned = {n: tuple(p.shape) for n, p in layer.named_parameters()}
    for key, value in parameters(seed, learned).items():
        state[key] = torch.tensor(value)
    layer.load_state_dict(state)
    x = torch.tensor(values(seed, shape, kind), requires_grad=True)
    y = layer(x)
    y.backward(torch.tensor(cotangent(seed, tuple(y.shape))))
    gradients = {f"d{n}": described(p.grad) for n, p in layer.named_parameters()}
    running = {n: b.tolist() for n, b in layer.named_buffers() if n.startswith("running")}
    return {
        "name": name, "args": args, "kwargs": kwargs, "shape": list(shape), "seed": seed,
        "kind": kind, "y": described(y.detach()), "dx": described(x.grad), **gradients,
        **({"running": running} if running else {}),
    }  # fmt: skip


def convolution() -> dict[str, Any]:
    """Results and gradients in double precision, described by norms and projections."""
    cases = [*CONVOLUTIONS, *POOLS, *OTHERS]
    return {"cases": [computed(i, case) for i, case in enumerate(cases)]}
