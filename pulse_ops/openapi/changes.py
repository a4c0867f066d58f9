"""Which changes of an OpenAPI document break the clients of the one that was published.

Nothing that a client calls, sends or reads may go away, and nothing more may be asked of it. New operations, optional
parameters and fields, headers, error codes and error statuses are no breaks: clients are told to go by the status class
of an error that they do not know. A new status of success is one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pulse_ops.openapi.schema_changes import input_changes, output_changes

Part = dict[str, Any]


def breaking_changes(published: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """A line for each break, which names the operation and the rule."""
    old, new = _operations(published), _operations(current)
    removed = [f"{name}: removed" for name in old if name not in new]
    kept = (name for name in old if name in new)
    return removed + [f"{name} {change}" for name in kept for change in _changes(old[name], new[name])]


def _operations(document: Mapping[str, Any]) -> dict[str, Part]:
    """Operations by method and path, with references resolved and what they inherit."""
    found: dict[str, Part] = {}
    for path, methods in _resolved(document, document["paths"]).items():
        shared = methods.pop("parameters", [])
        for method, operation in methods.items():
            parameters = {(one["in"], one["name"]): one for one in [*shared, *operation.get("parameters", [])]}
            security = operation.get("security", document.get("security", []))
            found[f"{method.upper()} {path}"] = operation | {"parameters": parameters, "security": security}
    return found


def _resolved(document: Mapping[str, Any], part: Any) -> Any:
    if isinstance(part, list):
        return [_resolved(document, one) for one in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return {name: _resolved(document, one) for name, one in part.items()}
    target: Any = document
    *_, last = names = reference.removeprefix("#/").split("/")
    for name in names:
        target = target[name]
    return _resolved(document, target) | {"$name": last}


def _changes(old: Part, new: Part) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):
        yield f"operationId: is now {new.get('operationId')}, was {old.get('operationId')}"
    yield from _security(old["security"], new["security"])
    yield from _parameters(old["parameters"], new["parameters"])
    yield from _body(old.get("requestBody"), new.get("requestBody"))
    yield from _responses(old["responses"], new["responses"])


def _security(old: list[Part], new: list[Part]) -> Iterator[str]:
    for accepted in old or [{}]:
        if new and not any(_is_enough(accepted, needed) for needed in new):
            yield f"security: {_shown(accepted)} is no longer enough for {' or '.join(map(_shown, new))}"


def _is_enough(accepted: Part, needed: Part) -> bool:
    return all(scheme in accepted and set(needs) <= set(accepted[scheme]) for scheme, needs in needed.items())


def _shown(security: Part) -> str:
    return ", ".join(f"{scheme} {' '.join(needs)}".strip() for scheme, needs in security.items()) or "nothing"


def _parameters(old: dict[tuple[str, str], Part], new: dict[tuple[str, str], Part]) -> Iterator[str]:
    for key, parameter in old.items():
        if key not in new:
            yield f"{' '.join(key)}: removed"
            continue
        if new[key].get("required") and not parameter.get("required"):
            yield f"{' '.join(key)}: now required"
        yield from input_changes(parameter["schema"], new[key]["schema"], " ".join(key))
    yield from (
        f"{' '.join(key)}: new and required" for key, one in new.items() if key not in old and one.get("required")
    )


def _body(old: Part | None, new: Part | None) -> Iterator[str]:
    if new is not None and new.get("required") and not (old or {}).get("required"):
        yield "body: now required"
    if old is None:
        return
    if new is None:
        yield "body: removed"
        return
    for kind, media in old["content"].items():
        if kind not in new["content"]:
            yield f"body: {kind} is no longer taken"
            continue
        yield from input_changes(media["schema"], new["content"][kind]["schema"], "body")


def _responses(old: dict[str, Part], new: dict[str, Part]) -> Iterator[str]:
    yield from (
        f"{status}: new among the statuses of success" for status in new if _is_success(status) and status not in old
    )
    for status, response in old.items():
        if status not in new:
            yield f"{status}: removed"
            continue
        lost = (name for name in response.get("headers", {}) if name not in new[status].get("headers", {}))
        yield from (f"{status} header {name}: removed" for name in lost)
        yield from _content(_by_code(response), _by_code(new[status]), status)


def _is_success(status: str) -> bool:
    # 304 comes to those alone who ask under a condition.
    return status < "400" and status != "304"


def _content(old: dict[str, Part], new: dict[str, Part], status: str) -> Iterator[str]:
    for kind, media in old.items():
        if kind not in new:
            yield f"{status} {kind}: removed"
            continue
        yield from output_changes(media["schema"], new[kind]["schema"], status)


def _by_code(response: Part) -> dict[str, Part]:
    """The content, with one schema told like one of several, so that a second error code is a further one."""
    content: dict[str, Part] = response.get("content", {})
    return {kind: {"schema": _as_alternatives(media["schema"])} for kind, media in content.items()}


def _as_alternatives(schema: Part) -> Part:
    code = schema.get("properties", {}).get("error", {}).get("properties", {}).get("code", {})
    return {"oneOf": [schema]} if "const" in code else schema
