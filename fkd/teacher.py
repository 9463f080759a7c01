"""The teacher that others trained: imported, and checked against what they published."""

from pathlib import Path

from fkd import models


def import_teacher(*, weights: Path, out: Path) -> None:
    """Import the published weights of SigNet as the teacher.

    Parameters
    ----------
    weights : Path
        ``signet.pth``; no code in it is ever run.
    out : Path
        The weights, as safetensors.
    """
    models.save(models.read_public_weights(weights), out, {"imported": Path(weights).name})
