"""A lint over the syntax trees of the service rooms: row scope, guards, units of work.

It knows no types: it goes by names, which the house rules fix. What it lets through on purpose is
listed below, with the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "keepwell"
ROOMS = ("frame", "jobs", "trust", "learn", "intervene", "web", "api", "cli", "client")
STATEMENTS = frozenset({"select", "update", "delete", "insert"})
SCOPING = frozenset({"visible", "visible_as", "visible_clients", "scoped", "scoped_as"})
METHODS = frozenset({"get", "post", "put", "patch", "delete"})

OUTSIDE_REPO: dict[str, str] = {
    "web/demo.py": "makes up people around a demo's whole book; no actor, no row is shown",
}
"""Modules besides repo.py that may build statements, and why."""

MAY_COMMIT = {
    "frame/database.py": "the one place where units of work end",
    "frame/migrate.py": "the schema changes outside of any unit of work",
}

UNGUARDED = {
    "trust/access/api.py:log_in": "who logs in is nobody yet",
    "web/pages/shell.py:log_in_page": "who logs in is nobody yet",
    "web/pages/shell.py:log_in": "who logs in is nobody yet",
    "web/pages/shell.py:choose_language": "also before the log-in; a cookie of this browser",
    "web/pages/shell.py:choose_theme": "also before the log-in; a cookie of this browser",
}
"""Endpoints without `allow` or `visiting`."""
GUARDS = ("allow", "visiting")


def check(path: str, source: str, with_client: frozenset[str]) -> list[str]:
    """Faults of one module.

    Args:
        path: relative to src/keepwell.
        source: its text.
        with_client: names of the table classes that have a column client_id.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    faults = [*_commits(path, tree), *_generators(path, tree), *_endpoints(path, tree)]
    if path.endswith("repo.py"):
        faults += _scopes(path, tree, lines, with_client)
    elif path not in OUTSIDE_REPO:
        faults += _statements(path, tree)
    return faults


def modules() -> Iterator[tuple[str, str]]:
    """Path and text of every module of the service rooms."""
    for room in ROOMS:
        for file in sorted((SRC / room).rglob("*.py")):
            path = file.relative_to(SRC).as_posix()
            if "/migrations/" not in path:
                yield path, file.read_text("utf-8")


def _names_of_sqlalchemy(tree: ast.AST) -> dict[str, str]:
    """Local names of the statement builders, and of modules that have them."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            for item in node.names:
                if item.name in STATEMENTS:
                    found[item.asname or item.name] = item.name
        elif isinstance(node, ast.Import):
            for item in node.names:
                if item.name.startswith("sqlalchemy"):
                    found[item.asname or item.name.split(".")[0]] = "module"
    return found


def _builder(node: ast.AST, known: dict[str, str]) -> str | None:
    """Which statement a call builds."""
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    if isinstance(function, ast.Name) and known.get(function.id, "module") != "module":
        return known[function.id]
    if isinstance(function, ast.Attribute) and function.attr in STATEMENTS:
        root = function.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and known.get(root.id) == "module":
            return function.attr
    return None


def _statements(path: str, tree: ast.AST) -> Iterator[str]:
    known = _names_of_sqlalchemy(tree)
    for node in ast.walk(tree):
        built = _builder(node, known)
        if built:
            yield f"{path}:{node.lineno}: {built}() outside a repo.py"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "get_one", "query")
            and _last(node.func.value) == "session"
        ):
            yield f"{path}:{node.lineno}: session.{node.func.attr}() outside a repo.py"


def _scopes(path: str, tree: ast.AST, lines: list[str], tables: frozenset[str]) -> Iterator[str]:
    known = _names_of_sqlalchemy(tree)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if _builder(node, known) != "select":
            continue
        whole: ast.AST = node
        while isinstance(parents.get(whole), (ast.Attribute, ast.Call)) and not (
            isinstance(parents[whole], ast.Call) and whole in parents[whole].args
        ):
            whole = parents[whole]
        named = {n.id for n in ast.walk(whole) if isinstance(n, ast.Name)} & tables
        if not named or "# unscoped: " in lines[node.lineno - 1]:
            continue
        around: ast.AST | None = node
        while around is not None and not isinstance(around, ast.FunctionDef):
            around = parents.get(around)
        calls = {_last(n.func) for n in ast.walk(around or node) if isinstance(n, ast.Call)}
        if around is None or not calls & SCOPING:
            what = ", ".join(sorted(named))
            yield f"{path}:{node.lineno}: select of {what} without scoped() or # unscoped: why"


def _endpoints(path: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not any(
            isinstance(d, ast.Call)
            and isinstance(d.func, ast.Attribute)
            and d.func.attr in METHODS
            and (_last(d.func.value) or "").endswith(("router", "app"))
            for d in node.decorator_list
        ):
            continue
        given = [*node.args.defaults, *node.args.kw_defaults]
        guards = [d for d in given if isinstance(d, ast.Call) and _last(d.func) in GUARDS]
        wanted = 0 if f"{path}:{node.name}" in UNGUARDED else 1
        if len(guards) != wanted:
            yield f"{path}:{node.lineno}: {node.name} has {len(guards)} guards, not {wanted}"


def _generators(path: str, tree: ast.AST) -> Iterator[str]:
    yields = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last(node.func) == "Depends":
            for argument in [*node.args, *(k.value for k in node.keywords)]:
                if _last(argument) in yields:
                    yield f"{path}:{node.lineno}: a dependency that yields holds what it yields"


def _commits(path: str, tree: ast.AST) -> Iterator[str]:
    if path in MAY_COMMIT:
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "commit"
        ):
            yield f"{path}:{node.lineno}: commit() outside frame/database.py"


def _last(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
