"""A trained network and its preprocessing: predicts, and evaluates, images."""

from __future__ import annotations

from dataclasses import replace

from ...data.images import Images, Room
from ...runs.example import Form
from ...runs.file_predictor import FilePredictor
from .network import ImageNetwork
from .prepare import ImagePreprocessor
from .settings import ImageSettings
from .source import ImageSource

__all__ = ["ImagePredictor"]


class ImagePredictor(FilePredictor[ImageNetwork, ImagePreprocessor, ImageSettings, Images]):
    """What ``fit_images`` and ``load_run`` return::

        model.predict("photos")        # the names of the classes
        model.predict_proba("a.png")   # (images, classes), in the order of model.classes
        model.evaluate("labelled")     # {"accuracy": 0.93, ...}

    A source is anything that ``read_images`` accepts, or a pair of arrays (pixels, labels). Images
    are brought to the size of the network. Unreadable files are skipped: ``last_findings`` names
    them, and ``images(source).paths`` lists the others. ``metrics`` are those of the test images,
    ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def images(self, source: object, labelled: bool = False) -> Images:
        """The images of a source in the size of the network; see `examples`."""
        room = Room(None, self.settings.data.limit)
        images = self.preprocessor.read(source, room=room, labelled=labelled)
        # Here it is normal that images are resized.
        self.last_findings = tuple(f for f in images.findings if f.code not in ("D304", "D305"))
        return images

    def form(self) -> Form:
        return replace(super().form(), whole="the path of an image")

    def examples(self, source: object, labelled: bool = False) -> Images:
        return self.images(source, labelled)

    def batches(self, examples: Images) -> ImageSource:
        return ImageSource(examples.pixels, examples.labels)
