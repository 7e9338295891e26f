"""Optimizers and learning-rate schedules."""

from . import clip, penalty, schedule
from .adagrad import Adadelta, Adagrad
from .adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from .anneal import SGLD, GradientNoise, SimulatedAnnealing
from .average import EMA, SWA, update_batch_norm
from .base import Optimizer
from .layerwise import LAMB, Adafactor, Muon
from .lbfgs import LBFGS
from .lookahead import Lookahead
from .registry import OPTIMIZERS, make, settings_of
from .rmsprop import RMSprop
from .sgd import SGD
from .sign import Lion, Rprop

__all__ = [
    "EMA",
    "LAMB",
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "SGLD",
    "SWA",
    "AMSGrad",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradientNoise",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SimulatedAnnealing",
    "clip",
    "make",
    "penalty",
    "schedule",
    "settings_of",
    "update_batch_norm",
]
