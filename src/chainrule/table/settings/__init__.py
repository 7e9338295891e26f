"""The settings of one run: what ``run.toml`` holds, with every default written out.

Each section is a frozen dataclass that checks itself. Its annotations are the one place where a
setting is described: checks, words of errors, comments and the JSON Schema come from them.
"""

from .sections import Auto, CheckpointSettings, DataSettings, ModelSettings, OutputSettings
from .sources import (
    Gathered,
    Source,
    from_environment,
    from_file,
    from_text,
    from_words,
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
from .whole import LOSSES_OF_TASK, VERSION, Settings, Whole

__all__ = [
    "LOSSES_OF_TASK",
    "VERSION",
    "Auto",
    "AverageSettings",
    "CheckpointSettings",
    "ClipSettings",
    "ConvergenceSettings",
    "DataSettings",
    "EarlyStoppingSettings",
    "Gathered",
    "GradientNoiseSettings",
    "GuardSettings",
    "LookaheadSettings",
    "Loss",
    "ModelSettings",
    "OptimizerSettings",
    "OutputSettings",
    "RegularizationSettings",
    "ScheduleSettings",
    "Settings",
    "Source",
    "TrainSettings",
    "Whole",
    "from_environment",
    "from_file",
    "from_text",
    "from_words",
    "gather",
]
