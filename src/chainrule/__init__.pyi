"""What `__init__.py` loads when it is used."""

from . import data as data
from . import distributed as distributed
from . import doctor as doctor
from . import microscope as microscope
from . import modalities as modalities
from . import nn as nn
from . import optim as optim
from . import report as report
from . import sklearn as sklearn
from . import train as train
from .doctor import (
    diagnose as diagnose,
)
from .driver import (
    show as show,
)
from .errors import (
    ChainruleError as ChainruleError,
)
from .errors import (
    CompileError as CompileError,
)
from .errors import (
    ConfigError as ConfigError,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    DTypeError as DTypeError,
)
from .errors import (
    GradientError as GradientError,
)
from .errors import (
    ShapeError as ShapeError,
)
from .errors import (
    StateError as StateError,
)
from .errors import (
    TraceError as TraceError,
)
from .errors import (
    TrainingError as TrainingError,
)
from .frontend.compiled import (
    CompiledFunction as CompiledFunction,
)
from .frontend.compiled import (
    compile as compile,
)
from .frontend.loops import scan as scan
from .frontend.modes import (
    enable_grad as enable_grad,
)
from .frontend.modes import (
    is_grad_enabled as is_grad_enabled,
)
from .frontend.modes import (
    no_grad as no_grad,
)
from .frontend.operations.arithmetic import (
    clamp as clamp,
)
from .frontend.operations.arithmetic import (
    cos as cos,
)
from .frontend.operations.arithmetic import (
    erf as erf,
)
from .frontend.operations.arithmetic import (
    exp as exp,
)
from .frontend.operations.arithmetic import (
    isfinite as isfinite,
)
from .frontend.operations.arithmetic import (
    isnan as isnan,
)
from .frontend.operations.arithmetic import (
    log as log,
)
from .frontend.operations.arithmetic import (
    log1p as log1p,
)
from .frontend.operations.arithmetic import (
    maximum as maximum,
)
from .frontend.operations.arithmetic import (
    minimum as minimum,
)
from .frontend.operations.arithmetic import (
    sigmoid as sigmoid,
)
from .frontend.operations.arithmetic import (
    sin as sin,
)
from .frontend.operations.arithmetic import (
    sqrt as sqrt,
)
from .frontend.operations.arithmetic import (
    square as square,
)
from .frontend.operations.arithmetic import (
    tanh as tanh,
)
from .frontend.operations.arithmetic import (
    where as where,
)
from .frontend.operations.creation import (
    arange as arange,
)
from .frontend.operations.creation import (
    eye as eye,
)
from .frontend.operations.creation import (
    full as full,
)
from .frontend.operations.creation import (
    full_like as full_like,
)
from .frontend.operations.creation import (
    linspace as linspace,
)
from .frontend.operations.creation import (
    ones as ones,
)
from .frontend.operations.creation import (
    ones_like as ones_like,
)
from .frontend.operations.creation import (
    tensor as tensor,
)
from .frontend.operations.creation import (
    tril as tril,
)
from .frontend.operations.creation import (
    triu as triu,
)
from .frontend.operations.creation import (
    zeros as zeros,
)
from .frontend.operations.creation import (
    zeros_like as zeros_like,
)
from .frontend.operations.products import (
    matmul as matmul,
)
from .frontend.operations.shaping import (
    cat as cat,
)
from .frontend.operations.shaping import (
    flip as flip,
)
from .frontend.operations.shaping import (
    stack as stack,
)
from .frontend.random import (
    Generator as Generator,
)
from .frontend.random import (
    manual_seed as manual_seed,
)
from .frontend.random import (
    rand as rand,
)
from .frontend.random import (
    randn as randn,
)
from .frontend.tensor import (
    Tensor as Tensor,
)
from .frontend.transforms import (
    grad as grad,
)
from .frontend.transforms import (
    hessian as hessian,
)
from .frontend.transforms import (
    jacobian as jacobian,
)
from .frontend.transforms import (
    jvp as jvp,
)
from .frontend.transforms import (
    value_and_grad as value_and_grad,
)
from .frontend.transforms import (
    vjp as vjp,
)
from .frontend.vmap import (
    vmap as vmap,
)
from .ir.types import (
    DType as DType,
)
from .microscope import (
    scope as scope,
)
from .modalities.audio import (
    fit_audio as fit_audio,
)
from .modalities.doors import (
    cross_validate as cross_validate,
)
from .modalities.doors import (
    fit as fit,
)
from .modalities.doors import (
    load_run as load_run,
)
from .modalities.doors import (
    resume as resume,
)
from .modalities.images import (
    fit_images as fit_images,
)
from .modalities.series import (
    fit_series as fit_series,
)
from .modalities.tables import (
    fit_table as fit_table,
)
from .modalities.text import (
    fit_text as fit_text,
)
from .nn.stateless import (
    functional_call as functional_call,
)
from .nn.stateless import (
    stack_module_state as stack_module_state,
)
from .nonfinite import (
    find_nonfinite as find_nonfinite,
)
from .runtime.processors import (
    get_num_threads as get_num_threads,
)
from .runtime.processors import (
    set_num_threads as set_num_threads,
)
from .testing import (
    check_grads as check_grads,
)
from .train import (
    Callback as Callback,
)
from .train import (
    Checkpoints as Checkpoints,
)
from .train import (
    EarlyStopping as EarlyStopping,
)
from .train import (
    History as History,
)
from .train import (
    Metric as Metric,
)
from .train import (
    Observe as Observe,
)
from .train import (
    Trainer as Trainer,
)
from .train import (
    callbacks as callbacks,
)
from .train import (
    load as load,
)
from .train import (
    save as save,
)
from .tuning import (
    Tuned as Tuned,
)
from .tuning import (
    TuningListener as TuningListener,
)
from .tuning import (
    tune as tune,
)
from .version import (
    __version__ as __version__,
)
