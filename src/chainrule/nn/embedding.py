"""Tables of learned vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, DTypeError
from ..frontend.functional.activations import setting
from ..frontend.functional.bags import MODES, embedding_bag
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.operations import products
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from . import init
from .module import Module, Parameter, as_tensor, new_parameter


class _Table(Module):
    """Rows of weight [num_embeddings, embedding_dim], of which one may stand for padding."""

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None) -> None:
        super().__init__()
        name = type(self).__name__
        num_embeddings = whole(f"num_embeddings of {name}", num_embeddings, least=0)
        embedding_dim = whole(f"embedding_dim of {name}", embedding_dim, least=0)
        if padding_idx is not None:
            padding_idx = whole(f"padding_idx of {name}", padding_idx, least=-num_embeddings)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ConfigError(
                f"padding_idx is {padding_idx}, but the table has {num_embeddings} rows"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = new_parameter(aligned_empty((num_embeddings, embedding_dim), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def extra_repr(self) -> str:
        """Sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Embedding(_Table):
    """Rows of weight [num_embeddings, embedding_dim], which is standard normal at first.

    The row ``padding_idx`` starts as zeros and gets no gradient. Outside of compiled functions an
    index that does not exist is a `ShapeError`; inside it reads the nearest row.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)

    def forward(self, indices: Any) -> Tensor:
        """Vectors at ``indices``: their shape and one more axis."""
        indices = as_tensor(indices)
        if indices.dtype.is_float:
            raise DTypeError(
                f"an embedding needs integer indices, not {indices.dtype!r}",
                where=user_line(),
                help="convert them with x.astype(np.int32)",
            )
        return products.embedding(indices, self.weight, self.padding_idx)


class EmbeddingBag(_Table):
    """The sum, mean or maximum of rows of weight [num_embeddings, embedding_dim], bag by bag.

    Bags are the rows of indices [bags, length], or of indices [n] the pieces that begin at
    ``offsets`` [bags]; with ``include_last_offset`` these have one more, where the last bag ends.
    ``per_sample_weights`` are factors of the rows, for sums. Rows ``padding_idx`` do not count; an
    empty bag is 0. The result is [bags, embedding_dim]. See `functional.embedding_bag`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        setting("mode", mode, mode in MODES, "'sum', 'mean' or 'max'")
        self.mode, self.include_last_offset = mode, bool(include_last_offset)

    def forward(self, indices: Any, offsets: Any = None, per_sample_weights: Any = None) -> Tensor:
        """One vector for each bag."""
        return embedding_bag(
            as_tensor(indices),
            self.weight,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Sizes and mode."""
        return f"{super().extra_repr()}, mode={self.mode!r}"
