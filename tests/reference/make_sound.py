"""Mel spectrograms and cepstral coefficients by torchaudio, in float64: ``sound.json``.

    python tests/reference/make_sound.py

Needs torch and torchaudio (made with 2.13.0 and 2.11.1), which nothing else here does; that is why
``make_reference.py`` does not call it.
"""

from __future__ import annotations

import json
from typing import Any

import torch
import torchaudio

from problems import FOLDER
from sound import CASES, clips

DIGITS = 10


def rounded(values: Any) -> Any:
    """Nested lists of numbers with ten digits."""
    return (
        [rounded(v) for v in values] if isinstance(values, list) else float(f"{values:.{DIGITS}g}")
    )


def mel(signal: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    return torchaudio.transforms.MelSpectrogram(**settings).double()(signal)


def mfcc(signal: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    settings = dict(settings)
    own = {name: settings.pop(name) for name in ("n_mfcc", "log_mels") if name in settings}
    transform = torchaudio.transforms.MFCC(
        settings["sample_rate"], melkwargs=settings_of(settings), **own
    )
    # With an axis of channels the loudest value is that of each clip.
    return transform.double()(signal[:, None])[:, 0]


def settings_of(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "sample_rate"}


def main() -> None:
    cases = []
    for name, samples, settings in CASES:
        signal = torch.from_numpy(clips(samples)).double() / 32768.0
        y = (mel if name == "MelSpectrogram" else mfcc)(signal, settings)
        cases.append(
            {"name": name, "samples": samples, "settings": settings, "y": rounded(y.tolist())}
        )
    made = f"torch {torch.__version__}, torchaudio {torchaudio.__version__}"
    text = json.dumps({"made_with": made, "cases": cases}, separators=(",", ":"))
    (FOLDER / "sound.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    print(f"sound.json  {len(text) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
