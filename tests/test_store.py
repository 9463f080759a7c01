"""The database of the service: whole changes or none, sealed, audited; on SQLite and PostgreSQL."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from fkd.errors import FkdError
from fkd.service import audit
from fkd.service.problems import Conflict, Erased, NotFound
from fkd.service.sealing import Vault, new_key
from fkd.service.store import NewReference, Store, connect, migrate, version
from fkd.service.tables import TABLES, audit_head, customers, templates, verifications
from fkd.service.tables import audit as records

OLD, NEW = "a" * 64, "b" * 64
ACTOR = "key"
KEYS = [new_key(), new_key()]


@pytest.fixture
def engine(url):
    opened = connect(url)
    migrate(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine):
    found = Store(engine, Vault(KEYS[:1]))
    found.activate(ACTOR, OLD, {"verifier": ["old.h5"]})
    return found


def new(seed, **changes):
    feature = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    made = NewReference(f"image {seed}".encode(), [{"code": "two_levels"}], feature)
    return replace(made, **changes)


def answer(decision="accept"):
    return {"judgment": {"decision": decision, "match_score": 0.9}, "references": 1, "quality": []}


def raw(engine):
    """All bytes and texts in the database."""
    found = []
    with engine.begin() as connection:
        for table in TABLES.sorted_tables:
            for row in connection.execute(select(table)):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\n".join(found)


def test_the_migrations_make_the_tables_of_the_program(engine):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []
    assert version(engine) == ("0001", "0001")
    assert migrate(engine) == "0001"


def test_tables_of_another_version_are_refused(url):
    engine = connect(url)
    with pytest.raises(FkdError, match=r"of version none.*migrate_store"):
        Store(engine, Vault(KEYS[:1]))
    with ThreadPoolExecutor(2) as both:  # as two processes may
        assert list(both.map(migrate, [engine, connect(url)])) == ["0001", "0001"]
    assert Store(engine, Vault(KEYS[:1])).check_audit() == (0, audit.FIRST, [])


def test_what_is_stored_comes_back(store):
    customer = store.add_customer(ACTOR, "Ann Smith", None)
    added = store.add_references(ACTOR, customer.customer_id, OLD, [new(2), new(1)])
    assert [one.quality for one in added] == [[{"code": "two_levels"}]] * 2
    assert store.references(customer.customer_id) == added
    found = store.customer(customer.customer_id)
    assert (found.label, found.references, found.erased) == ("Ann Smith", 2, None)
    assert store.customers(None, 10) == [found]
    assert store.customers(customer.customer_id, 10) == []
    features = store.templates(customer.customer_id, OLD)
    assert np.array_equal(features, [new(2).feature, new(1).feature])
    images = store.images(customer.customer_id, 5)
    assert images == [(added[0].reference_id, b"image 2"), (added[1].reference_id, b"image 1")]
    made = store.add_verifications(ACTOR, customer.customer_id, OLD, [answer(), answer("reject")])
    assert store.verifications(customer.customer_id, 10) == made[::-1]
    assert store.verification(customer.customer_id, made[0].verification_id) == made[0]
    assert made[1].answer == answer("reject")


def test_nothing_personal_is_readable_in_the_database(store, engine):
    customer = store.add_customer(ACTOR, "Ann Smith", None).customer_id
    store.add_references(ACTOR, customer, OLD, [new(1)])
    store.add_verifications(ACTOR, customer, OLD, [answer()])
    content = raw(engine)
    assert str(customer).encode() in content
    for secret in (b"Ann Smith", b"image 1", b"match_score", new(1).feature.tobytes()):
        assert secret not in content


def test_references_are_added_all_or_none(store):
    customer = store.add_customer(ACTOR, None, None).customer_id
    store.add_references(ACTOR, customer, OLD, [new(1)])
    with pytest.raises(Conflict, match="already"):
        store.add_references(ACTOR, customer, OLD, [new(2), new(1), new(3)])
    with pytest.raises(Conflict, match="already"):
        store.add_references(ACTOR, customer, OLD, [new(2), new(2)])
    assert len(store.references(customer)) == 1
    assert store.check_audit()[0] == 3  # the verifier, the customer, one reference
    other = store.add_customer(ACTOR, None, None).customer_id
    store.add_references(ACTOR, other, OLD, [new(1)])


def test_things_of_another_customer_are_not_found(store):
    ann, bob = (store.add_customer(ACTOR, None, None).customer_id for _ in range(2))
    reference = store.add_references(ACTOR, ann, OLD, [new(1)])[0].reference_id
    made = store.add_verifications(ACTOR, ann, OLD, [answer()])[0].verification_id
    with pytest.raises(NotFound):
        store.remove_reference(ACTOR, bob, reference)
    with pytest.raises(NotFound):
        store.verification(bob, made)
    with pytest.raises(NotFound):
        store.references(uuid4())
    assert len(store.references(ann)) == 1
    store.remove_reference(ACTOR, ann, reference)
    assert store.references(ann) == store.templates(ann, OLD) == []


def test_an_identifier_is_given_once(store):
    chosen = UUID(int=7)
    assert store.add_customer(ACTOR, None, chosen).customer_id == chosen
    with pytest.raises(Conflict):
        store.add_customer(ACTOR, None, chosen)
    store.erase(ACTOR, chosen)
    with pytest.raises(Conflict, match="is or was"):
        store.add_customer(ACTOR, None, chosen)


def test_erasing_leaves_a_tombstone_alone(store, engine):
    ann, bob = (store.add_customer(ACTOR, name, None).customer_id for name in ("Ann", "Bob"))
    for customer in (ann, bob):
        store.add_references(ACTOR, customer, OLD, [new(1), new(2)])
        store.add_verifications(ACTOR, customer, OLD, [answer()])
    before = raw(engine)
    with engine.begin() as connection:
        template = connection.scalars(select(templates.c.sealed_feature)).all()
    erased = store.erase(ACTOR, ann)
    assert erased.erased is not None and (erased.label, erased.references) == (None, 0)
    assert store.customer(ann) == erased and [c.label for c in store.customers(None, 9)] == ["Bob"]
    for refused in (
        lambda: store.references(ann),
        lambda: store.erase(ACTOR, ann),
        lambda: store.add_references(ACTOR, ann, OLD, [new(3)]),
        lambda: store.add_verifications(ACTOR, ann, OLD, [answer()]),
    ):
        with pytest.raises(Erased):
            refused()
    with engine.begin() as connection:
        assert len(connection.execute(select(templates)).all()) == 2
        assert len(connection.execute(select(verifications)).all()) == 1
        label = select(customers.c.sealed_label).where(customers.c.id == str(ann))
        assert connection.scalars(label).one() is None
    after = raw(engine)
    assert (
        sum(one in before for one in template) == 4 and sum(one in after for one in template) == 2
    )
    record = store.records(0, 100)[-1]
    assert (record.action, record.subject, record.details) == ("customer.erased", str(ann), {})
    assert len(store.templates(bob, OLD)) == 2 and store.check_audit()[2] == []


def test_old_and_new_templates_never_mix(store):
    customer = store.add_customer(ACTOR, None, None).customer_id
    store.add_references(ACTOR, customer, OLD, [new(1), new(2)])
    assert store.activate(ACTOR, NEW, {"verifier": ["new.h5"]}) is False
    waiting, number = store.without_template(NEW, 1)
    assert (len(waiting), number) == (1, 2)
    for reference in store.without_template(NEW, 9)[0]:
        assert store.image(reference) in (b"image 1", b"image 2")
        store.add_template(reference, NEW, new(9).feature)
        store.add_template(reference, NEW, new(9).feature)  # a second process, or once more
    store.add_references(ACTOR, customer, OLD, [new(3)])  # meanwhile
    assert store.activate(ACTOR, NEW, {"verifier": ["new.h5"]}) is False
    assert store.active() == (OLD, {"verifier": ["old.h5"]})
    assert len(store.templates(customer, OLD)) == 3
    [last], _ = store.without_template(NEW, 9)
    store.add_template(last, NEW, new(9).feature)
    store.add_template(uuid4(), NEW, new(9).feature)  # of a reference that was removed
    assert store.activate(ACTOR, NEW, {"verifier": ["new.h5"]}) is True
    assert store.active() == (NEW, {"verifier": ["new.h5"]})
    assert store.templates(customer, OLD) == [] and len(store.templates(customer, NEW)) == 3
    with pytest.raises(Conflict, match="become active"):
        store.add_references(ACTOR, customer, OLD, [new(4)])
    for reference in store.without_template(OLD, 9)[0]:
        store.add_template(reference, OLD, new(9).feature)
    assert store.activate(ACTOR, OLD, {"verifier": ["old.h5"]}) is True


@pytest.fixture
def audited(store):
    for name in "abcd":
        store.add_customer(ACTOR, name, None)
    assert store.check_audit()[2] == []
    return store


def change(connection, which, **values):
    connection.execute(update(records).where(records.c.number == which).values(**values))


def edit(connection):
    change(connection, 3, actor="another")


def edit_with_its_hash(connection):
    row = connection.execute(select(records).where(records.c.number == 3)).one()
    fields = (row.number, row.at, row.actor, row.action, "another", json.loads(row.details))
    change(connection, 3, subject="another", hash=audit.hash_of(*fields, row.previous))


def remove(connection):
    connection.execute(delete(records).where(records.c.number == 3))


def remove_the_last(connection):
    connection.execute(delete(records).where(records.c.number == 5))


def remove_all(connection):
    connection.execute(delete(records))


def reorder(connection):
    for old, number in ((3, 99), (4, 3), (99, 4)):
        change(connection, old, number=number)


def take_back(connection):
    """Remove the last record, and set the head back."""
    remove_the_last(connection)
    last = select(records.c.number, records.c.hash).where(records.c.number == 4)
    connection.execute(update(audit_head).values(connection.execute(last).one()._asdict()))


CHANGES = {
    "edited": (edit, "Record 3 was edited"),
    "edited with its hash": (edit_with_its_hash, "Record 4 does not follow"),
    "removed": (remove, "Record 4 stands where 3 should"),
    "the last removed": (remove_the_last, "ends at record 4, and should at 5"),
    "all removed": (remove_all, "ends at record 0, and should at 5"),
    "reordered": (reorder, "Record 3 does not follow"),
}


@pytest.mark.parametrize(("made", "message"), CHANGES.values(), ids=CHANGES)
def test_a_changed_audit_is_found(audited, engine, made, message):
    with engine.begin() as connection:
        made(connection)
    assert any(message in fault for fault in audited.check_audit()[2])


def test_the_head_that_was_kept_shows_what_was_taken_back(audited, engine, monkeypatch, capsys):
    """Who can write the whole database can make a shorter chain; a hash kept elsewhere shows it."""
    from fkd.service import running

    monkeypatch.setattr(running, "_open_store", lambda: audited)
    head = audited.check_audit()[1]
    running.audit(check=True, head=head)
    assert head in capsys.readouterr().out
    with engine.begin() as connection:
        take_back(connection)
    running.audit(check=True)
    with pytest.raises(FkdError, match="is not there any more"):
        running.audit(check=True, head=head)


def test_keys_are_rotated(store, engine, monkeypatch, capsys):
    from fkd.service import running

    customer = store.add_customer(ACTOR, "Ann", None).customer_id
    store.add_customer(ACTOR, None, None)
    store.add_references(ACTOR, customer, OLD, [new(1)])
    store.add_verifications(ACTOR, customer, OLD, [answer()])
    monkeypatch.setattr(running, "_open_store", lambda: Store(engine, Vault(KEYS[::-1])))
    running.rotate_secret()
    rotated = Store(engine, Vault(KEYS[1:]))
    assert rotated.customer(customer).label == "Ann"
    assert len(rotated.templates(customer, OLD)) == len(rotated.verifications(customer, 9)) == 1
    assert rotated.images(customer, 9)[0][1] == b"image 1"
    for read in (store.customer, lambda one: store.images(one, 9)):
        with pytest.raises(FkdError, match="cannot be opened"):
            read(customer)
    monkeypatch.setattr(running, "_open_store", lambda: Store(engine, Vault([new_key()])))
    with pytest.raises(FkdError, match="list the old keys after the new one"):
        running.rotate_secret()


def test_what_was_sealed_for_one_place_is_refused_at_another(store, engine):
    customer = store.add_customer(ACTOR, None, None).customer_id
    store.add_references(ACTOR, customer, OLD, [new(1), new(2)])
    with engine.begin() as connection:
        rows = connection.execute(select(templates)).all()
        for row, other in zip(rows, rows[::-1], strict=True):
            at = templates.c.reference_id == row.reference_id
            changed = update(templates).where(at).values(sealed_feature=other.sealed_feature)
            connection.execute(changed)
    with pytest.raises(FkdError, match="holds what was sealed for feature/"):
        store.templates(customer, OLD)


def test_writers_go_one_after_the_other(store, engine, url):
    """Several at once lose and double nothing, and the chain stays whole."""
    other = connect(url)
    stores = [store, Store(other, Vault(KEYS[:1]))]
    customer = store.add_customer(ACTOR, None, None).customer_id

    def work(number):
        one = stores[number % 2]
        one.add_references(ACTOR, customer, OLD, [new(number)])
        one.add_verifications(ACTOR, customer, OLD, [answer()])

    with ThreadPoolExecutor(7) as workers:
        done = [workers.submit(work, number) for number in range(24)]
        while not all(one.done() for one in done):
            assert store.check_audit()[2] == []  # whoever checks meanwhile sees a whole chain
        assert [one.result() for one in done] == [None] * 24
    other.dispose()
    images = {content for _, content in store.images(customer, 99)}
    assert images == {f"image {number}".encode() for number in range(24)}
    assert len(store.verifications(customer, 99)) == 24
    number, _, faults = store.check_audit()
    assert (number, faults) == (2 + 48, [])


@pytest.mark.parametrize("keys", [[], ["short"], [KEYS[0], "x" * 44]])
def test_keys_that_are_none_are_refused(keys):
    with pytest.raises(FkdError, match="make_secret"):
        Vault(keys)


@pytest.mark.parametrize("named", ["nothing", "mysql://host/name", "http://host"])
def test_other_databases_are_refused(named):
    with pytest.raises(FkdError, match="FKD_DATABASE"):
        connect(named)
