"""The spool: acknowledged is stored, once, whatever dies when."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from keepwell.core.errors import DataError
from keepwell.observe import spool as module
from keepwell.observe.spool import Spool

AT = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


def fill(spool, count, source="crm"):
    return [spool.append(source, f"b{i}", {"rows": [i]}, AT).sequence for i in range(count)]


def contents(spool, after=0):
    return [(r.sequence, r.source, r.batch, r.content) for r in spool.records(after)]


def segments(folder):
    return sorted(folder.glob("*.log"))


def test_numbers_are_contiguous_and_survive_reopening(tmp_path):
    assert fill(Spool(tmp_path), 3) == [1, 2, 3]
    again = Spool(tmp_path)
    assert again.append("crm", "b9", {"rows": ["姓名\x00"]}, AT).sequence == 4
    assert contents(again, 3) == [(4, "crm", "b9", {"rows": ["姓名\x00"]})]
    assert again.find("crm", "b1").content == {"rows": [1]}
    assert again.find("crm", "none") is None
    assert again.read(5) is None


def test_a_repeat_has_its_number_and_other_content_conflicts(tmp_path):
    spool = Spool(tmp_path)
    spool.append("crm", "a", {"rows": [1]}, AT)
    for one in (spool, Spool(tmp_path)):
        found = one.append("crm", "a", {"rows": [1]}, AT.replace(year=2027))
        assert (found.sequence, found.repeated, found.at) == (1, True, AT)
        with pytest.raises(DataError) as error:
            one.append("crm", "a", {"rows": [2]}, AT)
        assert error.value.code == "spool.batch-conflict"
        assert one.last == 1
    assert spool.append("erp", "a", {"rows": [2]}, AT).sequence == 2


def test_a_torn_tail_is_cut_off_at_every_byte(tmp_path):
    whole = Spool(tmp_path / "whole")
    fill(whole, 1)
    (segment,) = segments(tmp_path / "whole")
    first = segment.stat().st_size
    whole.append("crm", "b1", {"rows": [1]}, AT)
    data = segment.read_bytes()
    for cut in range(first, len(data)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / segment.name).write_bytes(data[:cut])
        torn = Spool(folder)
        assert torn.last == 1
        assert (folder / segment.name).stat().st_size == first
        assert torn.append("crm", "later", {}, AT).sequence == 2
        assert [r[2] for r in contents(Spool(folder))] == ["b0", "later"]
        shutil.rmtree(folder)


def test_a_flipped_byte_in_the_tail_is_no_record(tmp_path):
    fill(Spool(tmp_path), 2)
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[-3] ^= 1
    segment.write_bytes(data)
    assert Spool(tmp_path).last == 1


def test_damage_found_while_reading_is_said(tmp_path):
    spool = Spool(tmp_path)
    fill(spool, 2)
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    with pytest.raises(DataError) as error:
        spool.read(1)
    assert error.value.code == "spool.record-damaged"


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC])
def test_what_the_disk_refuses_is_never_acknowledged(tmp_path, fault):
    broken = False

    def sync(handle):
        if broken:
            raise OSError(fault, os.strerror(fault))
        os.fsync(handle)

    spool = Spool(tmp_path, sync=sync)
    fill(spool, 2)
    broken = True
    for _ in range(3):
        with pytest.raises(DataError) as error:
            spool.append("crm", "x", {"rows": ["lost"]}, AT)
        assert error.value.code == "spool.disk-failed"
    assert [r.batch for r in Spool(tmp_path).records(0)] == ["b0", "b1"]
    broken = False
    assert spool.append("crm", "y", {}, AT).sequence == 3
    assert spool.append("crm", "x", {"rows": ["kept"]}, AT).repeated is False
    # The segment that failed is not used again.
    assert len(segments(tmp_path)) == 2
    assert [r.batch for r in Spool(tmp_path).records(0)] == ["b0", "b1", "y", "x"]


def test_a_failed_write_whose_bytes_remain_does_not_count(tmp_path, monkeypatch):
    fails = []

    def sync(handle):
        if fails:
            raise OSError(errno.EIO, "I/O error")
        os.fsync(handle)

    spool = Spool(tmp_path, sync=sync)
    fill(spool, 1)
    fails.append(1)
    monkeypatch.setattr(module.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(5, "x")))
    with pytest.raises(DataError):
        spool.append("crm", "lost", {}, AT)
    fails.clear()
    monkeypatch.undo()
    assert spool.append("crm", "next", {}, AT).sequence == 2
    assert [r.batch for r in Spool(tmp_path).records(0)] == ["b0", "next"]


def test_a_short_write_goes_on(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda handle, data: real(handle, bytes(data[:7])))
    fill(Spool(tmp_path), 3)
    monkeypatch.undo()
    assert [r[2] for r in contents(Spool(tmp_path))] == ["b0", "b1", "b2"]


def test_threads_share_a_sync(tmp_path):
    calls = []
    hold = threading.Event()

    def sync(handle):
        calls.append(handle)
        hold.wait(5)
        os.fsync(handle)

    spool = Spool(tmp_path, sync=sync)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(spool.append, "crm", "first", {}, AT)
        while not calls:
            pass
        others = [pool.submit(spool.append, "crm", f"b{i % 4}", {"n": i % 4}, AT) for i in range(8)]
        while len(spool._waiting) < 8:
            pass
        hold.set()
        numbers = sorted(f.result().sequence for f in others)
    assert first.result().sequence == 1
    assert numbers == [2, 2, 3, 3, 4, 4, 5, 5]
    assert len(calls) == 3  # the new segment, the first batch, all the others together


def test_processes_take_turns(tmp_path):
    code = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from keepwell.observe.spool import Spool\n"
        "s = Spool(Path(sys.argv[1]))\n"
        "for i in range(40): s.append(sys.argv[2], f'b{i}', {'i': i}, datetime.now(UTC))\n"
        "s.append('all', 'same', {'i': 0}, datetime.now(UTC))\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, f"s{i}"]) for i in range(3)]
    assert [w.wait(60) for w in workers] == [0, 0, 0]
    found = contents(Spool(tmp_path))
    assert [f[0] for f in found] == list(range(1, 122))
    assert len({f[1:3] for f in found}) == 121


def test_segments_go_when_nobody_needs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 500)
    spool, other = Spool(tmp_path), Spool(tmp_path)
    fill(spool, 12)
    assert other.last == 12
    before = len(segments(tmp_path))
    assert before > 3
    assert spool.release(12) == 0  # nothing is in the lake yet
    spool.set_drained(12)
    assert spool.release(5) >= 1
    assert set(range(6, 13)) <= set(spool.sequences())
    assert spool.release(99) == len(segments(tmp_path)) - 1 or len(segments(tmp_path)) == 1
    assert other.read(1) is None
    assert other.append("crm", "later", {}, AT).sequence == 13
    assert spool.read(13).batch == "later"
    spool.set_drained(3)
    assert spool.drained == 12


def test_a_lost_folder_does_not_give_old_numbers_again(tmp_path):
    assert Spool(tmp_path / "a", floor=lambda: 41).append("crm", "b", {}, AT).sequence == 42
    assert Spool(tmp_path / "a").append("crm", "c", {}, AT).sequence == 43
