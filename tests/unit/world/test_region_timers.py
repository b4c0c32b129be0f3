"""What a Region's timers say when the supervisor is gone: one line, for the nursery is about to end the Region too."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from outlast.cloud.world.channel import Channel, ChannelClosed
from outlast.cloud.world.faultwire import RemoteBoard
from outlast.cloud.world.region import RegionProcess
from tests.unit.world.test_home import config_at


@pytest.mark.parametrize(("error", "whole"), [(ChannelClosed("the other end is gone"), False), (KeyError("x"), True)])
async def test_a_timer_that_finds_no_supervisor_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, whole: bool
) -> None:
    region = RegionProcess(config_at(tmp_path), cast(Any, None), "us-east-1", None)
    tried = asyncio.Event()

    async def timer(_: Any) -> None:
        tried.set()
        raise error

    with caplog.at_level(logging.WARNING):
        task = asyncio.ensure_future(region._keep_running(timer, None))
        await tried.wait()
        while not caplog.records:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [bool(record.exc_info) for record in caplog.records] == [whole]
    assert "us-east-1: the timer" in caplog.text


async def test_a_board_whose_supervisor_is_gone_says_so() -> None:
    async def nobody(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(ChannelClosed):
        await RemoteBoard(Channel(nobody)).list()
