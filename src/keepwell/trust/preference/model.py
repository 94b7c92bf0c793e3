"""Table of preferences."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base


class Preference(Base):
    """One thing that a user prefers, by name."""

    __tablename__ = "preference"

    user_id: Mapped[str] = mapped_column(ForeignKey("app_user.user_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[list[Any]] = mapped_column()
