# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest
import vectorfile
from hypothesis import settings

# The same examples in every run; --hypothesis-profile=default looks for new ones.
settings.register_profile("picosuit", derandomize=True, database=None, deadline=None)
settings.load_profile("picosuit")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """COUNTS=FILE: how many records of each vector file were run."""
    file = os.environ.get("COUNTS")
    if file:
        lines = (f"{path} {count}\n" for path, count in vectorfile.counts().items())
        Path(file).write_text("".join(lines))
