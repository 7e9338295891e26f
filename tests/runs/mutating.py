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
    """What was done, in words; ``resealed``: with a new checksum, as if the edit were intended."""

    words: str
    resealed: bool = False


@dataclass
class Target:
    """A run folder to damage, the file that was drawn, and intact runs to take files from."""

    run: Path
    file: Path
    others: list[Path]
    rng: Rng

    def pick(self, values: Any) -> Any:
        choices = list(values)
        return choices[int(self.rng.integers(len(choices)))]

    @property
    def name(self) -> str:
        return str(self.file.relative_to(self.run))


Mutation = Callable[[Target], Damage | None]
MUTATIONS: list[Mutation] = []


def mutation(function: Mutation) -> Mutation:
    MUTATIONS.append(function)
    return function


def mutate(run: Path, others: list[Path], rng: Rng) -> Damage:
    """Damages ``run``; ``others`` are intact runs whose files may come into it."""
    while True:
        names = sorted(p for p in run.rglob("*") if p.is_file() and p.name != ".lock")
        target = Target(run, names[int(rng.integers(len(names)))], others, rng)
        apply = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        damage = apply(target)
        if damage is not None:
            damage.words = f"{apply.__name__}: {damage.words}"
            return damage


# ------------------------------------------------------------------------------------ bytes


@mutation
def flip_a_bit(target: Target) -> Damage | None:
    content = bytearray(target.file.read_bytes())
    if not content:
        return None
    bit = int(target.rng.integers(8 * len(content)))
    content[bit // 8] ^= 1 << bit % 8
    target.file.write_bytes(content)
    return Damage(f"bit {bit} of {target.name}")


@mutation
def flip_a_bit_of_a_checkpoint(target: Target) -> Damage | None:
    files = sorted((target.run / "checkpoints").glob("*.json")) if target.run.is_dir() else []
    if not files:
        return None
    return flip_a_bit(Target(target.run, target.pick(files), target.others, target.rng))


@mutation
def cut_off(target: Target) -> Damage | None:
    content = target.file.read_bytes()
    if not content:
        return None
    length = int(target.rng.integers(len(content)))
    target.file.write_bytes(content[:length])
    return Damage(f"{target.name} after {length} of {len(content)} bytes")


@mutation
def overwrite(target: Target) -> Damage:
    content = bytearray(target.file.read_bytes())
    start = int(target.rng.integers(len(content) + 1))
    length = int(target.rng.integers(1, 64))
    garbage = target.pick(
        [target.rng.bytes(length), bytes(length), b"\xff" * length, b"[" * 100_000]
    )
    content[start : start + target.pick([0, len(garbage)])] = garbage
    target.file.write_bytes(content)
    return Damage(f"{target.name} from byte {start}")


# ------------------------------------------------------------------------------------ files


@mutation
def delete(target: Target) -> Damage:
    target.file.unlink()
    return Damage(target.name)


@mutation
def swap(target: Target) -> Damage | None:
    files = sorted(p for p in target.run.rglob("*") if p.is_file() and p != target.file)
    other = target.pick(files)
    mine, theirs = target.file.read_bytes(), other.read_bytes()
    target.file.write_bytes(theirs)
    other.write_bytes(mine)
    return Damage(f"{target.name} and {other.relative_to(target.run)}") if mine != theirs else None


@mutation
def take_from_another_run(target: Target) -> Damage | None:
    same = [p for run in target.others for p in sorted(run.rglob(target.file.name)) if p.is_file()]
    if not same:
        return None
    other = target.pick(same)
    changed = other.read_bytes() != target.file.read_bytes()
    shutil.copyfile(other, target.file)
    return Damage(f"{target.name} from {other.parent.name}") if changed else None


@mutation
def take_checkpoints_of_another_run(target: Target) -> Damage | None:
    groups = [run / "checkpoints" for run in target.others if (run / "checkpoints").is_dir()]
    mine = target.run / "checkpoints"
    if not groups or not mine.is_dir():
        return None
    other = target.pick(groups)
    shutil.rmtree(mine)
    shutil.copytree(other, mine)
    return Damage(f"from {other.parent.name}")


@mutation
def rename_a_checkpoint(target: Target) -> Damage | None:
    files = sorted((target.run / "checkpoints").glob("*.json"))
    if not files:
        return None
    file, step = target.pick(files), int(target.rng.integers(1, 10_000))
    for half in (file, file.with_suffix(".safetensors")):
        half.rename(half.with_name(f"{step:06}{half.suffix}"))
    return Damage(f"{file.name} is that of {step}")


@mutation
def replace_by_something_else(target: Target) -> Damage:
    target.file.unlink()
    kind = target.pick(["folder", "full folder", "dangling link", "loop", "pipe", "link to folder"])
    if kind.endswith("older"):
        target.file.mkdir() if kind != "link to folder" else target.file.symlink_to(target.run)
    if kind == "full folder":
        (target.file / "x").write_text("x")
    if kind in ("dangling link", "loop"):
        target.file.symlink_to(target.file.name if kind == "loop" else "nowhere")
    if kind == "pipe":
        os.mkfifo(target.file)
    return Damage(f"{target.name} by a {kind}")


# ------------------------------------------------------------------------------------- text

ODD_TEXTS = ["[" * 100_000 + "]" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "9" * 5_000,
             "1e999", "-1e999", "1" + "0" * 300, "NaN", "-Infinity", '"\\ud800"', "null", "true",
             "-1", "0", "1e-320", "[]", "{}", '""', '"\\u001b[31m[/b]"', '"a"', "3.5",
             "18446744073709551616"]  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document, those of objects and lists included."""
    paths = [path] if path else []
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            paths += leaves(inner, (*path, key))
    return paths


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
def edit_json(target: Target) -> Damage | None:
    """A value of another type, a huge one, another one, or none."""
    if target.file.suffix not in (".json", ".jsonl"):
        return None
    lines = target.file.read_text().splitlines() if target.file.suffix == ".jsonl" else None
    text = target.file.read_text() if lines is None else target.pick(lines or [""])
    if not text:
        return None
    document = json.loads(text)
    checksum = document.pop("checksum", None)
    inner, path = document, target.pick(leaves(document))
    for key in path[:-1]:
        inner = inner[key]
    how = target.pick(["odd", "odd", "changed", "changed", "gone"])
    odd = str(target.pick(ODD_TEXTS))
    inner[path[-1]] = "@@@" if how == "odd" else changed(inner[path[-1]], target.rng)
    if how == "gone":
        del inner[path[-1]]
    new = json.dumps(document, indent=None if lines is not None else 1)
    new = new.replace('"@@@"', odd)
    resealed = checksum is not None and bool(target.rng.random() < 0.4)
    if checksum is not None:
        new = sealed(new) if resealed else new.replace("{", f'{{ "checksum": "{checksum}",', 1)
    if lines is not None:
        new = "\n".join(new if line == text else line for line in lines) + "\n"
    target.file.write_text(new)
    value_text = odd[:20] if how == "odd" else ""
    return Damage(f"{target.name} {'.'.join(map(str, path))} {how} {value_text}", resealed)


@mutation
def edit_lines(target: Target) -> Damage | None:
    if target.file.suffix not in (".jsonl", ".toml"):
        return None
    lines = target.file.read_text().splitlines()
    if len(lines) < 2:
        return None
    i, j = (int(k) for k in target.rng.choice(len(lines), 2, replace=False))
    how = target.pick(["drop", "double", "exchange"])
    if how == "drop":
        del lines[i]
    elif how == "double":
        lines.insert(i, lines[j])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    target.file.write_text("\n".join(lines) + "\n")
    return Damage(f"{how} lines {i + 1}, {j + 1} of {target.name}")


@mutation
def edit_settings(target: Target) -> Damage | None:
    """A setting as somebody might change it, or as nobody should."""
    file = target.run / "run.toml"
    lines = file.read_text().splitlines()
    i = target.pick(i for i, line in enumerate(lines) if " = " in line)
    key, _, value = lines[i].partition(" = ")
    swaps = {'"relu"': '"tanh"', "true": "false", "false": "true", '"adamw"': '"adam"'}
    new = swaps.get(value) or target.pick(
        [f"{value[:-1]}1" if value[-1:].isdigit() else value.replace("e", "a"), *ODD_TEXTS]
    )
    lines[i] = f"{key} = {new}"
    file.write_text("\n".join(lines) + "\n")
    return Damage(f"{key} = {value} is {str(new)[:20]}")
