"""The budgets of the house: how long a file and a function may be, how dense a statement, how full a folder. Over budget means a missing noun.

budget.py [FOLDER …]            what is over budget; exit 1 where something is (ruff counts complexity and parameters)
budget.py --figures [FOLDER …]  figures of the whole house
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 350
FUNCTION_LINES = 60
FOLDER_FILES = 15
COMPLEXITY = 10
PARAMETERS = 5
FIELDS = 8
LISTS_OF_KINDS = ("cli/commands", "batchwork/tasks")
"""Folders that may hold any number of files: one for each kind."""

LARGE_CLASSES = {
    # values of the model, one field for each thing that is stored, sent or written
    *("Report", "Failure", "Successes", "UnitPage", "UnitRecord", "Checkpoint", "RunRecord", "StepRecord", "Sample"),
    *("StepPlan", "Plan", "Knowns", "BatchSettings", "BatchSpec", "StepSpec", "HttpRequestFields", "StepBrief"),
    *("Staffing", "Outcomes", "Run"),
    "MemoryStep",  # what is kept of a step, a field for each kind
    "Coordinator",  # the step as a whole: 15 at most
}
"""Classes that may have more than 8 fields, by name."""
MANY_PARAMETERS = {"calls.py run", "calls.py retry_failed"}
"""Functions that may have more than 5 parameters, by name: those of the Python interface, which are options."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def over_budget(path: Path, root: Path | None = None) -> Iterator[str]:
    """What in a file is too long or too dense, one line of text each. `root`: where its siblings stand."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines (budget {FILE_LINES})"
    tree = ast.parse(text)
    siblings = {file.name for file in root.rglob("*.py")} if root is not None else set()
    for node in ast.walk(tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name}: {length} lines (budget {FUNCTION_LINES})"
            if (ways := complexity(node)) > COMPLEXITY:
                yield f"{path}:{node.lineno} {node.name}: complexity {ways} (budget {COMPLEXITY})"
            if (count := parameters(node)) > PARAMETERS and not is_excepted(path, node):
                yield f"{path}:{node.lineno} {node.name}: {count} parameters (budget {PARAMETERS})"
        if isinstance(node, ast.ClassDef) and fields(node) > FIELDS and node.name not in LARGE_CLASSES:
            yield f"{path}:{node.lineno} {node.name}: {fields(node)} fields (budget {FIELDS})"
        if isinstance(node, ast.stmt) and len(own(node, ast.IfExp)) > 1:
            yield f"{path}:{node.lineno}: {len(own(node, ast.IfExp))} conditional expressions in a statement (budget 1)"
        if isinstance(node, Function | ast.ClassDef | ast.Module):
            for name in sorted(set(re.findall(r"\b\w+\.py\b", ast.get_docstring(node) or "")) & siblings):
                yield f"{path}:{getattr(node, 'lineno', 1)}: the docstring names the file {name}; say what is here"


def own(statement: ast.stmt, kind: type[ast.AST]) -> list[ast.AST]:
    """The nodes of a kind that stand in a statement itself, not in statements inside it."""
    found, waiting = [], list(ast.iter_child_nodes(statement))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue
        if isinstance(node, kind):
            found.append(node)
        waiting += ast.iter_child_nodes(node)
    return found


def full_folders(root: Path) -> Iterator[str]:
    """Folders with more files than one can take in at a glance."""
    for folder in sorted({path.parent for path in root.rglob("*.py")}):
        count = sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        if count > FOLDER_FILES and not folder.as_posix().endswith(LISTS_OF_KINDS):
            yield f"{folder}: {count} files (budget {FOLDER_FILES})"


def parameters(function: Function) -> int:
    """How many parameters a caller has to know."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def is_excepted(path: Path, function: Function) -> bool:
    """Whether its parameters are options that a person gives: a command of the command line, or named as such."""
    command = any("command" in ast.unparse(decorator) for decorator in function.decorator_list)
    return command or f"{path.name} {function.name}" in MANY_PARAMETERS


# ---------------------------------------------------------------- figures


def complexity(function: Function) -> int:
    """Ways through a function, as McCabe counts them: 1, and 1 for each branch, loop, handler, `and`, `or`, condition."""
    ways = 1
    for node in ast.walk(function):
        if isinstance(
            node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.IfExp | ast.ExceptHandler | ast.match_case
        ):
            ways += 1
        elif isinstance(node, ast.BoolOp):
            ways += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            ways += 1 + len(node.ifs)
    return ways


def fields(cls: ast.ClassDef) -> int:
    """Attributes: annotated in the class, or set on `self` in `__init__`."""
    names = {
        node.target.id for node in cls.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for method in cls.body:
        if isinstance(method, Function) and method.name == "__init__":
            for node in ast.walk(method):
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.ctx, ast.Store)
                    and ast.unparse(node.value) == "self"
                ):
                    names.add(node.attr)
    return len(names)


def figures(root: Path) -> Iterator[str]:
    """Figures of the house, one line of text each; the names behind a figure are indented below it."""
    files = sorted(root.rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    code = sum(
        bool(line.strip()) and not line.strip().startswith("#") for text in texts.values() for line in text.split("\n")
    )
    yield f"modules {len(files)}, lines {sum(text.count(chr(10)) for text in texts.values())}, of code {code}"
    nodes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    dense = [
        f"{path}:{node.lineno} {node.name} {complexity(node)}"
        for path, node in nodes
        if isinstance(node, Function) and complexity(node) > COMPLEXITY
    ]
    yield from named(f"functions of complexity over {COMPLEXITY}: {len(dense)}", dense)
    conditional = sum(isinstance(node, ast.IfExp) for _, node in nodes)
    yield f"conditional expressions: {conditional}, {conditional / code * 1000:.1f} in 1,000 lines of code"
    large = [
        f"{path}:{node.lineno} {node.name} {fields(node)}"
        for path, node in nodes
        if isinstance(node, ast.ClassDef) and fields(node) > FIELDS
    ]
    yield from named(f"classes over {FIELDS} fields: {len(large)}", large)
    yield from named_twice(trees)
    masks = [str(path) for path, text in texts.items() if re.search(r"\bclean(er)?\b|\bcensor\b", text, re.IGNORECASE)]
    yield from named(f"modules that mask: {len(masks)}", masks)


def named_twice(trees: dict[Path, ast.Module]) -> Iterator[str]:
    """Public names of modules that are defined in more than one."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, Function | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            else:
                continue
            for name in names:
                if not name.startswith("_"):
                    places[name].append(str(path))
    twice = [
        f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(set(paths)) > 1 and len(name) > 1
    ]
    yield from named(f"public names with more than one meaning: {len(twice)}", twice)


def named(head: str, rows: list[str]) -> Iterator[str]:
    """A figure and the names behind it."""
    yield head
    yield from (f"    {row}" for row in rows)


def main(arguments: list[str]) -> int:
    """Print what is over budget (or figures); the exit status says whether something is."""
    roots = [Path(argument) for argument in arguments if not argument.startswith("--")] or [Path("src")]
    if "--figures" in arguments:
        print("\n".join(line for root in roots for line in figures(root)))
        return 0
    found = [line for root in roots for path in sorted(root.rglob("*.py")) for line in over_budget(path, root)]
    found += [line for root in roots for line in full_folders(root)]
    print("\n".join(found) if found else "the budgets are kept")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
