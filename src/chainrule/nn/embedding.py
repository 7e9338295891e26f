"""Tables of learned vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, DTypeError
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.operations import products
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from . import init
from .module import Module, Parameter, as_tensor, new_parameter


class Embedding(Module):
    """Rows of weight [num_embeddings, embedding_dim], which is standard normal at first.

    The row ``padding_idx`` starts as zeros and gets no gradient. Outside of compiled functions an
    index that does not exist is a `ShapeError`; inside it reads the nearest row.
    """

    weight: Parameter

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__()
        num_embeddings = whole("num_embeddings of Embedding", num_embeddings, least=0)
        embedding_dim = whole("embedding_dim of Embedding", embedding_dim, least=0)
        if padding_idx is not None:
            padding_idx = whole("padding_idx of Embedding", padding_idx, least=-num_embeddings)
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

    def extra_repr(self) -> str:
        """Sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
