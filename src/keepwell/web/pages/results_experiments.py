"""Results: experiments. The list, the power calculator, setting one up, and one with its looks."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.problem import RequestError
from keepwell.frame.text import Id
from keepwell.intervene.action import gather
from keepwell.intervene.contact.policy import Aim
from keepwell.learn.experiment import drawing, reading, service, show
from keepwell.learn.experiment.design import BLOCKS
from keepwell.learn.experiment.schema import ExperimentIn, LookIn, PowerIn, StopIn
from keepwell.trust.access import users
from keepwell.trust.access.policy import Actor, Permission
from keepwell.warn.tier import Tier
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.results_experiments_view import chart_of, shown
from keepwell.web.pages.results_frame import framed
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

LIST: Final = "results/experiments.html"
NEW: Final = "results/experiment_new.html"
PAGE: Final = "results/experiment.html"
HOME: Final = "/results/experiments"
READ: Final = Permission.EXPERIMENT_READ
WRITE: Final = Permission.EXPERIMENT_WRITE
ROWS: Final = 50
ARMS: Final = 3
"""Treated arms that the form has room for; the API takes five."""

ExperimentId = Annotated[Id, Path(max_length=200)]
Text = Annotated[str | None, Query(max_length=20)]

DEFAULTS: Final = {
    "base": "", "effect": "20", "treated": "1", "control": "50", "looks": "4", "horizon": "90",
    "least": "20", "monthly": "0",
}  # fmt: skip


@router.get(HOME)
def experiments_page(cursor: Cursor = None, visit: Visit = visiting(READ)) -> Response:
    """All experiments, newest first; above them the one that always runs."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, following = service.list_experiments(tx, None, ROWS, cursor)
        return {
            "rows": show.shorts(tx, rows), "standing": service.standing(tx, actor),
            "names": users.logins(tx, [row.owner_id for row in rows]),
            "next": f"{HOME}?cursor={following}" if following else "",
            "begun": HOME if cursor else "",
        }  # fmt: skip

    return visit.show(LIST, framed(verb))


@router.get(f"{HOME}/new")
def new_page(
    base: Text = None,
    effect: Text = None,
    treated: Text = None,
    control: Text = None,
    looks: Text = None,
    horizon: Text = None,
    least: Text = None,
    monthly: Text = None,
    tier: Annotated[list[str] | None, Query(max_length=4)] = None,
    visit: Visit = visiting(READ),
) -> Response:
    """The calculator, which works by itself, and below it the form for those who may set one up."""
    given = {
        "base": base, "effect": effect, "treated": treated, "control": control, "looks": looks,
        "horizon": horizon, "least": least, "monthly": monthly,
    }  # fmt: skip
    asked = DEFAULTS | {name: value.strip() for name, value in given.items() if value}
    return visit.show(NEW, _new(asked, tier or []))


def _new(asked: dict[str, str], tiers: list[str]) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        fault: dict[str, str] = {}
        answer = None
        try:
            answer = service.power(tx, actor, _power(asked, tiers))
        except FormError as error:
            fault = error.told(actor.locale)
        day = tx.at.astimezone(tx.frame.zone).date()
        return {
            "asked": asked, "tiers": tiers, "answer": answer, "fault": fault,
            "all_tiers": [(one.code, one.title(actor.locale)) for one in Tier],
            "actions": [
                (action.name, action.title.say(actor.locale))
                for action in gather.catalogue_of(tx).on(day)
                if action.aim is Aim.RETENTION and not action.mandatory
            ],
            "arms": range(1, ARMS + 1), "once": new_id("form", tx.at),
            "base_shown": asked["base"] or _shown_percent(answer.base if answer else None),
        }  # fmt: skip

    return framed(verb)


def _power(asked: dict[str, str], tiers: list[str]) -> PowerIn:
    return parse(PowerIn, {
        "base": _share(asked["base"], "base"), "effect": _share(asked["effect"], "effect"),
        "treated": asked["treated"], "control_share": _share(asked["control"], "control"),
        "looks": asked["looks"], "horizon_days": asked["horizon"],
        "least": _share(asked["least"], "least"), "monthly": asked["monthly"], "tiers": tiers,
    })  # fmt: skip


@router.post(f"{HOME}/new")
def set_up(visit: Visit = visiting(WRITE)) -> Response:
    """Make a draft of what the form says."""

    def verb(tx: Tx, actor: Actor) -> str:
        return service.create(tx, actor, _asked(visit)).experiment_id

    return visit.act(
        verb, lambda made: f"{HOME}/{made}",
        said="The draft is set up. Register it before anybody is drawn.",
        again=(NEW, _new(dict(DEFAULTS), visit.texts("tiers"))),
    )  # fmt: skip


def _asked(visit: Visit) -> ExperimentIn:
    """What the form says; the control gets what the arms leave."""
    arms: list[dict[str, Any]] = []
    for i in range(1, ARMS + 1):
        name = visit.text(f"arm{i}")
        if not name:
            continue
        share = _share(visit.text(f"share{i}"), f"share{i}")
        if share is None:
            raise FormError({f"share{i}": "Fill this in."})
        arm: dict[str, Any] = {"name": name, "share": share}
        action_id, _, version = visit.text(f"action{i}").partition("@")
        if action_id:
            arm |= {"action_id": action_id, "action_version": version}
        elif visit.text(f"text{i}"):
            arm["text"] = visit.text(f"text{i}")
        arms.append(arm)
    rest = round(1 - sum(arm["share"] for arm in arms), 6)
    control = visit.text("control") or "usual"
    if not arms or not 0 < rest < 1:
        raise FormError({"share1": "The shares of the arms must leave something for the control."})
    arms.append({"name": control, "share": rest})
    looks = visit.text("looks")
    many = int(looks) if looks.isdigit() and 1 <= int(looks) <= 12 else 4
    return parse(ExperimentIn, {
        "title": visit.text("title"), "hypothesis": visit.text("hypothesis"),
        "about": visit.text("about"), "arms": arms, "control": control,
        "unit": visit.text("unit"), "blocks": list(BLOCKS), "tiers": visit.texts("tiers"),
        "horizon_days": visit.text("horizon"),
        "looks": [round((i + 1) / many, 6) for i in range(many)],
        **{name: _share(visit.text(name), name) for name in ("base", "effect", "least")},
        "money": visit.text("money") == "yes",
    })  # fmt: skip


@router.get(HOME + "/{experiment_id}")
def experiment_page(experiment_id: ExperimentId, visit: Visit = visiting(READ)) -> Response:
    """One experiment: design, draws, looks, verdict."""
    return visit.show(PAGE, _page(visit, experiment_id))


def _page(visit: Visit, experiment_id: str) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        row = service.read(tx, experiment_id)
        out = show.whole(tx, row, actor.locale)
        tongue = visit.tongue(actor)
        return {
            "one": out, "arms": shown(tx, out, actor.locale), "chart": chart_of(out, tongue),
            "names": users.logins(tx, [row.owner_id, *(look.looked_by for look in out.looks)]),
            "titles": show.TITLES, "once": new_id("form", tx.at),
            "writes": actor.may(WRITE),
        }  # fmt: skip

    return framed(verb)


@router.post(HOME + "/{experiment_id}/register")
def register(experiment_id: ExperimentId, visit: Visit = visiting(WRITE)) -> Response:
    """Freeze the design."""
    return visit.act(
        lambda tx, actor: service.register(tx, actor, experiment_id, visit.expected_version()),
        f"{HOME}/{experiment_id}", said="The experiment is registered; its design is frozen.",
        again=(PAGE, _page(visit, experiment_id)),
    )  # fmt: skip


@router.post(HOME + "/{experiment_id}/draws")
def draw(experiment_id: ExperimentId, visit: Visit = visiting(WRITE)) -> Response:
    """Draw everybody who may enter now."""
    row = visit.ask(lambda tx, _: service.read(tx, experiment_id))
    ties = drawing.ties_of(visit.frame, row)
    return visit.act(
        lambda tx, actor: drawing.draw(tx, actor, experiment_id, ties).clients,
        f"{HOME}/{experiment_id}", said=lambda n: ("{n} clients are drawn.", {"n": n}),
        again=(PAGE, _page(visit, experiment_id)),
    )  # fmt: skip


@router.post(HOME + "/{experiment_id}/looks")
def look(experiment_id: ExperimentId, visit: Visit = visiting(WRITE)) -> Response:
    """Look at what has come of it."""
    again = (PAGE, _page(visit, experiment_id))
    try:
        asked = parse(LookIn, {"kind": visit.text("kind"), "final": visit.text("final") == "yes"})
        material = visit.ask(lambda tx, _: reading.gather(tx, experiment_id, asked))
        found = reading.examine(visit.frame, material)
    except RequestError as error:
        return visit.refuse(again, error)
    return visit.act(
        lambda tx, actor: reading.conclude(tx, actor, material, found).number,
        f"{HOME}/{experiment_id}#looks", said="The look is recorded.", again=again,
    )  # fmt: skip


@router.post(HOME + "/{experiment_id}/stop")
def stop(experiment_id: ExperimentId, visit: Visit = visiting(WRITE)) -> Response:
    """Stop it, with a reason."""

    def verb(tx: Tx, actor: Actor) -> None:
        reason = parse(StopIn, {"reason": visit.text("reason")}).reason
        service.stop(tx, actor, experiment_id, reason, visit.expected_version())

    return visit.act(
        verb, f"{HOME}/{experiment_id}", said="The experiment is stopped.",
        again=(PAGE, _page(visit, experiment_id)),
    )  # fmt: skip


def _share(text: str, name: str) -> float | None:
    """A percentage of a form as a share; None where nothing was filled in."""
    if not text:
        return None
    try:
        return round(float(text.replace("%", "").replace(",", ".")) / 100, 8)
    except ValueError:
        raise FormError({name: "A number."}) from None


def _shown_percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.4g}"
