"""`make vendor-api` reports what only the vendor's document or only the catalogue has."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource, WritableResource
from scripts import vendor_api
from tests.harness.processes import run_process

METHODS = {Operation.CREATE: "post", Operation.UPDATE: "put", Operation.DELETE: "delete", Operation.GET: "get"}


@pytest.fixture
def document() -> dict[str, Any]:
    """Return a document that says what the catalogue says, in the form of the vendor's."""
    paths: dict[str, Any] = {"/version": {"get": {}}}
    for resource in RESOURCES:
        for operation in resource.operations - {Operation.LIST}:
            path = resource.create_path or resource.path if operation is Operation.CREATE else str(resource.item_path)
            paths.setdefault(path, {})[METHODS[operation]] = body_of(resource)
        paths.setdefault(resource.path, {})["get"] = {"parameters": list_parameters(resource)}
        for action in resource.write_spec.actions if isinstance(resource, WritableResource) else ():
            paths.setdefault(action.path, {})["put" if action.body_key else "post"] = {}
    return {"paths": paths}


def body_of(resource: Resource) -> dict[str, Any]:
    if not isinstance(resource, WritableResource):
        return {}
    external_id = resource.write_spec.external_id_column
    names = {*resource.write_spec.by_name, *([external_id] if external_id else [])}
    example = {f"{name} ": "" for name in names}  # the vendor's has blanks too
    return {"requestBody": {"content": {"application/json": {"schema": {"example": example}}}}}


def list_parameters(resource: Resource) -> list[dict[str, str]]:
    flags = {"sort": resource.supports_sort, "calculate_count": resource.supports_count, "page": resource.supports_page}
    parameters = [{"name": name, "description": ""} for name, is_documented in flags.items() if is_documented]
    if resource.sort_by == ("*",):
        parameters.append({"name": "sort_by", "description": "Value can be any attribute name."})
    elif resource.sort_by:
        parameters.append({"name": "sort_by", "description": f"Allowed values: {','.join(resource.sort_by)}."})
    return parameters


def test_a_document_that_says_the_same_has_no_differences(document: dict[str, Any]) -> None:
    """Names of placeholders in paths do not count."""
    paths = document["paths"]
    paths["/customers/{customerId}"] = paths.pop("/customers/{id}")
    assert list(vendor_api.differences(document)) == []


def example(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]["example"]
    return content


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda paths: paths.update({"/leads": {"get": {}}}), "GET /leads: the catalogue lacks this operation"),
        (lambda paths: paths["/users"].update(patch={}), "PATCH /users: the catalogue lacks this operation"),
        (lambda paths: paths["/jobs/{id}"].pop("delete"), "DELETE /jobs/{}: the document no longer has this operation"),
        (
            lambda paths: example(paths["/jobs"]["post"]).update(priority=""),
            "POST /jobs: the target cannot write `priority`",
        ),
        (
            lambda paths: example(paths["/tags/{id}"]["put"]).pop("title "),
            "PUT /tags/{}: `title` is no longer documented",
        ),
        (
            lambda paths: paths["/users"]["get"]["parameters"].append({"name": "page"}),
            "GET /users: `page` is documented (supports_page)",
        ),
        (
            lambda paths: paths["/tags"]["get"].update(parameters=[{"name": "sort"}, {"name": "page"}]),
            "GET /tags: `calculate_count` is no longer documented (supports_count)",
        ),
        (
            lambda paths: paths["/tags"]["get"]["parameters"].append(
                {"name": "sort_by", "description": "Allowed values: id, title."}
            ),
            "GET /tags: `sort_by` is documented for id, title",
        ),
    ],
)
def test_a_change_is_reported_once(
    document: dict[str, Any], change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    """As a line that names the operation."""
    change(document["paths"])
    assert list(vendor_api.differences(document)) == [expected]


def test_an_operation_with_an_empty_example_says_nothing_about_fields(document: dict[str, Any]) -> None:
    """The vendor's documents jobs, estimates and invoices so."""
    example(document["paths"]["/jobs"]["post"]).clear()
    assert list(vendor_api.differences(document)) == []


@pytest.mark.parametrize(
    "paths", [[1], {"/users": []}, {"/users": {"get": {"parameters": [{"$ref": "#/components/x"}]}}}]
)
def test_a_document_of_another_form_is_named_and_no_traceback(
    paths: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor may rewrite it."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps({"paths": paths}))
    monkeypatch.setattr(sys, "argv", ["vendor_api", str(path)])
    with pytest.raises(SystemExit, match="has another form than before"):
        vendor_api.main()


@pytest.mark.parametrize("text", ["", "[]", '{"paths": {}}', "<html>moved</html>"])
def test_what_is_not_a_document_is_not_a_document_without_differences(text: str, tmp_path: Path) -> None:
    """Nor one in which every operation was removed."""
    path = tmp_path / "openapi.json"
    path.write_text(text)
    with pytest.raises(SystemExit, match="is not a readable OpenAPI document"):
        vendor_api._read(str(path))


def test_the_command_exits_with_status_1_for_a_difference(document: dict[str, Any], tmp_path: Path) -> None:
    """The weekly workflow fails then."""
    path = tmp_path / "openapi.json"
    for paths, status in ((document["paths"], 0), (document["paths"] | {"/leads": {"get": {}}}, 1)):
        path.write_text(json.dumps({"paths": paths}))
        result = run_process([sys.executable, "-m", "scripts.vendor_api", str(path)])
        assert (result.returncode, "/leads" in result.stdout) == (status, bool(status))
