"""A digest of the code on which a result depends.

A script depends on its own statements and on the definitions of a package that it reaches by
name, directly or through other definitions. For example, ``from fkd.graph import nac`` leads
through the package's ``__init__`` to one function, and from there to everything that this function
names. Snakemake repeats a job when the digest of its script changes. The digest is computed from
parsed code, so comments, docstrings and layout do not affect it.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path


class Library:
    """The definitions of a package, which can be followed by name.

    A definition, assignment or import at the top level of a module counts if its name is reached.
    A registration, ``TABLE.register("name", ...)``, counts where the table of its module is
    reached; what plugins add to the tables of the package is given as `entries` instead.
    All other top-level statements run on import, so they count as soon as anything in the module
    is reached. If a module is used in another way than as ``module.name``, all of it counts. A
    package that loads its names lazily lists them in ``__init__.pyi``, and this file is read in
    place of ``__init__.py``.

    Parameters
    ----------
    package : Path
        The package's folder. None of its modules may import ``*``, change another module, or
        use a decorator that registers what it decorates, because such dependencies have no name
        that could be followed.
    plugins : iterable of Path
        Modules of others. They are followed in the same way, and so are modules beside them.
    """

    def __init__(self, package: Path, plugins: Iterable[Path] = ()) -> None:
        self._name = package.name
        self._folders = [package.parent, *dict.fromkeys(path.parent for path in plugins)]
        self._modules: dict[str, _Module | None] = {}

    def digest(
        self, script: Path | None = None, parts: Iterable[str] = (), entries: Iterable[str] = ()
    ) -> str:
        """Compute the digest of a script and of everything that it reaches.

        Parameters
        ----------
        script : Path, optional
            A Python file that imports from the package; by default, only `parts` count.
        parts : iterable of str
            Dotted names of definitions, such as the class of a network that the script reaches
            through its settings.
        entries : iterable of str
            Descriptions of parts that plugins registered and that the script reaches so.

        Returns
        -------
        str
            16 hexadecimal digits. They do not depend on the order of the definitions.
        """
        text = "\n".join([*self.reached(script, parts), *sorted(entries)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def reached(self, script: Path | None = None, parts: Iterable[str] = ()) -> list[str]:
        """List the code from which :meth:`digest` is computed.

        Parameters
        ----------
        script : Path, optional
            See :meth:`digest`.
        parts : iterable of str
            See :meth:`digest`.

        Returns
        -------
        list of str
            The statements, and the names from other libraries, sorted. Each is preceded by the
            name of the module in which it stands.
        """
        waiting = _parsed(script, "__main__", script.read_bytes()).all() if script else []
        reached, seen = set(), set()
        for place in parts:
            waiting += self._behind(place)
        while waiting:
            statement = waiting.pop()
            reached.add(f"{statement.module.name}: {statement.text}")
            for name in statement.names - seen:
                if self._is_followed(name.partition(".")[0]):
                    seen.add(name)
                    waiting += self._behind(name)
                else:
                    reached.add(f"{statement.module.name}: {name}")
        return sorted(reached)

    def _behind(self, name: str) -> Iterator["_Statement"]:
        """Yield the statements that a dotted name stands for, and those that run on its import."""
        module, rest = None, name.split(".")
        # The longest leading part of the name that is a module; what follows is defined in it.
        while rest and (inner := self._module(module, rest[0])):
            module, rest = inner, rest[1:]
            yield from module.others
        if rest and rest[0] in module.bound:
            yield from module.bound[rest[0]]
        elif rest and rest[0] in module.imports:
            yield _Statement(module, ast.Name(rest[0]))
        else:
            # The module itself is used as a value, so any part of it may matter.
            yield from module.all()

    def _is_followed(self, name: str) -> bool:
        """Whether a name is that of the package, or of a module of plugins."""
        return name == self._name or self._module(None, name) is not None

    def _module(self, package: "_Module | None", name: str) -> "_Module | None":
        """Read a module of a package; None if the package has no module of this name."""
        full = f"{package.name}.{name}" if package else name
        if full not in self._modules:
            file = next(self._files(full), None)
            self._modules[full] = file and _parsed(file, full, file.read_bytes())
        return self._modules[full]

    def _files(self, name: str) -> Iterator[Path]:
        """Yield the files that a module may lie in, and that are there."""
        # Beside the package lies what is none of its code, but plugins lie among their modules.
        folders = self._folders[:1] if name.partition(".")[0] == self._name else self._folders[1:]
        for folder in folders:
            path = folder.joinpath(*name.split("."))
            files = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
            yield from (file for file in files if file.is_file())


class _Module:
    """The top-level statements of a module, by the names that they bind."""

    def __init__(self, file: Path, name: str, content: bytes) -> None:
        self.name = name
        self.package = name if file.stem == "__init__" else name.rpartition(".")[0]
        self.bound: dict[str, list[_Statement]] = {}
        self.others: list[_Statement] = []
        self.imports: dict[str, str] = {}
        tree = ast.parse(content, str(file))
        _remove_texts(tree)
        for node in tree.body:
            names = _bound_by(node)
            for bound in names:
                self.bound.setdefault(bound, []).append(_Statement(self, node))
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports |= _imported(node, self.package)
            elif not names:
                self.others.append(_Statement(self, node))
                self.imports |= _imported(node, self.package)

    def all(self) -> "list[_Statement]":
        """List all statements and imported names of the module."""
        names = [_Statement(self, ast.Name(name)) for name in self.imports]
        return [*self.others, *names, *(s for bound in self.bound.values() for s in bound)]


_parsed = cache(_Module)
"""A module as it was parsed before, unless its content has changed."""


class _Statement:
    """A top-level statement of a module."""

    def __init__(self, module: _Module, node: ast.AST) -> None:
        self.module, self._node = module, node

    @cached_property
    def text(self) -> str:
        return ast.unparse(self._node)

    @cached_property
    def names(self) -> set[str]:
        """The full dotted names, in this module and in others, that the statement uses."""
        imports = self.module.imports | _imported(self._node, self.module.package)
        full_names = set()
        for first, *rest in _dotted(self._node):
            if first in imports:
                full_names.add(".".join([imports[first], *rest]))
            elif first in self.module.bound:
                full_names.add(f"{self.module.name}.{first}")
        return full_names


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a statement that hold further statements."""


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and all statements within it, without the expressions, which are many."""
    waiting = [node]
    while waiting:
        yield (node := waiting.pop())
        for block in _BLOCKS:
            waiting += getattr(node, block, ())


def _remove_texts(tree: ast.Module) -> None:
    """Remove docstrings, also those that document an assignment."""
    for node in _within(tree):
        for block in _BLOCKS:
            if statements := getattr(node, block, None):
                setattr(node, block, [inner for inner in statements if not _is_text(inner)])


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.Expr(ast.Constant(str())):
            return True
    return False


def _bound_by(node: ast.stmt) -> list[str]:
    """List the names that a definition or an assignment binds; other statements bind none here."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if (table := _registers(node)) is not None:
        return [table]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        names = [t for target in targets for t in getattr(target, "elts", [target])]
        return [name.id for name in names if isinstance(name, ast.Name)]
    return []


def _registers(node: ast.stmt) -> str | None:
    """Name the table into which a statement ``TABLE.register(...)`` enters a part."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(table), "register"))):
            return table
    return None


def _imported(node: ast.AST, package: str) -> dict[str, str]:
    """Map each name that an import within a statement binds to the full name of its target."""
    bindings = {}
    for inner in _within(node):
        if isinstance(inner, ast.Import):
            for alias in inner.names:
                first = alias.name.partition(".")[0]
                bindings[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(inner, ast.ImportFrom):
            # A relative import starts from the package; each further dot goes one package up.
            above = package.split(".")[: len(package.split(".")) - inner.level + 1]
            source = [*(above if inner.level else []), *filter(None, [inner.module])]
            bindings |= {a.asname or a.name: ".".join([*source, a.name]) for a in inner.names}
    return bindings


def _dotted(node: ast.AST) -> Iterator[list[str]]:
    """Yield the names within a statement, each with the attributes that follow it."""
    waiting = [node]
    while waiting:
        first, attributes = waiting.pop(), []
        while isinstance(first, ast.Attribute):
            attributes.insert(0, first.attr)
            first = first.value
        if isinstance(first, ast.Name):
            yield [first.id, *attributes]
        else:
            waiting += ast.iter_child_nodes(first)
