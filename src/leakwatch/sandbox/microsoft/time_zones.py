"""Time zones by the names of Windows, which Outlook's resources use (CLDR's windowsZones, territory 001)."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Windows' name -> the zone that stands for it; further places of the same zone come in `_SAME`.
WINDOWS = {
    "UTC": "Etc/UTC", "GMT Standard Time": "Europe/London", "Greenwich Standard Time": "Atlantic/Reykjavik",
    "W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest",
    "Romance Standard Time": "Europe/Paris", "Central European Standard Time": "Europe/Warsaw",
    "GTB Standard Time": "Europe/Bucharest", "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kiev", "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow", "Belarus Standard Time": "Europe/Minsk",
    "Egypt Standard Time": "Africa/Cairo", "South Africa Standard Time": "Africa/Johannesburg",
    "E. Africa Standard Time": "Africa/Nairobi", "W. Central Africa Standard Time": "Africa/Lagos",
    "Israel Standard Time": "Asia/Jerusalem", "Arab Standard Time": "Asia/Riyadh",
    "Arabic Standard Time": "Asia/Baghdad", "Arabian Standard Time": "Asia/Dubai", "Iran Standard Time": "Asia/Tehran",
    "Azerbaijan Standard Time": "Asia/Baku", "Georgian Standard Time": "Asia/Tbilisi",
    "Pakistan Standard Time": "Asia/Karachi", "West Asia Standard Time": "Asia/Tashkent",
    "India Standard Time": "Asia/Calcutta", "Nepal Standard Time": "Asia/Katmandu",
    "Bangladesh Standard Time": "Asia/Dhaka", "SE Asia Standard Time": "Asia/Bangkok",
    "China Standard Time": "Asia/Shanghai", "Singapore Standard Time": "Asia/Singapore",
    "Taipei Standard Time": "Asia/Taipei", "W. Australia Standard Time": "Australia/Perth",
    "Tokyo Standard Time": "Asia/Tokyo", "Korea Standard Time": "Asia/Seoul",
    "Cen. Australia Standard Time": "Australia/Adelaide", "AUS Eastern Standard Time": "Australia/Sydney",
    "E. Australia Standard Time": "Australia/Brisbane", "New Zealand Standard Time": "Pacific/Auckland",
    "Azores Standard Time": "Atlantic/Azores", "E. South America Standard Time": "America/Sao_Paulo",
    "Argentina Standard Time": "America/Buenos_Aires", "Newfoundland Standard Time": "America/St_Johns",
    "Atlantic Standard Time": "America/Halifax", "SA Western Standard Time": "America/La_Paz",
    "Pacific SA Standard Time": "America/Santiago", "Eastern Standard Time": "America/New_York",
    "SA Pacific Standard Time": "America/Bogota", "Central Standard Time": "America/Chicago",
    "Central Standard Time (Mexico)": "America/Mexico_City", "Mountain Standard Time": "America/Denver",
    "US Mountain Standard Time": "America/Phoenix", "Pacific Standard Time": "America/Los_Angeles",
    "Alaskan Standard Time": "America/Anchorage", "Hawaiian Standard Time": "Pacific/Honolulu",
}  # fmt: skip

_SAME = {
    "Etc/UTC": ("UTC", "Etc/GMT"), "Europe/London": ("Europe/Dublin", "Europe/Lisbon"),
    "Europe/Berlin": ("Europe/Vienna", "Europe/Zurich", "Europe/Amsterdam", "Europe/Rome", "Europe/Stockholm",
                      "Europe/Oslo", "Europe/Luxembourg"),
    "Europe/Paris": ("Europe/Brussels", "Europe/Madrid", "Europe/Copenhagen"),
    "Europe/Budapest": ("Europe/Prague", "Europe/Bratislava", "Europe/Ljubljana", "Europe/Belgrade"),
    "Europe/Bucharest": ("Europe/Athens",), "Europe/Kiev": ("Europe/Kyiv", "Europe/Helsinki", "Europe/Sofia"),
    "Asia/Calcutta": ("Asia/Kolkata",), "Asia/Shanghai": ("Asia/Hong_Kong",),
    "America/New_York": ("America/Toronto", "America/Detroit"), "Australia/Sydney": ("Australia/Melbourne",),
    "America/Buenos_Aires": ("America/Argentina/Buenos_Aires",),
}  # fmt: skip

_NAMES = {
    place: name for name, zone in WINDOWS.items() for place in (zone, *_SAME.get(zone, ()))
}  # fmt: skip


def windows_name(zone: str) -> str:
    """What Windows calls an IANA zone; one that is not in the table keeps its own name, as Graph takes those too."""
    return _NAMES.get(zone, zone)


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of a name of Windows or IANA; None where it is neither."""
    try:
        return ZoneInfo(WINDOWS.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
