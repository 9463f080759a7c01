"""The text crops on which students are trained, with the teacher's responses and geometry.

If crops and targets fit, they are kept in the memory of the GPU or of the computer. Otherwise,
each batch is read from the shards. The batches are the same in both cases.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fkd.errors import FkdError
from fkd.graph import Neighborhoods, check_rooted
from fkd.models import as_input
from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.threads import ahead
from fkd.training.fitting import Batch

_log = logging.getLogger(__name__)

GIGABYTE = 1e9


@dataclass(frozen=True)
class Part:
    """An open shard of crops, together with the shards of the teacher's targets for it.

    Attributes
    ----------
    first : int
        The row of its first crop among the crops of all shards.
    readers : dict of str to shards.Reader
        For each array that a batch needs, the open shard that holds it.
    """

    first: int
    readers: dict[str, shards.Reader]

    def rows(self, name: str, rows: slice | int = slice(None)) -> np.ndarray:
        """Read rows of an array; images are cropped to their centers."""
        values = self.readers[name].rows(name, rows)
        if name.startswith("tree_"):
            # Compiled code follows the trees without checking its indices.
            check_rooted(np.atleast_2d(values), f"{self.readers[name].path}: {name}")
        return center_crop(values) if name == "image" else values


def _refuse_misfits(targets: shards.Reader, names: list[str], crops: shards.Reader) -> None:
    """Refuse targets that are not one for each crop, or whose parts do not fit each other."""
    rows = crops.shape("image")[0]
    shapes = {name: targets.shape(name) for name in names}
    of_map = [shapes[n] == shapes[n.replace("nac", "tree")] for n in names if n.startswith("nac_")]
    if any(shape[0] != rows for shape in shapes.values()) or not all(of_map):
        raise FkdError(f"{targets.path}: {rows} crops have targets of {shapes}. {shards.MEND}")
    if targets.kind == "geometry":
        radius = targets.attributes["radius"]
        if isinstance(radius, bool) or not isinstance(radius, int) or radius < 1:
            raise FkdError(f"{targets.path}: its radius is {radius!r} hops. {shards.MEND}")


@dataclass
class TextCrops:
    """The text crops on which a student is trained, with the teacher's responses and geometry.

    Attributes
    ----------
    writer : Tensor, (n,), int64
        The writer of each crop, as an index into `writers`.
    validation : ndarray, (n,), bool
        Whether each crop is for validation.
    writers : list of str
        The classes, which are the writers of the whole study.
    radius : int
        The number of hops within which vectors are neighbors.
    sources : dict of str to str
        The digests of the crops, of their labels and of the teacher.
    targets : str
        The digest of the teacher's targets that batches need.
    parts : list of Part
        The open shards.
    held : dict of str to Tensor, optional
        The arrays in memory, if :meth:`hold` found that they fit: ``image`` (n, 150, 220) and, if
        a batch needs them, ``feature`` (n, F), ``nac_MAP`` (n, N) and ``tree_MAP`` (n, N).
    """

    writer: Tensor
    validation: np.ndarray
    writers: list[str]
    radius: int
    sources: dict[str, str]
    targets: str
    parts: list[Part]
    held: dict[str, Tensor] | None = None
    _files: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(
        cls, crops: list[Path], responses: list[Path], geometry: list[Path], maps: list[str]
    ) -> "TextCrops":
        """Open the shards of crops, and the shards of the teacher's targets for them.

        Parameters
        ----------
        crops : list of Path
            The shards of kind "crops".
        responses, geometry : list of Path
            One shard of targets for each of `crops`, in the same order, or an empty list.
        maps : list of str
            The teacher's maps whose geometry a batch needs.

        Raises
        ------
        FkdError
            If the crops have different lists of writers, or the targets belong to other crops or
            to several teachers, or lack a map.
        """
        for kind, paths in (("responses", responses), ("geometry", geometry)):
            if paths and len(paths) != len(crops):
                raise FkdError(f"{len(paths)} shards of {kind} for {len(crops)} of crops")
        kinds = (
            ("responses", responses, ["feature"]),
            ("geometry", geometry, [f"{what}_{m}" for m in maps for what in ("nac", "tree")]),
        )
        parts, teachers, radii, first = [], set(), set(), 0
        writers: list[str] = []
        writer, validation, digests, target_digests = [], [], [], []
        with ExitStack() as files:
            for at, path in enumerate(crops):
                source = files.enter_context(
                    shards.opened(path, "crops", ["image", "writer", "validation"])
                )
                readers = {"image": source}
                for kind, paths, names in kinds:
                    if not paths:
                        continue
                    targets = files.enter_context(shards.opened(paths[at], kind, names))
                    if targets.attributes["crops"] != source.digests["image"]:
                        raise FkdError(
                            f"{paths[at]}: made for other crops. Remove it and run again."
                        )
                    _refuse_misfits(targets, names, source)
                    # Shards of several teachers or radii are refused below.
                    teachers.add(targets.attributes["teacher"])
                    radii |= {targets.attributes["radius"]} if kind == "geometry" else set()
                    readers |= dict.fromkeys(names, targets)
                    target_digests += [targets.digests[name] for name in names]
                # A writer's class is an index into this list, so all shards need the same list.
                if at and source.attributes["writers"] != writers:
                    raise FkdError(
                        f"{path}: its list of writers is not that of {crops[0]}, so one class "
                        "would stand for two writers. Make all crops from one list of pages."
                    )
                writers = source.attributes["writers"]
                parts.append(Part(first, readers))
                first += source.shape("image")[0]
                number = {name: index for index, name in enumerate(writers)}
                labels_of = source.rows("writer")
                if unknown := sorted(set(labels_of) - set(number)):
                    raise FkdError(
                        f"{path}: the writer {unknown[0]} is not in its list. {shards.MEND}"
                    )
                writer.append([number[name] for name in labels_of])
                validation.append(source.rows("validation").astype(bool))
                digests.append(source.digests["image"])
            if len(teachers) > 1 or len(radii) > 1:
                raise FkdError(
                    f"{(responses + geometry)[0].parent}: shards of several teachers or radii. "
                    "Remove them and run again."
                )
            for name in parts[0].readers if parts else ():
                if len({part.readers[name].shape(name)[1:] for part in parts}) > 1:
                    raise FkdError(f"{crops[0].parent}: {name} differs in shape between shards.")
            labels = np.concatenate(writer).astype(np.int32), np.concatenate(validation)
            return cls(
                writer=torch.from_numpy(labels[0]).long(),
                validation=labels[1],
                writers=writers,
                radius=max(radii, default=0),
                sources={
                    "crops": shards.digest(np.array(digests)),
                    "labels": shards.digest(*labels, np.array(writers)),
                    "teacher": "".join(teachers),
                },
                targets=shards.digest(np.array(target_digests)),
                parts=parts,
                _files=files.pop_all(),
            )

    def __enter__(self) -> "TextCrops":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def hold(self, where: torch.device, memory: float) -> None:
        """Load all crops and targets into memory, if they fit.

        Parameters
        ----------
        where : torch.device
            The device on which the network is trained. A GPU keeps them if they fit in half of
            its free memory.
        memory : float
            The gigabytes of memory that the job may use. The computer's memory keeps them if they
            fit in half of this.
        """
        # The first row of each array shows the size and type of a row.
        rows = {name: self.parts[0].rows(name, slice(0, 1)) for name in self.parts[0].readers}
        count = len(self.writer)
        size = count * sum(row.nbytes for row in rows.values())
        if where.type == "cuda" and size <= torch.cuda.mem_get_info(where)[0] / 2:
            place = where
        elif size <= memory * GIGABYTE / 2:
            place = torch.device("cpu")
        else:
            _log.info("%.1f GB of text crops are read as they are needed", size / GIGABYTE)
            return
        self.writer = self.writer.to(place)
        self.held = {}
        for name, row in rows.items():
            like = torch.from_numpy(row)
            values = torch.empty((count, *like.shape[1:]), dtype=like.dtype, device=place)
            # Filled shard by shard, so that no second copy of the whole array is needed.
            for part in self.parts:
                part_values = torch.from_numpy(part.rows(name))
                values[part.first : part.first + len(part_values)] = part_values
            self.held[name] = values
        _log.info("%.1f GB of text crops are held on %s", size / GIGABYTE, place)

    def batches(self, parts: Iterable[np.ndarray], where: torch.device) -> Iterator[Batch]:
        """Yield batches of crops with their targets.

        Parameters
        ----------
        parts : iterable of ndarray, (B,), int
            The rows of each batch.
        where : torch.device
            The device on which the batches are needed.

        Yields
        ------
        Batch
            The batch, with ``image`` and ``writer``. If there are responses, it also has
            ``feature`` (B, F) float32. If there is geometry, it also has, for each map,
            ``nac_MAP`` (B, N) and ``neighborhoods_MAP``, the :class:`fkd.graph.Neighborhoods` of
            the trees.
        """
        made = (self._batch(rows, where) for rows in parts)
        yield from ahead(made) if self.held is None else made

    def _batch(self, rows: np.ndarray, where: torch.device) -> Batch:
        """Make one batch, from memory or from the shards."""
        at = torch.from_numpy(rows).to(self.writer.device)
        values = self._read(rows) if self.held is None else {n: v[at] for n, v in self.held.items()}
        batch: dict[str, Tensor | Neighborhoods] = {"writer": self.writer[at].to(where)}
        for name, array in values.items():
            array = array.to(where)
            if name == "image":
                batch[name] = as_input(array)  # (B, 150, 220) to (B, 1, 150, 220)
            elif name.startswith("tree_"):
                batch[name.replace("tree_", "neighborhoods_")] = Neighborhoods(array, self.radius)
            else:
                batch[name] = array.float()
        return batch

    def _read(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Read the rows of a batch from their shards."""
        firsts = [part.first for part in self.parts]
        # A row belongs to the last shard that does not begin after it.
        owners = [self.parts[at] for at in np.searchsorted(firsts, rows, side="right") - 1]
        return {
            name: torch.from_numpy(
                np.stack([p.rows(name, r - p.first) for p, r in zip(owners, rows, strict=True)])
            )
            for name in self.parts[0].readers
        }
