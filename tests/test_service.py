"""The service over HTTP: enroll, verify, erase, and what it says when something is wrong."""

import base64
import io
import shutil
from itertools import product

import numpy as np
import pytest
from PIL import Image
from serving import as_files, serving
from verified import NUMBERS, describe_set

from fkd.models import shipped
from fkd.service import Verifier, explain
from fkd.service.explanation import overlay
from fkd.signatures.npz import read_npz
from fkd.storage import shards
from fkd.verification import PairProtocol, evaluate_wi, rates_at, read_verifier, set_verifier

NOBODY = "f7a3fc1d-b200-4373-b3c6-9536b37462b6"
AT_ONCE = 8
"""Questioned signatures that are sent at a time."""


@pytest.fixture(scope="module")
def service(made, tmp_path_factory):
    with serving(f"sqlite:///{tmp_path_factory.mktemp('service')}/fkd.sqlite", made) as running:
        yield running


@pytest.fixture
def enrolled(service, made):
    customer = service.new_customer(label="Account 7")
    service.enroll(customer, made.genuine(1)[:3])
    return customer


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert (found["status"], found["code"]) == (status, code) and found["detail"]
    return found


def test_the_service_answers_as_the_library(service, enrolled, made):
    verifier = Verifier.load(*(made.verifier("wi", number) for number in NUMBERS))
    references = made.genuine(1)[:3]
    questioned = [made.genuine(1)[3], *made.forged(1)[:2], made.genuine(2)[0]]
    place = f"/v1/customers/{enrolled}/verifications"
    answers = service.client.post(place, files=as_files(questioned), params={"prior": 0.3})
    assert answers.status_code == 201
    for path, answer in zip(questioned, answers.json(), strict=True):
        expected = verifier.compare(references, path, prior=0.3).judgment
        assert answer["judgment"]["score"] == pytest.approx(expected.score, abs=1e-6)
        assert answer["judgment"]["match_score"] == pytest.approx(expected.match_score, abs=1e-6)
        assert answer["judgment"]["decision"] == expected.decision
        assert answer["references"] == 3 and answer["verifier"] == verifier.digest
        assert answer["customer_id"] == enrolled
    one = answers.json()[0]
    assert service.client.get(f"{place}/{one['verification_id']}").json() == one
    assert service.client.get(place).json() == answers.json()[::-1]
    assert service.client.get(place, params={"limit": 1}).json() == answers.json()[-1:]


def test_its_rates_are_those_of_the_evaluation(service, made, tmp_path):
    """The same references and tests over HTTP: the same scores, and the same errors."""
    shutil.copytree(made.scans, tmp_path / "scans")
    features = describe_set(tmp_path, "scans", made.folder / "models/cells.onnx")
    evaluate_wi(
        features=features,
        metrics=tmp_path / "rates.csv",
        scores=tmp_path / "scores.h5",
        verifier="wi",
        protocol=PairProtocol(references=3, test="all", splits=2),
        machine=made.folder / "machines/cells.h5",
    )
    hold_to_the_evaluation(service, tmp_path, "scans", made.verifier("wi", 3))


def hold_to_the_evaluation(service, folder, name, verifier):
    """Verify all tests of an evaluation over HTTP, each writer a customer, and compare."""
    files = shards.read(folder / f"{name}.h5")["file"]
    scored = shards.read(folder / "scores.h5")
    writers = scored.attributes["writers"]
    threshold = read_verifier(verifier).thresholds["FAR 1 %"].value
    decided, scores = np.empty(len(scored["row"]), object), np.empty(len(scored["row"]))
    for split, writer in product(range(len(scored["references"])), range(len(writers))):
        rows = np.flatnonzero((scored["split"] == split) & (scored["writer"] == writers[writer]))
        customer = service.new_customer()
        references = scored["references"][split, writer]
        service.enroll(customer, [folder / name / files[row] for row in references])
        place = f"/v1/customers/{customer}/verifications"
        for some in np.array_split(rows, max(1, len(rows) // AT_ONCE)):
            tested = as_files([folder / name / files[row] for row in scored["row"][some]])
            answers = service.client.post(place, files=tested)
            for row, answer in zip(some, answers.json(), strict=True):
                decided[row] = answer["judgment"]["decision"]
                scores[row] = answer["judgment"]["score"]
    np.testing.assert_allclose(scores, scored["score"], atol=1e-5)
    forged = scored["forgery"]
    rates = rates_at(threshold, scored["score"][~forged], scored["score"][forged])
    assert np.mean(decided[~forged] != "accept") == pytest.approx(rates["FRR"], abs=1e-3)
    assert np.mean(decided[forged] == "accept") == pytest.approx(rates["FAR_skilled"], abs=1e-3)
    return rates


def write_scans(folder, source, writers):
    """Write prepared images as scans: dark ink on light paper, and three times as large."""
    listed, images = read_npz(source)
    for file, image in zip(listed, images, strict=True):
        if int(file.writer) <= writers:
            kind = "skilled" if file.forgery else "genuine"
            path = folder / kind / f"{file.writer}-{file.sample.replace('-', '_')}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            scan = Image.fromarray(255 - image)
            scan.resize((3 * scan.width, 3 * scan.height)).save(path)


@pytest.mark.operations
def test_its_rates_on_cedar_are_those_of_the_evaluation(made, shared, tmp_path, led_to):
    """All writers with five references each, by the model that ships; thresholds from Hindi."""
    given = {"canvas": (600, 850)}
    for name, writers in (("cedar", 55), ("bhsig260_hindi", 20)):
        write_scans(tmp_path / name, shared / f"data/{name}_170x242.npz", writers)
    development, judged = (
        describe_set(tmp_path, name, shipped(), **given) for name in ("bhsig260_hindi", "cedar")
    )
    protocol = PairProtocol(references=5, test="all", splits=1, comparison="cosine")
    verifier = tmp_path / "results/verifiers/cosine/teacher-5.h5"
    verifier.parent.mkdir(parents=True)
    set_verifier(development=[development], out=verifier, verifier="cosine", protocol=protocol)
    model = tmp_path / "results/models/teacher.onnx"
    model.parent.mkdir()
    shutil.copyfile(shipped(), model)
    evaluate_wi(
        features=judged,
        metrics=tmp_path / "rates.csv",
        scores=tmp_path / "scores.h5",
        verifier="cosine",
        protocol=protocol,
    )
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made, verifier=[verifier]) as service:
        rates = hold_to_the_evaluation(service, tmp_path, "cedar", verifier)
    told = ", ".join(f"{name} {rates[name]:.4f}" for name in ("FRR", "FAR_skilled"))
    led_to("rates over HTTP", "CEDAR, 55 writers, 5 references", f"{told}, as evaluated")


def test_a_customer_is_verified_from_the_first_reference_on(service, made):
    customer = service.new_customer()
    place = f"/v1/customers/{customer}/verifications"
    sent = service.client.post(place, files=as_files(made.genuine(1)[3:4]))
    assert "Add references" in problem(sent, 409, "conflict")["detail"]
    for enrolled, used in ((1, 1), (2, 1), (3, 3), (4, 3)):
        service.enroll(customer, made.genuine(1)[enrolled - 1 : enrolled])
        sent = service.client.post(place, files=as_files(made.genuine(1)[4:5])).json()
        assert sent[0]["references"] == used
    listed = service.client.get(f"/v1/customers/{customer}/references").json()
    removed = service.client.delete(
        f"/v1/customers/{customer}/references/{listed[0]['reference_id']}"
    )
    assert removed.status_code == 204
    again = service.client.get(f"/v1/customers/{customer}/references").json()
    assert again == listed[1:]


def test_customers_are_listed_page_by_page(service):
    made = {service.new_customer() for _ in range(5)}
    seen, after = [], None
    while True:
        page = service.client.get(
            "/v1/customers", params={"limit": 2} | ({"after": after} if after else {})
        ).json()
        if not page:
            break
        seen += [one["customer_id"] for one in page]
        after = seen[-1]
    assert made <= set(seen) and seen == sorted(set(seen))


def test_an_erased_customer_is_gone(service, enrolled, made):
    place = f"/v1/customers/{enrolled}"
    service.client.post(f"{place}/verifications", files=as_files(made.genuine(1)[3:4]))
    erased = service.client.delete(place)
    assert erased.status_code == 200 and erased.json()["label"] is None
    assert service.client.get(place).json() == erased.json()
    for path in ("references", "verifications"):
        problem(service.client.get(f"{place}/{path}"), 410, "erased")
        sent = service.client.post(f"{place}/{path}", files=as_files(made.genuine(1)[:1]))
        problem(sent, 410, "erased")
    problem(service.client.delete(place), 410, "erased")


def test_images_that_are_refused_are_named_and_nothing_is_stored(service, enrolled, made):
    files = as_files([made.genuine(1)[3], b"no image", made.genuine(1)[4]])
    sent = service.client.post(f"/v1/customers/{enrolled}/references", files=files)
    found = problem(sent, 422, "unusable_image")
    assert "image 2" in found["detail"]
    assert [[one["code"] for one in quality] for quality in found["quality"]] == [
        [],
        ["unreadable"],
        [],
    ]
    assert len(service.client.get(f"/v1/customers/{enrolled}/references").json()) == 3
    again = service.client.post(
        f"/v1/customers/{enrolled}/references", files=as_files(made.genuine(1)[:1])
    )
    assert "reference_id" in problem(again, 409, "conflict")


def test_an_explanation_is_that_of_the_library(service, enrolled, made):
    questioned = made.forged(1)[0]
    place = f"/v1/customers/{enrolled}/explanations"
    answer = service.client.post(place, files={"image": ("q.png", questioned.read_bytes())})
    assert answer.status_code == 200
    found = answer.json()
    verifier = service.parts.desk.verifier()
    images = [verifier.read(path).image for path in [*made.genuine(1)[:3], questioned]]
    expected = explain(verifier, images[:3], images[3])
    listed = service.client.get(f"/v1/customers/{enrolled}/references").json()
    assert found["reference_id"] == listed[expected.reference]["reference_id"]
    assert found["largest"] == pytest.approx(expected.largest, abs=1e-6)
    drawn = Image.open(io.BytesIO(base64.b64decode(found["pictures"]["questioned_map"])))
    shown = overlay(images[3], expected.questioned_map, expected.largest)
    assert np.abs(np.asarray(drawn).astype(int) - np.asarray(shown)).max() <= 2
    assert service.client.get("/v1/audit/check").json()["faults"] == []


def test_the_model_states_its_measured_rates(service, made):
    found = service.client.get("/v1/models").json()
    assert found["about"]["verifier"] == "wi" and set(found["thresholds"]) == {"1", "3"}
    reject, accept = found["thresholds"]["3"]
    assert reject["value"] <= accept["value"]
    for cut in (reject, accept):
        assert 0 <= cut["far"]["low"] <= cut["far"]["value"] <= cut["far"]["high"] <= 1


def test_keys_are_made_used_and_revoked(service):
    made = service.client.post("/v1/keys", json={"name": "counter", "roles": ["verify"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert service.client.get("/v1/models", headers=headers).status_code == 200
    problem(service.client.get("/v1/keys", headers=headers), 403, "wrong_role")
    listed = service.client.get("/v1/keys").json()
    assert made["stored"] in listed and made["key"] not in str(listed)
    revoked = service.client.delete(f"/v1/keys/{made['stored']['key_id']}").json()
    assert revoked["revoked"] is not None
    problem(service.client.get("/v1/models", headers=headers), 401, "no_key")
    problem(service.client.delete("/v1/keys/nobody"), 404, "not_found")


def test_everything_is_audited_without_personal_data(service, made):
    customer = service.new_customer(label="Ann Smith")
    service.enroll(customer, made.genuine(1)[:1])
    place = f"/v1/customers/{customer}"
    service.client.post(f"{place}/verifications", files=as_files(made.genuine(1)[3:4]))
    service.client.delete(place)
    records, after = [], 0
    while page := service.client.get("/v1/audit", params={"after": after}).json():
        records += page
        after = page[-1]["number"]
    own = [one["action"] for one in records if one["subject"] == customer]
    assert own == ["customer.created", "reference.added", "verification.made", "customer.erased"]
    assert "Ann" not in str(records)
    assert {one["actor"] for one in records if one["subject"] == customer} == {
        service.keys["all"].split("_")[1]
    }
    checked = service.client.get("/v1/audit/check").json()
    assert checked == {"records": len(records), "head": records[-1]["hash"], "faults": []}


def test_health_readiness_and_metrics(service, enrolled, made, tmp_path):
    assert service.client.get("/health", headers=service.using(None)).json()["status"] == "alive"
    assert service.client.get("/ready", headers=service.using(None)).json()["status"] == "ready"
    place = f"/v1/customers/{enrolled}/verifications"
    decision = service.client.post(place, files=as_files(made.genuine(1)[3:4])).json()[0]
    text = service.client.get("/metrics").text
    assert f'fkd_decisions_total{{decision="{decision["judgment"]["decision"]}"}}' in text
    assert 'route="/v1/customers/{customer_id}/verifications",status="201"' in text
    assert enrolled not in text
    with serving(f"sqlite:///{tmp_path}/empty.sqlite", made, verifier=None) as empty:
        assert empty.client.get("/health").status_code == 200
        assert (
            "activate_verifier" in problem(empty.client.get("/ready"), 503, "not_ready")["detail"]
        )
        problem(empty.client.get("/v1/models"), 503, "not_ready")


def test_a_verifier_whose_files_changed_is_not_used(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "results")
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made, verifier=None) as service:
        desk = service.parts.desk
        copied = [tmp_path / f"results/verifiers/cosine/cells-{n}.h5" for n in NUMBERS]
        desk.activate("test", copied, None, None, None)
        assert service.client.get("/ready").status_code == 200
        desk._loaded = None  # as after a restart
        shutil.copy(made.verifier("cosine", 1), copied[1])
        assert "cannot be read" in problem(service.client.get("/ready"), 503, "not_ready")["detail"]
        shutil.copy(made.verifier("cosine", 3), copied[1])
        copied[0].unlink()
        problem(service.client.get("/ready"), 503, "not_ready")


def test_another_verifier_enrolls_all_references_anew(made, tmp_path):
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made) as service:
        customers = [service.new_customer() for _ in range(2)]
        for customer, writer in zip(customers, (1, 2), strict=True):
            service.enroll(customer, made.genuine(writer)[:3])
        place = f"/v1/customers/{customers[0]}/verifications"
        questioned = made.forged(1)[0]
        before = service.client.post(place, files=as_files([questioned])).json()[0]
        files = [made.verifier("cosine", number) for number in NUMBERS]
        service.parts.desk.activate("test", files, None, None, None)
        after = service.client.post(place, files=as_files([questioned])).json()[0]
        cosine = Verifier.load(*files)
        assert before["verifier"] != after["verifier"] == cosine.digest
        expected = cosine.compare(made.genuine(1)[:3], questioned).judgment
        assert after["judgment"]["score"] == pytest.approx(expected.score, abs=1e-6)
        assert service.client.get("/v1/audit/check").json()["faults"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/customers/none", 422, "invalid"),
        ("GET", f"/v1/customers/{NOBODY}", 404, "not_found"),
        ("GET", f"/v1/customers/{NOBODY}/references", 404, "not_found"),
        ("POST", f"/v1/customers/{NOBODY}/verifications", 422, "invalid"),
        ("GET", "/v1/customers?limit=0", 422, "invalid"),
        ("GET", "/v1/audit?after=-1", 422, "invalid"),
        ("GET", "/v1/none", 404, "not_found"),
        ("PUT", "/v1/customers", 405, "not_allowed"),
        ("POST", "/v1/customers", 422, "invalid"),
    ],
)
def test_wrong_requests_are_answered_as_problems(service, method, path, status, code):
    problem(service.client.request(method, path), status, code)


@pytest.mark.parametrize(
    "body",
    [{"label": "x" * 201}, {"label": "two\nlines"}, {"name": "Ann"}, {"customer_id": "7"}, [], 1],
)
def test_values_that_do_not_fit_are_refused_and_not_sent_back(service, body):
    found = problem(service.client.post("/v1/customers", json=body), 422, "invalid")
    assert "xxx" not in str(found)


def test_the_contract_is_whole(service):
    contract = service.client.get("/openapi.json", headers=service.using(None)).json()
    for path, operations in contract["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and operation["description"], path
            assert path in ("/health", "/ready") or {"401", "403"} <= set(operation["responses"])
