"""timm's streaming readers, a shard at a time."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.data.stream import Shard
from ganzoo.errors import DataError

PREFIXES = ("wds", "hfids")


class Shards:
    """The shards behind a dataset that timm made of ``wds/…`` or ``hfids/…``.

    Args:
        dataset: timm's, read in order and not shared out to processes.
        prefix: One of :data:`PREFIXES`.
        picture: The key under which a sample has its picture.
    """

    def __init__(self, dataset: Any, prefix: str, picture: str) -> None:
        self._dataset = dataset
        self._reader = dataset.reader
        self._prefix = prefix
        self._picture = picture
        self._listed: tuple[Shard, ...] | None = None
        if prefix == "wds":
            self._files: Sequence[str] = tuple(self._reader.split_info.filenames)
            self._lengths = tuple(self._reader.split_info.shard_lengths)
            self._whole = self._reader.split_info
        else:
            if self._reader.ds is None:
                self._reader._lazy_init()
            self._whole = self._reader.ds
            self._files = [str(number) for number in range(self._whole.num_shards)]

    def list(self) -> tuple[Shard, ...]:
        """Their names and sizes; without decoding a picture, but not without opening every shard that does not say.

        Raises:
            DataError: A shard that is damaged or cut short.
        """
        if self._listed is None:
            self._listed = tuple((name, self._count(number)) for number, name in enumerate(self._files))
        return self._listed

    def samples(self, number: int) -> Iterator[Sequence[Any]]:
        """Every sample of a shard, as timm gives it: a picture and a target."""
        if self._prefix == "wds":
            self._reader.split_info = replace(self._whole, filenames=(self._files[number],), num_samples=0, shard_lengths=())
            self._reader.ds = None
        else:
            self._reader.ds = self._whole.shard(num_shards=len(self._files), index=number)
        try:
            yield from self._dataset
        except (tarfile.TarError, EOFError, zlib.error):
            # Cut short, or not a tar at all: what came before it is all that there is.
            return

    def rejoin(self) -> None:
        """Let the dataset read all of them in a row again."""
        if self._prefix == "wds":
            self._reader.split_info, self._reader.ds = self._whole, None
        else:
            self._reader.ds = self._whole

    def _count(self, number: int) -> int:
        if self._prefix == "hfids":
            shard = self._whole.shard(num_shards=len(self._files), index=number)
            return sum(
                1 for _ in shard.select_columns([c for c in shard.column_names if c != self._picture] or [self._picture])
            )
        if len(self._lengths) == len(self._files):
            return int(self._lengths[number])
        endings = tuple(f".{ending}" for ending in self._picture.split(";"))
        path = Path(self._reader.root) / self._files[number]
        try:
            with tarfile.open(path) as shard:
                count = sum(member.isfile() and member.name.lower().endswith(endings) for member in shard)
                _require_end(shard)
                return count
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise DataError(f"the shard {path} is damaged: {error}", hint="get it again, or leave it out of split=") from error


def _require_end(shard: tarfile.TarFile) -> None:
    """Raise ReadError if a tar that was read to its end is cut in a header, which tarfile itself takes for the end."""
    file: Any = shard.fileobj
    file.seek(shard.offset)
    rest = file.read(tarfile.BLOCKSIZE)
    # After its last file a tar has blocks of zeros; some programs leave these out, and then it has nothing.
    if rest.strip(b"\0") and len(rest) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it ends in the middle of a header")
