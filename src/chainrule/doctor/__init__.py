"""The doctor: what goes wrong in a training, in plain words, with the numbers that speak for it."""

from .collecting import evidence_of, evidence_of_run
from .diagnosing import diagnose, examine_evidence
from .evidence import Evidence
from .rule import FAMILIES, Diagnosis, Rule
from .rules import RULES

__all__ = [
    "FAMILIES",
    "RULES",
    "Diagnosis",
    "Evidence",
    "Rule",
    "diagnose",
    "evidence_of",
    "evidence_of_run",
    "examine_evidence",
]
