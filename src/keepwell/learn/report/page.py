"""One language's page: sentences and rows that the template only has to place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from keepwell.learn.report.charts import Chart, DataTable, build
from keepwell.learn.report.data import (
    SMALL_CELL,
    AsOf,
    Interval,
    ReportData,
    TableVersion,
    Tier,
)
from keepwell.learn.report.marks import WARNED
from keepwell.learn.report.speaker import MISSING, Speaker
from keepwell.learn.report.words import METRICS


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure under the headline."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class TierRow:
    """A tier with its range of scores in words."""

    tier: Tier
    range: str

    @property
    def code(self) -> str:
        """The tier's code."""
        return self.tier.code


class Page:
    """What the template places, in one language.

    Args:
        data: the report's values.
        locale: 'en' or 'zh'.
    """

    def __init__(self, data: ReportData, locale: str) -> None:
        self.data = data
        self.say = Speaker(locale, data.currency)

    @property
    def title(self) -> str:
        """The document's title."""
        return self.say.t(
            "{workspace}: clients about to leave, {day}",
            workspace=self.data.workspace,
            day=self.say.day(self.data.as_of.day),
        )

    @cached_property
    def charts(self) -> dict[str, Chart]:
        """Charts by id."""
        return build(self.data, self.say)

    @property
    def segments(self) -> list[Chart]:
        """The charts of churn by segment."""
        return [chart for id, chart in self.charts.items() if id.startswith("segment-")]

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names for the contents."""
        t = self.say.t
        names = [
            ("headline", t("In one sentence")),
            ("tiers", t("Tiers")),
            ("clients", t("Clients to look at first")),
            ("backtest", t("How it would have turned out")),
            ("scores", t("Scores")),
        ]
        if "reasons" in self.charts:
            names.append(("reasons", t("Reasons")))
        if "churn" in self.charts or self.segments:
            names.append(("churn", t("Churn by date and segment")))
        if "managers" in self.charts:
            names.append(("managers", t("Managers' books")))
        return [
            *names,
            ("coverage", t("What could not be seen")),
            ("versions", t("Data and model versions")),
            ("method", t("How to read this")),
        ]

    @property
    def headline(self) -> str:
        """Who, how many, how sure: one sentence."""
        say, data = self.say, self.data
        severe = data.tier("severe")
        fields = {
            "severe": say.n(severe.clients),
            "scored": say.n(data.population.scored),
            "span": say.ahead(data.label),
        }
        if data.backtest is None or severe.realised is None:
            return say.t(
                "{severe} of {scored} clients are in severe danger of leaving within {span}; "
                "how sure this is could not be tested on these data.",
                **fields,
            )
        rate, base = severe.realised, data.backtest.base_rate.value
        fields |= {"rate": say.interval(rate, digits=0), "base": say.pct(base, 0)}
        if (rate.value if rate.low is None else rate.low) <= base:
            return say.t(
                "{severe} of {scored} clients have the highest scores, but the test does not bear "
                "out that they leave more often: {rate} of such clients left, against {base} of "
                "all.",
                **fields,
            )
        return say.t(
            "{severe} of {scored} clients are in severe danger of leaving within {span}: in the "
            "test, {rate} of such clients left, against {base} of all.",
            **fields,
        )

    @property
    def figures(self) -> list[Figure]:
        """Key figures under the headline."""
        say, data = self.say, self.data
        warned = [tier for tier in data.tiers if tier.code in WARNED]
        expected = [tier.expected for tier in data.tiers if tier.expected is not None]
        figures = [
            Figure(
                say.t("Clients scored"),
                say.n(data.population.scored),
                say.t("of {count} known", count=say.n(data.population.clients)),
            ),
            Figure(
                say.t("Clients warned of"),
                say.n(sum(tier.clients for tier in warned)),
                " · ".join(f"{say.n(tier.clients)} {say.tier(tier.code)}" for tier in warned),
            ),
        ]
        if expected:
            figures.append(
                Figure(
                    say.t("Expected leavers"),
                    say.n(sum(expected)),
                    say.t("within {span}, among all scored", span=say.ahead(data.label)),
                )
            )
        assets = [tier.assets for tier in warned if tier.assets is not None]
        if assets:
            figures.append(
                Figure(
                    say.t("Assets of warned clients"),
                    say.money(sum(assets), compact=True),
                    say.t("at the latest known prices"),
                )
            )
        return figures

    @property
    def tiers(self) -> list[TierRow]:
        """Tiers with their half-open score ranges."""
        rows, top = [], 100.0
        for tier in self.data.tiers:
            low, high = self.say.n(tier.cut), self.say.n(top)
            if top == 100.0:
                text = self.say.t("{low} to {high}", low=low, high=high)
            else:
                text = self.say.t("{low} to under {high}", low=low, high=high)
            rows.append(TierRow(tier, text))
            top = tier.cut
        return rows

    @property
    def tiers_lead(self) -> str:
        """What the tiers mean for these data."""
        return self.say.t(
            "A tier is a range of the score. Expected leavers are the sum of the tier's "
            "probabilities of leaving within {span}.",
            span=self.say.ahead(self.data.label),
        )

    @property
    def backtest_lead(self) -> str:
        """How the test was made."""
        say, backtest = self.say, self.data.backtest
        assert backtest is not None
        return say.t(
            "The same method was trained on {trained} and then scored {clients} clients at {when}, "
            "knowing nothing later. By {until}, {left} of them had left: {base}.",
            trained=self._dates(backtest.trained_on),
            clients=say.n(backtest.clients),
            when=say.as_of(backtest.as_of),
            until=say.as_of(backtest.until),
            left=say.n(backtest.left),
            base=say.interval(backtest.base_rate),
        )

    @property
    def metrics(self) -> list[str]:
        """Metric codes to show, in the catalogue's order, then unknown ones."""
        assert self.data.backtest is not None
        present = dict.fromkeys(c for model in self.data.backtest.models for c in model.metrics)
        return [c for c in METRICS if c in present] + [c for c in present if c not in METRICS]

    def split(self, code: str, value: Interval | None) -> tuple[str, str]:
        """A metric's value and, apart, its interval ('' when there is none)."""
        if value is None:
            return MISSING, ""
        say = self.say
        style = METRICS[code].style if code in METRICS else "ratio"
        point = say.value(value.value, style)
        if value.low is None or value.high is None:
            return point, ""
        return point, say.t(
            "{low} to {high}", low=say.value(value.low, style), high=say.value(value.high, style)
        )

    @property
    def differences(self) -> DataTable:
        """Metrics down, baselines across: champion minus baseline."""
        assert self.data.backtest is not None
        found = {(d.metric, d.baseline): d.value for d in self.data.backtest.differences}
        baselines = dict.fromkeys(baseline for _, baseline in found)
        metrics = dict.fromkeys(metric for metric, _ in found)
        rows = tuple(
            (
                self.say.metric_name(metric),
                *(self.say.difference(metric, found.get((metric, b))) for b in baselines),
            )
            for metric in metrics
        )
        names = (self.say.t("against {model}", model=self.say.model(b)) for b in baselines)
        return DataTable((self.say.t("Difference"), *names), rows)

    @property
    def churn_lead(self) -> str:
        """What the observed rates are; for segments also their date and the star."""
        sentences = [self.say.t("What was observed in the past, without any model.")]
        if self.data.dimensions:
            sentences.append(
                self.say.t(
                    "Segments are as of {when}; a star marks fewer than {small} clients.",
                    when=self.say.as_of(self.data.dimensions[0].as_of),
                    small=SMALL_CELL,
                )
            )
        return ("" if self.say.locale == "zh" else " ").join(sentences)

    @property
    def coverage_lead(self) -> str:
        """How much of the catalogue could be computed."""
        seen = self.data.visibility
        return self.say.t(
            "{present} of {all} indicators could be computed; on average a scored client has "
            "{share} of them. What is missing is left out, never taken for zero.",
            present=self.say.n(seen.present),
            all=self.say.n(seen.indicators),
            share=self.say.pct(seen.mean_coverage, 0),
        )

    @property
    def absent(self) -> list[tuple[str, str]]:
        """Absent sources and the indicators they cost."""
        return [
            (self.say.source(s.table), self.say.n(s.indicators))
            for s in self.data.visibility.absent
        ]

    @property
    def unscored(self) -> list[tuple[str, str]]:
        """Clients without a score, by reason."""
        return [
            (self.say.unscored(u.reason), self.say.n(u.clients))
            for u in self.data.population.unscored
        ]

    @property
    def tables(self) -> list[tuple[str, ...]]:
        """The lake's tables as rows."""
        say = self.say
        return [
            (
                say.source(table.table),
                say.n(table.version),
                say.n(table.rows),
                say.day(table.first),
                say.day(table.last),
                self._coverage(table),
            )
            for table in self.data.versions.tables
        ]

    def _coverage(self, table: TableVersion) -> str:
        say = self.say
        return (
            "; ".join(
                say.t("from {start}", start=say.day(start))
                if until is None
                else say.t("{start} until {until}", start=say.day(start), until=say.day(until))
                for start, until in table.coverage
            )
            or MISSING
        )

    @property
    def model_facts(self) -> list[tuple[str, str]]:
        """The model card in rows."""
        say, model = self.say, self.data.model
        facts = [
            (say.t("Model"), f"{say.model(model.kind)} · {model.version}"),
            (say.t("Trained on"), self._dates(model.trained_on)),
            (
                say.t("Training rows"),
                say.t(
                    "{rows}, of which {left} left", rows=say.n(model.rows), left=say.n(model.left)
                ),
            ),
            (say.t("Indicators used"), say.n(model.indicators)),
            (say.t("Training data"), say.t("Lake manifest {number}", number=model.manifest)),
        ]
        if model.parameters:
            written = ", ".join(f"{name} {value}" for name, value in model.parameters.items())
            facts.append((say.t("Parameters"), written))
        return facts

    @property
    def method(self) -> list[str]:
        """What a careful reader must know."""
        say, data = self.say, self.data
        remarks = [
            say.t("What is predicted: {definition}", definition=say.words(data.label.definition)),
            say.t(
                "The score is a fixed reading of the probability, from 0 to 100: 40 stands for "
                "the average risk, and the cuts were set by what the staff can handle. Scores of "
                "one model version can be compared over time."
            ),
            say.t(
                "Reasons are exact contributions to the log-odds behind the score: added up, "
                "they give it. They say what the model saw in this client, not why the client acts."
            ),
        ]
        if data.backtest:
            remarks += [
                say.t(
                    "The test is out of time: the model learned only from dates whose outcome "
                    "was known on the test date, and no event or correction that came later was "
                    "visible to it."
                ),
                say.t(
                    "The model that ranks today has since learned from the test date as well. "
                    "The test speaks for the method on one period; another period can differ by "
                    "more than the intervals say."
                ),
            ]
        remarks += [
            say.t(
                "Intervals are 95%: for the measures from resampling clients, for plain shares "
                "Wilson's. They hold the chance in who the clients are, not in what markets "
                "will do."
            ),
            say.t(
                "A client counts from the moment the data first knew of them; profiles that "
                "appear later are not used to choose who is tested."
            ),
            say.t(
                "A score is an estimate and no decision. It must never delay a client who wants "
                "to sell, withdraw, transfer, close or complain."
            ),
        ]
        return remarks

    def _dates(self, dates: tuple[AsOf, ...]) -> str:
        return self.say.t(", ").join(self.say.day(d.day) for d in dates)
