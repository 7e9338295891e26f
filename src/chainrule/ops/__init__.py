"""Level 3: the primitives. Importing this package declares all of them.

Each is callable on nodes, arrays positional and parameters by keyword: ``add(a, b)``,
``reshape(x, shape=(2, 3))``. A trailing underscore (``and_``) keeps clear of Python's keywords.
"""

from .attention import (
    attention,
    attention_dk,
    attention_dm,
    attention_dq,
    attention_dv,
    attention_lse,
)
from .contract import dot, dot_tree
from .control import assign, detour, fence
from .convolution import conv, conv_wgrad
from .cross_entropy import (
    cross_entropy,
    cross_entropy_db,
    cross_entropy_dw,
    cross_entropy_dx,
    cross_entropy_lse,
)
from .elementwise import (
    add,
    and_,
    cast,
    cos,
    div,
    eq,
    erf,
    exp,
    le,
    log,
    log1p,
    lt,
    mul,
    neg,
    not_,
    or_,
    select,
    shl,
    shr,
    sin,
    sqrt,
    sub,
    tail,
    tanh,
    xor,
)
from .elementwise import max_ as max
from .elementwise import pow_ as pow
from .indexing import gather, scatter, scatter_add
from .loops import item, scan
from .movement import broadcast, concat, pad, reshape, transpose
from .movement import slice_ as slice
from .random import rng_bits, rng_words, threefry2x32
from .reduce import reduce_max, reduce_sum, tree_sum
from .sources import const, iota
from .sources import input_ as input

__all__ = [
    "add",
    "and_",
    "assign",
    "attention",
    "attention_dk",
    "attention_dm",
    "attention_dq",
    "attention_dv",
    "attention_lse",
    "broadcast",
    "cast",
    "concat",
    "const",
    "conv",
    "conv_wgrad",
    "cos",
    "cross_entropy",
    "cross_entropy_db",
    "cross_entropy_dw",
    "cross_entropy_dx",
    "cross_entropy_lse",
    "detour",
    "div",
    "dot",
    "dot_tree",
    "eq",
    "erf",
    "exp",
    "fence",
    "gather",
    "input",
    "iota",
    "item",
    "le",
    "log",
    "log1p",
    "lt",
    "max",
    "mul",
    "neg",
    "not_",
    "or_",
    "pad",
    "pow",
    "reduce_max",
    "reduce_sum",
    "reshape",
    "rng_bits",
    "rng_words",
    "scan",
    "scatter",
    "scatter_add",
    "select",
    "shl",
    "shr",
    "sin",
    "slice",
    "sqrt",
    "sub",
    "tail",
    "tanh",
    "threefry2x32",
    "transpose",
    "tree_sum",
    "xor",
]
