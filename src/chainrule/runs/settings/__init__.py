"""The settings of one run: what ``run.toml`` holds, with every default written out.

Each section is a frozen dataclass that checks itself. A setting is described once, by its
annotation: checks, error messages, comments and the JSON Schema come from it.
"""

from .document import VERSION, RunSettings
from .sections import Auto, CheckpointSettings, OutputSettings
from .sources import (
    Gathered,
    Source,
    from_environment,
    from_file,
    from_overrides,
    from_text,
    gather,
)
from .training import (
    AverageSettings,
    ClipSettings,
    ConvergenceSettings,
    EarlyStoppingSettings,
    GradientNoiseSettings,
    GuardSettings,
    LookaheadSettings,
    Loss,
    OptimizerSettings,
    RegularizationSettings,
    ScheduleSettings,
    TrainSettings,
)

__all__ = [
    "VERSION",
    "Auto",
    "AverageSettings",
    "CheckpointSettings",
    "ClipSettings",
    "ConvergenceSettings",
    "EarlyStoppingSettings",
    "Gathered",
    "GradientNoiseSettings",
    "GuardSettings",
    "LookaheadSettings",
    "Loss",
    "OptimizerSettings",
    "OutputSettings",
    "RegularizationSettings",
    "RunSettings",
    "ScheduleSettings",
    "Source",
    "TrainSettings",
    "from_environment",
    "from_file",
    "from_overrides",
    "from_text",
    "gather",
]
