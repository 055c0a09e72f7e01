"""The ASGI application: a route for each operation of the catalogue, and a response for each error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.errors import BackendError, NoSuchRow, ValidationFailed
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.responses.bodies import gateway_error, missing_row_error, unknown_route_error, validation_error
from fieldpulse_sandbox.writes.actions import method_of

from .endpoints import DeletedRow, Endpoint, Endpoints, UnreadableBody, as_starlette
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

    Units: `rate_limit` is in requests per second; None or 0 means no limit.
    """
    behaviour, faults = behaviour or Behaviour(), faults or FaultQueue()
    state = GatewayState(
        api_key=api_key,
        limit=RequestLimit(rate_limit, store.clock),
        latency_seconds=latency_ms / 1000,
        behaviour=behaviour,
        faults=faults,
        clock=store.clock,
        on_request=on_request,
        on_response=on_response,
    )
    app = Starlette(
        routes=_routes(Endpoints(store, behaviour, faults)),
        middleware=[Middleware(Gateway, state)],
        exception_handlers=_exception_handlers(behaviour),
    )
    app.router.redirect_slashes = False
    return app


def _routes(endpoints: Endpoints) -> list[Route]:
    """Return a route for each operation and action of the catalogue; fixed paths come before those with an id."""
    routes = [
        Route("/version", endpoints.version, methods=["GET"]),
        Route("/sandbox/rows/{name}/{row_id:int}", endpoints.poke, methods=["PUT", "DELETE"]),
    ]
    for resource in RESOURCES:
        operations: dict[Operation, tuple[str | None, str, Endpoint]] = {
            Operation.LIST: (resource.path, "GET", endpoints.list),
            Operation.GET: (resource.item_path, "GET", endpoints.get),
            Operation.CREATE: (resource.create_path or resource.path, "POST", endpoints.create),
            Operation.UPDATE: (resource.item_path, "PUT", endpoints.update),
            Operation.DELETE: (resource.item_path, "DELETE", endpoints.delete),
        }
        for operation, (path, method, endpoint) in operations.items():
            if operation in resource.operations:
                handler = endpoints.if_available(resource, endpoint)
                routes.append(Route(str(path), handler, methods=[method], name=f"{method} {resource.name}"))
        for action in resource.write_spec.actions if isinstance(resource, WritableResource) else ():
            handler = endpoints.if_available(resource, partial(endpoints.action, action))
            routes.append(Route(action.path, handler, methods=[method_of(action)], name=action.name))
    return sorted(routes, key=lambda route: route.path.count("{"))


def _exception_handlers(behaviour: Behaviour) -> dict[object, Callable[[Request, Exception], Response]]:
    def invalid(_: Request, error: Exception) -> Response:
        return as_starlette(validation_error(getattr(error, "problems", []), behaviour.validation_status))

    def unknown(_: Request, __: Exception) -> Response:
        return as_starlette(unknown_route_error(behaviour.unknown_route_status))

    return {
        404: unknown,
        405: unknown,
        NoSuchRow: lambda _, __: as_starlette(missing_row_error(wording=behaviour.missing_row_error)),
        DeletedRow: lambda _, __: as_starlette(missing_row_error(200)),
        BackendError: lambda _, __: as_starlette(gateway_error(500)),
        UnreadableBody: lambda _, __: as_starlette(gateway_error(400, "Could not parse request body into json")),
        ValidationFailed: invalid,
    }
