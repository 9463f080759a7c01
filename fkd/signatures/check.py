"""The check of a study's sets of signatures together, before any network learns from them."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fkd.errors import FkdError
from fkd.pairs.stored import learned_signatures
from fkd.ranges import Share, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.quarantine import Quarantine

MOST_SHARED = 0.5
"""The share of a judged set's signatures above which their copies mean that two sets are one."""

TEACHER, VERIFIERS, PAIRS, ITSELF = "teacher", "verifiers", "pairs", "itself"
"""What learns from the other set: the teacher, or verifiers, which are set on it, or Siamese networks,
where the other is a list of pairs. Or it is the judged set itself, of which a writer's model learns the
references."""

_WHAT_LEARNS = {
    TEACHER: ("teacher.development", "What a teacher has learned from cannot judge it"),
    VERIFIERS: ("evaluation.development", "Thresholds are never set on judged signatures"),
}


class Leak(NamedTuple):
    """Signatures of a judged set that something has learned from.

    Attributes
    ----------
    learns : {"teacher", "verifiers", "pairs", "itself"}
        What has learned, see :data:`TEACHER`.
    source : str
        The set or the list of pairs that it learned from.
    judged : str
        The judged set.
    copies : int
        How many of the judged signatures are also in `source`, or, if that is the judged set
        itself, how many of them have a copy there.
    signatures : int
        The number of judged signatures.
    """

    learns: str
    source: str
    judged: str
    copies: int
    signatures: int

    def __str__(self) -> str:
        """Say it in a sentence, with a remedy."""
        some = f"{self.copies} of {self.signatures} signatures of {self.judged}"
        if self.learns == ITSELF:
            return (
                f"{some} are there more than once, so that tests may be among the references: rates "
                "are too low. Remove the copies."
            )
        if self.learns == PAIRS:
            return (
                f"{some} are also in the pairs {self.source}, from which Siamese networks learned: "
                "these networks' rates are too low."
            )
        use = {TEACHER: "from which the teacher learned", VERIFIERS: "on which verifiers are set"}
        return (
            f"{some} are also in {self.source}, {use[self.learns]}: rates on them are too low. "
            "Remove them from one set."
        )


@checked
def check_signatures(
    *,
    signatures: list[Path],
    quarantine: list[Path],
    teacher: list[str],
    verifiers: list[str],
    judged: list[str],
    out: Path,
    max_share: Share,
    pairs: Sequence[Path] = (),
) -> None:
    """Stop if too many signatures were set aside, or if sets that must differ are the same.

    Signatures are compared by the content of their prepared images, so copies under other names
    or in other folders are found.

    Parameters
    ----------
    signatures : list of Path
        The shards of kind "signatures" of all sets.
    quarantine : list of Path
        For each of `signatures`, the list of the files that were set aside.
    teacher : list of str
        The sets that the teacher learns from.
    verifiers : list of str
        The sets on whose writers machines of pairs are trained and thresholds are set.
    judged : list of str
        The sets on which models are judged.
    out : Path
        The CSV file to write, with one row for each :class:`Leak` that was looked for, whether or
        not there are copies.
    max_share : float
        The largest share of a set's files that may be set aside, see :meth:`Quarantine.check`.
    pairs : sequence of Path
        The shards of kind "pairs" from which Siamese networks learn. Signatures are found in them if
        both were prepared alike.

    Raises
    ------
    FkdError
        If a share is exceeded, if more than half of a judged set's signatures are also in a
        development set or have a copy beside them, or if two development sets share more than half
        of theirs.
    """
    images: dict[str, list[str]] = {}
    for path, listed in zip(signatures, quarantine, strict=True):
        shard = shards.read(path, "signatures", ["image"])
        name = shard.attributes["set"]
        images[name] = [shards.digest(image) for image in shard["image"]]
        aside = Quarantine.read(listed)
        aside.check(len(images[name]) + len(aside), max_share, f"signatures of {name}")
    leaks = []
    for learns, development in ((TEACHER, teacher), (VERIFIERS, verifiers)):
        key, reason = _WHAT_LEARNS[learns]
        for source in development:
            for other in judged:
                copies = _copies(images[other], images[source])
                if copies > MOST_SHARED * len(images[other]):
                    raise FkdError(
                        f"{key}: {copies} of the {len(images[other])} signatures of "
                        f"evaluation.sets.{other} are also in {source}. {reason}: take another set."
                    )
                leaks.append(Leak(learns, source, other, copies, len(images[other])))
            for other in development[: development.index(source)]:
                copies = _copies(images[source], images[other])
                if copies > MOST_SHARED * len(images[source]):
                    raise FkdError(
                        f"{key}: {copies} of the {len(images[source])} signatures of "
                        f"{source} are also in {other}, so one person would be two classes. Name "
                        "one of the two sets."
                    )
    for path in pairs:
        source, learned = learned_signatures(path)
        for name in judged:
            copies = _copies(images[name], learned)
            leaks.append(Leak(PAIRS, source, name, copies, len(images[name])))
    for name in judged:
        found = Counter(images[name])
        copies = sum(count for count in found.values() if count > 1)
        if copies > MOST_SHARED * len(images[name]):
            raise FkdError(
                f"evaluation.sets.{name}: {copies} of its {len(images[name])} signatures are there "
                "more than once, so that tests would be among the references. Remove the copies."
            )
        leaks.append(Leak(ITSELF, name, name, copies, len(images[name])))
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(Leak._fields)
        table.writerows(leaks)


def read_leaks(path: Path) -> Iterator[Leak]:
    """Read the leaks that :func:`check_signatures` found: those with any copies.

    Parameters
    ----------
    path : Path
        The file that it wrote.

    Yields
    ------
    Leak
        Signatures of a judged set that something has learned from.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            counts = {key: int(row[key]) for key in ("copies", "signatures")}
            if counts["copies"]:
                yield Leak(**row | counts)


def _copies(images: list[str], others: Iterable[str]) -> int:
    """Count the images that are also among others."""
    known = set(others)
    return sum(image in known for image in images)
