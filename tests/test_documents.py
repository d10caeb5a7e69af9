"""What the documents claim of the code, where a test can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path

from chromapress.config import DatasetConfig

ROOT = Path(__file__).parents[1]


def documented_defaults() -> dict[str, str]:
    """{key: default} of the README's configuration table."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return dict(rows)


def test_the_readme_lists_every_key_with_its_default() -> None:
    values = DatasetConfig().model_dump(mode="json")
    expected = {}
    for key, value in values.items():
        if isinstance(value, dict):
            expected |= {f"{key}.{inner}": json.dumps(one) for inner, one in value.items()}
        else:
            expected[key] = json.dumps(value)
    assert documented_defaults() == expected


def test_every_link_within_the_project_leads_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []
