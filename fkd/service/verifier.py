"""The library call: compare a signature with references, and say how sure the answer is.

All that the answer states was measured beforehand, on development writers, and is read from the
files of a study: the model, the verifier, and the machine of pairs if the verifier is ``wi``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fkd.errors import FkdError
from fkd.models.extractor import Extractor
from fkd.models.shipped import shipped_verifiers
from fkd.models.trial import try_out
from fkd.preprocess import INPUT
from fkd.service.quality import Finding
from fkd.service.scans import Preprocessing, Scan, read_scan
from fkd.storage import shards
from fkd.storage.files import check_file, printable
from fkd.storage.manifest import sha256
from fkd.verification import verifier as files
from fkd.verification.bootstrap import Trial, interval
from fkd.verification.calibration import bounds
from fkd.verification.evidence import LN10
from fkd.verification.independent import DISTANCES, FUSE, Compare
from fkd.verification.machine import KIND as MACHINE
from fkd.verification.machine import read_machine
from fkd.verification.protocol import PairProtocol
from fkd.verification.thresholds import rates_at
from fkd.verification.tradeoff import share_interval

Decision = Literal["accept", "refer", "reject"]

ACCEPT_AT, REJECT_BELOW = "FAR 1 %", "EER"
"""The thresholds between which a person is to decide, see :data:`~fkd.verification.thresholds.AIMS`.

A threshold for a FAR may be the lower one of the two if a verifier errs less than it may. Then the
other one accepts: a decision is never more lenient than both.
"""

PRIOR = 0.5
"""The probability of a genuine signature before anything was compared, unless the user states one."""

LEVEL, RESAMPLES = 0.95, 500
"""The confidence of the intervals of rates, and the number of draws of writers."""


@dataclass(frozen=True)
class Rate:
    """A rate of errors that was measured, with its interval, from 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cut:
    """A threshold, and how often it errs.

    Attributes
    ----------
    aim : str
        A key of :data:`fkd.verification.thresholds.AIMS`.
    value : float
        The threshold, on the verifier's own scale.
    frr, far : Rate
        The shares of genuine signatures that are rejected, and of skilled forgeries that are
        accepted, on development writers.
    genuine, forged : int
        The numbers of signatures on which they were measured.
    note : str
        Why the threshold cannot hold what it aims at; empty where it can.
    """

    aim: str
    value: float
    frr: Rate
    far: Rate
    genuine: int
    forged: int
    note: str


@dataclass(frozen=True)
class Judgment:
    """What a verifier says of a questioned signature; higher always means more genuine.

    Attributes
    ----------
    match_score : float
        The probability of a genuine signature, from 0 to 1, at the stated prior.
    prior : float
        That prior.
    log10_lr : float
        The log10 likelihood ratio: how many times more probable the score is if the signature is
        genuine than if it is a skilled forgery.
    log10_lr_bounds : (float, float)
        The weakest and the strongest ratio that the development scores can support.
    decision : {"accept", "refer", "reject"}
        At or above the threshold `accept`, below the threshold `reject`, or between them.
    score : float
        The verifier's own score, on the scale of its thresholds.
    by_reference : tuple of float
        The score against each reference, of which `score` is made.
    accept, reject : Cut
        The two thresholds.
    why : tuple of str
        The reasons, in sentences.
    """

    match_score: float
    prior: float
    log10_lr: float
    log10_lr_bounds: tuple[float, float]
    decision: Decision
    score: float
    by_reference: tuple[float, ...]
    accept: Cut
    reject: Cut
    why: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The answer of :meth:`Verifier.compare`.

    Attributes
    ----------
    judgment : Judgment
        What the verifier says.
    references : dict of str to list of Finding
        The findings on each reference, by its name.
    questioned : dict of str to list of Finding
        Those on the questioned signature.
    about : dict of str to Any
        The verifier, as :attr:`Verifier.about`.
    """

    judgment: Judgment
    references: dict[str, list[Finding]]
    questioned: dict[str, list[Finding]]
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as JSON can represent it."""
        return {
            **asdict(self.judgment),
            "quality": {
                kind: {
                    name: [asdict(one) for one in found]
                    for name, found in getattr(self, kind).items()
                }
                for kind in ("references", "questioned")
            },
            "verifier": self.about,
        }


class Verifier:
    """A verifier that compares signatures: a model, a comparison, and what was set beforehand.

    :meth:`load` makes it from files.

    Attributes
    ----------
    extract : Extractor
        The model.
    preprocessing : Preprocessing
        How scans are prepared.
    measured : dict of int to fkd.verification.Verifier
        What was set beforehand, by number of references.
    about : dict of str to Any
        ``model``, ``verifier``, ``fusion``, ``preprocessing``, ``measured_on``, and the SHA-256
        digests of all files and settings in ``sha256``.
    """

    def __init__(
        self,
        extract: Extractor,
        compare: Compare,
        preprocessing: Preprocessing,
        measured: Mapping[int, files.Verifier],
        protocol: PairProtocol,
        digests: Mapping[str, str | dict[int, str]],
    ) -> None:
        self.extract, self.preprocessing = extract, preprocessing
        self.measured = dict(sorted(measured.items()))
        self._compare, self._fuse = compare, FUSE[protocol.fusion]
        about = next(iter(self.measured.values())).about
        self.about: dict[str, Any] = {
            **{key: about[key] for key in ("model", "verifier", "measured_on")},
            "fusion": protocol.fusion,
            "references": list(self.measured),
            "preprocessing": asdict(preprocessing),
            "sha256": dict(digests),
        }

    @classmethod
    def load(
        cls,
        *verifier: Path | str,
        model: Path | str | None = None,
        machine: Path | str | None = None,
        like: str | None = None,
        foreign: bool = True,
    ) -> "Verifier":
        """Read a verifier from the files of a study.

        Parameters
        ----------
        *verifier : Path or str
            Shards of kind ``verifier``, each for another number of references; by default those
            that ship with the package.
        model : Path or str, optional
            The ONNX file; by default ``models/MODEL.onnx`` in the folder of results in which the
            first verifier lies.
        machine : Path or str, optional
            The shard of kind ``machine``, for ``wi``; by default ``machines/MODEL.h5`` there.
        like : str, optional
            The development set whose scans are as yours, if the verifier's sets were prepared
            differently.
        foreign : bool
            Whether the model may come from elsewhere, so that it is tried before it is used; see
            :func:`fkd.models.trial.try_out`.

        Raises
        ------
        FkdError
            If a file is missing or damaged, the files do not belong together by the digests that
            they hold of each other, or the verifier compares no pairs.
        """
        verifier = verifier or tuple(shipped_verifiers())
        found = {Path(path): files.read_verifier(path) for path in verifier}
        protocols = {path: _protocol(path, one) for path, one in found.items()}
        first = next(iter(found))
        about, protocol = found[first].about, protocols[first]
        measured, own = {}, {}
        for path, one in found.items():
            _refuse_other(first, path, found, protocols)
            number = protocols[path].references
            if number in measured:
                raise FkdError(f"{printable(path)}: another file is for {number} references, too.")
            measured[number], own[number] = one, sha256(path)
        name = about["model"]
        place = _given(model, first, f"models/{name}.onnx", "model")
        digests: dict[str, Any] = {"model": sha256(place), "verifier": dict(sorted(own.items()))}
        if digests["model"] != about["onnx"]:
            raise FkdError(
                f"{printable(place)}: not the model on which {printable(first)} was measured "
                f"(SHA-256 {digests['model'][:12]}, expected {str(about['onnx'])[:12]}). Give the "
                "ONNX file of the same study."
            )
        if foreign:
            try_out(place)
        extract = Extractor(place)
        length = extract(np.zeros((1, *INPUT), np.uint8)).shape[1]
        if protocol.comparison != "svm":
            if machine:
                raise FkdError(f"machine: {about['verifier']} is a distance, and needs none.")
            compare = DISTANCES[protocol.comparison]
        else:
            place = _given(machine, first, f"machines/{name}.h5", "machine")
            compare = read_machine(place, name)
            _refuse_other_machine(place, first, about, protocol)
            if len(compare.model.deviation) != length:
                raise FkdError(f"{printable(place)}: compares features of another length.")
            digests["machine"] = sha256(place)
        preprocessing = Preprocessing.of(about["preprocessing"], like)
        digests["preprocessing"] = preprocessing.digest
        return cls(extract, compare, preprocessing, measured, protocol, digests)

    @property
    def digest(self) -> str:
        """One SHA-256 digest of all that an answer depends on."""
        return hashed(str(sorted(self.about["sha256"].items())).encode()).hexdigest()

    def compare(
        self, references: Sequence[Path], questioned: Path, prior: float = PRIOR
    ) -> Comparison:
        """Compare a questioned signature with references of one writer.

        Parameters
        ----------
        references : sequence of Path
            Scans of genuine signatures, as many as a file of the verifier is for.
        questioned : Path
            The scan of the questioned signature.
        prior : float
            The probability of a genuine signature before the comparison.

        Returns
        -------
        Comparison
            The answer.

        Raises
        ------
        FkdError
            If a scan cannot be used, or no file of the verifier is for so many references. The
            message names each such scan.
        """
        paths = [*map(Path, references), Path(questioned)]
        self._measured_with(len(references))
        scans = [self.read(path) for path in paths]
        unusable = [
            f"  {printable(path)}: {scan.refusal.sentence.removeprefix(f'{path}: ')}"
            for path, scan in zip(paths, scans, strict=True)
            if scan.refusal
        ]
        if unusable:
            listed = "\n".join(unusable)
            raise FkdError(f"{len(unusable)} of {len(scans)} scans cannot be used:\n{listed}")
        features = self.describe([scan.image for scan in scans])
        judgment = self.judge(features[:-1], features[-1:], prior)[0]
        names = [printable(path) for path in paths]
        found = dict(zip(names[:-1], [scan.findings for scan in scans], strict=False))
        return Comparison(judgment, found, {names[-1]: scans[-1].findings}, self.about)

    def read(self, source: Path | bytes) -> Scan:
        """Read a scan as :func:`fkd.service.scans.read_scan` does, under the verifier's settings."""
        return read_scan(source, self.preprocessing)

    def describe(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Compute the features (n, F) of prepared images, each (150, 220)."""
        return self.extract(np.stack(images))

    def scores(self, references: np.ndarray, questioned: np.ndarray) -> np.ndarray:
        """Score questioned signatures by features against each reference.

        Parameters
        ----------
        references, questioned : ndarray of float, (r, F) and (q, F)
            Features.

        Returns
        -------
        ndarray of float64, (q, r)
            Scores, higher for genuine.
        """
        return self._compare(questioned, references)

    def fused(self, scores: np.ndarray) -> np.ndarray:
        """Make one score (q,) of those against each reference (q, r)."""
        return self._fuse(scores, axis=1)

    def match_score(self, score: float, references: int, prior: float = PRIOR) -> float:
        """Compute the probability of a genuine signature that a score stands for, from 0 to 1."""
        log10_lr = float(self._measured_with(references).calibration([score])[0])
        odds = LN10 * log10_lr + np.log(prior / (1 - prior))
        return float(np.exp(-np.logaddexp(0, -odds)))

    def judge(
        self, references: np.ndarray, questioned: np.ndarray, prior: float = PRIOR
    ) -> list[Judgment]:
        """Judge questioned signatures by features.

        Parameters
        ----------
        references, questioned : ndarray of float, (r, F) and (q, F)
            Features.
        prior : float
            The probability of a genuine signature before the comparison.

        Returns
        -------
        list of Judgment
            One for each questioned signature.
        """
        if not 0 < prior < 1:
            raise FkdError(f"prior: a probability between 0 and 1, found {prior:g}.")
        measured = self._measured_with(len(references))
        reject, accept = self.cuts[len(references)]
        found = []
        scores = self.scores(references, questioned)
        for score, by_reference in zip(self.fused(scores).tolist(), scores, strict=True):
            log10_lr = float(measured.calibration([score])[0])
            decision: Decision = (
                "accept" if score >= accept.value else "reject" if score < reject.value else "refer"
            )
            ends = bounds(measured.calibration.genuine, measured.calibration.forged)
            match = self.match_score(score, len(references), prior)
            why = _why(decision, log10_lr, ends, by_reference, accept, reject)
            found.append(
                Judgment(
                    match,
                    prior,
                    log10_lr,
                    ends,
                    decision,
                    score,
                    tuple(by_reference.tolist()),
                    accept,
                    reject,
                    why,
                )
            )
        return found

    @cached_property
    def cuts(self) -> dict[int, tuple[Cut, Cut]]:
        """The thresholds that reject and accept, by number of references."""
        found = {}
        for references, one in self.measured.items():
            reject, accept = sorted(_cuts(one), key=lambda cut: cut.value)
            found[references] = (reject, accept)
        return found

    def _measured_with(self, references: int) -> files.Verifier:
        """Find what was set for a number of references; rates hold for no other one."""
        if references not in self.measured:
            numbers = ", ".join(map(str, self.measured))
            raise FkdError(
                f"{references} references are given, and the verifier was measured with {numbers}. "
                "Give as many, or the verifier's file for another number."
            )
        return self.measured[references]


def _cuts(measured: files.Verifier) -> list[Cut]:
    """Take the two thresholds, with the intervals of their rates.

    Writers differ, so they are drawn anew; where no signature erred, no draw shows an error, and
    the interval of a share of independent scores is wider. The wider ends are taken.
    """
    thresholds = {aim: measured.thresholds[aim] for aim in (REJECT_BELOW, ACCEPT_AT)}

    def rates(genuine: np.ndarray, forged: np.ndarray) -> np.ndarray:
        found = [rates_at(one.value, genuine, forged) for one in thresholds.values()]
        return np.array([[one["FRR"], one["FAR_skilled"]] for one in found])

    drawn = interval(rates, [Trial([measured.development])], resamples=RESAMPLES, level=LEVEL)
    cuts = []
    for at, (aim, one) in enumerate(thresholds.items()):
        ends = []
        for kind, (share, of) in enumerate(((one.frr, one.genuine), (one.far, one.forged))):
            low, high = (float(end) for end in share_interval(round(share * of), of, LEVEL))
            low, high = min(low, drawn.low[at, kind]), max(high, drawn.high[at, kind])
            ends.append(Rate(share, float(low), float(high)))
        cuts.append(Cut(aim, one.value, *ends, one.genuine, one.forged, one.note))
    return cuts


def _why(
    decision: Decision,
    log10_lr: float,
    ends: tuple[float, float],
    by_reference: np.ndarray,
    accept: Cut,
    reject: Cut,
) -> tuple[str, ...]:
    """Give the reasons for a decision in sentences."""
    times = f"{10 ** abs(log10_lr):.3g} times"
    kinds = ("genuine", "a skilled forgery")
    more, less = kinds if log10_lr >= 0 else kinds[::-1]
    strength = f"A score like this is {times} more probable if the signature is {more} than if it is {less}."
    if log10_lr in ends or np.isclose(log10_lr, ends).any():
        strength += " The development scores support no stronger statement."
    what = {
        "accept": f"It is at or above the threshold {accept.aim}, which accepts.",
        "reject": f"It is below the threshold {reject.aim}, which rejects.",
        "refer": f"It is between the thresholds {reject.aim} and {accept.aim}: let a person decide.",
    }
    cut = accept if decision == "accept" else reject
    rate, of, kind = (
        (cut.far, cut.forged, "skilled forgeries were accepted")
        if decision == "accept"
        else (cut.frr, cut.genuine, "genuine signatures were rejected")
    )
    measured = (
        f"At the threshold {cut.aim}, {100 * rate.value:.3g} % of {of} {kind} on development "
        f"writers ({100 * rate.low:.3g} to {100 * rate.high:.3g} %)."
    )
    reasons = [what[decision], measured, strength]
    if len(by_reference) > 1:
        order = np.argsort(by_reference)[::-1] + 1
        reasons.append(
            f"Of the references, number {order[0]} is the most alike, and number {order[-1]} the least."
        )
    return tuple(reasons)


def _protocol(path: Path, one: files.Verifier) -> PairProtocol:
    """Restore the protocol of a verifier of pairs; refuse others, and those without thresholds."""
    stored = one.about["protocol"]
    if "comparison" not in stored:
        raise FkdError(
            f"{printable(path)}: {one.about['verifier']} learns each writer from signatures of "
            "others, and compares no pairs. Give a verifier wi, cosine or euclidean."
        )
    try:
        protocol = PairProtocol(
            **{field.name: stored[field.name] for field in fields(PairProtocol)}
        )
        wanted = [one.about[key] for key in ("model", "onnx", "verifier", "preprocessing")]
        whole = all(wanted) and len(one.about["measured_on"]["sets"]) > 0
    except (KeyError, TypeError, FkdError) as error:
        raise FkdError(f"{printable(path)}: no verifier ({error}). Set it again.") from None
    if not whole or not {REJECT_BELOW, ACCEPT_AT} <= one.thresholds.keys():
        raise FkdError(f"{printable(path)}: lacks what it was measured on. Set it again.")
    return protocol


def _refuse_other(
    first: Path,
    path: Path,
    found: Mapping[Path, files.Verifier],
    protocols: Mapping[Path, PairProtocol],
) -> None:
    """Refuse files of several verifiers."""
    one, other = found[first].about, found[path].about
    keys = ("model", "onnx", "verifier", "preprocessing")
    differing = [key for key in keys if one[key] != other[key]]
    if replace(protocols[path], references=protocols[first].references) != protocols[first]:
        differing.append("protocol")
    if differing:
        raise FkdError(
            f"{printable(path)}: differs from {printable(first)} in {', '.join(differing)}. Give "
            "files of one verifier, which differ in their number of references alone."
        )


def _refuse_other_machine(
    place: Path, path: Path, about: Mapping[str, Any], protocol: PairProtocol
) -> None:
    """Refuse a machine of pairs other than the one that the verifier stands for."""
    with shards.opened(place, MACHINE) as shard:
        machine = shard.attributes
    wanted = {
        "onnx": about["onnx"],
        "sets": about["measured_on"]["sets"],
        "C": about["protocol"].get("C"),
        "gamma": about["protocol"].get("gamma"),
        "seed": protocol.seed,
        "development_references": protocol.development_references,
    }
    differing = [key for key, value in wanted.items() if machine.get(key) != value]
    if differing:
        raise FkdError(
            f"{printable(place)}: not the machine of {printable(path)}, it differs in "
            f"{', '.join(differing)}. Give the machine of the same study."
        )


def _given(path: Path | str | None, verifier: Path, place: str, key: str) -> Path:
    """Take a path that is given, or find the file in the results in which a verifier lies."""
    if path is None:
        path = verifier.resolve().parent.parent.parent / place
        check_file(path, f"Name the file of the {key} by --{key}.")
    check_file(path)
    return Path(path)
