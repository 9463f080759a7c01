"""The number of the code behind a script: what changes it, and what does not."""

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
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new, 1))
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
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new, 1))
    assert number(project) == before


def test_a_part_counts_where_it_is_named(project):
    library, script = Library(project / "lib"), project / "script.py"
    plain, cut = library.digest(script), library.digest(script, ["lib.geometry.tree.cut"])
    assert plain != cut
    tree = project / "lib/geometry/tree.py"
    tree.write_text(tree.read_text().replace("return x\n", "return -x\n"))
    edited = Library(project / "lib")
    assert edited.digest(script) == plain
    assert edited.digest(script, ["lib.geometry.tree.cut"]) != cut


def test_a_package_may_list_its_names_in_a_stub(project):
    """Names that are loaded when they are asked for lead to the same code."""
    init = project / "lib/geometry/__init__.py"
    init.with_suffix(".pyi").write_text(init.read_text().replace("lib.geometry", ""))
    init.write_text("import lazy_loader\n")
    before = number(project)
    reached = Library(project / "lib").reached(project / "script.py")
    assert any(line.startswith("lib.geometry.tree: def span") for line in reached)
    tree = project / "lib/geometry/tree.py"
    tree.write_text(tree.read_text().replace("np.sort(x)", "np.sort(-x)"))
    assert number(project) != before


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
    computed = {"fkd.graph.tree", "fkd.models.network", "fkd.losses", "fkd.training.students"}
    for stage in ("write_tables", "write_paper_table", "write_methods", "figure_references"):
        assert not computed & modules(stage), stage
