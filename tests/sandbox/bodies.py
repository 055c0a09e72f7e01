"""Bodies of writes for any resource, built from the documented fields and the rows of an account."""

from __future__ import annotations

from typing import Any

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.resources.write_model import Field, FieldType, WriteSpec
from fieldpulse_sandbox.sandbox import Sandbox

WRITTEN = [resource for resource in WRITABLE.values() if not resource.write_spec.target_resource]
SAMPLES: dict[FieldType, Any] = {
    FieldType.TEXT: "Proof",
    FieldType.EMAIL: "nova@example.com",
    FieldType.PHONE: "(214) 555-0100",
    FieldType.E164: "+12145550100",
    FieldType.INTEGER: 7,
    FieldType.DECIMAL: "12.50",
    FieldType.BOOLEAN: True,
    FieldType.TIME: 1_794_000_000,
    FieldType.TEXT_TIME: "2026-11-06 21:20:00",
    FieldType.DATE: "2026-05-15",
}


def rules(resource: Resource) -> WriteSpec:
    """Return the write rules of this resource."""
    return WRITABLE[resource.name].write_spec


def table_of(resource: Resource, name: str) -> str | None:
    """Return the resource that a field refers to; the first one if there are several object types."""
    own = {"recurring_job_id": "jobs", "contract_id": "contracts", "status_id": "job_statuses"}
    if name == "status_id" and resource.name != "jobs":
        return None
    return next((ref.stream for ref in rules(resource).references if ref.field == name), own.get(name))


def sample(sandbox: Sandbox, resource: Resource, field: Field) -> Any:
    """Return a value that the field accepts."""
    table = table_of(resource, field.name) if field.type is FieldType.INTEGER else None
    if table:
        return sandbox.rows(table)[-1]["id"]
    if field.allowed_values or field.object_types:
        return [*field.allowed_values, *field.object_types][0]
    return (
        {"settings": {"default_value": "x"}}.get(field.name, [])
        if field.type is FieldType.JSON
        else SAMPLES[field.type]
    )


def minimal(sandbox: Sandbox, resource: Resource) -> dict[str, Any]:
    """Return the smallest body of a create."""
    write = rules(resource)
    names = [*write.required, *write.require_any_of[:1]]
    return {
        name: sample(sandbox, resource, write.by_name[name])
        for name in names
        if name in write.by_name and name not in resource.parent_keys
    }


def paths(sandbox: Sandbox, resource: Resource) -> tuple[str, str]:
    """Return the path of a create and the path of a row with `{id}`; below the first customer if it has a parent."""
    parent = {"customer_id": sandbox.rows("customers")[0]["id"], "id": "{id}"}
    return (resource.create_path or resource.path).format(**parent), str(resource.item_path).format(**parent)
