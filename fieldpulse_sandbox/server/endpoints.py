"""The endpoints: what each operation of the API does, from a request to a response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fieldpulse_api.resources.model import Resource
from fieldpulse_api.resources.write_model import Action
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.custom_field_values import DEFINITIONS_KEY, is_requested, with_definitions
from fieldpulse_sandbox.data.errors import NoSuchRow
from fieldpulse_sandbox.data.row_details import detail_row, without_hidden
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.faults.injection import FAULT
from fieldpulse_sandbox.lists.list_endpoint import ListEndpoint, ListRequest
from fieldpulse_sandbox.responses.bodies import HttpResponse, gateway_error, unknown_route_error
from fieldpulse_sandbox.responses.envelope import ResponseBuilder
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.writes.actions import Actions
from fieldpulse_sandbox.writes.row_writer import RowWriter
from fieldpulse_sandbox.writes.validation import Body

Endpoint = Callable[..., Awaitable[Response]]
"""Takes the resource of its route, and the request."""
VERSION = {"reported": "2.5", "latest": "2.0", "deprecated": False}


class DeletedRow(Exception):
    """The row was deleted, and the response says so with status 200."""


class UnreadableBody(Exception):
    """The body is not a JSON object."""


class Endpoints:
    """The endpoints. Each takes the resource of its route."""

    def __init__(self, store: Store, behaviour: Behaviour, faults: FaultQueue) -> None:
        """Read and write `store`."""
        self.store = store
        self.behaviour = behaviour
        self.lists = ListEndpoint(store, behaviour, faults)
        self.writer = RowWriter(store, behaviour)
        self.actions = Actions(store, behaviour)
        self.responses = ResponseBuilder(behaviour)

    def if_available(self, resource: Resource, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a route, which responds like an unknown route if the resource is unavailable."""

        async def respond(request: Request) -> Response:
            if resource.name in self.behaviour.unavailable_resources:
                return as_starlette(unknown_route_error(self.behaviour.unknown_route_status))
            return await endpoint(resource, request)

        return respond

    async def version(self, _: Request) -> Response:
        """GET the version: the only response that is documented without an envelope."""
        if self.behaviour.wrap_version:
            return as_starlette(self.responses.value(VERSION))
        return as_starlette(HttpResponse(200, msgspec.json.encode(VERSION)))

    async def poke(self, request: Request) -> Response:
        """Change or delete a row past the rules of the API; only `fieldpulse-sandbox poke` sends this."""
        name, row_id = request.path_params["name"], request.path_params["row_id"]
        if name not in self.store.tables:
            raise NoSuchRow(name)
        if request.method == "DELETE":
            return as_starlette(self.responses.value(self.store.delete(name, row_id)))
        self.store.get(name, row_id)
        return as_starlette(self.responses.value(self.store.update(name, row_id, await _json_object(request))))

    async def list(self, resource: Resource, request: Request) -> Response:
        """GET a page of a list."""
        items = request.query_params.multi_items()
        list_request = ListRequest(request.url.path, request.url.query, items, request.scope.get(FAULT))
        response = self.lists.respond(resource, list_request, self._parent(resource, request))
        if 0 < self.behaviour.max_response_bytes < len(response.body):
            return as_starlette(gateway_error(500))
        return as_starlette(response)

    async def get(self, resource: Resource, request: Request) -> Response:
        """GET a row by id, with the columns that lists omit."""
        row = self._row(resource, request)
        cells = detail_row(self.store, resource.name, row)
        if is_requested(resource.name, request.query_params):
            cells[DEFINITIONS_KEY] = with_definitions(self.store, row)
        return as_starlette(self.responses.row(resource.name, cells))

    async def create(self, resource: Resource, request: Request) -> Response:
        """POST a new row."""
        parent = self._parent(resource, request)
        row = self.writer.create(resource, await _json_object(request), parent)
        status = 200 if resource.name in self.behaviour.created_with_200 else self.behaviour.create_status
        if not self.behaviour.create_returns_row:
            return as_starlette(self.responses.value(None, status))
        extra = {}
        if self.behaviour.payment_effects and "invoice_id" in row and "amount" in row:
            extra = {"invoice": self.store.find("invoices", row["invoice_id"])}
        return as_starlette(self.responses.row(resource.name, without_hidden(resource.name, row), status, extra))

    async def update(self, resource: Resource, request: Request) -> Response:
        """PUT some columns of a row."""
        row = self._row(resource, request)
        after = self.writer.update(resource, row, await _json_object(request))
        return as_starlette(self.responses.row(resource.name, detail_row(self.store, resource.name, after)))

    async def delete(self, resource: Resource, request: Request) -> Response:
        """DELETE a row; it stays readable if the behaviour says so."""
        deleted = self.writer.delete(resource, self._row(resource, request))
        if self.behaviour.delete_returns == "row":
            return as_starlette(self.responses.row(resource.name, without_hidden(resource.name, deleted)))
        return as_starlette(self.responses.value(True if self.behaviour.delete_returns == "true" else None))

    async def action(self, action: Action, resource: Resource, request: Request) -> Response:
        """Carry out an action on a row, such as new prices or links."""
        after = self.actions.run(action, self._row(resource, request), await _json_object(request))
        return as_starlette(self.responses.row(resource.name, detail_row(self.store, resource.name, after)))

    def _row(self, resource: Resource, request: Request) -> Row:
        parent = self._parent(resource, request)
        row_id = request.path_params["id"]
        row = self.store.find(resource.name, row_id)
        if row is None and request.method == "GET":
            row = self._readable_deleted_row(
                resource, row_id, is_asked_for=request.query_params.get("deleted") == "true"
            )
        if row is None or (parent is not None and row["customer_id"] != parent["id"]):
            raise NoSuchRow(resource.name)
        return row

    def _readable_deleted_row(self, resource: Resource, row_id: str, *, is_asked_for: bool) -> Row | None:
        """Return a deleted row if the behaviour lets it be read by id."""
        row = self.store.find_deleted(resource.name, row_id)
        if row is not None and is_asked_for and self.behaviour.honour_deleted:
            return row
        if row is not None and self.behaviour.deleted_row_by_id == "error_in_200":
            raise DeletedRow
        return row if self.behaviour.deleted_row_by_id == "row" else None

    def _parent(self, resource: Resource, request: Request) -> Row | None:
        if resource.parent is None:
            return None
        return self.store.get(resource.parent, request.path_params["customer_id"])


def as_starlette(response: HttpResponse) -> Response:
    """Return a response as an object of the framework."""
    return Response(response.body, response.status, response.headers, response.media_type)


async def _json_object(request: Request) -> Body:
    """Return the body of a request. Raises: UnreadableBody."""
    try:
        body = msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError:
        raise UnreadableBody from None
    if not isinstance(body, dict):
        raise UnreadableBody
    return body
