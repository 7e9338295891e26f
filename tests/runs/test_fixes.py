"""Every fix of a finding is accepted wherever it is shown, and does away with what was found."""

from __future__ import annotations

import ast
import csv
import inspect
import shlex
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.cli.kind_options import parse_options
from chainrule.cli.settings import resolve_settings
from chainrule.cli.train import train
from chainrule.data import Finding, Setting, TablePlan, divide, read_table
from chainrule.errors import StateError
from chainrule.modalities.images import IMAGES
from chainrule.modalities.images.settings import ImageSettings
from chainrule.modalities.series import SERIES
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.fitting import settings_from_arguments
from chainrule.runs.fixes import (
    as_argument,
    as_option,
    as_override,
    finding_document,
    read_finding,
)
from chainrule.runs.settings.sources import from_overrides, from_text, gather
from chainrule.runs.settings.toml import key_text, value_text
from chainrule.tasks import Binary

N = 60
PACKAGE = Path(cr.__file__).parent
KEYS = TABLES.arguments
OPTIONS = {KEYS[option.argument]: option.spelling for option in TABLES.options["train"]}


# ------------------------------------------------------------------ tables that give findings


@dataclass(frozen=True)
class Case:
    """A table that gives the finding ``code``; ``of_text``: from a csv file."""

    code: str
    columns: Mapping[str, list[Any]]
    target: list[Any]
    of_text: bool = False
    query: str = ""


def strays(*texts: str) -> list[str]:
    return [
        texts[i // 20] if i % 20 == 0 and i // 20 < len(texts) else str(i % 9) for i in range(N)
    ]


NUMBERS = [i / 7 for i in range(N)]
CLASSES = ["yes" if i % 3 else "no" for i in range(N)]
NAMES = [f"name {i}" for i in range(N)]
PROSE = [f"the patient number {i} was seen again and had nothing to tell" for i in range(N)]
TITLES = [f"{('red', 'blue')[i % 2]} {('hat', 'coat')[i // 2 % 2]} {i}" for i in range(N)]
DATES = [f"{1 + i % 12}/{1 + i % 11}/2020" for i in range(N)]

CASES = {
    "row numbers": Case("D103", {"id": list(range(N))}, CLASSES),
    "names": Case("D103", {"full name": NAMES}, CLASSES),
    "free text": Case("D104", {"notes": PROSE}, CLASSES),
    "titles": Case("D127", {"the title": TITLES}, CLASSES),
    "zeros": Case("D106", {"chol": [0 if i % 4 == 0 else 80 + i for i in range(N)]}, CLASSES),
    "few numbers": Case("D110", {}, [i % 5 for i in range(N)]),
    "thousands": Case("D114", {"p": [f"{1 + i % 9},{100 + i}" for i in range(N)]}, CLASSES, True),
    "or not": Case("D114", {"p. a.": [f"{1 + i % 9}.{100 + i} €" for i in range(N)]}, CLASSES),
    "days": Case("D122", {"d": [20240101 + i % 28 for i in range(N)]}, CLASSES),
    "dates": Case("D115", {"the day": DATES}, CLASSES, True),
    "texts of numbers": Case("D116", {"code": [str(i % 9) for i in range(N)]}, CLASSES),
    "codes": Case("D119", {"zip": [i % 30 for i in range(N)]}, CLASSES),
    "stray words": Case("D120", {"dose": strays("low", "a,b", "high")}, CLASSES, True),
    "stray nan": Case("D120", {"dose": strays("nan", 'say "a"')}, CLASSES),
    "copies": Case("D118", {"another": [i % 50 / 7 for i in range(N)]}, ["a", "b"] * 30),
    "copies of a query": Case(
        "D118", {"x": [i % 50 / 7 for i in range(N)]}, ["a", "b"] * 30,
        query="SELECT x, y FROM data WHERE x < 45 -- some;",
    ),
    "one class": Case("D125", {}, ["yes" if i % 20 else "no" for i in range(N)]),
}  # fmt: skip


def source_for(case: Case, folder: Path) -> Any:
    columns = {"another": NUMBERS, **case.columns, "y": case.target}
    if not case.of_text:
        return columns
    path = folder / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


def noticed(settings: Settings, source: Any) -> tuple[Finding, ...]:
    data = settings.data
    kinds = {c: k for c, k in data.columns.items() if k != "ignored"}
    table = read_table(source, query=data.query or None)
    plan = TablePlan(
        task=data.fixed_task, kinds=kinds, missing=data.missing, fractions=data.split,
        formats=data.formats, ignore=[c for c in data.columns if c not in kinds],
    )  # fmt: skip
    return divide(table, "y", plan).findings


def of_table(case: Case, source: Any) -> list[Finding]:
    start = settings_from_arguments(
        TABLES, source, {"target": "y", "query": case.query or None}, ()
    )
    return [f for f in noticed(start, source) if f.code == case.code]


# ------------------------------------------------------------------ the settings of each surface


def as_line(setting: Setting) -> str:
    """A line of ``run.toml``."""
    return f"{key_text(setting.key)} = {value_text(setting.value)}"


def of_line(setting: Setting) -> Settings:
    return gather([from_text(as_line(setting), "run.toml")], Settings).settings


def of_words(text: str) -> Settings:
    return gather([from_overrides(shlex.split(text), "words")], Settings).settings


def of_options(text: str) -> Settings:
    context = train.make_context("train", ["no.csv", *shlex.split(text)])
    given = parse_options("train", context.params)
    kept = {name: value for name, value in given.items() if name in KEYS}
    return resolve_settings("train", "no.csv", context.params.get("overrides", ()), kept).settings


def of_argument(text: str) -> Settings:
    given: dict[str, Any] = eval(f"dict({text})")
    inspect.signature(cr.fit).bind("no.csv", **given)
    return settings_from_arguments(TABLES, "no.csv", given, given.pop("settings", ()))


def surfaces(setting: Setting) -> dict[str, Settings]:
    return {
        "run.toml": of_line(setting),
        "words": of_words(as_override(setting)),
        "options": of_options(as_option(setting, OPTIONS)),
        "Python": of_argument(as_argument(setting, KEYS)),
    }


def value_in(settings: Any, key: tuple[str, ...]) -> Any:
    for part in key:
        settings = settings[part] if isinstance(settings, Mapping) else getattr(settings, part)
    return settings


# ------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("name", CASES)
def test_a_fix_is_accepted_and_helps(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source = source_for(case, tmp_path)
    (finding,) = of_table(case, source)
    assert finding.setting is not None
    for settings in surfaces(finding.setting).values():
        assert value_in(settings, finding.setting.key) == finding.setting.value
        after = noticed(settings, source)
        if finding.code != "D125":  # the classes stay what they are, and the metric can be used
            assert finding.message not in [f.message for f in after]
        settings.train.resolved(N, Binary)


def images_in_a_file(folder: Path) -> tuple[Finding, ...]:
    """What is noticed of an IDX file of which half a megabyte may lie in memory."""
    pixels = folder / "images-idx3-ubyte"
    pixels.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 800, 28, 28) + bytes(800 * 28 * 28))
    labels = folder / "labels-idx1-ubyte"
    labels.write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 800) + bytes([0, 1] * 400))
    settings = settings_from_arguments(IMAGES, pixels, {}, ["data.memory=1"])
    return IMAGES.open(settings, pixels, folder).prepare(settings, folder).findings


def series_with_a_spare_column(folder: Path) -> None:
    """What is noticed of series beside which stands a column that nothing uses."""
    rows = [f"{2010 + i // 12}-{i % 12 + 1:02},{i % 12},{i}" for i in range(N)]
    path = folder / "series.csv"
    path.write_text("\n".join(["month,value,spare", *rows]) + "\n")
    settings = settings_from_arguments(SERIES, path, {"target": "value", "horizon": 4}, [])
    SERIES.open(settings, path, folder)


def test_the_fix_of_images_is_accepted(tmp_path: Path) -> None:
    (finding,) = (f for f in images_in_a_file(tmp_path) if f.code == "D312")
    assert finding.setting is not None
    line = gather([from_text(as_line(finding.setting), "run.toml")], ImageSettings).settings
    words = shlex.split(as_override(finding.setting))
    word = gather([from_overrides(words, "words")], ImageSettings).settings
    given = eval(f"dict({as_argument(finding.setting, IMAGES.arguments)})")
    assert given == {"settings": ["data.memory=2"]}
    argument = settings_from_arguments(IMAGES, "", {}, given["settings"])
    assert [s.data.memory for s in (line, word, argument)] == [2, 2, 2]


def places_with_a_setting() -> dict[str, tuple[str, int, int]]:
    """Every call of `Finding` in the package that gives a setting: its lines, by where it is."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Finding")
            if not named or path.name == "fixes.py":  # which reads what others have made
                continue
            setting = any(k.arg in ("setting", None) for k in node.keywords) or len(node.args) > 5
            if setting:
                lines = (node.lineno, node.end_lineno or node.lineno)
                found[f"{path.relative_to(PACKAGE)}:{node.lineno}"] = (str(path), *lines)
    return found


def test_every_finding_with_a_setting_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new one needs a table in `CASES`."""
    made: set[tuple[str, int]] = set()
    plain: Callable[..., None] = Finding.__init__

    def noted(self: Finding, *args: Any, **kwargs: Any) -> None:
        caller = sys._getframe(1)
        made.add((caller.f_code.co_filename, caller.f_lineno))
        plain(self, *args, **kwargs)

    monkeypatch.setattr(Finding, "__init__", noted)
    for name, case in CASES.items():
        (tmp_path / name).mkdir()
        of_table(case, source_for(case, tmp_path / name))
    images_in_a_file(tmp_path)
    series_with_a_spare_column(tmp_path)
    places = places_with_a_setting()
    assert len(places) > 10
    untried = [
        where
        for where, (file, first, last) in places.items()
        if not any(path == file and first <= line <= last for path, line in made)
    ]
    assert untried == []


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
CELLS = TEXTS | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@given(TEXTS, st.lists(CELLS, min_size=1, max_size=3))
def test_any_column_and_any_missing_value(column: str, values: list[Any]) -> None:
    setting = Setting(("data", "missing", column), tuple(values))
    for name, settings in surfaces(setting).items():
        assert settings.data.missing == {column: tuple(values)}, name


@given(TEXTS, st.sampled_from(["number", "category", "ignored"]))
def test_any_column_and_its_kind(column: str, kind: str) -> None:
    setting = Setting(("data", "columns", column), kind)
    for name, settings in surfaces(setting).items():
        assert settings.data.columns == {column: kind}, name


@given(TEXTS)
def test_any_text(text: str) -> None:
    for name, settings in surfaces(Setting(("data", "query"), text)).items():
        assert settings.data.query == text, name


@given(TEXTS, st.lists(CELLS, min_size=1, max_size=3), TEXTS)
def test_findings_survive_a_run_folder(column: str, values: list[Any], advice: str) -> None:
    setting = Setting(("data", "missing", column), tuple(values))
    finding = Finding("D106", "warning", "m", "e", advice, setting)
    assert read_finding(finding_document(finding), "run.json") == finding


def test_how_each_surface_spells_it() -> None:
    chol = Setting(("data", "missing", "chol"), (0,))
    assert as_override(chol) == "'data.missing.chol=[0]'"
    assert as_option(chol, OPTIONS) == "--missing chol=0"
    assert as_argument(chol, KEYS) == 'missing={"chol": [0]}'
    zip_code = Setting(("data", "columns", "zip"), "category")
    assert as_override(zip_code) == "data.columns.zip=category"
    assert as_option(zip_code, OPTIONS) == "--column zip=category"
    assert as_argument(zip_code, KEYS) == 'columns={"zip": "category"}'
    memory = Setting(("data", "memory"), 4096)
    assert as_option(memory, OPTIONS) == "data.memory=4096"
    assert as_argument(memory, IMAGES.arguments) == 'settings=["data.memory=4096"]'
    strange = Setting(("data", "missing", "a b"), ("?", "x"))
    assert as_option(strange, OPTIONS) == "--missing 'a b=?,x'"
    assert of_words("name=\U0001f642").name == "\U0001f642"  # JSON would write it as two
    task = Setting(("data", "task"), "regression")
    assert as_option(task, OPTIONS) == "--task regression"
    assert as_argument(task, KEYS) == 'task="regression"'
    assert as_option(task, {}) == "data.task=regression"


def test_fixes_in_words() -> None:
    task = Setting(("data", "task"), "regression")
    assert Finding("D110", "info", "m").fix() == ""
    assert Finding("D110", "info", "m", "", "look").fix(as_override) == "look"
    both = Finding("D110", "info", "m", "e", "if it is a quantity", task)
    assert both.fix(as_override) == "data.task=regression (if it is a quantity)"
    assert str(both) == (
        "D110 m\n  seen: e\n  fix:  data.task = 'regression' (if it is a quantity)"
    )


def test_findings_of_earlier_releases_have_a_text() -> None:
    texts = {"code": "D106", "severity": "warning", "message": "m", "evidence": "e"}
    finding = read_finding({**texts, "fix": "missing = { chol = [0] }"}, "run.json")
    assert finding == Finding(**texts, advice="missing = { chol = [0] }")  # type: ignore[arg-type]
    assert finding.fix(as_override) == "missing = { chol = [0] }"


@pytest.mark.parametrize("key", ["", "a b", "a = 1\nb", "[a]\nb", "a..b", "a = 0 #"])
def test_a_key_that_is_none(key: str) -> None:
    document = finding_document(Finding("D110", "info", "m", setting=Setting(("a",), 1)))
    with pytest.raises(StateError, match="is not the key of a setting"):
        read_finding({**document, "setting": {"key": key, "value": 1}}, "run.json")
