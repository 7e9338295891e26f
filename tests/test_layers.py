"""The house rules of the source tree, read from the syntax trees of all modules.

A module imports only from lower layers and from its own folder, without cycles. Some libraries may
appear in one folder only. Files and functions stay small enough to read.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chainrule
from chainrule.modalities import FOLDERS
from chainrule.runs.registry import kinds, names

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "chainrule"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

# Files of one level at the top of the package count as one folder; folders of one level do not
# import one another.
LAYERS: dict[str, int] = {
    "errors": 0, "arguments": 0, "config": 0, "durations": 0, "elementary": 0,
    "interrupted": 0, "lazily": 0, "markup": 0, "notebook": 0, "phrasing": 0, "records": 0,
    "scratch": 0, "showing": 0, "unverified": 0, "version": 0,
    "ir": 1,
    "interpret": 2, "autodiff": 2, "batching": 2,
    "ops": 3,
    "frontend": 5, "passes": 5,
    "schedule": 6,
    "codegen": 7,
    "runtime": 8,
    "driver": 9, "compared": 9, "debug": 9, "testing": 9, "nonfinite": 9,
    "nn": 10, "optim": 10, "data": 10,
    "train": 11,
    "runs": 12,
    "tasks": 13, "doctor": 13, "report": 14,
    "modalities": 15, "microscope": 15,
    "sklearn": 16, "distributed": 16, "tuning": 16, "dash": 16,
    "__init__": 17,  # the public face: it names anything, lazily; only cli names it
    "cli": 18,
    "__main__": 19,
}  # fmt: skip

# Folders of which each subfolder is one of its own: these do not import one another. The files
# beside them may import them, unless they are shared by them: then it is the other way round, and
# the face of the folder alone names all.
SPLIT = ("modalities", "data")
SHARED = ("data",)

# Where a library may be imported, as module prefixes below chainrule.
HOME_OF: dict[str, tuple[str, ...]] = {
    "llvmlite": ("codegen", "runtime.link"),
    "duckdb": ("data", "runs.predictions"),
    "click": ("cli",),
    "rich": ("cli",),
    "PIL": ("data",),
    "soundfile": ("data",),
    "tensorboard": ("report",),
    "statsforecast": ("modalities.series",),
    "sklearn": ("sklearn",),
    "mpi4py": ("distributed",),
    "scipy": ("sklearn",),
    "ray": ("distributed",),
    "optuna": ("tuning",), "sqlalchemy": ("tuning",),
    "starlette": ("dash",),
    "uvicorn": ("dash",),
    # To listen; to ask whether a cluster answers, which sends nothing.
    "socket": ("dash.listening", "distributed.ray_cluster"),
    # Never: peers are measured outside the package, data frames are taken as they come,
    # nothing is fetched, and no file can carry code.
    "torch": (), "jax": (), "pandas": (), "polars": (), "pyarrow": (),
    "requests": (), "urllib": ("dash.guard",), "http": (),
    "pickle": (), "shelve": (), "marshal": (), "dill": (),
}  # fmt: skip

FORBIDDEN_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
FILE_LINES = 400
FUNCTION_LINES = 60


@dataclass(frozen=True)
class Import:
    """One imported module: where it is written, and how."""

    target: str
    line: int
    in_function: bool
    typing_only: bool


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


@functools.cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@functools.cache
def nodes_of(module: str) -> list[ast.AST]:
    return list(ast.walk(tree_of(module)))


def is_typing_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements_of(node: ast.AST) -> Iterator[ast.AST]:
    """The statements inside of one, and the branches that hold some: imports are nowhere else."""
    inner = (ast.stmt, ast.ExceptHandler, ast.match_case)
    return (child for child in ast.iter_child_nodes(node) if isinstance(child, inner))


def walk_imports(
    node: ast.AST, package: list[str], in_function: bool = False, typing_only: bool = False
) -> Iterator[Import]:
    for child in statements_of(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, in_function, typing_only)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = ["chainrule", *package][: len(package) + 2 - child.level]
                base = ".".join([*above, *([child.module] if child.module else [])])
            for alias in child.names:
                submodule = f"{base}.{alias.name}"
                known = submodule.removeprefix("chainrule.") in modules()
                named = submodule if base.startswith("chainrule") and known else base
                yield Import(named, child.lineno, in_function, typing_only)
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from walk_imports(
            child, package, in_function or function, typing_only or is_typing_guard(child)
        )


@functools.cache
def imports_of(module: str) -> tuple[Import, ...]:
    parts = module.split(".")
    package = parts if modules()[module].name == "__init__.py" else parts[:-1]
    return tuple(walk_imports(tree_of(module), [p for p in package if p != "__init__"]))


def own_imports() -> Iterator[tuple[str, str, Import]]:
    """(importing module, imported module, import), both names below chainrule."""
    for module in modules():
        for found in imports_of(module):
            if found.target == "chainrule":
                yield module, "__init__", found
            elif found.target.startswith("chainrule."):
                yield module, found.target.removeprefix("chainrule."), found


def folder_of(module: str) -> str:
    """The folder whose modules may import one another. Kinds of data have one each."""
    top, *rest = module.split(".")
    if top in SPLIT and rest and (PACKAGE / top / rest[0]).is_dir():
        return f"{top}.{rest[0]}"
    return top if (PACKAGE / top).is_dir() else f"level {LAYERS[top]}"


def place(module: str, line: int) -> str:
    return f"{modules()[module].relative_to(PACKAGE.parent)}:{line}"


def report(problems: list[str]) -> None:
    assert not problems, "\n  " + "\n  ".join(problems)


def test_every_module_has_a_layer() -> None:
    tops = {m.split(".")[0] for m in modules()}
    report([f"{top} stands in no layer" for top in tops - LAYERS.keys()])
    report([f"there is no {top}" for top in LAYERS.keys() - tops])


def test_the_architecture_tells_the_layers() -> None:
    rows = re.findall(r"^\| (\d+) \| (`[^|]*`) \|", ARCHITECTURE, re.MULTILINE)
    told = {
        name.removesuffix("/").removesuffix(".py"): int(level)
        for level, names in rows
        for name in names.replace("`", "").split()
    }
    assert told == {n: level for n, level in LAYERS.items() if n not in ("version", "__main__")}


def test_the_architecture_names_every_module() -> None:
    """Of the compiler, and of runs, tasks and kinds of data with all that is in them."""
    named = set(re.findall(r"`(?:\w+/)*(\w+)\.py`", ARCHITECTURE))
    compiler = ("ir", "ops", "frontend", "passes", "schedule", "codegen", "runtime")
    upper = ("runs", "tasks", "modalities")
    missing = []
    for module, path in modules().items():
        top, *rest = module.split(".")
        told = (top in compiler and len(rest) == 1) or (top in upper and rest)
        if told and path.name != "__init__.py" and rest[-1] not in named:
            missing.append(module)
    report(missing)


def test_imports_point_downwards() -> None:
    problems = []
    for module, target, found in own_imports():
        mine, theirs = LAYERS[module.split(".")[0]], LAYERS[target.split(".")[0]]
        here, there = folder_of(module), folder_of(target)
        inward = there.startswith(f"{here}.") and (here not in SHARED or module == here)
        outward = here.startswith(f"{there}.") and there in SHARED and target != there
        if here != there and theirs >= mine and not inward and not outward:
            problems.append(
                f"{place(module, found.line)}: layer {mine} imports {target} of layer {theirs}"
            )
    report(problems)


#: what is written once for all kinds of data, and so names none
KINDLESS = ("cli", "runs", "report", "tuning")


def prose(module: str) -> Iterator[ast.Constant]:
    """The string constants of a module that are read by users, in order: docstrings are not, but
    those of commands are their help; nor is a single word, which is a key."""
    nodes = nodes_of(module)
    silent: set[ast.AST] = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            commands = map(ast.unparse, getattr(node, "decorator_list", ()))
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and not any("click" in c for c in commands):
                silent.add(first.value)
    pieces = {piece for node in nodes if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in silent:
            continue
        if node in pieces or not re.fullmatch(r"[\w.-]*", node.value):
            yield node


def test_what_serves_all_kinds_of_data_names_none() -> None:
    """Neither by an import nor in words: those are asked of the kind. A MIME type is no word."""
    own_kinds = kinds()[: len(FOLDERS)]
    assert names()[: len(FOLDERS)] == [kind.name for kind in own_kinds]
    descriptions = [kind.describe({}) for kind in own_kinds]
    words = {*FOLDERS, *(d.unit for d in descriptions), *(d.units for d in descriptions)}
    word = re.compile(rf"\b({'|'.join(sorted(words))})\b(?!/)", re.IGNORECASE)
    homes = tuple(f"modalities.{folder}." for folder in FOLDERS)
    problems = [
        f"{place(module, found.line)}: imports {target}"
        for module, target, found in own_imports()
        if module.split(".")[0] in KINDLESS and f"{target}.".startswith(homes)
    ]
    for module in modules():
        for text in prose(module) if module.split(".")[0] in KINDLESS else ():
            match = word.search(re.sub(r"<[^>]*>", " ", str(text.value)))
            if match:
                problems.append(f"{place(module, text.lineno)}: says {match[0]!r}")
    report(problems)


def test_imported_modules_exist() -> None:
    report(
        [
            f"{place(module, found.line)}: there is no module chainrule.{target}"
            for module, target, found in own_imports()
            if target not in modules()
        ]
    )


def test_no_cycles() -> None:
    """Imports for annotations alone (TYPE_CHECKING) make no cycle at run time."""
    edges: dict[str, set[str]] = {m: set() for m in modules()}
    for module, target, found in own_imports():
        if not found.typing_only:
            edges[module].add(target)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "cycle: " + " -> ".join([*path, module])
        if module not in done:
            for target in sorted(edges.get(module, ())):
                visit(target, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


#: modules that load others by name: the public faces, and the registry of kinds of data
LOADERS = ("__init__", "lazily", "runs.registry")


def test_no_hidden_imports() -> None:
    """Only the command line, which must start fast, imports the package inside functions."""
    problems = [
        f"{place(module, found.line)}: imports {target} inside a function"
        for module, target, found in own_imports()
        if found.in_function and not module.startswith("cli")
    ]
    for module in modules():
        if module in LOADERS or module.startswith("cli"):
            continue
        for node in nodes_of(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                loaded = node.args[0]
                outside = isinstance(loaded, ast.Constant) and re.match(
                    r"(?!chainrule)\w", str(loaded.value)
                )
                if not outside:
                    problems.append(f"{place(module, node.lineno)}: {ast.unparse(node)}")
    report(problems)


def test_libraries_stay_in_their_folder() -> None:
    problems = []
    for module in modules():
        for found in imports_of(module):
            homes = HOME_OF.get(found.target.split(".")[0])
            at_home = homes is None or any(
                module == home or module.startswith(home + ".") for home in homes
            )
            if not at_home and not found.target.startswith("chainrule"):
                problems.append(f"{place(module, found.line)}: imports {found.target}")
    report(problems)


def test_the_face_of_the_package_is_lazy() -> None:
    """`chainrule --help` must not load NumPy: the root module imports nothing of weight."""
    light = {"__future__", "typing", "chainrule.lazily"}
    report(
        [
            f"{place('__init__', found.line)}: imports {found.target} eagerly"
            for found in imports_of("__init__")
            if not (found.typing_only or found.in_function or found.target in light)
        ]
    )


def test_the_stub_has_every_public_name() -> None:
    """Type checkers read ``__init__.pyi``; the names themselves are loaded when first used."""
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    told = set(re.findall(r"\b(\w+) as \1\b", stub))
    public = set(chainrule.__all__)
    report([f"only the stub has {name}" for name in told - public])
    report([f"the stub lacks {name}" for name in public - told])


def test_no_code_from_text() -> None:
    problems = []
    for module in modules():
        for node in nodes_of(module):
            called = isinstance(node, ast.Call) and ast.unparse(node.func)
            if called in {"eval", "exec", "__import__", "builtins.eval", "builtins.exec"}:
                problems.append(f"{place(module, node.lineno)}: {called}")
    report(problems)


def test_no_broad_except() -> None:
    problems = []
    for module in modules():
        for node in nodes_of(module):
            if isinstance(node, ast.ExceptHandler):
                caught = "everything" if node.type is None else ast.unparse(node.type)
                reraises = any(isinstance(n, ast.Raise) and n.exc is None for n in node.body)
                broad = caught in {"everything", "Exception", "BaseException"}
                if broad and not reraises:
                    problems.append(f"{place(module, node.lineno)}: catches {caught}")
    report(problems)


def test_files_and_functions_stay_small() -> None:
    problems = []
    for module, path in modules().items():
        if path.name in FORBIDDEN_NAMES:
            problems.append(f"{path.name} says nothing about what it holds")
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES:
            problems.append(f"{place(module, lines)}: {lines} lines, at most {FILE_LINES}")
        for node in nodes_of(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    problems.append(f"{place(module, node.lineno)}: {node.name} has {length} lines")
    report(problems)
