"""Stacks of attention layers, and the transformer that translates."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..frontend.apply import from_array
from ..frontend.functional.activations import relu
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy
from . import init
from .caching import DecoderCache, KeyValues
from .container import ModuleList
from .module import Module, as_tensor
from .norm import LayerNorm
from .transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    TransformerLayer,
)


class _Stack(Module):
    """Copies of one layer, and a norm at the end."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.num_layers = whole(f"num_layers of {type(self).__name__}", num_layers)
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(self.num_layers)])
        self.norm = norm

    def reset_parameters(self) -> None:
        """Draw new initial values for all layers, which begin as copies of one."""
        for layer in self.layers.modules():
            if isinstance(layer, TransformerLayer):
                layer.reset_parameters()

    def _ended(self, x: Tensor) -> Tensor:
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """``num_layers`` copies of a layer, one after the other, and a ``norm`` at the end, if given.

    As in PyTorch the copies begin with the same numbers; ``reset_parameters()`` draws each anew.
    Masks are those of `TransformerEncoderLayer`, for all layers. (PyTorch looks at the numbers of a
    mask to see whether it is causal; say ``is_causal=True``, which needs no mask.)
    ``enable_nested_tensor`` and ``mask_check`` change nothing.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Any,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """y, as long as ``src``."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return self._ended(src)

    def new_cache(self, batch: int, length: int) -> tuple[KeyValues, ...]:
        """Room for ``length`` steps of ``batch`` rows in every layer."""
        return tuple(layer.new_cache(batch, length) for layer in _own(self.layers))

    def with_cache(
        self, src: Any, cache: Sequence[KeyValues], position: Any
    ) -> tuple[Tensor, tuple[KeyValues, ...]]:
        """y for the steps from ``position`` on, as ``is_causal`` has it, and the cache with them.

        See `MultiheadAttention.with_cache`.
        """
        kept = []
        for layer, of_layer in zip(_own(self.layers), cache, strict=True):
            src, new = layer.with_cache(src, of_layer, position)
            kept.append(new)
        return self._ended(src), tuple(kept)


class TransformerDecoder(_Stack):
    """``num_layers`` copies of a layer with attention to a memory, and a ``norm`` at the end.

    As in PyTorch the copies begin with the same numbers; ``reset_parameters()`` draws each anew.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """y, as long as ``tgt``."""
        memory = as_tensor(memory)
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                bool(tgt_is_causal), memory_is_causal,
            )  # fmt: skip
        return self._ended(tgt)

    def with_weights(self, tgt: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, list[Tensor]]:
        """What `forward` gives for the same arguments, and with which weights [batch, T, S] each
        layer looked at the memory, means over its heads.
        """
        weights = []
        for layer in _own(self.layers):
            tgt, of_layer = layer.with_weights(tgt, *args, **kwargs)
            weights.append(of_layer)
        return self._ended(tgt), weights

    def new_cache(self, memory: Any, length: int) -> tuple[DecoderCache, ...]:
        """Room for ``length`` steps, beside keys and values of the memory, in every layer."""
        return tuple(layer.new_cache(memory, length) for layer in _own(self.layers))

    def with_cache(
        self,
        tgt: Any,
        cache: Sequence[DecoderCache],
        position: Any,
        memory_key_padding_mask: Any = None,
    ) -> tuple[Tensor, tuple[DecoderCache, ...]]:
        """y for the steps from ``position`` on, as ``tgt_is_causal`` has it, and the cache with
        them. See `MultiheadAttention.with_cache`.
        """
        kept = []
        for layer, of_layer in zip(_own(self.layers), cache, strict=True):
            tgt, new = layer.with_cache(tgt, of_layer, position, memory_key_padding_mask)
            kept.append(new)
        return self._ended(tgt), tuple(kept)


def _own(layers: ModuleList) -> Iterator[Any]:
    """The layers; `ConfigError` for one that knows no cache."""
    for layer in layers:
        if not isinstance(layer, TransformerLayer):
            raise ConfigError(
                f"a {type(layer).__name__} keeps no cache",
                where=user_line(),
                help="use nn.TransformerEncoderLayer or nn.TransformerDecoderLayer",
            )
        yield layer


class Transformer(Module):
    """An encoder of the source, and a decoder of the target that attends to what it gives.

    Source [S, batch, d_model] and target [T, batch, d_model], with ``batch_first`` the batch first,
    give [T, batch, d_model]. Embeddings, positions and the layer of scores are yours to add.
    Matrices are Xavier uniform at first. Masks and parameters are PyTorch's: encoder.layers.0. ...,
    encoder.norm, decoder.layers.0. ..., decoder.norm. `ConfigError` if the heads do not divide
    ``d_model``. Vaswani et al., 2017, "Attention is all you need".
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        of_layer: tuple[Any, ...] = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias,
        )  # fmt: skip
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*of_layer),
            num_encoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias),
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*of_layer),
            num_decoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias),
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, bool(batch_first)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for all matrices."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """What the decoder gives for the target."""
        memory = self.encoder(src, src_mask, src_key_padding_mask, is_causal=src_is_causal)
        result: Tensor = self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
            tgt_is_causal, memory_is_causal,
        )  # fmt: skip
        return result

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> Tensor:
        """A mask [sz, sz] to add: 0 up to the diagonal, -inf above it.

        ``is_causal=True`` does the same without a mask.
        """
        size = whole("sz of generate_square_subsequent_mask", sz, least=0)
        above = np.triu(np.full((size, size), -math.inf, np.float32), 1)
        return from_array(aligned_copy(above))
