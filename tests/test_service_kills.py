"""A process that is killed at any statement leaves the whole change or none, and can be repeated."""

import os
import signal
import subprocess
from collections.abc import Callable
from uuid import UUID

import numpy as np
import postgres
import pytest
from sqlalchemy import event, inspect

from fkd.service.problems import Conflict
from fkd.service.sealing import Vault, new_key
from fkd.service.store import NewReference, Store, connect, migrate, version

pytestmark = pytest.mark.operations

OLD, NEW, KEY = "a" * 64, "b" * 64, new_key()
CUSTOMER = UUID(int=5)
ANSWER = {"judgment": {"decision": "accept"}, "references": 2, "quality": []}
MOST = 200
"""More statements than any change has."""


def killed_at(place: str, point: int, change: Callable) -> bool:
    """Make a change in a process that kills itself at a statement or commit; tell whether it did."""
    child = os.fork()
    if child == 0:
        try:
            engine, left = connect(place), point

            def step(*_: object) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(engine, "before_cursor_execute", step)
            event.listen(engine, "after_cursor_execute", step)
            event.listen(engine, "commit", step)
            change(engine)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def opened(engine) -> Store:
    return Store(engine, Vault([KEY]))


def new(number):
    return NewReference(b"image %d" % number, [], np.ones(4, np.float32))


@pytest.fixture
def place(url):
    """A database with a customer who has a reference."""
    engine = connect(url)
    migrate(engine)
    store = opened(engine)
    store.activate("test", OLD, {})
    store.add_customer("test", None, CUSTOMER)
    store.add_references("test", CUSTOMER, OLD, [new(0)])
    engine.dispose()
    return url


def enroll(engine):
    opened(engine).add_references("test", CUSTOMER, OLD, [new(1), new(2)])


def verify(engine):
    opened(engine).add_verifications("test", CUSTOMER, OLD, [ANSWER, ANSWER])


def enroll_anew(engine):
    store = opened(engine)
    while not store.activate("test", NEW, {}):
        for reference in store.without_template(NEW, 9)[0]:
            store.add_template(reference, NEW, np.ones(4, np.float32))


def erase(engine):
    opened(engine).erase("test", CUSTOMER)


def state(engine):
    """What is stored: references, templates, verifications, and records of the audit."""
    store = opened(engine)
    number, _, faults = store.check_audit()
    assert faults == []
    if store.customer(CUSTOMER).erased:
        return ("erased", number)
    templates = [len(store.templates(CUSTOMER, one)) for one in (OLD, NEW)]
    images = [content for _, content in store.images(CUSTOMER, 99)]
    made = len(store.verifications(CUSTOMER, 99))
    return images, templates, made, store.active()[0], number


WHOLE = {"enroll": enroll, "verify": verify, "erase": erase}


@pytest.mark.parametrize("change", WHOLE.values(), ids=WHOLE)
def test_a_change_is_made_whole_or_not_at_all(place, change):
    before, seen = None, []
    for point in range(1, MOST):
        engine = connect(place)
        before = before or state(engine)
        engine.dispose()
        if not killed_at(place, point, change):
            break
        engine = connect(place)
        seen.append(state(engine))
        engine.dispose()
        if seen[-1] != before:  # the commit was made, and the process was killed after it
            break
    engine = connect(place)
    after = state(engine)
    assert len(seen) > 8 and set(map(str, seen)) <= {str(before), str(after)} and after != before
    if change is enroll:
        assert after[0] == [b"image 0", b"image 1", b"image 2"] and after[1] == [3, 0]
        with pytest.raises(Conflict, match="already"):  # whoever is unsure may send it again
            enroll(engine)
        assert state(engine) == after
    engine.dispose()


def test_enrolling_anew_goes_on_where_it_was_killed(place):
    engine = connect(place)
    enroll(engine)
    engine.dispose()
    kills = 0
    for point in range(3, MOST, 7):
        kills += killed_at(place, point, enroll_anew)
        engine = connect(place)
        images, templates, _, active, _ = state(engine)
        engine.dispose()
        assert len(images) == 3
        assert (templates[0], active) in ((3, OLD), (0, NEW)) and (
            active == OLD or templates[1] == 3
        )
        if active == NEW:
            break
    assert kills >= 2 and active == NEW


def test_a_killed_migration_leaves_nothing_or_all(url):
    kills = 0
    for point in range(1, MOST):
        killed = killed_at(url, point, migrate)
        kills += killed
        engine = connect(url)
        tables = set(inspect(engine).get_table_names())
        found = version(engine)[0]
        engine.dispose()
        assert (found, bool(tables)) in ((None, False), ("0001", True)), point
        if found or not killed:
            break
    engine = connect(url)
    assert kills > 10 and migrate(engine) == "0001" and opened(engine).check_audit()[2] == []
    engine.dispose()


def test_a_dump_of_postgresql_brings_all_back(postgresql, tmp_path):
    """By the two programs that the page on the service names."""
    dump, restore = postgres.program("pg_dump"), postgres.program("pg_restore")
    assert dump and restore, "no pg_dump and pg_restore beside the server"
    engine = connect(postgresql)
    migrate(engine)
    store = opened(engine)
    store.activate("test", OLD, {})
    store.add_customer("test", "Account 5", CUSTOMER)
    enroll(engine)
    verify(engine)
    before, label = state(engine), store.customer(CUSTOMER).label
    engine.dispose()
    address, copy = postgresql.replace("+psycopg", ""), tmp_path / "copy"
    subprocess.run([dump, "--format=custom", f"--file={copy}", address], check=True)
    postgres.empty(postgresql)
    clean = ["--clean", "--if-exists", f"--dbname={address}"]
    subprocess.run([restore, *clean, copy], check=True)
    engine = connect(postgresql)
    assert state(engine) == before and opened(engine).customer(CUSTOMER).label == label
    assert migrate(engine) == "0001"  # there is nothing to migrate
    engine.dispose()
    postgres.empty(postgresql)
