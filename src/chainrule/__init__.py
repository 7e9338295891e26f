"""Chainrule trains neural networks by compiled backpropagation.

    import chainrule as cr
    from chainrule import nn, optim

Nothing is loaded before it is used: ``import chainrule`` alone takes no time.
"""

from __future__ import annotations

from typing import Any

from .lazily import import_whole as _import_whole

#: public names, by the module that they come from
_HOMES: dict[str, tuple[str, ...]] = {
    "driver": ("show",),
    "errors": (
        "ChainruleError",
        "CompileError",
        "ConfigError",
        "DTypeError",
        "DataError",
        "GradientError",
        "ShapeError",
        "StateError",
        "TraceError",
        "TrainingError",
    ),
    "frontend.compiled": ("CompiledFunction", "compile"),
    "frontend.loops": ("scan",),
    "frontend.modes": ("enable_grad", "is_grad_enabled", "no_grad"),
    "frontend.operations.arithmetic": (
        "clamp",
        "cos",
        "erf",
        "exp",
        "isfinite",
        "isnan",
        "log",
        "log1p",
        "maximum",
        "minimum",
        "sigmoid",
        "sin",
        "sqrt",
        "square",
        "tanh",
        "where",
    ),
    "frontend.operations.creation": (
        "arange",
        "eye",
        "full",
        "full_like",
        "linspace",
        "ones",
        "ones_like",
        "tensor",
        "tril",
        "triu",
        "zeros",
        "zeros_like",
    ),
    "frontend.operations.products": ("matmul",),
    "frontend.operations.shaping": ("cat", "flip", "stack"),
    "frontend.random": ("Generator", "manual_seed", "rand", "randn"),
    "frontend.tensor": ("Tensor",),
    "frontend.transforms": ("grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp"),
    "doctor": ("diagnose",),
    "frontend.vmap": ("vmap",),
    "modalities.doors": ("cross_validate", "fit", "load_run", "resume"),
    "modalities.audio": ("fit_audio",),
    "modalities.images": ("fit_images",),
    "modalities.series": ("fit_series",),
    "modalities.tables": ("fit_table",),
    "modalities.text": ("fit_text",),
    "ir.types": ("DType",),
    "microscope": ("scope",),
    "nn.stateless": ("functional_call", "stack_module_state"),
    "nonfinite": ("find_nonfinite",),
    "runtime.processors": ("get_num_threads", "set_num_threads"),
    "testing": ("check_grads",),
    "train": (
        "Callback",
        "Checkpoints",
        "EarlyStopping",
        "History",
        "Metric",
        "Observe",
        "Trainer",
        "callbacks",
        "load",
        "save",
    ),
    "tuning": ("Tuned", "TuningListener", "tune"),
    "version": ("__version__",),
}
_MODULES = (
    "data", "distributed", "doctor", "microscope", "modalities", "nn", "optim", "report", "sklearn",
    "train",
)  # fmt: skip
_PLACES = {name: home for home, names in _HOMES.items() for name in names}

#: needs no engine
_LIGHT = ("errors", "version")

__all__ = [*_PLACES, *_MODULES]


def __getattr__(name: str) -> Any:
    home = _PLACES.get(name)
    if home is None and name not in _MODULES:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    if home not in _LIGHT:
        # From here on compiled functions run natively instead of in the interpreter.
        _import_whole(f"{__name__}.driver")
    if home is None:
        return _import_whole(f"{__name__}.{name}")
    value = getattr(_import_whole(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
