"""What must not get in: no key, the wrong role, other customers' things, hostile names and bodies."""

import asyncio
import logging
from uuid import uuid4

import pytest
from serving import as_files, serving

from fkd.service.access import FAILURES
from fkd.service.gate import Gate, Limits

SMALL = Limits(body=300_000, seconds=0.2)


@pytest.fixture(scope="module")
def service(made, tmp_path_factory):
    place = tmp_path_factory.mktemp("security")
    with serving(f"sqlite:///{place}/fkd.sqlite", made, SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def operations(service):
    """All operations that need a key, with identifiers filled in."""
    contract = service.client.get("/openapi.json").json()
    found = []
    for path, methods in contract["paths"].items():
        filled = path.replace("{key_id}", "0")
        for name in ("customer_id", "reference_id", "verification_id"):
            filled = filled.replace(f"{{{name}}}", str(uuid4()))
        found += [(method.upper(), filled, path) for method in methods]
    return [one for one in found if one[1] not in ("/health", "/ready")]


ALLOWED = {
    ("POST", "/v1/customers"): "enroll",
    ("GET", "/v1/customers"): "enroll verify",
    ("GET", "/v1/customers/{customer_id}"): "enroll verify",
    ("DELETE", "/v1/customers/{customer_id}"): "admin",
    ("POST", "/v1/customers/{customer_id}/references"): "enroll",
    ("GET", "/v1/customers/{customer_id}/references"): "enroll",
    ("DELETE", "/v1/customers/{customer_id}/references/{reference_id}"): "enroll",
    ("POST", "/v1/customers/{customer_id}/verifications"): "verify",
    ("GET", "/v1/customers/{customer_id}/verifications"): "verify",
    ("GET", "/v1/customers/{customer_id}/verifications/{verification_id}"): "verify",
    ("POST", "/v1/customers/{customer_id}/explanations"): "verify",
    ("GET", "/v1/models"): "verify",
    ("POST", "/v1/keys"): "admin",
    ("GET", "/v1/keys"): "admin",
    ("DELETE", "/v1/keys/{key_id}"): "admin",
    ("GET", "/v1/audit"): "audit",
    ("GET", "/v1/audit/check"): "audit",
    ("GET", "/metrics"): "audit",
}
"""The roles of which each operation needs one."""

WRONG_KEYS = {
    "none": None,
    "empty": "",
    "of no kind": "Bearer",
    "of another kind": "Basic Zm86YmFy",
    "invented": "Bearer fkd_000000000000_secret",
    "long": "Bearer fkd_" + "x" * 5000,
    "sql": "Bearer fkd_' OR 1=1 --_x",
}


def request(service, method, filled, headers):
    sent = {"files": as_files([b"x"])} if method == "POST" and filled.count("/") > 3 else {}
    if method == "POST" and not sent:
        sent = {"json": {"name": "x", "roles": ["admin"]} if "keys" in filled else {}}
    return service.client.request(method, filled, headers=headers, **sent)


@pytest.mark.parametrize("given", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_without_a_key_there_is_no_answer(service, operations, given, monkeypatch):
    monkeypatch.setattr(service.parts.access, "_limiter", Unlimited())
    headers = {"Authorization": given or ""}
    for method, filled, _ in operations:
        answer = request(service, method, filled, headers)
        assert answer.status_code == 401, (method, filled, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"


class Unlimited:
    """No limits of rates."""

    def test(self, *_):
        return True

    def hit(self, *_):
        return True


def test_each_operation_needs_its_role(service, operations):
    assert {(method, path) for method, _, path in operations} == set(ALLOWED)
    for method, filled, path in operations:
        for role in ("enroll", "verify", "audit", "admin"):
            answer = request(service, method, filled, service.using(role))
            allowed = role in ALLOWED[method, path].split()
            assert (answer.status_code != 403) == allowed, (method, path, role, answer.text)


def test_a_key_that_differs_in_its_last_letter_is_wrong(service):
    key = service.keys["all"]
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    answer = service.client.get("/v1/models", headers={"Authorization": f"Bearer {wrong}"})
    assert answer.status_code == 401


def test_secrets_are_not_stored(service):
    for key in service.keys.values():
        stored = service.parts.store.key(key.split("_")[1])
        assert stored[1].startswith("$argon2id$") and key.split("_", 2)[2] not in str(stored)


def test_things_of_another_customer_are_not_found(service, made):
    ann, bob = service.new_customer(), service.new_customer()
    reference = service.enroll(ann, made.genuine(1)[:1])[0]["reference_id"]
    sent = service.client.post(
        f"/v1/customers/{ann}/verifications", files=as_files(made.genuine(1)[3:4])
    )
    verification = sent.json()[0]["verification_id"]
    for method, path in (
        ("DELETE", f"references/{reference}"),
        ("GET", f"verifications/{verification}"),
    ):
        assert service.client.request(method, f"/v1/customers/{bob}/{path}").status_code == 404
    assert len(service.client.get(f"/v1/customers/{ann}/references").json()) == 1


NAMES = {
    "sql": "Robert'); DROP TABLE customers; --",
    "markup": "<script>alert(1)</script>",
    "template": "{{7*7}} ${7*7} %s {0}",
    "path": "../../../etc/passwd",
    "unicode": "Zoë 𝒮𝓂𝒾𝓉𝒽 \u202eabc",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_kept_as_they_are(service, name):
    customer = service.new_customer(label=name)
    assert service.client.get(f"/v1/customers/{customer}").json()["label"] == name
    assert len(service.client.get("/v1/customers").json()) > 0


@pytest.mark.parametrize("name", ["../../x.png", "/etc/passwd", "a\\..\\b.png", "x" * 5000, ""])
def test_names_of_files_lead_nowhere(service, made, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    customer = service.new_customer()
    files = [("images", (name or None, made.genuine(1)[0].read_bytes(), "image/png"))]
    answer = service.client.post(f"/v1/customers/{customer}/references", files=files)
    # A name that is too long, or none, is no part of a form with a file.
    assert answer.status_code == 201 or (not 0 < len(name) < 1000 and answer.status_code < 500)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/v1/../metrics", "//v1/models", "/v1//models", "/V1/models"])
def test_other_spellings_of_paths_open_nothing(service, path):
    answer = service.client.get(path, headers=service.using(None))
    assert answer.status_code in (401, 404)


def test_a_large_body_is_refused(service, made):
    customer = service.new_customer()
    place = f"/v1/customers/{customer}/references"
    answer = service.client.post(place, files=as_files([b"x" * SMALL.body]))
    assert answer.status_code == 413 and answer.json()["code"] == "too_large"


def test_too_many_images_are_refused(service):
    place = f"/v1/customers/{service.new_customer()}/references"
    assert service.client.post(place, files=as_files([b"x"] * 21)).status_code == 422


def call(service, messages, headers=(), key="all", path="/v1/customers"):
    """Call the application itself, with a body that comes as the messages say."""
    sent, taken = [], 0
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"content-type", b"application/json")],
        "client": ("192.0.2.1", 1),
        "server": ("test", 80),
    }
    if key:
        scope["headers"].append((b"authorization", f"Bearer {service.keys[key]}".encode()))

    async def receive():
        nonlocal taken
        taken += 1
        message = next(messages, None)
        if message is None:
            await asyncio.Event().wait()  # nothing ever comes
        return message

    async def send(message):
        sent.append(message)

    gate = service.client.app
    assert isinstance(gate, Gate)
    asyncio.run(gate(scope, receive, send))
    return sent[0]["status"], taken


def parts(size):
    while True:
        yield {"type": "http.request", "body": b" " * size, "more_body": True}


def test_a_body_that_never_ends_is_cut_off(service):
    status, taken = call(service, parts(10_000))
    assert status == 413 and taken <= SMALL.body // 10_000 + 1


def test_a_slow_body_is_given_up(service):
    first = iter([{"type": "http.request", "body": b"{", "more_body": True}])
    assert call(service, first)[0] == 408


def test_a_stated_length_that_is_too_large_or_none_is_refused_before_the_body(service):
    for stated in (b"999999999", b"-1", b"x"):
        assert call(service, parts(1), [(b"content-length", stated)]) == (413, 0)


def test_the_body_of_a_stranger_is_not_taken(service):
    assert call(service, parts(1), key=None) == (401, 0)


def test_wrong_keys_do_not_keep_out_who_is_known(made, tmp_path):
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made, verifier=None) as service:
        assert service.client.get("/v1/keys").status_code == 200
        wrong = {"Authorization": "Bearer fkd_a_b"}
        for _ in range(FAILURES + 1):
            service.client.get("/v1/keys", headers=wrong)
        assert service.client.get("/v1/keys").status_code == 200


def test_wrong_keys_are_counted_by_address(made, tmp_path):
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made, verifier=None) as service:
        wrong = {"Authorization": "Bearer fkd_a_b"}
        found = [service.client.get("/v1/keys", headers=wrong).status_code for _ in range(12)]
        assert found == [401] * FAILURES + [429] * 2
        assert service.client.get("/v1/keys").status_code == 429  # not known to this process yet
        assert service.client.get("/health").status_code == 200


def test_requests_are_counted_by_key(made, tmp_path):
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made, per_minute=3, verifier=None) as service:
        found = [service.client.get("/v1/keys").status_code for _ in range(4)]
        assert found == [200] * 3 + [429]
        assert service.client.get("/v1/audit", headers=service.using("audit")).status_code == 200


def test_all_answers_have_the_headers(service):
    for path in ("/health", "/v1/models", "/v1/none", "/none"):
        headers = service.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_a_fault_of_the_service_tells_nothing_but_a_number(service, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("secret of Ann Smith")

    monkeypatch.setattr(service.parts.store, "keys", fail)
    with caplog.at_level(logging.ERROR):
        answer = service.client.get("/v1/keys")
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.json()["detail"].split()[-1].rstrip(".") in caplog.text


def test_logs_hold_neither_images_nor_names(service, made, caplog):
    with caplog.at_level(logging.DEBUG):
        customer = service.new_customer(label="Ann Smith")
        service.enroll(customer, made.genuine(2)[:1])
        service.client.post(f"/v1/customers/{customer}/references", files=as_files([b"no image"]))
    assert "Ann Smith" not in caplog.text and "PNG" not in caplog.text
