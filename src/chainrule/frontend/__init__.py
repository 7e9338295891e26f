"""Level 5: Tensors, tracing of Python functions, and everything written in the primitives."""

from .compiled import Backend, CompiledFunction, Executable, compile, install
from .host import host_effect, host_scalar
from .modes import enable_grad, is_grad_enabled, no_grad, paused
from .random import Generator, default_generator, manual_seed
from .tensor import Tensor
from .traced import Traced, trace_function

__all__ = [
    "Backend",
    "CompiledFunction",
    "Executable",
    "Generator",
    "Tensor",
    "Traced",
    "compile",
    "default_generator",
    "enable_grad",
    "host_effect",
    "host_scalar",
    "install",
    "is_grad_enabled",
    "manual_seed",
    "no_grad",
    "paused",
    "trace_function",
]
