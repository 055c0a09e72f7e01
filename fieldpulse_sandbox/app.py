"""The API as an ASGI application: routes derived from the catalogue, each answered from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from fieldpulse_api.catalogue import RESOURCES

from . import answers
from .answers import Answer
from .behaviour import Behaviour
from .calls import Calls, method_of
from .conditions import Condition
from .custom_values import RELATED, encoded, is_asked, related
from .details import detailed, visible
from .faults import Faults
from .gateway import Gate, Gateway, Request
from .limiter import Limiter
from .paging import page_of
from .query import read_query
from .shown import form_of
from .store import Missing, Store
from .table import BackendError
from .validation import Body, Refused
from .writes import Writes

if TYPE_CHECKING:
    from fieldpulse_api.resource import Resource
    from fieldpulse_api.write import Call

    from .seed import Row

Endpoint = Callable[..., Awaitable[Response]]
"""Takes the resource that its route was derived from, and the request."""
VERSION = {"reported": "2.5", "latest": "2.0", "deprecated": False}


EXTRA: dict[str, Any] = {"updates": [], "db": "reader", "result_count": None}
"""Keys of envelopes that were seen elsewhere (contract 2.1)."""


class Deleted(Exception):  # named for what happened
    """The row was deleted, and that is said with status 200."""


class BadBody(Exception):  # named for what happened
    """The body is not a JSON object."""


class Backend:
    """The endpoints. Each takes the resource that its route was derived from."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Answer from this store."""
        self.store = store
        self.behaviour = behaviour
        self.writes = Writes(store, behaviour)
        self.calls = Calls(store, behaviour)
        self._random = Random(0)

    def offered(self, resource: Resource, endpoint: Endpoint) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Return what a route of this resource does, as long as the account has that resource."""

        async def answer(request: HttpRequest) -> Response:
            if resource.name in self.behaviour.unavailable:
                return _response(answers.unknown_route(self.behaviour.unknown_route_status))
            return await endpoint(resource, request)

        return answer

    async def list(self, resource: Resource, request: HttpRequest) -> Response:
        """GET a page of a list."""
        query = read_query(self.store, resource, request.query_params.multi_items(), self.behaviour)
        selection = query.selection
        parent = self._parent(resource, request)
        if parent is not None:
            own = Condition("customer_id", "=", str(parent["id"]))
            selection = replace(selection, conditions=(own, *selection.conditions))
        table = self.store.tables[resource.name]
        ids = table.select(selection)
        count = len(ids) if query.is_counted else None
        if self.behaviour.shuffle_unsorted and not selection.sorts and ids:
            slid = self._random.randrange(len(ids))
            ids = ids[slid:] + ids[:slid]
        page, form = page_of(ids, query, self.behaviour), form_of(self.behaviour)
        if page is None:
            rows = None
        else:
            rows = encoded(self.store, resource.name, page, form) if query.with_values else table.encoded(page, form)
        return _response(answers.listing(rows, self._more(count)))

    async def get(self, resource: Resource, request: HttpRequest) -> Response:
        """GET a row by id, with what only that path shows."""
        row = self._row(resource, request)
        shown = detailed(self.store, resource.name, row)
        if is_asked(resource.name, request.query_params):
            shown[RELATED] = related(self.store, row)
        return self._single(resource, shown)

    async def create(self, resource: Resource, request: HttpRequest) -> Response:
        """POST a new row."""
        parent = self._parent(resource, request)
        row = self.writes.create(resource, await _body(request), parent)
        shown = visible(resource.name, row) if self.behaviour.create_answers_row else None
        return self._single(resource, shown, self.behaviour.create_status)

    async def update(self, resource: Resource, request: HttpRequest) -> Response:
        """PUT some columns of a row."""
        row = self._row(resource, request)
        after = self.writes.update(resource, row, await _body(request))
        return self._single(resource, detailed(self.store, resource.name, after))

    async def delete(self, resource: Resource, request: HttpRequest) -> Response:
        """DELETE a row, softly."""
        trashed = self.writes.delete(resource, self._row(resource, request))
        if self.behaviour.delete_answers != "row":
            return _response(answers.single(True if self.behaviour.delete_answers == "true" else None))
        return self._single(resource, visible(resource.name, trashed))

    async def call(self, call: Call, resource: Resource, request: HttpRequest) -> Response:
        """Carry out a request of its own about a row: prices, links."""
        after = self.calls.answer(call, self._row(resource, request), await _body(request))
        return self._single(resource, detailed(self.store, resource.name, after))

    async def version(self, _: HttpRequest) -> Response:
        """GET the version, the only answer that is documented without an envelope (D)."""
        if self.behaviour.version_wrapped:
            return _response(answers.single(VERSION))
        return _response(Answer(200, msgspec.json.encode(VERSION)))

    def _single(self, resource: Resource, row: Row | None, status: int = 200) -> Response:
        shown = None if row is None else form_of(self.behaviour)(resource.name, row)
        return _response(answers.single(shown, status, EXTRA if self.behaviour.envelope_extra else answers.NOTHING))

    def _more(self, count: int | None) -> dict[str, Any]:
        """Return what a list's envelope has besides its rows; a count that was not asked for is null (V)."""
        key = self.behaviour.count_key
        counted: dict[str, Any] = (
            {} if key is None or (count is None and self.behaviour.count_left_out) else {key: count}
        )
        return counted | EXTRA if self.behaviour.envelope_extra else counted

    def _row(self, resource: Resource, request: HttpRequest) -> Row:
        parent = self._parent(resource, request)
        number = request.path_params["id"]
        row = self.store.find(resource.name, number) or self._trashed(resource, request)
        if row is None:
            raise Missing(resource.name)
        if parent is not None and row["customer_id"] != parent["id"]:
            raise Missing(resource.name)
        return row

    def _trashed(self, resource: Resource, request: HttpRequest) -> Row | None:
        """Return a deleted row where one can still be read."""
        row = self.store.trashed(resource.name, request.path_params["id"]) if request.method == "GET" else None
        if row is None or self.behaviour.deleted_by_id == "404":
            return None
        if self.behaviour.deleted_by_id == "error200":
            raise Deleted
        return row

    def _parent(self, resource: Resource, request: HttpRequest) -> Row | None:
        if resource.parent is None:
            return None
        return self.store.get(resource.parent, request.path_params["customer_id"])


def create_app(
    store: Store,
    *,
    api_key: Callable[[], str] = lambda: "sandbox-key",
    rate_limit: int | None = None,
    latency_ms: float = 0,
    behaviour: Behaviour | None = None,
    faults: Faults | None = None,
    arrived: Callable[[Request], None] = lambda _: None,
    answered: Callable[[Request], None] = lambda _: None,
) -> Starlette:
    """Return the API over a store.

    Units: `rate_limit` is in requests per second, None or 0 for none; `arrived` and `answered` see each request.
    """
    behaviour = behaviour or Behaviour()
    gate = Gate(
        api_key=api_key,
        limiter=Limiter(rate_limit, store.clock),
        latency_seconds=latency_ms / 1000,
        behaviour=behaviour,
        faults=faults or Faults(),
        clock=store.clock,
        arrived=arrived,
        answered=answered,
    )
    app = Starlette(
        routes=_routes(Backend(store, behaviour)),
        middleware=[Middleware(Gateway, gate)],
        exception_handlers=_handlers(behaviour),
    )
    app.router.redirect_slashes = False
    return app


def _routes(backend: Backend) -> list[Route]:
    """Return a route for each operation of the catalogue; fixed paths come before those with an id."""
    routes = [Route("/version", backend.version, methods=["GET"])]
    for resource in RESOURCES:
        endpoints: dict[str, tuple[str | None, str, Endpoint]] = {
            "L": (resource.path, "GET", backend.list),
            "G": (resource.item_path, "GET", backend.get),
            "C": (resource.create_path or resource.path, "POST", backend.create),
            "U": (resource.item_path, "PUT", backend.update),
            "D": (resource.item_path, "DELETE", backend.delete),
        }
        for operation in resource.operations:
            path, method, endpoint = endpoints[operation]
            name = f"{method} {resource.name}"
            routes.append(Route(str(path), backend.offered(resource, endpoint), methods=[method], name=name))
        for call in resource.write.calls if resource.write else ():
            answer = backend.offered(resource, partial(backend.call, call))
            routes.append(Route(call.path, answer, methods=[method_of(call)], name=call.name))
    return sorted(routes, key=lambda route: route.path.count("{"))


def _handlers(behaviour: Behaviour) -> dict[object, Callable[[HttpRequest, Exception], Response]]:
    def refused(_: HttpRequest, why: Exception) -> Response:
        return _response(answers.invalid(getattr(why, "problems", []), behaviour.validation))

    def unknown(_: HttpRequest, __: Exception) -> Response:
        return _response(answers.unknown_route(behaviour.unknown_route_status))

    return {
        404: unknown,
        405: unknown,
        Missing: lambda _, __: _response(answers.missing(words=behaviour.missing)),
        Deleted: lambda _, __: _response(answers.missing(200)),
        BackendError: lambda _, __: _response(answers.gateway(500)),
        BadBody: lambda _, __: _response(answers.gateway(400, "Could not parse request body into json")),
        Refused: refused,
    }


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers, answer.media_type)


async def _body(request: HttpRequest) -> Body:
    try:
        body = msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError:
        raise BadBody from None
    if not isinstance(body, dict):
        raise BadBody
    return body
