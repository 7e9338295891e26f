"""Level 10: layers, models, losses and initial values, with PyTorch's names.

The names are loaded when first used: a model has layers of a few of the sixty modules.
"""

from __future__ import annotations

from typing import Any

from ..lazily import loaded

#: public names, by the module that they come from; ``__init__.pyi`` tells type checkers
_MODULES: dict[str, tuple[str, ...]] = {
    "functional": ("functional",),
    "init": ("init",),
    "parametrize": ("parametrize",),
    "activation": (
        "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
        "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "RReLU",
        "Sigmoid", "SiLU", "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh",
        "Tanhshrink", "Threshold"
    ),
    "alignment": ("AdditiveAttention", "MultiplicativeAttention"),
    "attention": ("MultiheadAttention",),
    "audio": ("MFCC", "MelSpectrogram", "SpecAugment"),
    "batch_ensemble": ("BatchEnsembleLinear", "FirstScales"),
    "beam": ("Hypothesis", "beam_search"),
    "caching": ("DecoderCache", "KeyValues"),
    "causal": ("CausalConv1d", "TemporalBlock"),
    "cells": ("GRUCell", "LSTMCell", "RNNCell"),
    "container": ("ModuleDict", "ModuleList", "Sequential"),
    "conv": ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"),
    "decoding": ("Transcript", "ctc_beam_search", "ctc_greedy_decode"),
    "dropout": (
        "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "DropPath",
        "FeatureAlphaDropout", "WordDropout"
    ),
    "embedding": ("Embedding", "EmbeddingBag"),
    "linear": ("Bilinear", "Flatten", "Identity", "Linear", "Unflatten"),
    "loss": (
        "BCELoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "CTCLoss",
        "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss",
        "LinearCrossEntropyLoss", "MarginRankingLoss", "MSELoss", "MultiLabelSoftMarginLoss",
        "MultiMarginLoss", "NLLLoss", "PinballLoss", "PoissonNLLLoss", "SmoothL1Loss",
        "SoftMarginLoss", "TripletMarginLoss"
    ),
    "members": (
        "EnsembleLoss", "MemberBatchNorm", "MemberEmbedding", "MemberLayerNorm", "MemberLinear",
        "average_members"
    ),
    "mix": ("mixup",),
    "module": ("Module", "Parameter"),
    "noise": ("GaussianDropout", "GaussianNoise"),
    "norm": (
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d",
        "InstanceNorm2d", "LayerNorm", "RMSNorm"
    ),
    "ntk": ("LearnedActivation", "MemberScale", "NTKLinear"),
    "numbers": ("PeriodicEmbedding", "PiecewiseLinear", "SmoothClip"),
    "pooling": (
        "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
        "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"
    ),
    "positions": ("LearnedPositions", "RotaryPositions", "SinusoidalPositions"),
    "recurrent": ("GRU", "LSTM", "RNN"),
    "sampling": ("generate", "sample"),
    "series": ("MovingAverage", "RevIN", "SeriesDecomposition"),
    "token_loop": ("TokenLoop",),
    "transformer": ("Transformer", "TransformerDecoder", "TransformerEncoder"),
    "transformer_layers": ("TransformerDecoderLayer", "TransformerEncoderLayer"),
    "upsample": ("PixelShuffle", "Upsample", "ZeroPad1d", "ZeroPad2d"),
}  # fmt: skip
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    value = globals()[name] = loaded(name, _HOMES, __name__)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
