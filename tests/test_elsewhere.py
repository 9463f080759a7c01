"""Features that were computed elsewhere, as those of a study's signatures."""

import numpy as np
import pandas as pd
import pytest

from fkd.errors import FkdError
from fkd.models.elsewhere import import_features
from fkd.storage import shards
from fkd.storage.manifest import sha256

FILES = ["genuine/1-1.png", "genuine/1-10.png", "skilled/1-1.png", "genuine/2-1.png"]


@pytest.fixture
def signatures(tmp_path, monkeypatch):
    """A prepared set of four signatures of two writers."""
    monkeypatch.chdir(tmp_path)
    arrays = {
        "image": np.zeros((4, 170, 242), np.uint8),
        "file": np.array(FILES, object),
        "writer": np.array(["1", "1", "1", "2"], object),
        "forgery": np.array([False, False, True, False]),
    }
    shards.write("set.h5", "signatures", arrays, {"set": "mine"})
    return tmp_path / "set.h5"


def table(names, **changes):
    """Features whose first element is the row's number."""
    values = np.random.default_rng(0).random((len(names), 3)).astype(np.float32)
    values[:, 0] = np.arange(len(names))
    return {"features": values, "filenames": np.array(names)} | changes


def save(path, arrays):
    if path.endswith(".npz"):
        np.savez_compressed(path, **arrays)
    else:
        rows = pd.DataFrame(arrays["features"], columns=["1", "2", "3"])
        rows.insert(0, "filename", arrays["filenames"])
        rows.to_csv(path, index=False)


@pytest.mark.parametrize("path", ["theirs.npz", "theirs.csv"])
def test_each_signature_gets_its_row(path, signatures):
    """Whatever the order, however long the path, and with images of others between."""
    names = [f"scans/{file}" for file in reversed(FILES)]
    names[1] = names[1].replace("/", "\\")
    given = table(["elsewhere/1-1.png", *names, "x/genuine/11-1.png"])
    save(path, given)
    import_features(features=path, signatures=signatures, out="out.h5", name="theirs")
    made = shards.read("out.h5", "features", ["feature", "writer", "forgery"])
    assert made["feature"][:, 0].tolist() == [4, 3, 2, 1]
    assert made["feature"].dtype == np.float32
    np.testing.assert_allclose(made["feature"], given["features"][[4, 3, 2, 1]], rtol=1e-6)
    assert made["writer"].tolist() == ["1", "1", "1", "2"]
    assert made["forgery"].tolist() == [False, False, True, False]
    about = {"model": "theirs", "set": "mine", "file": sha256(signatures.parent / path)}
    assert dict(made.attributes) == about


REFUSED = {
    "a signature without a row": (
        table(FILES[:3]),
        "features of 1 of 4 signatures of mine are missing, the first is genuine/2-1.png",
    ),
    "half a name": (table([f"x{file}" for file in FILES]), "features of 4 of 4 signatures"),
    "two rows of one signature": (
        table([*FILES, "b/genuine/2-1.png"]),
        "genuine/2-1.png and b/genuine/2-1.png are both genuine/2-1.png of one set",
    ),
    "another number of names": (table(FILES, filenames=np.array(FILES[:3])), "3 file names and"),
    "one number an image": (table(FILES, features=np.zeros(4)), r"features of shape \(4,\)"),
    "no number": (
        table(FILES, features=np.full((4, 3), np.nan)),
        "the features of genuine/1-1.png are not all finite",
    ),
    "no names": ({"features": np.zeros((4, 3))}, "It needs features and filenames"),
    "pickled names": (table(FILES, filenames=np.array(FILES, object)), "pickled ones are never"),
    "names as numbers": (table(FILES, filenames=np.arange(4)), "are of type float32 and int64"),
    "words as features": (table(FILES, features=np.full((4, 3), "a")), "are of type <U1 and"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_table_of_the_set_is_refused(what, signatures):
    arrays, message = REFUSED[what]
    save("theirs.npz", arrays)
    with pytest.raises(FkdError, match=message) as refused:
        import_features(features="theirs.npz", signatures=signatures, out="out.h5")
    assert str(refused.value).startswith("theirs.npz: ")
    assert not (signatures.parent / "out.h5").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,1\na,2\n", "no column filename"),
        ("filename,1\na,x\n", "not a table of features"),
        ("filename,1\na,\n", "not a table of features"),
        ('filename,1\n"a,1\n', "not a table of features"),
        ("", "not a table of features"),
        ("filename,1\n", "0 file names"),
        ("filename\na\n", r"features of shape \(1, 0\)"),
    ],
)
def test_a_csv_of_something_else_is_refused(text, message, signatures):
    (signatures.parent / "theirs.csv").write_text(text)
    with pytest.raises(FkdError, match=message):
        import_features(features="theirs.csv", signatures=signatures, out="out.h5")


def test_an_archive_that_unfolds_is_refused(signatures):
    zeros = table(FILES, features=np.zeros((1, 1 << 26), np.float32))
    save("theirs.npz", zeros)
    with pytest.raises(FkdError, match="more than 100 times the file"):
        import_features(features="theirs.npz", signatures=signatures, out="out.h5")


def test_other_files_are_named(signatures):
    with pytest.raises(FkdError, match=r"set\.h5: features come as \.npz or \.csv"):
        import_features(features=signatures, signatures=signatures, out="out.h5")
    with pytest.raises(FkdError, match=r"gone\.npz: no such file"):
        import_features(features="gone.npz", signatures=signatures, out="out.h5")
