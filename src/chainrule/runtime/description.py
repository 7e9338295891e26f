"""What the runtime must know of a program besides its machine code, in a form that JSON can keep.

The slots are the pointer table of `run`: graph inputs in order, then outputs. Together with the
object file this is all that a warm start needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import CompileError
from ..ir.types import Array, DType, Shape, row_major

__all__ = ["ProgramMeta", "Slot"]

_KINDS = ("arg", "state", "scalar", "output")


@dataclass(frozen=True)
class Slot:
    """One pointer of the table.

    kind ``arg``: an array of the call; ``state``: memory that lives on, updated in place;
    ``scalar``: one f64 of the step; ``output``: an array that the call returns. ``step_stride``
    elements lie between the rows of neighbouring steps: the size of the array, or 0 when all steps
    use the same memory. ``strides`` are in elements; None means row-major. ``aligned``: the code
    relies on a start at a multiple of 64 bytes.
    """

    name: str
    kind: str
    dtype: DType
    shape: Shape
    step_stride: int = 0
    strides: tuple[int, ...] | None = None
    aligned: bool = False

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise CompileError(f"slot {self.name} is of unknown kind {self.kind!r}")
        if self.step_stride not in (0, self.size):
            raise CompileError(
                f"slot {self.name} of {self.size} elements moves {self.step_stride} a step"
            )
        if self.kind == "scalar" and (self.dtype is not DType.f64 or self.shape):
            raise CompileError(f"scalar {self.name} is {self.dtype}{list(self.shape)}, not f64[]")
        if self.step_stride and self.kind == "state":
            raise CompileError(f"state {self.name} cannot move from step to step")

    @property
    def size(self) -> int:
        """Elements of one step's array."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of one step's array."""
        return self.size * self.dtype.itemsize

    @property
    def step_bytes(self) -> int:
        """Bytes from one step's array to the next."""
        return self.step_stride * self.dtype.itemsize

    @property
    def byte_strides(self) -> tuple[int, ...]:
        """Strides in bytes, as NumPy counts them."""
        strides = row_major(self.shape) if self.strides is None else self.strides
        return tuple(s * self.dtype.itemsize for s in strides)

    def lies_like(self, array: Array) -> bool:
        """Whether ``array``, of this shape, has its elements where the program expects them."""
        if self.strides is None:
            return array.flags.c_contiguous
        if array.size == 0:
            return True
        triples = zip(self.shape, array.strides, self.byte_strides, strict=True)
        return all(extent == 1 or have == want for extent, have, want in triples)


@dataclass(frozen=True)
class ProgramMeta:
    """The description of a program. ``flops`` and ``traffic_bytes`` estimate one step's cost.

    The first ``kept_bytes`` of the arena are zero before the first step.
    """

    slots: tuple[Slot, ...]
    arena_bytes: int
    flops: int = 0
    traffic_bytes: int = 0
    entry: str = "run"
    kept_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """This description in JSON's types."""
        slots = [
            {
                "name": s.name,
                "kind": s.kind,
                "dtype": s.dtype.value,
                "shape": list(s.shape),
                "step_stride": s.step_stride,
                "strides": None if s.strides is None else list(s.strides),
                "aligned": s.aligned,
            }
            for s in self.slots
        ]
        return {
            "slots": slots,
            "arena_bytes": self.arena_bytes,
            "flops": self.flops,
            "traffic_bytes": self.traffic_bytes,
            "entry": self.entry,
            "kept_bytes": self.kept_bytes,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ProgramMeta:
        """The description that `to_json` gave; `CompileError` if ``data`` is none."""
        try:
            slots = tuple(
                Slot(
                    s["name"],
                    s["kind"],
                    DType(s["dtype"]),
                    tuple(s["shape"]),
                    s["step_stride"],
                    None if s["strides"] is None else tuple(s["strides"]),
                    s["aligned"],
                )
                for s in data["slots"]
            )
            numbers = ("arena_bytes", "flops", "traffic_bytes", "entry", "kept_bytes")
            return cls(slots, *(data[name] for name in numbers))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CompileError):
                raise
            raise CompileError(f"not the description of a program: {error!r}") from error
