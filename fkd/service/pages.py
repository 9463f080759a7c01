"""The page for clerks: enroll, verify, see why, history and audit. It works without scripts, too.

All pages are made here, by Jinja. HTMX, if the browser runs it, replaces the answer of a form in place.
"""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.staticfiles import StaticFiles

from fkd.service.access import Access, Role
from fkd.service.desk import Desk
from fkd.service.problems import Invalid, Problem, WrongRole
from fkd.service.sessions import COOKIE, SECONDS, Session, Sessions
from fkd.service.store import PAGE, Store
from fkd.service.verifier import PRIOR

HERE = Path(__file__).parent

static = StaticFiles(directory=HERE / "static")
"""The style sheet, and HTMX 4 as it is published (static/htmx.LICENSE)."""

WORDS = {"accept": "Accept", "refer": "Let a person decide", "reject": "Reject"}
"""Decisions, as people read them."""

LONGEST_LABEL = 200

_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)


def make_pages(store: Store, desk: Desk, access: Access, sessions: Sessions) -> APIRouter:
    """Make the routes of the page."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        session: Session | None = request.scope["state"].get("session")
        text = _templates.get_template(template).render(
            session=session, words=WORDS, problem=values.pop("problem", None), **values
        )
        return HTMLResponse(text, status)

    def customer_page(
        request: Request, customer_id: UUID, problem: Problem | None = None, **answer: Any
    ) -> HTMLResponse:
        customer = store.customer(customer_id)
        roles = request.scope["state"]["session"].caller.roles
        gone = customer.erased is not None
        references = [] if gone or "enroll" not in roles else store.references(customer_id)
        made = [] if gone or "verify" not in roles else store.verifications(customer_id, PAGE)
        return show(
            request,
            "customer.html",
            problem.status if problem else 200,
            problem=problem,
            customer=customer,
            references=references,
            verifications=made,
            answer=answer,
            prior=PRIOR,
        )

    def signed_in(request: Request, *roles: Role) -> Session | None:
        session: Session | None = request.scope["state"].get("session")
        if session and roles and not session.caller.roles & set(roles):
            raise WrongRole(f"This needs a key with the role {' or '.join(roles)}.")
        return session

    async def take(request: Request, role: Role) -> tuple[Session, FormData]:
        """Take a form that changes something."""
        form = await request.form(max_files=20, max_fields=20)
        session = signed_in(request, role)
        if session is None:
            raise WrongRole("The session has ended. Sign in again.")
        session.check(form.get("csrf"))
        return session, form

    @router.get("/")
    def start(request: Request) -> Response:
        return _to("/customers" if signed_in(request) else "/sign-in")

    @router.get("/sign-in")
    def ask_for_key(request: Request) -> Response:
        return show(request, "sign_in.html")

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=5)
        key = str(form.get("key", "")).strip()
        address = request.client.host if request.client else ""
        try:
            caller = await run_in_threadpool(access.check, key, address)
        except Problem as problem:
            return show(request, "sign_in.html", problem.status, problem=problem)
        answer = _to("/customers")
        answer.set_cookie(
            COOKIE,
            sessions.begin(caller),
            max_age=SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=5)
        if session := signed_in(request):
            session.check(form.get("csrf"))
        answer = _to("/sign-in")
        answer.delete_cookie(COOKIE)
        return answer

    @router.get("/customers")
    def customers(request: Request, after: UUID | None = None) -> Response:
        if signed_in(request, "enroll", "verify") is None:
            return _to("/sign-in")
        found = store.customers(after, PAGE)
        return show(request, "customers.html", customers=found, page=PAGE)

    @router.post("/customers")
    async def create(request: Request) -> Response:
        session, form = await take(request, "enroll")
        label = str(form.get("label", "")).strip()
        if len(label) > LONGEST_LABEL or not label.isprintable():
            raise Invalid(f"A label has up to {LONGEST_LABEL} printable characters.")
        key = session.caller.key_id
        made = await run_in_threadpool(store.add_customer, key, label or None, None)
        return _to(f"/customers/{made.customer_id}")

    @router.get("/customers/{customer_id}")
    def customer(request: Request, customer_id: UUID) -> Response:
        if signed_in(request, "enroll", "verify") is None:
            return _to("/sign-in")
        return customer_page(request, customer_id)

    @router.post("/customers/{customer_id}/references")
    async def enroll(request: Request, customer_id: UUID) -> Response:
        session, form = await take(request, "enroll")
        images = await _images(form, "images")

        def work() -> Response:
            added = desk.enroll(session.caller.key_id, customer_id, images)
            return customer_page(request, customer_id, added=added)

        return await run_in_threadpool(_or_problem, work, customer_page, request, customer_id)

    @router.post("/customers/{customer_id}/references/{reference_id}/remove")
    async def remove(request: Request, customer_id: UUID, reference_id: UUID) -> Response:
        session, _ = await take(request, "enroll")
        key = session.caller.key_id
        await run_in_threadpool(store.remove_reference, key, customer_id, reference_id)
        return _to(f"/customers/{customer_id}")

    @router.post("/customers/{customer_id}/verify")
    async def verify(request: Request, customer_id: UUID) -> Response:
        session, form = await take(request, "verify")
        images = await _images(form, "image")
        prior = _prior(form.get("prior"))

        def work() -> Response:
            key = session.caller.key_id
            made = desk.verify(key, customer_id, images[:1], prior)[0]
            pictures = desk.explain(key, customer_id, images[0]).pictures()
            judgment, used = made.answer["judgment"], made.answer["references"]
            verifier = desk.verifier()
            marks = {
                cut: verifier.match_score(judgment[cut]["value"], used, prior)
                for cut in ("reject", "accept")
            }
            return customer_page(
                request,
                customer_id,
                judgment=judgment,
                quality=made.answer["quality"],
                used=used,
                marks=marks,
                pictures={name: b64encode(one).decode() for name, one in pictures.items()},
            )

        return await run_in_threadpool(_or_problem, work, customer_page, request, customer_id)

    @router.post("/customers/{customer_id}/erase")
    async def erase(request: Request, customer_id: UUID) -> Response:
        session, form = await take(request, "admin")
        if form.get("sure") != "yes":
            problem = Invalid("Confirm that the customer is to be erased.")
            return await run_in_threadpool(customer_page, request, customer_id, problem)
        await run_in_threadpool(store.erase, session.caller.key_id, customer_id)
        return _to(f"/customers/{customer_id}")

    @router.get("/audit")
    def audit(request: Request, after: int = 0) -> Response:
        if signed_in(request, "audit") is None:
            return _to("/sign-in")
        number, head, faults = store.check_audit()
        after = min(max(after, 0), number)
        records = store.records(after, PAGE)
        return show(
            request,
            "audit.html",
            records=records,
            number=number,
            head=head,
            faults=faults,
            page=PAGE,
        )

    return router


def problem_page(session: Session | None, problem: Problem) -> HTMLResponse:
    """Show a problem that has no page of its own."""
    text = _templates.get_template("problem.html").render(
        session=session, words=WORDS, problem=problem
    )
    return HTMLResponse(text, problem.status)


def _to(place: str) -> RedirectResponse:
    return RedirectResponse(place, 303)


def _or_problem(
    work: Callable[[], Response], page: Callable[..., Response], *about: Any
) -> Response:
    """Do some work; show a problem on the page on which it was asked for."""
    try:
        return work()
    except Problem as problem:
        return page(*about, problem)


async def _images(form: FormData, name: str) -> list[bytes]:
    """Read the images of a form; an empty field is none."""
    files = [one for one in form.getlist(name) if isinstance(one, UploadFile) and one.filename]
    if not files:
        return []
    return [await one.read() for one in files]


def _prior(given: object) -> float:
    """Read the prior of a form, in percent."""
    try:
        prior = float(str(given)) / 100
    except ValueError:
        prior = -1
    if not 0 < prior < 1:
        raise Invalid("The prior is a percentage between 0 and 100.")
    return prior
