"""Endpoints of experiments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit
from keepwell.frame.problem import also
from keepwell.frame.text import Id, Line
from keepwell.learn.experiment import drawing, reading, service, show
from keepwell.learn.experiment.model import ExperimentRow
from keepwell.learn.experiment.schema import (
    ExperimentIn,
    ExperimentOut,
    ExperimentPage,
    LookIn,
    PowerIn,
    PowerOut,
    Share,
    State,
    StopIn,
    Tier,
)
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["experiments"])

ExperimentId = Annotated[Id, Path(description="The experiment's number.")]
READ = Permission.EXPERIMENT_READ
WRITE = Permission.EXPERIMENT_WRITE


@router.get(
    "/experiments", response_model=ExperimentPage, operation_id="list_experiments",
    summary="List experiments",
)  # fmt: skip
def list_experiments(
    state: Annotated[State | None, Query(description="Only in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(READ),
) -> Response:
    """Newest first; the hold-out stands above them for those who may read it."""

    def verb(tx: Tx, actor: Actor) -> ExperimentPage:
        rows, following = service.list_experiments(tx, state, limit, cursor)
        return ExperimentPage(
            items=show.shorts(tx, rows), next=following, standing=service.standing(tx, actor)
        )

    return call.answer(verb)


@router.get(
    "/experiment-power", response_model=PowerOut, operation_id="calculate_power",
    summary="Calculate how many clients an experiment needs",
)  # fmt: skip
def calculate_power(
    base: Annotated[
        Share | None, Query(description="Share who leave without help; default: the book's mean.")
    ] = None,
    effect: Annotated[Share, Query(description="Smallest relative reduction wanted.")] = 0.2,
    treated: Annotated[int, Query(ge=1, le=5, description="Treated arms.")] = 1,
    control_share: Annotated[Share, Query(description="Share of the control.")] = 0.5,
    looks: Annotated[int, Query(ge=1, le=12, description="Looks, equally spaced.")] = 4,
    horizon_days: Annotated[int, Query(ge=1, le=730, description="Days to the outcome.")] = 90,
    alpha: Annotated[float, Query(ge=0.001, le=0.2, description="Chance of a false alarm.")] = 0.05,
    power: Annotated[float, Query(ge=0.5, le=0.99, description="Chance to show the effect.")] = 0.8,
    explained: Annotated[
        float, Query(ge=0, lt=0.95, description="Share of the variance that covariates explain.")
    ] = 0.0,
    least: Annotated[Share, Query(description="Reduction that the stage gate asks for.")] = 0.2,
    tier: Annotated[
        list[Tier], Query(max_length=4, description="Only clients of these tiers.")
    ] = [],  # noqa: B006
    segment: Annotated[
        list[Line], Query(max_length=50, description="Only of these segments.")
    ] = [],  # noqa: B006
    monthly: Annotated[
        int, Query(ge=0, le=100_000_000, description="Clients who come into question each month.")
    ] = 0,
    call: Call = allow(READ),
) -> Response:
    """Clients in question are those of your scope who are scored."""
    asked = PowerIn(
        base=base, effect=effect, treated=treated, control_share=control_share, looks=looks,
        horizon_days=horizon_days, alpha=alpha, power=power, explained=explained, least=least,
        tiers=tier, segments=segment, monthly=monthly,
    )  # fmt: skip
    return call.answer(lambda tx, actor: service.power(tx, actor, asked))


@router.post(
    "/experiments", response_model=ExperimentOut, status_code=201,
    operation_id="create_experiment", summary="Set up an experiment",
)  # fmt: skip
def create_experiment(given: ExperimentIn, call: Call = allow(WRITE)) -> Response:
    """A draft, which can be edited until it is registered."""
    return call.perform(
        lambda tx, actor: _shown(tx, actor, service.create(tx, actor, given)), status=201
    )


@router.get(
    "/experiments/{experiment_id}", response_model=ExperimentOut,
    operation_id="read_experiment", summary="Read an experiment",
)  # fmt: skip
def read_experiment(experiment_id: ExperimentId, call: Call = allow(READ)) -> Response:
    """Design, draws, looks and what it proved; nobody's arm is told."""
    return call.answer(lambda tx, actor: _shown(tx, actor, service.read(tx, experiment_id)))


@router.put(
    "/experiments/{experiment_id}", response_model=ExperimentOut,
    operation_id="change_experiment", summary="Edit a draft", responses=also(412, 428),
)  # fmt: skip
def change_experiment(
    experiment_id: ExperimentId, given: ExperimentIn, call: Call = allow(WRITE)
) -> Response:
    """Needs If-Match. What is registered does not change any more: 409."""
    return call.perform(
        lambda tx, actor: _shown(
            tx, actor, service.change(tx, actor, experiment_id, given, call.expected_version())
        )
    )


@router.post(
    "/experiments/{experiment_id}/register", response_model=ExperimentOut,
    operation_id="register_experiment", summary="Register an experiment",
    responses=also(412, 428),
)  # fmt: skip
def register_experiment(experiment_id: ExperimentId, call: Call = allow(WRITE)) -> Response:
    """Needs If-Match. Freezes the design; the evidence log keeps its digest."""
    return call.perform(
        lambda tx, actor: _shown(
            tx, actor, service.register(tx, actor, experiment_id, call.expected_version())
        )
    )


@router.post(
    "/experiments/{experiment_id}/draws", response_model=ExperimentOut, status_code=201,
    operation_id="draw_experiment", summary="Draw who gets which arm",
)  # fmt: skip
def draw_experiment(experiment_id: ExperimentId, call: Call = allow(WRITE)) -> Response:
    """Draws the clients of your scope who may enter and are not in it yet; arms never change."""
    row = call.ask(lambda tx, _: service.read(tx, experiment_id))
    ties = drawing.ties_of(call.frame, row)

    def verb(tx: Tx, actor: Actor) -> Reply:
        drawing.draw(tx, actor, experiment_id, ties)
        return _shown(tx, actor, service.read(tx, experiment_id))

    return call.perform(verb, status=201)


@router.post(
    "/experiments/{experiment_id}/looks", response_model=ExperimentOut, status_code=201,
    operation_id="look_at_experiment", summary="Look at an experiment",
)  # fmt: skip
def look_at_experiment(
    experiment_id: ExperimentId, given: LookIn, call: Call = allow(WRITE)
) -> Response:
    """409 when it is too early for the next planned look. Guardrails may be read at any time."""
    material = call.ask(lambda tx, _: reading.gather(tx, experiment_id, given))
    found = reading.examine(call.frame, material)

    def verb(tx: Tx, actor: Actor) -> Reply:
        reading.conclude(tx, actor, material, found)
        return _shown(tx, actor, service.read(tx, experiment_id))

    return call.perform(verb, status=201)


@router.post(
    "/experiments/{experiment_id}/stop", response_model=ExperimentOut,
    operation_id="stop_experiment", summary="Stop an experiment", responses=also(412, 428),
)  # fmt: skip
def stop_experiment(
    experiment_id: ExperimentId, given: StopIn, call: Call = allow(WRITE)
) -> Response:
    """Needs If-Match. Nobody is drawn or recommended by it any more; what was found stays."""
    return call.perform(
        lambda tx, actor: _shown(
            tx,
            actor,
            service.stop(tx, actor, experiment_id, given.reason, call.expected_version()),
        )
    )


def _shown(tx: Tx, actor: Actor, row: ExperimentRow) -> Reply:
    return Reply(show.whole(tx, row, actor.locale), version=row.version)
