"""The number of the code behind a script: what changes it, and what does not."""

from importlib import import_module
from pathlib import Path

import pytest

from fkd.study.code import Library
from fkd.study.parts import ARCHITECTURES

FILES = {
    "lib/__init__.py": '"""The library."""\n__version__ = "1"\n',
    "lib/geometry/__init__.py": "from lib.geometry.tree import span\n"
    "from lib.geometry.contrast import contrast\n",
    "lib/geometry/tree.py": "import numpy as np\n\nLEAST = 1\n\n\n"
    'def span(x):\n    """Span."""\n    return np.sort(x) + LEAST\n\n\ndef cut(x):\n    return x\n',
    "lib/geometry/contrast.py": "def contrast(x):\n    return 2 * x\n",
    "lib/late.py": "def late():\n    return 1\n\n\ndef later():\n    return 1\n",
    "lib/table.py": "def row():\n    return 1\n\n\ndef column():\n    return 2\n\n\n"
    "KINDS = {'row': row, 'column': column}\n",
    "lib/beside.py": "from . import late\n\n\ndef call():\n    return late.later()\n",
    "lib/whole.py": "a = 1\nb = 2\n",
    "lib/parts.py": "from lib.geometry.contrast import contrast\n\n\nclass Part:\n"
    "    def __call__(self, x):\n        return contrast(x)\n",
    "lib/runs.py": "found = []\n\n\ndef keep():\n    return found\n\n\nfound.append(1)\n",
    "script.py": '"""A script."""\nfrom lib.geometry import span\nfrom lib.table import KINDS\n'
    "from lib import beside, runs, whole\n\n"
    "def main():\n    from lib.late import late\n    return late()\n\n\n"
    "print(span(main()), KINDS, beside.call(), vars(whole), runs.keep())\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def number(project: Path) -> str:
    return Library(project / "lib").digest(project / "script.py")


def edit(project: Path, file: str, old: str, new: str) -> None:
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("script.py", "late()", "late() + 1", id="the script"),
        pytest.param("lib/geometry/tree.py", "np.sort(x)", "np.sort(-x)", id="through a package"),
        pytest.param("lib/geometry/tree.py", "LEAST = 1", "LEAST = 2", id="a constant it uses"),
        pytest.param("lib/geometry/tree.py", "import numpy", "import cupy", id="a library"),
        pytest.param("lib/geometry/__init__.py", "tree import span", "contrast import contrast as span", id="what a name stands for"),
        pytest.param("lib/late.py", "late():\n    return 1", "late():\n    return 3", id="imported in a function"),
        pytest.param("lib/late.py", "later():\n    return 1", "later():\n    return 3", id="relative import"),
        pytest.param("lib/table.py", "return 2", "return 3", id="in a table of functions"),
        pytest.param("lib/whole.py", "b = 2", "b = 3", id="a module as a value"),
        pytest.param("lib/runs.py", "append(1)", "append(2)", id="run on import"),
        pytest.param("lib/geometry/__init__.py", "\n", "\nprint(1)\n", id="run in a package"),
    ],
)  # fmt: skip
def test_what_the_script_reaches_counts(project, file, old, new):
    before = number(project)
    edit(project, file, old, new)
    assert number(project) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("script.py", '"""A script."""', "", id="the script's docstring"),
        pytest.param("script.py", "print(", "\n# Why.\nprint(\n  ", id="comment and layout"),
        pytest.param("lib/geometry/tree.py", '"""Span."""', '"""Span a tree."""', id="docstring"),
        pytest.param("lib/geometry/tree.py", "LEAST = 1\n", 'LEAST = 1\n"""Why."""\n', id="text of a constant"),
        pytest.param("lib/geometry/tree.py", "def cut(x):\n    return x", "def cut(x):\n    return -x", id="beside it"),
        pytest.param("lib/geometry/contrast.py", "2 * x", "3 * x", id="in another module of the package"),
        pytest.param("lib/__init__.py", '"1"', '"2"', id="a version that it does not name"),
    ],
)  # fmt: skip
def test_what_it_does_not_reach_does_not_count(project, file, old, new):
    before = number(project)
    edit(project, file, old, new)
    assert number(project) == before


def test_a_part_counts_with_what_it_reaches(project):
    """A class or function that a script reaches by a name in its settings."""

    def digest(*parts: str) -> str:
        return Library(project / "lib").digest(project / "script.py", parts)

    part, cut = "lib.parts.Part", "lib.geometry.tree.cut"
    plain, with_part, with_cut = digest(), digest(part), digest(cut)
    assert len({plain, with_part, with_cut}) == 3
    assert digest(part, cut) == digest(cut, part, cut)
    edit(project, "lib/geometry/contrast.py", "2 * x", "3 * x")
    assert (digest(), digest(cut)) == (plain, with_cut)
    assert digest(part) != with_part
    edit(project, "lib/geometry/tree.py", "return x\n", "return -x\n")
    assert digest() == plain
    assert digest(cut) != with_cut


def test_a_part_that_the_script_reaches_anyway_adds_nothing(project):
    library = Library(project / "lib")
    parts = ["lib.geometry.tree.span", "lib.geometry.span", "lib.table.row"]
    assert library.digest(project / "script.py", parts) == number(project)


@pytest.fixture
def lazy(project: Path) -> Path:
    """The project, with a package whose names are loaded when they are asked for."""
    init = project / "lib/geometry/__init__.py"
    init.with_suffix(".pyi").write_text(init.read_text().replace("lib.geometry", ""))
    init.write_text(
        "import lazy_loader\n\n"
        "__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n"
    )
    return project


def test_names_in_a_stub_lead_to_the_same_code(lazy):
    before = number(lazy)
    reached = Library(lazy / "lib").reached(lazy / "script.py")
    assert any(line.startswith("lib.geometry.tree: def span") for line in reached)
    edit(lazy, "lib/geometry/contrast.py", "2 * x", "3 * x")  # the script does not name it
    assert number(lazy) == before
    edit(lazy, "lib/geometry/tree.py", "np.sort(x)", "np.sort(-x)")
    assert number(lazy) != before


def test_what_a_name_in_a_stub_stands_for_counts(lazy):
    before = number(lazy)
    stub = "lib/geometry/__init__.pyi"
    edit(lazy, stub, "tree import span", "contrast import contrast as span")
    assert number(lazy) != before


@pytest.mark.parametrize("name", ["fkd.models", "fkd.verification"])
def test_all_names_of_a_stub_can_be_imported(name):
    package = import_module(name)
    assert package.__all__
    assert all(getattr(package, inner) is not None for inner in package.__all__)


def test_the_order_of_definitions_does_not_count(project):
    before = number(project)
    definitions = FILES["lib/late.py"].split("\n\n\n")
    (project / "lib/late.py").write_text("\n\n\n".join(reversed(definitions)))
    assert number(project) == before


def test_a_stage_reaches_its_part_of_the_library():
    root = Path(__file__).resolve().parents[1]
    library = Library(root / "fkd")

    resnet18, signet = (ARCHITECTURES[name].network for name in ("resnet18", "signet"))

    def modules(stage: str, *parts: str) -> set[str]:
        reached = library.reached(root / "workflow/scripts" / f"{stage}.py", parts)
        return {statement.partition(":")[0] for statement in reached}

    assert {"fkd.verification.svm", "fkd.verification.solver"} <= modules("evaluate_wd")
    assert not {"fkd.verification.significance", "fkd.losses"} & modules("evaluate_wd")
    assert {"fkd.graph.tree", "fkd.models.signet"} <= modules("cache_geometry", signet)
    assert not {"fkd.losses", "fkd.training.stages", "fkd.text.lines"} & modules("cache_geometry")
    assert {"fkd.losses", "fkd.study.students", "fkd.graph.contrast"} <= modules("train_student")
    assert "fkd.losses" not in modules("random_student") | modules("export_onnx")
    assert "fkd.text.lines" in modules("segment_pages") - modules("list_pages")
    # Networks count where a job builds them, and for what people read nothing of them counts.
    assert "fkd.models.signet" not in modules("train_student", resnet18)
    computed = {"fkd.graph.tree", "fkd.graph.compiled", "fkd.models.network", "fkd.losses"}
    computed |= {"fkd.training.students", "fkd.verification.svm"}
    for stage in ("write_tables", "write_paper_table", "write_methods", "figure_references"):
        assert not computed & modules(stage), stage
