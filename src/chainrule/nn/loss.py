"""Losses as modules. All take ``reduction``: "mean", "sum" or "none"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..frontend.functional import ctc
from ..frontend.functional import losses as F
from ..frontend.functional import margins as G
from ..frontend.functional import quantiles as Q
from ..frontend.functional.linear_losses import linear_cross_entropy
from ..frontend.tensor import Tensor
from .linear import Linear
from .module import Module, as_tensor


class _Loss(Module):
    """A loss with a reduction."""

    reductions: tuple[str, ...] = F.REDUCTIONS

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        F.check_reduction(reduction, self.reductions)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The reduction, where it is not the mean."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    """A loss with weights, kept as a buffer under ``weight``."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", None if weight is None else as_tensor(weight))


class BCELoss(_WeightedLoss):
    """-(t log x + (1 - t) log(1 - x)) for probabilities x."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy(x, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Cross entropy of sigmoid(x) and targets from 0 to 1; ``pos_weight`` weighs the 1s."""

    pos_weight: Tensor | None

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", None if pos_weight is None else as_tensor(pos_weight))

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy_with_logits(
            x, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class CrossEntropyLoss(_WeightedLoss):
    """-log softmax(x)[target] for logits [N, C, ...] and classes, or probabilities of classes.

    ``weight`` holds one number for each class.
    """

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.cross_entropy(
            x,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """A linear layer, and the cross entropy of its scores: `functional.linear_cross_entropy`.

    For large vocabularies: the scores of all rows are never in memory. Parameters: linear.weight
    [num_classes, in_features] and, with ``bias``, linear.bias; the scores are ``self.linear(x)``.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        bias: bool = False,
        weight: Any = None,
        reduction: str = "mean",
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.linear = Linear(in_features, num_classes, bias=bias)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss for inputs [..., in_features] and classes [...]."""
        return linear_cross_entropy(
            x,
            self.linear.weight,
            target,
            linear_bias=self.linear.bias,
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )


class CTCLoss(_Loss):
    """-log of the probability of labels without alignment: `functional.ctc_loss`.

    Graves et al., 2006, "Connectionist temporal classification".
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """The loss of log_probs [steps, batch, classes] and targets [batch, labels]."""
        return ctc.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )


class NLLLoss(_WeightedLoss):
    """-x[target] for log probabilities [N, C, ...]."""

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.nll_loss(
            x, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class MultiMarginLoss(_WeightedLoss):
    """sum over classes i other than the target y of max(0, margin - x_y + x_i)^p / C."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.p, self.margin = p, margin

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return G.multi_margin_loss(
            x, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over classes of the binary cross entropy of sigmoid(x)."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return G.multilabel_soft_margin_loss(x, target, self.weight, reduction=self.reduction)


class MSELoss(_Loss):
    """(x - target)²."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.mse_loss(x, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|x - target|."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.l1_loss(x, target, reduction=self.reduction)


class HuberLoss(_Loss):
    """½ d² for |d| < delta, else delta (|d| - ½ delta), with d = x - target."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.huber_loss(x, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """½ d² / beta for |d| < beta, else |d| - ½ beta, with d = x - target."""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.smooth_l1_loss(x, target, reduction=self.reduction, beta=self.beta)


class PinballLoss(_Loss):
    """max(q d, (q - 1) d), d = target - x, for x [..., quantiles]: the last axis of x becomes the
    ``quantiles`` of the target [...]."""

    def __init__(self, quantiles: Sequence[float] = Q.LEVELS, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.quantiles = Q.check_levels(quantiles)

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return Q.pinball_loss(x, target, self.quantiles, reduction=self.reduction)


class PoissonNLLLoss(_Loss):
    """exp(x) - target · x: counts, x the log of the expected one."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.poisson_nll_loss(
            x, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class KLDivLoss(_Loss):
    """target · (log target - x) for log probabilities x."""

    reductions = (*F.REDUCTIONS, "batchmean")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return F.kl_div(x, target, reduction=self.reduction, log_target=self.log_target)


class HingeEmbeddingLoss(_Loss):
    """x where the target is 1, max(0, margin - x) where it is -1."""

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return G.hinge_embedding_loss(x, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-target · x)) for targets 1 and -1."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss."""
        return G.soft_margin_loss(x, target, reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """½ (log var + (x - target)² / var)."""

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, x: Any, target: Any, var: Any) -> Tensor:
        """The loss."""
        return F.gaussian_nll_loss(x, target, var, self.full, self.eps, self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, -target · (first - second) + margin)."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, first: Any, second: Any, target: Any) -> Tensor:
        """The loss."""
        return G.margin_ranking_loss(first, second, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1."""

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, first: Any, second: Any, target: Any) -> Tensor:
        """The loss."""
        return G.cosine_embedding_loss(first, second, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(_Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        G.check_margin(margin)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        """The loss."""
        return G.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )
