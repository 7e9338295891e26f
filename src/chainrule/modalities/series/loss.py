"""The loss of forecasts, of which values that are not known are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ... import nn
from ...frontend import Tensor
from ...nn import functional as F

__all__ = ["ForecastLoss"]

#: by the name in ``run.toml``
POINTS: Mapping[str, Callable[..., Tensor]] = {
    "l1": F.l1_loss, "mse": F.mse_loss, "huber": F.huber_loss, "smooth_l1": F.smooth_l1_loss,
}  # fmt: skip


class ForecastLoss(nn.Module):
    """The mean loss of outputs [rows, horizon, quantiles] for a target [rows, horizon, 2]: values,
    and 1 for those that are known, 0 for the others."""

    def __init__(self, name: str, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.name, self.quantiles = name, tuple(quantiles)

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """A 0-d Tensor; 0 if nothing is known."""
        values, known = target[:, :, 0], target[:, :, 1:]
        if self.name == "pinball":
            each = F.pinball_loss(outputs, values, self.quantiles, reduction="none")
        else:
            each = POINTS[self.name](outputs, values.unsqueeze(2), reduction="none")
        count = (known.sum() * each.shape[2]).clamp(min=1.0)
        total: Tensor = (each * known).sum() / count
        return total
