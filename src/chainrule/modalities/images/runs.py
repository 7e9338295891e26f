"""A run on images: loading it, and going on with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import StateError
from ...runs.folder import RunFolder
from ...runs.groups import Way
from ...runs.listeners import Listener
from ...runs.loading import check_settings, read_facts, saved_run, text_of
from ...runs.resuming import reopened, same_json
from ...runs.settings.sources import from_text, gather
from ...train import load
from .fit import fit_image_settings
from .fitting import ImageFitting
from .pipeline import ImagePipeline, prepare_images
from .predictor import ImagePredictor
from .settings import ImageSettings

__all__ = ["IMAGES", "load_images_run", "read_image_settings", "resume_images_run"]


def load_images_run(folder: Path) -> ImagePredictor:
    """`load_run` for a run on images."""
    facts = read_facts(folder)
    saved = saved_run(folder, facts)
    settings = read_image_settings(folder)
    check_settings(facts, settings, folder)
    place = folder / "pipeline.json"
    pipeline = ImagePipeline.from_json(text_of(folder, place.name), str(place))
    if list(pipeline.classes) != facts["classes"]:
        raise StateError(
            "pipeline.json and run.json do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    model = pipeline.network(settings)
    model.load_state_dict(load(folder / "model.safetensors"))
    return ImagePredictor(model, pipeline, settings, **saved)


def read_image_settings(folder: Path) -> ImageSettings:
    """``run.toml``, which leaves nothing to decide."""
    where = str(folder / "run.toml")
    return gather([from_text(text_of(folder, "run.toml"), where)], ImageSettings).settings


def resume_images_run(
    place: Path, source: object, epochs: int | None, heard: Listener
) -> ImagePredictor:
    """`resume` for a run on images."""
    facts, settings = read_facts(place), read_image_settings(place)
    before = settings
    if epochs is not None:
        settings = replace(settings, train=replace(settings.train, epochs=epochs))
    with reopened(place, facts, before, settings.train.epochs, epochs, heard) as folder:
        return _resumed(folder, place, settings, source, heard)


def _resumed(
    folder: RunFolder, place: Path, settings: ImageSettings, source: object, heard: Listener
) -> ImagePredictor:
    if source is None and not settings.data.path:
        raise StateError(
            "the images of this run came from Python",
            where=str(place),
            help="give them: chainrule.resume(run, (pixels, labels))",
        )
    origin = settings.data.path if source is None else source
    prepared = prepare_images(origin, settings.data, settings.seed, place)
    found, wanted = prepared.fingerprint, folder.facts["data"].get("fingerprint")
    same = same_json(prepared.pipeline.to_json(), place, "pipeline.json")
    if found != wanted or not same:
        raise StateError(
            "the images are not the same as when this run began",
            where=prepared.name,
            help=f"bring them back ({wanted}; now {found}), or train anew: chainrule train "
            f"{place / 'run.toml'}",
        )
    return ImageFitting(prepared, settings, place.parent, heard, True).go_on(folder)


IMAGES: Way[ImageSettings, ImagePredictor] = Way(
    "images",
    read=lambda source: gather([source], ImageSettings).settings,
    fit=lambda settings, source, heard: fit_image_settings(settings, source, listener=heard),
    load=load_images_run,
    resume=lambda run, source, heard: resume_images_run(run, source, None, heard),
)
