"""The command that compares signatures without any server."""

import json
from pathlib import Path

from fkd.errors import FkdError
from fkd.service.explanation import explain, picture
from fkd.service.verifier import PRIOR, Comparison, Verifier
from fkd.storage.atomic import writing


def verify_signature(
    *,
    verifier: list[Path],
    reference: list[Path],
    questioned: Path,
    model: Path | None = None,
    machine: Path | None = None,
    like: str | None = None,
    prior: float = PRIOR,
    as_json: bool = False,
    explanation: Path | None = None,
) -> None:
    """Compare a questioned signature with references of one writer, and print what is found.

    Parameters
    ----------
    verifier : list of Path
        Files of one verifier for different numbers of references, such as
        ``results/verifiers/wi/teacher-5.h5``; empty for those that ship.
    reference : list of Path
        Scans of genuine signatures.
    questioned : Path
        The scan of the questioned signature.
    model, machine : Path, optional
        The ONNX file, and for ``wi`` the machine of pairs; by default, those beside the verifier.
    like : str, optional
        The development set whose scans are as yours, if they were prepared differently.
    prior : float
        The probability of a genuine signature before the comparison.
    as_json : bool
        Whether to print JSON.
    explanation : Path, optional
        The PNG file to write of where the score comes from, see :mod:`fkd.service.explanation`.

    Raises
    ------
    FkdError
        If the files do not belong together, or a scan cannot be used.
    """
    if explanation and explanation.suffix.lower() != ".png":
        raise FkdError(f"{explanation}: pictures are written as .png.")
    loaded = Verifier.load(*verifier, model=model, machine=machine, like=like)
    found = loaded.compare(reference, questioned, prior)
    if explanation:
        *images, image = [loaded.read(path).image for path in (*reference, questioned)]
        explained = explain(loaded, images, image)
        with writing(explanation) as part:
            picture(explained, image, images[explained.reference]).save(part)
    print(json.dumps(found.as_dict(), indent=2) if as_json else as_text(found))


def as_text(found: Comparison) -> str:
    """Write an answer for people.

    Parameters
    ----------
    found : Comparison
        The answer.

    Returns
    -------
    str
        Several lines.
    """
    told, about = found.judgment, found.about
    low, high = told.log10_lr_bounds
    lines = [
        f"decision     {told.decision}",
        f"match score  {told.match_score:.3f} at a prior of {told.prior:g}",
        f"log10 LR     {told.log10_lr:+.2f} (supported from {low:+.2f} to {high:+.2f})",
        f"score        {told.score:.4f}, by reference "
        + ", ".join(f"{score:.4f}" for score in told.by_reference),
    ]
    for name, cut in (("accept at", told.accept), ("reject below", told.reject)):
        rates = ", ".join(
            f"{kind} {100 * rate.value:.2f} % ({100 * rate.low:.2f} to {100 * rate.high:.2f})"
            for kind, rate in (("FAR", cut.far), ("FRR", cut.frr))
        )
        lines.append(f"{name:12} {cut.value:.4f} ({cut.aim}): {rates}")
        lines += [f"             {cut.note}"] * bool(cut.note)
    lines += ["", "why", *(f"  {sentence}" for sentence in told.why)]
    doubts = [
        f"  {name}: {one.sentence} [{one.code}]"
        for name, findings in (found.references | found.questioned).items()
        for one in findings
    ]
    lines += ["", "quality", *(doubts or ["  nothing was found"])]
    sets = ", ".join(about["measured_on"]["sets"])
    lines += ["", f"{about['verifier']} of {about['model']}, measured on {sets}"]
    for key, digest in about["sha256"].items():
        parts = digest.items() if isinstance(digest, dict) else [("", digest)]
        lines += [f"  SHA-256 {f'{key} {part}'.strip():13} {value}" for part, value in parts]
    return "\n".join(lines)
