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
from fkd.preprocess import INPUT, center_crop


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
        Digests of the crops, of their labels and of the teacher.
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
            Where targets belong to other crops or to several teachers, or lack a map.
        """
        for kind, paths in (("responses", responses), ("geometry", geometry)):
            if paths and len(paths) != len(crops):
                raise FkdError(f"{len(paths)} shards of {kind} for {len(crops)} of crops")
        labels = [shards.read(path, "crops", ["writer", "validation"]) for path in crops]
        count = sum(len(shard["writer"]) for shard in labels)
        images = torch.empty((count, *INPUT), dtype=torch.uint8)
        digests, start = [], 0
        for path in crops:
            # One shard at a time, and straight into place: at full size all fill gigabytes.
            centers = center_crop(shards.read(path, "crops", ["image"])["image"])
            digests.append(digest(centers))
            images[start : start + len(centers)] = torch.from_numpy(centers)
            start += len(centers)
        targets: dict[str, list[np.ndarray]] = {}
        origins = set()
        for kind, paths, names in (
            ("responses", responses, ["feature"]),
            ("geometry", geometry, [f"{what}_{m}" for m in maps for what in ("nac", "tree")]),
        ):
            for path, expected in zip(paths, digests, strict=False):
                shard = shards.read(path, kind, names)
                if shard.attributes["crops"] != expected:
                    raise FkdError(f"{path}: made for other crops. Remove it and run again.")
                origins.add((kind, shard.attributes["teacher"], shard.attributes.get("radius")))
                for name, values in shard.arrays.items():
                    targets.setdefault(name, []).append(values)
        teachers = {teacher for _, teacher, _ in origins}
        radii = {radius for kind, _, radius in origins if kind == "geometry"}
        if len(teachers) > 1 or len(radii) > 1:
            raise FkdError(
                f"{(responses + geometry)[0].parent}: shards of several teachers or radii. "
                "Remove them and run again."
            )
        writer = np.concatenate([shard["writer"] for shard in labels])
        validation = np.concatenate([shard["validation"] for shard in labels]).astype(bool)
        writers = labels[0].attributes["writers"]
        return cls(
            images=images,
            writer=torch.from_numpy(writer).long(),
            validation=validation,
            writers=writers,
            targets={name: torch.from_numpy(np.concatenate(v)) for name, v in targets.items()},
            radius=max(radii, default=0),
            sources={
                "crops": digest(np.array(digests)),
                "labels": digest(writer, validation, np.array(writers)),
                "teacher": "".join(teachers),
            },
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
