"""What the events' endpoints take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from keepwell.frame.text import Code, Line

Cell = str | int | float | bool | None
"""A value of a row."""

MOST_ROWS = 1000


class EventsIn(BaseModel):
    """A batch of rows of one table of the data contract.

    Attributes:
        source: who sends it, such as crm; names a stream of batches.
        batch: the sender's id of this batch; sent again, it is taken only once.
        table: a table of the contract, such as complaint.
        rows: the rows, each with the contract's columns; amounts in major units, instants in
            ISO 8601 with offset. A row may carry `revision` to correct one that came before.
    """

    model_config = ConfigDict(extra="forbid")

    source: Code = Field(examples=["crm"])
    batch: Line = Field(examples=["2026-03-04T10:00:00-0001"])
    table: Line = Field(examples=["complaint"])
    rows: Annotated[list[dict[str, Cell]], Field(min_length=1, max_length=MOST_ROWS)] = Field(
        examples=[
            [
                {
                    "complaint_id": "K-1", "client_id": "C-1", "at": "2026-03-04T10:00:00+08:00",
                    "topic": "fee", "status": "open",
                }
            ]
        ]
    )  # fmt: skip


class RowFault(BaseModel):
    """Why a row was set aside.

    Attributes:
        row: its place in the batch, from 0.
        column: the column at fault.
        code: a reason code of docs/reference/errors.md.
        message: the reason in the caller's language.
    """

    row: int = Field(examples=[3])
    column: str = Field(examples=["amount"])
    code: str = Field(examples=["cell.not-decimal"])
    message: str = Field(examples=["'12,5' is not a decimal number"])


class EventsOut(BaseModel):
    """The acknowledgement of a batch: it is stored.

    Attributes:
        sequence: its number in the spool.
        accepted: rows that passed the contract.
        rejected: faults of the other rows; those rows are kept in the quarantine.
        repeated: the batch had come before and was not taken a second time.
    """

    sequence: int = Field(examples=[42])
    accepted: int = Field(examples=[1])
    rejected: list[RowFault]
    repeated: bool


class EventsState(BaseModel):
    """How far events have come.

    Attributes:
        last_sequence: number of the newest batch.
        applied: the rules have seen every batch up to this number.
        drained: the lake holds every batch up to this number.
        waiting: batches that the rules have not seen.
        refused: accepted rows that contradict what the desk knows, such as an exit request of
            another client under the same number; the evidence log names them (event.refused).
        oldest_waiting_seconds: since when the oldest of them waits.
        at: the instant of this answer.
    """

    last_sequence: int = Field(examples=[42])
    applied: int = Field(examples=[42])
    drained: int = Field(examples=[40])
    waiting: int = Field(examples=[0])
    refused: int = Field(examples=[0])
    oldest_waiting_seconds: float = Field(examples=[0.0])
    at: datetime
