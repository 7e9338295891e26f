"""Images as a source: what a step may read of them, and how many are evaluated at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.data.images.memory import WINDOW, Room
from chainrule.modalities.images.source import ImageSource
from chainrule.train.batch_source import BatchSource, host_batch

LABELS = np.arange(6, dtype=np.int32)


def images(folder: Path | None, limit: int) -> ImageSource:
    pixels = Room(folder, limit).array((6, 5, 4, 3))
    pixels[...] = LABELS[:, None, None, None]
    return ImageSource(pixels, LABELS)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_images_in_a_file_are_read_in_parts(limit: int, tmp_path: Path) -> None:
    source = images(tmp_path, limit)
    assert isinstance(source, BatchSource)
    assert (source.rows, source.bytes_per_row) == (6, 64)
    assert source.bytes_per_call == (None if limit else WINDOW)
    rows = np.array([4, 0, 4], np.int32)
    source.prefetch(rows)
    pixels, labels = host_batch(source, rows)
    assert pixels[:, 0, 0, 0].tolist() == labels.tolist() == [4, 0, 4]
    assert pixels.dtype == np.uint8
    source.release()
    assert host_batch(source, rows)[0].tolist() == pixels.tolist()  # nothing is lost


@pytest.mark.parametrize(
    ("height", "width", "most"), [(32, 32, 1024), (33, 32, 512), (1024, 1024, 1), (4096, 4096, 1)]
)
def test_large_images_are_evaluated_a_few_at_a_time(height: int, width: int, most: int) -> None:
    pixels = np.broadcast_to(np.zeros((), np.uint8), (6, height, width, 3))
    assert ImageSource(pixels, LABELS).evaluation_rows == most
