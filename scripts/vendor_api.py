"""Comparison of the vendor's OpenAPI document with the catalogue: `python -m scripts.vendor_api [FILE or URL]`.

FieldPulse announces no changes of its API, so `.github/workflows/vendor-api.yml` runs this every week. Operations,
fields of write bodies, and parameters of lists that only one of the two knows are printed, and the exit status is 1.
The document has no schemas of responses: new columns of rows are reported by the tap, in `unexpected_fields`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import ANY_COLUMN, Operation, Resource, WritableResource

URL = "https://help.fieldpulse.com/openapi/fieldpulse-api.json"
"""Where a catalogue of public APIs found the document in 2026 (observed)."""
_MAX_BYTES = 16 * 2**20
_METHODS = {
    Operation.LIST: "GET",
    Operation.GET: "GET",
    Operation.CREATE: "POST",
    Operation.UPDATE: "PUT",
    Operation.DELETE: "DELETE",
}
_WITHOUT_RESOURCE = {("GET", "/version")}
_UNDOCUMENTED_FIELDS = {
    "assets": {"customfields"},
    "projects": {"assignments", "customfields", "tags"},
}
"""Fields that the target writes although the document lacks them: docs/api-facts.md has the evidence."""
_PARAMETERS = {"sort": "supports_sort", "calculate_count": "supports_count", "page": "supports_page"}
Key = tuple[str, str]


def main() -> None:
    """Compare, print the differences, and exit with status 1 if there are any."""
    source = sys.argv[1] if len(sys.argv) > 1 else URL
    try:
        found = list(differences(_read(source)))
    except (AttributeError, KeyError, TypeError) as error:
        raise SystemExit(f"{source} has another form than before ({type(error).__name__}: {error})") from None
    for line in found:
        print(line)
    if found:
        raise SystemExit(
            "FieldPulse's document and the catalogue differ: correct fieldpulse_api/resources, or this script"
        )
    print(f"The catalogue agrees with {source}")


def differences(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each difference of an OpenAPI document."""
    documented = {
        (method.upper(), _template(path)): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method.upper() in {*_METHODS.values(), "PATCH"}
    }
    for method, path in sorted(documented.keys() - dict(_operations()).keys() - _WITHOUT_RESOURCE):
        yield f"{method} {path}: the catalogue lacks this operation"
    for key, (resource, operation) in sorted(dict(_operations()).items()):
        if key not in documented:
            yield f"{' '.join(key)}: the document no longer has this operation"
        elif operation is Operation.LIST:
            yield from _list_differences(key, resource, documented[key])
        elif operation in (Operation.CREATE, Operation.UPDATE):
            yield from _body_differences(key, resource, documented[key])


def _operations() -> Iterator[tuple[Key, tuple[Resource, Operation | None]]]:
    """Yield the catalogue's operations; those of actions, such as links, have no kind."""
    for resource in RESOURCES:
        for operation in resource.operations:
            path = resource.path if operation is Operation.LIST else resource.item_path
            if operation is Operation.CREATE:
                path = resource.create_path or resource.path
            yield (_METHODS[operation], _template(str(path))), (resource, operation)
        for action in resource.write_spec.actions if isinstance(resource, WritableResource) else ():
            yield ("PUT" if action.body_key else "POST", _template(action.path)), (resource, None)


def _template(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def _list_differences(key: Key, resource: Resource, operation: Mapping[str, Any]) -> Iterator[str]:
    parameters = {each["name"]: each.get("description", "") for each in operation.get("parameters", ())}
    for name, field in _PARAMETERS.items():
        if getattr(resource, field) != (name in parameters):
            yield f"{' '.join(key)}: `{name}` is {'' if name in parameters else 'no longer '}documented ({field})"
    values = parameters.get("sort_by", "").partition("Allowed values:")[2]
    columns = set(re.findall(r"\w+", values)) or ({ANY_COLUMN} if "sort_by" in parameters else set())
    if columns != set(resource.sort_by):
        yield f"{' '.join(key)}: `sort_by` is documented for {', '.join(sorted(columns)) or 'nothing'}"


def _body_differences(key: Key, resource: Resource, operation: Mapping[str, Any]) -> Iterator[str]:
    """Compare the fields of an example; some operations have an empty one, which says nothing."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    documented = {name.strip() for name in content.get("schema", {}).get("example", {})}
    if not documented or not isinstance(resource, WritableResource):
        return
    spec = resource.write_spec
    fields = set(spec.by_name) | ({spec.external_id_column} if spec.external_id_column else set())
    undocumented = _UNDOCUMENTED_FIELDS.get(resource.name, set()) | set(resource.parent_keys)
    for name in sorted(documented - fields):
        yield f"{' '.join(key)}: the target cannot write `{name}`"
    for name in sorted(fields - documented - undocumented):
        yield f"{' '.join(key)}: `{name}` is no longer documented"


def _read(source: str) -> dict[str, Any]:
    """Return the document of a file or an address."""
    try:
        data = _download(source) if source.startswith("https://") else Path(source).read_bytes()
        document: dict[str, Any] = json.loads(data)
        if not document["paths"]:
            raise KeyError("paths")  # noqa: TRY301  an empty document would remove every operation
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError) as error:
        raise SystemExit(f"{source} is not a readable OpenAPI document ({type(error).__name__}: {error})") from None
    return document


def _download(url: str) -> bytes:
    """Return what an address has, at most 16 MiB of it. Raises: ValueError; httpx.HTTPError."""
    data = b""
    with httpx.stream("GET", url, timeout=30, follow_redirects=True) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > _MAX_BYTES:
                raise ValueError("it is larger than 16 MiB")
    return data


if __name__ == "__main__":
    main()
