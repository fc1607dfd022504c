"""Settings: one YAML file, overridden by `LEAKWATCH_SECTION__KEY` variables and files in the secrets folder.

Order, strongest first: environment, secrets folder, YAML file, defaults. Every fault is reported at once, each with
its place and, for an unknown key, the nearest known one. `config/leakwatch.yaml` lists every setting.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from leakwatch.core import currencies, strict_yaml
from leakwatch.core.record_ids import org_address
from leakwatch.core.working_time import WEEKDAYS, WorkingTime, parse_hours
from leakwatch.errors import ConfigError

MAX_CONFIG_BYTES = 1_000_000  # a larger "configuration" is a mistake or an attack (YAML alias bombs)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(_Section):
    """Where leakwatch keeps its state."""

    folder: Path = Field(Path("var"), description="Folder of the journal, findings, mirror and snapshots (owner-only)")


class Company(_Section):
    """Who we are: decides what is internal, and how dates and money are shown."""

    domains: tuple[str, ...] = Field(
        (), description="Our mail domains; subdomains count too; without them no mail is captured"
    )
    time_zone: str = Field("UTC", description="IANA zone of the org's business days, e.g. Europe/Istanbul")
    language: Literal["en", "tr"] = Field("en", description="Language of Tasks, posts and reports")
    currency: str | None = Field(
        None, description="ISO 4217 code of limits on amounts, and of amounts that name none; default: the org's"
    )
    working_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri"), min_length=1, description="Days on which people work"
    )
    working_hours: str = Field("09:00-18:00", description="Their hours, in `time_zone`; rules count waiting in them")
    holidays: tuple[date, ...] = Field((), description="Working days on which nobody works, e.g. 2026-10-29")
    exchange_rates: Mapping[str, Annotated[Decimal, Field(gt=0)]] = Field(
        default_factory=dict[str, Decimal],
        description="Currency → worth of one unit in `currency`; weighs amounts, adds up none; default: the org's",
    )

    @field_validator("working_hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        parse_hours(value)
        return value

    @property
    def working_time(self) -> WorkingTime:
        """When the company works."""
        opens, closes = parse_hours(self.working_hours)
        days = frozenset(WEEKDAYS.index(day) for day in self.working_days)
        return WorkingTime(days, opens, closes, frozenset(self.holidays))

    @field_validator("exchange_rates")
    @classmethod
    def _codes(cls, value: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        strange = [code for code in value if not re.fullmatch("[A-Z]{3}", code)]
        if strange:
            raise ValueError(f"{', '.join(strange)}: expected ISO 4217 codes such as EUR")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {value!r}; use an IANA name such as Europe/Istanbul") from error
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str | None) -> str | None:
        if value is None or value in currencies.CODES:
            return value
        code = currencies.meant(value)
        hint = f"did you mean {code}?" if code else "use a code such as TRY, EUR or USD"
        raise ValueError(f"{value!r} is no currency code of ISO 4217; {hint}")

    @field_validator("domains")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for domain in value if (name := domain.strip().lower().lstrip("@")))


class Salesforce(_Section):
    """How to reach the org: JWT bearer flow of an External Client App."""

    login_url: str = Field(
        "https://login.salesforce.com", description="Token host: login, test (sandboxes) or My Domain"
    )
    instance_url: str | None = Field(None, description="My Domain URL; pinned: a token for another host is refused")
    audience: str | None = Field(None, description="`aud` of the JWT; default: login_url's host")
    client_id: str = Field("", description="Consumer key of the External Client App")
    username: str = Field("", description="Integration user")
    private_key_file: Path | None = Field(None, description="PEM key whose certificate the app knows (mode 0600)")
    private_key: SecretStr | None = Field(None, description="The same key as text, from a secret store")
    api_version: str = Field("66.0", pattern=r"^\d{2}\.0$", description="Pinned REST API version")
    ca_bundle: Path | None = Field(None, description="CA file of a company proxy or of the sandbox")
    connect_timeout_s: float = Field(5, gt=0, le=60, description="Seconds to connect")
    read_timeout_s: float = Field(60, gt=0, le=600, description="Seconds without a byte before giving up")
    call_timeout_s: float = Field(
        600, gt=0, le=3600, description="Seconds from the start of a call to the last byte of its answer"
    )
    api_reserve_share: Decimal = Field(
        Decimal("0.20"), ge=0, le=1, description="Share of the org's daily API calls left for people and other tools"
    )
    composite: bool = Field(True, description="Pack 5 Collections into one Composite call (off: one call per 200 rows)")


class Push(_Section):
    """Gmail tells of changes through Pub/Sub, so that mail is read within a minute and idle mailboxes seldom."""

    topic: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/topics/[^/]+$",
        description="Topic that Gmail publishes to, projects/PROJECT/topics/NAME, in the service account's project",
    )
    subscription: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/subscriptions/[^/]+$",
        description="Pull subscription on it, projects/PROJECT/subscriptions/NAME; both or neither",
    )
    fallback_minutes: int = Field(
        60, ge=5, le=1440, description="A watched mailbox of which nothing is told is read so seldom"
    )
    spacing_seconds: int = Field(
        60, ge=10, le=3600, description="A sync that was told of news begins so long after the last one ended"
    )

    @property
    def enabled(self) -> bool:
        """Whether both are named."""
        return self.topic is not None and self.subscription is not None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Push:
        if (self.topic is None) != (self.subscription is None):
            raise ValueError("name both topic and subscription, or neither")
        return self


class Google(_Section):
    """How to read Gmail and Google Calendar: a service account with domain-wide delegation."""

    enabled: bool = Field(False, description="Read Gmail at all")
    service_account_file: Path | None = Field(None, description="JSON key of the service account (mode 0600)")
    admin_email: str = Field("", description="An administrator to impersonate for the Directory roster (read-only)")
    scope: Literal["metadata", "readonly"] = Field(
        "metadata", description="metadata: headers only; readonly: also allows the cheaper `q` backfill"
    )
    backfill: Literal["all", "known_domains"] = Field(
        "all",
        description="What a first sync reads: all mail of its window, or that of domains and people that Salesforce "
        "knows by then (cheaper; needs scope readonly)",
    )
    gmail_url: str = Field("https://gmail.googleapis.com", description="Gmail API host")
    directory_url: str = Field("https://admin.googleapis.com", description="Directory API host")
    calendar: bool = Field(False, description="Read Google Calendar too (scope calendar.events.readonly)")
    calendar_url: str = Field("https://www.googleapis.com", description="Calendar API host")
    pubsub_url: str = Field("https://pubsub.googleapis.com", description="Pub/Sub API host")
    ca_bundle: Path | None = Field(None, description="CA file of a company proxy or of the sandbox")
    units_per_user_minute: int = Field(6000, gt=0, description="Gmail quota units per user and minute (2026)")
    units_per_project_minute: int = Field(1_200_000, gt=0, description="Gmail quota units per project and minute")
    calendar_calls_per_user_minute: int = Field(600, gt=0, description="Calendar requests per user and minute")
    calendar_calls_per_project_minute: int = Field(10_000, gt=0, description="Calendar requests per project and minute")
    batch_size: int = Field(50, ge=1, le=100, description="messages.get per batch request")
    push: Push = Push()  # pyright: ignore[reportCallIssue]


class Microsoft(_Section):
    """How to read Microsoft 365: an application of Entra with its own (application) permissions."""

    enabled: bool = Field(False, description="Read Microsoft 365 at all")
    tenant_id: str = Field("", description="Directory (tenant) ID, or one of its verified domains")
    client_id: str = Field("", description="Application (client) ID of the app registration")
    certificate_file: Path | None = Field(
        None, description="PEM file with the private key and its certificate, which the application knows (mode 0600)"
    )
    client_secret: SecretStr | None = Field(None, description="A client secret instead; it expires silently")
    cloud: Literal["global", "usgov", "usgov_dod", "china"] = Field(
        "global", description="National cloud: usgov is GCC High, china the one of 21Vianet"
    )
    mail: bool = Field(True, description="Read Outlook mail")
    permission: Literal["read", "read_basic"] = Field(
        "read_basic", description="Granted for mail: Mail.ReadBasic.All (no bodies at all) or Mail.Read"
    )
    login_url: str | None = Field(None, description="Token host; default: the cloud's")
    graph_url: str | None = Field(None, description="Graph host; default: the cloud's")
    ca_bundle: Path | None = Field(None, description="CA file of a company proxy or of the sandbox")
    page_size: int = Field(250, ge=10, le=1000, description="Messages per page; halved where Graph takes too long")
    in_flight: int = Field(4, ge=1, le=4, description="Requests at once for one mailbox (Outlook allows 4)")
    requests_per_mailbox_minute: int = Field(
        1000, gt=0, le=1000, description="Requests per mailbox and minute (Outlook allows 10,000 in 10 minutes)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Microsoft:
        if not self.enabled:
            return self
        missing = [name for name in ("tenant_id", "client_id") if not getattr(self, name)]
        if missing:
            raise ValueError(
                f"enabled is on but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
            )
        if (self.certificate_file is None) == (self.client_secret is None):
            raise ValueError("enabled is on: set either certificate_file (better) or client_secret, and not both")
        return self


class Privacy(_Section):
    """What is never captured. Decided before anything is stored."""

    never_log: tuple[str, ...] = Field((), description="Addresses or domains: a mail with one of them is skipped")
    never_match: tuple[str, ...] = Field((), description="Addresses or domains that never match a record")
    only_log: tuple[str, ...] = Field((), description="If given, only mails with one of these addresses or domains")
    internal_addresses: tuple[str, ...] = Field((), description="Private addresses of employees: count as internal")
    subject_markers: tuple[str, ...] = Field(
        (
            "[confidential]", "[private]", "[gizli]", "[çok gizli]", "[kişiye özel]", "[hizmete özel]",
            "[vertraulich]", "(gizli)", "(kişiye özel)", "(hizmete özel)", "confidential:", "gizli:",
            "kişiye özel:", "hizmete özel:", "privileged", "attorney-client", "under nda",
        ),
        description="A subject holding one of these (case-insensitive, Turkish-aware) is skipped",
    )  # fmt: skip
    sensitivities: tuple[Literal["personal", "private", "company-confidential"], ...] = Field(
        ("personal", "private", "company-confidential"),
        description="A mail whose sender marked it so (header Sensitivity; Outlook: Properties) is skipped",
    )
    opt_out_labels: tuple[str, ...] = Field(("leakwatch-off",), description="Gmail labels that keep a mail out")
    only_labels: tuple[str, ...] = Field(
        (), description="If given, only mails with one of these Gmail labels, in the mailbox that is read"
    )
    subjects: bool = Field(True, description="Store and write subjects; off writes '(subject not captured)'")


class Capture(_Section):
    """Which mailboxes are read, how far back, and what is made of them."""

    backfill_days: int = Field(90, ge=0, le=36_500, description="How many days of old mail the first sync reads")
    mailboxes: tuple[str, ...] = Field((), description="Addresses to read; empty = every rep with a mailbox")
    exclude_mailboxes: tuple[str, ...] = Field((), description="Addresses never read")
    notices: Mapping[str, date] = Field(
        default_factory=dict[str, date], description="Address → day that employee was told about capture"
    )
    notice_for_all: date | None = Field(None, description="The day all employees were told, if that is so")
    mail_as: Literal["email_message", "task"] = Field(
        "email_message", description="task: for orgs without Enhanced Email"
    )
    bulk: Literal["skip", "log"] = Field("skip", description="Newsletters: skip, or log for known people")
    meetings_as: Literal["event", "task"] = Field(
        "event", description="task: a meeting is written once it was held, as a completed Task"
    )
    calendar_loop: Literal["refuse", "adopt", "write"] = Field(
        "refuse",
        description="Where a tool copies Events into calendars: write none, adopt the tool's, or write all the same",
    )
    meeting_horizon_days: int = Field(60, ge=1, le=730, description="How far ahead planned meetings are captured")
    rematch_days: int = Field(
        90, ge=0, le=3_650, description="How long what is written is matched anew when its people appear; 0 = never"
    )
    create: Literal["none", "contact", "lead"] = Field(
        "none",
        description="What is made of people who wrote with a rep both ways or met one, and are not in Salesforce",
    )
    create_limit: int = Field(20, ge=1, le=200, description="People made per run, those with the most mail first")
    set_audit_fields: bool = Field(False, description="Write CreatedDate on insert (org permission needed)")
    shared_domains: tuple[str, ...] = Field(
        (), description="Mail domains of many companies: they lead to no account (free mail and the like never do)"
    )
    page_size: int = Field(500, ge=1, le=500, description="Ids per messages.list call")
    privacy: Privacy = Privacy()  # pyright: ignore[reportCallIssue]


class Audit(_Section):
    """Which rules run, with which changes."""

    rules: tuple[str, ...] = Field((), description="Rule ids to run; empty = all")
    rules_folder: Path | None = Field(None, description="Your own rules, one YAML each")
    overrides_file: Path | None = Field(None, description="Changes to rules: parameters, severity, mode")
    exceptions_file: Path | None = Field(None, description="Accepted leaks: record, reason, author, expiry")
    mirror_file: Path | None = Field(None, description="Objects, fields and meanings; default: the shipped mirror.yaml")
    revops_user_id: str | None = Field(None, description="Salesforce user who gets what has no owner to tell")
    stale_after_hours: int = Field(24, ge=1, description="A mirror older than this proves nothing")


class Writes(_Section):
    """What may be written to Salesforce. Everything is off until switched on."""

    capture: bool = Field(False, description="Write captured mail (EmailMessage, and its Task's owner)")
    meetings: bool = Field(False, description="Write captured meetings; needs writes.capture too")
    create_people: bool = Field(False, description="Make contacts or leads (capture.create); needs writes.capture too")
    salesforce_task: bool = Field(False, description="Make and close alert Tasks")
    chatter_post: bool = Field(False, description="Make Chatter posts")
    deletes_per_run: int = Field(
        200, ge=0, description="A sync that wants to delete more records (meetings called off) deletes none unasked"
    )
    deletes_share: Decimal = Field(
        Decimal("0.50"), ge=0, le=1,
        description="Nor does one that wants to delete more of a calendar's coming meetings, from 21 on",
    )  # fmt: skip
    max_per_run: int = Field(
        20_000, ge=1, description="A run stops before it passes so many writes (a mail takes up to two); the rest waits"
    )


class Actions(_Section):
    """How people are told."""

    per_owner_per_day: int = Field(5, ge=1, description="New alerts per person and day; the rest waits, biggest first")
    per_day: int = Field(2_000, ge=1, description="Alert Tasks and posts per day for the whole org")
    due_business_days: int = Field(2, ge=0, le=60, description="Due date of an alert Task, in business days")
    chatter_show_money: bool = Field(False, description="Name amounts in Chatter posts (followers see them)")


class Report(_Section):
    """The weekly report."""

    folder: Path = Field(Path("out"), description="Where reports are written")
    owner_league: bool = Field(False, description="List people by money at risk (works councils often object)")
    record_url: str | None = Field(
        None, description="Address of the org for record links (https://...); default: instance_url"
    )

    @field_validator("record_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return None if value is None else org_address(value)


class Log(_Section):
    """Logging to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level shown")


_yaml_file: ContextVar[Path | None] = ContextVar("_yaml_file", default=None)


class Settings(BaseSettings):
    """All settings of leakwatch. Build it with `load`."""

    model_config = SettingsConfigDict(
        env_prefix="LEAKWATCH_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        secrets_dir="/run/secrets/leakwatch",
        secrets_dir_missing="ok",
        secrets_nested_delimiter="__",
    )

    store: Store = Store()  # pyright: ignore[reportCallIssue]
    company: Company = Company()  # pyright: ignore[reportCallIssue]
    salesforce: Salesforce = Salesforce()  # pyright: ignore[reportCallIssue]
    google: Google = Google()  # pyright: ignore[reportCallIssue]
    microsoft: Microsoft = Microsoft()  # pyright: ignore[reportCallIssue]
    capture: Capture = Capture()  # pyright: ignore[reportCallIssue]
    audit: Audit = Audit()  # pyright: ignore[reportCallIssue]
    writes: Writes = Writes()  # pyright: ignore[reportCallIssue]
    actions: Actions = Actions()  # pyright: ignore[reportCallIssue]
    report: Report = Report()  # pyright: ignore[reportCallIssue]
    log: Log = Log()  # pyright: ignore[reportCallIssue]
    jobs_folder: Path | None = Field(None, description="Scheduled jobs, one YAML each; default: the shipped ones")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, strongest first."""
        del dotenv_settings
        found: list[PydanticBaseSettingsSource] = [
            init_settings,
            env_settings,
            NestedSecretsSettingsSource(file_secret_settings),
        ]
        yaml_file = _yaml_file.get()
        if yaml_file is not None:
            found.append(YamlConfigSettingsSource(settings_cls, yaml_file=yaml_file, yaml_file_encoding="utf-8"))
        return tuple(found)

    @property
    def reads_mail(self) -> bool:
        """Whether any provider's mail is read."""
        return self.google.enabled or self.reads_outlook

    @property
    def reads_outlook(self) -> bool:
        """Whether Outlook mail is read."""
        return self.microsoft.enabled and self.microsoft.mail

    @property
    def reads_google_calendar(self) -> bool:
        """Whether Google Calendar is read."""
        return self.google.enabled and self.google.calendar

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        if self.google.enabled and self.google.service_account_file is None:
            raise ValueError("google.enabled is on but google.service_account_file is not set")
        if self.google.backfill == "known_domains" and self.google.scope != "readonly":
            raise ValueError("google.backfill: known_domains needs google.scope: readonly; gmail.metadata can't search")
        return self


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings from `path` (YAML), the environment and the secrets folder.

    Relative paths inside the file are taken from the file's own folder.

    Raises:
        ConfigError: with every problem found, each naming its place.
    """
    if path is not None:
        _check_yaml(path)
    token = _yaml_file.set(path)
    try:
        settings = Settings(**(dict(overrides) if overrides else {}))
    except ValidationError as error:
        raise ConfigError([_problem(path, entry) for entry in error.errors()]) from None
    finally:
        _yaml_file.reset(token)
    return _absolute(settings, path.parent.resolve() if path is not None else Path.cwd())


def _check_yaml(path: Path) -> None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}. Nothing was done. Give --config a file.") from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} holds {len(raw):,} bytes; a configuration has at most {MAX_CONFIG_BYTES:,}.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8 and try again.") from error
    content = strict_yaml.parse(text, name=str(path)).data  # a key given twice is refused: one of the two would be lost
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a configuration is a mapping of sections, not a {type(content).__name__}.")


def _problem(path: Path | None, entry: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in entry["loc"])
    where = f"{path or 'settings'}: {place}" if place else str(path or "settings")
    if entry["type"] == "extra_forbidden":
        known = _known_keys(entry["loc"][:-1])
        near = difflib.get_close_matches(str(entry["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known))}"
        return f"{where}: unknown key{hint}"
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] in ("model_type", "model_attributes_type"):  # what stands there may be a secret out of its place
        return f"{where}: is a section: its settings stand below it, one a line"
    if entry["type"] == "tuple_type" and isinstance(entry.get("input"), str | int):
        return f"{where}: is a list; write it as [{entry['input']}]"
    secret = any(word in place for word in ("key", "secret", "password"))
    shown = "" if secret or isinstance(entry.get("input"), dict) else f" (got {entry.get('input')!r})"
    return f"{where}: {message}{shown}"


def _known_keys(location: Iterable[Any]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        info = model.model_fields.get(str(part))
        if info is None or not (isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)):
            return []
        model = info.annotation
    return list(model.model_fields)


def _absolute(model: Settings, base: Path) -> Settings:
    """Return `model` with each relative Path taken from `base`."""

    def fix(section: BaseModel) -> BaseModel:
        update: dict[str, Any] = {}
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, Path) and not value.is_absolute():
                update[name] = base / value
            elif isinstance(value, BaseModel):
                update[name] = fix(value)
        return section.model_copy(update=update)

    return cast(Settings, fix(model))


def check_secret_file(path: Path, what: str) -> list[str]:
    """Return the problems that make the secret file at `path` unsafe or unreadable; empty if it is fine."""
    if not path.exists():
        return [f"{what}: {path} does not exist"]
    mode = path.stat().st_mode
    if mode & 0o077:
        return [f"{what}: {path} can be read by others (mode {mode & 0o777:04o}); run: chmod 600 {path}"]
    return []


def shipped(name: str) -> Path:
    """Return the folder `name` (`config`, `jobs` or `salesforce`) that travels with leakwatch.

    In an installed wheel it lies in the package, in a checkout at its top.
    """
    inside = Path(str(resources.files("leakwatch"))) / "_shipped" / name
    if inside.is_dir():
        return inside
    return Path(__file__).resolve().parents[2] / name
