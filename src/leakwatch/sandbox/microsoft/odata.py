"""The query options of a Graph URL (concepts/query-parameters; OData 4.01 URL conventions §5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

from leakwatch.sandbox.microsoft.errors import bad_request, unknown_property

#: System query options that Graph knows.
SYSTEM = (
    "$select", "$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$deltatoken", "$expand", "$search",
    "$format",
)  # fmt: skip


@dataclass(slots=True)
class Options:
    """The options of one URL, checked for their form."""

    system: dict[str, str] = field(default_factory=dict[str, str])
    """By name in lower case, with the dollar sign."""
    custom: dict[str, str] = field(default_factory=dict[str, str])
    """What has no dollar sign, by name in lower case, such as `changetype`."""

    @classmethod
    def read(cls, query: str) -> Options:
        """Read a query string; raises GraphError for options that Graph does not have or that are given twice."""
        options = cls()
        for name, value in parse_qsl(query, keep_blank_values=True):
            key = name.lower()
            into = options.system if key.startswith("$") else options.custom
            if key.startswith("$") and key not in SYSTEM:
                raise bad_request(f"The query parameter '{name}' is not supported.")
            if key in into:
                text = f"Query option '{name}' was specified more than once, but it must be specified at most once."
                raise bad_request(text)
            into[key] = value
        return options

    def get(self, name: str) -> str | None:
        """A system option, named without its dollar sign."""
        return self.system.get(f"${name}")

    def refuse(self, *names: str) -> None:
        """Raise GraphError for system options that this operation has not."""
        for name in names:
            if f"${name}" in self.system:
                raise bad_request(f"The query parameter '${name}' is not supported for this operation.")

    def select(self, known: frozenset[str], kind: str) -> list[str] | None:
        """The selected properties in order; None: all. Raises GraphError for one that the type has not."""
        text = self.get("select")
        if text is None or not text.strip() or text.strip() == "*":
            return None
        chosen = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        for name in chosen:
            if name not in known:
                raise unknown_property(name, kind)
        return chosen

    def top(self, default: int, most: int, *, preferred: int | None = None) -> int:
        """How many at most on a page: `$top`, else what the Prefer header wants, else the default."""
        text = self.get("top")
        if text is None:
            return min(preferred, most) if preferred is not None else default
        number = whole("$top", text)
        if not 1 <= number <= most:
            raise bad_request(f"The limit of '{most}' for Top query has been exceeded. The value is '{number}'.")
        return number

    def skip(self) -> int:
        """How many to pass over."""
        text = self.get("skip")
        return 0 if text is None else whole("$skip", text)

    def flag(self, name: str) -> bool:
        """`$count` and the like: true or false, nothing else."""
        text = self.get(name)
        if text is None:
            return False
        if text.lower() not in ("true", "false"):
            raise bad_request(f"Invalid value '{text}' for ${name} query option found. Valid values are true, false.")
        return text.lower() == "true"

    def again(self, **changes: str | int) -> str:
        """The same query with some system options set anew, for a next link."""
        given = self.system | {f"${name}": str(value) for name, value in changes.items()}
        pairs = [*given.items(), *self.custom.items()]
        return "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in pairs)


def whole(name: str, text: str) -> int:
    """A whole number from 0 on; raises GraphError for anything else."""
    if not text.isdigit():
        raise bad_request(
            f"Invalid value '{text}' for {name} query option found. The {name} query option requires a "
            "non-negative integer value."
        )
    return int(text)
