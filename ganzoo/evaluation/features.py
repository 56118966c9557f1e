"""Features of pictures, a few hundred at a time; those of real ones are kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganzoo.data.cache import cache_folder
from ganzoo.data.store import Store
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.pictures import to_grey
from ganzoo.evaluation.stamp import versions
from ganzoo.evaluation.subject import Batches, Progress
from ganzoo.files import replace_file
from ganzoo.modalities.pictures import to_levels, to_unit
from ganzoo.pinned import pinned
from ganzoo.threads import on_fastest_threads
from ganzoo.variant import Json

AT_ONCE = 250
TRIAL = 8
"""On so many pictures it is tried how many threads are fastest."""
CPU = torch.device("cpu")


@pinned()
def features_of(extractor: Extractor, batches: Batches, count: int, progress: Progress | None = None) -> Tensor:
    """Features float32 ``(count, F)`` on the CPU of pictures as they would be written to files: in 256 levels."""
    found = None
    device = device_of(extractor)
    at_once = extractor.at_once if device.type == "cpu" else AT_ONCE
    with contextlib.ExitStack() as threads:
        for start in range(0, count, AT_ONCE):
            stop = min(start + AT_ONCE, count)
            with torch.inference_mode():
                levels = to_levels(batches(start, stop).to(device))
                pictures = to_unit(to_grey(levels) if extractor.grey else levels)
                if start == 0 and count > AT_ONCE:
                    threads.enter_context(on_fastest_threads(partial(extractor.features, pictures[:TRIAL]), device))
                rows = torch.cat([extractor.features(some) for some in torch.split(pictures, at_once)])
            # Not inside: what inference mode makes may not be put into a graph ever after.
            found = torch.empty(count, *rows.shape[1:]) if found is None else found
            found[start:stop] = rows
            if progress:
                progress(stop, count)
    return torch.empty(0) if found is None else found


def features_of_real(extractor: Extractor, store: Store, rows: Tensor, progress: Progress | None = None) -> Tensor:
    """Features of the real samples ``rows``, from the cache if it has them.

    The cache knows them by :func:`computed_by`, the hash of the data, and the rows.
    """
    told = json.dumps(computed_by(extractor) | {"data_sha256": store.describe()["sha256"]}, sort_keys=True)
    path = cache_folder() / "features" / f"{hashlib.sha256(f'{told} {rows.tolist()}'.encode()).hexdigest()}.safetensors"
    with contextlib.suppress(OSError, SafetensorError, KeyError):
        kept = load_file(path)
        if len(kept["features"]) == len(rows) and torch.equal(_digest(kept["features"]), kept["sha256"]):
            return kept["features"]
    features = features_of(extractor, lambda start, stop: store.batch(rows[start:stop])[0], len(rows), progress)
    # A cache that cannot be written to costs time, and nothing else.
    with contextlib.suppress(OSError, SafetensorError), replace_file(path) as beside:
        save_file({"features": features, "sha256": _digest(features)}, beside, metadata={"computed_by": told})
    return features


def computed_by(extractor: Extractor) -> dict[str, Json]:
    """All that features depend on besides the pictures, as plain data: features that differ in any of it are not the same.

    These are whose features they are, the code and the versions that compute them, and on what kind of device and in what
    type. That float32 is not TF32 is seen to by :func:`features_of`.
    """
    code = hashlib.sha256()
    for kind in (kind for kind in type(extractor).__mro__ if issubclass(kind, Extractor)):
        # A class that was typed in has no file.
        with contextlib.suppress(OSError, TypeError):
            code.update(Path(inspect.getfile(kind)).read_bytes())
    return {
        "extractor": extractor.name,
        "extractor_sha256": extractor.sha256,
        "code_sha256": code.hexdigest(),
        "resize": extractor.resize,
        "grey": extractor.grey,
        "device": device_of(extractor).type,
        "types": sorted({str(tensor.dtype) for tensor in extractor.state_dict().values()}),
        "versions": versions(),
    }


def device_of(extractor: Extractor, otherwise: torch.device = CPU) -> torch.device:
    """Where an extractor computes; ``otherwise`` for one without weights."""
    return next((tensor.device for tensor in extractor.state_dict().values()), otherwise)


def _digest(features: Tensor) -> Tensor:
    """Of a disk's flipped bits, none may become a score."""
    return torch.frombuffer(bytearray(hashlib.sha256(features.contiguous().numpy().tobytes()).digest()), dtype=torch.uint8)
