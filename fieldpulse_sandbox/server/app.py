"""The API as an ASGI application: routes derived from the catalogue, each answered by the backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.errors import BackendError, NoSuchRow, ValidationFailed
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.responses import bodies as answers
from fieldpulse_sandbox.writes.actions import method_of

from .endpoints import DeletedRow, Endpoint, Endpoints, UnreadableBody, response
from .gateway import Gateway, GatewayState
from .rate_limit import RequestLimit
from .recorded_request import RecordedRequest


def create_app(
    store: Store,
    *,
    api_key: Callable[[], str] = lambda: "sandbox-key",
    rate_limit: int | None = None,
    latency_ms: float = 0,
    behaviour: Behaviour | None = None,
    faults: FaultQueue | None = None,
    on_request: Callable[[RecordedRequest], None] = lambda _: None,
    on_response: Callable[[RecordedRequest], None] = lambda _: None,
) -> Starlette:
    """Return the API over a store.

    Units: `rate_limit` is in requests per second, None or 0 for none; `arrived` and `answered` see each request.
    """
    behaviour, faults = behaviour or Behaviour(), faults or FaultQueue()
    gate = GatewayState(
        api_key=api_key,
        limiter=RequestLimit(rate_limit, store.clock),
        latency_seconds=latency_ms / 1000,
        behaviour=behaviour,
        faults=faults,
        clock=store.clock,
        on_request=on_request,
        on_response=on_response,
    )
    app = Starlette(
        routes=_routes(Endpoints(store, behaviour, faults)),
        middleware=[Middleware(Gateway, gate)],
        exception_handlers=_handlers(behaviour),
    )
    app.router.redirect_slashes = False
    return app


def _routes(backend: Endpoints) -> list[Route]:
    """Return a route for each operation of the catalogue; fixed paths come before those with an id."""
    routes = [Route("/version", backend.version, methods=["GET"])]
    for resource in RESOURCES:
        endpoints: dict[Operation, tuple[str | None, str, Endpoint]] = {
            Operation.LIST: (resource.path, "GET", backend.list),
            Operation.GET: (resource.item_path, "GET", backend.get),
            Operation.CREATE: (resource.create_path or resource.path, "POST", backend.create),
            Operation.UPDATE: (resource.item_path, "PUT", backend.update),
            Operation.DELETE: (resource.item_path, "DELETE", backend.delete),
        }
        for operation, (path, method, endpoint) in endpoints.items():
            if operation in resource.operations:
                name = f"{method} {resource.name}"
                routes.append(Route(str(path), backend.if_available(resource, endpoint), methods=[method], name=name))
        for call in resource.write_spec.actions if isinstance(resource, WritableResource) else ():
            answer = backend.if_available(resource, partial(backend.action, call))
            routes.append(Route(call.path, answer, methods=[method_of(call)], name=call.name))
    return sorted(routes, key=lambda route: route.path.count("{"))


def _handlers(behaviour: Behaviour) -> dict[object, Callable[[HttpRequest, Exception], Response]]:
    def refused(_: HttpRequest, why: Exception) -> Response:
        return response(answers.validation_error(getattr(why, "problems", []), behaviour.validation_status))

    def unknown(_: HttpRequest, __: Exception) -> Response:
        return response(answers.unknown_route_error(behaviour.unknown_route_status))

    return {
        404: unknown,
        405: unknown,
        NoSuchRow: lambda _, __: response(answers.missing_row_error(words=behaviour.missing_row_error)),
        DeletedRow: lambda _, __: response(answers.missing_row_error(200)),
        BackendError: lambda _, __: response(answers.gateway_error(500)),
        UnreadableBody: lambda _, __: response(answers.gateway_error(400, "Could not parse request body into json")),
        ValidationFailed: refused,
    }
