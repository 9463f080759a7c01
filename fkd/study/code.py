"""What code a result depends on, as one number.

A script depends on its own statements and on those definitions of a package that it reaches by
name, directly or through others: ``from fkd.graph import nac`` leads through the package's
``__init__`` to the one function, and on to what that function names. The number is drawn from
parsed code, so that comments, docstrings and layout do not count.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path


class Library:
    """The definitions of a package, followed by name.

    What a definition, an assignment or an import binds at the top of a module counts where it is
    named. Other statements there run on import, so they count with anything of the module. Where
    a module is used otherwise than as ``module.name``, all of it counts. A package that loads its
    names when they are asked for lists them in ``__init__.pyi``, which is then read.

    Parameters
    ----------
    package : Path
        The package's folder. No module of it imports ``*``, changes another, or has a
        decorator that registers what it decorates: such ties have no name.
    """

    def __init__(self, package: Path) -> None:
        self._folder, self._name = package.parent, package.name
        self._modules: dict[str, _Module | None] = {}

    def digest(self, script: Path, parts: Iterable[str] = ()) -> str:
        """Compute the number of a script and of all that it reaches.

        Parameters
        ----------
        script : Path
            A Python file that imports from the package.
        parts : iterable of str
            Dotted places of definitions that it reaches by a name in its settings, such as
            the class of a network.

        Returns
        -------
        str
            16 hexadecimal digits; the same where only the order of definitions differs.
        """
        return hashlib.sha256("\n".join(self.reached(script, parts)).encode()).hexdigest()[:16]

    def reached(self, script: Path, parts: Iterable[str] = ()) -> list[str]:
        """List the code that :meth:`digest` counts.

        Parameters
        ----------
        script : Path
            A Python file that imports from the package.
        parts : iterable of str
            See :meth:`digest`.

        Returns
        -------
        list of str
            Statements, and names of other libraries, each after its module's name; sorted.
        """
        waiting, found, seen = _Module(script, "__main__").all(), set(), set()
        for place in parts:
            waiting += self._behind(place)
        while waiting:
            statement = waiting.pop()
            found.add(f"{statement.module.name}: {statement.text}")
            for name in statement.names - seen:
                if name.partition(".")[0] == self._name:
                    seen.add(name)
                    waiting += self._behind(name)
                else:
                    found.add(f"{statement.module.name}: {name}")
        return sorted(found)

    def _behind(self, name: str) -> Iterator["_Statement"]:
        """Give the statements behind a dotted name, and what runs when they are imported."""
        module, rest = None, name.split(".")
        while rest and (inner := self._module(module, rest[0])):
            module, rest = inner, rest[1:]
            yield from module.others
        if rest and rest[0] in module.bound:
            yield from module.bound[rest[0]]
        elif rest and rest[0] in module.imports:
            yield _Statement(module, ast.Name(rest[0]))
        else:
            yield from module.all()

    def _module(self, package: "_Module | None", name: str) -> "_Module | None":
        """Find a module in a package, where there is one of this name."""
        full = f"{package.name}.{name}" if package else name
        if full not in self._modules:
            path = self._folder.joinpath(*full.split("."))
            files = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
            file = next((file for file in files if file.is_file()), None)
            self._modules[full] = file and _Module(file, full)
        return self._modules[full]


class _Module:
    """The statements at the top of a module, by what they bind."""

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self.package = name if file.stem == "__init__" else name.rpartition(".")[0]
        self.bound: dict[str, list[_Statement]] = {}
        self.others: list[_Statement] = []
        self.imports: dict[str, str] = {}
        for node in _WithoutTexts().visit(ast.parse(file.read_bytes(), str(file))).body:
            names = _bound_by(node)
            for bound in names:
                self.bound.setdefault(bound, []).append(_Statement(self, node))
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports |= _imported(node, self.package)
            elif not names:
                self.others.append(_Statement(self, node))
                self.imports |= _imported(node, self.package)

    def all(self) -> "list[_Statement]":
        """Give everything in the module."""
        names = [_Statement(self, ast.Name(name)) for name in self.imports]
        return [*self.others, *names, *(s for bound in self.bound.values() for s in bound)]


class _Statement:
    """A statement at the top of a module."""

    def __init__(self, module: _Module, node: ast.AST) -> None:
        self.module, self._node = module, node

    @cached_property
    def text(self) -> str:
        return ast.unparse(self._node)

    @cached_property
    def names(self) -> set[str]:
        """What it names of its module and of others, from their libraries down."""
        imports = self.module.imports | _imported(self._node, self.module.package)
        full = set()
        for first, *rest in _dotted(self._node):
            if first in imports:
                full.add(".".join([imports[first], *rest]))
            elif first in self.module.bound:
                full.add(f"{self.module.name}.{first}")
        return full


class _WithoutTexts(ast.NodeTransformer):
    """Drops docstrings, and the texts that document an assignment."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


def _bound_by(node: ast.stmt) -> list[str]:
    """The names that a definition or an assignment binds; none for anything else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        names = [t for target in targets for t in getattr(target, "elts", [target])]
        return [name.id for name in names if isinstance(name, ast.Name)]
    return []


def _imported(node: ast.AST, package: str) -> dict[str, str]:
    """What the imports within a statement bind, and what it stands for in full."""
    found = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            for alias in inner.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(inner, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - inner.level + 1]
            source = [*(above if inner.level else []), *filter(None, [inner.module])]
            found |= {a.asname or a.name: ".".join([*source, a.name]) for a in inner.names}
    return found


def _dotted(node: ast.AST) -> Iterator[list[str]]:
    """The names within a statement, each with the attributes that follow it."""
    first, attributes = node, []
    while isinstance(first, ast.Attribute):
        attributes.insert(0, first.attr)
        first = first.value
    if isinstance(first, ast.Name):
        yield [first.id, *attributes]
    else:
        for inner in ast.iter_child_nodes(first):
            yield from _dotted(inner)
