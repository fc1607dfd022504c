"""What a new org has before anybody sets it up: itself, its statuses and its stages.

Values and their meanings are those of a new Developer Edition org. Seeding one of these objects replaces
its default rows, so that a world can bring stages of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leakwatch.sandbox.org.settings import OrgSettings

REPLACEABLE = (
    *("OpportunityStage", "LeadStatus", "TaskStatus", "TaskPriority", "Organization"),
    *("CaseStatus", "ContractStatus", "OrderStatus", "BusinessHours"),
)
_STAGES = (
    ("Prospecting", 10, "Pipeline", "Pipeline"),
    ("Qualification", 10, "Pipeline", "Pipeline"),
    ("Needs Analysis", 20, "Pipeline", "Pipeline"),
    ("Value Proposition", 50, "Pipeline", "Pipeline"),
    ("Id. Decision Makers", 60, "Pipeline", "Pipeline"),
    ("Perception Analysis", 70, "Pipeline", "Pipeline"),
    ("Proposal/Price Quote", 75, "Pipeline", "Pipeline"),
    ("Negotiation/Review", 90, "Pipeline", "Pipeline"),
    ("Closed Won", 100, "Closed", "Closed"),
    ("Closed Lost", 0, "Omitted", "Omitted"),
)
_LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted")
_TASK_STATUSES = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
_PRIORITIES = ("High", "Normal", "Low")
_CASE_STATUSES = ("New", "Working", "Escalated", "Closed")
_CONTRACT_STATUSES = (("In Approval Process", "InApproval"), ("Activated", "Activated"), ("Draft", "Draft"))
_ORDER_STATUSES = (("Draft", "Draft"), ("Activated", "Activated"))


def rows(settings: OrgSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    """(object, row) of everything a new org starts with."""
    yield (
        "Organization",
        {
            "Id": settings.org_id,
            "Name": settings.name,
            "DefaultLocaleSidKey": settings.locale,
            "TimeZoneSidKey": settings.time_zone,
            "LanguageLocaleKey": settings.language,
            "FiscalYearStartMonth": settings.fiscal_year_start_month,
            "UsesStartDateAsFiscalYearName": False,
            "OrganizationType": "Enterprise Edition",
            "InstanceName": "EMU1",
            "IsSandbox": False,
        },
    )
    for i, (name, probability, category, category_name) in enumerate(_STAGES, 1):
        yield (
            "OpportunityStage",
            {
                "MasterLabel": name,
                "ApiName": name,
                "SortOrder": i,
                "IsActive": True,
                "IsClosed": name.startswith("Closed"),
                "IsWon": name == "Closed Won",
                "DefaultProbability": probability,
                "ForecastCategory": category,
                "ForecastCategoryName": category_name,
            },
        )
    for i, name in enumerate(_LEAD_STATUSES, 1):
        yield "LeadStatus", _value(i, name) | {"IsDefault": i == 1, "IsConverted": name == "Closed - Converted"}
    for i, name in enumerate(_TASK_STATUSES, 1):
        yield "TaskStatus", _value(i, name) | {"IsDefault": i == 1, "IsClosed": name == "Completed"}
    for i, name in enumerate(_PRIORITIES, 1):
        yield "TaskPriority", _value(i, name) | {"IsDefault": name == "Normal", "IsHighPriority": name == "High"}
    for i, name in enumerate(_CASE_STATUSES, 1):
        yield "CaseStatus", _value(i, name) | {"IsDefault": i == 1, "IsClosed": name == "Closed"}
    for i, (name, code) in enumerate(_CONTRACT_STATUSES, 1):
        yield "ContractStatus", _value(i, name) | {"IsDefault": code == "Draft", "StatusCode": code}
    for i, (name, code) in enumerate(_ORDER_STATUSES, 1):
        yield "OrderStatus", _value(i, name) | {"IsDefault": i == 1, "StatusCode": code}
    if settings.person_accounts:  # SOAP API guide, "Person Account Record Types": the one there is from the start
        yield (
            "RecordType",
            {
                "Name": "Person Account",
                "DeveloperName": "PersonAccount",
                "SobjectType": "Account",
                "IsActive": True,
                "IsPersonType": True,
            },
        )
    # whose open times are null is open all day (object reference, BusinessHours)
    yield (
        "BusinessHours",
        {"Name": "Default", "IsActive": True, "IsDefault": True, "TimeZoneSidKey": settings.time_zone},
    )


def _value(order: int, name: str) -> dict[str, Any]:
    return {"MasterLabel": name, "ApiName": name, "SortOrder": order}
