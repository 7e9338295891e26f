"""Pieces: Tensors cut from others, and how a write to one finds its way back.

``x[0]``, ``x.view(-1)``, ``x.T`` have values of their own. Who writes one means what it was cut
from, as in PyTorch: so that is written, too, and everything between the two. The way back is kept
as a formula, ``put``, because values of a trace have no memory that could be shared.

The other way, a piece does not see what is written to its source later. It is then out of date,
and writing it would bring old numbers back: `StateError`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from ..errors import StateError, TraceError
from .apply import separate
from .modes import thread, user_line
from .storage import Storage

if TYPE_CHECKING:
    from .tensor import Tensor

P = ParamSpec("P")

#: the elements that an index without arrays selects, axis by axis
Place = tuple[int | range, ...]


@dataclass(slots=True, eq=False)
class Cut:
    """How a piece was cut from ``source``.

    ``take(source)`` is the piece, ``put(source, piece)`` the source with it. ``place`` is where in
    the source it lies, None if that may be everywhere. ``constant``: no derivative passes, so the
    way back is none for derivatives either. ``runs`` is how often programs had written the source.
    """

    source: weakref.ref[Storage]
    take: Callable[[Tensor], Tensor]
    put: Callable[[Tensor, Tensor], Tensor]
    place: Place | None
    constant: bool
    runs: int
    current: bool = True

    def __call__(self) -> Tensor | None:
        """The source, if anybody still has it."""
        source = self.source()
        return None if source is None else source._as_tensor()

    def behind(self, nearer: Cut) -> Cut:
        """The cut of a piece, ``nearer``, that was cut from a piece of this source."""
        return Cut(
            self.source,
            lambda source: nearer.take(self.take(source)),
            lambda source, new: self.put(source, nearer.put(self.take(source), new)),
            self.place,
            self.constant or nearer.constant,
            self.runs,
            self.current,
        )


def cut(
    piece: Tensor,
    source: Tensor,
    take: Callable[[Tensor], Tensor],
    put: Callable[[Tensor, Tensor], Tensor],
    place: Place | None = None,
    constant: bool = False,
) -> Tensor:
    """``piece``, which remembers what it was cut from: ``source``, and what that was cut from."""
    first = Cut(weakref.ref(source), take, put, place, constant, source.runs())
    piece._cuts = (first, *(c.behind(first) for c in source._cuts if c() is not None))
    for each in piece._cuts:
        owner = each.source()
        if owner is not None:
            if owner._pieces is None:
                owner._pieces = weakref.WeakSet()
            owner._pieces.add(piece)
    return piece


def cutting(
    function: Callable[Concatenate[Tensor, P], Tensor],
    put: Callable[Concatenate[Tensor, Tensor, P], Tensor],
    constant: bool = False,
) -> Callable[..., Tensor]:
    """``function`` as a method whose results are pieces, Tensors of their own in any case."""

    alone = separate(function)

    @functools.wraps(function)
    def method(x: Tensor, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        def take(source: Tensor) -> Tensor:
            return alone(source, *args, **kwargs)

        def back(source: Tensor, new: Tensor) -> Tensor:
            return put(source, new, *args, **kwargs)

        return cut(take(x), x, take, back, constant=constant)

    return method


def cuts_to_write(piece: Tensor) -> list[Cut]:
    """The cuts along which a write of ``piece`` goes back, to Tensors that somebody still has.

    `StateError` if one of these has changed since, `TraceError` if the cut was made outside of the
    running trace.
    """
    cuts = [c for c in piece._cuts if c() is not None]
    for each in cuts:
        source = each.source()
        if source is not None and not (each.current and each.runs == source.runs()):
            raise StateError(
                "this Tensor is a slice of another one that has changed since, so it can no longer "
                "be written to",
                where=user_line(),
                help="slice it again, or use x[0].clone() for an independent Tensor",
            )
    if cuts and thread.trace is not None and not piece.is_traced:
        raise TraceError(
            "this Tensor was sliced from another one outside of the compiled function",
            where=user_line(),
            help="slice it inside the function, or use x[0].clone() for an independent Tensor",
        )
    return cuts


def is_piece(value: object, source: Tensor, place: Place | None) -> bool:
    """Whether ``value`` is what stands at ``place`` in ``source`` now, so that nothing is to be
    done to put it there. That is how ``x[0] += 1`` ends.
    """
    if not isinstance(value, Storage) or place is None or not value._cuts:
        return False
    first = value._cuts[0]
    same = first.source() is source and first.place == place and not first.constant
    return same and first.current and first.runs == source.runs()


def outdate(source: Tensor, place: Place | None, written: Iterable[Storage]) -> None:
    """``source`` was written at ``place``: pieces that lie there are out of date, except those
    that were ``written`` with it.
    """
    spared = {id(t) for t in written}
    for piece in list(source._pieces or ()):
        # While a trace records, nothing happens to pieces outside; a run of the program counts.
        if id(piece) in spared or (thread.trace is not None and not piece.is_traced):
            continue
        for each in piece._cuts:
            if each.source() is source and _overlap(each.place, place):
                each.current = False


def _overlap(a: Place | None, b: Place | None) -> bool:
    if a is None or b is None:
        return True
    return all(_meet(_span(i), _span(j)) for i, j in zip(a, b, strict=True))


def _span(item: int | range) -> range:
    """The indices in rising order."""
    if isinstance(item, int):
        return range(item, item + 1)
    return item if item.step > 0 else item[::-1]


def _meet(a: range, b: range) -> bool:
    if not a or not b or a[-1] < b[0] or b[-1] < a[0]:
        return False
    # Equal steps with another remainder interleave; otherwise they may meet.
    return a.step != b.step or (a[0] - b[0]) % a.step == 0
