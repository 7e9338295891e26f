"""What the kinds of data say of themselves without being loaded is what they are."""

from __future__ import annotations

import re

from chainrule.data.tables.bundles import FOLDER
from chainrule.modalities import FOLDERS
from chainrule.runs import registry


def test_a_folder_is_called_like_its_kind() -> None:
    assert tuple(kind.name for kind in registry.kinds()[: len(FOLDERS)]) == FOLDERS


def test_help_names_the_bundled_data() -> None:
    files = [path.name for path in FOLDER.iterdir() if path.suffix not in (".md", ".py")]
    lists = re.findall(r"bundled: ([\w, ]+)", "\n".join(registry.sources()))
    named = [name for names in lists for name in names.split(", ")]
    assert sorted(named) == sorted({re.split(r"[-.]", name)[0] for name in files})
