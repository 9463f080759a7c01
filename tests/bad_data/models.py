"""Models and weights that are damaged, false, or carry code."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from foreign import WEIGHTS, graph, linear
from onnx import TensorProto, helper
from safetensors.torch import save_file

from bad_data.case import Case, Payload, SystemPayload
from bad_data.paths import read_vector
from bad_data.sets import npy
from fkd import models
from fkd.models.extractor import Extractor
from fkd.models.weights import METADATA
from fkd.study.parts import Networks

SMALL = Networks(width=0.05, features=16)
"""A SigNet of few channels; the tests put it in place of the published size."""

NO_MODEL = "not a whole ONNX model"
NEVER_RUN = "code in it is never run"
UNFOLDS = "its content takes .* more than 4 times the file"
SHAPE = ("n", 1, 150, 220)
IMAGES = np.random.default_rng(1).integers(256, size=(3, 150, 220), dtype=np.uint8)

Recipe = tuple[str, Callable[[Path], Any], str | None]


def describe(path: Path) -> np.ndarray:
    """Open a model and let it describe images."""
    return Extractor(path, threads=1)(IMAGES, batch=2)


def _linear(path: Path, **options: Any) -> None:
    linear(path, **({"shape": SHAPE} | options))


def _cut(share: float, write: Callable[[Path], Any], path: Path) -> None:
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _flip(seed: int, write: Callable[[Path], Any], reach: int, path: Path) -> None:
    """Flip bits in the first, or where `reach` is negative the last, bytes."""
    write(path)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    draw = np.random.default_rng(seed)
    for at in draw.integers(min(reach, 0), max(reach, 0), 4):
        content[at] ^= np.uint8(1 << draw.integers(8))
    path.write_bytes(content.tobytes())


def _outside(location: str, path: Path) -> None:
    """Weights in a file that lies beside the folder of the model."""
    path.parent.mkdir(exist_ok=True)
    (path.parent.parent / "weights.bin").write_bytes(WEIGHTS.tobytes())
    (path.parent / "link.bin").symlink_to("../weights.bin")
    _linear(path)
    model = onnx.load(path)
    [tensor] = [found for found in model.graph.initializer if found.name == "weights"]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    location = location.replace("{outside}", str(path.parent.parent))
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())


def _edited(edit: Callable[[onnx.ModelProto], Any], path: Path) -> None:
    _linear(path)
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())


def _longer(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].dims[0] = 2**40


def _unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[1].op_type, model.graph.node[1].domain = "Execute", "evil"
    model.opset_import.append(helper.make_opsetid("evil", 1))


def _of_nodes(nodes: list[onnx.NodeProto], path: Path, inputs: int = 1, **constants) -> None:
    """A model of some nodes between the input and its output ``found``."""
    taken = [(f"data{n}", TensorProto.FLOAT, SHAPE) for n in range(inputs)]
    model = graph(taken, ["found"], nodes, constants)
    onnx.save(model, path)


def _sequence(path: Path) -> None:
    _of_nodes([helper.make_node("SequenceConstruct", ["data0", "data0"], ["found"])], path)
    model = onnx.load(path)
    kind = helper.make_tensor_sequence_value_info("found", TensorProto.FLOAT, None)
    model.graph.output[0].CopyFrom(kind)
    onnx.save(model, path)


def _text_output(path: Path) -> None:
    _of_nodes([helper.make_node("Cast", ["data0"], ["found"], to=TensorProto.STRING)], path)
    model = onnx.load(path)
    kind = helper.make_tensor_value_info("found", TensorProto.STRING, None)
    model.graph.output[0].CopyFrom(kind)
    onnx.save(model, path)


def _chosen_length(path: Path) -> None:
    """As many features as there are images in the batch."""
    nodes = [
        helper.make_node("Shape", ["data0"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["n"]),
        helper.make_node("Concat", ["n", "n"], ["square"], axis=0),
        helper.make_node("ConstantOfShape", ["square"], ["found"]),
    ]
    _of_nodes(nodes, path, first=np.array([0]))


def onnx_files() -> Iterator[Recipe]:
    """What an extractor may be given."""
    content = {
        "empty": b"",
        "text": b"ir_version: 9",
        "a pickle": pickle.dumps(Payload()),
        "an image": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "zeros": bytes(1000),
        "an archive": b"PK\x05\x06" + bytes(18),
    }
    for name, data in content.items():
        yield name, partial(Path.write_bytes, data=data), NO_MODEL
    for share in (0.001, 0.5, 0.999):
        yield f"cut at {share:.1%}", partial(_cut, share, _linear), NO_MODEL
    for place in ("../weights.bin", "{outside}/weights.bin", "link.bin", "/etc/passwd", "none.bin"):
        refused = "missing or outside its folder"
        yield f"weights in {place}", partial(_outside, place), refused
    yield "no node", partial(_edited, lambda m: m.graph.ClearField("node")), "its graph is empty"
    yield "no output", partial(_edited, lambda m: m.graph.ClearField("output")), "has no output"
    yield "no input", partial(_edited, lambda m: m.graph.ClearField("input")), "a.onnx: "
    yield "weights of 2^40 rows", partial(_edited, _longer), "a.onnx: "
    yield "an unknown operator", partial(_edited, _unknown_operator), "onnxruntime cannot read it"
    two = partial(_of_nodes, [helper.make_node("Add", ["data0", "data1"], ["found"])], inputs=2)
    yield "two inputs", two, "expected one input"
    yield "an input of 170 x 242", partial(_linear, shape=("n", 1, 170, 242)), "expected tensor"
    yield "an input in color", partial(_linear, shape=("n", 3, 150, 220)), "expected tensor"
    yield "an input of bytes", partial(_linear, kind=TensorProto.UINT8), "expected tensor"
    yield "10^9 images a pass", partial(_linear, shape=(10**9, 1, 150, 220)), "images a pass"
    yield "0 images a pass", partial(_linear, shape=(0, 1, 150, 220)), "images a pass"
    yield "an output in rows and columns", partial(_linear, given=(-1, 2, 3)), "expected a feature"
    yield "an output that is a sequence", _sequence, "no array of numbers"
    yield "an output of text", _text_output, "a.onnx: "
    yield "features as many as images", _chosen_length, "features of different lengths"
    infinite, none = np.full_like(WEIGHTS, np.inf), np.full_like(WEIGHTS, np.nan)
    yield "infinite weights", partial(_linear, weights=infinite), "infinite or not a number"
    yield "weights that are no number", partial(_linear, weights=none), "not a number"


def state() -> dict[str, torch.Tensor]:
    """What public weights hold."""
    return models.build("signet", None, SMALL).state_dict()


def _saved(change: Callable[[dict], Any], path: Path) -> None:
    torch.save(change(state()), path)


def _with(tensor: Callable[[torch.Tensor], Any], name: str = "fc_layers.fc1.fc.weight") -> Callable:
    return lambda found: (found | {name: tensor(found[name])},)


def _overlapping(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of 10^12 elements on the storage of one."""
    return torch.zeros(1).expand(10**6, 10**6)


def _deflated(path: Path) -> None:
    """A member of a saved state blown up: 600 MB of zeros for its tensor."""
    _saved(lambda found: (found,), path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members.items():
            file.writestr(name, bytes(1 << 28) if name.endswith("/data/0") else content)


def _code_in_archive(path: Path) -> None:
    """PyTorch's archive whose pickle runs a command."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps((SystemPayload(),), protocol=2))
        file.writestr("archive/version", "3\n")


def _script(path: Path) -> None:
    """A network as code of PyTorch's own language."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.jit.save(torch.jit.trace(network, torch.zeros(1, 2)), path)


def pth_files() -> Iterator[Recipe]:
    """What may be given as SigNet's public weights."""
    for name, payload in (("open", Payload()), ("a command", SystemPayload())):
        yield f"code ({name}), saved", partial(torch.save, (payload,)), NEVER_RUN
        pickled = pickle.dumps(payload)
        yield f"code ({name}), pickled", partial(Path.write_bytes, data=pickled), NEVER_RUN
        legacy = partial(torch.save, (payload,), _use_new_zipfile_serialization=False)
        yield f"code ({name}), saved as of old", legacy, NEVER_RUN
    yield "code beside weights", partial(_saved, lambda s: (s, Payload())), NEVER_RUN
    yield "code among weights", partial(_saved, lambda s: (s | {"a": Payload()},)), NEVER_RUN
    yield "code in an archive by hand", _code_in_archive, NEVER_RUN
    yield "a whole network", partial(_saved, lambda s: torch.nn.Linear(2, 2)), NEVER_RUN
    yield "a script", _script, NEVER_RUN
    for name, data in (("empty", b""), ("text", b"weights\n"), ("zeros", bytes(999))):
        yield name, partial(Path.write_bytes, data=data), NEVER_RUN
    whole = partial(_saved, lambda s: (s,))
    for share in (0.01, 0.5, 0.99):
        yield f"cut at {share:.0%}", partial(_cut, share, whole), NEVER_RUN
    yield "an empty tuple", partial(_saved, lambda s: ()), "expected a tuple"
    yield "a number", partial(_saved, lambda s: 3), "expected a tuple"
    yield "names to numbers", partial(_saved, lambda s: ({"a": 1},)), "expected a tuple"
    yield "no tensor", partial(_saved, lambda s: ({},)), "do not fit SigNet"
    yield "numbers as names", partial(_saved, lambda s: ({1: torch.ones(1)},)), "do not fit SigNet"
    yield "another shape", partial(_saved, _with(lambda t: t[:3])), "shape .* expected"
    yield "10^12 elements", partial(_saved, _with(_overlapping)), UNFOLDS
    real = "not finite real numbers"
    yield "not a number", partial(_saved, _with(lambda t: t * np.nan)), real
    yield "infinite", partial(_saved, _with(lambda t: t / 0)), real
    yield "complex", partial(_saved, _with(lambda t: t.to(torch.complex64))), real
    yield "sparse", partial(_saved, _with(lambda t: t.to_sparse())), f"{real}|{NEVER_RUN}"
    yield "without values", partial(_saved, _with(lambda t: t.to("meta"))), f"{real}|{NEVER_RUN}"
    yield "a tensor blown up", _deflated, UNFOLDS


def _safe(path: Path, tensors: Callable = lambda found: found, **metadata: Any) -> None:
    """Write weights as the library does, with some changes."""
    about = {"architecture": "signet", "settings": vars_of(SMALL), "about": {}}
    about = {key: value for key, value in (about | metadata).items() if value is not None}
    contents = {key: value.contiguous() for key, value in tensors(state()).items()}
    save_file(contents, path, {METADATA: json.dumps(about)})


def _without_json(path: Path) -> None:
    save_file(state(), path, {METADATA: "{"})


def vars_of(networks: Networks) -> dict[str, Any]:
    """The settings that a file of weights names."""
    return {"num_classes": None, "width": networks.width, "features": networks.features}


def _header(length: int, text: bytes, path: Path) -> None:
    path.write_bytes(struct.pack("<Q", length) + text)


def safetensors_files() -> Iterator[Recipe]:
    """What may be given as weights of a study."""
    refused = "not a safetensors file"
    for name, data in (
        ("empty", b""),
        ("text", b"weights\n"),
        ("a pickle", pickle.dumps(Payload())),
    ):
        yield name, partial(Path.write_bytes, data=data), refused
    for length in (0, 3, 10**6, 2**40, 2**63):
        yield f"a header of {length:,} bytes, it says", partial(_header, length, b"{}"), refused
    yield "a header that is no JSON", partial(_header, 8, b"garbage!"), refused
    beyond = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    yield "a tensor beyond the end", partial(_header, len(beyond), beyond), refused
    huge = beyond.replace(b"[9]", b"[99999999999]")
    yield "a tensor of 10^11 elements", partial(_header, len(huge), huge + bytes(36)), refused
    for share in (0.001, 0.5, 0.999):
        yield f"cut at {share:.1%}", partial(_cut, share, _safe), refused
    builds = "its metadata build no network"
    yield "no metadata", partial(_safe, architecture=None), "name none of the networks"
    yield "another network", partial(_safe, architecture="__import__"), "name none of the networks"
    yield "a network that is a list", partial(_safe, architecture=[1]), "name none of the networks"
    yield "metadata that are no JSON", _without_json, "not a safetensors file of a study"
    yield "no settings", partial(_safe, settings=None), builds
    yield "no word of its making", partial(_safe, about=None), builds
    for name, settings in (
        ("that are a text", "{"),
        ("that are a list", [1]),
        ("of other names", {"depth": 3}),
        ("of a negative width", {"width": 0.1, "features": -5}),
        ("of a width in words", {"width": "wide", "features": 16}),
    ):
        yield f"settings {name}", partial(_safe, settings=settings), builds
    vast = {"width": 50, "features": 10**9}
    yield "settings of 10^12 weights", partial(_safe, settings=vast), "do not fit SigNet"
    yield "a missing tensor", partial(_safe, tensors=lambda s: dict(list(s.items())[1:])), "missing"
    more = {"extra": torch.zeros(1)}
    yield "one tensor more", partial(_safe, tensors=lambda s: s | more), "extra: not expected"
    nan = partial(_safe, tensors=lambda s: _with(lambda t: t * np.nan)(s)[0])
    yield "not a number", nan, "not finite real numbers"


def vectors() -> Iterator[Recipe]:
    """What may be given as a stored feature vector."""
    refused = "expected a vector of numbers"
    yield "text", partial(Path.write_bytes, data=b"1 2 3"), refused
    yield "empty", partial(Path.write_bytes, data=b""), refused
    trap = npy(np.array([Payload()], object))
    yield "code", partial(Path.write_bytes, data=trap), refused
    yield "a pickle", partial(Path.write_bytes, data=pickle.dumps(Payload())), refused
    vast = npy(np.zeros(3), b"{'descr': '<f8', 'fortran_order': False, 'shape': (10**13,), }\n")
    vast = vast.replace(b"10**13", b"9" * 13)
    yield "10^13 elements, it says", partial(Path.write_bytes, data=vast), refused
    yield "words", partial(Path.write_bytes, data=npy(np.array(["a", "b"]))), refused
    table = partial(Path.write_bytes, data=npy(np.zeros((2, 16))))
    yield "a table", table, r"found the shape \(2, 16\)"
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    yield "an archive", partial(Path.write_bytes, data=stream.getvalue()), refused


def _made(write: Callable[[Path], Any], name: str, folder: Path) -> Path:
    path = folder / "models" / name
    path.parent.mkdir()
    write(path)
    return path


def _cases() -> Iterator[Case]:
    families = (
        ("models (ONNX)", "a.onnx", onnx_files, describe),
        ("public weights (.pth)", "a.pth", pth_files, models.read_public_weights),
        ("weights (safetensors)", "a.safetensors", safetensors_files, models.load),
        ("feature vectors (.npy)", "a.npy", vectors, read_vector),
    )
    for group, file, family, read in families:
        for name, write, refused in family():
            yield Case(group, name, partial(_made, write, file), read, refused)
    flipped: tuple[tuple[str, str, Callable[[Path], Any], int, Callable], ...] = (
        ("models (ONNX)", "a.onnx", _linear, -400, describe),
        (
            "public weights (.pth)",
            "a.pth",
            partial(_saved, lambda s: (s,)),
            2000,
            models.read_public_weights,
        ),
        ("weights (safetensors)", "a.safetensors", _safe, 300, models.load),
    )
    for group, file, write, reach, read in flipped:
        for seed in range(6):
            make = partial(_made, partial(_flip, seed, write, reach), file)
            yield Case(group, f"flipped bits, draw {seed}", make, read, ".", may=True)


CASES: list[Case] = list(_cases())
