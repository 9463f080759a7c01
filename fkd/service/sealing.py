"""Encryption at rest, with keys from the environment.

What is stored is sealed by Fernet (AES-128 in CBC mode, authenticated by HMAC-SHA-256) together with
its place, so that what belongs to one customer cannot be moved to another one.
"""

import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from fkd.errors import FkdError

VARIABLE = "FKD_KEYS"
"""The variable of the environment with the keys, separated by commas. The first one seals."""


def new_key() -> str:
    """Draw a key: 32 random bytes in Base64."""
    return Fernet.generate_key().decode()


class Vault:
    """Seals and unseals what is stored.

    Parameters
    ----------
    keys : list of str
        Keys of :func:`new_key`. The first one seals, and all of them open.

    Raises
    ------
    FkdError
        If there is none, or one is no key.
    """

    def __init__(self, keys: list[str]) -> None:
        if not keys:
            raise FkdError(
                f"{VARIABLE} is empty. Make a key by `python -m fkd make_secret`, keep a copy of it "
                "in a safe place, and give it in this variable: without it, nothing that is stored "
                "can be read."
            )
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise FkdError(
                f"{VARIABLE}: not keys made by `python -m fkd make_secret`, separated by commas."
            ) from None

    @classmethod
    def of_environment(cls) -> "Vault":
        """Take the keys from :data:`VARIABLE`."""
        return cls([key.strip() for key in os.environ.get(VARIABLE, "").split(",") if key.strip()])

    def seal(self, place: str, content: bytes) -> bytes:
        """Encrypt what is stored at a place, such as ``image/ID``."""
        return self._fernet.encrypt(place.encode() + b"\0" + content)

    def unseal(self, place: str, sealed: bytes) -> bytes:
        """Decrypt what :meth:`seal` encrypted for this place.

        Raises
        ------
        FkdError
            If no key opens it, it was changed, or it was sealed for another place.
        """
        try:
            found, _, content = self._fernet.decrypt(sealed).partition(b"\0")
        except InvalidToken:
            raise FkdError(
                f"{place}: cannot be opened. Either it was changed, or the key that sealed it is "
                f"missing in {VARIABLE}."
            ) from None
        if found.decode() != place:
            raise FkdError(f"{place}: holds what was sealed for {found.decode()}.")
        return content

    def rotate(self, sealed: bytes) -> bytes:
        """Encrypt anew under the first key what any key opens."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise FkdError(
                f"A key that sealed something is missing in {VARIABLE}: list the old keys after "
                "the new one."
            ) from None
