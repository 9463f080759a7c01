"""A verifier on drawn signatures, with a model small enough to be made in seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from foreign import linear

from fkd.models.features import extract_features
from fkd.signatures.prepare import prepare_signatures
from fkd.synthesis.signatures import draw_signatures
from fkd.verification import PairProtocol, set_verifier, train_wi

CELL = (25, 22)
"""Rows and columns of the cells of the input whose ink is the model's features."""

NUMBERS = (1, 3)
"""The numbers of references for which verifiers are set."""

COMPARISONS = {"wi": "svm", "cosine": "cosine"}
"""The verifiers, and how they compare."""

PAIRED = 4
SVM = {"C": 1.0, "gamma": 0.02, "threads": 1}


@dataclass(frozen=True)
class Results:
    """The files of a small study.

    Attributes
    ----------
    folder : Path
        Its results.
    scans : Path
        Scans of writers who are not of development.
    """

    folder: Path
    scans: Path

    def verifier(self, name: str, references: int) -> Path:
        """The file of a verifier."""
        return self.folder / f"verifiers/{name}/cells-{references}.h5"

    def genuine(self, writer: int) -> list[Path]:
        """The scans of a writer's genuine signatures."""
        return sorted((self.scans / "genuine").glob(f"{writer:03}-*.png"))

    def forged(self, writer: int) -> list[Path]:
        """The scans of skilled forgeries of a writer's signature."""
        return sorted((self.scans / "skilled").glob(f"{writer:03}-*.png"))


def write_cells(path: Path) -> Path:
    """Write a model that sums the ink in each cell of the input."""
    rows, columns = np.indices((150, 220)) // np.array(CELL)[:, None, None]
    cell = (rows * (220 // CELL[1]) + columns).ravel()
    weights = np.zeros((cell.size, cell.max() + 1), np.float32)
    weights[np.arange(cell.size), cell] = 0.05
    path.parent.mkdir(parents=True, exist_ok=True)
    return linear(path, ("n", 1, 150, 220), weights=weights)


def describe_set(folder: Path, name: str, model: Path, **preprocessing: Any) -> Path:
    """Prepare the scans of a set, and compute their features."""
    prepare_signatures(
        name=name,
        source=folder / name,
        layout="folder",
        genuine="genuine/{writer}-{sample}.png",
        skilled="skilled/{writer}-{sample}.png",
        out=folder / f"{name}.h5",
        quarantine=folder / f"{name}.csv",
        max_pixels=10**7,
        max_share=0.0,
        threads=1,
        **preprocessing,
    )
    features = folder / f"{name}-features.h5"
    signatures = folder / f"{name}.h5"
    extract_features(model=model, signatures=signatures, out=features, foreign=False, threads=1)
    return features


def make_results(folder: Path) -> Results:
    """Make the files of a small study: a model, its verifiers, and scans to judge."""
    results = folder / "results"
    model = write_cells(results / "models/cells.onnx")
    for name, first, writers in (("others", 2001, 10), ("scans", 1, 2)):
        draw_signatures(
            folder=folder / name, first=first, writers=writers, genuine=5, skilled=3, seed=1
        )
    features = describe_set(folder, "others", model)
    machine = {"development": [features], "development_references": PAIRED, "seed": 1234}
    train_wi(**machine, out=results / "machines/cells.h5", **SVM)
    made = Results(results, folder / "scans")
    for name, comparison in COMPARISONS.items():
        for references in NUMBERS:
            protocol = PairProtocol(
                references=references,
                test="all",
                development_references=PAIRED,
                comparison=comparison,
            )
            set_verifier(
                development=[features],
                out=made.verifier(name, references),
                verifier=name,
                protocol=protocol,
                **SVM,
            )
    return made
