"""Pages: their lines, their list, and the stripes cut from them."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.text.lines import find_lines
from fkd.text.pages import list_pages
from fkd.text.stripes import segment_pages, written_columns

WORDS = (
    "high gypsy fly",
    "lazy dog quilt",
    "jumpy hatch big",
    "glyph thing day",
    "yoke bylaw fjord",
)


def draw_lines(lines=5, slope=0.0, spacing=150, shape=(1000, 1500), scale=3.0):
    """One layer of ink (bool) for each line of a page, ascenders amid descenders."""
    layers = []
    for line in range(lines):
        layer = np.zeros(shape, np.uint8)
        where = (120 + 60 * (line % 2), 170 + line * spacing)
        cv2.putText(layer, WORDS[line % 5], where, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, scale, 1, 6)
        shear = np.array([[1, 0, 0], [slope, 1, -slope * shape[1] / 2]])
        layers.append(cv2.warpAffine(layer, shear, shape[::-1], flags=cv2.INTER_NEAREST) > 0)
    return layers


def on_paper(layers, ink=60, seed=0):
    """A gray scan: paper that darkens to one side, grain, and the layers' ink."""
    draw = np.random.default_rng(seed)
    page = np.tile(np.linspace(235, 150, layers[0].shape[1]), (len(layers[0]), 1))
    page[np.any(layers, axis=0)] = ink
    return np.clip(page + draw.normal(0, 5, page.shape), 0, 255).astype(np.uint8)


def lines_of(page):
    """The pixels of each line, from top to bottom."""
    return [line.pixels for line in find_lines(page)]


def without_spaces(line):
    return line[:, written_columns(line)]


def ink_of(stripe):
    """Count a stripe's dark pixels (ink of `on_paper`, or of a page of two levels)."""
    return np.count_nonzero(stripe < 105)


def add_form(page, ink=40):
    """Make room for a printed header above and a name below, parted by rules."""
    header = np.full((420, page.shape[1]), 220, np.uint8)
    for row in (90, 170, 250):
        cv2.putText(header, "Printed text to copy", (90, row), 2, 2.0, ink, 4)
    footer = np.full((200, page.shape[1]), 220, np.uint8)
    cv2.putText(footer, "Name", (90, 130), 2, 2.0, ink, 4)
    header[340:344, 60:-60] = footer[40:44, 60:-60] = ink
    return np.vstack([header, page, footer])


@pytest.mark.fidelity("text lines")
@pytest.mark.parametrize("slope", [-0.06, -0.013, 0.0, 0.035])
@pytest.mark.parametrize("kind", ["gray", "two levels"])
def test_a_stripe_is_a_line_whole_and_alone(slope, kind):
    layers = draw_lines(slope=slope)
    page = on_paper(layers)
    if kind == "two levels":
        page = np.where(np.any(layers, axis=0), 0, 255).astype(np.uint8)
    stripes = lines_of(page)
    assert len(stripes) == len(layers)
    for stripe, layer in zip(stripes, layers, strict=True):
        assert ink_of(stripe) == pytest.approx(np.count_nonzero(layer), rel=0.02)


@pytest.mark.fidelity("text lines")
def test_lines_share_rows_so_whole_bands_overlap():
    """Where no row without ink parts the lines, all their ink is still kept apart."""
    layers = draw_lines(spacing=75)
    rows = np.any(layers, axis=0).any(axis=1)
    used = np.flatnonzero(rows)
    assert rows[used[0] : used[-1]].all()
    stripes = lines_of(on_paper(layers))
    assert sum(map(len, stripes)) > used[-1] - used[0]
    for stripe, layer in zip(stripes, layers, strict=True):
        assert ink_of(stripe) == pytest.approx(np.count_nonzero(layer), rel=0.04)


@pytest.mark.fidelity("text lines")
def test_strokes_go_to_their_own_line_alone():
    layers = draw_lines(spacing=75)
    page, inks = on_paper(layers), [40, 80, 40, 80, 40]
    for layer, ink in zip(layers, inks, strict=True):
        page[layer] = ink
    for stripe, layer, ink in zip(lines_of(page), layers, inks, strict=True):
        own, neighbors = (np.count_nonzero(stripe == level) for level in (ink, 120 - ink))
        assert own > 0.99 * np.count_nonzero(layer) and neighbors < 0.005 * own


@pytest.mark.fidelity("text lines")
def test_level_lines_come_out_level():
    layers = draw_lines(lines=4, slope=0.05)
    for stripe, flat in zip(lines_of(on_paper(layers)), draw_lines(lines=4), strict=True):
        height = np.ptp(np.flatnonzero((stripe < 105).sum(axis=1) > 2))
        assert abs(height - np.ptp(np.flatnonzero(flat.any(axis=1)))) <= 12


@pytest.mark.fidelity("text lines")
def test_what_belongs_to_neighbors_is_paper():
    stripe = lines_of(on_paper(draw_lines()))[2]
    blank = stripe[:, :60]
    assert 225 < np.median(blank) < 242 and blank.min() > 200


@pytest.mark.fidelity("text lines")
def test_the_band_reaches_from_valley_to_valley():
    for stripe in lines_of(on_paper(draw_lines())):
        assert 130 <= len(stripe) <= 220


@pytest.mark.parametrize("slope", [-0.12, -0.105, 0.105, 0.12])
def test_a_page_steeper_than_can_be_made_level_gives_lines_or_a_reason(slope):
    page = np.full((900, 880), 255, np.uint8)
    cv2.line(page, (2, 450), (877, round(450 + 875 * slope)), 0, 6)
    page[2:8, 2:8] = page[-8:-2, -8:-2] = 0
    try:
        stripes = lines_of(page)
    except FkdError:
        return
    assert stripes and all(stripe.size for stripe in stripes)


@pytest.mark.fidelity("text lines")
@pytest.mark.parametrize("slope", [0.0, 0.02])
def test_printed_header_and_footer_of_a_form_are_dropped(slope):
    layers = draw_lines()
    page = add_form(on_paper(layers))
    shear = np.array([[1, 0, 0], [slope, 1, 0]])
    page = cv2.warpAffine(page, shear, page.shape[::-1], borderValue=220)
    stripes = lines_of(page)
    assert len(stripes) == len(layers)
    for stripe, layer in zip(stripes, layers, strict=True):
        assert ink_of(stripe) == pytest.approx(np.count_nonzero(layer), rel=0.08)


@pytest.mark.fidelity("text lines")
def test_one_line_and_one_short_last_line():
    assert len(lines_of(on_paper(draw_lines(lines=1)))) == 1
    layers = draw_lines()
    layers[4][:, 330:] = False
    stripes = lines_of(on_paper(layers))
    assert len(stripes) == 5
    assert ink_of(stripes[4]) == pytest.approx(np.count_nonzero(layers[4]), rel=0.02)


@pytest.mark.parametrize("level", [0, 200, 255])
def test_a_blank_page_is_refused(level):
    with pytest.raises(FkdError, match="blank"):
        lines_of(np.full((300, 400), level, np.uint8))


def test_a_page_of_paper_grain_is_blank():
    grain = np.random.default_rng(0).normal(210, 4, (600, 800)).astype(np.uint8)
    with pytest.raises(FkdError, match="blank"):
        lines_of(grain)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (30, 30), (400, 3000), (1, 3000)])
def test_odd_shapes_give_stripes_or_a_reason(shape):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    try:
        stripes = lines_of(page)
    except FkdError:
        return
    assert all(stripe.shape[1] == shape[1] for stripe in stripes)


@pytest.mark.fidelity("text lines")
def test_real_pages_have_plausible_lines(shared):
    pages = sorted((shared / "data/iam/pages").glob("*.png"))[::40]
    stripes = [lines_of(read_gray(page)) for page in pages]
    counts = [sum(without_spaces(s).shape[1] > 220 for s in of_page) for of_page in stripes]
    assert len(counts) >= 16 and min(counts) >= 4 and max(counts) <= 13
    heights = [len(stripe) for of_page in stripes for stripe in of_page]
    assert 150 < np.median(heights) < 220


@pytest.mark.fidelity("text lines")
@pytest.mark.parametrize(
    ("page", "lines"),
    [("b04-140", 9), ("g03-004", 6), ("a01-011x", 9), ("b04-208", 3), ("b06-027", 10)],
)
def test_hard_real_pages_have_the_lines_that_one_sees(shared, page, lines):
    """Wide spacing, narrow spacing, few lines, and ascenders that touch the line above."""
    stripes = lines_of(read_gray(shared / f"data/iam/pages/{page}.png"))
    assert len(stripes) == lines


@pytest.mark.fidelity("text lines")
def test_a_worn_scan_of_a_real_page_gives_the_same_lines(shared):
    """Blur, shade, grain and slant put on a page of one bit change no line."""
    page = read_gray(shared / "data/iam/pages/a01-011.png")
    shear = np.array([[1, 0, 0], [0.03, 1, -0.03 * page.shape[1] / 2]])
    worn = cv2.warpAffine(page, shear, page.shape[::-1], borderValue=255).astype(float)
    worn = cv2.GaussianBlur(worn, (0, 0), 1.5) * np.linspace(0.6, 0.95, page.shape[1])
    worn += np.random.default_rng(0).normal(0, 5, page.shape)
    clean, worn = lines_of(page), lines_of(np.clip(worn, 0, 255).astype(np.uint8))
    assert len(clean) == len(worn) == 7
    for one, other in zip(clean, worn, strict=True):
        kept = np.count_nonzero(one < 128)
        assert np.count_nonzero(other < 110) == pytest.approx(kept, rel=0.15)


@pytest.mark.fidelity("spaces")
def test_spaces_are_removed():
    stripe = np.full((40, 100), 230, np.uint8)
    stripe[::2] -= 3  # paper: a column deviates by 1.5
    stripe[10:30, 20:50] = 40
    stripe[10:30, 70:90] = 60
    closed = without_spaces(stripe)
    assert np.array_equal(closed, np.hstack([stripe[:, 20:50], stripe[:, 70:90]]))
    assert without_spaces(np.full((40, 100), 255, np.uint8)).shape == (40, 0)


@pytest.mark.fidelity("spaces")
def test_columns_of_a_tenth_of_the_largest_deviation_are_spaces():
    deviations = np.array([100, 9, 10, 11, 0, 1, 50])
    stripe = np.tile([[-1], [1]], (20, 1)) * deviations + 128
    closed = without_spaces(stripe.astype(np.uint8))
    assert np.array_equal(closed, stripe[:, [0, 3, 6]])


@pytest.mark.fidelity("spaces")
@pytest.mark.parametrize("seed", range(5))
def test_spaces_are_removed_as_in_two_passes(seed):
    """At 1 % of the largest deviation a second pass finds no column to remove."""
    draw = np.random.default_rng(seed)
    fading = draw.normal(220, np.geomspace(0.01, 60, 300), (50, 300))
    stripe = np.clip(fading, 0, 255).astype(np.uint8)
    twice = stripe
    for share in (0.10, 0.01):
        spread = twice.astype(float).std(axis=0)
        twice = twice[:, spread > share * spread.max()]
    assert 20 < twice.shape[1] < 280
    assert np.array_equal(without_spaces(stripe), twice)


# ------------------------------------------------------------------------- the list of pages


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def listed(tmp_path, layout, shards=1, validation_share=0.3, seed=0, pattern=None):
    list_pages(
        source=tmp_path / "source",
        layout=layout,
        out=tmp_path / "pages.csv",
        quarantine=tmp_path / "aside.csv",
        shards=shards,
        validation_share=validation_share,
        seed=seed,
        pattern=pattern,
    )
    with (tmp_path / "pages.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_cvl_prefers_cropped_pages(tmp_path):
    source = tmp_path / "source"
    touch(source, "trainset/pages/0002-1.tif", "testset/pages/0001-2.tif")
    touch(source, "testset/pages/0001-1.tif", "testset/pages/0001-1-cropped.tif")
    touch(source, "testset/words/0001/0001-1-0-0-Word.tif", "readme.txt")
    rows = listed(tmp_path, "cvl")
    assert [(row["page"], row["writer"]) for row in rows] == [
        ("0001-1", "0001"),
        ("0001-2", "0001"),
        ("0002-1", "0002"),
    ]
    assert rows[0]["file"].endswith("0001-1-cropped.tif")
    aside = Quarantine.read(tmp_path / "aside.csv")
    assert (aside.rows, [file for file, _ in aside.passed_over]) == (
        [],
        [str(source / "readme.txt")],
    )


def iam(tmp_path, names, table):
    touch(tmp_path / "source", *(f"pages/{name}" for name in names))
    (tmp_path / "source").mkdir(exist_ok=True)
    (tmp_path / "source" / "writers.csv").write_text(table)


def test_iam(tmp_path):
    iam(tmp_path, ["b.png", "a.png", "note.txt"], "page,writer\na.png,7\nb.png,8\nc.png,8\n")
    rows = listed(tmp_path, "iam")
    assert [(row["page"], row["writer"]) for row in rows] == [("a.png", "7"), ("b.png", "8")]
    aside = Quarantine.read(tmp_path / "aside.csv")
    (named, _), *more = aside.rows
    assert named.endswith("c.png") and not more
    assert [Path(file).name for file, _ in aside.passed_over] == ["note.txt"]


def test_iam_needs_every_writer(tmp_path):
    iam(tmp_path, ["a.png", "b.png"], "page,writer\na.png,7\n")
    with pytest.raises(FkdError, match=r"no writer for b\.png"):
        listed(tmp_path, "iam")


def test_iam_needs_its_table(tmp_path):
    touch(tmp_path / "source", "pages/a.png")
    with pytest.raises(FkdError, match=r"writers\.csv: no such file"):
        listed(tmp_path, "iam")
    (tmp_path / "source" / "writers.csv").write_text("a.png,7\n")
    with pytest.raises(FkdError, match="must name the columns"):
        listed(tmp_path, "iam")


def test_iam_takes_the_table_as_spreadsheets_save_it(tmp_path):
    table = "page,writer\r\na.png,Zoë\r\na.png,Zoë\r\n,\r\n"
    iam(tmp_path, ["a.png"], "")
    (tmp_path / "source/writers.csv").write_bytes(b"\xef\xbb\xbf" + table.encode())
    assert [(row["page"], row["writer"]) for row in listed(tmp_path, "iam")] == [("a.png", "Zoë")]
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "source/writers.csv").write_bytes(table.encode(encoding))
        with pytest.raises(FkdError, match=r"writers\.csv: no CSV in UTF-8"):
            listed(tmp_path, "iam")
    (tmp_path / "source/writers.csv").write_text("page,writer\na.png,7\n", "utf-16-le")
    with pytest.raises(FkdError, match="must name the columns"):
        listed(tmp_path, "iam")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("page,writer\na.png,7\na.png,8\n", r"a\.png has the writers 7 and 8"),
        ("writer,page\n7\n", "the writer 7 names no page"),
        ('page,writer\n"a.png"x,7\n', "no CSV in UTF-8"),
    ],
)
def test_iam_refuses_a_table_that_contradicts_itself(tmp_path, table, reason):
    iam(tmp_path, ["a.png"], table)
    with pytest.raises(FkdError, match=reason):
        listed(tmp_path, "iam")


def test_iam_pages_lie_in_one_folder(tmp_path):
    iam(tmp_path, ["a.png", "more/b.png"], "page,writer\na.png,7\n")
    assert len(listed(tmp_path, "iam")) == 1
    [(file, reason)] = Quarantine.read(tmp_path / "aside.csv").rows
    assert file.endswith("pages/more/b.png") and "not directly" in reason


@pytest.mark.parametrize(
    ("layout", "pages"),
    [
        ("folder", ["ann/1.png", "ann/2.png"]),
        ("cvl", ["set/0001-1.tif", "set/0001-2.tif"]),
        ("iam", ["pages/1.png", "pages/2.png"]),
    ],
)
def test_linked_pages_are_listed(tmp_path, layout, pages):
    touch(tmp_path, *(f"disk/{page}" for page in pages))
    (tmp_path / "source").mkdir()
    folder = pages[0].split("/")[0]
    (tmp_path / "source" / folder).symlink_to(tmp_path / "disk" / folder)
    (tmp_path / "disk" / folder / "loop").symlink_to(tmp_path / "source")
    (tmp_path / "source" / "writers.csv").write_text("page,writer\n1.png,7\n2.png,7\n")
    assert len(listed(tmp_path, layout)) == 2


def touch_latin_1(folder, name):
    """Make a file whose name holds Latin-1, as archives unpacked elsewhere do."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / os.fsdecode(name.encode("latin-1"))).write_bytes(b"x")
    except OSError as error:
        pytest.skip(f"this file system takes UTF-8 names alone ({error})")


@pytest.mark.parametrize("layout", ["cvl", "iam", "folder"])
def test_names_that_are_not_utf_8_are_set_aside(tmp_path, layout):
    source = tmp_path / "source"
    iam(tmp_path, ["1.png"], "page,writer\n1.png,7\n")
    touch(source, "set/0001-1.tif")
    touch_latin_1(source / "pages", "Zoë.png")
    pages = [row["page"] for row in listed(tmp_path, layout)]
    assert pages == {
        "cvl": ["0001-1"],
        "iam": ["1.png"],
        "folder": ["pages/1.png", "set/0001-1.tif"],
    }.get(layout)
    rows = dict(Quarantine.read(tmp_path / "aside.csv").rows)
    assert "not UTF-8" in rows[f"{source}/pages/Zo\\udceb.png"]


def test_where_all_is_set_aside_the_log_says_why(tmp_path, caplog):
    touch_latin_1(tmp_path / "source" / "ann", "é.png")
    with pytest.raises(FkdError, match=r"no page in the layout 'folder'\. The log of this stage"):
        listed(tmp_path, "folder")
    assert "udce9.png: the name is not UTF-8" in caplog.text


def test_folder(tmp_path):
    touch(tmp_path / "source", "ann/1.png", "ann/2.jpg", "bob/1.png", "stray.png", "ann/.hidden")
    rows = listed(tmp_path, "folder")
    assert [(row["page"], row["writer"]) for row in rows] == [
        ("ann/1.png", "ann"),
        ("ann/2.jpg", "ann"),
        ("bob/1.png", "bob"),
    ]
    assert len(Quarantine.read(tmp_path / "aside.csv")) == 1


def test_a_pattern_reads_writer_and_page(tmp_path):
    touch(tmp_path / "source", "scan-ann-1.png", "scan-ann-2.tif", "old/scan-bob-7.png", "x.png")
    patterns = ["scan-{writer}-{page}.*", "*/scan-{writer}-{page:1-9}.png"]
    rows = listed(tmp_path, "folder", pattern=patterns)
    assert [(row["page"], row["writer"]) for row in rows] == [
        ("ann/1", "ann"),
        ("ann/2", "ann"),
        ("bob/7", "bob"),
    ]
    aside = Quarantine.read(tmp_path / "aside.csv")
    assert not aside.rows
    [(file, reason)] = aside.passed_over
    assert file.endswith("x.png") and "fits no pattern" in reason


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{writer}.png", r"needs \{writer\}, \{page\} once"),
        (["{writer}-{page}.png", "{page}-{writer}.png"], r"ann-1\.png: matches several patterns"),
        ("{writer}_{page}.png", r"no page in the layout 'folder'"),
    ],
)
def test_patterns_of_pages_that_do_not_work(tmp_path, pattern, reason):
    touch(tmp_path / "source", "ann-1.png")
    with pytest.raises(FkdError, match=reason):
        listed(tmp_path, "folder", pattern=pattern)


@pytest.mark.parametrize("layout", ["cvl", "iam"])
def test_layouts_with_names_of_their_own_take_no_pattern(tmp_path, layout):
    touch(tmp_path / "source", "ann-1.png")
    with pytest.raises(FkdError, match=f"pattern: {layout} has names of its own"):
        listed(tmp_path, layout, pattern="{writer}-{page}.png")


def test_images_of_one_page_stay_together(tmp_path):
    """In one shard, and all for training or all for validation."""
    names = [f"{w}-{page}-{part}.png" for w in ("ann", "bob") for page in "123" for part in "abcd"]
    touch(tmp_path / "source", *names)
    rows = listed(tmp_path, "crops", shards=4, pattern="{writer}-{page}-?.png")
    assert len(rows) == 24 and len({row["page"] for row in rows}) == 6
    for column in ("shard", "validation_share"):
        assert len({(row["page"], row[column]) for row in rows}) == 6
    assert [row["shard"] for row in rows[::4]] == ["0", "0", "1", "2", "2", "3"]
    for writer in ("ann", "bob"):
        shares = {r["page"]: float(r["validation_share"]) for r in rows if r["writer"] == writer}
        assert sorted(shares.values()) == [0, 0, 1]
    with pytest.raises(FkdError, match="6 pages cannot fill 7 shards"):
        listed(tmp_path, "crops", shards=7, pattern="{writer}-{page}-?.png")


@pytest.mark.parametrize("layout", ["cvl", "iam", "folder", "crops"])
def test_missing_and_empty_sources(tmp_path, layout):
    with pytest.raises(FkdError, match="no such folder"):
        listed(tmp_path, layout)
    iam(tmp_path, [], "page,writer\n")
    with pytest.raises(FkdError, match="no page"):
        listed(tmp_path, layout)


def test_unknown_layout(tmp_path):
    with pytest.raises(FkdError, match="layout 'rimes' is unknown"):
        listed(tmp_path, "rimes")


def test_more_shards_than_pages(tmp_path):
    touch(tmp_path / "source", "ann/1.png")
    with pytest.raises(FkdError, match="cannot fill 2 shards"):
        listed(tmp_path, "folder", shards=2)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_an_impossible_share(tmp_path, share):
    touch(tmp_path / "source", "ann/1.png")
    with pytest.raises(FkdError, match="validation_share"):
        listed(tmp_path, "folder", validation_share=share)


def test_a_shard_beyond_the_list(tmp_path):
    touch(tmp_path / "source", "ann/1.png")
    listed(tmp_path, "folder")
    with pytest.raises(FkdError, match="no page in shard 1"):
        segmented(tmp_path, shard=1)


def test_shards_are_even_blocks(tmp_path):
    touch(tmp_path / "source", *(f"ann/{n:02}.png" for n in range(17)))
    blocks = [int(row["shard"]) for row in listed(tmp_path, "folder", shards=5)]
    assert blocks == sorted(blocks)
    assert set(np.bincount(blocks)) == {3, 4}


@pytest.mark.fidelity("validation share")
def test_validation_pages(tmp_path):
    touch(tmp_path / "source", "one/a.png", *(f"two/{n}.png" for n in range(2)))
    touch(tmp_path / "source", *(f"ten/{n}.png" for n in range(10)))

    def shares(**options):
        rows = listed(tmp_path, "folder", **options)
        return {
            writer: [float(row["validation_share"]) for row in rows if row["writer"] == writer]
            for writer in ("one", "two", "ten")
        }

    share = shares()
    assert share["one"] == [0.3]  # of its lines
    assert sorted(share["two"]) == [0, 1] and sum(share["ten"]) == 3
    assert shares() == share
    assert any(shares(seed=seed)["ten"] != share["ten"] for seed in (1, 2, 3))
    share = shares(validation_share=0.99)
    assert sum(share["two"]) == 1 and sum(share["ten"]) == 9
    assert not any(sum(values) for values in shares(validation_share=0.0).values())


# ---------------------------------------------------------------------------- from the list


def segmented(tmp_path, shard=0, **options):
    options = {"max_pixels": 10**7, "seed": 0, **options}
    segment_pages(
        pages=tmp_path / "pages.csv",
        shard=shard,
        out=tmp_path / "stripes.h5",
        quarantine=tmp_path / "aside.csv",
        **options,
    )
    rows = dict(Quarantine.read(tmp_path / "aside.csv").rows)
    return shards.read(tmp_path / "stripes.h5", "stripes"), rows


def save_pages(tmp_path, **images):
    for name, image in images.items():
        path = tmp_path / "source" / f"{name.replace('_', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def pixels_of(stripes, row):
    start, height, width = (int(stripes[name][row]) for name in ("offset", "height", "width"))
    return stripes["pixels"][start : start + height * width].reshape(height, width)


@pytest.mark.fidelity("labels")
def test_stripes_in_a_shard(tmp_path):
    layers = draw_lines()
    save_pages(tmp_path, ann_1=on_paper(layers), bob_1=on_paper(draw_lines(lines=4)))
    listed(tmp_path, "folder")
    stripes, aside = segmented(tmp_path)
    assert not aside
    assert stripes.attributes["writers"] == ["ann", "bob"]
    assert stripes["writer"].tolist() == ["ann"] * 5 + ["bob"] * 4
    assert stripes["line"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert stripes["page"].tolist() == ["ann/1.png"] * 5 + ["bob/1.png"] * 4
    assert len(stripes["pixels"]) == (stripes["height"] * stripes["width"]).sum()
    first = np.cumsum(stripes["width"]) - stripes["width"]
    for row, line in enumerate(find_lines(on_paper(layers))):
        assert np.array_equal(pixels_of(stripes, row), without_spaces(line.pixels))
        kept = stripes["columns"][first[row] : first[row] + stripes["width"][row]]
        assert np.array_equal(kept, np.flatnonzero(written_columns(line.pixels)))
        assert stripes["top"][row] == line.top


def test_stripes_are_the_same_however_many_pages_at_a_time(tmp_path):
    pages = {f"ann_{n}": on_paper(draw_lines(lines=1 + n % 3)) for n in range(1, 6)}
    save_pages(tmp_path, **pages, ann_0=np.full((300, 400), 255, np.uint8))
    listed(tmp_path, "folder")
    (one, aside), (several, still_aside) = (segmented(tmp_path, threads=n) for n in (1, 3))
    assert len(aside) == 1 and aside == still_aside
    for name, values in one.arrays.items():
        assert np.array_equal(values, several[name]), name


def test_a_shard_knows_all_writers_but_holds_its_own_pages(tmp_path):
    save_pages(tmp_path, ann_1=on_paper(draw_lines()), bob_1=on_paper(draw_lines(lines=4)))
    listed(tmp_path, "folder", shards=2)
    stripes, _ = segmented(tmp_path, shard=1)
    assert stripes.attributes["writers"] == ["ann", "bob"] and set(stripes["writer"]) == {"bob"}


@pytest.mark.fidelity("validation share")
def test_the_share_holds_over_writers_of_few_pages(tmp_path):
    """CVL's writers have five pages: 29 % of them are neither one nor two."""
    touch(tmp_path / "source", *(f"w{w:03}/{n}.png" for w in range(200) for n in range(5)))
    rows = listed(tmp_path, "folder", validation_share=0.29)
    assert sum(float(row["validation_share"]) for row in rows) / 1000 == pytest.approx(
        0.29, abs=0.02
    )


@pytest.mark.fidelity("validation share")
def test_lines_of_an_only_page_are_parted(tmp_path):
    save_pages(tmp_path, ann_1=on_paper(draw_lines()))
    listed(tmp_path, "folder", validation_share=0.4)
    stripes, _ = segmented(tmp_path)
    assert stripes["validation"].sum() == 2


@pytest.mark.fidelity("validation share")
def test_pages_are_kept_or_left_for_validation_whole(tmp_path):
    save_pages(tmp_path, ann_1=on_paper(draw_lines()), ann_2=on_paper(draw_lines(lines=4)))
    rows = {row["page"]: row["validation_share"] for row in listed(tmp_path, "folder")}
    stripes, _ = segmented(tmp_path)
    for page, validation in zip(stripes["page"], stripes["validation"], strict=True):
        assert validation == (rows[page] == "1")
    assert len(set(stripes["validation"])) == 2


def test_bad_pages_are_set_aside(tmp_path):
    blank = np.full((300, 400), 255, np.uint8)
    small = on_paper(draw_lines(lines=1))[:, :300]
    save_pages(tmp_path, a_blank=blank, a_narrow=small, b_huge=np.zeros((4000, 4000), np.uint8))
    touch(tmp_path / "source", "b/broken.png")
    listed(tmp_path, "folder")
    stripes, aside = segmented(tmp_path)
    reasons = {file.rsplit("/", 1)[1]: reason for file, reason in aside.items()}
    assert "blank" in reasons["blank.png"] and "no stripe" in reasons["narrow.png"]
    assert "too large" in reasons["huge.png"] and "not a readable" in reasons["broken.png"]
    assert len(stripes["pixels"]) == len(stripes["line"]) == 0
    assert stripes.attributes["dropped"] == 1


@pytest.mark.fidelity("ink of one-bit pages")
def test_ink_of_two_level_pages_gets_gray(tmp_path):
    page = np.where(np.any(draw_lines(), axis=0), 0, 255).astype(np.uint8)
    save_pages(tmp_path, ann_1=page, ann_2=page, bob_1=on_paper(draw_lines()))
    listed(tmp_path, "folder")
    stripes, _ = segmented(tmp_path, ink_gray=[60, 120])
    levels = [np.unique(pixels_of(stripes, row)) for row in (0, 1, 5, 10)]
    assert levels[0][1] == levels[2][1] == 255 and len(levels[0]) == len(levels[2]) == 2
    assert 60 <= levels[0][0] <= 120 and levels[0][0] != levels[2][0]
    assert np.array_equal(levels[0], levels[1]) and len(levels[3]) > 50
    black, _ = segmented(tmp_path)
    assert np.unique(pixels_of(black, 0)).tolist() == [0, 255]
    assert np.array_equal(black["width"], stripes["width"])


@pytest.mark.fidelity("small stripes")
def test_stripes_of_few_rows_or_columns_are_dropped(tmp_path):
    save_pages(tmp_path, ann_1=on_paper(draw_lines()))
    listed(tmp_path, "folder")
    every, _ = segmented(tmp_path)
    some, _ = segmented(tmp_path, min_columns=int(np.sort(every["width"])[1]))
    assert len(some["line"]) == 3 and some.attributes["dropped"] == 2
    none, aside = segmented(tmp_path, min_rows=1000)
    assert len(none["line"]) == 0 and list(aside.values()) == ["no stripe is large enough"]


@pytest.mark.fidelity("small stripes")
def test_stripes_of_20_rows_or_220_columns_are_dropped(tmp_path):
    pages = {}
    for rows in (20, 21):
        for columns in (220, 221):
            # One line of upright strokes. Of so flat a page its stripe has all rows but one.
            page = np.full((rows + 1, 400), 230, np.uint8)
            page[6:-6, 30 + 3 * np.arange(columns) // 2] = 40
            [stripe] = lines_of(page)
            assert without_spaces(stripe).shape == (rows, columns)
            pages[f"ann_{rows}x{columns}"] = page
    save_pages(tmp_path, **pages)
    listed(tmp_path, "folder")
    found, aside = segmented(tmp_path)
    assert found["page"].tolist() == ["ann/21x221.png"]
    assert (found["height"].tolist(), found["width"].tolist()) == ([21], [221])
    assert found.attributes["dropped"] == 3
    assert list(aside.values()) == ["no stripe is large enough"] * 3


# ------------------------------------------------------------- text crops that others cut


def scribbles(count, seed=0):
    """Text crops of different sizes: strokes on gray paper."""
    draw = np.random.default_rng(seed)
    crops = []
    for _ in range(count):
        crop = np.full((int(draw.integers(12, 90)), int(draw.integers(60, 300))), 225, np.uint8)
        ends = draw.integers(0, np.array([[crop.shape[1], len(crop)]] * 5))
        cv2.polylines(crop, [ends.astype(np.int32)], False, 60, 3)
        crops.append(crop)
    return crops


def test_ready_made_crops_are_stripes_as_they_are(tmp_path):
    """No line is searched for, no space is closed, and none is too small."""
    images = scribbles(5)
    save_pages(tmp_path, **{f"ann_{n}": image for n, image in enumerate(images)})
    save_pages(tmp_path, bob_dark=255 - images[0])
    touch(tmp_path / "source", "bob/broken.png")
    listed(tmp_path, "crops")
    stripes, aside = segmented(tmp_path, ready_made=True)
    assert stripes["page"].tolist() == [f"ann/{n}.png" for n in range(5)]
    for row, image in enumerate(images):
        assert np.array_equal(pixels_of(stripes, row), image)
    assert set(stripes["line"]) == set(stripes["top"]) == {0}
    assert stripes.attributes["dropped"] == 0
    reasons = {Path(file).name: reason for file, reason in aside.items()}
    assert set(reasons) == {"dark.png", "broken.png"} and "light" in reasons["dark.png"]


def test_images_of_one_page_are_numbered_through(tmp_path):
    images = scribbles(4)
    save_pages(tmp_path, **{f"ann-1{'abcd'[n]}": image for n, image in enumerate(images)})
    listed(tmp_path, "crops", validation_share=0.5, pattern="{writer}-{page:1}?.png")
    stripes, _ = segmented(tmp_path, ready_made=True)
    assert set(stripes["page"]) == {"ann/1"} and stripes["line"].tolist() == [0, 1, 2, 3]
    assert stripes["top"].tolist() == np.cumsum([0, *map(len, images[:-1])]).tolist()
    assert stripes["validation"].sum() == 2  # of a writer's only page, some lines


def test_a_page_in_two_parts_has_the_lines_of_both(tmp_path):
    page = on_paper(draw_lines())
    save_pages(tmp_path, **{"ann-1a": page, "ann-1b": on_paper(draw_lines(lines=3))})
    listed(tmp_path, "folder", pattern="{writer}-{page:1}?.png")
    stripes, _ = segmented(tmp_path)
    assert stripes["line"].tolist() == list(range(8))
    assert stripes["top"][5] >= len(page)
