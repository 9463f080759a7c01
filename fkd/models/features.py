"""From signatures to features, by any ONNX model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.layouts import ENDINGS
from fkd.models.extractor import Extractor
from fkd.preprocess import center_crop, normalize, refuse_dark
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import files_below, natural_order, printable


def extract_features(
    *,
    model: Path,
    signatures: Path,
    out: Path,
    name: str | None = None,
    batch: int = 64,
    threads: int | None = None,
) -> None:
    """Describe the signatures of a set by a model's features.

    Parameters
    ----------
    model : Path
        An ONNX file of :func:`fkd.models.export.export_onnx`, or of others: see
        :class:`fkd.models.extractor.Extractor`.
    signatures : Path
        A shard of kind "signatures".
    out : Path
        A shard of kind "features": ``feature`` (n, F) float32, ``writer`` and
        ``forgery`` in the order of `signatures`.
    name : str, optional
        The model's name in the tables; by default that of its file.
    batch : int
        Images a pass, where the model leaves it free.
    threads : int, optional
        CPU threads.
    """
    extractor = Extractor(model, threads)
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery"])
    shards.write(
        out,
        "features",
        {
            "feature": extractor(center_crop(shard["image"]), batch),
            "writer": shard["writer"],
            "forgery": shard["forgery"],
        },
        {"model": name or Path(model).stem, "set": shard.attributes["set"]},
    )


def describe_images(*, model: Path, images: list[Path], out: Path) -> None:
    """Describe scans of signatures by a model's features.

    Each is preprocessed as the study's signatures are. Where one cannot be used, nothing
    is written.

    Parameters
    ----------
    model : Path
        An ONNX file, see :class:`fkd.models.extractor.Extractor`.
    images : list of Path
        Scans, dark ink on light paper, or folders, whose images are taken at any depth.
    out : Path
        The file to write: ``.npz`` with the arrays ``features`` (n, F) float32 and
        ``filenames`` (n,), or ``.csv`` with the columns ``filename``, ``1``, ``2``, ... F.

    Raises
    ------
    FkdError
        Where `out` ends in neither, or naming each image that cannot be used.
    """
    if Path(out).suffix not in (".npz", ".csv"):
        raise FkdError(f"{out}: features are written as .npz or .csv.")
    extractor = Extractor(model)
    files = [file for place in images for file in _images_at(place)]
    prepared, faults = [], []
    for file in tqdm(files, "preparing", unit="image", disable=None):
        try:
            prepared.append(prepare_image(file))
        except FkdError as error:
            faults.append(f"  {error}")
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
    """Read and preprocess the scan of a signature as the study's signatures are.

    Parameters
    ----------
    path : Path
        Dark ink on light paper.

    Returns
    -------
    ndarray of uint8, shape (150, 220)
        What the networks take, once divided by 255.

    Raises
    ------
    FkdError
        Starting with the path, where the image is unreadable, blank or without ink.
    """
    image = read_gray(path)
    try:
        refuse_dark(image)
        return center_crop(normalize(image))
    except FkdError as error:
        raise FkdError(f"{printable(path)}: {error}") from None


def _images_at(place: Path) -> Iterator[Path]:
    """Give an image, or a folder's images in natural order."""
    if not Path(place).is_dir():
        yield Path(place)
        return
    found = [file for file in files_below(place) if file.suffix.lower() in ENDINGS]
    if not found:
        raise FkdError(f"{printable(place)}: no image ({', '.join(ENDINGS)}) in this folder.")
    yield from sorted(found, key=lambda file: natural_order(str(file)))
