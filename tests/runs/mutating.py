"""Ways in which a run folder may be damaged: `mutate` draws one and applies it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.records import sealed

__all__ = ["MUTATIONS", "Damage", "mutate"]

Rng = np.random.Generator


@dataclass
class Damage:
    """What was done: in words; ``meant``: the checksum was put right, as by one who means it."""

    words: str
    meant: bool = False


@dataclass
class Place:
    """A run folder that is damaged, the file that was drawn, and other intact runs to take from."""

    run: Path
    file: Path
    others: list[Path]
    rng: Rng

    def pick(self, values: Any) -> Any:
        found = list(values)
        return found[int(self.rng.integers(len(found)))]

    @property
    def name(self) -> str:
        return str(self.file.relative_to(self.run))


Mutation = Callable[[Place], Damage | None]
MUTATIONS: list[Mutation] = []


def mutation(function: Mutation) -> Mutation:
    MUTATIONS.append(function)
    return function


def mutate(run: Path, others: list[Path], rng: Rng) -> Damage:
    """Damages ``run``; ``others`` are intact runs whose files may come into it."""
    while True:
        names = sorted(p for p in run.rglob("*") if p.is_file() and p.name != ".lock")
        place = Place(run, names[int(rng.integers(len(names)))], others, rng)
        chosen = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        done = chosen(place)
        if done is not None:
            done.words = f"{chosen.__name__}: {done.words}"
            return done


# ------------------------------------------------------------------------------------ bytes


@mutation
def flip_a_bit(at: Place) -> Damage | None:
    content = bytearray(at.file.read_bytes())
    if not content:
        return None
    where = int(at.rng.integers(8 * len(content)))
    content[where // 8] ^= 1 << where % 8
    at.file.write_bytes(content)
    return Damage(f"bit {where} of {at.name}")


@mutation
def flip_a_bit_of_a_checkpoint(at: Place) -> Damage | None:
    files = sorted((at.run / "checkpoints").glob("*.json")) if at.run.is_dir() else []
    if not files:
        return None
    return flip_a_bit(Place(at.run, at.pick(files), at.others, at.rng))


@mutation
def cut_off(at: Place) -> Damage | None:
    content = at.file.read_bytes()
    if not content:
        return None
    length = int(at.rng.integers(len(content)))
    at.file.write_bytes(content[:length])
    return Damage(f"{at.name} after {length} of {len(content)} bytes")


@mutation
def overwrite(at: Place) -> Damage:
    content = bytearray(at.file.read_bytes())
    start = int(at.rng.integers(len(content) + 1))
    length = int(at.rng.integers(1, 64))
    garbage = at.pick([at.rng.bytes(length), bytes(length), b"\xff" * length, b"[" * 100_000])
    content[start : start + at.pick([0, len(garbage)])] = garbage
    at.file.write_bytes(content)
    return Damage(f"{at.name} from byte {start}")


# ------------------------------------------------------------------------------------ files


@mutation
def delete(at: Place) -> Damage:
    at.file.unlink()
    return Damage(at.name)


@mutation
def swap(at: Place) -> Damage | None:
    files = sorted(p for p in at.run.rglob("*") if p.is_file() and p != at.file)
    other = at.pick(files)
    mine, theirs = at.file.read_bytes(), other.read_bytes()
    at.file.write_bytes(theirs)
    other.write_bytes(mine)
    return Damage(f"{at.name} and {other.relative_to(at.run)}") if mine != theirs else None


@mutation
def take_from_another_run(at: Place) -> Damage | None:
    same = [p for run in at.others for p in sorted(run.rglob(at.file.name)) if p.is_file()]
    if not same:
        return None
    other = at.pick(same)
    changed = other.read_bytes() != at.file.read_bytes()
    shutil.copyfile(other, at.file)
    return Damage(f"{at.name} from {other.parent.name}") if changed else None


@mutation
def take_checkpoints_of_another_run(at: Place) -> Damage | None:
    groups = [run / "checkpoints" for run in at.others if (run / "checkpoints").is_dir()]
    mine = at.run / "checkpoints"
    if not groups or not mine.is_dir():
        return None
    other = at.pick(groups)
    shutil.rmtree(mine)
    shutil.copytree(other, mine)
    return Damage(f"from {other.parent.name}")


@mutation
def rename_a_checkpoint(at: Place) -> Damage | None:
    files = sorted((at.run / "checkpoints").glob("*.json"))
    if not files:
        return None
    file, step = at.pick(files), int(at.rng.integers(1, 10_000))
    for half in (file, file.with_suffix(".safetensors")):
        half.rename(half.with_name(f"{step:06}{half.suffix}"))
    return Damage(f"{file.name} is that of {step}")


@mutation
def replace_by_something_else(at: Place) -> Damage:
    at.file.unlink()
    kind = at.pick(["folder", "full folder", "dangling link", "loop", "pipe", "link to folder"])
    if kind.endswith("older"):
        at.file.mkdir() if kind != "link to folder" else at.file.symlink_to(at.run)
    if kind == "full folder":
        (at.file / "x").write_text("x")
    if kind in ("dangling link", "loop"):
        at.file.symlink_to(at.file.name if kind == "loop" else "nowhere")
    if kind == "pipe":
        os.mkfifo(at.file)
    return Damage(f"{at.name} by a {kind}")


# ------------------------------------------------------------------------------------- text

ODD_TEXTS = ["[" * 100_000 + "]" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "9" * 5_000,
             "1e999", "-1e999", "1" + "0" * 300, "NaN", "-Infinity", '"\\ud800"', "null", "true",
             "-1", "0", "1e-320", "[]", "{}", '""', '"\\u001b[31m[/b]"', '"a"', "3.5",
             "18446744073709551616"]  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document, those of objects and lists included."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            found += leaves(inner, (*path, key))
    return found


def changed(value: Any, rng: Rng) -> Any:
    """A value of the same type that is another."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + int(rng.choice([-1, 1, 7, 1000]))
    if isinstance(value, float):
        return value * float(rng.choice([-1.0, 0.5, 1 + 1e-12, 10.0])) + 1e-9
    if isinstance(value, str):
        return value[:-1] + ("x" if not value.endswith("x") else "y")
    if isinstance(value, dict):
        return dict(list(value.items())[1:])
    return value[1:] if value else [1]


@mutation
def edit_json(at: Place) -> Damage | None:
    """A value of another type, a huge one, another one, or none."""
    if at.file.suffix not in (".json", ".jsonl"):
        return None
    lines = at.file.read_text().splitlines() if at.file.suffix == ".jsonl" else None
    text = at.file.read_text() if lines is None else at.pick(lines or [""])
    if not text:
        return None
    document = json.loads(text)
    had = document.pop("checksum", None)
    inner, path = document, at.pick(leaves(document))
    for key in path[:-1]:
        inner = inner[key]
    how = at.pick(["odd", "odd", "changed", "changed", "gone"])
    odd = str(at.pick(ODD_TEXTS))
    inner[path[-1]] = "@@@" if how == "odd" else changed(inner[path[-1]], at.rng)
    if how == "gone":
        del inner[path[-1]]
    new = json.dumps(document, indent=None if lines is not None else 1)
    new = new.replace('"@@@"', odd)
    meant = had is not None and bool(at.rng.random() < 0.4)
    if had is not None:
        new = sealed(new) if meant else new.replace("{", f'{{ "checksum": "{had}",', 1)
    if lines is not None:
        new = "\n".join(new if line == text else line for line in lines) + "\n"
    at.file.write_text(new)
    shown = odd[:20] if how == "odd" else ""
    return Damage(f"{at.name} {'.'.join(map(str, path))} {how} {shown}", meant)


@mutation
def edit_lines(at: Place) -> Damage | None:
    if at.file.suffix not in (".jsonl", ".toml"):
        return None
    lines = at.file.read_text().splitlines()
    if len(lines) < 2:
        return None
    i, j = (int(k) for k in at.rng.choice(len(lines), 2, replace=False))
    how = at.pick(["drop", "double", "exchange"])
    if how == "drop":
        del lines[i]
    elif how == "double":
        lines.insert(i, lines[j])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    at.file.write_text("\n".join(lines) + "\n")
    return Damage(f"{how} lines {i + 1}, {j + 1} of {at.name}")


@mutation
def edit_settings(at: Place) -> Damage | None:
    """A setting as somebody might change it, or as nobody should."""
    file = at.run / "run.toml"
    lines = file.read_text().splitlines()
    i = at.pick(i for i, line in enumerate(lines) if " = " in line)
    key, _, value = lines[i].partition(" = ")
    swaps = {'"relu"': '"tanh"', "true": "false", "false": "true", '"adamw"': '"adam"'}
    new = swaps.get(value) or at.pick(
        [f"{value[:-1]}1" if value[-1:].isdigit() else value.replace("e", "a"), *ODD_TEXTS]
    )
    lines[i] = f"{key} = {new}"
    file.write_text("\n".join(lines) + "\n")
    return Damage(f"{key} = {value} is {str(new)[:20]}")
