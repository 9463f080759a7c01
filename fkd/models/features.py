"""The features of signatures, computed by any ONNX model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.models.extractor import Extractor
from fkd.models.shipped import shipped
from fkd.models.trial import try_out
from fkd.patterns import ENDINGS
from fkd.preprocess import Levels, center_crop, find_ink, normalize, refuse_dark
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import files_below, natural_order, printable
from fkd.storage.manifest import sha256


@checked
def extract_features(
    *,
    model: Path,
    signatures: Path,
    out: Path,
    name: str | None = None,
    foreign: bool = True,
    batch: Count = 64,
    threads: Count | None = None,
) -> None:
    """Compute a model's features of the signatures of a set.

    Parameters
    ----------
    model : Path
        An ONNX file written by :func:`fkd.models.export.export_onnx` or by others, see
        :class:`fkd.models.extractor.Extractor`.
    signatures : Path
        A shard of kind "signatures".
    out : Path
        The shard of kind "features" to write, with ``feature`` (n, F) float32, ``writer`` and
        ``forgery``, in the order of `signatures`. Attributes give model and set, the SHA-256
        digest of the model's file in ``onnx``, and the ``preprocessing`` of the signatures.
    name : str, optional
        The model's name in the tables; by default, the name of its file.
    foreign : bool
        Whether the model may come from elsewhere, so that it is tried before it is used; see
        :func:`fkd.models.trial.try_out`.
    batch : int
        The number of images per pass, unless the model has a fixed batch size.
    threads : int, optional
        The number of CPU threads.
    """
    if foreign:
        try_out(model)
    extractor = Extractor(model, threads)
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery"])
    shards.write(
        out,
        "features",
        {
            "feature": extractor(center_crop(shard["image"]), batch),  # (n, F)
            "writer": shard["writer"],
            "forgery": shard["forgery"],
        },
        {
            "model": name or Path(model).stem,
            "set": shard.attributes["set"],
            "onnx": sha256(Path(model)),
            "preprocessing": shard.attributes.get("settings", {}),
        },
    )


def describe_images(*, images: list[Path], out: Path, model: Path | None = None) -> None:
    """Compute a model's features of scanned signatures.

    Each scan is preprocessed like the signatures of a study. If any scan cannot be used, nothing
    is written.

    Parameters
    ----------
    images : list of Path
        Scans with dark ink on light paper. From folders, all images at any depth are used.
    out : Path
        The file to write: ``.npz`` with the arrays ``features`` (n, F) float32 and
        ``filenames`` (n,), or ``.csv`` with the columns ``filename``, ``1``, ``2``, ... F.
    model : Path, optional
        An ONNX file, see :class:`fkd.models.extractor.Extractor`. By default, the first of `images`
        if it is one, or else the model that ships with the package.

    Raises
    ------
    FkdError
        If `out` has another ending, or an image cannot be used. The message names each such
        image.
    """
    if Path(out).suffix not in (".npz", ".csv"):
        raise FkdError(f"{out}: features are written as .npz or .csv.")
    if model is None and images[0].suffix == ".onnx":
        model, *images = images
    if not images:
        raise FkdError("images: none is given. Name scans of signatures, or folders.")
    if model:
        try_out(model)
    extractor = Extractor(model or shipped())
    files = [file for place in images for file in _images_at(place)]
    prepared, faults = [], []
    for file in tqdm(files, "preparing", unit="image", disable=None):
        try:
            prepared.append(prepare_image(file))
        except FkdError as error:
            faults.append(f"  {printable(str(error))}")
    if faults:
        raise FkdError(
            f"{len(faults)} of {len(files)} images cannot be used, so nothing is written:\n"
            + "\n".join(faults)
        )
    features, names = extractor(np.stack(prepared)), [printable(file) for file in files]
    with writing(out) as part:
        if part.suffix == ".npz":
            np.savez_compressed(part, features=features, filenames=np.array(names))
        else:
            columns = range(1, features.shape[1] + 1)
            table = pd.DataFrame(features, columns=columns)
            table.insert(0, "filename", names)
            table.to_csv(part, index=False)


def prepare_image(path: Path) -> np.ndarray:
    """Read the scan of a signature, and preprocess it like the signatures of a study.

    Parameters
    ----------
    path : Path
        The scan, with dark ink on light paper.

    Returns
    -------
    ndarray of uint8, shape (150, 220)
        The input of the networks, before the division by 255.

    Raises
    ------
    FkdError
        If the image is unreadable, blank or without ink. The message starts with the path.
    """
    image = read_gray(path)
    try:
        levels = Levels(image)
        refuse_dark(levels)
        return center_crop(normalize(image, found=find_ink(image, "image", levels)))
    except FkdError as error:
        raise FkdError(f"{printable(path)}: {error}") from None


def _images_at(place: Path) -> Iterator[Path]:
    """Yield the path of an image, or of all images in a folder in natural order."""
    if not Path(place).is_dir():
        yield Path(place)
        return
    files = [file for file in files_below(place) if file.suffix.lower() in ENDINGS]
    if not files:
        raise FkdError(f"{printable(place)}: no image ({', '.join(ENDINGS)}) in this folder.")
    yield from sorted(files, key=lambda file: natural_order(str(file)))
