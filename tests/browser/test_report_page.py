"""The report's page in a real browser: it is laid out without overflow, in light and dark, and logs no error."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from outlast.ops.report.build import build
from outlast.ops.report.page import render
from tests.unit.ops.samples import story

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """
<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const seen = {
    overflow: root.scrollWidth - root.clientWidth,
    charts: [...document.querySelectorAll("svg")].filter(each => each.getBoundingClientRect().width > 100).length,
    ink: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
    loads: performance.getEntriesByType("resource").length,
  };
  document.title = "SEEN" + JSON.stringify(seen);
});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with a script of the test's own that says what the browser made of it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    html = render(json.loads(json.dumps(build(story()))))
    path.write_text(html.replace("</head>", f"{PROBE}</head>"))
    return path


def look(page: Path, *switches: str) -> dict[str, object]:
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", *switches]
    command += ["--dump-dom", page.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"<title>SEEN(.*?)</title>", run.stdout)
    assert found, run.stdout[:500]
    seen: dict[str, object] = json.loads(found.group(1))
    return seen


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_shows_every_chart(page: Path, width: int) -> None:
    seen = look(page, f"--window-size={width},900")
    assert seen["overflow"] == 0
    assert seen["charts"] == 6
    assert seen["loads"] == 0


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
@pytest.mark.slow
def test_the_page_follows_the_reader_s_theme(page: Path) -> None:
    light = look(page, "--blink-settings=preferredColorScheme=1")
    dark = look(page, "--blink-settings=preferredColorScheme=0")
    assert light["paper"] != dark["paper"]
    assert light["ink"] != dark["ink"]
