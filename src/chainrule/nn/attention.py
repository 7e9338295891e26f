"""Attention of several heads, with PyTorch's parameters, and with a memory of what was read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigError, DTypeError, ShapeError
from ..frontend.functional.activations import setting
from ..frontend.functional.attention import attend, causal, scaled_dot_product_attention
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations.arithmetic import broadcast_to, less_equal, logical_not, where
from ..frontend.operations.creation import iota, zeros
from ..frontend.operations.products import linear
from ..frontend.operations.shaping import cat, permute, reshape, split, transpose
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from ..ir.types import DType
from . import init
from .caching import KeyValues, position_of, room_for, written
from .linear import Linear
from .masks import allowing, both, hiding
from .module import Module, Parameter, as_tensor, new_parameter
from .positions import RotaryPositions
from .recurrent import new_bias, new_weight

Three = tuple[Tensor, Tensor, Tensor]


class MultiheadAttention(Module):
    """Attention in ``num_heads`` subspaces at once (Vaswani et al., 2017).

        head_i = softmax(Q_i K_iᵀ / sqrt(width) + mask) V_i      width = embed_dim / num_heads
        y      = W_out [head_1, ..., head_h] + b_out

    with Q = W_q query + b_q, K = W_k key + b_k, V = W_v value + b_v. Query [L, batch, embed_dim],
    key [S, batch, kdim] and value [S, batch, vdim] give [L, batch, embed_dim]; with
    ``batch_first`` the batch comes first; one row may come without it. Called as
    ``forward(query, key, value)`` it returns y and the weights [batch, L, S], means over the heads
    or, without ``average_attn_weights``, [batch, heads, L, S]; without ``need_weights`` None.

    Masks are PyTorch's, the other way round than those of `scaled_dot_product_attention`:
    ``attn_mask`` [L, S] or [batch * heads, L, S] and ``key_padding_mask`` [batch, S] are True for
    what must **not** be attended to; real numbers are added to the scores. ``is_causal`` also hides
    the keys behind each query, whether or not there is a mask. A query from which everything is
    hidden gets zeros (PyTorch's weights are then NaN), so y is b_out.

    Parameters: in_proj_weight [3 * embed_dim, embed_dim] (with ``kdim`` or ``vdim`` q_proj_weight,
    k_proj_weight and v_proj_weight), in_proj_bias, out_proj, and with ``add_bias_kv`` bias_k and
    bias_v, one more key and value; ``add_zero_attn`` adds one of zeros. Matrices are Xavier uniform
    at first, biases 0. ``dropout`` drops weights in training. ``rotary`` turns queries and keys by
    where they stand.

    `ConfigError` if the heads do not divide ``embed_dim``.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        rotary: RotaryPositions | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.embed_dim = whole(f"embed_dim of {name}", embed_dim)
        self.num_heads = whole(f"num_heads of {name}", num_heads)
        self.kdim = self.embed_dim if kdim is None else whole(f"kdim of {name}", kdim)
        self.vdim = self.embed_dim if vdim is None else whole(f"vdim of {name}", vdim)
        if self.embed_dim % self.num_heads:
            raise ConfigError(
                f"{self.num_heads} heads cannot share {self.embed_dim} features",
                where=user_line(),
                help="num_heads must divide embed_dim",
            )
        self.head_dim = self.embed_dim // self.num_heads
        number = isinstance(dropout, int | float | np.number) and 0.0 <= dropout <= 1.0
        setting("dropout", dropout, number, "a probability, from 0 to 1")
        self.dropout, self.batch_first = float(dropout), bool(batch_first)
        self.add_zero_attn = bool(add_zero_attn)
        self._register(bool(bias), bool(add_bias_kv))
        self.rotary = rotary
        if rotary is not None:
            rotary.check_width(self.head_dim)
        self.reset_parameters()

    def _register(self, bias: bool, add_bias_kv: bool) -> None:
        """The parameters, in PyTorch's order."""
        size = self.embed_dim
        joint = self.kdim == self.vdim == size
        self.register_parameter("in_proj_weight", new_weight(3 * size, size) if joint else None)
        for letter, features in (("q", size), ("k", self.kdim), ("v", self.vdim)):
            weight = None if joint else new_weight(size, features)
            self.register_parameter(f"{letter}_proj_weight", weight)
        self.register_parameter("in_proj_bias", new_bias(3 * size) if bias else None)
        self.out_proj = Linear(size, size, bias=bias)
        for name in ("bias_k", "bias_v"):
            one = aligned_empty((1, 1, size), np.float32)
            self.register_parameter(name, new_parameter(one) if add_bias_kv else None)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """y, and the weights, or None without ``need_weights``."""
        query, key, value = self._checked(query, key, value)
        alone = query.ndim == 2
        q, k, v = self._projected(query, key, value)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        rows, queries, keys = q.shape[0], q.shape[2], k.shape[2]
        hidden = self._hidden(attn_mask, key_padding_mask, rows, queries, keys, alone)
        if self.bias_k is not None or self.add_zero_attn:
            if is_causal:  # before there are keys that stand behind all queries
                hidden, is_causal = both(hidden, logical_not(causal(queries, keys))), False
            k, v, hidden = self._with_more(k, v, hidden)
        mask = allowing(hidden)
        if not need_weights:
            return self._joined(self._heads(q, k, v, mask, is_causal), alone), None
        heads, weights = attend(q, k, v, mask, self._dropping(), is_causal)
        y = self._joined(heads, alone)
        weights = weights.mean(1) if average_attn_weights else weights
        return y, weights[0] if alone else weights

    def _heads(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        """What each head says, for a mask as functions have it; the weights are in no memory."""
        return scaled_dot_product_attention(q, k, v, mask, self._dropping(), is_causal)

    def _dropping(self) -> float:
        return self.dropout if self.training else 0.0

    def _joined(self, heads: Tensor, alone: bool) -> Tensor:
        """y, as the query lay."""
        joined = permute(heads, (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))
        steps = (heads.shape[2],) if alone else joined.shape[:2]
        y: Tensor = self.out_proj(reshape(joined, (*steps, self.embed_dim)))
        return y

    # ---------------------------------------------------------------------------- the inputs

    def _checked(self, query: Any, key: Any, value: Any) -> Three:
        """The three as Tensors that fit one another; what is one object stays one."""
        q = as_tensor(query)
        k = q if key is query else as_tensor(key)
        v = q if value is query else k if value is key else as_tensor(value)
        self._check("query", q, self.embed_dim, (2, 3))
        self._check("key", k, self.kdim, (q.ndim,))
        self._check("value", v, self.vdim, (q.ndim,))
        if k.shape[:-1] != v.shape[:-1]:
            raise ShapeError(
                f"keys of shape {k.shape} and values of shape {v.shape} do not fit",
                where=user_line(),
                help="each key stands for one value: all axes but the last must agree",
            )
        axis = 0 if self.batch_first else 1
        if q.ndim == 3:
            _same_rows(q.shape[axis], k.shape[axis])
        return q, k, v

    def _check(self, name: str, x: Tensor, features: int, ndims: tuple[int, ...]) -> None:
        """`DTypeError` or `ShapeError` unless ``x`` is what the layer reads."""
        if x.dtype is not DType.f32:
            raise DTypeError(
                f"the {name} has dtype {x.dtype!r}, but attention needs real numbers",
                where=user_line(),
                help="convert it with x.astype(np.float32), or x.float() for a Tensor",
            )
        if x.ndim not in ndims or x.shape[-1] != features:
            order = "batch, steps" if self.batch_first else "steps, batch"
            batch, row = f"[{order}, {features}]", f"[steps, {features}]"
            known: dict[tuple[int, ...], str] = {(2,): f"{row}, as the query", (3,): batch}
            raise ShapeError(
                f"the {name} has shape {x.shape}",
                where=user_line(),
                help=f"pass {known.get(ndims, f'{batch}, or of one row {row}')}",
            )

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> Three:
        """Queries, keys and values by heads; inputs that are the same share one product."""
        if self.in_proj_weight is not None and query is key and key is value:
            y = linear(query, self.in_proj_weight, self.in_proj_bias)
            q, k, v = (self._by_heads(part) for part in split(y, self.embed_dim, -1))
            return q, k, v
        return self._by_heads(linear(query, *self._part(0, 1))), *self._read(key, value)

    def _read(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values by heads."""
        if self.in_proj_weight is not None and key is value:
            parts = split(linear(key, *self._part(1, 3)), self.embed_dim, -1)
        else:
            parts = linear(key, *self._part(1, 2)), linear(value, *self._part(2, 3))
        k, v = map(self._by_heads, parts)
        return k, v

    def _part(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of what is projected: 0 is the query, 1 the key, 2 the value."""
        rows = slice(start * self.embed_dim, stop * self.embed_dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        if self.in_proj_weight is not None:
            return self.in_proj_weight[rows], bias
        return (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[start], bias

    def _by_heads(self, x: Tensor) -> Tensor:
        """[batch, heads, steps, width]."""
        if x.ndim == 2:
            x = x.unsqueeze(0 if self.batch_first else 1)
        x = reshape(x, (*x.shape[:2], self.num_heads, self.head_dim))
        return permute(x, (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _with_more(
        self, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys and values with those that were learned, and with zeros; no mask hides them."""
        one = (k.shape[0], self.num_heads, 1, self.head_dim)
        if self.bias_k is not None and self.bias_v is not None:
            shape = (1, *one[1:])
            k = cat([k, broadcast_to(reshape(self.bias_k, shape), one)], 2)
            v = cat([v, broadcast_to(reshape(self.bias_v, shape), one)], 2)
        if self.add_zero_attn:
            k, v = cat([k, zeros(*one)], 2), cat([v, zeros(*one)], 2)
        if mask is not None:
            more = k.shape[2] - mask.shape[-1]
            mask = cat([mask, zeros(*mask.shape[:-1], more, dtype=mask.dtype)], -1)
        return k, v, mask

    def _hidden(
        self, attn_mask: Any, padding: Any, rows: int, queries: int, keys: int, alone: bool
    ) -> Tensor | None:
        """Both masks as one that stretches to [rows, heads, queries, keys]."""
        of_pairs = of_keys = None
        if attn_mask is not None:
            shapes = (queries, keys), (rows * self.num_heads, queries, keys)
            of_pairs = hiding("attn_mask", attn_mask, shapes)
            if of_pairs.ndim == 3:
                of_pairs = reshape(of_pairs, (rows, self.num_heads, queries, keys))
        if padding is not None:
            of_keys = hiding("key_padding_mask", padding, ((keys,) if alone else (rows, keys),))
            of_keys = reshape(of_keys, (rows, 1, 1, keys))
        return both(of_pairs, of_keys)

    # ------------------------------------------------------------------ what was read before

    def new_cache(self, batch: int, length: int) -> KeyValues:
        """Room for ``length`` steps of ``batch`` rows, with nothing in it."""
        if self.bias_k is not None or self.add_zero_attn or self.in_proj_weight is None:
            raise ConfigError(
                "a cache is for plain attention of a sequence to itself",
                where=user_line(),
                help="leave out kdim, vdim, add_bias_kv and add_zero_attn",
            )
        if self.rotary is not None and length > self.rotary.length:
            raise ConfigError(
                f"a cache of {length} steps, but there are {self.rotary.length} rotary positions",
                where=user_line(),
                help="pass a length that both have room for",
            )
        length = whole("length of a cache", length)
        rows, width = (whole("batch of a cache", batch), self.num_heads), self.head_dim
        return KeyValues(zeros(*rows, width, length), zeros(*rows, length, width))

    def with_cache(self, x: Any, cache: KeyValues, position: Any) -> tuple[Tensor, KeyValues]:
        """y for the steps x, the first of which stands at ``position``, and the cache with them.

        Each step attends to itself and to all before it, as ``is_causal`` has it in `forward`.
        ``position`` is one whole number, which may change without compiling anew. `ShapeError` if
        the cache has no room; in a compiled function, where nobody can be told, y is NaN.
        """
        x, _, _ = self._checked(x, x, x)
        position = position_of(position)
        q, k, v = self._projected(x, x, x)
        steps, length = q.shape[2], cache.keys.shape[3]
        _same_rows(q.shape[0], cache.keys.shape[0])
        fits = room_for(steps, length, position)
        if self.rotary is not None:
            q, k = self.rotary(q, position), self.rotary(k, position)
        keys = written(cache.keys, transpose(k, 2, 3), position, 3)
        values = written(cache.values, v, position, 2)
        shape = (steps, length)
        read = less_equal(iota(shape, 1), iota(shape, 0) + position)
        # One query of a row has few scores: all heads at once, instead of a tile of each in turn.
        heads, _ = attend(q, transpose(keys, 2, 3), values, read, self._dropping())
        y = self._joined(heads, x.ndim == 2)
        return where(fits, y, math.nan), KeyValues(keys, values)

    def remember(self, memory: Any) -> KeyValues:
        """Keys and values of a whole ``memory``, which `recall` attends to again and again."""
        memory = as_tensor(memory)
        self._check("key", memory, self.kdim, (2, 3))
        self._check("value", memory, self.vdim, (2, 3))
        k, v = self._read(memory, memory)
        return KeyValues(transpose(k, 2, 3), v)

    def recall(self, query: Any, memory: KeyValues, key_padding_mask: Any = None) -> Tensor:
        """The y of `forward` for the memory of which these are the keys and values."""
        query = as_tensor(query)
        self._check("query", query, self.embed_dim, (2, 3))
        q, alone = self._by_heads(linear(query, *self._part(0, 1))), query.ndim == 2
        rows, keys = memory.keys.shape[0], memory.keys.shape[3]
        _same_rows(q.shape[0], rows)
        hidden = self._hidden(None, key_padding_mask, rows, q.shape[2], keys, alone)
        k = transpose(memory.keys, 2, 3)
        return self._joined(self._heads(q, k, memory.values, allowing(hidden)), alone)

    def extra_repr(self) -> str:
        """Sizes, and what is not as usual."""
        usual = {"dropout": 0.0, "add_zero_attn": False, "batch_first": False}
        usual |= {"kdim": self.embed_dim, "vdim": self.embed_dim}
        told = [f"{k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        told += ["bias=False"] if self.in_proj_bias is None else []
        told += [] if self.bias_k is None else ["add_bias_kv=True"]
        return ", ".join([str(self.embed_dim), str(self.num_heads), *told])


def _same_rows(queries: int, keys: int) -> None:
    if queries != keys:
        raise ShapeError(
            f"{queries} rows of queries and {keys} rows of keys do not fit",
            where=user_line(),
            help="pass as many of both; batch_first says which axis they are",
        )
