"""What narrowed the data of a study, for the last lines of a run."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fkd.layouts import SYNTHETIC
from fkd.signatures.check import read_leaks
from fkd.storage import shards
from fkd.storage.quarantine import PASSED_OVER, Quarantine

MOST_CUT = 0.01
"""The share of text crops that may be larger than the canvas drawn for them, without a word."""


def narrowing(results: Path, sets: Mapping[str, str]) -> list[str]:
    """Say how many files were set aside or passed over, and how many images were cut.

    Parameters
    ----------
    results : Path
        The study's folder of results.
    sets : mapping of str to str
        For each set of signatures that is used, its layout.

    Returns
    -------
    list of str
        A line each, with the count, the first file and a remedy; the first line says how many
        files were set aside, also where there are none.
    """
    lists = {"text": results / "quarantine/text.csv"}
    lists |= {name: results / f"quarantine/signatures/{name}.csv" for name in sets}
    found = {name: Quarantine.read(path) for name, path in lists.items() if path.exists()}
    counts = {name: len(aside) for name, aside in found.items()}
    total = f"{_files(sum(counts.values()))} set aside"
    where = [f"{count} in {lists[name]}" for name, count in counts.items() if count]
    return [
        f"{total}: {', '.join(where)}" if where else f"{total}.",
        *_passed_over(results, found, lists),
        *_cut(results, sets),
        *_leaked(results / "quarantine/copies.csv"),
        *_left_out(results, sets),
    ]


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"


def _passed_over(
    results: Path, found: Mapping[str, Quarantine], lists: Mapping[str, Path]
) -> Iterator[str]:
    """Name the files that are no input by their names."""
    for name, aside in found.items():
        # What an older run has drawn is no file of the user's.
        drawn = results / "synthetic"
        passed_over = [row for row in aside.passed_over if not Path(row[0]).is_relative_to(drawn)]
        count = len(passed_over)
        if not count:
            continue
        file, reason = passed_over[0]
        reason = reason.removeprefix(PASSED_OVER)
        used = results / f"signatures/{name}.h5"
        if name in ("text",) or not used.exists():
            yield f"{_files(count)} passed over in the text, the first is {file}: {reason}."
            continue
        with shards.opened(used, "signatures", ["file"]) as shard:
            total = count + len(aside) + shard.shape("file")[0]
        yield (
            f"{count} of {total} files of {name} fit no pattern, the first is {file}. "
            f"{lists[name]} lists them; if they are signatures, mend signatures.{name}."
        )


def _left_out(results: Path, sets: Iterable[str]) -> Iterator[str]:
    """Name the writers who have too few signatures to be judged."""
    for name in sets:
        # All models are judged on the same writers.
        files = sorted((results / f"scores/{name}").glob("*.h5"))
        for path in {path.stem.rpartition("-")[2]: path for path in files}.values():
            with shards.opened(path, "scores", ["score"]) as shard:
                about = dict(shard.attributes)
            if left_out := about.get("left_out"):
                yield (
                    f"{len(left_out)} of {len(left_out) + len(about['writers'])} writers of {name} "
                    f"have too few signatures for {about['protocol']['references']} references and "
                    f"were left out, the first is {left_out[0]}."
                )


def _leaked(path: Path) -> Iterator[str]:
    """Name the judged signatures from which something has learned."""
    return map(str, read_leaks(path) if path.exists() else ())


def _cut(results: Path, sets: Mapping[str, str]) -> Iterator[str]:
    """Name the images that were larger than their canvas."""
    for name, layout in sets.items():
        path = results / f"signatures/{name}.h5"
        if path.exists():
            with shards.opened(path, "signatures", ["file"]) as shard:
                count, images = shard.attributes["oversized"], shard.shape("file")[0]
            remedy = (
                f"A larger signatures.{name}.canvas would take all of them."
                if layout == SYNTHETIC
                else "Scans of 600 dpi are twice as large as they should be: set "
                f"signatures.{name}.resolution, or a larger signatures.{name}.canvas."
            )
            if count:
                yield (
                    f"{count} of {images} signatures of {name} are larger than the canvas and were "
                    f"cut to it. {remedy}"
                )
    cut, crops = 0, 0
    for path in sorted(results.glob("crops/*.h5")):
        with shards.opened(path, "crops", ["crop"]) as shard:
            cut, crops = cut + shard.attributes["oversized"], crops + shard.shape("crop")[0]
    if cut > MOST_CUT * crops:
        yield (
            f"{cut} of {crops} text crops are larger than their canvas and were cut to it. Scans "
            "of 600 dpi are twice as large as they should be: scale them to 300 dpi."
        )
