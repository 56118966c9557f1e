"""Where downloaded data stays."""

from __future__ import annotations

import os
from pathlib import Path

from ganzoo.files import user_path


def cache_folder() -> Path:
    """``$GANZOO_CACHE`` if that is set, else the user's cache folder; it need not exist yet."""
    import platformdirs

    chosen = os.environ.get("GANZOO_CACHE")
    return user_path(chosen) if chosen else platformdirs.user_cache_path("ganzoo")
