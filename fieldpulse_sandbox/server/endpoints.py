"""What each operation of the API does, from a request to a response."""

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
from fieldpulse_sandbox.responses import bodies as answers
from fieldpulse_sandbox.responses.bodies import HttpResponse
from fieldpulse_sandbox.responses.envelope import ResponseBuilder
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.writes.actions import Actions
from fieldpulse_sandbox.writes.validation import Body
from fieldpulse_sandbox.writes.writes import RowWriter

Endpoint = Callable[..., Awaitable[Response]]
"""Takes the resource that its route was derived from, and the request."""
VERSION = {"reported": "2.5", "latest": "2.0", "deprecated": False}


class DeletedRow(Exception):  # named for what happened
    """The row was deleted, and that is said with status 200."""


class UnreadableBody(Exception):  # named for what happened
    """The body is not a JSON object."""


class Endpoints:
    """The endpoints. Each takes the resource that its route was derived from."""

    def __init__(self, store: Store, behaviour: Behaviour, faults: FaultQueue) -> None:
        """Answer from this store."""
        self.store = store
        self.behaviour = behaviour
        self.lists = ListEndpoint(store, behaviour, faults)
        self.writes = RowWriter(store, behaviour)
        self.calls = Actions(store, behaviour)
        self.envelope = ResponseBuilder(behaviour)

    def if_available(self, resource: Resource, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Return what a route of this resource does, as long as the account has that resource."""

        async def answer(request: Request) -> Response:
            if resource.name in self.behaviour.unavailable_resources:
                return response(answers.unknown_route_error(self.behaviour.unknown_route_status))
            return await endpoint(resource, request)

        return answer

    async def version(self, _: Request) -> Response:
        """GET the version, the only answer that is documented without an envelope (D)."""
        if self.behaviour.wrap_version:
            return response(self.envelope.value(VERSION))
        return response(HttpResponse(200, msgspec.json.encode(VERSION)))

    async def list(self, resource: Resource, request: Request) -> Response:
        """GET a page of a list."""
        items = request.query_params.multi_items()
        asked = ListRequest(request.url.path, request.url.query, items, request.scope.get(FAULT))
        return response(self.lists.respond(resource, asked, self._parent(resource, request)))

    async def get(self, resource: Resource, request: Request) -> Response:
        """GET a row by id, with what only that path shows."""
        row = self._row(resource, request)
        shown = detail_row(self.store, resource.name, row)
        if is_requested(resource.name, request.query_params):
            shown[DEFINITIONS_KEY] = with_definitions(self.store, row)
        return response(self.envelope.row(resource.name, shown))

    async def create(self, resource: Resource, request: Request) -> Response:
        """POST a new row."""
        parent = self._parent(resource, request)
        row = self.writes.create(resource, await _body(request), parent)
        status = self.behaviour.create_status
        if not self.behaviour.create_returns_row:
            return response(self.envelope.value(None, status))
        return response(self.envelope.row(resource.name, without_hidden(resource.name, row), status))

    async def update(self, resource: Resource, request: Request) -> Response:
        """PUT some columns of a row."""
        row = self._row(resource, request)
        after = self.writes.update(resource, row, await _body(request))
        return response(self.envelope.row(resource.name, detail_row(self.store, resource.name, after)))

    async def delete(self, resource: Resource, request: Request) -> Response:
        """DELETE a row, softly."""
        trashed = self.writes.delete(resource, self._row(resource, request))
        if self.behaviour.delete_returns == "row":
            return response(self.envelope.row(resource.name, without_hidden(resource.name, trashed)))
        return response(self.envelope.value(True if self.behaviour.delete_returns == "true" else None))

    async def action(self, call: Action, resource: Resource, request: Request) -> Response:
        """Carry out a request of its own about a row: prices, links."""
        after = self.calls.run(call, self._row(resource, request), await _body(request))
        return response(self.envelope.row(resource.name, detail_row(self.store, resource.name, after)))

    def _row(self, resource: Resource, request: Request) -> Row:
        parent = self._parent(resource, request)
        number = request.path_params["id"]
        row = self.store.find(resource.name, number)
        if row is None and request.method == "GET":
            row = self._trashed(resource, number)
        if row is None or (parent is not None and row["customer_id"] != parent["id"]):
            raise NoSuchRow(resource.name)
        return row

    def _trashed(self, resource: Resource, number: str) -> Row | None:
        """Return a deleted row where one can still be read."""
        row = self.store.find_deleted(resource.name, number)
        if row is not None and self.behaviour.deleted_row_by_id == "error_in_200":
            raise DeletedRow
        return row if self.behaviour.deleted_row_by_id == "row" else None

    def _parent(self, resource: Resource, request: Request) -> Row | None:
        if resource.parent is None:
            return None
        return self.store.get(resource.parent, request.path_params["customer_id"])


def response(answer: HttpResponse) -> Response:
    """Return an answer as the framework has it."""
    return Response(answer.body, answer.status, answer.headers, answer.media_type)


async def _body(request: Request) -> Body:
    try:
        body = msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError:
        raise UnreadableBody from None
    if not isinstance(body, dict):
        raise UnreadableBody
    return body
