"""Images are worked on several at a time, and nothing shows it but the time."""

from itertools import islice
from threading import Event

import cv2
import numpy as np
import pytest
from PIL import Image

from fkd.errors import FkdError
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards
from fkd.threads import side_by_side


@pytest.mark.parametrize("threads", [1, 2, None])
def test_results_come_in_the_items_order(threads):
    assert list(side_by_side(lambda n: n * n, range(50), threads)) == [n * n for n in range(50)]
    assert list(side_by_side(str, [], threads)) == []


def test_a_later_item_may_be_done_first():
    later_is_done = Event()

    def work(number):
        if number == 1:
            later_is_done.set()
            return number
        assert later_is_done.wait(30), "nothing else was worked on meanwhile"
        return number

    assert list(side_by_side(work, [0, 1], threads=2)) == [0, 1]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_in_its_turn(threads):
    def work(number):
        if number == 2:
            raise FkdError("the third")
        return number

    results = side_by_side(work, range(5), threads)
    assert list(islice(results, 2)) == [0, 1]
    with pytest.raises(FkdError, match="the third"):
        next(results)


def test_opencv_takes_one_core_meanwhile():
    before = cv2.getNumThreads()
    assert set(side_by_side(lambda _: cv2.getNumThreads(), range(4), threads=2)) == {1}
    assert cv2.getNumThreads() == before


def test_signatures_are_the_same_however_many_at_a_time(tmp_path, caplog):
    """Also those set aside, and the first of those cut to the canvas."""
    draw = np.random.default_rng(0)
    for number in range(24):
        image = np.full((80, 220 if number in (5, 17) else 90), 230, np.uint8)
        cv2.line(image, (5, 5), (image.shape[1] - 6, int(draw.integers(20, 75))), 30, 4)
        if number == 9:
            image[:] = 230
        path = tmp_path / f"scans/{number // 12}-{number % 12:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    given = []
    for threads in (1, 4):
        caplog.clear()
        prepare_signatures(
            name="mine",
            source=tmp_path / "scans",
            layout="folder",
            genuine="{writer}-{sample}.png",
            out=tmp_path / "signatures.h5",
            quarantine=tmp_path / "aside.csv",
            max_pixels=10**6,
            max_share=0.1,
            canvas=(100, 140),
            threads=threads,
        )
        shard = shards.read(tmp_path / "signatures.h5", "signatures")
        aside = (tmp_path / "aside.csv").read_text()
        given.append((shard["image"].tobytes(), shard["file"].tolist(), aside, caplog.text))
    assert given[0] == given[1]
    assert len(given[0][1]) == 23 and "0-09.png" in given[0][2]
    assert "2 of 24 signatures" in given[0][3] and "first is 0-05.png" in given[0][3]
