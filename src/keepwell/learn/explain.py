"""One client's score, with every number behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from keepwell.core.days import parse_as_of
from keepwell.core.errors import DataError, UsageError
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.registry import model_inputs
from keepwell.observe.workspace import Workspace
from keepwell.warn.dataset import unlabelled
from keepwell.warn.models.base import sigmoid
from keepwell.warn.reason import Explanation, codes_of, explain, medians
from keepwell.warn.registry import ModelStore, ModelVersion
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.risk import Note, risk_set
from keepwell.warn.tier import tier_of


@dataclass(frozen=True)
class ClientExplanation:
    """Why one client has its score at an instant.

    Attributes:
        client: id.
        as_of: the instant.
        version: the model.
        note: 'scored', or why there is no score.
        score: 0..100; None without a score.
        tier: code; None without a score.
        probability: 0..1; None without a score.
        coverage: share of the catalogue's indicators that could be computed.
        explanation: reasons; None without a score.
        week_ago: score seven days before; None when there was none.
        changed: reason code -> change of its push (log-odds) in seven days, largest first.
        indicators: id -> value of all indicators present.
    """

    client: str
    as_of: datetime
    version: str
    note: str
    score: float | None
    tier: str | None
    probability: float | None
    coverage: float
    explanation: Explanation | None
    week_ago: float | None
    changed: dict[str, float]
    indicators: dict[str, float]

    def to_json(self, locale: str, currency: str) -> dict[str, Any]:
        """JSON-safe form with words in a language."""
        reasons = self.explanation.reasons if self.explanation else ()
        return {
            "client": self.client,
            "as_of": self.as_of.isoformat(),
            "model": self.version,
            "note": self.note,
            "score": self.score,
            "tier": self.tier,
            "probability": self.probability,
            "coverage": self.coverage,
            "score_week_ago": self.week_ago,
            "changed": self.changed,
            "client_part": self.explanation.client_part if self.explanation else None,
            "market_part": self.explanation.market_part if self.explanation else None,
            "base": self.explanation.base if self.explanation else None,
            "reasons": [
                {
                    "code": str(r.code),
                    "cause": str(r.cause),
                    "push": r.push,
                    "indicator": r.fact.indicator,
                    "value": r.fact.value,
                    "normal": r.fact.normal,
                    "typical": r.fact.typical,
                    "words": r.words(locale, currency),
                }
                for r in reasons
            ],
            "indicators": self.indicators,
        }


def explain_client(
    workspace: Workspace, client: str, as_of: str | date | None = None
) -> ClientExplanation:
    """Explain a client's score with the model in force.

    Args:
        workspace: where `run` was done before.
        client: id.
        as_of: the instant; default: that of the newest ranking.

    Raises:
        DataError: no model was trained yet.
        UsageError: no such client, or none at that instant.
    """
    engine = LocalEngine.open(workspace)
    version = ModelStore(workspace.models).latest()
    if version is None:
        raise DataError("explain.model-missing")
    at = parse_as_of(as_of, workspace.zone) if as_of else _ranked_at(workspace, engine, version)
    risk = risk_set(engine, at)
    if client not in risk.clients:
        raise UsageError("explain.client-unknown", client=client, as_of=at.isoformat())
    note = str(risk.note[risk.clients.index(client)])
    frame = engine.compute(at, clients=[client])
    values = {
        name: float(v) for name, v in zip(frame.names, frame.values[0], strict=True) if v == v
    }
    listed = model_inputs()
    coverage = sum(name in values for name in listed) / max(len(listed), 1)
    if note != Note.SCORED:
        return ClientExplanation(
            client, at, version.id, note, None, None, None, coverage, None, None, {}, values
        )
    now = _explained(engine, version, client, at, risk.at_risk)
    then = _week_ago(engine, version, client, at)
    changed = _changes(now.pushes, then.pushes) if then else {}
    return ClientExplanation(
        client, at, version.id, note, now.score, tier_of(now.score).code, now.probability,
        coverage, now.explanation, then.score if then else None, changed, values,
    )  # fmt: skip


def _ranked_at(workspace: Workspace, engine: Engine, version: ModelVersion) -> datetime:
    from keepwell.learn.run import RANKED_AT, plan

    if RANKED_AT in version.facts:
        return datetime.fromisoformat(version.facts[RANKED_AT])
    return plan(workspace, engine).rank_at


@dataclass(frozen=True)
class _Explained:
    """One client at one instant; `pushes`: reason code -> log-odds, of all codes."""

    explanation: Explanation
    pushes: dict[str, float]
    score: float
    probability: float


def _explained(
    engine: Engine, version: ModelVersion, client: str, at: datetime, clients: list[str]
) -> _Explained:
    data = unlabelled(engine, at, version.definition, clients=clients, extra=rfm_inputs)
    X = data.X[[clients.index(client)]]
    parts = version.trained.contributions(X, data.names)
    found = explain(parts, X, data.names, [client], typical=medians(data.X))
    pushes: dict[str, float] = {}
    for code, push in zip(codes_of(parts.names), parts.values[0], strict=True):
        pushes[str(code)] = pushes.get(str(code), 0.0) + float(push)
    z = version.trained.log_odds(X, data.names)
    return _Explained(found[0], pushes, float(version.trained.score(z)[0]), float(sigmoid(z)[0]))


def _week_ago(
    engine: Engine, version: ModelVersion, client: str, at: datetime
) -> _Explained | None:
    before = at - timedelta(days=7)
    at_risk = risk_set(engine, before).at_risk
    if client not in at_risk:
        return None
    return _explained(engine, version, client, before, at_risk)


def _changes(now: dict[str, float], then: dict[str, float]) -> dict[str, float]:
    moves = {code: now[code] - then[code] for code in now}
    return dict(sorted(moves.items(), key=lambda item: (-abs(item[1]), item[0])))
