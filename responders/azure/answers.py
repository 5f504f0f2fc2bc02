"""What Azure's refusals mean: nothing there, what was wanted, or an error of ours that says what to do next."""

import contextlib
from collections.abc import Iterator
from typing import Any

from responders.errors import Permanent, Temporary

_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
# Refusals of Privileged Identity Management (400) that pass: a role that was only just activated, a request under way.
_PASSES = frozenset({"ActiveDurationTooShort", "PendingRoleAssignmentRequest"})


@contextlib.contextmanager
def absent_is_fine() -> Iterator[None]:
    """A 404 inside means that there is nothing: the block ends there, without an error."""
    from azure.core.exceptions import ResourceNotFoundError

    with contextlib.suppress(ResourceNotFoundError):
        yield


@contextlib.contextmanager
def fine(*codes: str) -> Iterator[dict[str, str]]:
    """An error of one of these codes inside says what we want: the block ends there, without an error.

    What is yielded then has the message by the code.
    """
    from azure.core.exceptions import HttpResponseError

    said: dict[str, str] = {}
    try:
        yield said
    except HttpResponseError as error:
        if error.error is None or error.error.code not in codes:
            raise
        said[error.error.code] = str(error.error.message)


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what Azure's clients raise inside into Temporary or Permanent, in one sentence."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        if error.response is None:  # not even signed in, e.g. because the identity's endpoint is away
            raise Temporary(f"{doing}: no answer from Azure ({type(error).__name__}: {error})") from error
        status = error.status_code or 0
        code = (error.error.code if error.error else None) or status
        text = (error.error.message if error.error else None) or error.reason or "no reason given"
        message = f"{doing}: Azure answered {status} {code}: {str(text)[:500]}"
        # 409 is many things: a lock or an existing twin stays, a running operation passes.
        stays = str(code) in {"ScopeLocked", "RoleAssignmentExists"}
        if (status in _AGAIN or str(code) in _PASSES) and not stays:
            raise Temporary(message) from error
        raise Permanent(message + _way_out(status, str(code))) from error
    except AzureError as error:
        raise Temporary(f"{doing}: no answer from Azure ({type(error).__name__}: {error})") from error


def _way_out(status: int, code: str) -> str:
    if code == "ScopeLocked":
        return " Remove the lock by hand if the change is right, then run the incident again."
    if code == "Authorization_RequestDenied":
        return (
            " If the target holds a directory role, or is in a restricted management administrative unit, an "
            "administrator has to do it by hand; else give the responder's identity the permission, and run the "
            "incident again."
        )
    if status == 403:  # noqa: PLR2004
        return " Give the responder's identity the right that the message names, then run the incident again."
    return ""


def error_map() -> Any:
    from azure.core import exceptions

    return {
        401: exceptions.ClientAuthenticationError,
        404: exceptions.ResourceNotFoundError,
        409: exceptions.ResourceExistsError,
    }
