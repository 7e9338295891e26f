"""The commands of the Makefile, once more after they have left files behind."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def options_of_make_test() -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"-m pytest (.*)", makefile)
    assert found is not None
    return shlex.split(found.group(1).replace("$(TEST_OPTIONS)", ""))


def test_a_folder_of_an_earlier_run_is_not_taken_for_tests(tmp_path: Path) -> None:
    """pytest loads the options of tests/conftest.py only if no word of the command is a path."""
    words = [
        re.sub(r"build/\w+", lambda kept: str(tmp_path / Path(kept.group()).name), word)
        for word in options_of_make_test()
    ]
    assert any(str(tmp_path) in word for word in words)
    (tmp_path / "screenshots").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--markers"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
