"""Sessions of the page: who signed in with an API key, sealed in a cookie."""

import hmac
import json
import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from fkd.errors import FkdError
from fkd.service.access import Caller
from fkd.service.problems import WrongRole
from fkd.service.sealing import Vault
from fkd.service.store import Store

COOKIE = "fkd_session"

SECONDS = 8 * 3600
"""How long a session lasts."""


@dataclass(frozen=True)
class Session:
    """A session.

    Attributes
    ----------
    caller : Caller
        Who signed in.
    token : str
        What every form of this session contains, so that no other site can send one (CSRF).
    """

    caller: Caller
    token: str

    def check(self, token: object) -> None:
        """Refuse a form that is not of this session."""
        if not isinstance(token, str) or not hmac.compare_digest(
            token.encode(), self.token.encode()
        ):
            raise WrongRole("This form is not of this session. Load the page again.")


class Sessions:
    """Begins and reads sessions. Nothing of them is stored by the service.

    Parameters
    ----------
    store : Store
        Where the API keys are: a session ends when its key is revoked.
    vault : Vault
        Seals cookies.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store, self._vault = store, vault

    def begin(self, caller: Caller) -> str:
        """Begin a session, and give the value of its cookie."""
        about = [caller.key_id, secrets.token_urlsafe(24), int(time.time()) + SECONDS]
        return self._vault.seal("session", json.dumps(about).encode()).decode()

    def read(self, cookies: str) -> Session | None:
        """Read the session of a request from its header ``Cookie``, if there is a valid one."""
        try:
            jar = SimpleCookie(cookies)
            sealed = jar[COOKIE].value.encode()
            key_id, token, until = json.loads(self._vault.unseal("session", sealed))
        except (CookieError, KeyError, FkdError, ValueError):
            return None
        stored = self._store.key(key_id)
        if until < time.time() or stored is None or stored[0].revoked is not None:
            return None
        return Session(Caller(key_id, frozenset(stored[0].roles)), token)
