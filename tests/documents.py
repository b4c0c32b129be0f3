"""What the documentation tells people to type: the fenced blocks of a page, and the commands in them."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md")))
OPERATORS = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "<"})
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(page: Path, language: str) -> list[str]:
    """The texts of the page's blocks in a language."""
    return [text for name, text in FENCE.findall(page.read_text()) if name == language]


def commands(page: Path) -> list[list[str]]:
    """The words of every `outlast` command in the page's shell blocks; comments are left out."""
    found = []
    for text in blocks(page, "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            inner = re.fullmatch(r'eval "\$\((.*)\)".*', line)
            words = shlex.split(inner.group(1) if inner else line, comments=True)
            if words[:1] == ["outlast"]:
                found.append(list(itertools.takewhile(lambda word: word not in OPERATORS, words[1:])))
    return found
