"""What Outlook's calendar answers instead (texts from public reports where the documentation has none)."""

from __future__ import annotations

from leakwatch.sandbox.microsoft.errors import GraphError


def no_window() -> GraphError:
    """400: a calendar view without its time range."""
    text = "This request requires a time window specified by the query string parameters StartDateTime and EndDateTime."
    return GraphError(400, "ErrorInvalidParameter", text)


def bad_instant(name: str, value: str) -> GraphError:
    """400: a bound of the time range that is no date and time."""
    return GraphError(400, "ErrorInvalidParameter", f"The value '{value}' of parameter '{name}' is invalid.")


def bad_range() -> GraphError:
    """400: a range that ends before it begins (the text is not documented)."""
    return GraphError(400, "ErrorInvalidParameter", "The EndDateTime must be after the StartDateTime.")


def untracked_options() -> GraphError:
    """400: change tracking of a calendar view takes no query options (event-delta, "OData query parameters")."""
    text = (
        "The following parameters are not supported with change tracking over the 'CalendarView' resource: "
        "'$orderby, $filter, $select, $expand, $search'."
    )
    return GraphError(400, "ErrorInvalidUrlQuery", text)


def untracked_top() -> GraphError:
    """400: nor `$top`."""
    text = (
        "The '$top' parameter is not supported with change tracking over the 'CalendarView' resource as page size "
        "cannot be guaranteed. Express page size preferences using the Prefer: odata.maxpagesize= header instead."
    )
    return GraphError(400, "ErrorInvalidUrlQuery", text)


def events_untracked() -> GraphError:
    """400: events without a time range are tracked in beta alone (msgraph-metadata issue 608)."""
    text = "Change tracking is not supported against 'microsoft.graph.event'."
    return GraphError(400, "ErrorInvalidUrlQuery", text)


def unknown_zone(name: str) -> GraphError:
    """400: a time zone that is not known."""
    text = f"A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'."
    return GraphError(400, "TimeZoneNotSupportedException", text)
