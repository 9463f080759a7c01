"""The house: which rooms there are, what each may import, and one name for a stage."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from fkd.__main__ import STAGES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fkd"

ROOMS = {
    "figures",
    "graph",
    "inspection",
    "models",
    "pairs",
    "report",
    "service",
    "signatures",
    "storage",
    "study",
    "synthesis",
    "text",
    "training",
    "verification",
}
GROUND = {"__init__", "__main__"}
GROUND |= {"compiling", "counting", "device", "errors", "images", "layouts", "logs", "losses"}
GROUND |= {"pair_losses", "patterns", "plugins", "preprocess", "ranges", "registry", "resolution"}
GROUND |= {"seeding", "threads"}

SHOWING = ("figures", "inspection", "report")
"""Rooms of what people look at: side by side."""

WITHOUT_TORCH = (
    *("fkd.study.config", "fkd.study.summary", "fkd.study.choices", "fkd.study.style"),
    *("fkd.storage.shards", "fkd.storage.quarantine", "fkd.storage.integrity"),
    *("fkd.report.tables", "fkd.report.paper_tables", "fkd.report.methods", "fkd.report.card"),
    *("fkd.report.data", "fkd.report.run_times", "fkd.report.hypertext"),
    *("fkd.figures.references", "fkd.figures.splits", "fkd.figures.losses"),
    *("fkd.figures.ranks", "fkd.figures.scores", "fkd.figures.writers", "fkd.report.comparison"),
    *("fkd.figures.curves", "fkd.figures.hardest", "fkd.figures.page", "fkd.figures.appearance"),
    *(
        "fkd.models.elsewhere",
        "fkd.models.extractor",
        "fkd.models.features",
        "fkd.verification.stage",
    ),
    *("fkd.text.pages", "fkd.text.crops", "fkd.text.check", "fkd.signatures.prepare"),
    *("fkd.service.command", "fkd.service.verifier", "fkd.synthesis.handwriting"),
    *("fkd.synthesis.signatures", "fkd.layouts", "fkd.patterns"),
)
"""Modules of stages that run no network, and all that a study's description needs."""


def modules() -> dict[str, Path]:
    """All modules of the package, by their dotted names."""
    files = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


def imports() -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports anywhere."""
    known = modules()
    found: dict[str, set[str]] = defaultdict(set)
    for name, file in known.items():
        stub = file.with_suffix(".pyi")
        for source in (file, stub) if stub.exists() else (file,):
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                named = []
                if isinstance(node, ast.Import):
                    named = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    # Of a relative import, which stubs have, the module is beside the package's.
                    above = f"{name}." if node.level else ""
                    places = [f"{above}{node.module}.{alias.name}" for alias in node.names]
                    named = [p if p in known else p.rpartition(".")[0] for p in places]
                found[name] |= {place for place in named if place in known and place != name}
    return found


def room(module: str) -> str:
    """The room of a module, or its own name where it stands at the top."""
    return module.split(".")[1] if "." in module else module


def test_the_top_of_the_package_is_the_map():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    folders = {name for name in entries if (PACKAGE / name).is_dir()}
    assert folders == ROOMS
    assert {Path(name).stem for name in entries - folders} == GROUND


def test_no_module_imports_itself_by_way_of_others():
    """Each import is followed; a circle names its modules."""
    arrows, done = imports(), set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in sorted(arrows[module]):
                follow(other, (*way, module))
            done.add(module)

    for module in sorted(modules()):
        follow(module, ())


def test_rooms_are_in_layers():
    """No two rooms import each other, and no circle of rooms does."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for module, others in imports().items():
        if "." in module:
            arrows[room(module)] |= {room(other) for other in others} - {room(module)}
    left = dict(arrows)
    while left:
        lowest = {name for name, others in left.items() if not others & set(left)}
        assert lowest, f"a circle among {sorted(left)}"
        left = {name: others for name, others in left.items() if name not in lowest}


def test_figures_report_and_inspection_stand_side_by_side():
    for module, others in imports().items():
        if room(module) in SHOWING:
            beside = {other for other in others if room(other) in SHOWING}
            assert {room(other) for other in beside} <= {room(module)}, module


def test_nothing_in_a_study_knows_the_service():
    for module, others in imports().items():
        if room(module) != "service":
            assert "service" not in {room(other) for other in others}, module


def test_the_library_does_not_know_snakemake():
    for file in modules().values():
        assert not re.search(r"^\s*(import|from) snakemake", file.read_text(encoding="utf-8"), re.M)


def test_what_runs_no_network_loads_no_torch():
    script = "\n".join(
        [
            "import importlib, sys",
            f"for name in {WITHOUT_TORCH!r}:",
            "    importlib.import_module(name)",
            "    assert 'torch' not in sys.modules, name",
        ]
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_study_and_storage_import_no_torch_anywhere():
    for name, file in modules().items():
        if room(name) in ("study", "storage"):
            assert not re.search(r"^\s*(import|from) torch", file.read_text(encoding="utf-8"), re.M)


def rules() -> dict[str, str]:
    """The script of each rule that has one."""
    found = {}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for name, body in re.findall(
            r"^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", file.read_text(encoding="utf-8"), re.M | re.S
        ):
            if script := re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', body):
                found[name] = script[1]
    return found


def test_rule_script_stage_and_function_have_one_name():
    found = rules()
    assert len(found) > 30
    assert {name: script for name, script in found.items() if name != script} == {}
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
    assert scripts == set(found)
    by_hand = {"export_signatures", "ship_model"}  # stages of no study
    not_a_stage = {"benchmarks"}
    assert set(STAGES) - by_hand == set(found) - not_a_stage
    for stage, place in STAGES.items():
        assert place.rpartition(".")[2] == stage


@pytest.mark.parametrize("folder", ["fkd", "workflow", "docs"])
def test_text_files_are_opened_as_utf_8(folder):
    """A locale that is not UTF-8 must not change what is read or written."""
    unsaid = []
    files = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.smk")]
    for file in files:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".smk":
            calls = re.findall(
                r"(?:open|read_text|write_text)\([^()]*(?:\([^()]*\))*[^()]*\)", text
            )
            unsaid += [f"{file.name}: {c}" for c in calls if "utf-8" not in c and '"rb"' not in c]
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and _opens_text(node):
                unsaid.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert unsaid == []


def _opens_text(node: ast.Call) -> bool:
    """Whether a call reads or writes a text file without saying its encoding."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name not in ("open", "read_text", "write_text"):
        return False
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        if node.func.value.id in (
            "os",
            "Image",
            "shards",
            "h5py",
            "TextCrops",
            "webbrowser",
            "archive",
        ):
            return False
    texts = [value.value for value in node.args if isinstance(value, ast.Constant)]
    texts += [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
    if name == "open" and any(isinstance(mode, str) and "b" in mode for mode in texts):
        return False
    given = len(node.args) > {"read_text": 0, "write_text": 1}.get(name, 9)
    return not given and "encoding" not in {keyword.arg for keyword in node.keywords}
