"""What may go wrong on a cluster, and when indicators are written for others."""

MESSAGES: dict[str, str] = {
    "export.folder-taken": (
        "{folder} holds something that 'keepwell compute' did not write; give a new folder."
    ),
    "spark.instant-inside": (
        "{instant} lies within a day; on Spark indicators are computed at the midnight that begins "
        "a day. Give a date, or use --engine local."
    ),
    "spark.job-failed": "A job on Spark failed: {why}",
    "spark.library-missing": (
        "Spark's library for Python is not installed: pip install 'keepwell[spark]', on the "
        "machine that runs keepwell and on the workers."
    ),
    "spark.master-unreachable": "Spark's master {master!r} cannot be used: {why}",
    "spark.option-alone": "--{option} says something to Spark only; add --engine spark.",
    "spark.workers-missing": (
        "{master} gave no executor within two minutes. Are its workers up, and has one of them a "
        "free core and the memory that spark.executor.memory asks for?"
    ),
}
