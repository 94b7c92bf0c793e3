"""Table of contacts: every touch of ours and every word of the client, with its aim and result."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.intervene.contact.policy import Aim, Channel, Delivery, Direction, Result
from keepwell.trust.evidence.attest import vouch

_COUNTED = "exit_request_id is not null and breach is null"


def _among(column: str, values: Any) -> str:
    return f"{column} in ({', '.join(repr(str(value)) for value in values)})"


class Contact(Base):
    """One contact with a client; never changed."""

    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_case_id", "case_id", "number"),
        Index("ix_contact_client_id", "client_id", "at"),
        # Two people at once cannot both make the one retention contact about an exit request.
        Index(
            "uq_contact_exit", "exit_request_id", unique=True,
            sqlite_where=text(_COUNTED), postgresql_where=text(_COUNTED),
        ),
        CheckConstraint(_among("channel", Channel), name="channel"),
        CheckConstraint(_among("direction", Direction), name="direction"),
        CheckConstraint(_among("aim", Aim), name="aim"),
        CheckConstraint(_among("result", Result), name="result"),
    )  # fmt: skip

    contact_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("retention_case.case_id"))
    number: Mapped[int] = mapped_column()
    """That of its line in the case's history, by which lists are sorted."""
    client_id: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(4))
    aim: Mapped[str] = mapped_column(String(16))
    result: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column()
    note: Mapped[str] = mapped_column(Text, default="")
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"), index=True)
    actor_id: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[datetime] = mapped_column()
    exit_request_id: Mapped[str | None] = mapped_column(String(40))
    """The exit request about which it was the one retention contact."""
    breach: Mapped[str | None] = mapped_column(String(40))
    """Code of the rule that forbade it, where it was made all the same."""
    marks: Mapped[list[Any]] = mapped_column(default=list)
    """What about it somebody should look at."""
    action_id: Mapped[str | None] = mapped_column(String(60))
    """The action that it carried out; null where it was none of the catalogue."""
    action_version: Mapped[int | None] = mapped_column()
    script_id: Mapped[str | None] = mapped_column(String(100))
    """Name and version of the script that was used."""
    treatment_id: Mapped[str | None] = mapped_column(String(40))
    """The decision that led to it: the newest in the log of treatments about the case's alert."""
    propensity: Mapped[float | None] = mapped_column()
    """The chance with which the draw let the client be treated; null where no draw decided."""
    unassigned: Mapped[str | None] = mapped_column(String(16))
    """Code of `Unassigned`: why there is no propensity."""
    delivery: Mapped[str | None] = mapped_column(String(12))
    """What was known when it was recorded; null for contacts from before this was kept."""


class ContactDelivery(Base):
    """What became known later about whether a contact arrived; the newest counts."""

    __tablename__ = "contact_delivery"
    __table_args__ = (
        UniqueConstraint("contact_id", "number"),
        CheckConstraint(_among("delivery", Delivery), name="delivery"),
        CheckConstraint("number >= 1", name="number"),
        Index("ix_contact_delivery_client_id", "client_id", "at"),
    )

    delivery_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.contact_id"))
    number: Mapped[int] = mapped_column()
    """Counts from 1 within the contact."""
    client_id: Mapped[str] = mapped_column(String(200))
    delivery: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[datetime] = mapped_column()


vouch(
    Contact.__table__,
    (
        "case_id", "number", "client_id", "channel", "direction", "aim", "result", "at", "note",
        "staff_id", "actor_id", "recorded_at", "exit_request_id", "breach", "marks", "action_id",
        "action_version", "script_id", "treatment_id", "propensity", "unassigned", "delivery",
    ),
    since="delivery",
)  # fmt: skip
vouch(
    ContactDelivery.__table__,
    ("contact_id", "number", "client_id", "delivery", "at", "actor_id", "recorded_at"),
)
only_grows(Contact.__table__)
only_grows(ContactDelivery.__table__)
