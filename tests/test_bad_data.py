"""Bad data is set aside with its reason or refused in clear words; nothing else happens.

Each input of the corpus goes to its reader, and the bad scans together through whole stages.
While they run, memory is limited, a wait ends in an error, and code that ran would show.
"""

import csv
import os
import pickle
import re
import resource
import signal
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_data import CORPUS, EXECUTED, SCANS, SMALL, Case, Payload
from bad_data.images import DAMAGED, GRAY, INK, NOT_AN_IMAGE, TOO_LARGE, encode
from bad_data.paths import NAMES
from foreign import linear
from PIL import Image, ImageFile

from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.models import published
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards
from fkd.storage.files import printable
from fkd.storage.quarantine import Quarantine
from fkd.text.crops import make_crops
from fkd.text.pages import list_pages
from fkd.text.stripes import segment_pages

pytestmark = [
    pytest.mark.operations,
    pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning"),
    pytest.mark.filterwarnings("ignore:'torch.load' received:UserWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
]

MEMORY = 2 << 30
"""Bytes that may be taken besides what the process holds; the bombs claim more."""

PATIENCE = 30
"""Seconds after which reading is taken to hang."""

LARGEST = 200_000_000
"""The default of ``max_pixels``."""

FOUND: dict[tuple[str, str], list[str]] = defaultdict(list)
"""What came of the corpus so far: names by group and outcome."""


def _hang(*_: object) -> None:
    raise AssertionError(f"still reading after {PATIENCE} s")


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Load what libraries load when they are first used, before memory is limited."""
    with torch.inference_mode():
        models.build("signet", None, SMALL).eval()(torch.zeros(1, 1, 150, 220))


@pytest.fixture(autouse=True)
def confined(tmp_path, monkeypatch) -> Iterator[None]:
    """Limit memory and time, and see that nothing was executed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(published, "SigNet", lambda: models.build("signet", None, SMALL))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, _hang)
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, limits[1]))
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_AS, limits)
    assert not list(tmp_path.rglob(EXECUTED)), "code in the input was executed"


def _in_short(error: FkdError, path: Path) -> str:
    """Say in a few words why an input was refused."""
    reason = re.sub(rf"^.*?{re.escape(printable(path.name))}: ", "", str(error), flags=re.DOTALL)
    return "refused, " + re.split(r" \(|[.;:,] |[.:]?\n|\.$", reason)[0]


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_bad_data(case: Case, tmp_path):
    path = case.make(tmp_path)
    try:
        found = case.read(path)
    except FkdError as error:
        message = str(error)
        assert case.refused and re.search(case.refused, message, re.DOTALL), message
        assert printable(path.name) in message, "the error does not name the file"
        outcome = _in_short(error, path)
    else:
        assert case.may or not case.refused, f"accepted, expected: {case.refused}"
        case.check(found)
        outcome = "accepted"
    FOUND[case.group, outcome].append(case.name)


def test_the_traps_work(tmp_path):
    """What the corpus holds would show if it were unpickled."""
    pickle.loads(pickle.dumps(Payload())).close()
    assert (tmp_path / EXECUTED).exists()
    (tmp_path / EXECUTED).unlink()


def test_memory_is_limited():
    with pytest.raises(MemoryError):
        np.ones(MEMORY + (1 << 30), np.uint8)


@pytest.mark.parametrize("scan", [scan for scan in SCANS if scan.refused == TOO_LARGE], ids=str)
def test_size_is_refused_before_decoding(scan, tmp_path, monkeypatch):
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    monkeypatch.setattr(Image.Image, "load", decode)
    (tmp_path / "scan.png").write_bytes(scan.content)
    with pytest.raises(FkdError, match=TOO_LARGE):
        read_gray(tmp_path / "scan.png")


# ------------------------------------------------------------------ the bad scans in whole stages


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """All bad scans and odd names as signatures of three writers, with good ones beside them."""
    source = tmp_path_factory.mktemp("bad") / "source"
    for writer in ("ann", "bob", "eve"):
        (source / writer).mkdir(parents=True)
        for sample in range(3):
            level = np.uint8(10 * sample + len(writer))
            content = encode(np.where(INK, level, 230 + 5 * sample).astype(np.uint8))
            (source / writer / f"good {sample}.png").write_bytes(content)
    for scan in SCANS:
        (source / "ann" / f"{scan.file}.png").write_bytes(scan.content)
    for name in NAMES.values():
        (source / "bob" / os.fsdecode(name)).write_bytes(encode(GRAY))
    eve = source / "eve"
    (eve / "folder.png").mkdir()
    (eve / "folder.png" / "within.png").write_bytes(encode(GRAY))
    (eve / "empty folder.png").mkdir()
    (eve / "loop").symlink_to(source)
    (eve / "itself.png").symlink_to("itself.png")
    (eve / "nowhere.png").symlink_to("nothing.png")
    (eve / "zeros.png").symlink_to("/dev/zero")
    os.mkfifo(eve / "pipe.png")
    (eve / "notes.txt").write_text("notes")
    (source / "index.html").write_text("<html>")
    return source


ASIDE = {"itself.png": "cannot be read", "nowhere.png": "no such file"} | dict.fromkeys(
    ("zeros.png", "pipe.png"), "not a regular file"
)
"""What is wrong with the odd files of the third writer."""


def _files(source: Path) -> set[str]:
    """Every path below the folder that is no folder, as lists spell it."""
    found = (Path(place, name) for place, _, names in os.walk(source) for name in names)
    return {printable(path) for path in found}


def _reasons(rows: list[tuple[str, str]]) -> dict[str, str]:
    reasons = dict(rows)
    assert len(reasons) == len(rows), "an input is listed twice"
    return reasons


def _hold_reasons(folder: Path, reasons: dict[str, str]) -> None:
    """The reasons are those that the reader of images gives."""
    for scan in SCANS:
        reason = reasons.get(str(folder / "ann" / f"{scan.file}.png"))
        if scan.refused and not scan.may:
            assert reason and re.search(scan.refused, reason), str(scan)
        assert scan.refused or not re.search(f"{DAMAGED}|{NOT_AN_IMAGE}", reason or ""), str(scan)
    for name, expected in ASIDE.items():
        assert expected in reasons[str(folder / "eve" / name)]


def test_a_set_of_bad_signatures(folder, tmp_path, caplog):
    """Each file is in the shard or in the list, once; good ones are where they belong."""
    out, aside = tmp_path / "s.h5", tmp_path / "s.csv"
    settings = {"name": "mine", "source": folder, "layout": "folder", "out": out}
    settings |= {"genuine": "{writer}/{sample}.png", "max_pixels": LARGEST, "threads": 2}
    prepare_signatures(**settings, quarantine=aside, max_share=1.0)
    read = Quarantine.read(aside)
    reasons = _reasons(read.rows + read.passed_over)
    kept = {printable(folder / file) for file in shards.read(out, "signatures")["file"]}
    assert kept | set(reasons) == _files(folder) and not kept & set(reasons)
    _hold_reasons(folder, reasons)
    for scan in SCANS:
        path = str(folder / "ann" / f"{scan.file}.png")
        assert path in kept or path in reasons
        if not scan.refused and not scan.other:
            assert path in kept, str(scan)
        if scan.aside:
            assert scan.aside in reasons[path], str(scan)
            FOUND[f"{scan.group}, in a set", f"set aside, {scan.aside}"].append(scan.name)
    for what, name in NAMES.items():
        reason = reasons.get(printable(folder / "bob" / os.fsdecode(name)))
        outcome = f"set aside, {reason}" if reason else "accepted"
        FOUND["names, in a set", outcome].append(what)
    others = {Path(path).name for path, _ in read.passed_over}
    assert others == {"notes.txt", "index.html", "within.png", "scan", "a.tar.gz.png.txt"}
    assert any("not UTF-8" in reason for reason in reasons.values())
    assert "5 files are no input, the first is" in caplog.text
    with pytest.raises(FkdError, match=r"signatures of mine were set aside"):
        prepare_signatures(**settings, quarantine=aside, max_share=0.1)


def test_pages_from_bad_scans(folder, tmp_path):
    """Each file is in the stripes or in a list, once, and crops come of what is left."""
    lists = [tmp_path / f"{stage}.csv" for stage in ("pages", "stripes", "crops")]
    table, stripes, crops = (tmp_path / name for name in ("table.csv", "stripes.h5", "crops.h5"))
    settings = {"layout": "folder", "shards": 1, "validation_share": 0.2, "seed": 1}
    list_pages(source=folder, out=table, quarantine=lists[0], **settings)
    limits = {"max_pixels": LARGEST, "min_columns": 40, "min_rows": 10}
    segment_pages(
        pages=table, shard=0, out=stripes, quarantine=lists[1], seed=1, threads=2, **limits
    )
    make_crops(stripes=stripes, out=crops, quarantine=lists[2], seed=1, threads=2)
    read = Quarantine.read(*lists[:2])
    reasons = _reasons(read.rows + read.passed_over)
    others = {Path(path).name for path, _ in read.passed_over}
    assert others == {"notes.txt", "index.html", "scan", "a.tar.gz.png.txt"}
    kept = {printable(folder / page) for page in shards.read(stripes, "stripes")["page"]}
    assert kept | set(reasons) == _files(folder) and not kept & set(reasons)
    _hold_reasons(folder, reasons)
    assert str(folder / "bob" / "good 1.png") in kept
    cut = {printable(folder / page) for page in shards.read(crops, "crops")["page"]}
    assert cut and cut <= kept


def test_features_of_bad_scans(folder, tmp_path, capsys):
    """The command names each bad file, and writes nothing."""
    model = linear(tmp_path / "a.onnx", ("n", 1, 150, 220))
    with pytest.raises(SystemExit) as stop:
        main(["features", str(model), str(folder / "ann"), "-o", "features.csv"])
    said = capsys.readouterr().err
    assert stop.value.code == 1 and "so nothing is written" in said and "Traceback" not in said
    for scan in SCANS:
        if scan.refused and not scan.may:
            assert re.search(rf"{re.escape(scan.file)}\.png: .*({scan.refused})", said), str(scan)
    assert not Path("features.csv").exists()


@pytest.mark.parametrize("bad", ["weights", "image", "features"])
def test_the_teachers_check_of_bad_files(bad, tmp_path, capsys):
    Path("scan.png").write_bytes(encode(GRAY))
    models.save(models.build("signet", None, SMALL), "teacher.safetensors")
    np.save("feature.npy", np.zeros(16))
    given = {"weights": "teacher.safetensors", "image": "scan.png", "features": "feature.npy"}
    Path(given[bad]).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(SystemExit) as stop:
        main(["teacher-check", *given.values()])
    said = capsys.readouterr().err
    assert stop.value.code == 1 and f"error: {given[bad]}: " in said and "Traceback" not in said


# ------------------------------------------------------------------------------- what is too much


def _set(source: Path, files: dict[str, np.ndarray]) -> Callable[..., dict[str, str]]:
    """Write a set and give what prepares it."""
    for name, image in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(encode(image))

    def prepare(**settings: object) -> shards.Shard:
        prepare_signatures(
            name="mine",
            source=source,
            layout="folder",
            genuine="{writer}/g{sample}.png",
            skilled="{writer}/f{sample}.png",
            out=source.with_suffix(".h5"),
            quarantine=source.with_suffix(".csv"),
            max_pixels=LARGEST,
            max_share=0.0,
            threads=1,
            **settings,
        )
        return shards.read(source.with_suffix(".h5"), "signatures")

    return prepare


def _strokes(number: int) -> np.ndarray:
    image = GRAY.copy()
    image[40:50, 60 : 70 + 10 * number] = 40
    return image


def test_copies_of_one_image_are_reported_and_kept(tmp_path, caplog):
    """Under two names, of two writers, and as genuine signature and forgery at once."""
    files = {f"{writer}/g{n}.png": _strokes(n) for writer in ("ann",) for n in range(3)}
    files |= {"ann/g7.png": _strokes(1), "bob/g1.png": _strokes(2), "bob/g2.png": _strokes(4)}
    files |= {"bob/f1.png": _strokes(4), "bob/f2.png": _strokes(5)}
    shard = _set(tmp_path / "mine", files)()
    assert shard["file"].tolist() == [
        *(f"ann/g{n}.png" for n in (0, 1, 2, 7)),
        *(f"bob/{name}.png" for name in ("g1", "g2", "f1", "f2")),
    ]
    assert shard["copy_of"].tolist() == [0, 1, 2, 1, 2, 5, 5, 7]
    assert shard.attributes["copies"] == 3
    assert "3 of 8 signatures of mine are copies of others (2 across writers" in caplog.text
    ways = ["under two names", "of two writers", "genuine and forged"]
    FOUND["copies of one image", "kept, and reported in log and shard"] += ways
    assert "ann/g7.png = ann/g1.png, bob/g1.png = ann/g2.png, bob/f1.png = bob/g2" in caplog.text


def test_a_writer_with_too_few_signatures_is_named(tmp_path):
    files = {f"{writer}/g{n}.png": _strokes(n) for writer in ("ann", "bob") for n in range(3)}
    prepare = _set(tmp_path / "mine", files)
    none_forged = {"genuine": 3, "skilled": 0}
    prepare(expected=none_forged)
    (tmp_path / "mine/bob/g2.png").unlink()
    with pytest.raises(FkdError, match="writer bob: 2 genuine, expected 3"):
        prepare(expected=none_forged)
    for path in (tmp_path / "mine/bob").iterdir():
        path.rename(path.with_name(path.name.replace("g", "f", 1)))
    with pytest.raises(FkdError, match="no genuine signature of writer bob"):
        prepare()
    FOUND["writers", "refused, and named"] += ["with too few signatures", "without genuine ones"]


def test_of_pages_of_one_name_one_is_taken_and_the_other_named(tmp_path):
    for file in ("a/0001-1.tif", "b/0001-1.tif", "a/0001-2.tif", "b/0001-2-cropped.tif"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(encode(GRAY, "TIFF"))
    out, aside = tmp_path / "pages.csv", tmp_path / "aside.csv"
    settings = {"shards": 1, "validation_share": 0, "seed": 0}
    list_pages(source=tmp_path, layout="cvl", out=out, quarantine=aside, **settings)
    with out.open(newline="") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    assert files == [str(tmp_path / "a/0001-1.tif"), str(tmp_path / "b/0001-2-cropped.tif")]
    rows = _reasons(Quarantine.read(aside).rows)
    assert rows.pop(str(tmp_path / "b/0001-1.tif")) == f"the same page is taken from {files[0]}"
    assert set(rows) <= {str(aside), str(out)}
    FOUND["pages", "set aside, the same page is taken from ..."].append("one name in two folders")


def test_what_the_corpus_led_to(led_to):
    """The corpus is large, and no case stands in it twice."""
    assert len({str(case) for case in CORPUS}) == len(CORPUS) >= 200
    assert len({scan.file for scan in SCANS}) == len(SCANS)
    title = f"what {len(CORPUS)} bad inputs led to"
    for (group, outcome), names in sorted(FOUND.items(), key=lambda item: item[0][0]):
        led_to(title, group, f"{len(names)} {outcome}:")
        for line in textwrap.wrap("; ".join(names), 90):
            led_to(title, "", f"    {line}")
