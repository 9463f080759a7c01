"""What the service does with images: enroll, verify, and enroll anew under another verifier."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

import numpy as np
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.models.shipped import shipped_verifiers
from fkd.service.decoding import Decoders
from fkd.service.explanation import Explanation, as_png, explain, overlay
from fkd.service.problems import Conflict, Invalid, NotReady, Unusable
from fkd.service.scans import Scan
from fkd.service.store import NewReference, Reference, Store, Verification
from fkd.service.verifier import PRIOR, Verifier

AT_ONCE = 64
"""References that are enrolled anew at a time."""

MOST_REFERENCES = 50
"""References of a customer at most."""


def load(files: Mapping[str, Any], foreign: bool) -> Verifier:
    """Load a verifier from its files, as :meth:`Desk.activate` stores them."""
    named = {key: files[key] for key in ("model", "machine", "like")}
    return Verifier.load(*files["verifier"], **named, foreign=foreign)


@dataclass(frozen=True, eq=False)
class Explained:
    """An explanation, the reference that it shows, and both prepared images."""

    found: Explanation
    reference_id: UUID
    questioned: np.ndarray
    reference: np.ndarray

    def pictures(self) -> dict[str, bytes]:
        """Draw both images with their maps, each as PNG."""
        shown = {
            "questioned": (self.questioned, self.found.questioned_map),
            "reference": (self.reference, self.found.reference_map),
        }
        drawn = {}
        for name, (image, change) in shown.items():
            drawn[name] = overlay(image, np.zeros_like(change), self.found.largest)
            drawn[f"{name}_map"] = overlay(image, change, self.found.largest)
        return {name: as_png(image) for name, image in drawn.items()}


class Desk:
    """Enrolls and verifies signatures of customers.

    Parameters
    ----------
    store : Store
        The database.
    decoders : Decoders
        What reads images.
    """

    def __init__(self, store: Store, decoders: Decoders) -> None:
        self.store, self._decoders = store, decoders
        self._loaded: tuple[str, Verifier] | None = None
        self._loading, self._describing = Lock(), Lock()

    def verifier(self) -> Verifier:
        """The active verifier; another process may have made another one active.

        Raises
        ------
        NotReady
            If none is active, or its files are not what they were.
        """
        active = self.store.active()
        if active is None:
            raise NotReady("No verifier is active. Run `python -m fkd activate_verifier`.")
        digest, files = active
        with self._loading:
            if self._loaded is None or self._loaded[0] != digest:
                try:
                    found = load(files, foreign=False)  # it was tried once
                except FkdError as error:
                    raise NotReady(f"The active verifier cannot be read. {error}") from error
                if found.digest != digest:
                    raise NotReady(
                        "The files of the active verifier are not what they were. Bring them back, "
                        "or run `python -m fkd activate_verifier`."
                    )
                self._loaded = digest, found
            return self._loaded[1]

    def enroll(self, actor: str, customer_id: UUID, images: Sequence[bytes]) -> list[Reference]:
        """Add references of a customer: all of them, or none.

        Raises
        ------
        Unusable
            If an image is refused. The problem lists the findings on each image.
        """
        enrolled = len(self.store.references(customer_id))
        if enrolled + len(images) > MOST_REFERENCES:
            raise Conflict(
                f"A customer has {MOST_REFERENCES} references at most, and {enrolled} are there. "
                "Remove some of them."
            )
        verifier = self.verifier()
        scans = usable(self._decoders.each(images, verifier.preprocessing))
        features = self._describe(verifier, scans)
        new = [
            NewReference(image, [asdict(one) for one in scan.findings], feature)
            for image, scan, feature in zip(images, scans, features, strict=True)
        ]
        return self.store.add_references(actor, customer_id, verifier.digest, new)

    def verify(
        self, actor: str, customer_id: UUID, images: Sequence[bytes], prior: float = PRIOR
    ) -> list[Verification]:
        """Compare questioned signatures with a customer's references.

        The first references are used, as many as the verifier was measured with at most.

        Raises
        ------
        Conflict
            If the customer has too few references.
        Unusable
            If an image is refused.
        """
        verifier = self.verifier()
        reading = self._decoders.each(images, verifier.preprocessing)
        references = self.store.templates(customer_id, verifier.digest)
        used = number_used(verifier, len(references))
        scans = usable(reading)
        features = self._describe(verifier, scans)
        judgments = verifier.judge(np.stack(references[:used]), features, prior)
        answers = [
            {
                "judgment": asdict(judgment),
                "references": used,
                "quality": [asdict(one) for one in scan.findings],
            }
            for judgment, scan in zip(judgments, scans, strict=True)
        ]
        return self.store.add_verifications(actor, customer_id, verifier.digest, answers)

    def explain(self, actor: str, customer_id: UUID, image: bytes) -> "Explained":
        """Tell where the score of a questioned signature comes from.

        Raises
        ------
        Conflict
            If the customer has too few references.
        Unusable
            If the image is refused.
        """
        verifier = self.verifier()
        stored = self.store.images(customer_id, max(verifier.measured))
        stored = stored[: number_used(verifier, len(stored))]
        contents = [*(one for _, one in stored), image]
        reading = self._decoders.each(contents, verifier.preprocessing)
        *references, questioned = usable(reading)
        images = [scan.image for scan in references]
        with self._describing:
            found = explain(verifier, images, questioned.image)
        self.store.record(actor, "explanation.made", str(customer_id), verifier=verifier.digest)
        reference_id, shown = stored[found.reference][0], images[found.reference]
        return Explained(found, reference_id, questioned.image, shown)

    def activate(
        self,
        actor: str,
        verifier: Sequence[Path],
        model: Path | None,
        machine: Path | None,
        like: str | None,
    ) -> Verifier:
        """Make a verifier the active one, and enroll all references anew under it.

        Until all of them are, the verifier before stays the active one. A run that was interrupted
        goes on where it ended.

        Raises
        ------
        FkdError
            If the files do not belong together, or an image is refused under this verifier.
        """
        files = {
            "verifier": [str(Path(path).resolve()) for path in verifier or shipped_verifiers()],
            "model": model and str(Path(model).resolve()),
            "machine": machine and str(Path(machine).resolve()),
            "like": like,
        }
        loaded = load(files, foreign=True)
        with tqdm(desc="enrolling anew", unit="reference", disable=None) as bar:
            while not self.store.activate(actor, loaded.digest, files):
                self._enroll_anew(loaded, bar)
        with self._loading:
            self._loaded = loaded.digest, loaded
        return loaded

    def _enroll_anew(self, verifier: Verifier, bar: tqdm) -> None:
        waiting, number = self.store.without_template(verifier.digest, AT_ONCE)
        bar.total = bar.n + number
        contents = {key: one for key in waiting if (one := self.store.image(key)) is not None}
        reading = self._decoders.each(contents.values(), verifier.preprocessing)
        scans = dict(zip(contents, reading, strict=True))
        refused = {key: scan.refusal for key, scan in scans.items() if scan.refusal}
        if refused:
            listed = "\n".join(f"  {key}: {one.sentence}" for key, one in refused.items())
            raise FkdError(
                "References cannot be used under this verifier. Remove them, or activate a verifier "
                f"that was measured on such scans:\n{listed}"
            )
        if scans:
            features = self._describe(verifier, scans.values())
            for key, feature in zip(scans, features, strict=True):
                self.store.add_template(key, verifier.digest, feature)
                bar.update()

    def close(self) -> None:
        """End the processes that read images."""
        self._decoders.close()

    def _describe(self, verifier: Verifier, scans: Iterable[Scan]) -> np.ndarray:
        with self._describing:  # one pass after the other is as fast, and takes less memory
            return verifier.describe([scan.image for scan in scans])


def number_used(verifier: Verifier, references: int) -> int:
    """Find with how many of a customer's references a verifier was measured."""
    fitting = [number for number in verifier.measured if number <= references]
    if not fitting:
        raise Conflict(
            f"The customer has {references} references, and the verifier needs "
            f"{min(verifier.measured)}. Add references."
        )
    return max(fitting)


def usable(reading: Iterable[Scan]) -> list[Scan]:
    """Wait for scans; raise :class:`Unusable` if one of them is refused."""
    scans = list(reading)
    if not scans:
        raise Invalid("No image was sent.")
    if any(scan.refusal for scan in scans):
        faults = [
            f"image {number}: {scan.refusal.sentence}"
            for number, scan in enumerate(scans, 1)
            if scan.refusal
        ]
        quality = [[asdict(one) for one in scan.findings] for scan in scans]
        raise Unusable(" ".join(faults), quality=quality)
    return scans
