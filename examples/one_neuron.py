"""One neuron, one patient, one step of backpropagation, and why nothing is learned.

A sigmoid neuron sees age 45, heart rate 80, cholesterol 200 through the weights 0.1, -0.2, 0.3 and
the bias 0.5; the patient is healthy (target 0). `docs/one-neuron.md` explains the output.
"""

from __future__ import annotations

import math

import numpy as np

import chainrule as cr

NAMES = ("age", "heart rate", "cholesterol")
RAW = [45.0, 80.0, 200.0]
TYPICAL = [54.0, 75.0, 240.0]  # a mean of each measurement, and how far patients spread around it
SPREAD = [9.0, 12.0, 50.0]
TARGET = 0.0
STEPS, LR = 50, 0.5


def squared_error(a: cr.Tensor) -> cr.Tensor:
    return (a - TARGET) ** 2


def parameters() -> tuple[cr.Tensor, cr.Tensor]:
    return cr.tensor([0.1, -0.2, 0.3], requires_grad=True), cr.tensor(0.5, requires_grad=True)


def explain(values: list[float]) -> None:
    """The forward pass, every local derivative, and the product of them."""
    x = cr.tensor(values)
    w, b = parameters()
    z = (w * x).sum() + b
    a = cr.sigmoid(z)
    loss = squared_error(a)
    loss.backward()
    terms = " + ".join(f"({u:.1f})({v:.4g})" for u, v in zip(w.tolist(), values, strict=True))
    print(f"forward   z = {terms} + 0.5 = {z.item():.4g}")
    print(f"          a = sigmoid(z) = {a.item():.7g}")
    print(f"          loss = (a - {TARGET:g})^2 = {loss.item():.7g}")
    dloss, da = cr.grad(squared_error)(a.detach()), cr.grad(cr.sigmoid)(z.detach())
    print(f"local     dloss/da = 2 (a - {TARGET:g}) = {dloss.item():.6g}")
    print(f"          da/dz = a (1 - a) = {da.item():.6g}")
    for i, name in enumerate(NAMES):
        product = dloss.item() * da.item() * values[i]
        print(f"          dz/dw = {values[i]:<8.4g} product {product:<+12.6g} ({name})")
    assert w.grad is not None
    assert b.grad is not None
    print(f"backward  gradients {[float(f'{g:.6g}') for g in w.grad.tolist()]}, ", end="")
    print(f"bias {b.grad.item():.6g}")


def train(values: list[float]) -> list[float]:
    """The loss of every step of gradient descent, compiled into one program."""
    x = cr.tensor(values)
    w, b = parameters()
    optimizer = cr.optim.SGD([w, b], lr=LR)

    @cr.compile
    def step() -> cr.Tensor:
        optimizer.zero_grad()
        loss = squared_error(cr.sigmoid((w * x).sum() + b))
        loss.backward()
        optimizer.step()
        return loss

    return [step().item() for _ in range(STEPS)]


def show(title: str, values: list[float]) -> None:
    print(title)
    explain(values)
    losses = train(values)
    chosen = [0, 1, 10, STEPS - 1]
    shown = ", ".join(f"{losses[i]:.4f} (step {i + 1})" for i in chosen)
    print(f"training  loss {shown}\n")


def main() -> None:
    show("As measured", RAW)
    largest = 2 * 200.0 * math.exp(-49.0)
    below = np.nextafter(np.float32(1), np.float32(0))
    print(f"The float32 below 1 is {below:.8f}, so a rounds to 1. The largest gradient is")
    print(f"{largest:.2g}: a step of gradient descent leaves float32(0.3) as it is: ", end="")
    print(f"{np.float32(0.3) - np.float32(LR * largest) == np.float32(0.3)}\n")
    scaled = [(v - m) / s for v, m, s in zip(RAW, TYPICAL, SPREAD, strict=True)]
    show("Standardised: (value - mean) / spread", scaled)


if __name__ == "__main__":
    main()
