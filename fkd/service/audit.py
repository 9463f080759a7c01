"""The audit: what was done, by which key, to whom; each record is chained to the last by a hash."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FIRST = "0" * 64
"""The hash before the first record."""


@dataclass(frozen=True)
class Record:
    """A record of the audit. It holds no image and no personal data.

    Attributes
    ----------
    number : int
        Its number, from 1.
    at : str
        When, in ISO 8601 and UTC.
    actor : str
        The identifier of the API key, or ``command`` for a command on the machine.
    action : str
        What was done, such as ``customer.erased``.
    subject : str
        The identifier of what it was done to.
    details : dict of str to Any
        More, such as a decision or the digest of a verifier.
    previous : str
        The hash of the record before.
    hash : str
        The SHA-256 digest of all of these, see :func:`hash_of`.
    """

    number: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous: str
    hash: str


def hash_of(
    number: int,
    at: str,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any],
    previous: str,
) -> str:
    """Compute the hash of a record, over its fields as one list in JSON."""
    fields = [number, at, actor, action, subject, details, previous]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def faults(records: Iterable[Record], last: int, head: str) -> list[str]:
    """Find what was changed in an audit.

    Parameters
    ----------
    records : iterable of Record
        All records in the order of their numbers.
    last : int
        The number of the last record that was written.
    head : str
        Its hash. Kept outside the database, it also shows whether all records were replaced.

    Returns
    -------
    list of str
        A sentence for each fault. An edited record breaks its own hash; one that was removed,
        inserted or moved breaks the chain.
    """
    found, expected, previous = [], 1, FIRST
    for record in records:
        if record.number != expected:
            found.append(
                f"Record {record.number} stands where {expected} should: some are missing."
            )
        if record.previous != previous:
            found.append(f"Record {record.number} does not follow the record before it.")
        if record.hash != hash_of(
            record.number,
            record.at,
            record.actor,
            record.action,
            record.subject,
            record.details,
            record.previous,
        ):
            found.append(f"Record {record.number} was edited.")
        expected, previous = record.number + 1, record.hash
    if (expected - 1, previous) != (last, head):
        found.append(f"The audit ends at record {expected - 1}, and should at {last}.")
    return found
