"""Checks of the images: what they were read as, and copies among training and judging ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ....data.images import Images
from ....data.images.memory import windows
from ....runs.checks.result import Check, Status, check, select_findings
from ....runs.dry_run import PreparedRun
from ..prepare import PreparedImages
from ..settings import ImageSettings

__all__ = ["classes_and_sizes", "copies"]

#: of the images that judge: so many that were trained on as well are a warning, or a failure
SHARED, MOSTLY_SHARED = 0.02, 0.5


@dataclass(frozen=True)
class ImageRun(PreparedRun[ImageSettings]):
    """A training on images that has not begun."""

    prepared: PreparedImages


def classes_and_sizes(run: ImageRun) -> Check:
    """How many images of how many classes there are, and what was made of them."""
    prepared = run.prepared
    facts = prepared.model_facts()
    rows = sum(prepared.sizes.values())
    told = select_findings(
        prepared.findings, "D301", "D302", "D303", "D304", "D305", "D306", "D307", "D308", "D309",
        "D311", "D312",
    )  # fmt: skip
    return check(
        "images",
        "ok",
        f"{rows} images of {len(prepared.preprocessor.classes)} classes; {facts['images']}",
        findings=told,
        facts={"rows": rows, "classes": list(prepared.preprocessor.classes)},
    )


def copies(run: ImageRun) -> Check:
    """Copies of images, and those that lie both in the training part and in another one."""
    train, val, test = run.prepared.parts
    trained = _hashes(train)
    judges = len(val) + len(test)
    shared = sum(each in trained for part in (val, test) for each in _all_hashes(part))
    share = shared / judges if judges else 0.0
    status: Status = "ok" if share <= SHARED else "warning" if share <= MOSTLY_SHARED else "failed"
    evidence = (
        f"{shared} of {judges} validation and test images ({share:.1%}) are training images too"
    )
    advice = ["remove the copies: they make the test too easy"] if status != "ok" else []
    told = select_findings(run.prepared.findings, "D310") if status == "ok" else []
    return check(
        "duplicate images", status, evidence, advice, told, {"shared": shared, "judges": judges}
    )


def _hashes(images: Images) -> set[bytes]:
    return set(_all_hashes(images))


def _all_hashes(images: Images) -> list[bytes]:
    """One of the pixels of each image."""
    found: list[bytes] = []
    for part in windows(images.pixels):
        found += [hashlib.blake2b(i, digest_size=16).digest() for i in images.pixels[part]]
    return found
