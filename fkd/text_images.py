"""The crops that students see, joined with what the teacher said of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fkd import shards
from fkd.cache import as_input, digest
from fkd.errors import FkdError
from fkd.fitting import Batch
from fkd.graph import neighborhoods
from fkd.preprocess import center_crop


@dataclass(frozen=True)
class TextImages:
    """The crops that a student sees, with what the teacher said of them.

    Attributes
    ----------
    images : Tensor, (n, 150, 220), uint8
    writer : Tensor, (n,), int64
    validation : ndarray, (n,), bool
        Which images are for validation.
    writers : list of str
        The classes.
    targets : dict of str to Tensor
        ``feature`` (n, F), ``nac_MAP`` (n, N), ``tree_MAP`` (n, N - 1, 2).
    radius : int
        Of the neighborhoods.
    sources : dict of str to str
        Digests of the crops and of the teacher.
    """

    images: Tensor
    writer: Tensor
    validation: np.ndarray
    writers: list[str]
    targets: dict[str, Tensor]
    radius: int
    sources: dict[str, str]

    @classmethod
    def read(
        cls, crops: list[Path], responses: list[Path], geometry: list[Path], maps: list[str]
    ) -> "TextImages":
        """Read shards of crops, and of the teacher's targets in the same order.

        Parameters
        ----------
        crops : list of Path
            Shards of kind "crops".
        responses, geometry : list of Path
            The targets for each of `crops`, or none.
        maps : list of str
            Which maps' geometry to read.

        Raises
        ------
        FkdError
            Where targets belong to other crops, to different teachers, or lack a map.
        """
        own = [shards.read(path, "crops", ["image", "writer", "validation"]) for path in crops]
        images = [np.ascontiguousarray(center_crop(shard["image"])) for shard in own]
        digests = [digest(image) for image in images]
        targets: dict[str, list[np.ndarray]] = {}
        teachers, radii = set(), set()
        for kind, paths, names in (
            ("responses", responses, ["feature"]),
            ("geometry", geometry, [f"{what}_{m}" for m in maps for what in ("nac", "tree")]),
        ):
            for path, expected in zip(paths, digests if paths else [], strict=True):
                shard = shards.read(path, kind, names)
                if shard.attributes["crops"] != expected:
                    raise FkdError(f"{path}: made for other crops. Remove it and run again.")
                teachers.add(shard.attributes["teacher"])
                radii.add(shard.attributes.get("radius", 0))
                for name, values in shard.arrays.items():
                    targets.setdefault(name, []).append(values)
        if len(teachers) > 1:
            raise FkdError(f"{geometry or responses}: shards of several teachers. Remove them.")
        return cls(
            images=torch.from_numpy(np.concatenate(images)),
            writer=torch.from_numpy(np.concatenate([s["writer"] for s in own])).long(),
            validation=np.concatenate([s["validation"] for s in own]).astype(bool),
            writers=own[0].attributes["writers"],
            targets={k: torch.from_numpy(np.concatenate(v)) for k, v in targets.items()},
            radius=max(radii, default=0),
            sources={"crops": "".join(digests), "teacher": "".join(teachers)},
        )

    def batch(self, rows: np.ndarray, where: torch.device) -> Batch:
        """Give the images of `rows` and their targets, masks made from the trees."""
        rows = torch.from_numpy(rows)
        batch = {"image": as_input(self.images[rows]), "writer": self.writer[rows]}
        for name, values in self.targets.items():
            if name.startswith("tree_"):
                masks = neighborhoods(values[rows].numpy(), self.radius)
                batch[name.replace("tree_", "mask_")] = torch.from_numpy(masks)
            else:
                batch[name] = values[rows]
        return {name: values.to(where) for name, values in batch.items()}
