"""Models from elsewhere: their shapes, names and batches, and what is refused."""

import numpy as np
import onnx
import pytest
from foreign import WEIGHTS, expected, graph, linear
from onnx import TensorProto, helper

from fkd.errors import FkdError
from fkd.models.extractor import Extractor

pytestmark = pytest.mark.fidelity("models from elsewhere")

IMAGES = np.random.default_rng(1).integers(256, size=(5, 150, 220), dtype=np.uint8)

ACCEPTED = {
    "channel first": (("n", 1, 150, 220), None),
    "channel last": (("n", 150, 220, 1), None),
    "no channel": (("n", 150, 220), None),
    "free axes": (("n", "c", "h", "w"), None),
    "fixed batch of one": ((1, 1, 150, 220), None),
    "fixed batch of three": ((3, 1, 150, 220), None),
    "a map of one pixel": (("n", 1, 150, 220), (-1, 6, 1, 1)),
    "a map of one pixel, channel last": (("n", 150, 220, 1), (-1, 1, 1, 6)),
    "one image, as 1 x 1 x F": ((1, 1, 150, 220), (1, 1, 6)),
    "one image, as 1 x 1 x 1 x F": ((1, 150, 220, 1), (1, 1, 1, 6)),
}


@pytest.mark.parametrize(("shape", "given"), ACCEPTED.values(), ids=ACCEPTED)
def test_features_come_as_rows_in_the_order_of_the_images(tmp_path, shape, given):
    features = Extractor(linear(tmp_path / "a.onnx", shape, given), threads=1)(IMAGES, batch=2)
    assert features.shape == (5, 6)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(IMAGES), rtol=1e-4, atol=1e-4)


def test_weights_may_be_listed_as_inputs_as_old_files_do(tmp_path):
    path = linear(tmp_path / "a.onnx", (1, 1, 150, 220))
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    model.ir_version = 3
    onnx.save(model, path)
    np.testing.assert_allclose(Extractor(path)(IMAGES), expected(IMAGES), atol=1e-4)


def test_a_feature_of_one_element_is_a_row_too(tmp_path):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), weights=WEIGHTS[:, :1])
    np.testing.assert_allclose(Extractor(path)(IMAGES), expected(IMAGES)[:, :1], atol=1e-4)


@pytest.mark.parametrize("outputs", [("pixels_again", "feature"), ("other", "third", "feature")])
def test_of_several_outputs_the_one_named_feature_is_taken(tmp_path, outputs):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), outputs=outputs)
    assert Extractor(path)(IMAGES).shape == (5, 6)


def test_of_several_outputs_the_only_vector_is_taken_and_told(tmp_path, caplog):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), outputs=("image", "vector"))
    model = onnx.load(path)
    model.graph.node[-1].input[0] = "data"  # a copy of the images, (n, 1, 150, 220)
    onnx.save(model, path)
    np.testing.assert_allclose(Extractor(path)(IMAGES), expected(IMAGES), atol=1e-4)
    assert "'vector' is taken" in caplog.text and "'image' (n, 1, 150, 220)" in caplog.text


def test_of_several_vectors_none_is_guessed(tmp_path):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), outputs=("logits", "embedding"))
    with pytest.raises(FkdError, match=r"not clear: 'logits' .*'embedding' .*extract_model"):
        Extractor(path)


TAKEN = "expected one or more as .n, 150, 220."


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((150, 220), np.uint8), rf"shape \(150, 220\); {TAKEN}.*images\[None\]"),
        (np.zeros((2, 150, 220, 3), np.uint8), rf"shape \(2, 150, 220, 3\); {TAKEN}"),
        (np.zeros((2, 170, 242), np.uint8), rf"shape \(2, 170, 242\); {TAKEN}.*center_crop"),
        (np.zeros((0, 150, 220), np.uint8), rf"shape \(0, 150, 220\); {TAKEN}"),
        (np.full((1, 150, 220), 255.0), "type float64, from 255.0 to 255.0; expected whole gray"),
        (np.full((1, 150, 220), np.nan), "type float64, from nan to nan"),
        (np.zeros((1, 150, 220), np.int64), "type int64, from 0 to 0"),
    ],
)
def test_images_of_another_form_are_refused(tmp_path, images, message):
    describe = Extractor(linear(tmp_path / "a.onnx", ("n", 1, 150, 220)))
    with pytest.raises(FkdError, match=message):
        describe(images)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_images_from_0_to_1_are_taken_as_they_are(tmp_path, kind):
    describe = Extractor(linear(tmp_path / "a.onnx", ("n", 1, 150, 220)))
    found = describe((IMAGES / 255).astype(kind))
    np.testing.assert_allclose(found, expected(IMAGES), atol=1e-3 if kind == np.float16 else 1e-4)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((1, 1, 170, 242), TensorProto.FLOAT, r"shape \(1, 1, 170, 242\); expected .*150, 220"),
        (("n", 3, 150, 220), TensorProto.FLOAT, r"shape \(n, 3, 150, 220\); expected .*\(n, 1, 15"),
        (("n", 220, 150), TensorProto.FLOAT, r"shape \(n, 220, 150\)"),
        ((150, 220), TensorProto.FLOAT, r"shape \(150, 220\)"),
        ((None, 1, 150, 220), TensorProto.UINT8, r"tensor\(uint8\) of shape \(.*, 1, 150, 220\)"),
        ((1, 1, 150, 220), TensorProto.DOUBLE, r"tensor\(double\)"),
    ],
)
def test_an_input_that_is_no_such_image_is_refused(tmp_path, shape, kind, message):
    with pytest.raises(FkdError, match=rf"a\.onnx: its input 'data' is .*{message}"):
        Extractor(linear(tmp_path / "a.onnx", shape, kind=kind))


def test_a_size_that_shows_only_when_it_runs_is_refused(tmp_path):
    weights = np.ones((170 * 242, 6), np.float32)
    path = linear(tmp_path / "a.onnx", ("n", 1, "h", "w"), weights=weights)
    with pytest.raises(FkdError, match=r"a\.onnx: fails on images of shape \(5, 1, 150, 220\)"):
        Extractor(path)(IMAGES)


@pytest.mark.parametrize("given", [(6, -1), (1, -1, 6), (-1, 2, 3)])
def test_an_output_that_is_no_vector_is_refused(tmp_path, given):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), given)
    with pytest.raises(FkdError, match=r"a\.onnx: its output 'found' has shape \(.*for 5 images"):
        Extractor(path)(IMAGES)


def test_features_that_are_not_finite_are_refused(tmp_path):
    path = linear(tmp_path / "a.onnx", ("n", 1, 150, 220), weights=np.float32(np.inf) * WEIGHTS)
    with pytest.raises(FkdError, match=r"a\.onnx: gives features that are infinite"):
        Extractor(path)(IMAGES)


def test_a_model_of_two_inputs_is_refused(tmp_path):
    inputs = [(name, TensorProto.FLOAT, ("n", 1, 150, 220)) for name in ("left", "right")]
    nodes = [helper.make_node("Add", ["left", "right"], ["found"])]
    onnx.save(graph(inputs, ["found"], nodes, {}), tmp_path / "a.onnx")
    with pytest.raises(FkdError, match="expected one input, the image; found left, right"):
        Extractor(tmp_path / "a.onnx")


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x09"])
def test_files_that_are_no_models_are_refused(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(FkdError, match=r"a\.onnx: not a whole ONNX model"):
        Extractor(tmp_path / "a.onnx")
    with pytest.raises(FkdError, match=r"b\.onnx: no such file"):
        Extractor(tmp_path / "b.onnx")


def test_weights_are_read_from_the_folder_of_the_model_alone(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    path = linear(folder / "a.onnx", ("n", 1, 150, 220))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin")
    np.testing.assert_allclose(Extractor(path)(IMAGES), expected(IMAGES), atol=1e-4)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    monkeypatch.chdir(tmp_path)  # where some readers look for files named alone
    places = ("weights.bin", "../weights.bin", str(tmp_path / "weights.bin"), "link.bin")
    for place in places:
        model = onnx.load(path, load_external_data=False)
        outside = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
        for entry in outside:
            entry.value = place if entry.key == "location" else entry.value
        assert outside
        path.write_bytes(model.SerializeToString())
        with pytest.raises(FkdError, match="missing or outside its folder"):
            Extractor(path)
