"""The service over HTTP: customers, references, verifications, models, keys, audit."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, File, Path, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import generate_latest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from fkd import __version__
from fkd.errors import FkdError
from fkd.service import store as stored
from fkd.service.access import Access, Caller, Role
from fkd.service.desk import Desk
from fkd.service.gate import Gate, Limits, Message, Metrics, as_json, failure
from fkd.service.pages import make_pages, problem_page, static
from fkd.service.problems import Broken, Invalid, NotAllowed, NotFound, NotReady, Problem
from fkd.service.quality import Finding
from fkd.service.sessions import Sessions
from fkd.service.store import PAGE, ApiKey, Customer, Store
from fkd.service.verifier import PRIOR, Cut, Judgment

MOST_IMAGES = 20
"""The number of images of one request at most."""

LONGEST_LABEL = 200

Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text of one line, without control characters."""


class NewCustomer(BaseModel):
    """A customer to be created."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"label": "Account 1234"}]},
    )

    customer_id: UUID | None = Field(None, description="By default, one is drawn.")
    label: Text | None = Field(
        None, max_length=LONGEST_LABEL, description="What people call the customer; encrypted."
    )


class NewKey(BaseModel):
    """An API key to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "counter", "roles": ["verify"]}]}
    )

    name: Text = Field(min_length=1, max_length=100)
    roles: list[Role] = Field(min_length=1, max_length=4)


class MadeKey(BaseModel):
    """An API key that was made. The key itself is shown this once."""

    stored: ApiKey
    key: str


class ReferenceAnswer(BaseModel):
    """A reference, with what was found on its image."""

    reference_id: UUID
    customer_id: UUID
    added: datetime
    quality: list[Finding]


class VerificationAnswer(BaseModel):
    """What the verifier said of a questioned signature. Higher always means more genuine."""

    verification_id: UUID
    customer_id: UUID
    made: datetime
    judgment: Judgment
    references: int = Field(description="How many references were used, the first ones.")
    quality: list[Finding] = Field(description="Findings on the questioned signature.")
    verifier: str = Field(description="The SHA-256 digest of the verifier.")


class ExplanationAnswer(BaseModel):
    """Where a score comes from: by how much it falls as parts of the images are covered."""

    reference_id: UUID = Field(description="The reference that is most alike, and is shown.")
    score: float
    largest: float = Field(description="The change of the score that has the full color.")
    pictures: dict[str, str] = Field(
        description="PNG in Base64: questioned, questioned_map, reference, reference_map. Blue "
        "speaks for a genuine signature, orange against one."
    )


class ModelAnswer(BaseModel):
    """The active verifier, and what was measured of it beforehand."""

    verifier: str = Field(description="The SHA-256 digest of all that an answer depends on.")
    about: dict[str, Any]
    thresholds: dict[int, list[Cut]] = Field(
        description="By number of references: the threshold that rejects and the one that accepts."
    )


@dataclass(frozen=True)
class RecordAnswer:
    """A record of the audit."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous: str
    hash: str


class AuditAnswer(BaseModel):
    """The result of a check of the audit."""

    records: int
    head: str = Field(description="The hash of the last record: keep it outside the database.")
    faults: list[str]


class Alive(BaseModel):
    """That the service runs."""

    status: str
    version: str


@dataclass(frozen=True)
class Parts:
    """What a service is made of."""

    store: Store
    desk: Desk
    access: Access
    sessions: Sessions
    metrics: Metrics


def may(*roles: Role) -> Callable[[Request], Awaitable[Caller]]:
    """Make a dependency that refuses callers with none of some roles, and gives the caller."""

    async def check(request: Request) -> Caller:  # not worth a thread, which `def` would get
        caller: Caller = request.scope["state"]["caller"]
        caller.require(*roles)
        return caller

    return check


Enrolls = Annotated[Caller, Depends(may("enroll"))]
Sees = Annotated[Caller, Depends(may("enroll", "verify"))]
Verifies = Annotated[Caller, Depends(may("verify"))]
Audits = Annotated[Caller, Depends(may("audit"))]
Administers = Annotated[Caller, Depends(may("admin"))]
Images = Annotated[
    list[UploadFile],
    File(
        min_length=1,
        max_length=MOST_IMAGES,
        description="Scans (PNG, TIFF, JPEG or BMP), dark ink on light paper, one signature each.",
    ),
]
CustomerId = Annotated[UUID, Path(description="The customer's identifier.")]


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that an operation may answer with, besides those that all may."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            **{key: {"type": "string"} for key in ("type", "title", "code", "detail")},
            "status": {"type": "integer"},
        },
    }
    content = {"application/problem+json": {"schema": schema}}
    titles = {problem.status: problem.title for problem in [*Problem.__subclasses__(), Problem]} | {
        422: "A value or an image cannot be used"
    }
    return {
        status: {"description": titles[status], "content": content}
        for status in (*statuses, 400, 401, 403, 408, 413, 422, 429, 503)
    }


def make_app(parts: Parts, limits: Limits) -> Gate:
    """Make the application.

    Parameters
    ----------
    parts : Parts
        What it is made of.
    limits : Limits
        What a request may take.

    Returns
    -------
    Gate
        An application of ASGI.
    """
    # Uploads stay in memory: on a disk they would be unencrypted.
    MultiPartParser.spool_max_size = limits.body + 1
    store, desk, access = parts.store, parts.desk, parts.access

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    app = FastAPI(
        title="fkd",
        version=__version__,
        summary="Enroll customers by their signatures, and verify questioned ones.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=_problems(),
    )
    _answer_problems(app)

    @app.get("/health", tags=["operation"])
    def health() -> Alive:
        """Tell that the process runs."""
        return Alive(status="alive", version=__version__)

    @app.get("/ready", tags=["operation"])
    def ready() -> Alive:
        """Tell that the database answers and a verifier is active."""
        if not store.is_reachable():
            raise NotReady("The database does not answer.")
        desk.verifier()
        return Alive(status="ready", version=__version__)

    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    def metrics(_: Audits) -> PlainTextResponse:
        """Give the metrics that Prometheus reads."""
        return PlainTextResponse(generate_latest(parts.metrics.registry))

    @app.post("/v1/customers", status_code=201, tags=["customers"], responses=_problems(409))
    def create_customer(caller: Enrolls, customer: NewCustomer) -> Customer:
        """Create a customer."""
        return store.add_customer(caller.key_id, customer.label, customer.customer_id)

    @app.get("/v1/customers", tags=["customers"])
    def list_customers(
        _: Sees,
        after: Annotated[UUID | None, Query(description="The last identifier seen.")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> list[Customer]:
        """List customers by their identifiers, without erased ones."""
        return store.customers(after, limit)

    @app.get("/v1/customers/{customer_id}", tags=["customers"], responses=_problems(404))
    def get_customer(_: Sees, customer_id: CustomerId) -> Customer:
        """Get a customer; of an erased one, when that was."""
        return store.customer(customer_id)

    @app.delete("/v1/customers/{customer_id}", tags=["customers"], responses=_problems(404, 410))
    def erase_customer(caller: Administers, customer_id: CustomerId) -> Customer:
        """Erase a customer: images, features, verifications and label. A tombstone stays."""
        return store.erase(caller.key_id, customer_id)

    @app.post(
        "/v1/customers/{customer_id}/references",
        status_code=201,
        tags=["references"],
        responses=_problems(404, 409, 410),
    )
    def add_references(
        caller: Enrolls, customer_id: CustomerId, images: Images
    ) -> list[ReferenceAnswer]:
        """Add genuine signatures of a customer: all images, or none if one of them is refused."""
        store.customer(customer_id)
        added = desk.enroll(caller.key_id, customer_id, [image.file.read() for image in images])
        for one in added:
            _count(parts.metrics, one.quality)
        return [ReferenceAnswer.model_validate(asdict(one)) for one in added]

    @app.get(
        "/v1/customers/{customer_id}/references",
        tags=["references"],
        responses=_problems(404, 410),
    )
    def list_references(_: Enrolls, customer_id: CustomerId) -> list[ReferenceAnswer]:
        """List a customer's references, the first one first."""
        found = store.references(customer_id)
        return [ReferenceAnswer.model_validate(asdict(one)) for one in found]

    @app.delete(
        "/v1/customers/{customer_id}/references/{reference_id}",
        status_code=204,
        tags=["references"],
        responses=_problems(404, 410),
    )
    def remove_reference(caller: Enrolls, customer_id: CustomerId, reference_id: UUID) -> Response:
        """Remove a reference of a customer."""
        store.remove_reference(caller.key_id, customer_id, reference_id)
        return Response(status_code=204)

    @app.post(
        "/v1/customers/{customer_id}/verifications",
        status_code=201,
        tags=["verifications"],
        responses=_problems(404, 409, 410),
    )
    def verify(
        caller: Verifies,
        customer_id: CustomerId,
        images: Images,
        prior: Annotated[
            float,
            Query(gt=0, lt=1, description="Probability of a genuine signature beforehand."),
        ] = PRIOR,
    ) -> list[VerificationAnswer]:
        """Compare one or several questioned signatures with a customer's references."""
        contents = [image.file.read() for image in images]
        made = desk.verify(caller.key_id, customer_id, contents, prior)
        for one in made:
            parts.metrics.decisions.labels(one.answer["judgment"]["decision"]).inc()
            _count(parts.metrics, one.answer["quality"])
        return [verification_answer(one) for one in made]

    @app.get(
        "/v1/customers/{customer_id}/verifications",
        tags=["verifications"],
        responses=_problems(404, 410),
    )
    def list_verifications(
        _: Verifies,
        customer_id: CustomerId,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> list[VerificationAnswer]:
        """List a customer's verifications, the last one first."""
        return [verification_answer(one) for one in store.verifications(customer_id, limit)]

    @app.get(
        "/v1/customers/{customer_id}/verifications/{verification_id}",
        tags=["verifications"],
        responses=_problems(404, 410),
    )
    def get_verification(
        _: Verifies, customer_id: CustomerId, verification_id: UUID
    ) -> VerificationAnswer:
        """Get a verification of a customer."""
        return verification_answer(store.verification(customer_id, verification_id))

    @app.post(
        "/v1/customers/{customer_id}/explanations",
        tags=["verifications"],
        responses=_problems(404, 409, 410),
    )
    def explain(caller: Verifies, customer_id: CustomerId, image: UploadFile) -> ExplanationAnswer:
        """Tell where the score of a questioned signature comes from. Nothing of it is kept."""
        made = desk.explain(caller.key_id, customer_id, image.file.read())
        pictures = {name: b64encode(one).decode() for name, one in made.pictures().items()}
        return ExplanationAnswer(
            reference_id=made.reference_id,
            score=made.found.score,
            largest=made.found.largest,
            pictures=pictures,
        )

    @app.get("/v1/models", tags=["models"])
    def model(_: Verifies) -> ModelAnswer:
        """Tell which verifier is active, and its measured rates."""
        verifier = desk.verifier()
        thresholds = {number: list(cuts) for number, cuts in verifier.cuts.items()}
        return ModelAnswer(verifier=verifier.digest, about=verifier.about, thresholds=thresholds)

    @app.post("/v1/keys", status_code=201, tags=["keys"])
    def make_key(caller: Administers, key: NewKey) -> MadeKey:
        """Make an API key."""
        made, text = access.make(caller.key_id, key.name, key.roles)
        return MadeKey(stored=made, key=text)

    @app.get("/v1/keys", tags=["keys"])
    def list_keys(_: Administers) -> list[ApiKey]:
        """List all API keys, without their secrets."""
        return store.keys()

    @app.delete("/v1/keys/{key_id}", tags=["keys"], responses=_problems(404))
    def revoke_key(caller: Administers, key_id: str) -> ApiKey:
        """Revoke an API key."""
        return store.revoke_key(caller.key_id, key_id)

    @app.get("/v1/audit", tags=["audit"])
    def list_audit(
        _: Audits,
        after: Annotated[int, Query(ge=0, lt=1 << 31, description="The last number seen.")] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> list[RecordAnswer]:
        """List records of the audit by their numbers."""
        found = store.records(after, limit)
        return [TypeAdapter(RecordAnswer).validate_python(asdict(one)) for one in found]

    @app.get("/v1/audit/check", tags=["audit"])
    def check_audit(_: Audits) -> AuditAnswer:
        """Check that no record was edited, removed or moved."""
        number, head, found = store.check_audit()
        return AuditAnswer(records=number, head=head, faults=found)

    app.include_router(make_pages(store, desk, access, parts.sessions))
    app.mount("/static", static)
    return Gate(app, access, limits, parts.metrics, parts.sessions, respond)


FOR_PROGRAMS = ("/v1/", "/metrics", "/health", "/ready", "/openapi.json")
"""Where the paths begin whose problems are answered as JSON, and not as a page."""


def respond(scope: Message, problem: Problem) -> Response:
    """Make the answer of a problem."""
    if scope["path"].startswith(FOR_PROGRAMS):
        return as_json(problem)
    return problem_page(scope["state"].get("session"), problem)


def verification_answer(one: stored.Verification) -> VerificationAnswer:
    """Give a verification as the service answers it."""
    return VerificationAnswer.model_validate(
        {
            "verification_id": one.verification_id,
            "customer_id": one.customer_id,
            "made": one.made,
            "verifier": one.verifier,
            **one.answer,
        }
    )


def _count(metrics: Metrics, quality: list[dict[str, str]]) -> None:
    """Count findings."""
    for found in quality:
        metrics.findings.labels(found["code"]).inc()


def _answer_problems(app: FastAPI) -> None:
    """Answer all errors as problems."""

    @app.exception_handler(Problem)
    def told(request: Request, problem: Problem) -> Response:
        return respond(request.scope, problem)

    @app.exception_handler(FkdError)
    def failed(request: Request, error: FkdError) -> Response:
        return respond(request.scope, Broken(str(error)))

    @app.exception_handler(Exception)
    def broken(request: Request, _: Exception) -> Response:
        return respond(request.scope, failure(request.scope["state"]["number"]))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not sent back: it may be anything, and of any length.
        faults = [
            {"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()
        ]
        told = "; ".join(f"{one['where']}: {one['what']}" for one in faults[:5])
        return respond(request.scope, Invalid(told, faults=faults))

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> Response:
        kinds = {404: NotFound, 405: NotAllowed}
        problem = kinds.get(error.status_code, Problem)(str(error.detail))
        answered = respond(request.scope, problem)
        answered.headers.update(error.headers or {})
        return answered
