"""The report of a run: one self-contained page, the risk files, and tables for the terminal."""

from keepwell.learn.report.data import ReportData
from keepwell.learn.report.render import render_report, write_report
from keepwell.learn.report.risk_files import RiskTable, write_risk_csv, write_risk_parquet

__all__ = [
    "ReportData",
    "RiskTable",
    "render_report",
    "write_report",
    "write_risk_csv",
    "write_risk_parquet",
]
