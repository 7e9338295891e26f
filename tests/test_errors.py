"""What errors say, and which names they think were meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chainrule.errors import ChainruleError, TrainingError, meant, nearest

NAMES = ("adam", "adamw", "adagrad", "sgd")


def test_an_error_says_what_where_and_help() -> None:
    error = ChainruleError("it broke", where="line 3", help="mend it")
    assert str(error) == "it broke\n  where: line 3\n  help:  mend it"
    assert str(ChainruleError("it broke")) == "it broke"
    assert (ChainruleError("").exit_code, TrainingError("").exit_code) == (2, 3)


@pytest.mark.parametrize(
    ("name", "near"), [("adm", "adam"), ("adamww", "adamw"), ("sdg", "sgd"), ("lbfgs", None)]
)
def test_the_nearest_name(name: str, near: str | None) -> None:
    assert nearest(name, NAMES) == near
    assert nearest(name, dict.fromkeys(NAMES)) == near
    assert meant(name, NAMES) == (f"did you mean {near!r}? " if near else "")


def test_a_lower_cutoff_lets_less_alike_names_through() -> None:
    assert nearest("lr", ("rate", "l2")) is None
    assert nearest("lr", ("rate", "l2"), cutoff=0.5) == "l2"


def test_the_package_is_imported_without_what_compares_names() -> None:
    code = "import sys, chainrule.optim, chainrule.runs.settings; print('difflib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
