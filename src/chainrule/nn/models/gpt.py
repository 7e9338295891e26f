"""A language model: attention to what came before, token by token."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...errors import ShapeError
from ...frontend.functional.activations import setting
from ...frontend.functional.windows import whole
from ...frontend.modes import user_line
from ...frontend.tensor import Tensor
from .. import init
from ..caching import KeyValues
from ..dropout import Dropout
from ..embedding import Embedding
from ..linear import Linear
from ..module import Module, as_tensor, zero_buffer
from ..norm import LayerNorm
from ..positions import LearnedPositions, RotaryPositions, SinusoidalPositions
from ..transformer import TransformerEncoder
from ..transformer_layers import TransformerEncoderLayer

POSITIONS = ("learned", "sinusoidal", "rotary")


class GPTState(NamedTuple):
    """What was read: how many tokens, and the keys and values of each layer."""

    position: Tensor
    layers: tuple[KeyValues, ...]


class GPT(Module):
    """Scores [batch, steps, vocabulary] of the token after each of tokens i32 [batch, steps].

    Embeddings and positions, ``layers`` pre-norm blocks of causal attention and of a network four
    times as wide with GELU, a norm, and a layer of scores, which with ``tied`` shares the weight of
    the embedding. ``positions`` are "learned", "sinusoidal" or "rotary". Radford et al., 2019,
    "Language models are unsupervised multitask learners"; first values are theirs: normal with
    deviation 0.02, of what is added to the stream 0.02 / sqrt(2 * layers), biases 0.

    `step` reads token by token, with what was read in a state of fixed size: see `nn.generate`.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int = 64,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        *,
        bias: bool = True,
        tied: bool = True,
        positions: str = "learned",
    ) -> None:
        super().__init__()
        setting("positions", positions, positions in POSITIONS, " or ".join(map(repr, POSITIONS)))
        self.context = whole("context of GPT", context)
        self.tokens = Embedding(whole("vocabulary of GPT", vocabulary), width)
        self.positions: Module | None = None
        rotary = None
        if positions == "learned":
            self.positions = LearnedPositions(context, width, batch_first=True)
        elif positions == "sinusoidal":
            self.positions = SinusoidalPositions(context, width, batch_first=True)
        elif whole("width of GPT", width) % whole("heads of GPT", heads) == 0:
            rotary = RotaryPositions(context, width // heads)
        self.dropout = Dropout(dropout)
        block = TransformerEncoderLayer(
            width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True,
            bias=bias, rotary=rotary,
        )  # fmt: skip
        self.blocks = TransformerEncoder(block, layers, LayerNorm(width, bias=bias))
        self.head = Linear(width, vocabulary, bias=False)
        if tied:
            self.head.weight = self.tokens.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        added = 0.02 / math.sqrt(2 * self.blocks.num_layers)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                init.zeros_(parameter)
            elif parameter.ndim > 1:
                into_stream = name.endswith(("out_proj.weight", "linear2.weight"))
                init.normal_(parameter, std=added if into_stream else 0.02)
            else:
                init.ones_(parameter)

    def forward(self, tokens: Any) -> Tensor:
        """The scores after each token; `ShapeError` for more tokens than the context holds."""
        logits: Tensor = self.head(self.features(tokens))
        return logits

    def features(self, tokens: Any) -> Tensor:
        """What the layer of scores reads, [batch, steps, width]: with a large vocabulary, train by
        `F.linear_cross_entropy(model.features(tokens), model.head.weight, targets)`.
        """
        tokens = self._checked(tokens)
        x: Tensor = self.blocks(self._embedded(tokens, 0), is_causal=True)
        return x

    def new_state(self, batch: int) -> GPTState:
        """The state before the first token."""
        position = zero_buffer((), np.int32)
        return GPTState(position, self.blocks.new_cache(batch, self.context))

    def step(self, tokens: Any, state: GPTState) -> tuple[Tensor, GPTState]:
        """The scores [batch, vocabulary] after the last of the next tokens, and the new state.

        `ShapeError` for more tokens than the context holds; in a compiled function, where nobody
        can be told, scores are NaN.
        """
        tokens, position = self._checked(tokens), as_tensor(state.position)
        x, layers = self.blocks.with_cache(self._embedded(tokens, position), state.layers, position)
        logits: Tensor = self.head(x[:, -1])
        return logits, GPTState(position + tokens.shape[1], layers)

    def _embedded(self, tokens: Tensor, position: Any) -> Tensor:
        x = self.tokens(tokens)
        x = x if self.positions is None else self.positions(x, position)
        dropped: Tensor = self.dropout(x)
        return dropped

    def _checked(self, value: Any) -> Tensor:
        tokens: Tensor = as_tensor(value)
        if tokens.ndim != 2 or not 1 <= tokens.shape[1] <= self.context:
            raise ShapeError(
                f"tokens have shape {tokens.shape}",
                where=user_line(),
                help=f"pass [batch, steps], with 1 to {self.context} steps",
            )
        return tokens
