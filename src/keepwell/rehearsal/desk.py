"""keepwell's desk in simulated time: scores come into force, jobs run, staff work their queues.

Staff use the services that the pages use, under their own names and scopes; nothing here reads the
truth. What a contact came to is what the world tells of the touch: whether it was delivered,
answered, refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import select

from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.migrate import migrate
from keepwell.frame.settings import Settings
from keepwell.intervene.action.gate import Answer
from keepwell.intervene.action.recommend import Option
from keepwell.intervene.action.service import Advice, recommend
from keepwell.intervene.case.policy import CloseReason, State
from keepwell.intervene.case.queue import Wanted, queue
from keepwell.intervene.case.service import close, read_case
from keepwell.intervene.clock import policies
from keepwell.intervene.clock.policy import PolicyBody
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Aim, Channel, Direction, Result, Use
from keepwell.intervene.contact.service import log_touch
from keepwell.intervene.publish import publish_ranking
from keepwell.jobs.worker import run_due
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.policy import CONTACT, period_of
from keepwell.learn.ranking import rank
from keepwell.learn.run import RunResult
from keepwell.rehearsal.future import Future, Ints
from keepwell.rehearsal.plan import Plan, Step
from keepwell.rehearsal.rivals import Flags, Service, Spent
from keepwell.trust.access.model import Staff, User
from keepwell.trust.access.policy import GRANTS, SYSTEM, Actor, Role
from keepwell.trust.access.service import actor_of
from keepwell.world.simulate import Day
from keepwell.world.terms import ACTIONS, FIRST_ACTION, LEAVE_ALONE

ROUND: Final = 10
"""Working days in which every manager once works through the queue."""

AGAIN: Final = timedelta(days=90)
"""Nobody takes up a case again sooner; rivals do not either."""

LATER: Final = timedelta(days=28)
"""A case in which nothing may or need be done is looked at again after so long."""

REFUSED: Final = timedelta(days=91)
"""The same where the client wants no contacts: words like that are seldom taken back."""

NO: Final = "contact.marketing-refused"
"""The gate's code for that."""

DONE: Final = timedelta(days=90)
"""A case with which nothing was done for so long is closed."""

TOGETHER: Final = 8
"""Contacts recorded in one unit of work."""

ROWS: Final = 500
"""Rows of the queue that are looked at in a round."""


CLOCKS: Final = "rehearsal"
"""Name of the policy of clocks: staff who see their queue every other week promise no minutes."""

_PROMISE: Final = {
    "title": {"en": "Complaints only", "zh": "只对投诉承诺时限"},
    "note": "For rehearsals: every queue is worked through every other week.",
    "clocks": [
        {
            "code": "resolve", "title": {"en": "Problem solved", "zh": "问题解决"},
            "starts_on": ["case.opened", "case.reopened"], "stops_on": ["case.closed"],
            "when": {"reasons": ["complaint-overdue"]}, "days": {"any": 20},
            "calendar": "office", "escalate": [],
        }
    ],
}  # fmt: skip


class Clock:
    """A source of time that moves when told, and never back."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """The time."""
        return self.at

    def to(self, at: datetime) -> None:
        """Move on to an instant; one that is over changes nothing."""
        self.at = max(self.at, at)


@dataclass(frozen=True)
class Deed:
    """A contact that is on for today.

    Attributes:
        actor: who makes it.
        case_id: in which case.
        place: of the client in the world.
        option: the action.
        channel: by which way.
        script: which is used, if any.
        owed: it is service that is owed.
    """

    actor: Actor
    case_id: str
    place: int
    option: Option
    channel: Channel
    script: str | None
    owed: bool

    @property
    def code(self) -> int:
        """The world's action; leaving alone for one that it does not know."""
        named = self.option.action.simulated_as
        return ACTIONS.index(named) if named else LEAVE_ALONE


@dataclass
class Desk:
    """The desk and its staff over the year.

    Attributes:
        plan: of the rehearsal.
        future: in which they work.
        frame: the desk.
        clock: the time it goes by.
        service: what was owed and done, for the rivals.
        spent: contacts and minutes.
    """

    plan: Plan
    future: Future
    frame: Frame
    clock: Clock
    service: Service = field(default_factory=Service)
    spent: Spent = field(default_factory=Spent)

    @classmethod
    def open(cls, plan: Plan, future: Future) -> Desk:
        """Make the desk of a workspace: a database of its own, the hold-out's share set."""
        from keepwell.rooms import load_all

        load_all()
        settings = Settings.load(future.workspace.root)
        clock = Clock(future.morning(future.today) + timedelta(hours=7))
        frame = Frame.open(future.workspace, settings, clock)
        migrate(frame)
        frame.database.have_alone()
        with frame.write() as tx:
            policies.change(tx, SYSTEM, CLOCKS, PolicyBody.model_validate(_PROMISE))
            policies.activate(tx, SYSTEM, CLOCKS)
        return cls(plan, future, frame, clock)

    def __post_init__(self) -> None:
        self._actors: list[Actor] = []
        self._sleeps: dict[str, datetime] = {}
        self._owed: set[tuple[str, str]] = set()
        self._left: dict[str, int] = {}
        self._luck = np.random.default_rng([self.plan.seed, 1])

    # Before the loop

    def hire(self) -> None:
        """Give every manager of the book a log-in, unless they have one."""
        with self.frame.write() as tx:
            people = list(tx.session.scalars(select(Staff).where(Staff.role == Role.MANAGER)))
            known = {u.staff_id: u for u in tx.session.scalars(select(User))}
            for staff in people:
                if staff.staff_id not in known:
                    known[staff.staff_id] = _user(tx, staff)
            tx.session.flush()
            rights = GRANTS[Role.MANAGER].permissions
            self._actors = [
                actor_of(known[staff.staff_id], staff, rights, "session")
                for staff in sorted(people, key=lambda staff: staff.staff_id)
            ]

    def arms(self) -> tuple[Flags, Flags]:
        """Who may be contacted and who is held out, by place in the world; bool [clients] each."""
        period = period_of(self.clock.at, self.frame.zone)
        with self.frame.read() as tx:
            rows = tx.session.execute(
                select(HoldoutArm.client_id, HoldoutArm.arm)  # unscoped: the rivals' hold-out
                .where(HoldoutArm.period == period)
            ).all()  # fmt: skip
        contact = np.zeros(len(self.future.place), np.bool_)
        held = np.zeros(len(self.future.place), np.bool_)
        places = self.future.places([str(client) for client, _ in rows])
        arm = np.array([arm == CONTACT for _, arm in rows], np.bool_)
        contact[places], held[places] = arm, ~arm
        return contact, held

    def anybody(self) -> str | None:
        """A client drawn by lot among those who were contacted to keep them; None: nobody was."""
        with self.frame.read() as tx:
            found = tx.session.scalars(
                select(Contact.client_id).where(Contact.aim == Aim.RETENTION)  # unscoped: a lot
                .distinct().order_by(Contact.client_id)
            ).all()  # fmt: skip
        return str(found[int(self._luck.integers(len(found)))]) if found else None

    # A step

    def publish(self, first: RunResult, step: Step) -> None:
        """Score what is known this morning with the model of the first run, and put it in force."""
        ranking, engine = first.ranking, first.engine
        at = self.future.morning(step.first)
        if step.number:
            engine = self.future.read()
            ranking = rank(engine, first.version.trained, first.version.definition, at)
        self.clock.to(at + timedelta(hours=7))
        publish_ranking(self.frame, engine, ranking, first.version)
        self.run_jobs()

    def run_jobs(self) -> None:
        """Run what is due, with what follows from it."""
        while run_due(self.frame, rounds=1_000) > 1_000:
            pass

    def step(self, step: Step, tell: Callable[[int], None]) -> None:
        """Live one step; on working days staff work."""
        working = {day: number for number, day in enumerate(step.working)}
        for day in range(step.first, step.first + step.days):
            deeds: list[Deed] = []
            if day in working:
                self.clock.to(self.future.morning(day) + timedelta(hours=9))
                self.run_jobs()
                deeds = self._morning(day)
            lived = self.future.live(_actions(deeds))
            self._owe(day, step, deeds)
            self._evening(day, deeds, lived)
            tell(day)

    def _morning(self, day: int) -> list[Deed]:
        """What the managers whose turn it is will do today; a client is taken up once a day."""
        turn = _working_number(day) % ROUND
        taken: set[int] = set()
        deeds: list[Deed] = []
        for number, actor in enumerate(self._actors):
            if number % ROUND == turn:
                deeds += self._round(actor, taken)
        return deeds

    def _round(self, actor: Actor, taken: set[int]) -> list[Deed]:
        """One manager goes through the queue until what comes next takes more time than is left.

        What is left is there the next time.
        """
        minutes, deeds, over = 2 * self.plan.minutes, list[Deed](), list[str]()
        minutes += self._left.pop(actor.user_id, 0)
        with self.frame.write() as tx:
            for row in queue(tx, actor, Wanted(), tx.at, ROWS, None).rows:
                place = self.future.place.get(row.client_id)
                awake = self.clock.at >= self._sleeps.get(row.case_id, _EVER)
                if row.case_id is None or place is None or place in taken or not awake:
                    continue
                advice = recommend(tx, actor, row.case_id)
                deed = self._deed(actor, advice, place)
                if deed is None:
                    said_no = any(o.decision.code == NO for o in advice.made.refusals)
                    wait = REFUSED if said_no else LATER
                    self._sleeps[row.case_id] = self.clock.at + wait
                    if row.contacted_at and self.clock.at - row.contacted_at >= DONE:
                        over.append(row.case_id)
                    continue
                if deed.option.action.minutes > minutes:
                    self._left[actor.user_id] = minutes
                    break
                taken.add(place)
                minutes -= deed.option.action.minutes
                deeds.append(deed)
            for case_id in over:
                self._close(tx, actor, case_id)
        return deeds

    def _deed(self, actor: Actor, advice: Advice, place: int) -> Deed | None:
        """What is recommended to do now, if anything: what is owed once, else the best."""
        case_id = advice.case.case_id
        owed = [o for o in advice.made.owed if (case_id, o.action.id) not in self._owed]
        option = owed[0] if owed else advice.made.best
        if option is None or option.decision.answer is Answer.DELAY:
            return None
        channel = option.decision.channel or Channel.PHONE
        said = advice.said is option.action and advice.script is not None
        script = advice.script.template if said and advice.script else None
        return Deed(actor, case_id, place, option, channel, script, bool(owed))

    def _owe(self, day: int, step: Step, deeds: list[Deed]) -> None:
        """Remember what was owed, for whoever does the same without keepwell."""
        owed = [deed for deed in deeds if deed.owed]
        if owed:
            self.service.deeds[day] = _actions(owed)
        minutes = self.service.minutes.setdefault(step.number, defaultdict(int))
        managers = self.future.living.world.state["manager"]
        for deed in owed:
            minutes[int(managers[deed.place])] += deed.option.action.minutes

    def _evening(self, day: int, deeds: list[Deed], lived: Day) -> None:
        """Record what was done, with what it came to."""
        touched = _results(lived)
        begin = self.future.morning(day) + timedelta(hours=10)
        every = timedelta(hours=7.5) / max(len(deeds), 1)
        for first in range(0, len(deeds), TOGETHER):
            self.clock.to(begin + first * every)
            with self.frame.write() as tx:
                for deed in deeds[first : first + TOGETHER]:
                    self._record(tx, deed, touched.get(deed.place))
        self.clock.to(self.future.morning(day) + timedelta(hours=18))

    def _record(self, tx: Tx, deed: Deed, touch: Any) -> None:
        action = deed.option.action
        log_touch(
            tx, deed.actor, deed.case_id, channel=deed.channel, direction=Direction.OUT,
            aim=action.aim, result=_result(deed, touch), happened=True,
            use=Use(action.id, action.version, deed.script),
        )  # fmt: skip
        self._sleeps[deed.case_id] = self.clock.at + (LATER if deed.owed else AGAIN)
        if deed.owed:
            self._owed.add((deed.case_id, action.id))
            self.spent.services += 1
            self.spent.service_minutes += action.minutes
        else:
            self.spent.contacts += 1
            self.spent.minutes += action.minutes

    def _close(self, tx: Tx, actor: Actor, case_id: str) -> None:
        """Close a case with which nothing more can be done; with what its manager believes."""
        luck = self._luck.random()
        outcome, why = State.RECOVERED, CloseReason.STAYED_AFTER_CONTACT
        if luck < 0.2:  # people are wrong about their clients
            outcome, why = State.LOST, CloseReason.MOVED_TO_COMPETITOR
        elif luck < 0.35:
            outcome, why = State.FALSE_ALARM, CloseReason.NO_INTENTION
        close(tx, actor, case_id, read_case(tx, actor, case_id).version, outcome, why, "")


_EVER: Final = datetime.min.replace(tzinfo=UTC)


def _working_number(day: int) -> int:
    """Number of a working day, counted without week-ends."""
    week, weekday = divmod(day + 3, 7)
    return week * 5 + min(weekday, 4)


def _user(tx: Tx, staff: Staff) -> User:
    user = User(
        user_id=new_id("user", tx.at), login=staff.staff_id, name=staff.name, role=Role.MANAGER,
        scope=GRANTS[Role.MANAGER].scope, staff_id=staff.staff_id, created_at=tx.at,
    )  # fmt: skip
    tx.session.add(user)
    return user


def _actions(deeds: list[Deed]) -> tuple[Ints, Ints]:
    places = np.array([deed.place for deed in deeds], np.int64)
    codes = np.array([deed.code for deed in deeds], np.int64)
    return places, codes


def _results(lived: Day) -> dict[int, Any]:
    """Touches of the day by client, those of actions."""
    touched = lived.events.get("touch")
    if touched is None:
        return {}
    ours = touched[touched["campaign"] >= FIRST_ACTION]
    return {int(one["client"]): one for one in ours}


def _result(deed: Deed, touch: Any) -> Result:
    if touch is None:
        # The client asked for it and waits for it; the world has no luck for such contacts.
        return Result.REACHED
    if touch["refused"]:
        return Result.REFUSED
    spoken = deed.channel in (Channel.PHONE, Channel.BRANCH, Channel.VISIT)
    if not touch["delivered"]:
        return Result.NO_ANSWER if spoken else Result.FAILED
    return Result.REACHED if spoken or touch["replied"] else Result.DELIVERED
