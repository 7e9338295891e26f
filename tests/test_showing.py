"""Names that others chose are only ever read: no terminal, markup or spreadsheet obeys them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import DataError
from chainrule.showing import cell_text, escaped_json, spreadsheet_text, visible, whole_text

CLI = Path(chainrule.__file__).parent / "cli"
EVIL = "\x1b]0;title\x07\x9b31m[/b]\r\u202eabc\u2028\ud800\x00"


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert visible("über [/b]\tname\n") == "über [/b]\tname\n"
    assert visible("\x1b[31m\x9b\r\u202e\ud800") == "\\x1b[31m\\x9b\\x0d\\u202e\\ud800"
    assert cell_text("a\n\tb") == "a b"
    assert visible(EVIL).encode("utf-8").isascii()


def test_json_that_is_printed_means_the_same() -> None:
    text = escaped_json(json.dumps([EVIL], ensure_ascii=False))
    assert json.loads(text) == [EVIL]
    assert visible(text) == text


def test_errors_are_visible_too() -> None:
    error = DataError(f"no column {EVIL}", where=EVIL, help=EVIL)
    assert visible(str(error)) == str(error)


@pytest.mark.parametrize(
    "text", ["-1", "+2.5e-3", "-1,000.5", "-inf", "-", "+", "", "a=b", "--"[:1], "<=50K", "-.5"]
)
def test_a_spreadsheet_may_have_numbers_and_signs(text: str) -> None:
    assert spreadsheet_text(text) == text


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(1)", "\t=1"])
def test_formulas_are_text(text: str) -> None:
    assert spreadsheet_text(text) == "'" + text


def test_halves_of_characters_can_be_written() -> None:
    assert whole_text("a\udce9").encode("utf-8") == b"a\\udce9"


def test_commands_print_in_one_place() -> None:
    """`click.echo` and the like pass names on as they are."""
    for path in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and path.name != "terminal.py":
                called = ast.unparse(node.func)
                assert called not in ("print", "click.secho", "Console"), path.name
                # What these print is coloured, and made visible by itself.
                colour = path.name in ("check.py", "doctor.py")
                assert called != "click.echo" or colour, path.name
