"""The API as an ASGI application: routes derived from the catalogue, each answered from the store."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from fieldpulse_api.catalogue import RESOURCES

from . import answers
from .answers import Answer
from .calls import Calls, method_of
from .conditions import Condition
from .custom_values import RELATED, encoded, is_asked, related
from .details import detailed, visible
from .faults import Behaviour, Faults
from .gateway import Gate, Gateway, Request
from .limiter import Limiter
from .query import read_query
from .selection import Selection
from .store import Missing, Store
from .table import BackendError
from .validation import Body, Refused
from .writes import Writes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request as HttpRequest

    from fieldpulse_api.resource import Resource
    from fieldpulse_api.write import Call

    from .seed import Row

VERSION = {"reported": "2.5", "latest": "2.0", "deprecated": False}


class BadBody(Exception):  # named for what happened
    """The body is not a JSON object."""


class Backend:
    """The endpoints. Each takes the resource that its route was derived from."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Answer from this store."""
        self.store = store
        self.behaviour = behaviour
        self.writes = Writes(store, behaviour)
        self.calls = Calls(store)
        self._random = Random(0)

    async def list(self, resource: Resource, request: HttpRequest) -> Response:
        """GET a page of a list."""
        query = read_query(self.store, resource, request.query_params.multi_items(), self.behaviour)
        selection = query.selection
        parent = self._parent(resource, request)
        if parent is not None:
            own = Condition("customer_id", "=", str(parent["id"]))
            selection = Selection((own, *selection.conditions), selection.sorts, selection.search)
        table = self.store.tables[resource.name]
        ids = table.select(selection)
        count = len(ids) if query.is_counted or resource.name in self.behaviour.always_count else None
        if self.behaviour.shuffle_unsorted and not selection.sorts and ids:
            slid = self._random.randrange(len(ids))
            ids = ids[slid:] + ids[:slid]
        start = (query.page - 1) * query.limit
        page = ids[start : start + query.limit]
        rows = encoded(self.store, resource.name, page) if query.with_values else table.encoded(page)
        return _response(answers.listing(rows, self.behaviour.count_key, count))

    async def get(self, resource: Resource, request: HttpRequest) -> Response:
        """GET a row by id, with what only that path shows."""
        row = self._row(resource, request)
        shown = detailed(self.store, resource.name, row)
        if is_asked(resource.name, request.query_params):
            shown[RELATED] = related(self.store, row)
        return _response(answers.single(shown))

    async def create(self, resource: Resource, request: HttpRequest) -> Response:
        """POST a new row."""
        parent = self._parent(resource, request)
        row = self.writes.create(resource, await _body(request), parent)
        return _response(answers.single(visible(resource.name, row), self.behaviour.create_status))

    async def update(self, resource: Resource, request: HttpRequest) -> Response:
        """PUT some columns of a row."""
        row = self._row(resource, request)
        after = self.writes.update(resource, row, await _body(request))
        return _response(answers.single(detailed(self.store, resource.name, after)))

    async def delete(self, resource: Resource, request: HttpRequest) -> Response:
        """DELETE a row, softly."""
        trashed = self.writes.delete(resource, self._row(resource, request))
        return _response(answers.single(visible(resource.name, trashed)))

    async def call(self, resource: Resource, call: Call, request: HttpRequest) -> Response:
        """Carry out a request of its own about a row: prices, links."""
        after = self.calls.answer(call, self._row(resource, request), await _body(request))
        return _response(answers.single(detailed(self.store, resource.name, after)))

    def _row(self, resource: Resource, request: HttpRequest) -> Row:
        parent = self._parent(resource, request)
        row = self.store.get(resource.name, request.path_params["id"])
        if parent is not None and row["customer_id"] != parent["id"]:
            raise Missing(resource.name)
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
    routes = [Route("/version", _version, methods=["GET"])]
    for resource in RESOURCES:
        endpoints: dict[str, tuple[str | None, str, Callable[..., Awaitable[Response]]]] = {
            "L": (resource.path, "GET", backend.list),
            "G": (resource.item_path, "GET", backend.get),
            "C": (resource.create_path or resource.path, "POST", backend.create),
            "U": (resource.item_path, "PUT", backend.update),
            "D": (resource.item_path, "DELETE", backend.delete),
        }
        for operation in resource.operations:
            path, method, endpoint = endpoints[operation]
            name = f"{method} {resource.name}"
            routes.append(Route(str(path), partial(endpoint, resource), methods=[method], name=name))
        for call in resource.write.calls if resource.write else ():
            endpoint = partial(backend.call, resource, call)
            routes.append(Route(call.path, endpoint, methods=[method_of(call)], name=call.name))
    return sorted(routes, key=lambda route: route.path.count("{"))


def _handlers(behaviour: Behaviour) -> dict[object, Callable[[HttpRequest, Exception], Response]]:
    def refused(_: HttpRequest, why: Exception) -> Response:
        return _response(answers.invalid(getattr(why, "problems", []), behaviour.validation))

    return {
        404: lambda _, __: _response(answers.unknown_route()),
        405: lambda _, __: _response(answers.unknown_route()),
        Missing: lambda _, __: _response(answers.missing()),
        BackendError: lambda _, __: _response(answers.gateway(500)),
        BadBody: lambda _, __: _response(answers.gateway(400, "Could not parse request body into json")),
        Refused: refused,
    }


async def _version(_: HttpRequest) -> Response:
    """GET the version, the only answer without an envelope (D)."""
    return _response(Answer(200, msgspec.json.encode(VERSION)))


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
