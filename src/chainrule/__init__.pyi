"""What `__init__.py` loads when it is used."""

from . import data as data
from . import nn as nn
from . import optim as optim
from . import train as train
from .errors import (
    ChainruleError as ChainruleError,
    CompileError as CompileError,
    ConfigError as ConfigError,
    DTypeError as DTypeError,
    DataError as DataError,
    GradientError as GradientError,
    ShapeError as ShapeError,
    StateError as StateError,
    TraceError as TraceError,
    TrainingError as TrainingError,
)
from .frontend.compiled import (
    CompiledFunction as CompiledFunction,
    compile as compile,
)
from .frontend.modes import (
    enable_grad as enable_grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
)
from .frontend.operations.arithmetic import (
    clamp as clamp,
    erf as erf,
    exp as exp,
    isfinite as isfinite,
    isnan as isnan,
    log as log,
    log1p as log1p,
    maximum as maximum,
    minimum as minimum,
    sigmoid as sigmoid,
    sqrt as sqrt,
    square as square,
    tanh as tanh,
    where as where,
)
from .frontend.operations.creation import (
    arange as arange,
    eye as eye,
    full as full,
    full_like as full_like,
    linspace as linspace,
    ones as ones,
    ones_like as ones_like,
    tensor as tensor,
    tril as tril,
    triu as triu,
    zeros as zeros,
    zeros_like as zeros_like,
)
from .frontend.operations.products import (
    matmul as matmul,
)
from .frontend.operations.shaping import (
    cat as cat,
    flip as flip,
    stack as stack,
)
from .frontend.random import (
    Generator as Generator,
    manual_seed as manual_seed,
    rand as rand,
    randn as randn,
)
from .frontend.tensor import (
    Tensor as Tensor,
)
from .frontend.transforms import (
    grad as grad,
    hessian as hessian,
    jacobian as jacobian,
    jvp as jvp,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from .ir.types import (
    DType as DType,
)
from .runtime.processors import (
    get_num_threads as get_num_threads,
    set_num_threads as set_num_threads,
)
from .table import (
    fit as fit,
    load_run as load_run,
)
from .testing import (
    check_grads as check_grads,
)
from .train import (
    Callback as Callback,
    EarlyStopping as EarlyStopping,
    History as History,
    Metric as Metric,
    Trainer as Trainer,
    callbacks as callbacks,
    load as load,
    save as save,
)
from .version import (
    __version__ as __version__,
)
