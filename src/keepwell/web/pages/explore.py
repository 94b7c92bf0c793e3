"""Explore: all clients that a reader may see, narrowed, sorted, with chosen columns, by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, TypeAdapter, ValidationError

from keepwell.core.money import AMOUNT_LIMIT, minor_exponent
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.text import ClientId, Code, Id, Line
from keepwell.trust.access.mask import sees_bands, show, worth
from keepwell.trust.access.policy import Actor, Permission, Scope
from keepwell.trust.book import read
from keepwell.trust.book.api import Tier
from keepwell.trust.book.list_repo import MOST_COUNTED, MOST_LOOKED, Wanted
from keepwell.trust.preference import service as preferences
from keepwell.warn.reason_codes import TITLES
from keepwell.warn.risk import NOTES
from keepwell.web.pages.today import BAND_TITLES
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/clients"
ROWS: Final = 50
KEPT: Final = "columns.clients"
"""Name of the preference that remembers the columns."""

COLUMNS: Final = {
    "score": "Score", "tier": "Tier", "reason": "Main reason", "manager": "Manager",
    "adviser": "Adviser", "branch": "Branch", "assets": "Assets", "value": "Client value",
    "segment": "Segment", "status": "Status", "note": "Whether scored",
    "activity": "Last activity", "region": "Region", "risk": "Risk level",
}  # fmt: skip
"""Columns besides the client's own, in their order, with their English names."""
USUAL: Final = ("score", "tier", "reason", "manager", "branch", "assets", "segment", "status")
SORTS: Final = {"score": "score", "assets": "assets"}
"""Columns that sort, with the name of the order."""
STATUSES: Final = {
    "open": "Account open", "dormant": "Dormant", "frozen": "Frozen", "closed": "Closed account",
}  # fmt: skip
NOTE_TITLES: Final = {str(note): title for note, title in NOTES.items()} | {
    "refused": "Not scored: the client refused profiling."
}

_Score = Annotated[float, Field(ge=0, le=100)]
_TYPES: Final[dict[str, TypeAdapter[Any]]] = {
    "tier": TypeAdapter(Tier), "manager_id": TypeAdapter(Id), "branch_id": TypeAdapter(Id),
    "min_score": TypeAdapter(_Score), "max_score": TypeAdapter(_Score),
    "note": TypeAdapter(Code), "status": TypeAdapter(Code), "segment": TypeAdapter(Line),
    "reason": TypeAdapter(Code), "search": TypeAdapter(ClientId),
}  # fmt: skip
"""Filters with the API's own types; amounts are read by themselves."""
_AMOUNTS: Final = ("min_assets", "max_assets")
_LABELS: Final = {
    "tier": "Tier", "manager_id": "Manager", "branch_id": "Branch", "min_score": "Score from",
    "max_score": "Score to", "min_assets": "Assets from", "max_assets": "Assets to",
    "note": "Whether scored", "status": "Status", "segment": "Segment", "reason": "Main reason",
    "search": "Client number",
}  # fmt: skip
_FIRST: Final = frozenset({"search", "tier", "reason", "segment", "manager_id"})
"""Filters that are seen at once; the others are folded away until one is used."""
_ORDERS: Final = ("-score", "score", "-assets", "assets", "client_id", "-client_id")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asks the page for.

    Attributes:
        typed: the filters as they were typed.
        sort: the order, a name of the API.
        columns: which columns, when the address says so.
        cursor: of the page before.
        wanted: the filters, as the book takes them.
        wrong: names of filters that cannot be read.
    """

    typed: Mapping[str, str]
    sort: str
    columns: tuple[str, ...] | None
    cursor: str | None
    wanted: Wanted = field(default_factory=Wanted)
    wrong: tuple[str, ...] = ()

    def address(self, path: str = PATH, **other: Any) -> str:
        """The page's address with something changed; None leaves a part out."""
        own: dict[str, Any] = {**self.typed, "sort": "" if self.sort == "-score" else self.sort}
        if self.columns is not None:
            own["columns"] = ",".join(self.columns)
        told = {name: value for name, value in (own | other).items() if value}
        return path + ("?" + urlencode(told) if told else "")

    def sorted_by(self, name: str) -> tuple[str, str]:
        """Address that sorts by a column, and how it sorts now, as `aria-sort` says it."""
        now = {name: "ascending", "-" + name: "descending"}.get(self.sort, "")
        first = name if name == "client_id" else "-" + name
        turned = {"ascending": "-" + name, "descending": name}.get(now, first)
        return self.address(sort="" if turned == "-score" else turned), now


def read_query(query: Mapping[str, str], currency: str, banded: bool) -> Asked:
    """What an address asks for; what cannot be read is left out and named.

    Args:
        query: its parameters.
        currency: of the amounts, which are typed in major units.
        banded: whether the reader sees assets in bands only.
    """
    typed: dict[str, str] = {}
    given: dict[str, Any] = {}
    wrong: list[str] = []
    for name in _LABELS:
        text = query.get(name, "").strip()
        if not text or (banded and name in _AMOUNTS):
            continue
        typed[name] = text[:200]
        try:
            given[name] = _amount(text, currency) if name in _AMOUNTS \
                else _TYPES[name].validate_python(text)  # fmt: skip
        except (ValidationError, ValueError, InvalidOperation):
            wrong.append(name)
    sort = query.get("sort", "")
    if sort not in _ORDERS or (banded and sort.endswith("assets")):
        sort = "-score"
    listed = query.get("columns")
    columns = None if listed is None else _known(listed.split(","))
    return Asked(typed, sort, columns, query.get("cursor") or None, Wanted(**given), tuple(wrong))


def _amount(text: str, currency: str) -> int:
    """Minor units of an amount typed in major units."""
    minor = Decimal(text.replace(",", "").replace("，", "")).scaleb(minor_exponent(currency))
    if not minor.is_finite() or abs(minor) > AMOUNT_LIMIT:
        raise ValueError(text)
    return int(minor)


def _known(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if name in names)


_Text = Annotated[str, Query(max_length=200)]


async def _query(
    search: _Text = "", tier: _Text = "", reason: _Text = "", segment: _Text = "",
    manager_id: _Text = "", branch_id: _Text = "", min_score: _Text = "", max_score: _Text = "",
    min_assets: _Text = "", max_assets: _Text = "", status: _Text = "", note: _Text = "",
    sort: _Text = "", columns: Annotated[str | None, Query(max_length=300)] = None,
    cursor: Cursor = None,
) -> dict[str, str]:  # fmt: skip
    """The page's parameters as they were sent; what they mean, `read_query` says."""
    given = dict(locals())
    return {name: value for name, value in given.items() if value is not None}


Sent = Annotated[dict[str, str], Depends(_query)]


@router.get(PATH)
def clients_page(sent: Sent, visit: Visit = visiting(Permission.CLIENT_READ)) -> Response:
    """The list, or after a sort or filter the list alone."""
    return visit.show(
        "explore/page.html", lambda tx, actor: _page(tx, actor, sent), part="explore/part.html"
    )


@router.post(PATH + "/columns")
def choose_columns(visit: Visit = visiting(Permission.CLIENT_READ)) -> Response:
    """Remember the columns, and show the list with them."""
    chosen = _known(visit.texts("column"))
    usual = visit.text("usual") == "1"
    currency = visit.frame.currency
    query = {name: value for name, value in visit.form.items() if isinstance(value, str)}
    asked = read_query(query | {"columns": ",".join(chosen)}, currency, banded=False)
    place = asked.address(columns="" if usual or not chosen else ",".join(chosen))

    def verb(tx: Tx, actor: Actor) -> None:
        preferences.put(tx, actor, KEPT, [] if usual else list(chosen))

    return visit.act(verb, place)


def _page(tx: Tx, actor: Actor, sent: Mapping[str, str]) -> dict[str, Any]:
    banded = sees_bands(actor)
    asked = read_query(sent, tx.frame.currency, banded)
    rows, more = read.list_clients(tx, actor, asked.wanted, asked.sort, ROWS, asked.cursor)
    choices = read.choices(tx, actor)
    columns = asked.columns
    if columns is None:
        columns = _known(preferences.get(tx, actor, KEPT, [])) or USUAL
    staff = {getattr(row, name) for row in rows for name in ("manager_id", "adviser_id")} - {None}
    counted = None if asked.cursor else read.count_clients(tx, actor, asked.wanted)
    csv = asked.address("/api/v1/clients", columns="") if not asked.wrong else ""
    amounts = {n: getattr(asked.wanted, n) for n in _AMOUNTS}
    return {
        "asked": asked, "choices": choices, "rows": [_row(tx, actor, row) for row in rows],
        "columns": columns, "all_columns": COLUMNS, "sorts": SORTS, "banded": banded,
        "bands": BAND_TITLES, "names": read.staff_names(tx, staff),
        "next": asked.address(cursor=more) if more else "",
        "first": asked.address() if asked.cursor else "",
        "stopped": more is not None and len(rows) < ROWS, "looked": MOST_LOOKED,
        "counted": counted, "most": MOST_COUNTED, "csv": _csv(csv, amounts),
        "export": actor.may(Permission.CLIENT_EXPORT), "own": actor.scope is Scope.OWN,
        "reasons": sorted(TITLES.items()), "titles": TITLES, "statuses": STATUSES,
        "notes": NOTE_TITLES, "labels": _LABELS, "address": asked.address(),
        "segments": [(name, name) for name in choices.segments],
        "managers": [_named(*item) for item in choices.managers],
        "branches": [_named(*item) for item in choices.branches],
        "cleared": dict.fromkeys(_LABELS), "further": not _FIRST.issuperset(asked.typed),
    }  # fmt: skip


def _named(number: str, name: str) -> tuple[str, str]:
    return number, number if name == number else f"{name} ({number})"


def _csv(address: str, amounts: Mapping[str, int | None]) -> str:
    """The same list from the API, whose amounts are minor units."""
    if not address:
        return ""
    path, _, query = address.partition("?")
    given = dict(parse_qsl(query)) | {n: str(v) for n, v in amounts.items() if v is not None}
    return path + "?" + urlencode({"format": "csv", **given})


def _row(tx: Tx, actor: Actor, client: Any) -> dict[str, Any]:
    shown = show(actor, client, tx.frame.currency)
    reason = shown.reasons[0].get("code") if shown.reasons else client.top_reason
    return {
        "client_id": client.client_id, "name": shown.name, "score": client.score,
        "tier": client.tier, "reason": reason, "manager": client.manager_id,
        "adviser": client.adviser_id, "branch": client.branch_id, "assets": shown.assets,
        "band": shown.assets_band, "segment": client.segment, "status": client.status,
        "note": client.note, "activity": client.last_activity, "region": shown.region,
        "risk": client.risk_level, "value": worth(actor, client)["value"],
    }  # fmt: skip
