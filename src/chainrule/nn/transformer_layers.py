"""A layer of a transformer: attention, then a small network for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..frontend.functional.activations import gelu, relu, setting
from ..frontend.tensor import Tensor
from . import init
from .attention import MultiheadAttention
from .caching import DecoderCache, KeyValues
from .dropout import Dropout
from .linear import Linear
from .module import Module, as_tensor
from .norm import LayerNorm
from .positions import RotaryPositions

Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {"relu": relu, "gelu": gelu}


class TransformerLayer(Module):
    """What layers of both kinds share: the network of each step, and where norms stand."""

    #: attentions and the network
    parts: ClassVar[int]
    norm1: LayerNorm
    norm2: LayerNorm
    norm3: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout
    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rotary: RotaryPositions | None = None,
    ) -> None:
        super().__init__()
        legal = callable(activation) or activation in ACTIVATIONS
        setting("activation", activation, legal, "'relu', 'gelu' or a function of a Tensor")
        common: dict[str, Any] = {"bias": bias, "batch_first": batch_first}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, rotary=rotary, **common)
        if self.parts == 3:
            self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, **common)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        for i in range(1, self.parts + 1):
            self.register_module(f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for i in range(1, self.parts + 1):
            self.register_module(f"dropout{i}", Dropout(dropout))
        self.norm_first = bool(norm_first)
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for child in self.children():
            if isinstance(child, MultiheadAttention | Linear):
                child.reset_parameters()
            elif isinstance(child, LayerNorm):
                for parameter, value in ((child.weight, 1.0), (child.bias, 0.0)):
                    if parameter is not None:
                        init.constant_(parameter, value)

    def _add(self, x: Tensor, part: Activation, norm: Module, dropout: Module) -> Tensor:
        """x and what a ``part`` makes of it, normalised before or afterwards."""
        if self.norm_first:
            y: Tensor = x + dropout(part(norm(x)))
        else:
            y = norm(x + dropout(part(x)))
        return y

    def _feed_forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return y


class TransformerEncoderLayer(TransformerLayer):
    """Attention of a sequence to itself, then a network of each step (Vaswani et al., 2017).

        x = norm1(x + attention(x))                 x = x + attention(norm1(x))
        y = norm2(x + W_2 f(W_1 x))                 y = x + W_2 f(W_1 norm2(x))     ``norm_first``

    with biases and with dropout after f and after both parts. x is [steps, batch, d_model], with
    ``batch_first`` [batch, steps, d_model]; one row may come without batch. ``activation`` is
    "relu", "gelu" or a function. Masks are those of `MultiheadAttention`; ``rotary`` turns its
    queries and keys. The parameters are PyTorch's: self_attn, linear1, linear2, norm1, norm2.
    """

    parts = 2

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:
        """y."""

        def attention(x: Tensor) -> Tensor:
            result: tuple[Tensor, None] = self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )
            return result[0]

        return self._both_parts(as_tensor(src), attention)

    def _both_parts(self, x: Tensor, attention: Activation) -> Tensor:
        x = self._add(x, attention, self.norm1, self.dropout1)
        return self._add(x, self._feed_forward, self.norm2, self.dropout2)

    def new_cache(self, batch: int, length: int) -> KeyValues:
        """Room for ``length`` steps of ``batch`` rows."""
        return self.self_attn.new_cache(batch, length)

    def with_cache(self, src: Any, cache: KeyValues, position: Any) -> tuple[Tensor, KeyValues]:
        """y for the steps from ``position`` on, as ``is_causal`` has it, and the cache with them.

        See `MultiheadAttention.with_cache`.
        """
        kept = [cache]

        def attention(x: Tensor) -> Tensor:
            y, kept[0] = self.self_attn.with_cache(x, cache, position)
            return y

        return self._both_parts(as_tensor(src), attention), kept[0]


class TransformerDecoderLayer(TransformerLayer):
    """A `TransformerEncoderLayer` with attention to a ``memory`` between its two parts.

    The memory is [steps of the memory, batch, d_model], or as ``batch_first`` says. Masks are those
    of `MultiheadAttention`, for both attentions. The parameters are PyTorch's: self_attn,
    multihead_attn, linear1, linear2, norm1, norm2, norm3.
    """

    parts = 3

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """y, as long as ``tgt``."""
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self._attending(False, tgt, memory, *masks, tgt_is_causal, memory_is_causal)[0]

    def with_weights(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """What `forward` gives for the same arguments, and with which weights [batch, T, S] it
        looked at the memory, means over the heads.
        """
        y, weights = self._attending(True, *args, **kwargs)
        assert weights is not None
        return y, weights

    def _attending(
        self,
        need_weights: bool,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        memory = as_tensor(memory)
        weights: list[Tensor | None] = []

        def own(x: Tensor) -> Tensor:
            result: tuple[Tensor, None] = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )
            return result[0]

        def other(x: Tensor) -> Tensor:
            result: tuple[Tensor, Tensor | None] = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, need_weights, memory_mask,
                is_causal=memory_is_causal,
            )  # fmt: skip
            weights.append(result[1])
            return result[0]

        return self._three_parts(as_tensor(tgt), own, other), weights[0]

    def _three_parts(self, x: Tensor, own: Activation, other: Activation) -> Tensor:
        x = self._add(x, own, self.norm1, self.dropout1)
        x = self._add(x, other, self.norm2, self.dropout2)
        return self._add(x, self._feed_forward, self.norm3, self.dropout3)

    def new_cache(self, memory: Any, length: int) -> DecoderCache:
        """Room for ``length`` steps, beside keys and values of the whole ``memory``."""
        known = self.multihead_attn.remember(memory)
        return DecoderCache(self.self_attn.new_cache(known.keys.shape[0], length), known)

    def with_cache(
        self, tgt: Any, cache: DecoderCache, position: Any, memory_key_padding_mask: Any = None
    ) -> tuple[Tensor, DecoderCache]:
        """y for the steps from ``position`` on, as ``tgt_is_causal`` has it, and the cache with
        them. See `MultiheadAttention.with_cache`.
        """
        kept = [cache.own]

        def own(x: Tensor) -> Tensor:
            y, kept[0] = self.self_attn.with_cache(x, cache.own, position)
            return y

        def other(x: Tensor) -> Tensor:
            return self.multihead_attn.recall(x, cache.memory, memory_key_padding_mask)

        y = self._three_parts(as_tensor(tgt), own, other)
        return y, DecoderCache(kept[0], cache.memory)
