"""What a service answers when it refuses, in Resource Manager's words."""

from typing import Any


class ApiError(Exception):
    """A refusal on its way to the caller. `code` and `message` go into the service's own error body."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.headers, self.more = status, code, message, headers or {}, more

    def body(self) -> dict[str, Any]:
        """The error body of Resource Manager; `more` adds details, additionalInfo and the like."""
        return {"error": {"code": self.code, "message": self.message, **self.more}}


def bad_request(code: str, message: str) -> ApiError:
    """400: the request makes no sense as it stands."""
    return ApiError(400, code, message)


def resource_not_found(kind: str, name: str, group: str) -> ApiError:
    """404 for a resource. `kind` is the full type, `name` the names joined by slashes; `group` "" at other scopes."""
    where = f"under resource group '{group}' was" if group else "was"
    more = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return ApiError(404, "ResourceNotFound", f"The Resource '{kind}/{name}' {where} not found. {more}")


def parent_not_found(parent: str) -> ApiError:
    """404 for anything beneath a resource that isn't there; `parent` is its names joined by slashes."""
    message = f"Can not perform requested operation on nested resource. Parent resource '{parent}' not found."
    return ApiError(404, "ParentResourceNotFound", message)


def group_not_found(name: str) -> ApiError:
    """404 for a resource group."""
    return ApiError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def subscription_not_found(subscription: str) -> ApiError:
    """404 for a subscription."""
    return ApiError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def not_built(method: str, path: str, version: str) -> ApiError:
    """501: the sandbox has no such thing, and says which."""
    message = f"The sandbox does not know {method} {path} (api-version {version or 'none'})."
    return ApiError(501, "NotImplemented", message)
