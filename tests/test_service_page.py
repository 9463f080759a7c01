"""The page in a real browser: a clerk's whole way, by mouse and by keyboard, and every error."""

import os
import threading
from pathlib import Path

import pytest
import uvicorn
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait
from serving import as_files, serving

from fkd.models.shipped import shipped_verifiers

pytestmark = pytest.mark.operations


@pytest.fixture(scope="module")
def service(made, tmp_path_factory):
    place = tmp_path_factory.mktemp("page")
    with serving(f"sqlite:///{place}/fkd.sqlite", made, verifier=shipped_verifiers()) as running:
        yield running


@pytest.fixture(scope="module")
def address(service):
    """The service over a socket."""
    settings = uvicorn.Config(service.client.app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()


class Page:
    """What a clerk sees and does."""

    def __init__(self, browser, address):
        self.browser, self.address = browser, address
        browser.delete_all_cookies()
        browser.set_window_size(1000, 900)

    def open(self, path):
        self.browser.get(self.address + path)
        return self

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self):
        return self.find("main").text

    def send(self, action, **fields):
        """Fill in the form with an action, and send it."""
        form = self.find(f"form[action$='{action}']")
        for name, value in fields.items():
            field = form.find_element(By.NAME, name)
            if field.get_attribute("type") not in ("file", "checkbox"):
                field.clear()
            field.click() if value is True else field.send_keys(value)
        main = self.find("main")
        form.find_element(By.TAG_NAME, "button").click()
        self.until(staleness_of(main))
        self.until(lambda _: self.find("main").is_displayed())
        return self

    def until(self, holds):
        """Wait for a condition. Asked amid a change of pages, the driver may fail in any way."""
        WebDriverWait(self.browser, 30, ignored_exceptions=[WebDriverException]).until(holds)

    def sign_in(self, key):
        return self.open("/sign-in").send("/sign-in", key=key)

    def problem(self):
        return self.find("[role=alert]").text

    def keep(self, name, folder):
        """Keep a picture of the whole page, in the folder that the environment names if it does."""
        place = Path(os.environ.get("FKD_SCREENSHOTS", folder)) / f"{name}.png"
        self.find("body").screenshot(str(place))


@pytest.fixture
def page(browser, address):
    browser.get(f"{address}/sign-in")
    browser.get_log("browser")  # what came before is not this test's
    return Page(browser, address)


def faults(page):
    """What the browser complains of, but for the refusals that were asked for."""
    return [
        one["message"]
        for one in page.browser.get_log("browser")
        if "status of 4" not in one["message"]
    ]


def paths(files):
    return "\n".join(map(str, files))


def test_the_way_of_a_clerk(page, service, made, tmp_path):
    page.sign_in(service.keys["all"])
    assert "Customers" in page.text()
    page.send("/customers", label="Account 12 & <3")
    assert page.find("h1").text == "Account 12 & <3"
    page.send("/references", images=paths(made.genuine(1)[:3]))
    assert "3 references were added" in page.text()
    page.keep("service_customer", tmp_path)
    page.send("/verify", image=str(made.genuine(1)[3]), prior="50")
    told = page.find("#answer")
    assert any(word in told.text for word in ("Accept", "Let a person decide", "Reject"))
    assert "of skilled forgeries" in told.text and "Match score" in told.text
    pictures = told.find_elements(By.CSS_SELECTOR, "figure img")
    assert len(pictures) == 4
    assert all(picture.get_property("naturalWidth") == 220 for picture in pictures)
    assert told.find_element(By.CSS_SELECTOR, "svg").get_attribute("aria-label")
    page.browser.set_window_size(1000, 1700)
    page.keep("service", tmp_path)
    page.browser.set_window_size(500, 1700)  # of a phone; no window of Chromium is narrower
    wide = "return document.documentElement.scrollWidth > window.innerWidth"
    assert not page.browser.execute_script(wide)
    page.keep("service_phone", tmp_path)
    page.browser.set_window_size(1000, 900)
    identifier = page.find("p.small").text
    service_says = service.client.get(f"/v1/customers/{identifier}/verifications").json()
    assert f"{service_says[0]['judgment']['match_score']:.3f}" in told.text
    page.browser.refresh()
    rows = page.browser.find_elements(By.CSS_SELECTOR, "[aria-labelledby=history] tbody tr")
    assert len(rows) == 1
    page.find("[aria-label='Remove reference 1']").click()
    page.until(lambda _: len(page.browser.find_elements(By.CSS_SELECTOR, "ol li")) == 2)
    page.open("/audit")
    assert "none of them changed" in page.text() and "reference.removed" in page.text()
    page.keep("service_audit", tmp_path)
    page.open(f"/customers/{identifier}").send("/erase")
    assert "Confirm" in page.problem()
    page.send("/erase", sure=True)
    assert "was erased" in page.text()
    page.find("header form button").click()
    page.until(lambda _: "API key" in page.text())
    page.open("/customers")
    assert "API key" in page.text()
    assert faults(page) == []


def test_every_error_is_said_on_the_page(page, service, made, tmp_path):
    page.sign_in("fkd_wrong_key")
    assert "valid API key" in page.problem()
    page.sign_in(service.keys["all"])
    page.send("/customers", label="errors")
    page.send("/verify")
    assert "0 references" in page.problem()
    page.send("/references")
    assert "No image was sent" in page.problem()
    (tmp_path / "text.png").write_text("no image", encoding="utf-8")
    page.send("/references", images=str(tmp_path / "text.png"))
    assert "not a readable image" in page.problem()
    page.send("/references", images=str(made.genuine(1)[0]))
    assert "1 reference was added" in page.text()
    page.send("/references", images=str(made.genuine(1)[0]))
    assert "already" in page.problem()
    (tmp_path / "large.png").write_bytes(b"x" * (21 << 20))
    page.send("/references", images=str(tmp_path / "large.png"))
    assert "at most" in page.problem()
    page.open("/customers/none")
    assert "customer_id" in page.problem()
    page.open("/customers/00000000-0000-0000-0000-000000000000")
    assert "There is no customer" in page.problem()
    page.open("/nothing")
    assert page.problem()
    page.open("/sign-in").sign_in(service.keys["audit"])
    assert "needs a key with the role" in page.problem()
    assert faults(page) == []


def test_the_page_is_usable_by_keyboard(page, service, made):
    customer = service.new_customer(label="keyboard")
    service.enroll(customer, made.genuine(1)[:1])
    page.open("/sign-in")
    page.browser.switch_to.active_element.send_keys(service.keys["all"], Keys.ENTER)
    page.until(lambda _: "Customers" in page.text())
    page.open(f"/customers/{customer}")
    seen = []
    for _ in range(20):
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        focused = page.browser.switch_to.active_element
        seen.append(focused.get_attribute("id") or focused.text or focused.get_attribute("name"))
        assert focused.value_of_css_property("outline-style") != "none", seen
        if focused.get_attribute("id") == "image":
            focused.send_keys(str(made.genuine(1)[1]))
        if focused.text == "Verify":
            focused.send_keys(Keys.ENTER)
            break
    assert seen[0] == "Skip to the content" and "image" in seen and "prior" in seen
    page.until(lambda _: "Match score" in page.find("#answer").text)


def test_the_page_is_readable_on_a_phone(page, service, made):
    customer = service.new_customer(label="x" * 200)
    service.enroll(customer, made.genuine(1)[:1])
    page.sign_in(service.keys["all"])
    page.browser.set_window_size(500, 800)
    for path in ("/customers", f"/customers/{customer}", "/audit"):
        page.open(path)
        width, shown = page.browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert width <= shown, path
    page.open(f"/customers/{customer}").send("/verify", image=str(made.genuine(1)[1]))
    assert "Match score" in page.text()


def test_the_page_works_without_scripts(page, service, made):
    """Forms are forms: HTMX only replaces their answers in place."""
    customer = service.new_customer()
    service.enroll(customer, made.genuine(1)[:1])
    page.sign_in(service.keys["all"])
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open(f"/customers/{customer}")
        form = page.find("form[action$='/verify']")
        form.find_element(By.NAME, "image").send_keys(str(made.genuine(1)[1]))
        form.find_element(By.TAG_NAME, "button").click()
        page.until(lambda _: "Match score" in page.text())
        assert page.browser.current_url.endswith("/verify")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.fixture
def session(service):
    """The cookie and the token of a session, without a browser."""
    client = service.client
    answer = client.post(
        "/sign-in",
        data={"key": service.keys["all"]},
        headers={"Authorization": ""},
        follow_redirects=False,
    )
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    client.cookies.clear()
    headers = {"Cookie": cookie.partition(";")[0], "Authorization": ""}
    text = client.get("/customers", headers=headers).text
    return headers, text.partition('name="csrf" value="')[2].partition('"')[0]


def test_forms_of_other_sites_are_refused(service, session):
    headers, token = session
    post = service.client.post
    options = {"headers": headers, "follow_redirects": False}
    for wrong in ({}, {"csrf": ""}, {"csrf": token[:-1]}, {"csrf": "é" * 32}):
        assert post("/customers", data={"label": "x", **wrong}, **options).status_code == 403
    cross = {"headers": headers | {"Sec-Fetch-Site": "cross-site"}, "follow_redirects": False}
    assert post("/customers", data={"label": "x", "csrf": token}, **cross).status_code == 403
    assert post("/customers", data={"label": "x", "csrf": token}, **options).status_code == 303


def test_a_session_ends_with_its_key_and_cannot_be_made_up(service, session):
    headers, _ = session
    get = service.client.get
    assert get("/customers", headers=headers, follow_redirects=False).status_code == 200
    for cookie in ("fkd_session=x", "fkd_session=", headers["Cookie"][:-2], "a=b;;;=\x01"):
        given = {"Cookie": cookie, "Authorization": ""}
        assert get("/customers", headers=given, follow_redirects=False).status_code == 303
    key_id = service.keys["all"].split("_")[1]
    service.parts.store.revoke_key("test", key_id)
    assert get("/customers", headers=headers, follow_redirects=False).status_code == 303


def test_large_bodies_of_strangers_are_refused(service, made):
    files = as_files([b"x" * 100_000])
    for path in ("/sign-in", "/customers"):
        answer = service.client.post(path, files=files, headers={"Authorization": ""})
        assert answer.status_code == 413
