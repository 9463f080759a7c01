"""What a teacher learns from: signatures of development writers, and the classes that they are."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from fkd.errors import FkdError
from fkd.losses import classification
from fkd.storage import shards

Forgeries = Literal["ignored", "classes", "output"]
"""What a teacher learns from skilled forgeries.

``ignored``
    Nothing: it tells apart the writers of genuine signatures, as SigNet does.
``classes``
    The forgeries of each writer's signature are a class of their own.
``output``
    A further output tells forgeries from genuine signatures of any writer, as SigNet-F's does.
"""

FORGERY_WEIGHT = 0.95
"""The weight lambda of the loss of SigNet-F's output; 0.999 is published as well."""


class Lesson(NamedTuple):
    """The signatures of one epoch.

    Attributes
    ----------
    image : ndarray of uint8, (n, 170, 242)
        Prepared signatures.
    label : ndarray of int64, (n,)
        The class of each.
    forgery : ndarray of bool, (n,)
        Whether each is a skilled forgery.
    """

    image: np.ndarray
    label: np.ndarray
    forgery: np.ndarray


class DevelopmentSignatures:
    """Signatures of development writers, epoch by epoch.

    Parameters
    ----------
    paths : iterable of Path
        Shards of kind "signatures". Several of one set are its editions, with other signatures of
        the same writers: an epoch sees one of them, and the next epoch the next one.
    forgeries : Forgeries
        What is learned from skilled forgeries.

    Attributes
    ----------
    sets : list of str
        The names of the sets.
    writers : int
        The number of writers.
    digest : str
        A digest of all images and writers.

    Raises
    ------
    FkdError
        If a file is no such shard, editions differ in their writers or in how many signatures they
        have, or there are no forgeries to learn from.
    """

    def __init__(self, paths: Iterable[Path], forgeries: Forgeries = "ignored") -> None:
        self._forgeries = forgeries
        self._editions: dict[str, list[Path]] = {}
        whose: dict[str, np.ndarray] = {}
        digests, has_forgeries = [], False
        for path in paths:
            shard = shards.read(path, "signatures", ["writer", "forgery"])
            kept, own = self._kept(shard)
            has_forgeries |= bool(shard["forgery"][kept].any())
            name = shard.attributes["set"]
            self._editions.setdefault(name, []).append(path)
            if not np.array_equal(whose.setdefault(name, own), own):
                raise FkdError(
                    f"{path}: editions of {name} have the same signatures of the same writers, but "
                    "this one has others. Draw all of them by the same settings."
                )
            digests += [shard.digests[array] for array in ("image", "writer", "forgery")]
        self.sets = list(self._editions)
        self.digest = shards.digest(np.array(digests))
        self._names, number = np.unique(np.concatenate(list(whose.values())), return_inverse=True)
        self.writers, self._count = len(self._names), len(number)
        self._held: tuple[tuple[Path, ...], Lesson] | None = None
        if forgeries != "ignored" and not has_forgeries:
            raise FkdError(
                f"forgeries: {forgeries}, but {', '.join(self.sets)} have no skilled forgeries. "
                "Choose ignored, or add sets that have some."
            )

    def __len__(self) -> int:
        """Return the number of signatures in an epoch."""
        return self._count

    @property
    def editions(self) -> dict[str, int]:
        """The number of editions of each set."""
        return {name: len(paths) for name, paths in self._editions.items()}

    @property
    def classes(self) -> int:
        """The number of the classifier's outputs."""
        more = {"ignored": 0, "classes": self.writers, "output": 1}
        return self.writers + more[self._forgeries]

    def epoch(self, number: int) -> Lesson:
        """Read the signatures of an epoch, whose number counts from 0."""
        paths = tuple(own[number % len(own)] for own in self._editions.values())
        if self._held is None or self._held[0] != paths:
            self._held = None  # before the next are read, so that memory holds one edition
            self._held = paths, self._read(paths)
        return self._held[1]

    def _kept(self, shard: shards.Shard) -> tuple[np.ndarray, np.ndarray]:
        """Tell which signatures of a shard are learned from, and who wrote each of these."""
        forgery = shard["forgery"].astype(bool)
        kept = ~forgery if self._forgeries == "ignored" else np.ones_like(forgery)
        name = shard.attributes["set"]
        return kept, np.array([f"{name}/{writer}" for writer in shard["writer"][kept]])

    def _read(self, paths: Iterable[Path]) -> Lesson:
        images, whose, forged = [], [], []
        for path in paths:
            shard = shards.read(path, "signatures", ["image", "writer", "forgery"])
            kept, own = self._kept(shard)
            images.append(shard["image"][kept])
            whose.append(own)
            forged.append(shard["forgery"][kept].astype(bool))
        forgery = np.concatenate(forged)
        label = np.searchsorted(self._names, np.concatenate(whose))
        if self._forgeries == "classes":
            label = label + self.writers * forgery
        return Lesson(np.concatenate(images), label.astype(np.int64), forgery)

    def loss(
        self, logits: Tensor, label: Tensor, forgery: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the terms of the loss of a batch, and the logits of its classes.

        With SigNet-F's output, L = sum_i (1 - f_i) (1 - lambda) L_c + lambda L_f, where f_i tells
        forgeries, L_c is the cross-entropy on the writers and L_f the binary one on f_i
        (Hafemann, Sabourin and Oliveira, Pattern Recognition 70, 2017).

        Parameters
        ----------
        logits : Tensor, (B, classes), float32
            The classifier's outputs.
        label : Tensor, (B,), int64
            The class of each signature.
        forgery : Tensor, (B,), bool
            Whether each is a forgery.

        Returns
        -------
        dict of str to Tensor
            ``classification``, ``forgery`` if the network has that output, and ``total``.
        Tensor
            The logits of the classes.
        """
        if self._forgeries != "output":
            loss = classification(logits, label)
            return {"classification": loss, "total": loss}, logits
        classes, genuine = logits[:, :-1], (~forgery).to(logits.dtype)
        # The mean over the whole batch, of which forgeries are a part without a writer's loss.
        writers = (F.cross_entropy(classes, label, reduction="none") * genuine).mean()
        told = F.binary_cross_entropy_with_logits(logits[:, -1], 1 - genuine)
        total = (1 - FORGERY_WEIGHT) * writers + FORGERY_WEIGHT * told
        return {"classification": writers, "forgery": told, "total": total}, classes
