"""The Tensor: an array of numbers that remembers how it was computed.

Operations run at once, or are recorded while a compiled function is traced. Every operation gives
a new value: unlike in PyTorch, a result never changes because the Tensor it was cut from does. The
other way is PyTorch's: what is written to a piece reaches the Tensor it was cut from.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from .. import ops
from ..errors import DTypeError, GradientError
from ..ir.memory import aligned_copy
from ..ir.types import Array, DType
from . import in_place
from .apply import apply, new_tensor, tensor_of
from .assign import assign
from .backward import backward
from .functional import activations
from .modes import thread, user_line
from .operations import arithmetic, cutting, indexing, products, reductions, shaping
from .operations.creation import DTypeLike, dtype_of, shape_of, tril, triu
from .storage import Storage

Number = bool | float
Whole = int


class Tensor(Storage):
    """An n-dimensional array that can be differentiated.

    Made by `chainrule.tensor`, by operations, and by modules for their parameters.
    ``Tensor(data)`` copies array-likes as float32, as PyTorch's does; `chainrule.tensor` keeps
    whole numbers whole.
    """

    __slots__ = ()
    __array_priority__ = 1000  # ndarray + Tensor is a Tensor
    __hash__ = object.__hash__  # by identity, although == compares elements

    def __init__(self, data: Any, *, requires_grad: Number = False) -> None:
        if isinstance(data, int) and not isinstance(data, bool):
            raise DTypeError(
                f"Tensor({data}) is {data} elements of anything in PyTorch",
                where=user_line(),
                help=f"write cr.tensor({data}) for the number, cr.zeros({data}) for the elements",
            )
        made = arithmetic.cast(new_tensor(data), DType.f32)
        self._set(made._array, made._node, False)
        self.requires_grad = bool(requires_grad)

    # ------------------------------------------------------------------------- out of here

    def numpy(self) -> Array:
        """The numbers, as an array of their own: later changes of this Tensor do not show.

        Also of a Tensor that requires a gradient, which ends here.
        """
        return self.concrete.copy()

    def item(self) -> Number:
        """The number of a Tensor that has one element."""
        return cast(Number, self.single.item())

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.concrete.tolist()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        array = self.concrete
        if self.requires_grad and thread.grad:
            raise GradientError(
                "NumPy would drop the gradient of this Tensor",
                where=user_line(),
                help="use operations of cr, such as cr.exp(x) and cr.stack([x, y]), or say that "
                "the gradient ends here: x.numpy()",
            )
        if copy is False:
            raise ValueError("the values of a Tensor are returned as a copy")
        return np.array(array, dtype=dtype or array.dtype)

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.concrete.copy(order="K"), self.requires_grad)

    def __bool__(self) -> Any:
        return bool(self.single.item())

    def __float__(self) -> Any:
        return float(self.single.item())

    def __int__(self) -> Whole:
        return int(self.single.item())

    def __index__(self) -> Whole:
        return self.concrete.__index__()

    def __len__(self) -> Whole:
        if not self.shape:
            raise TypeError("a single number has no length")
        return self.shape[0]

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    @property
    def _without_numbers(self) -> bool:
        return self.is_traced or thread.trace is not None

    def __repr__(self) -> str:
        if self._without_numbers:
            return f"Tensor(traced, shape={self.shape}, dtype={self.dtype!r})"
        text = np.array2string(self.concrete, separator=", ", prefix="Tensor(", threshold=200)
        kind = "" if self.dtype in (DType.f32, DType.i32, DType.bool) else f", {self.dtype!r}"
        return f"Tensor({text}{kind}{', requires_grad=True' if self.requires_grad else ''})"

    def __format__(self, spec: str) -> str:
        # Without a spec a message of a function that is being compiled shows what print() does.
        unknown = self._without_numbers and not spec
        return format(self.item() if self.shape == () and not unknown else repr(self), spec)

    def numel(self) -> Whole:
        """Number of elements."""
        return math.prod(self.shape)

    def size(self, dim: Whole | None = None) -> Any:
        """The shape, or the length of one axis."""
        return self.shape if dim is None else self.shape[shaping.axis_of(dim, self.ndim)]

    def dim(self) -> Whole:
        """Number of axes."""
        return self.ndim

    # --------------------------------------------------------------------------- gradients

    def backward(
        self, gradient: Tensor | Array | None = None, *, create_graph: Number = False
    ) -> None:
        """Add the derivatives of this Tensor to ``.grad`` of every leaf it was computed from.

        A Tensor of several elements needs ``gradient``, the weights of its elements. With
        ``create_graph`` the gradients can be differentiated again.
        """
        backward(self, gradient, bool(create_graph))

    def requires_grad_(self, requires_grad: Number = True) -> Tensor:
        """Set ``requires_grad``; returns the Tensor."""
        self.requires_grad = bool(requires_grad)
        return self

    detach = cutting.detach

    def clone(self) -> Tensor:
        """A Tensor of its own with the same value; derivatives pass."""
        return apply(ops.reshape, self, shape=self.shape)

    # -------------------------------------------------------------------------- in place

    def assign_(self, value: Any) -> Tensor:
        """Make ``value`` (stretched and cast to this shape and dtype) the content; returns self.

        Outside of compiled functions it is copied into the same memory. Inside, it is what this
        Tensor holds from here on, and, if the Tensor exists outside, after the call.
        """
        return assign(self, value)

    def copy_(self, value: Any) -> Tensor:
        """`assign_` by PyTorch's name."""
        return self.assign_(value)

    def zero_(self) -> Tensor:
        """All elements 0."""
        return self.assign_(0)

    def fill_(self, value: Number) -> Tensor:
        """All elements ``value``."""
        return self.assign_(value)

    __iadd__ = add_ = in_place.add_
    __isub__ = sub_ = in_place.sub_
    __imul__ = mul_ = in_place.mul_
    __itruediv__ = div_ = in_place.div_
    __ipow__ = pow_ = in_place.pow_
    __iand__ = in_place.and_
    __ior__ = in_place.or_
    __ixor__ = in_place.xor_
    __setitem__ = in_place.put
    clamp_ = in_place.clamp_

    # -------------------------------------------------------------------------- operators

    __add__ = arithmetic.add
    __sub__ = arithmetic.sub
    __mul__ = arithmetic.mul
    __truediv__ = arithmetic.div
    __pow__ = arithmetic.power
    __matmul__ = matmul = products.matmul
    __neg__ = arithmetic.negative
    __abs__ = arithmetic.absolute
    __and__ = arithmetic.bitwise_and
    __or__ = arithmetic.bitwise_or
    __xor__ = arithmetic.bitwise_xor
    __radd__ = arithmetic.add
    __rmul__ = arithmetic.mul
    __lt__ = lt = arithmetic.less
    __le__ = le = arithmetic.less_equal
    # Comparisons of Tensors are element by element, those of objects are a bool.
    __ne__ = ne = arithmetic.not_equal  # type: ignore[assignment]
    __getitem__ = cutting.get

    def __eq__(self, other: object) -> Any:
        # What is no operand is refused there.
        return arithmetic.equal(self, other)  # type: ignore[arg-type]

    def __gt__(self, other: Any) -> Tensor:
        return arithmetic.less(other, self)

    def __ge__(self, other: Any) -> Tensor:
        return arithmetic.less_equal(other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic.sub(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return arithmetic.power(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return products.matmul(tensor_of(other), self)

    def __invert__(self) -> Tensor:
        return arithmetic.invert(self)

    # ------------------------------------------------------------- element by element

    eq = arithmetic.equal
    gt, ge = __gt__, __ge__
    add = arithmetic.add
    sub = arithmetic.sub
    mul = arithmetic.mul
    div = arithmetic.div
    pow = arithmetic.power
    maximum = arithmetic.maximum
    minimum = arithmetic.minimum
    neg = arithmetic.negative
    abs = arithmetic.absolute
    sign = arithmetic.sign
    exp = arithmetic.exp
    expm1 = arithmetic.expm1
    log = arithmetic.log
    log1p = arithmetic.log1p
    sqrt = arithmetic.sqrt
    square = arithmetic.square
    reciprocal = arithmetic.reciprocal
    erf = arithmetic.erf
    sin = arithmetic.sin
    cos = arithmetic.cos
    tanh = arithmetic.tanh
    sigmoid = arithmetic.sigmoid
    clamp = arithmetic.clamp
    isnan = arithmetic.isnan
    isfinite = arithmetic.isfinite
    logical_not = arithmetic.logical_not
    relu = activations.relu
    softmax = activations.softmax
    log_softmax = activations.log_softmax
    masked_fill = indexing.masked_fill

    def rsqrt(self) -> Tensor:
        """1 / sqrt(x)."""
        return arithmetic.power(self, -0.5)

    def where(self, condition: Any, other: Any) -> Tensor:
        """This where ``condition`` holds, else ``other``."""
        return arithmetic.where(condition, self, other)

    # ------------------------------------------------------------------------- reductions

    sum = reductions.sum
    mean = reductions.mean
    var = reductions.var
    std = reductions.std
    amax = reductions.amax
    amin = reductions.amin
    max = reductions.max
    min = reductions.min
    argmax = reductions.argmax
    argmin = reductions.argmin
    any = reductions.any
    all = reductions.all
    logsumexp = reductions.logsumexp
    norm = reductions.norm
    prod = reductions.prod
    cumsum = reductions.cumsum

    # ----------------------------------------------------------------------------- shapes

    reshape = view = cutting.reshape
    flatten = cutting.flatten
    permute = cutting.permute
    transpose = cutting.transpose
    movedim = cutting.movedim
    unsqueeze = cutting.unsqueeze
    squeeze = cutting.squeeze
    expand = cutting.expand
    split = cutting.split
    chunk = cutting.chunk
    unbind = cutting.unbind
    tril, triu = tril, triu

    def flip(self, *dims: Any) -> Tensor:
        """In reverse order along ``dims``: a copy."""
        return shaping.flip(self, shape_of(dims))

    def expand_as(self, other: Tensor) -> Tensor:
        """Stretched to the shape of ``other``."""
        return self.expand(other.shape)

    def view_as(self, other: Tensor) -> Tensor:
        """In the shape of ``other``."""
        return self.reshape(other.shape)

    def index_select(self, dim: Whole, index: Any) -> Tensor:
        """Slices along ``dim`` at ``index``."""
        return indexing.take(self, index, dim)

    @property
    def T(self) -> Tensor:
        """Axes in reverse order."""
        return self.permute(*range(self.ndim)[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return self.transpose(-1, -2)

    def contiguous(self) -> Tensor:
        """This Tensor: layout in memory is the compiler's business."""
        return self

    # ----------------------------------------------------------------------------- dtypes
    # From here on `float`, `int` and `bool` are methods in this class; annotations above
    # use Number and Whole.

    def to(self, dtype: DTypeLike) -> Tensor:
        """In another dtype."""
        return arithmetic.cast(self, dtype_of(dtype))

    type = to

    def type_as(self, other: Tensor) -> Tensor:
        """In the dtype of ``other``."""
        return arithmetic.cast(self, other.dtype)

    def float(self) -> Tensor:
        """As float32."""
        return arithmetic.cast(self, DType.f32)

    def int(self) -> Tensor:
        """As int32."""
        return arithmetic.cast(self, DType.i32)

    long = int

    def bool(self) -> Tensor:
        """Whether elements are not zero."""
        return arithmetic.cast(self, DType.bool)


def _rebuilt(kind: Any, array: Array, requires_grad: Any) -> Tensor:
    """A Tensor copied or read back."""
    tensor: Tensor = kind.__new__(kind)
    tensor._set(aligned_copy(array), None, requires_grad)
    return tensor


Storage.tensor_type = Tensor
