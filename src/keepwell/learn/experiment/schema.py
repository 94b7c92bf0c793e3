"""What the API says about experiments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keepwell.frame.paging import Page
from keepwell.frame.text import Code, Line, Note

State = Literal["draft", "registered", "running", "done", "stopped"]
Tier = Literal["none", "mild", "moderate", "severe"]
Share = Annotated[float, Field(ge=0.001, le=0.999)]
"""Nothing nearer to nothing or all: no book has the clients to tell it apart."""

_ID = "exp_01kdvdna00fgzjsdqkfb56fv6q"
_ARMS = [
    {"name": "call", "share": 0.5, "action_id": "service-call", "action_version": 1},
    {"name": "usual", "share": 0.5, "text": "Business as usual"},
]


class ArmIn(BaseModel):
    """One arm.

    Attributes:
        name: its name for programs.
        share: of the units.
        action_id: the action of the catalogue that its clients are recommended first, where the
            gate lets it pass; null for business as usual, or for what `text` says.
        action_version: the action's version.
        text: what is done, where it is no action of the catalogue.
    """

    model_config = ConfigDict(extra="forbid")

    name: Code = Field(examples=["call"])
    share: Share = Field(examples=[0.5])
    action_id: Code | None = Field(default=None, max_length=60, examples=["service-call"])
    action_version: int | None = Field(default=None, ge=1, le=999_999, examples=[1])
    text: Line | None = Field(default=None, examples=["Letter from the branch"])

    @model_validator(mode="after")
    def _one_thing(self) -> ArmIn:
        if (self.action_id is None) != (self.action_version is None):
            raise ValueError("an action is named with its version")
        if self.action_id is not None and self.text is not None:
            raise ValueError("an arm is an action of the catalogue or a text, not both")
        return self


class ExperimentIn(BaseModel):
    """An experiment as it is to be run. Once registered it does not change any more.

    Attributes:
        title: what people call it.
        hypothesis: what is expected, and why.
        about: what it is about; a client is in one running experiment about a thing at the most.
        arms: two to six, the control among them; their shares add up to 1.
        control: name of the arm that the others are compared with.
        unit: what is drawn: clients, or whole households.
        blocks: what the draw is balanced within.
        tiers: only clients of these tiers; none: all.
        segments: only clients of these segments; none: all.
        horizon_days: days after the draw until an outcome counts.
        looks: shares of the planned information at which it is looked at; the last is 1.
        alpha: chance of a false alarm over all looks.
        power: chance to show the effect that it is sized for.
        base: share who leave without help, expected.
        effect: smallest relative reduction worth having, such as 0.2.
        explained: share of the variance that score and chance to leave explain, expected.
        least: relative reduction that the stage gate asks for.
        money: whether net flows are read out beside.
    """

    model_config = ConfigDict(extra="forbid")

    title: Line = Field(examples=["Service call for silent clients"])
    hypothesis: Note = Field(examples=["A call keeps one leaver in five."])
    about: Code = Field(default="churn", examples=["churn"])
    arms: list[ArmIn] = Field(min_length=2, max_length=6, examples=[_ARMS])
    control: Code = Field(examples=["usual"])
    unit: Literal["client", "household"] = Field(default="client", examples=["client"])
    blocks: list[Literal["manager", "tier"]] = Field(
        default=["manager", "tier"], max_length=2, examples=[["manager", "tier"]]
    )
    tiers: list[Tier] = Field(default=[], max_length=4, examples=[["moderate", "severe"]])
    segments: list[Line] = Field(default=[], max_length=50, examples=[[]])
    horizon_days: int = Field(default=90, ge=1, le=730, examples=[90])
    looks: list[float] = Field(
        default=[0.25, 0.5, 0.75, 1.0], min_length=1, max_length=12, examples=[[0.5, 1.0]]
    )
    alpha: float = Field(default=0.05, ge=0.001, le=0.2, examples=[0.05])
    power: float = Field(default=0.8, ge=0.5, le=0.99, examples=[0.8])
    base: Share = Field(examples=[0.17])
    effect: Share = Field(examples=[0.2])
    explained: float = Field(default=0.0, ge=0, lt=0.95, examples=[0.0])
    least: Share = Field(default=0.2, examples=[0.2])
    money: bool = Field(default=False, examples=[False])


class StopIn(BaseModel):
    """Why an experiment is stopped.

    Attributes:
        reason: in words.
    """

    model_config = ConfigDict(extra="forbid")

    reason: Note = Field(examples=["The product is withdrawn."])


class LookIn(BaseModel):
    """What is looked at.

    Attributes:
        kind: 'planned' reads the primary metric and counts as a look; 'guardrails' reads harm
            alone, at any time.
        final: no further clients will be drawn: once the horizon of all is over, this is the last
            look, however many they are.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["planned", "guardrails"] = Field(default="planned", examples=["planned"])
    final: bool = Field(default=False, examples=[False])


class ArmOut(BaseModel):
    """One arm and who is in it.

    Attributes:
        name: its name for programs.
        share: planned.
        action_id: action of the catalogue.
        action_version: its version.
        text: what is done, where it is no action.
        units: units drawn into it.
        clients: clients in it.
    """

    name: str = Field(examples=["call"])
    share: float = Field(examples=[0.5])
    action_id: str | None = Field(examples=["service-call"])
    action_version: int | None = Field(examples=[1])
    text: str | None = Field(examples=[None])
    units: int = Field(examples=[3400])
    clients: int = Field(examples=[3400])


class DrawOut(BaseModel):
    """One draw.

    Attributes:
        batch: counts from 1.
        drawn_at: when.
        clients: newly drawn.
        units: newly drawn.
        matures_at: when the horizon of these clients is over.
        seal: keyed digest of who got which arm; the evidence log holds it too.
    """

    batch: int = Field(examples=[1])
    drawn_at: datetime
    clients: int = Field(examples=[6800])
    units: int = Field(examples=[6800])
    matures_at: datetime
    seal: str


class IntervalOut(BaseModel):
    """A figure with its interval; null where it cannot be told.

    Attributes:
        value: the estimate.
        low: lower end; null: none.
        high: upper end; null: none.
        level: of the interval; it holds for all looks together.
    """

    value: float | None = Field(examples=[-0.031])
    low: float | None = Field(examples=[-0.052])
    high: float | None = Field(examples=[-0.010])
    level: float | None = Field(examples=[0.95])


class ArmReadOut(BaseModel):
    """What a look found of one treated arm against the control.

    Attributes:
        arm: treated.
        verdict: what follows, as a code.
        words: the same in the caller's language.
        units: counted, in the arm.
        control_units: counted, in the control.
        left: share who left in the arm, adjusted.
        control_left: the same of the control.
        difference: of the two shares.
        relative: relative difference; below 0 means that fewer left.
        reduction: share of the variance that covariates took away.
        gate: 'passed', 'not yet' or 'failed'.
        gate_words: the same in the caller's language.
        flow: difference of net flow a client, minor units; null where it was not read.
    """

    arm: str = Field(examples=["call"])
    verdict: str = Field(examples=["stop for benefit"])
    words: str
    units: int | None = Field(examples=[3390])
    control_units: int | None = Field(examples=[3398])
    left: float | None = Field(examples=[0.137])
    control_left: float | None = Field(examples=[0.172])
    difference: IntervalOut | None
    relative: IntervalOut | None
    reduction: float | None = Field(examples=[0.12])
    gate: str | None = Field(examples=["not yet"])
    gate_words: str | None
    flow: IntervalOut | None


class GuardrailOut(BaseModel):
    """A guardrail at a look.

    Attributes:
        metric: its name for programs.
        title: in the caller's language.
        arm: treated.
        harm: difference in the harmful direction, a client.
        low: lower end at any time; above `margin` harm is certain.
        margin: still borne.
        harmed: whether harm is certain.
    """

    metric: str = Field(examples=["complaints"])
    title: str = Field(examples=["Complaints per client"])
    arm: str = Field(examples=["call"])
    harm: float | None = Field(examples=[0.001])
    low: float | None = Field(examples=[-0.004])
    margin: float = Field(examples=[0.0])
    harmed: bool = Field(examples=[False])


class RatioOut(BaseModel):
    """Whether all who were drawn are there, in the shares that were planned.

    Attributes:
        p: p-value over all units.
        block_p: of the manager farthest off, times the number of managers.
        stop: nothing may be read out until the cause is found.
        intact: the assignments are those that were sealed at the draw.
        words: in the caller's language.
    """

    p: float = Field(examples=[0.93])
    block_p: float = Field(examples=[1.0])
    stop: bool = Field(examples=[False])
    intact: bool = Field(examples=[True])
    words: str


class LookOut(BaseModel):
    """One look.

    Attributes:
        number: counts from 1.
        at: when.
        looked_by: who.
        kind: 'planned' or 'guardrails'.
        counts: whether the primary metric was read.
        planned_share: share of the planned information at which it was planned.
        fraction: share that was there.
        verdict: what follows for the experiment, as a code.
        words: the same in the caller's language.
        manifest: version of the lake that it was read from.
        drawn: clients drawn.
        matured: of them, those whose horizon was over.
        counted: of them, those whose outcome is known and counts.
        uncounted: matured, but died, were closed by the broker, held nothing at the draw, or are
            not known.
        ratio: the check of the arms' shares.
        arms: what was found of each treated arm.
        guardrails: what was found of harm.
        absent: guardrails for which there are no data.
    """

    number: int = Field(examples=[1])
    at: datetime
    looked_by: str = Field(examples=["user_analyst"])
    kind: Literal["planned", "guardrails"] = Field(examples=["planned"])
    counts: bool = Field(examples=[True])
    planned_share: float | None = Field(examples=[0.5])
    fraction: float = Field(examples=[0.51])
    verdict: str = Field(examples=["continue"])
    words: str
    manifest: int = Field(examples=[7])
    drawn: int = Field(examples=[6800])
    matured: int = Field(examples=[6800])
    counted: int = Field(examples=[6788])
    uncounted: int = Field(examples=[12])
    ratio: RatioOut
    arms: list[ArmReadOut]
    guardrails: list[GuardrailOut]
    absent: list[str] = Field(examples=[["complaints"]])


class ProvenOut(BaseModel):
    """What the experiment proved of an action.

    Attributes:
        action_id: the action.
        action_version: the version; another one is not proven by it.
        arm: in which arm.
        reduction: relative reduction of the share who left; below 0: it did harm.
        low: lower end of its interval.
        high: upper end.
    """

    action_id: str = Field(examples=["service-call"])
    action_version: int = Field(examples=[1])
    arm: str = Field(examples=["call"])
    reduction: float = Field(examples=[0.2])
    low: float = Field(examples=[0.06])
    high: float = Field(examples=[0.33])


class ExperimentShort(BaseModel):
    """An experiment in a list.

    Attributes:
        experiment_id: its id.
        title: what people call it.
        about: what it is about.
        state: where it stands.
        owner_id: who set it up.
        created_at: when.
        started_at: when the first clients were drawn.
        ended_at: when it was done or stopped.
        planned_units: units of all arms together, as planned.
        units: units drawn.
        version: for If-Match.
    """

    experiment_id: str = Field(examples=[_ID])
    title: str = Field(examples=["Service call for silent clients"])
    about: str = Field(examples=["churn"])
    state: State = Field(examples=["running"])
    owner_id: str = Field(examples=["user_analyst"])
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    planned_units: int = Field(examples=[6800])
    units: int = Field(examples=[6800])
    version: int = Field(examples=[3])


class ExperimentOut(ExperimentShort):
    """An experiment, whole.

    Attributes:
        hypothesis: what is expected, and why.
        design: as it was asked for; from the registration on it does not change.
        digest: SHA-256 of the design as registered.
        registered_at: when.
        stop_reason: in words.
        arms: with counts.
        draws: first to last.
        looks: first to last.
        proven: what it proved of actions.
    """

    hypothesis: str
    design: ExperimentIn
    digest: str | None
    registered_at: datetime | None
    stop_reason: str | None
    arms: list[ArmOut]
    draws: list[DrawOut]
    looks: list[LookOut]
    proven: list[ProvenOut]


class StandingOut(BaseModel):
    """The hold-out as the experiment that always runs.

    Attributes:
        period: calendar year of the exchange.
        share: share of clients held out.
        drawn_at: when the period was begun.
        clients: clients drawn.
        held_out: of them held out.
        p_value: sample-ratio check.
        alarm: whether it fails.
    """

    period: str = Field(examples=["2026"])
    share: float = Field(examples=[0.05])
    drawn_at: datetime
    clients: int = Field(examples=[100000])
    held_out: int = Field(examples=[5003])
    p_value: float = Field(examples=[0.97])
    alarm: bool = Field(examples=[False])


class ExperimentPage(Page[ExperimentShort]):
    """A page of experiments, and the hold-out above them.

    Attributes:
        standing: the hold-out; null before it is drawn, and for those who may not read it.
    """

    standing: StandingOut | None


class PowerIn(BaseModel):
    """What the calculator is asked.

    Attributes:
        base: share who leave without help; null: the book's mean chance to leave.
        effect: smallest relative reduction worth having.
        treated: treated arms.
        control_share: share of the control.
        looks: how many, equally spaced.
        horizon_days: days until an outcome counts.
        alpha: chance of a false alarm over all looks.
        power: chance to show the effect.
        explained: share of the variance that covariates take away.
        least: what the stage gate asks for.
        tiers: clients of these tiers; none: all.
        segments: clients of these segments; none: all.
        monthly: clients who newly come into question in a month, after the first draw.
    """

    base: Share | None = None
    effect: Share = 0.2
    treated: int = Field(default=1, ge=1, le=5)
    control_share: Share = 0.5
    looks: int = Field(default=4, ge=1, le=12)
    horizon_days: int = Field(default=90, ge=1, le=730)
    alpha: float = Field(default=0.05, ge=0.001, le=0.2)
    power: float = Field(default=0.8, ge=0.5, le=0.99)
    explained: float = Field(default=0.0, ge=0, lt=0.95)
    least: Share = 0.2
    tiers: list[Tier] = []
    segments: list[Line] = []
    monthly: int = Field(default=0, ge=0, le=100_000_000)


class PowerOut(BaseModel):
    """What the calculator answers.

    Attributes:
        base: share who leave without help that was used; null: it is not known.
        base_source: 'given' or 'book', the mean chance to leave of the clients in question.
        clients: clients in question in the book, in your scope.
        needed: clients needed in all arms together; null without a base.
        needed_treated: of them in one treated arm.
        needed_control: of them in the control.
        detectable: smallest relative reduction shown with the clients there are; null: none.
        needed_to_pass: clients needed to pass the stage gate, if the arm really leaves half as
            much again fewer than the gate asks; null where that cannot be.
        assumed_reduction: that reduction.
        days: until the last look; null: it never comes with the clients there are.
        enough: whether the clients there are suffice at once.
    """

    base: float | None = Field(examples=[0.17])
    base_source: Literal["given", "book"] = Field(examples=["book"])
    clients: int = Field(examples=[8000])
    needed: int | None = Field(examples=[6800])
    needed_treated: int | None = Field(examples=[3400])
    needed_control: int | None = Field(examples=[3400])
    detectable: float | None = Field(examples=[0.18])
    needed_to_pass: int | None = Field(examples=[21000])
    assumed_reduction: float = Field(examples=[0.3])
    days: int | None = Field(examples=[90])
    enough: bool = Field(examples=[True])
