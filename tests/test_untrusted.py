"""Files made to read other files, to fill the memory, to stall, or to mislead compiled code."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import onnx
import pytest
import torch
from foreign import linear
from onnx import TensorProto, helper

from fkd import models
from fkd.errors import FkdError
from fkd.graph import Neighborhoods, nac, neighborhoods
from fkd.inspection import describe
from fkd.models import published
from fkd.models.extractor import Extractor
from fkd.models.features import describe_images
from fkd.models.onnx_file import read_onnx
from fkd.models.pickled import read_pickled
from fkd.models.published import read_public_weights
from fkd.models.trial import refuse_fickle, try_out
from fkd.preprocess import center_crop, normalize
from fkd.signatures.npz import read_npz
from fkd.storage import shards
from fkd.study.parts import Networks
from fkd.text.crops import make_crops
from fkd.text.lines import find_lines
from fkd.training.text_crops import TextCrops

# HDF5


ARRAYS = {
    "image": np.zeros((4, 17, 24), np.uint8),
    "writer": np.array(["ann", "ann", "bob", "bob"], object),
    "forgery": np.array([False, True] * 2),
}


def shard_with(path: Path, edit: Callable[[h5py.File], object]) -> Path:
    """Write a shard and let `edit` change it."""
    shards.write(path, "signatures", ARRAYS, {"set": "mine"})
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def put(name: str, **options: object) -> Callable[[h5py.File], object]:
    """Replace an array by another one, which has a digest too."""

    def edit(file: h5py.File) -> None:
        file.pop(name, None)
        file.create_dataset(name, **options).attrs["digest"] = "0" * 16

    return edit


def external(place: Path) -> Callable[[h5py.File], object]:
    return put("image", shape=(4, 17, 24), dtype="u1", external=[(str(place), 0, 4 * 17 * 24)])


def virtual(place: Path) -> Callable[[h5py.File], object]:
    layout = h5py.VirtualLayout((4, 17, 24), "u1")
    layout[:] = h5py.VirtualSource(str(place), "image", (4, 17, 24))

    def edit(file: h5py.File) -> None:
        del file["image"]
        file.create_virtual_dataset("image", layout).attrs["digest"] = "0" * 16

    return edit


def linked(link: object) -> Callable[[h5py.File], object]:
    def edit(file: h5py.File) -> None:
        del file["image"]
        file["image"] = link

    return edit


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe without a writer: whoever opens it waits forever."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    "make", [external, virtual, lambda at: linked(h5py.ExternalLink(at, "/a"))]
)
def test_a_shard_opens_no_other_file(make, pipe, tmp_path):
    path = shard_with(tmp_path / "a.h5", make(pipe))
    with pytest.raises(
        FkdError, match=r"a link to another place|not stored in chunks of this file"
    ):
        shards.read(path)
    with shards.opened(shard_with(tmp_path / "b.h5", lambda _: None)) as reader:
        assert reader.rows("image").shape == (4, 17, 24)


def repeated_string(file: h5py.File) -> None:
    """A thousand references to one string."""
    array = file.create_dataset("more", (1000,), h5py.string_dtype(), chunks=(1000,))
    array[0] = "a" * 20_000
    file.flush()
    stored = array.id.read_direct_chunk((0,))[1]
    array.id.write_direct_chunk((0,), stored[:16] * 1000)


def unfolding_chunk(file: h5py.File) -> None:
    """A chunk of a few bytes that unfolds to 64 MB."""
    options = {"dtype": "u1", "fletcher32": True, **hdf5plugin.Zstd()}
    large = file.create_dataset("large", data=np.zeros(1 << 26, "u1"), chunks=(1 << 26,), **options)
    file.flush()
    stored = large.id.read_direct_chunk((0,))[1]
    del file["large"]
    small = file.create_dataset("more", (99,), chunks=(99,), **options)
    small.id.write_direct_chunk((0,), stored)


ODD: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "a soft link": (linked(h5py.SoftLink("/forgery")), "image is a link to another place"),
    "a group": (lambda file: file.create_group("more"), "more is no array"),
    "a named type": (lambda file: file.__setitem__("more", np.dtype("i4")), "more is no array"),
    "records": (put("more", data=np.zeros(4, "i4,f4"), chunks=True), "of the type"),
    "lists": (put("more", shape=(4,), dtype=h5py.vlen_dtype("i4"), chunks=True), "of the type"),
    "references": (put("more", shape=(4,), dtype=h5py.ref_dtype, chunks=True), "of the type"),
    "the other byte order": (put("more", data=np.zeros(4, ">i4"), chunks=True), "of the type >i4"),
    "a filter": (put("more", data=np.zeros(4), compression="gzip"), "through filters that no"),
    "vast chunks": (
        put("more", shape=(4,), dtype="u1", chunks=(1 << 30,), maxshape=(None,)),
        "more is stored in chunks of 1,073,741,824 bytes",
    ),
    "a chunk that unfolds": (unfolding_chunk, "more has a chunk that is not compressed as shards"),
    "a chunk that is not compressed": (
        lambda file: file["image"].id.write_direct_chunk((0, 0, 0), bytes(9), filter_mask=3),
        "image has a chunk that is not compressed as shards",
    ),
    "more elements than can be counted": (
        put("more", shape=(1 << 30,) * 3, dtype="u1", chunks=(1,) * 3),
        "its content takes 1,237,940,039,285,380,274,899,125,892 bytes",
    ),
    "one string many times": (repeated_string, "more holds more strings than the file has room"),
    "images that are no bytes": (
        put("image", data=np.zeros((4, 17, 24)), chunks=True),
        "image is of the type float64 and has 3 axes",
    ),
    "labels that are words": (
        put("forgery", data=["no"] * 4, dtype=h5py.string_dtype(), chunks=True),
        "forgery is of the type object",
    ),
    "more rows of one array": (
        put("forgery", data=np.zeros(9, bool), chunks=True),
        "different numbers of rows: .*'forgery': 9",
    ),
    "kinds by the million": (
        lambda file: file.attrs.__setitem__("kind", np.array(["signatures"] * 9, object)),
        "the attribute kind is no single number or string",
    ),
}


@pytest.mark.parametrize(("edit", "message"), ODD.values(), ids=ODD)
def test_a_shard_holds_plain_arrays_of_the_declared_types(edit, message, tmp_path):
    path = shard_with(tmp_path / "a.h5", edit)
    with pytest.raises(FkdError, match=message):
        shards.read(path)


# Trees and places that compiled code and slices follow


def path_of(n: int) -> np.ndarray:
    """The tree in which each vector's parent is the one before it."""
    return np.maximum(np.arange(n) - 1, 0).astype(np.uint16)


def text_crops(
    folder: Path, tree: np.ndarray, radius: object = 5, **arrays: np.ndarray
) -> TextCrops:
    """Open eight crops whose geometry is eight times one tree."""
    images, n = np.zeros((8, 170, 242), np.uint8), len(tree)
    labels = {"writer": np.array(["ann", "bob"] * 4, object), "validation": np.zeros(8, bool)}
    crops = {"image": images, **labels} | {k: v for k, v in arrays.items() if k in labels}
    shards.write(folder / "crops.h5", "crops", crops, {"writers": ["ann", "bob"]})
    geometry = {"tree_conv5": np.tile(tree, (8, 1)), "nac_conv5": np.zeros((8, n), np.float32)}
    geometry |= {name: values for name, values in arrays.items() if name in geometry}
    origin = {"crops": shards.digest(images), "teacher": "t", "radius": radius}
    shards.write(folder / "geometry.h5", "geometry", geometry, origin)
    return TextCrops.open([folder / "crops.h5"], [], [folder / "geometry.h5"], ["conv5"])


def batch_of(crops: TextCrops, held: bool) -> Neighborhoods:
    cpu = torch.device("cpu")
    with crops:
        if held:
            crops.hold(cpu, memory=1)
        (batch,) = crops.batches([np.arange(4)], cpu)
        return batch["neighborhoods_conv5"]


WRONG_TREES = {
    "an index out of range": (np.where(np.arange(12) == 7, 12, path_of(12)), "beyond the last"),
    "a circle": (np.where(np.arange(12) == 3, 7, path_of(12)), "not all vectors are connected"),
    "a circle at the root": (np.where(np.arange(12) == 0, 1, path_of(12)), "not all vectors"),
    "two trees": (np.where(np.arange(12) == 5, 5, path_of(12)), "not all vectors are connected"),
}


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(("tree", "message"), WRONG_TREES.values(), ids=WRONG_TREES)
def test_trees_are_checked_before_they_are_followed(tree, message, held, tmp_path):
    with pytest.raises(FkdError, match=rf"geometry\.h5: tree_conv5: tree 0 is no .*{message}"):
        batch_of(text_crops(tmp_path, tree.astype(np.uint16)), held)


@pytest.mark.parametrize("held", [True, False])
def test_a_tree_of_one_long_way_is_followed(held, tmp_path):
    assert batch_of(text_crops(tmp_path, path_of(300)), held).trees.shape == (4, 300)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radius": -1}, "its radius is -1 hops"),
        ({"radius": 2.5}, "its radius is 2.5 hops"),
        ({"nac_conv5": np.zeros((8, 1), np.float32)}, r"8 crops have targets of .*\(8, 1\)"),
        ({"tree_conv5": np.zeros((8, 12), np.int64)}, "tree_conv5 is of the type int64"),
        ({"writer": np.array(["ann", "eve"] * 4, object)}, "the writer eve is not in its list"),
    ],
)
def test_targets_that_do_not_fit_are_refused(changes, message, tmp_path):
    with pytest.raises(FkdError, match=message):
        text_crops(tmp_path, path_of(12), **changes)


def test_maps_of_another_size_are_not_taken_through_trees():
    near = Neighborhoods(torch.zeros(2, 12, dtype=torch.uint16))
    with pytest.raises(FkdError, match="2 trees of 12 vectors do not belong to maps"):
        nac(torch.rand(2, 13, 3), near)
    with pytest.raises(FkdError, match="2 trees of 12 vectors do not belong to maps"):
        near @ torch.rand(2, 9, 3)


@pytest.mark.parametrize("radius", [-3, 0, 1.5, True])
def test_a_radius_is_a_number_of_hops(radius):
    with pytest.raises(FkdError, match="the radius of a neighborhood is 1 or more hops"):
        Neighborhoods(torch.zeros(1, 3, dtype=torch.uint16), radius)


def test_a_vast_radius_reaches_everywhere():
    near = Neighborhoods(torch.from_numpy(path_of(9))[None], 10**9)
    assert torch.equal(near.mask()[0], ~torch.eye(9, dtype=torch.bool))


@pytest.mark.parametrize("edges", [[[0, 1], [0, 1]], [[0, 1], [1, 3]], [[0, 1], [-1, 2]], [0, 1]])
def test_edges_that_are_no_tree_are_refused(edges):
    with pytest.raises(FkdError, match=r"no spanning tree|has the vectors|edges are integers"):
        neighborhoods(np.array(edges))


def test_stripes_lie_in_their_pixels(tmp_path):
    """A width of two billion would draw as many intervals."""
    one = {name: np.array([0], np.int32) for name in ("offset", "line", "top")}
    stripes = one | {"height": np.array([4], np.int32), "width": np.array([2**31 - 1], np.int32)}
    stripes |= {"pixels": np.zeros(40, np.uint8), "columns": np.zeros(10, np.int32)}
    stripes |= {"writer": np.array(["ann"], object), "page": np.array(["1"], object)}
    stripes |= {"validation": np.array([False])}
    shards.write(tmp_path / "stripes.h5", "stripes", stripes, {"writers": ["ann"]})
    with pytest.raises(FkdError, match="its stripes are not where it says"):
        make_crops(
            stripes=tmp_path / "stripes.h5",
            out=tmp_path / "crops.h5",
            quarantine=tmp_path / "aside.csv",
            seed=1,
        )


# ONNX: models that are no function of one image


def model_of(path: Path, *nodes: onnx.NodeProto, shape: tuple = ("n", 1, 150, 220), **more) -> Path:
    """Write a model whose `nodes` lead from ``rows``, (n, 6), to ``found``."""
    linear(path, shape, outputs=("rows",))
    model = onnx.load(path)
    model.graph.node.extend(nodes)
    model.graph.output[0].name = "found"
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in more.items())
    onnx.save(model, path)
    return path


def nodes_of(text: str) -> list[onnx.NodeProto]:
    """Read nodes in ONNX's own notation."""
    return list(
        onnx.parser.parse_graph(f"g (float[N, 6] rows) => (float[N, 6] found) {{{text}}}").node
    )


DROPOUT = """
    r = Constant <value = float {0.5}> ()
    t = Constant <value = bool {1}> ()
    found = Dropout (rows, r, t)
"""
NOISE = "e = RandomNormalLike <scale = 0.1> (rows) found = Add (rows, e)"
MEAN = "m = ReduceMean <axes = [0]> (rows) found = Sub (rows, m)"
LARGEST = "m = ReduceMax (rows) found = Div (rows, m)"
FIRST_ROW = """
    z = Constant <value = int64[1] {0}> ()
    m = Gather <axis = 0> (rows, z)
    found = Sub (rows, m)
"""
OF_ONE_IMAGE = "m = ReduceMean <axes = [1]> (rows) found = Sub (rows, m)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DROPOUT, "when it is asked again"),
        (NOISE, "when it is asked again"),
        (MEAN, "in another batch"),
        (LARGEST, "in another batch"),
        (FIRST_ROW, "in another batch"),
    ],
)
@pytest.mark.parametrize("batch", ["n", 3])
def test_features_that_are_no_function_of_one_image_are_refused(text, message, batch, tmp_path):
    path = model_of(tmp_path / "a.onnx", *nodes_of(text), shape=(batch, 1, 150, 220))
    with pytest.raises(FkdError, match=rf"a\.onnx: .*{message}.*model\.eval"):
        refuse_fickle(path, Extractor(path, threads=1))


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_features_of_one_image_pass(batch, tmp_path):
    path = model_of(tmp_path / "a.onnx", *nodes_of(OF_ONE_IMAGE), shape=(batch, 1, 150, 220))
    try_out(path)


def test_half_precision_passes(tmp_path):
    path = model_of(
        tmp_path / "a.onnx", *nodes_of("h = Cast <to = 10> (rows) found = Cast <to = 1> (h)")
    )
    refuse_fickle(path, Extractor(path, threads=1))


def test_commands_try_a_model_before_they_use_it(tmp_path):
    path = model_of(tmp_path / "a.onnx", *nodes_of(DROPOUT))
    with pytest.raises(FkdError, match="when it is asked again"):
        describe_images(model=path, images=[tmp_path / "none.png"], out=tmp_path / "a.csv")


# ONNX: time and memory


VAST = """
    s = Constant <value = int64[2] {100000, 100000}> ()
    v = ConstantOfShape (s)
    m = ReduceMax (v)
    found = Add (rows, m)
"""
SLOW = """
    s = Constant <value = int64[2] {3000, 3000}> ()
    a = ConstantOfShape (s)
    b = MatMul (a, a) c = MatMul (b, a) d = MatMul (c, a) e = MatMul (d, a) f = MatMul (e, a)
    m = ReduceMax (f)
    found = Add (rows, m)
"""


@pytest.mark.parametrize(
    ("text", "seconds", "memory", "message"),
    [
        (VAST, 60, 1 << 29, "opening it and|it takes more memory"),
        (SLOW, 1, 3 << 30, "more than 1 s"),
    ],
)
def test_time_and_memory_of_a_model_are_limited(text, seconds, memory, message, tmp_path):
    path = model_of(tmp_path / "a.onnx", *nodes_of(text))
    with pytest.raises(FkdError, match=message):
        try_out(path, seconds, memory)


SIZES = "s = Constant <value = int64[2] {7, 7}> () found = Reshape (rows, s)"


def test_what_onnxruntime_says_is_one_line_and_said_once(tmp_path, capfd):
    path = model_of(tmp_path / "a.onnx", *nodes_of(SIZES))
    with pytest.raises(FkdError, match=r"a\.onnx: fails on images of shape") as error:
        Extractor(path)(np.zeros((1, 150, 220), np.uint8))
    assert str(error.value).isprintable() and "onnxruntime_src" not in str(error.value)
    assert capfd.readouterr().err.count("Reshape") == 0


BODY = """
    body (int64 i, bool c, float[N, 6] x) => (bool again, float[N, 6] y) {
        again = Identity (c) y = Identity (x)
    }
"""
ENDLESS = f"""
    k = Constant <value = bool {{1}}> ()
    found = Loop <body = {BODY.strip()}> ("", k, rows)
""".replace('""', "")
WITHIN = f"""
    w = Constant <value = bool {{1}}> ()
    found = If (w) <
        then_branch = t () => (float[N, 6] u) {{
            k = Constant <value = bool {{1}}> ()
            u = Loop <body = {BODY.strip()}> (, k, rows)
        }},
        else_branch = e () => (float[N, 6] v) {{ v = Identity (rows) }}
    >
"""


def looping(path: Path) -> Path:
    return model_of(path, *nodes_of(ENDLESS))


def looping_within(path: Path) -> Path:
    return model_of(path, *nodes_of(WITHIN))


def looping_in_function(path: Path) -> Path:
    model = onnx.load(model_of(path, helper.make_node("Rest", ["rows"], ["found"], domain="own")))
    body = nodes_of(ENDLESS)
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "Rest", ["rows"], ["found"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("make", [looping, looping_within, looping_in_function])
def test_a_model_that_may_never_end_is_not_opened(make, tmp_path):
    with pytest.raises(FkdError, match=r"a\.onnx: it repeats parts of its graph \(Loop\)"):
        Extractor(make(tmp_path / "a.onnx"))


CHOICE = """
    w = Constant <value = bool {1}> ()
    found = If (w) <
        then_branch = t () => (float[N, 6] u) { u = Identity (rows) },
        else_branch = e () => (float[N, 6] v) { v = Identity (rows) }
    >
"""


@pytest.mark.parametrize(
    "make",
    [
        looping,
        looping_within,
        looping_in_function,
        lambda path: model_of(path, *nodes_of(CHOICE)),
        lambda path: model_of(path, helper.make_node("Own", ["rows"], ["found"], domain="own")),
    ],
)
def test_a_teachers_graph_holds_no_control_flow_and_is_not_run(make, tmp_path, monkeypatch):
    monkeypatch.setattr("fkd.models.published._compare", lambda *_: pytest.fail("it was run"))
    with pytest.raises(FkdError, match=r"a\.onnx: its graph holds more than SigNet's layers"):
        read_public_weights(make(tmp_path / "a.onnx"))


def outside(path: Path, tensors: int, size: int) -> Path:
    """A model whose weights are `tensors` times one sparse file of `size` bytes beside it."""
    with (path.parent / "w.bin").open("wb") as stream:
        stream.truncate(size)
    linear(path, ("n", 1, 150, 220))
    model = onnx.load(path)
    for number in range(tensors):
        tensor = TensorProto(name=f"t{number}", data_type=TensorProto.FLOAT, dims=[size // 4])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")
        model.graph.initializer.append(tensor)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("tensors", "size"), [(1, 3 << 30), (30, 1 << 27)])
def test_a_model_above_2_gb_is_refused_before_its_weights_are_read(tensors, size, tmp_path):
    path = outside(tmp_path / "big.onnx", tensors, size)
    with pytest.raises(FkdError, match=r"big\.onnx: more than 2 GB with its weights"):
        read_onnx(path)


# Weights


FIRST, SECOND = "conv_layers.conv1.conv.weight", "conv_layers.conv2.conv.weight"


def numbers(folder: Path, content: object) -> Path:
    torch.save(content, folder / "a.pth")
    return folder / "a.pth"


def spread(elements: int) -> torch.Tensor:
    """A tensor that repeats one number."""
    return torch.zeros(1).expand(elements)


@pytest.mark.parametrize(
    "content",
    [
        {FIRST: spread(1 << 28)},
        {f"{number}": spread(1 << 20) for number in range(99)},
        ([{FIRST: [spread(1 << 28)]}],),
    ],
)
@pytest.mark.parametrize("read", [read_public_weights, describe])
def test_tensors_that_repeat_one_number_are_counted_by_their_elements(content, read, tmp_path):
    with pytest.raises(FkdError, match=r"a\.pth: its content takes .* more than 4 times the file"):
        read(numbers(tmp_path, content))


def test_nested_lists_are_entered_once(tmp_path):
    nested: list = [torch.zeros(1)]
    for _ in range(60):
        nested = [nested] * 10
    assert read_pickled(numbers(tmp_path, nested))


SMALL = Networks(width=0.05, features=16)


@pytest.fixture
def small_signet(monkeypatch):
    monkeypatch.setattr(published, "SigNet", lambda: models.build("signet", None, SMALL))
    return models.build("signet", None, SMALL, seed=3)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model."])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: (state, torch.zeros(3)),
        lambda state: {"epoch": 3, "optimizer": {"state": {}}, "state_dict": state},
        lambda state: {"ema": {"a": torch.zeros(2)}, "net": state, "best": 0.3},
    ],
    ids=["alone", "tuple", "checkpoint", "checkpoint with others"],
)
def test_weights_are_found_in_what_wraps_them(prefix, wrap, small_signet, tmp_path, caplog):
    caplog.set_level("INFO")
    state = {f"{prefix}{name}": value for name, value in small_signet.state_dict().items()}
    found = read_public_weights(numbers(tmp_path, wrap(state)))
    assert models.checksum(found) == models.checksum(small_signet)
    assert (f"read without '{prefix}'" in caplog.text) == bool(prefix)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (torch.nn.Linear(2, 2), r"\(it holds torch.nn.modules.linear.Linear besides tensors\)"),
        (b"no archive", r"\(it is damaged, cut short, or no file of PyTorch\)"),
    ],
)
@pytest.mark.parametrize("read", [read_public_weights, describe])
def test_no_words_of_pytorch_reach_the_user(content, reason, read, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(FkdError, match=rf"a\.pth: .*code in it is never run {reason}\.$") as error:
        read(path)
    assert str(error.value).isprintable()


# Archives of arrays


@pytest.mark.parametrize("kind", ["|S0", "<U0"])
def test_a_billion_strings_of_no_length_are_refused_before_they_are_read(kind, tmp_path):
    path = tmp_path / "a.npz"
    header = {"descr": kind, "fortran_order": False, "shape": (10**9,)}
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x", "y", "yforg", "filenames", "features"):
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
    for read in (read_npz, describe):
        with pytest.raises(FkdError, match=r"a\.npz: its content takes .* more than 100 times"):
            read(path)


# Images of another range or shape


@pytest.mark.parametrize(
    "image",
    [
        np.full((60, 90), 0.5),
        np.zeros((60, 90, 3), np.uint8),
        np.zeros(60, np.uint8),
        np.zeros((60, 90), np.int64),
        np.zeros((60, 90), bool),
    ],
)
def test_a_scan_is_gray_levels_of_8_bits(image):
    with pytest.raises(FkdError, match="expected gray levels as uint8"):
        normalize(image)


def test_networks_are_not_given_levels_that_are_divided_already():
    with pytest.raises(FkdError, match=r"torch\.float32 .*expected gray levels as uint8"):
        models.as_input(np.zeros((1, 150, 220), np.float32))
    with pytest.raises(FkdError, match="expected gray levels as uint8"):
        models.as_input(np.zeros((150, 220), np.uint8))


def test_a_center_is_not_cut_from_less():
    with pytest.raises(
        FkdError, match=r"images of shape \(2, 100, 300\) are smaller than 150 x 220"
    ):
        center_crop(np.zeros((2, 100, 300), np.uint8))


def test_a_strip_of_many_pages_is_not_searched_for_lines():
    """It takes little memory itself, but its lines would take hundreds of times as much."""
    strip = np.full((50_000, 100), 255, np.uint8)
    strip[::40, 20:60] = 0
    with pytest.raises(FkdError, match="a strip of 50000 x 100 pixels, no page"):
        find_lines(strip)
