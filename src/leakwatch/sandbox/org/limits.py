"""The allocations that the resource `limits` lists, how much of each is left, and what a call uses of them.

The names are documented (REST guide, "Limits"); the allowances are those of an Enterprise Edition org where the
limits cheat sheet gives them, else those of a published answer of a Developer Edition org, and unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.storage import MB

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

DAY, MONTH = 24, 30 * 24
CALLS = "calls"
"""The meter of all API calls."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation; `hours` is how long what was used stays used, 0 where nothing here uses any."""

    most: int
    hours: int = DAY
    first: int = 0
    """The API version that it came with."""
    last: int = 99
    """The API version that it was last listed in."""
    by_app: bool = False
    """Whether each connected app has a block of its own in it."""


ALLOCATIONS: dict[str, Allocation] = {
    "AnalyticsExternalDataSizeMB": Allocation(40_960),
    "ConcurrentAsyncGetReportInstances": Allocation(200, 0),
    "ConcurrentEinsteinDataInsightsStoryCreation": Allocation(5, 0),
    "ConcurrentEinsteinDiscoveryStoryCreation": Allocation(2, 0),
    "ConcurrentSyncReportRuns": Allocation(20, 0),
    "DailyAnalyticsDataflowJobExecutions": Allocation(60),
    "DailyAnalyticsUploadedFilesSizeMB": Allocation(51_200),
    "DailyAsyncApexExecutions": Allocation(250_000),
    "DailyAsyncApexTests": Allocation(500, first=56),
    "DailyBulkApiBatches": Allocation(15_000, first=49, by_app=True),
    "DailyBulkApiRequests": Allocation(15_000, last=48, by_app=True),
    "DailyBulkV2QueryFileStorageMB": Allocation(976_562, first=47),
    "DailyBulkV2QueryJobs": Allocation(10_000, first=47),
    "DailyDeliveredPlatformEvents": Allocation(25_000),
    "DailyDurableGenericStreamingApiEvents": Allocation(10_000, first=37),
    "DailyDurableStreamingApiEvents": Allocation(10_000, first=37),
    "DailyEinsteinDataInsightsStoryCreation": Allocation(1_000),
    "DailyEinsteinDiscoveryOptimizationJobRuns": Allocation(25),
    "DailyEinsteinDiscoveryPredictAPICalls": Allocation(50_000),
    "DailyEinsteinDiscoveryPredictionsByCDC": Allocation(500_000),
    "DailyEinsteinDiscoveryStoryCreation": Allocation(100),
    "DailyGenericStreamingApiEvents": Allocation(10_000, by_app=True),
    "DailyStandardVolumePlatformEvents": Allocation(25_000),
    "DailyStreamingApiEvents": Allocation(10_000, by_app=True),
    "DailyWorkflowEmails": Allocation(1_000),
    "DurableStreamingApiConcurrentClients": Allocation(20, 0, first=37),
    "HourlyAsyncReportRuns": Allocation(1_200, 1),
    "HourlyDashboardRefreshes": Allocation(200, 1),
    "HourlyDashboardResults": Allocation(5_000, 1),
    "HourlyDashboardStatuses": Allocation(999_999_999, 1),
    "HourlyLongTermIdMapping": Allocation(100_000, 1),
    "HourlyManagedContentPublicRequests": Allocation(50_000, 1),
    "HourlyODataCallout": Allocation(1_000, 1),
    "HourlyPublishedPlatformEvents": Allocation(250_000, 1),
    "HourlyPublishedStandardVolumePlatformEvents": Allocation(1_000, 1),
    "HourlyShortTermIdMapping": Allocation(100_000, 1),
    "HourlySyncReportRuns": Allocation(500, 1),
    "HourlyTimeBasedWorkflow": Allocation(1_000, 1),
    "MassEmail": Allocation(5_000),
    "MonthlyEinsteinDiscoveryStoryCreation": Allocation(500, MONTH),
    "MonthlyPlatformEvents": Allocation(0, MONTH, last=47),
    "MonthlyPlatformEventsUsageEntitlement": Allocation(0, MONTH, first=48),
    "Package2VersionCreates": Allocation(6),
    "Package2VersionCreatesWithoutValidation": Allocation(500),
    "PlatformEventTriggersWithParallelProcessing": Allocation(10, 0),
    "PrivateConnectOutboundCalloutHourlyLimitMB": Allocation(0, 1),
    "SingleEmail": Allocation(5_000),
    "StreamingApiConcurrentClients": Allocation(20, 0),
}
"""By the name they are listed and, where something here uses them, counted under (`org.meters`)."""
_SAME = {"DailyBulkApiRequests": "DailyBulkApiBatches"}
"""Allocations that are counted under another name."""
_PERMISSION_SETS, _CUSTOM_PERMISSION_SETS = 1_500, 1_000


def listed(org: Org, version: int) -> dict[str, Any]:
    """The body of `limits` at an API version; raises OrgError 403 without the permission to view the setup."""
    absent = org.settings.missing_permissions
    if "ViewSetup" in absent:
        said = "You do not have the level of access necessary to perform the operation you requested."
        raise OrgError(403, "INSUFFICIENT_ACCESS", said)  # code and words are unverified
    body: dict[str, Any] = {}
    for name, one in ALLOCATIONS.items():
        if one.first <= version <= one.last:
            used = org.meters.used(_SAME.get(name, name), one.hours)
            body[name] = _block(one.most, used) | (_by_app(org, {}) if one.by_app else {})
    body["DailyApiRequests"] = _block(org.settings.daily_api_limit, org.calls_used()) | _by_app(
        org, org.settings.app_quotas
    )
    if version >= 41:
        custom = {"CreateCustom": _block(_CUSTOM_PERMISSION_SETS, 0)}
        body["PermissionSets"] = _block(_PERMISSION_SETS, 0) | custom
    if "ManageUsers" not in absent:
        body["DataStorageMB"] = _block(org.settings.data_storage_mb, -(-org.storage.used() // MB))
        body["FileStorageMB"] = _block(org.settings.file_storage_mb, 0)
    return dict(sorted(body.items()))


def _block(most: int, used: int) -> dict[str, Any]:
    return {"Max": most, "Remaining": max(most - used, 0)}


def _by_app(org: Org, quotas: dict[str, int]) -> dict[str, Any]:
    """A block for each connected app, 0 of 0 for one without a quota of its own, as the real service shows it."""
    apps = {app.client_id for app in org.identity.apps.all()} | quotas.keys()
    return {app_name(org, app): _block(quotas.get(app, 0), app_calls(org, app)) for app in sorted(apps)}


def app_name(org: Org, app: str) -> str:
    """What a connected app is called; its consumer key where nobody named it."""
    return org.settings.app_names.get(app, app)


def app_calls(org: Org, app: str) -> int:
    """API calls of a connected app in the last 24 hours of business time."""
    return org.meters.used(f"calls {app}", DAY)


def count_call(org: Org, app: str) -> None:
    """Count a call against its connected app's quota and the org's; raises OrgError 403 when one is used up."""
    quota = org.settings.app_quotas.get(app)
    if quota is not None and not org.meters.take(f"calls {app}", quota, DAY):
        raise OrgError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")  # words unverified
    if not org.meters.take(CALLS, org.settings.daily_api_limit, DAY):
        raise OrgError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def usage_header(org: Org, app: str) -> str:
    """The value of `Sforce-Limit-Info`, in its second form for an app that has a quota of its own."""
    whole = f"api-usage={org.calls_used()}/{org.settings.daily_api_limit}"
    quota = org.settings.app_quotas.get(app)
    if quota is None:
        return whole
    return f"{whole}; per-app-api-usage={app_calls(org, app)}/{quota}(appName={app_name(org, app)})"
