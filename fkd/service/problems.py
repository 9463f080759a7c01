"""What can go wrong with a request, each with a status of HTTP, a code, and what to do."""

from typing import Any

from fkd.errors import FkdError


class Problem(FkdError):  # noqa: N818, the name that RFC 9457 gives it
    """A fault of a request, as RFC 9457 describes it.

    Parameters
    ----------
    detail : str
        What was wrong, and what to do.
    **more : Any
        Further members of the answer, which JSON can represent.

    Attributes
    ----------
    status : int
        The status of HTTP.
    code : str
        What programs tell problems by.
    title : str
        What all problems of this code have in common.
    """

    status, code, title = 400, "bad_request", "The request cannot be understood"

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.detail, self.more = detail, more

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as JSON can represent it."""
        return {
            "type": f"urn:fkd:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }


class NoKey(Problem):
    """No API key that is valid."""

    status, code, title = 401, "no_key", "A valid API key is needed"


class WrongRole(Problem):
    """An API key without the role that is needed."""

    status, code, title = 403, "wrong_role", "The API key lacks a role"


class NotFound(Problem):
    """Nothing by this name."""

    status, code, title = 404, "not_found", "There is no such thing"


class NotAllowed(Problem):
    """A method of HTTP that the place does not have."""

    status, code, title = 405, "not_allowed", "The method is not allowed"


class TooSlow(Problem):
    """A body that takes too long to arrive."""

    status, code, title = 408, "too_slow", "The request took too long"


class Conflict(Problem):
    """Something that is there already, or not yet."""

    status, code, title = 409, "conflict", "The request does not fit what is stored"


class Erased(Problem):
    """A customer who was erased."""

    status, code, title = 410, "erased", "The customer was erased"


class TooLarge(Problem):
    """A body above the limit."""

    status, code, title = 413, "too_large", "The request is too large"


class Unusable(Problem):
    """Images that cannot be used."""

    status, code, title = 422, "unusable_image", "An image cannot be used"


class Invalid(Problem):
    """Values that do not fit."""

    status, code, title = 422, "invalid", "A value does not fit"


class TooMany(Problem):
    """More requests than the limit."""

    status, code, title = 429, "too_many", "Too many requests"


class Broken(Problem):
    """A bug of the service."""

    status, code, title = 500, "broken", "The service failed"


class NotReady(Problem):
    """A service that lacks what it needs."""

    status, code, title = 503, "not_ready", "The service is not ready"
