"""What a template asks for: its parameters as given, and its resources in the order of what needs what."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.azure import ids, providers
from sandbox.azure.clock import stamp
from sandbox.azure.errors import ApiError
from sandbox.azure.resources import need, rendered
from sandbox.azure.router import Call
from sandbox.azure.template_language import Function, check, evaluate, invalid, rounds

Json = dict[str, Any]

NESTED = "microsoft.resources/deployments"
_SECRET = ("securestring", "secureobject")
# What of a resource is for the deployment, and not for the resource's provider.
_OURS = frozenset(
    {"apiVersion", "comments", "condition", "copy", "dependsOn", "existing", "metadata", "name", "resourceGroup"}
    | {"resources", "scope", "subscriptionId", "type"}
)


@dataclass
class Wanted:
    """One resource of a template. Its body is evaluated when what it needs is there."""

    id: str
    type: str
    version: str
    asked: Json
    functions: Mapping[str, Function]
    keys: set[str]  # what others may call it
    needs: set[str] = field(default_factory=set)

    @property
    def body(self) -> Json:
        """What is sent to its provider."""
        given = {key: value for key, value in self.asked.items() if key not in _OURS}
        if self.type.lower() == NESTED and _inner(given):
            properties = dict(given["properties"])
            template = properties.pop("template", None)  # evaluated with its own parameters, later
            nested: Json = evaluate({**given, "properties": properties}, self.functions)
            return {**nested, "properties": {**nested["properties"], "template": template}}
        found: Json = evaluate(given, self.functions)
        return found


def _inner(nested: Json) -> bool:
    options = (nested.get("properties") or {}).get("expressionEvaluationOptions") or {}
    return str(options.get("scope", "outer")).lower() == "inner"


class Template:
    """A template, and what it was given."""

    def __init__(self, call: Call, scope: str, name: str, template: Json, given: Json) -> None:
        """Raises ApiError 400 InvalidTemplate."""
        _need_shape(template, given)
        self._call, self._scope, self._name, self._template = call, ids.spelled(scope), name, template
        self._declared: Json = template.get("parameters") or {}
        self._values: Json = {}
        self._variables: Json = {}
        self.functions = self._functions()
        check(template, self.functions)
        for parameter, declared in self._declared.items():
            self._values[parameter.lower()] = self._given(parameter, declared, given)
        if unknown := sorted({key.lower() for key in given} - {key.lower() for key in self._declared}):
            raise invalid(
                f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; they are not "
                "present in the original template and can therefore not be provided at deployment time"
            )

    @property
    def parameters(self) -> Json:
        """The parameters as a deployment shows them: of secret ones only the type."""
        shown = {}
        for name, declared in self._declared.items():
            kind = str(declared.get("type", "String"))
            secret = kind.lower() in _SECRET
            shown[name] = {"type": kind} | ({} if secret else {"value": self._values[name.lower()]})
        return shown

    @property
    def outputs(self) -> Json:
        """What the template tells, once all is there."""
        found = {}
        for name, declared in (self._template.get("outputs") or {}).items():
            if evaluate(declared.get("condition", True), self.functions):
                found[name] = {"type": declared.get("type"), "value": evaluate(declared.get("value"), self.functions)}
        return found

    @property
    def wanted(self) -> list[Wanted]:
        """Its resources; each comes after what it needs. Raises ApiError 400 for a circle."""
        asked = self._template.get("resources") or []
        named = asked.items() if isinstance(asked, dict) else (("", one) for one in asked)
        left = [one for key, resource in named for one in self._each(key, resource, None)]
        known = {key for one in left for key in one.keys}
        for one in left:
            one.needs &= known
        ordered: list[Wanted] = []
        there: set[str] = set()
        while left:
            ready = next((one for one in left if one.needs <= there), None)
            if ready is None:
                raise invalid(f"Circular dependency detected on resource: '{left[0].id}'")
            left.remove(ready)
            ordered.append(ready)
            # A loop is there once all of its rounds are.
            there |= ready.keys - {key for one in left for key in one.keys}
        return ordered

    def _each(self, key: str, asked: Json, parent: Wanted | None) -> Iterator[Wanted]:
        if asked.get("existing"):
            return
        loop = asked.get("copy") if isinstance(asked.get("copy"), dict) else None
        for functions in rounds(loop, self.functions) if loop else [self.functions]:
            if not evaluate(asked.get("condition", True), functions):
                continue
            one = self._one(key, asked, parent, functions)
            if loop:
                one.keys.add(str(loop.get("name", "")).lower())
            yield one
            for child in asked.get("resources") or ():
                yield from self._each("", child, one)

    def _one(self, key: str, asked: Json, parent: Wanted | None, functions: Mapping[str, Function]) -> Wanted:
        kind, name = (str(evaluate(asked.get(word) or "", functions)) for word in ("type", "name"))
        if not kind or not name or not asked.get("apiVersion"):
            raise invalid(f"The template resource '{name or kind}' has no type, name or apiVersion")
        if parent and not kind.lower().startswith(f"{parent.type}/".lower()):
            kind, name = f"{parent.type}/{kind}", f"{'/'.join(ids.parse(parent.id).names)}/{name}"
        if kind.count("/") != name.count("/") + 1 and "/providers/" not in kind.lower():
            raise invalid(
                f"The template resource '{name}' for type '{kind}' has incorrect segment lengths. A nested resource "
                "type must have identical number of segments as its resource name"
            )
        id_ = _id(self._home(asked, functions), kind, name)
        needs = {str(evaluate(other, functions)).lower() for other in asked.get("dependsOn") or ()}
        if parent:
            needs.add(parent.id.lower())
        keys = {id_.lower(), f"{kind}/{name}".lower(), name.lower()} | ({key.lower()} if key else set())
        version = str(evaluate(asked["apiVersion"], functions))
        return Wanted(id_, ids.parse(id_).type, version, asked, functions, keys, needs)

    def _home(self, asked: Json, functions: Mapping[str, Function]) -> str:
        """What a resource is made in, or on."""
        if scope := str(evaluate(asked.get("scope") or "", functions)):
            if scope == "/" or scope.startswith("/"):
                return scope.rstrip("/")
            namespace, _, rest = scope.partition("/")
            parts = rest.split("/")
            return _id(self._scope, "/".join([namespace, *parts[::2]]), "/".join(parts[1::2]))
        subscription, group = (
            str(evaluate(asked.get(k) or "", functions)) for k in ("subscriptionId", "resourceGroup")
        )
        if subscription or group:
            own = ids.parse(self._scope)
            home = f"/subscriptions/{subscription or own.subscription}"
            return f"{home}/resourceGroups/{group}" if group else home
        return self._scope

    def _given(self, name: str, declared: Json, given: Json) -> Any:
        entry = next((value for key, value in given.items() if key.lower() == name.lower()), None)
        if isinstance(entry, dict) and "reference" in entry:
            raise ApiError(501, "NotImplemented", "The sandbox does not read template parameters from a Key Vault.")
        if entry is not None:
            value = entry.get("value") if isinstance(entry, dict) else entry
        elif "defaultValue" in declared:
            value = evaluate(declared["defaultValue"], self.functions)
        elif declared.get("nullable"):
            value = None
        else:
            raise invalid(f"The value for the template parameter '{name}' is not provided")
        allowed = declared.get("allowedValues")
        if allowed and value not in allowed:
            raise invalid(
                f"The provided value for the template parameter '{name}' is not valid. The value '{value}' is not part "
                f"of the allowed value(s): '{','.join(map(str, allowed))}'"
            )
        return value

    # -- functions -----------------------------------------------------------------------------------------------------

    def _functions(self) -> dict[str, Function]:
        call, own = self._call, ids.parse(self._scope)
        subscription = f"/subscriptions/{own.subscription}"
        return {
            "parameters": self._parameter,
            "variables": self._variable,
            "resourceid": lambda *parts: _from(self._scope, parts),
            "subscriptionresourceid": lambda *parts: _from(subscription, parts),
            "tenantresourceid": lambda *parts: _from("", parts),
            "extensionresourceid": lambda base, *parts: _from(base, parts),
            "reference": self._reference,
            "resourcegroup": lambda: rendered(need(call, f"{subscription}/resourceGroups/{own.group}")),
            "subscription": lambda: {
                "id": subscription,
                "subscriptionId": own.subscription,
                "tenantId": call.world.tenant,
                "displayName": need(call, subscription).body.get("displayName"),
            },
            "providers": _provider,
            "tenant": lambda: {"tenantId": call.world.tenant},
            "deployment": lambda: {"name": self._name, "properties": {"template": self._template}},
            "environment": lambda: {
                "name": "CountersignSandbox",
                "resourceManager": call.endpoints.arm,
                "authentication": {"loginEndpoint": call.endpoints.login},
                "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
            },
            "utcnow": lambda *_: stamp(call.clock.now()),
            "newguid": lambda: call.world.new_id("newGuid"),
        }

    def _parameter(self, name: str) -> Any:
        if name.lower() not in self._values:
            raise invalid(f"The template parameter '{name}' is not found")
        return self._values[name.lower()]

    def _variable(self, name: str) -> Any:
        key = name.lower()
        if key not in self._variables:
            declared: Json = self._template.get("variables") or {}
            known = {k.lower(): v for k, v in declared.items() if k != "copy"}
            if key in known:
                self._variables[key] = evaluate(known[key], self.functions)
            elif loops := [loop for loop in declared.get("copy") or () if loop["name"].lower() == key]:
                self._variables[key] = evaluate({"copy": loops}, self.functions)[loops[0]["name"]]
            else:
                raise invalid(f"The template variable '{name}' is not found")
        return self._variables[key]

    def _reference(self, what: str, _version: str = "", full: str = "") -> Any:
        id_ = what if what.startswith("/") else next((o.id for o in self.wanted if what.lower() in o.keys), what)
        found = need(self._call, id_)
        self._call.require(f"{found.type}/read", found.id)
        body = rendered(found)
        return body if full.lower() == "full" else body.get("properties") or {}


def _need_shape(template: Json, given: Any) -> None:
    """Raise ApiError 400 for a template, or what it is given, whose parts are of other types than a template's."""
    resources = template.get("resources") or []
    each = list(resources.values()) if isinstance(resources, dict) else resources
    parts = [template.get(name) or {} for name in ("parameters", "variables", "outputs")]
    whole = isinstance(each, list) and all(isinstance(part, dict) for part in (given, *parts))
    named = [*parts[0].values(), *parts[2].values(), *each] if whole else []
    if not whole or not all(isinstance(one, dict) for one in named):
        raise invalid("A part of the template or of its parameters is of another type than expected")


def _provider(namespace: str, kind: str) -> Json:
    versions = list(providers.versions(f"{namespace}/{kind}"))
    return {"resourceType": kind, "locations": list(providers.LOCATIONS.values()), "apiVersions": versions}


def _from(scope: str, parts: Iterable[str]) -> str:
    """What resourceId() makes: before the type a subscription and a group may be named."""
    given = [str(part) for part in parts]
    at = next((i for i, part in enumerate(given) if "/" in part), -1)
    if at < 0:
        raise invalid("Unable to evaluate 'resourceId': no resource type is given")
    own = ids.parse(scope)
    if at == 2:  # noqa: PLR2004  subscription and group
        scope = f"/subscriptions/{given[0]}/resourceGroups/{given[1]}"
    elif at == 1:
        scope = f"/subscriptions/{own.subscription}/resourceGroups/{given[0]}"
    return _id(scope, given[at], "/".join(given[at + 1 :]))


def _id(scope: str, kind: str, name: str) -> str:
    """The id of a resource of a type, with names by slashes, in or on a scope."""
    if kind.lower() == "microsoft.resources/resourcegroups":
        return f"{scope}/resourceGroups/{name}"
    kinds, names, path = kind.split("/"), name.split("/"), scope
    path += f"/providers/{kinds.pop(0)}"
    while kinds:
        if kinds[0].lower() == "providers" and len(names) > 1:  # an extension in the old way: a/providers/locks
            kinds.pop(0)
            path += f"/providers/{names.pop(0)}"
        if not names or not kinds:
            raise invalid(f"The template resource '{name}' for type '{kind}' has incorrect segment lengths")
        path += f"/{kinds.pop(0)}/{names.pop(0)}"
    return path
