"""Imported by the fork server alone, and last: what each of its children would do anew."""

from __future__ import annotations

import atexit
import gc

from sqlalchemy.orm import configure_mappers

from keepwell import rooms

rooms.load_all()
rooms.routers()
configure_mappers()
gc.collect()
gc.freeze()  # a child that looks at them would copy all their pages
atexit.register(gc.unfreeze)  # or compiled libraries take it for lost
