"""The coverage pages tell what the code declares."""

from __future__ import annotations

import pytest

from tests import service_pages


@pytest.mark.parametrize("name", service_pages.PAGES)
def test_a_page_is_what_its_operations_declare(name: str) -> None:
    written = (service_pages.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == service_pages.page(name), "stale: run `make pages`"


def test_a_page_names_what_is_refused() -> None:
    text = service_pages.page("dynamodb")
    assert "`DescribeContributorInsights`" in text.split("Refused: ")[1]
    row = next(line for line in text.splitlines() if line.startswith("| `CreateTable` "))
    supported, refused = row.split(" | ")[1:3]
    assert "`KeySchema`" in supported
    assert "`VectorIndexes`" in refused
