# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest
import vectorfile


def pytest_sessionfinish(session: pytest.Session) -> None:
    """COUNTS=FILE: how many records of each vector file were run."""
    file = os.environ.get("COUNTS")
    if file:
        lines = (f"{path} {count}\n" for path, count in vectorfile.counts().items())
        Path(file).write_text("".join(lines))
