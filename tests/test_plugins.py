"""Parts of one's own: registered by the call of the package's own, checked, followed and named."""

from pathlib import Path

import pytest
import torch
import yaml

import fkd
from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.layouts import LAYOUTS
from fkd.logs import stage
from fkd.plugins import load_plugins, loaded_plugins, sources_of_plugins
from fkd.report.wording import terms_in_words
from fkd.study.code import Library
from fkd.study.config import complete
from fkd.study.parts import ARCHITECTURES, MAP_LOSSES, RESPONSE_LOSSES, Networks
from fkd.study.students import Student, parts_of_student
from fkd.training.students import loss_terms

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"

HEAD = """\
from torch import flatten, nn
from torch.nn import functional as F

from beside import POOLED
from fkd.layouts import LAYOUTS, Layout
from fkd.models import Network
from fkd.study.parts import ARCHITECTURES, MAP_LOSSES, RESPONSE_LOSSES
from fkd.study.parts import Architecture, MapLoss, ResponseLoss

"""

NETWORK = """
class Plain(Network):
    architecture = "plain"

    def __init__(self, num_classes=None, width=1.0, features=2048):
        super().__init__(num_classes, width, features)
        self.first = nn.Sequential(nn.Conv2d(1, 4, 7, 4), nn.AdaptiveAvgPool2d(POOLED), nn.ReLU())
        self.fc = nn.Linear(4 * 17 * 26, features)
        self._complete()

    def describe(self, images):
        x = self.first(images)
        return {"early": x}, F.relu(self.fc(flatten(x, 1)))


ARCHITECTURES.register(
    "plain",
    Architecture("Plain", "my_parts.Plain", {"early": (17, 26)}, ("he", "he"), {"conv2": "early"}),
)
"""

LOSSES = """
def difference(student, teacher, norm="l2", factor=1.0):
    gap = (student - teacher).abs()
    return factor * (gap if norm == "l1" else gap.square()).mean()


def attention(student, teacher):
    return difference(student.mean(1), teacher.mean(1))


RESPONSE_LOSSES.register(
    "difference",
    ResponseLoss("DIFF", "difference", "my_parts.difference", {"norm": "l2", "factor": 1.0}),
)
MAP_LOSSES.register("attention", MapLoss("AT", "attention transfer", "my_parts.attention"))
"""

LAYOUT = """
LAYOUTS.register("lab", Layout("g/{writer}-{sample}.png", "f/{writer}-{sample}.png", {}, "our lab"))
"""

MINE = {
    "architecture": "plain",
    "classification": 1.0,
    "maps": {"loss": "attention", "weights": {"conv2": 5.0}},
    "response": [
        {"loss": "difference", "weight": 3.0, "parameters": {"norm": "l1"}},
        {"loss": "barlow_colleagues", "weight": 0.5},
    ],
}
SMALL = Networks(width=0.05, features=16)


@pytest.fixture
def mine(plugin):
    """A module with a network, losses and a layout, and a module beside it."""
    plugin("POOLED = (17, 26)\n", "beside.py")
    return plugin(HEAD + NETWORK + LOSSES + LAYOUT)


def config(**changes):
    base = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    return base | {"plugins": ["my_parts.py"], "students": {"mine": MINE}} | changes


def test_a_config_names_the_parts_of_a_plugin(mine):
    signatures = {"lab": {"layout": "lab", "path": "."}}
    signatures |= config()["signatures"]
    study = complete(config(signatures=signatures), SCHEMA)
    student = study.student("mine")
    assert loaded_plugins() == [mine]
    assert sources_of_plugins() == sorted([mine, mine.with_name("beside.py")])
    assert study.settings["geometry"]["connections"]["plain"] == {"conv2": "early"}
    assert [response.loss for response in student.responses] == ["difference", "barlow_colleagues"]
    assert student.guided_by_maps and student.compared_maps == ["conv2"]
    assert student.guiding_maps == []
    assert LAYOUTS["lab"].obtain == "our lab"
    # What is completed is complete, and does not register anything twice.
    assert complete(study.settings, SCHEMA).settings == study.settings
    assert study.names_of_plugins == [
        "network plain: Plain, , my_parts.py",
        "response loss difference: DIFF, difference, my_parts.py",
        "loss between maps attention: AT, attention transfer, my_parts.py",
    ]


def test_own_parts_of_the_package_are_registered_by_the_same_call():
    for table in (ARCHITECTURES, RESPONSE_LOSSES, MAP_LOSSES, LAYOUTS):
        name, part = next(iter(table.items()))
        with pytest.raises(FkdError, match=f"{name}: fkd has a {table.title} of this name"):
            table.register(name, part)
        assert table.origins == {} and table.entry(name) == ""


def test_the_loss_is_the_weighted_sum_of_its_terms(mine):
    load_plugins([mine])
    student = Student.from_settings(MINE)
    network = models.build("plain", 3, SMALL)
    batch = {
        "image": torch.rand(4, 1, 150, 220),
        "writer": torch.tensor([0, 1, 2, 0]),
        "feature": torch.rand(4, 16),
        "map_conv2": torch.rand(4, 7, 17, 26),
    }
    terms, _ = loss_terms(student, network, batch)
    maps, feature = network.describe(batch["image"])
    attention = (maps["early"].mean(1) - batch["map_conv2"].mean(1)).square().mean()
    torch.testing.assert_close(terms["attention_conv2"], attention)
    gap = (feature - batch["feature"]).abs().mean()  # by the word l1
    torch.testing.assert_close(terms["response_difference"], gap)
    total = terms["classification"] + 5 * attention + 3 * gap
    total = total + 0.5 * terms["response_barlow_colleagues"]
    torch.testing.assert_close(terms["total"], total)
    terms["total"].backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_texts_name_the_plugin_and_the_words(mine):
    load_plugins([mine])
    assert terms_in_words(Student.from_settings(MINE)) == [
        "cross-entropy on the writers of the text (CL, weight 1)",
        "attention transfer of my_parts.py between feature maps (weight 5 on conv2)",
        "difference of my_parts.py between the responses (weight 3, norm l1, factor 1.0)",
        "Barlow Colleagues between the responses (weight 0.5, lambda 0.0001)",
    ]
    assert ARCHITECTURES.plugin("plain") == " of my_parts.py"


REFUSED_CONFIGS = {
    "students.mine.maps.weights.conv6: the teacher, signet, has no map conv6": {
        "maps": {"loss": "attention", "weights": {"conv6": 1.0}}
    },
    "students.mine.maps.0.weights.conv5: not connected": {
        "maps": [{"loss": "attention", "weights": {"conv5": 1.0}}]
    },
    "students.mine.maps: needs weights": {"maps": {"loss": "attention"}},
    'students.mine.maps.loss: expected one of attention, found "atention"; did you mean': {
        "maps": {"loss": "atention", "weights": {}}
    },
    'students.mine.maps.loss: expected one of attention, found "geometry"': {
        "maps": {"loss": "geometry", "weights": {"conv2": 1.0}}
    },
    "students.mine.response: difference is listed more than once": {
        "response": [{"loss": "difference", "weight": weight} for weight in (1.0, 2.0)]
    },
    "students.mine.response.0.parameters.norm: expected a word, found 2": {
        "response": [{"loss": "difference", "weight": 1.0, "parameters": {"norm": 2}}]
    },
    'students.mine.response.parameters.factor: expected a number, found "1e-4"; write the number': {
        "response": {"loss": "difference", "weight": 1.0, "parameters": {"factor": "1e-4"}}
    },
}


@pytest.mark.parametrize("message", REFUSED_CONFIGS)
def test_an_impossible_use_names_its_key(message, mine):
    with pytest.raises(FkdError) as refused:
        complete(config(students={"mine": MINE | REFUSED_CONFIGS[message]}), SCHEMA)
    assert message in str(refused.value)


REFUSED_MODULES = {
    "a mistake in the language": ("def f(:\n", "my_parts.py:1: SyntaxError: "),
    "an unknown name": ("import torch\n\nx = y + 1\n", "my_parts.py:3: NameError: name 'y'"),
    "a module that is not there": ("import nowhere_at_all\n", "my_parts.py:1: ModuleNotFoundError"),
    "in a function": (
        "def f():\n    return 1 / 0\n\n\nf()\n",
        "my_parts.py:2, in f: ZeroDivisionError",
    ),
    "a part of another kind": (
        HEAD + "ARCHITECTURES.register('a', ResponseLoss('A', 'a', 'my_parts.a'))\n",
        "my_parts.py:10: a: a network is registered as Architecture(...), found ResponseLoss",
    ),
    "an impossible value": (
        HEAD + "ARCHITECTURES.register('a', Architecture('A', 'my_parts.A', {}, ('she', 'he')))\n",
        "my_parts.py:10: initialization.0: expected one of he, xavier, found 'she'",
    ),
    "a name that is taken": (
        HEAD + "LAYOUTS.register('cedar', Layout(None, None, {}, ''))\n",
        "my_parts.py:10: cedar: fkd has a layout of signatures of this name; take another",
    ),
}


@pytest.mark.parametrize("what", REFUSED_MODULES)
def test_an_error_names_file_and_line(what, plugin, capsys):
    text, message = REFUSED_MODULES[what]
    plugin("POOLED = 1\n", "beside.py")
    path = plugin(text)
    with pytest.raises(SystemExit), stage(plugins=["my_parts.py"]):
        pass
    said = capsys.readouterr().err
    assert said.startswith(f"error: plugins: {path.parent / message}"), said
    assert "Traceback" not in said and loaded_plugins() == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.py", "gone.py is not there; expected a Python file"),
        ("json.py", "json is the name of another module"),
        ("my-parts.py", "name the file as a module"),
        ("parts.txt", "name the file as a module"),
    ],
)
def test_a_file_that_can_be_no_plugin(name, message, plugin):
    if name != "gone.py":
        plugin("", name)
    with pytest.raises(FkdError, match=message):
        load_plugins([name])


def test_an_error_at_work_names_file_and_line_too(mine, capsys, tmp_path):
    text = mine.read_text().replace("x = self.first(images)", "x = self.frist(images)")
    mine.write_text(text)
    line = text.splitlines().index("        x = self.frist(images)") + 1
    with pytest.raises(SystemExit) as stopped:
        main(
            ["random_student", "--plugin", "my_parts.py", "--architecture", "plain"]
            + ["--out", "weights.safetensors"]
        )
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {mine}:{line}, in describe: AttributeError: 'Plain' object has")
    assert "Traceback" not in said


def test_a_stage_by_hand_knows_a_plugin(mine, tmp_path, capsys):
    small = ["--networks.width", "0.05", "--networks.features", "16"]
    random = ["random_student", "--architecture", "plain", *small, "--out", "w.safetensors"]
    with pytest.raises(SystemExit):
        main(random)
    assert "error: 'plain' is no network; expected one of resnet18" in capsys.readouterr().err
    main([*random, "--plugin", "my_parts.py"])
    network, _ = models.load("w.safetensors")
    assert network.architecture == "plain" and type(network).__module__ == "my_parts"


MISFITS = {
    ('"early": (17, 26)', '"early": (8, 12)'): "my_parts.Plain: returns maps of",
    ("self.fc(flatten(x, 1))", "flatten(x, 1)"): r"returns a response \(2, 1768\)",
    (
        'architecture = "plain"',
        'architecture = "signet"',
    ): "whose attribute architecture is 'plain'",
    ("num_classes=None, width=1.0, features=2048", "num_classes=None"): "other arguments than it",
    ('"my_parts.Plain"', '"my_parts.Plane"'): "my_parts.Plane: no such code",
}


@pytest.mark.parametrize("change", MISFITS)
def test_a_network_that_breaks_its_promise(change, mine):
    old, new = change
    assert old in mine.read_text()
    mine.write_text(mine.read_text().replace(old, new))
    load_plugins([mine])
    with pytest.raises(FkdError, match=MISFITS[change]):
        models.build("plain", 3, SMALL)


def digests():
    """The digests of what makes two students: one by the network, one by losses alone."""
    library = Library(Path(fkd.__file__).parent, loaded_plugins())
    students = {
        "network": Student("plain", 1.0),
        "losses": Student.from_settings(MINE | {"architecture": "signet"}),
        "neither": Student("signet", 1.0),
    }
    found = {}
    for name, student in students.items():
        parts = parts_of_student(student)
        entries = [part.entry for part in parts if part.entry]
        found[name] = library.digest(None, [part.place for part in parts], entries)
    return found


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        pytest.param("my_parts.py", "nn.ReLU()", "nn.ELU()", {"network"}, id="the network"),
        pytest.param("beside.py", "26)", "26,)", set(), id="the layout of a module beside it"),
        pytest.param("beside.py", "26", "27", {"network"}, id="a module beside it"),
        pytest.param("my_parts.py", "gap.square()", "gap.pow(4)", {"losses"}, id="a loss"),
        pytest.param("my_parts.py", '"DIFF"', '"D"', {"losses"}, id="an entry"),
        pytest.param("my_parts.py", "our lab", "their lab", set(), id="another entry"),
        pytest.param("my_parts.py", "class Plain", "# Why.\nclass Plain", set(), id="a comment"),
    ],
)
def test_an_edit_changes_the_digest_of_what_uses_it(file, old, new, touched, mine, tmp_path):
    from conftest import forget_plugins

    load_plugins([mine])
    before = digests()
    forget_plugins()
    path = tmp_path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    load_plugins([mine])
    after = digests()
    assert {name for name in before if before[name] != after[name]} == touched
