"""Sound: ``fit_audio``, augmentation and features inside the step, networks for 16-bit samples.

    folder ── read_audio ──► Recordings ── split, length ──► int16 [N, samples]
    one compiled step: speed, shift, gain, noise ──► |STFT|², mel, log ──► holes ──► network

Samples stay 16 bits until the step reads them. What is random is drawn inside it, from counters.
Files become one channel at one rate when they are read, exactly (`data.audio.resampling`); clips
get one length, which is a setting; bands are scaled by numbers of the training part. A split by
speaker says how well strangers are understood; without one, a test flatters the model.

The names are loaded when first used: this folder also holds options of commands, and ``--help``
must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .augment import Augment as Augment
    from .fit import fit_audio as fit_audio
    from .kind import AUDIO as AUDIO
    from .network import NETWORKS as NETWORKS
    from .network import AudioNetwork as AudioNetwork
    from .predictor import AudioPredictor as AudioPredictor
    from .settings import AudioSettings as AudioSettings

#: where each public name is defined
_HOMES = {
    "Augment": "augment",
    "fit_audio": "fit",
    "AUDIO": "kind",
    "NETWORKS": "network",
    "AudioNetwork": "network",
    "AudioPredictor": "predictor",
    "AudioSettings": "settings",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
