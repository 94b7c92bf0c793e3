"""The peer of the desk's benchmark: a bare sync endpoint with one ORM get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import Session

from keepwell.frame.context import Frame
from keepwell.trust.access.model import Staff


class StaffOut(BaseModel):
    """A member of staff."""

    staff_id: str
    name: str
    role: str


def bare_app(frame: Frame) -> FastAPI:
    """An application with one endpoint: as many threads as the desk, the same engine."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = frame.settings.threads
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/staff/{staff_id}")
    def read_staff(staff_id: str) -> StaffOut:
        with Session(frame.database.engine) as session:
            row = session.get_one(Staff, staff_id)
            return StaffOut(staff_id=row.staff_id, name=row.name, role=row.role)

    return app
