"""A client library for the FieldPulse API: requests, the catalogue of resources, and complete reads of lists.

It knows nothing of Singer. What is listed in `__all__` is the public interface; import the rest from its module.
"""

from __future__ import annotations

from .account_profile import AccountProfile
from .errors import (
    AuthenticationError,
    ConfigError,
    ConnectionFailed,
    FieldPulseError,
    Forbidden,
    IncompleteRead,
    InvalidInput,
    QuotaExceeded,
    RateLimited,
    RecordError,
    RecordInvalid,
    ReferenceNotFound,
    RequestLimitReached,
    ResponseLost,
    RowNotFound,
    RunLocked,
    SafetyLimitReached,
    ServerError,
    ServiceError,
    UncertainWrite,
    UnexpectedResponse,
    UnsupportedStreamError,
    UserError,
)
from .http.api_key import ApiKey
from .http.client import Client
from .http.limits.monthly_quota import MonthlyQuota
from .http.responses import ApiResponse
from .http.retry import RetryPolicy
from .http.settings import ClientSettings
from .reading.full_scan import FullScan
from .reading.incremental_scan import IncrementalScan
from .reading.pages import Pages, ReadOptions
from .resources import BY_NAME, RESOURCES, WRITABLE, Evidence, Operation, Resource, WritableResource

__all__ = [
    "BY_NAME",
    "RESOURCES",
    "WRITABLE",
    "AccountProfile",
    "ApiKey",
    "ApiResponse",
    "AuthenticationError",
    "Client",
    "ClientSettings",
    "ConfigError",
    "ConnectionFailed",
    "Evidence",
    "FieldPulseError",
    "Forbidden",
    "FullScan",
    "IncompleteRead",
    "IncrementalScan",
    "InvalidInput",
    "MonthlyQuota",
    "Operation",
    "Pages",
    "QuotaExceeded",
    "RateLimited",
    "ReadOptions",
    "RecordError",
    "RecordInvalid",
    "ReferenceNotFound",
    "RequestLimitReached",
    "Resource",
    "ResponseLost",
    "RetryPolicy",
    "RowNotFound",
    "RunLocked",
    "SafetyLimitReached",
    "ServerError",
    "ServiceError",
    "UncertainWrite",
    "UnexpectedResponse",
    "UnsupportedStreamError",
    "UserError",
    "WritableResource",
]
