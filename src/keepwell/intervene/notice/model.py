"""Table of notices: what the desk tells its people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class Notice(Base):
    """One notice to one person: to a member of staff, or to a user who is none."""

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("(staff_id is null) <> (user_id is null)", name="recipient"),
        Index("ix_notice_staff_id", "staff_id", "at", "notice_id"),
        Index("ix_notice_user_id", "user_id", "at", "notice_id"),
        Index("ix_notice_read_at", "read_at"),
    )

    notice_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("app_user.user_id"))
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str | None] = mapped_column(String(200))
    data: Mapped[dict[str, Any]] = mapped_column()
    at: Mapped[datetime] = mapped_column()
    read_at: Mapped[datetime | None] = mapped_column()
