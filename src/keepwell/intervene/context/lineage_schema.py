"""What the API says of where a score comes from."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field


class ReasonOut(BaseModel):
    """A reason of the score, and the indicator that it speaks of.

    Attributes:
        code: of the reason.
        words: in the caller's language.
        indicator: id of the indicator; null where it has none, or is not shown to the caller.
    """

    code: str = Field(examples=["trading.less"])
    words: str = Field(examples=["Trades less (trades in 90 days: 1, normally 6)"])
    indicator: str | None = Field(examples=["trade_count_90d"])


class IndicatorOut(BaseModel):
    """An indicator of the catalogue.

    Attributes:
        id: for programs.
        title: in the caller's language.
        definition: what is computed.
        unit: of the value.
        tables: tables that it reads.
    """

    id: str = Field(examples=["trade_count_90d"])
    title: str = Field(examples=["Trades in 90 days"])
    definition: str = Field(examples=["Number of trades in the last 90 days."])
    unit: str = Field(examples=["count"])
    tables: list[str] = Field(examples=[["trade"]])


class TileOut(BaseModel):
    """One client-day of measures that was read.

    Attributes:
        table: whose measures; 'position' for what was held.
        day: its local day.
        values: the measures that the indicator asks for; null where there is none.
    """

    table: str = Field(examples=["trade"])
    day: date
    values: dict[str, float | int | None] = Field(examples=[{"count": 2}])


class SourceRowsOut(BaseModel):
    """Rows of one table that entered.

    Attributes:
        table: table of the contract.
        version: of the table in the lake.
        key: columns that name a row at the broker.
        total: how many rows entered.
        rows: the newest of them: key, when it happened, when keepwell learned it (`known_at`), its
            revision, and the source of keepwell.yaml that delivered it. Numbers of other clients
            are left out.
    """

    table: str = Field(examples=["trade"])
    version: int = Field(ge=0, examples=[4])
    key: list[str] = Field(examples=[["trade_id"]])
    total: int = Field(ge=0, examples=[2])
    rows: list[dict[str, str | int | float | None]] = Field(
        examples=[[{
            "trade_id": "t1", "at": "2026-03-02T02:00:00+00:00",
            "known_at": "2026-03-03T01:00:00+00:00", "revision": 0, "source": "trades",
        }]]
    )  # fmt: skip


class TraceOut(BaseModel):
    """One indicator traced to the rows that entered it.

    Attributes:
        indicator: its definition.
        value: as it was scored; null where absent.
        coverage: covered share of the windows that it looks at.
        tiles_total: how many tile rows were read.
        tiles: the newest of them.
        sources: the rows behind them.
    """

    indicator: IndicatorOut
    value: float | None = Field(examples=[2.0])
    coverage: float = Field(ge=0, le=1, examples=[1.0])
    tiles_total: int = Field(ge=0, examples=[2])
    tiles: list[TileOut]
    sources: list[SourceRowsOut]


class LineageOut(BaseModel):
    """Where a client's score comes from.

    Attributes:
        client_id: whose.
        score: 0 to 100; null without one.
        generation_id: the publication.
        model_version: the model behind the score.
        as_of: the score's instant.
        manifest: data version that it was made from.
        reasons: its reasons, each with the indicator that can be traced.
        trace: the indicator asked for; null without one.
    """

    client_id: str = Field(examples=["c1"])
    score: float | None = Field(examples=[80.0])
    generation_id: int = Field(ge=1, examples=[12])
    model_version: str = Field(examples=["catboost-20260304-1a2b3c"])
    as_of: datetime
    manifest: int = Field(ge=0, examples=[12])
    reasons: list[ReasonOut]
    trace: TraceOut | None
