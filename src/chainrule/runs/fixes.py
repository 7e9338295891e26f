"""The fix of a finding, spelled as its reader can paste it, and findings as JSON.

A finding names a setting by its key in ``run.toml``. It is spelled as an option or override on the
command line, or as an argument of a Python function. Which option or argument sets which key is a
parameter: it is in the tables of ``settings/arguments.py`` and of the kinds of data.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..data import Finding, Setting
from ..errors import StateError
from ..records import parsed_toml
from .settings.toml import key_text, value_text

__all__ = ["FINDING_SHAPE", "as_argument", "as_entry", "as_option", "as_override",
           "finding_document", "read_finding"]  # fmt: skip

Key = tuple[str, ...]

#: what ``run.json`` must hold of a finding; earlier releases wrote the texts alone
FINDING_SHAPE = {
    **dict.fromkeys(("code", "severity", "message", "evidence", "fix"), str),
    "advice?": str,
    "setting?": ({"key": str, "value": (str, bool, float, [(str, bool, float)])}, None),
}


def as_entry(setting: Setting, document: Mapping[str, Any]) -> str:
    """``[data] missing = { chol = [0] }``: what to write in the ``run.toml`` that holds
    ``document``, and below which heading."""
    depth, table = 0, document
    while depth < len(setting.key) - 1:
        inner = table.get(setting.key[depth])
        if not isinstance(inner, Mapping) or not inner:
            break
        depth, table = depth + 1, inner
    heading, inside = setting.key[:depth], setting.key[depth:]
    value = value_text(_nested(inside[1:], setting.value))
    entry = f"{key_text(inside[:1])} = {value}"
    return f"[{key_text(heading)}] {entry}" if heading else entry


def as_override(setting: Setting) -> str:
    """``'data.missing.chol=[0]'``: KEY=VALUE for the command line, quoted for the shell."""
    return shlex.quote(_override(setting))


def as_option(setting: Setting, options: Mapping[Key, str]) -> str:
    """``--missing chol=0``: the option that sets it, or else KEY=VALUE; quoted for the shell.

    ``options`` are those of the command, by the key that each of them sets.
    """
    for key, flag in options.items():
        inner = setting.key[len(key) :]
        if setting.key[: len(key)] == key and len(inner) < 2 and _fits_option(setting, inner):
            values = setting.value if isinstance(setting.value, tuple) else (setting.value,)
            text = "=".join([*inner, ",".join(map(str, values))])
            return f"{flag} {shlex.quote(text)}"
    return as_override(setting)


def as_argument(setting: Setting, arguments: Mapping[str, Key]) -> str:
    """``missing={"chol": [0]}``: the argument that sets it, or else ``settings=[...]``.

    ``arguments`` are those of the function, each with the key that it sets.
    """
    for name, key in arguments.items():
        if setting.key[: len(key)] == key:
            return f"{name}={_python(_nested(setting.key[len(key) :], setting.value))}"
    return f"settings=[{_python(_override(setting))}]"


def _override(setting: Setting) -> str:
    """KEY=VALUE, as `settings.sources.from_overrides` reads it."""
    key = setting.key
    # The first = ends the key, so a name that contains one goes into the value.
    end = next((i for i, part in enumerate(key) if "=" in part), len(key))
    value = _nested(key[end:], setting.value)
    plain = isinstance(value, str) and _is_no_toml(value)
    return f"{key_text(key[:end])}={value if plain else value_text(value)}"


def _nested(key: Key, value: Any) -> Any:
    for part in reversed(key):
        value = {part: value}
    return value


def _is_no_toml(text: str) -> bool:
    """Whether an override may hold ``text`` without TOML's quotes."""
    if not text.isprintable() or text != text.strip():
        return False
    try:
        parsed_toml(f"value = {text}")
    except ValueError:
        return True
    return False


def _fits_option(setting: Setting, inner: Key) -> bool:
    """Whether an option can express the value: options split lists at commas, read as numbers what
    looks like one, and split a column from its value at the first equals sign."""
    if any("=" in name or not name for name in inner):
        return False
    if isinstance(setting.value, tuple):
        return all(map(_fits_in_list, setting.value))
    return not isinstance(setting.value, bool)


def _fits_in_list(value: object) -> bool:
    if not isinstance(value, str):
        return not isinstance(value, bool)
    try:
        float(value)
    except ValueError:
        return bool(value) and "," not in value
    return False


def _python(value: Any) -> str:
    """A value as Python code."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_python(k)}: {_python(v)}' for k, v in value.items())}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_python, value))}]"
    return repr(value)


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON: ``fix`` is for people, ``setting`` and ``advice`` for programs."""
    setting = finding.setting
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "evidence": finding.evidence,
        "fix": finding.fix(as_override),
        "advice": finding.advice,
        "setting": setting
        and {
            "key": key_text(setting.key),
            "value": list(setting.value) if isinstance(setting.value, tuple) else setting.value,
        },
    }


def read_finding(document: Mapping[str, Any], where: str) -> Finding:
    """The inverse of `finding_document`; of an earlier release, the fix becomes the advice.

    ``document`` has the shape `FINDING_SHAPE`. StateError, naming ``where``, for an invalid key.
    """
    setting = document.get("setting")
    return Finding(
        document["code"],
        document["severity"],
        document["message"],
        document["evidence"],
        document.get("advice", document["fix"]),
        setting and _read_setting(setting, where),
    )


def _read_setting(document: Mapping[str, Any], where: str) -> Setting:
    key: list[str] = []
    try:
        table: Any = parsed_toml(f"{document['key']} = 0")
    except ValueError:
        table = None
    while isinstance(table, dict) and len(table) == 1:
        ((part, table),) = table.items()
        key.append(part)
    if not key or key_text(tuple(key)) != document["key"]:
        raise StateError(f"{document['key']!r} is not the key of a setting", where=where)
    value = document["value"]
    return Setting(tuple(key), tuple(value) if isinstance(value, list) else value)
