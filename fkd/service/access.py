"""Who may do what: API keys, of which only hashes are stored, their roles, and rates of requests."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from fkd.service.problems import Invalid, NoKey, TooMany, WrongRole
from fkd.service.store import ApiKey, Store

Role = Literal["enroll", "verify", "audit", "admin"]
"""``enroll`` changes customers and references, ``verify`` compares, both see customers; ``audit``
reads the audit and metrics, ``admin`` erases customers, makes and revokes keys. No role contains
another one."""

ROLES: tuple[Role, ...] = get_args(Role)

PREFIX = "fkd"

LONGEST = 200
"""The length of what is taken for a key at most."""

FAILURES = 10
"""The number of wrong keys a minute from one address."""

KNOWN = 1000
"""The number of keys whose hashes are remembered, so that argon2 is not computed for each request."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the identifier of an API key, and its roles."""

    key_id: str
    roles: frozenset[str]

    def require(self, *roles: Role) -> None:
        """Refuse a caller who has none of some roles."""
        if not self.roles & set(roles):
            raise WrongRole(
                f"This needs a key with the role {' or '.join(roles)}. Ask who administers the keys."
            )


class Access:
    """Makes and checks API keys, and counts requests.

    Counts are kept by each process.

    Parameters
    ----------
    store : Store
        Where the hashes are.
    per_minute : int
        The number of requests a minute under one key.
    """

    def __init__(self, store: Store, per_minute: int) -> None:
        self._store, self._hasher = store, PasswordHasher()
        self._requests = RateLimitItemPerMinute(per_minute)
        self._failures = RateLimitItemPerMinute(FAILURES)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._known: dict[
            str, str
        ] = {}  # digest of a key that was right, and the hash in the store

    def make(self, actor: str, name: str, roles: list[Role]) -> tuple[ApiKey, str]:
        """Make an API key.

        Returns
        -------
        ApiKey
            What is stored of it.
        str
            The key itself, which is shown this once.
        """
        unknown = sorted(set(roles) - set(ROLES))
        if unknown or not roles:
            raise Invalid(
                f"roles: some of {', '.join(ROLES)}, found {', '.join(unknown) or 'none'}."
            )
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        hashed = self._hasher.hash(secret)
        made = self._store.add_key(actor, key_id, name, hashed, sorted(set(roles)))
        return made, f"{PREFIX}_{key_id}_{secret}"

    def check(self, text: str | None, address: str) -> Caller:
        """Find out who asks.

        Parameters
        ----------
        text : str, optional
            The key, as it was given.
        address : str
            Where the request comes from.

        Raises
        ------
        NoKey
            If the key is missing, wrong or revoked.
        TooMany
            If there were too many requests under this key, or wrong keys from this address.
        """
        text = text or ""
        # Who has used a right key before is not kept out by wrong ones from the same address.
        is_known = _digest(text) in self._known
        if not is_known and not self._limiter.test(self._failures, "failures", address):
            raise TooMany("Too many wrong keys came from this address. Wait a minute.")
        found = self._find(text)
        if found is None:
            self._limiter.hit(self._failures, "failures", address)
            raise NoKey(
                "Send a valid key as `Authorization: Bearer KEY`. `python -m fkd make_key` makes one."
            )
        if not self._limiter.hit(self._requests, "requests", found.key_id):
            raise TooMany(f"More than {self._requests.amount} requests in a minute. Wait a little.")
        return found

    def _find(self, text: str) -> Caller | None:
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret or len(text) > LONGEST or not text.isascii():
            return None
        stored = self._store.key(key_id)
        if stored is None or stored[0].revoked is not None:
            return None
        key, hashed = stored
        digest = _digest(text)
        if not hmac.compare_digest(self._known.get(digest, ""), hashed):
            try:
                self._hasher.verify(hashed, secret)
            except (VerificationError, InvalidHashError):
                return None
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[digest] = hashed
        return Caller(key_id, frozenset(key.roles))


def _digest(text: str) -> str:
    """Compute the digest under which a key is remembered."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
