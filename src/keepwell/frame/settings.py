"""Settings of the desk: desk.yaml beside keepwell.yaml, overridden by the environment.

Every setting has a default that works on a laptop. An environment variable is the setting's path
in capitals after KEEPWELL_, two underscores between levels: KEEPWELL_HOLDOUT__SHARE=0.1.
"""

from __future__ import annotations

import re
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from keepwell.core.errors import UsageError, nearest
from keepwell.observe.mapping_yaml import Document, read_yaml_file

FILE_NAME = "desk.yaml"

Share = Annotated[float, Field(ge=0, le=0.5)]
Span = tuple[time, time]
_PRIVATE = re.compile(
    r"127(\.\d+){3}|::1|10(\.\d+){3}|192\.168(\.\d+){2}|172\.(1[6-9]|2\d|3[01])(\.\d+){2}"
)
_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?")


def _is_origin(value: str) -> str:
    # It becomes part of a security header: nothing but scheme, host and port may get there.
    if not _ORIGIN.fullmatch(value):
        raise ValueError("an origin such as https://phone.example.com, without path or wildcard")
    return value


Origin = Annotated[str, AfterValidator(_is_origin)]


def _is_model_address(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    host = parts.hostname or ""
    near = host == "localhost" or _PRIVATE.fullmatch(host) is not None
    if parts.scheme not in (("https", "http") if near else ("https",)) or not host or parts.query:
        raise ValueError("an address such as https://models.example.com/v1")
    if "@" in parts.netloc or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("an address without a user, such as https://models.example.com/v1")
    return value.rstrip("/")


ModelAddress = Annotated[str, AfterValidator(_is_model_address)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SessionSettings(_Part):
    """Log-in of people.

    Attributes:
        hours: a session ends so long after the log-in.
        idle_minutes: or so long after its last request.
        secure: cookies only over https, named `__Host-`; turn off only on a loopback address.
        attempts: failed log-ins with one log-in name before a pause.
        address_attempts: failed log-ins from one address before a pause; an office may share one.
        pause_seconds: length of the first pause; it doubles with each further failure.
        password_length: least number of characters of a new password.
    """

    hours: Annotated[int, Field(ge=1, le=72)] = 12
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    secure: bool = True
    attempts: Annotated[int, Field(ge=1, le=100)] = 5
    address_attempts: Annotated[int, Field(ge=1, le=10_000)] = 50
    pause_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    password_length: Annotated[int, Field(ge=8, le=128)] = 12


class HoldoutSettings(_Part):
    """The group that gets no retention contact, so that the effect of contacts can be measured.

    Attributes:
        share: share of each manager's clients held out.
        period: how long a draw lasts; 'year' is the calendar year of the exchange.
    """

    share: Share = 0.05
    period: Literal["year"] = "year"


class AlertSettings(_Part):
    """When the desk warns.

    Attributes:
        per_manager_per_day: ceiling of new alerts shown to one manager a day; the rest is held
            back, visibly, and comes up by urgency on later days.
        large_transfer_share: a withdrawal or custody transfer out of at least this share of the
            client's assets is large.
        large_transfer_amount: minor units; such a transfer is large where the client's assets are
            not known.
        large_transfer_days: a large transfer is the first when none came so long before.
        rule_days: so long a large transfer or a closing question keeps the tier up.
        complaint_overdue_days: a complaint open for so many days is overdue (rule CP-1: 15).
        closing_topics: contact topics and view topics that mean a closing question.
    """

    per_manager_per_day: Annotated[int, Field(ge=0, le=10_000)] = 12
    large_transfer_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    large_transfer_amount: Annotated[int, Field(ge=1)] = 10_000_000
    large_transfer_days: Annotated[int, Field(ge=1, le=3650)] = 365
    rule_days: Annotated[int, Field(ge=1, le=365)] = 30
    complaint_overdue_days: Annotated[int, Field(ge=1, le=365)] = 15
    closing_topics: list[str] = [
        "closing",
        "close",
        "close-help",
        "transfer-help",
        "custody-transfer",
    ]


class CaseSettings(_Part):
    """Retention cases.

    Attributes:
        reopen_days: a case closed no longer ago is reopened by a new alert for the same client
            and reason; after that a new one is opened, linked to the old.
        attachment_mb: largest attachment.
        attachment_types: media types accepted; the content must look like its type.
    """

    reopen_days: Annotated[int, Field(ge=0, le=3650)] = 30
    attachment_mb: Annotated[int, Field(ge=1, le=100)] = 10
    attachment_types: list[str] = [
        "application/pdf", "image/png", "image/jpeg", "text/plain", "text/csv",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]  # fmt: skip


class CalendarSettings(_Part):
    """The calendars that clocks run on.

    Attributes:
        exchange: code of the exchange in exchange_calendars, such as XSHG; 'weekdays' for Monday
            to Friday without holidays; default by the workspace's time zone.
        sessions: trading sessions of a day, [from, until) in the workspace's time zone.
        office: office hours of a day, with the breaks between them.
        office_days: days of the week worked, 1 is Monday.
        holidays: days off besides the exchange's holidays.
        workdays: days worked although they are weekends or holidays (调休).
    """

    exchange: str = ""
    sessions: list[Span] = [(time(9, 30), time(11, 30)), (time(13), time(15))]
    office: list[Span] = [(time(9), time(12)), (time(13), time(18))]
    office_days: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1)] = [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    holidays: list[date] = []
    workdays: list[date] = []

    @model_validator(mode="after")
    def _spans_ordered(self) -> CalendarSettings:
        for spans in (self.sessions, self.office):
            ends = [edge for span in spans for edge in span]
            if not spans or ends != sorted(set(ends)):
                raise ValueError("spans [from, until] that follow each other and do not overlap")
        return self


class ClockSettings(_Part):
    """Which promises of time are made.

    Attributes:
        policy: name of the clock policy in force until an administrator activates another.
        exit_days: trading days within which an exit request is completed (rule R-EXIT-2).
        exit_settle_days: trading days after which compliance hears of a request that is not
            settled, and again after as many.
    """

    policy: str = "first-touch"
    exit_days: Annotated[int, Field(ge=1, le=30)] = 2
    exit_settle_days: Annotated[int, Field(ge=1, le=250)] = 5


class CapSettings(_Part):
    """At most so many contacts that the desk begins, in any span of so many days.

    Attributes:
        most: contacts in the span; 0: none at all.
        days: length of the sliding span.
        channel: by this way; '': by all ways together.
    """

    most: Annotated[int, Field(ge=0, le=1000)]
    days: Annotated[int, Field(ge=1, le=366)]
    channel: Literal[
        "", "phone", "sms", "email", "wecom", "app", "branch", "visit", "letter"
    ] = ""  # fmt: skip

    def __str__(self) -> str:
        return f"{self.most}/{self.days}d" + (f" {self.channel}" if self.channel else "")


def _cap(most: int, days: int, channel: Any = "") -> CapSettings:
    return CapSettings(most=most, days=days, channel=channel)


class ContactSettings(_Part):
    """When, and how often, a retention contact may be made.

    Attributes:
        quiet_from: no retention contact from this time of day on, client's (workspace's) zone.
        quiet_until: until this one.
        require_consent: only with consent for marketing on record; without it a recorded refusal
            still stops every contact.
        caps: limits on contacts with one client, by way and in all, each over a sliding span.
        on_cap: what becomes of a recommended action when the limit of its best way is reached:
            'downgrade' to another of its ways, 'delay' until it may go, or 'drop'.
        longest_delay_days: an action that could go only later than this is not recommended.
    """

    quiet_from: time = time(21)
    quiet_until: time = time(8)
    require_consent: bool = False
    caps: list[CapSettings] = [
        _cap(3, 7), _cap(8, 30), _cap(2, 7, "phone"), _cap(2, 7, "sms"), _cap(2, 7, "email"),
        _cap(3, 7, "wecom"), _cap(3, 7, "app"), _cap(1, 7, "branch"), _cap(1, 30, "visit"),
        _cap(1, 30, "letter"),
    ]  # fmt: skip
    on_cap: Literal["downgrade", "delay", "drop"] = "downgrade"
    longest_delay_days: Annotated[float, Field(ge=0, le=365)] = 7


Minor = Annotated[int, Field(ge=0, le=10_000_000)]


class ActionSettings(_Part):
    """What a minute of working time costs, in minor units of the workspace's currency.

    Where nothing is set, managers cost what `value.budget.minute_cost` of keepwell.yaml says, and
    everybody else what keepwell assumes. It assumes amounts in CNY: in another currency values
    are not weighed against costs until all four are known.

    Attributes:
        manager_minute: of a relationship manager; assumed: 200.
        adviser_minute: of an investment adviser; assumed: 300.
        lead_minute: of a team or branch lead; assumed: 300.
        director_minute: of a regional director; assumed: 600.
    """

    manager_minute: Minor | None = None
    adviser_minute: Minor | None = None
    lead_minute: Minor | None = None
    director_minute: Minor | None = None


class WebhookSettings(_Part):
    """Webhooks sent to other systems.

    Attributes:
        allow_private: let webhooks go to loopback and private addresses; for tests and twins only.
        timeout_seconds: of one delivery.
        attempts: deliveries tried before the message is dead.
        disable_after: dead messages in a row after which an endpoint is switched off.
        keep_days: messages that have ended are kept so long, for replay.
    """

    allow_private: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10
    attempts: Annotated[int, Field(ge=1, le=50)] = 8
    disable_after: Annotated[int, Field(ge=1, le=1000)] = 5
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30


class WriterSettings(_Part):
    """A language model that words scripts anew; without an address there is none.

    Attributes:
        address: of an OpenAI-compatible API, up to /chat/completions; https, or http to this
            machine or a private address.
        model: name of the model, as that API knows it.
        key: sent as a bearer token; only from the environment, desk.yaml is too often shared.
        timeout_seconds: for the whole answer; then the template is used as it is.
        personal_data: let names and numbers of clients go there; otherwise the model sees slots
            in their place, filled after its answer.
        characters: longest text accepted.
    """

    address: ModelAddress = ""
    model: str = ""
    key: SecretStr | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 15
    personal_data: bool = False
    characters: Annotated[int, Field(ge=100, le=10_000)] = 2000


class KpiSettings(_Part):
    """Key figures, their reviews and the two-weekly report.

    Attributes:
        core_amount: minor units; a client with at least so much of assets is a core client.
        delay_days: days after a month's end in which its facts may still come in; then the month
            is computed, and nothing learned later counts.
        review_days: a review is due so many days after it was opened.
    """

    core_amount: Annotated[int, Field(ge=1)] = 50_000_000
    delay_days: Annotated[int, Field(ge=0, le=60)] = 5
    review_days: Annotated[int, Field(ge=1, le=90)] = 14


class EvidenceSettings(_Part):
    """The evidence log.

    Attributes:
        origin: name of the log in its checkpoints; default: keepwell/ and the workspace's name.
        checkpoint_entries: a checkpoint is signed after so many entries.
        checkpoint_seconds: or so long after the last one, when there are new entries.
    """

    origin: str = ""
    checkpoint_entries: Annotated[int, Field(ge=1, le=100_000)] = 500
    checkpoint_seconds: Annotated[int, Field(ge=1, le=86_400)] = 10


class KeptSettings(_Part):
    """Proofs of what was kept.

    Attributes:
        days: after a publication what was kept is computed anew when the newest proof is older
            than so many days; 0: only when somebody asks.
    """

    days: Annotated[int, Field(ge=0, le=366)] = 7


class Settings(BaseSettings):
    """All settings of the desk.

    Attributes:
        database_url: SQLAlchemy URL; default: a SQLite file in the workspace.
        secret: what salts and hashes are keyed with; default: a file made once per workspace.
        host: address to listen on.
        port: port to listen on.
        threads: worker threads for requests; more fight over the interpreter.
        forwarded_from: addresses of reverse proxies whose X-Forwarded-For is believed.
        embed_from: origins such as https://phone.example.com whose pages may show the side panel of
            a client in a frame; browsers send the log-in along only to a frame on a page of the
            same site (example.com). Nobody: only by itself.
        log_level: least severe level logged.
        log_format: 'json' for machines, 'console' for people.
        in_flight: requests at work or waiting at once; more are answered 429. Exits and events have
            a quarter on top to themselves.
        body_mb: largest request body, attachments apart.
        session: log-in of people.
        holdout: who gets no retention contact.
        alert: when the desk warns.
        case: retention cases.
        calendar: the calendars of clocks.
        clock: which promises of time are made.
        contact: when, and how often, a retention contact may be made.
        action: what working time costs.
        webhook: messages to other systems.
        kpi: key figures, their reviews and the two-weekly report.
        evidence: the evidence log.
        writer: a language model that words scripts anew.
        kept: proofs of what was kept.
    """

    model_config = SettingsConfigDict(
        env_prefix="KEEPWELL_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database_url: str = ""
    secret: SecretStr | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8300
    threads: Annotated[int, Field(ge=1, le=64)] = 3
    forwarded_from: list[str] = []
    embed_from: list[Origin] = []
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    body_mb: Annotated[int, Field(ge=1, le=100)] = 8
    session: SessionSettings = SessionSettings()
    holdout: HoldoutSettings = HoldoutSettings()
    alert: AlertSettings = AlertSettings()
    case: CaseSettings = CaseSettings()
    calendar: CalendarSettings = CalendarSettings()
    clock: ClockSettings = ClockSettings()
    contact: ContactSettings = ContactSettings()
    action: ActionSettings = ActionSettings()
    webhook: WebhookSettings = WebhookSettings()
    kpi: KpiSettings = KpiSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    writer: WriterSettings = WriterSettings()
    kept: KeptSettings = KeptSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says."""
        return env_settings, init_settings

    @classmethod
    def load(cls, root: Path) -> Settings:
        """Read desk.yaml of a workspace, if there is one, and the environment.

        Args:
            root: the workspace's folder.

        Raises:
            UsageError: an unknown setting or a value that is not acceptable, with its line.
        """
        path = root / FILE_NAME
        document = read_yaml_file(path) if path.is_file() else Document(FILE_NAME, {})
        given: Any = document.value or {}
        if not isinstance(given, dict):
            raise UsageError(
                "settings.value-invalid", file=FILE_NAME, line=1, key=FILE_NAME, value=given,
                expected="settings such as host or holdout",
            )  # fmt: skip
        writer = given.get("writer")
        if isinstance(writer, dict) and "key" in writer:
            raise UsageError(
                "settings.value-invalid", file=FILE_NAME, line=document.line(("writer", "key")),
                key="writer.key", value="•••", expected="nothing here; set KEEPWELL_WRITER__KEY",
            )  # fmt: skip
        try:
            return cls(**given)
        except ValidationError as error:
            raise _fault(error, document) from None


def _fault(error: ValidationError, document: Document) -> UsageError:
    first = error.errors(include_url=False)[0]
    loc = tuple(first["loc"])
    model: Any = Settings
    for part in loc[:-1]:
        field = model.model_fields.get(str(part)) if hasattr(model, "model_fields") else None
        model = field.annotation if field is not None else None
    if first["type"] == "extra_forbidden" and model is not None:
        known = list(model.model_fields)
        return UsageError(
            "settings.key-unknown", file=document.file, line=document.line(loc), key=loc[-1],
            nearest=nearest(str(loc[-1]), known) or "–", known=", ".join(known),
        )  # fmt: skip
    return UsageError(
        "settings.value-invalid", file=document.file, line=document.line(loc),
        key=".".join(str(part) for part in loc), value=first.get("input"), expected=first["msg"],
    )  # fmt: skip
