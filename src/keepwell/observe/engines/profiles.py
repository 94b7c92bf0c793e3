"""The client and instrument tables as arrays, answered as of an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.observe.position_kinds import Features
from keepwell.observe.tile_sql import date_day, micros

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEVER = 2**63 - 1
_FIELDS = ("opened", "birth", "risk", "assessed", "closed")


@dataclass(frozen=True)
class Profiles:
    """Rows of the client table, sorted by client, valid from, known.

    Attributes:
        code: client code; int64.
        valid, known, gone: microseconds since 1970; int64.
        fields: opened, assessed and closed (day numbers), birth (year), risk (1 to 5); float64,
            NaN blank.
    """

    code: Ints
    valid: Ints
    known: Ints
    gone: Ints
    fields: dict[str, Array]

    @staticmethod
    def load(connection: duckdb.DuckDBPyConnection, present: bool) -> Profiles:
        """All rows of the client view; none when it is not there."""
        none = np.empty(0, np.int64)
        if not present:
            return Profiles(none, none, none, none, {f: np.empty(0) for f in _FIELDS})
        found = connection.execute(
            "SELECT e.code::BIGINT AS code, epoch_us(valid_from) AS valid, "
            f"epoch_us(known_at) AS known, coalesce(epoch_us(gone_at), {_NEVER}) AS gone, "
            f"coalesce({date_day('opened_on')}, 'nan'::DOUBLE) AS opened, "
            "coalesce(birth_year, 'nan'::DOUBLE) AS birth, "
            "coalesce(TRY_CAST(substr(risk_level, 2) AS DOUBLE), 'nan'::DOUBLE) AS risk, "
            f"coalesce({date_day('assessed_on')}, 'nan'::DOUBLE) AS assessed, "
            f"coalesce({date_day('closed_on')}, 'nan'::DOUBLE) AS closed "
            "FROM client JOIN entities AS e ON e.id = client.client_id "
            "ORDER BY code, valid, known, revision"
        ).fetchnumpy()
        code, valid, known, gone = (
            np.asarray(found[name], np.int64) for name in ("code", "valid", "known", "gone")
        )
        fields = {f: np.asarray(found[f], np.float64) for f in _FIELDS}
        return Profiles(code, valid, known, gone, fields)

    def at(self, as_of: datetime, known_by: datetime, codes: int) -> dict[str, Array]:
        """What they said at an instant, per client code.

        Args:
            as_of: rows valid from before it count, the latest of each client.
            known_by: of those known at it.
            codes: number of client codes.

        Returns:
            float64 [codes] per field.
        """
        t, k = micros(as_of), micros(known_by)
        rows = np.flatnonzero((self.valid < t) & (self.known <= k) & (self.gone > k))
        newest = rows[np.diff(self.code[rows], append=-1) != 0]
        out = {}
        for name, values in self.fields.items():
            out[name] = np.full(codes, np.nan)
            out[name][self.code[newest]] = values[newest]
        return out


@dataclass(frozen=True)
class Instruments:
    """Rows of the instrument table, sorted by when they became known.

    Attributes:
        code: instrument code; category, sector: their codes, -1 blank; int64.
        risk: 1 to 5; maturity: day number; float64, NaN blank.
        known, gone: microseconds since 1970; int64.
        count: number of instrument codes.
        names: the category of each category code.
    """

    code: Ints
    category: Ints
    sector: Ints
    risk: Array
    maturity: Array
    known: Ints
    gone: Ints
    count: int
    names: tuple[str, ...]

    @property
    def categories(self) -> int:
        """Number of category codes."""
        return len(self.names)

    @staticmethod
    def load(connection: duckdb.DuckDBPyConnection, present: bool, count: int) -> Instruments:
        """All rows of the instrument view; none when it is not there."""
        none, blank = np.empty(0, np.int64), np.empty(0)
        if not present:
            return Instruments(none, none, none, blank, blank, none, none, count, ())
        found = connection.sql(
            "SELECT i.code::BIGINT AS code, category, sector, epoch_us(known_at) AS known, "
            "TRY_CAST(substr(risk_level, 2) AS DOUBLE) AS risk, "
            f"{date_day('maturity_on')}::DOUBLE AS maturity, "
            f"coalesce(epoch_us(gone_at), {_NEVER}) AS gone FROM instrument AS t "
            "JOIN instruments AS i ON i.id = t.instrument_id ORDER BY known, revision, code"
        ).to_arrow_table()
        category, names = _coded(found["category"])
        sector, _ = _coded(found["sector"])
        keys = {n: found[n].to_numpy().astype(np.int64) for n in ("code", "known", "gone")}
        risk, maturity = (found[n].to_numpy().astype(np.float64) for n in ("risk", "maturity"))
        return Instruments(
            keys["code"], category, sector, risk, maturity, keys["known"], keys["gone"], count,
            names,
        )  # fmt: skip

    def at(self, known_by: datetime) -> Features:
        """What was known of each instrument code at an instant."""
        k = micros(known_by)
        seen = (self.known <= k) & (self.gone > k)
        code = self.code[seen]
        codes = {n: np.full(self.count, -1, np.int64) for n in ("category", "sector")}
        numbers = {n: np.full(self.count, np.nan) for n in ("risk", "maturity")}
        for name, out in codes.items():
            out[code] = getattr(self, name)[seen]
        for name, values in numbers.items():
            values[code] = getattr(self, name)[seen]
        return Features(
            codes["category"], self.names, codes["sector"], numbers["risk"], numbers["maturity"]
        )


def _coded(column: pa.ChunkedArray) -> tuple[Ints, tuple[str, ...]]:
    """Texts as codes, -1 blank, and the text of each code."""
    found = column.combine_chunks().dictionary_encode()
    codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, tuple(found.dictionary.to_pylist())
