"""What the API says about the hold-out."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class ManagerOut(BaseModel):
    """One manager's clients in the draw.

    Attributes:
        manager_id: the manager's number; null for clients without one.
        contact: clients who may be contacted.
        held_out: clients who are not.
    """

    manager_id: str | None = Field(examples=["m1"])
    contact: int = Field(ge=0, examples=[285])
    held_out: int = Field(ge=0, examples=[15])


class HoldoutOut(BaseModel):
    """The hold-out of a period.

    Attributes:
        period: calendar year of the exchange.
        share: share of clients held out; it holds for the whole period.
        drawn_at: when the period was begun.
        clients: clients drawn, over the whole book.
        held_out: of them held out.
        p_value: sample-ratio check: chance of a share at least as far off.
        alarm: the check fails (p < 0.001); do not read any effect before the fault is found.
        managers: by manager, of those in your scope.
        next: cursor of the next page of managers; null at the end.
    """

    period: str = Field(examples=["2026"])
    share: float = Field(ge=0, le=1, examples=[0.05])
    drawn_at: datetime
    clients: int = Field(ge=0, examples=[100000])
    held_out: int = Field(ge=0, examples=[5003])
    p_value: float = Field(ge=0, le=1, examples=[0.97])
    alarm: bool = Field(examples=[False])
    managers: list[ManagerOut]
    next: str | None = Field(default=None, examples=["WyJtMSJd"])
