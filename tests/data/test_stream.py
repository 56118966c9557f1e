import io
import itertools
import json
import shutil
import tarfile
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganzoo
from ganzoo.data import stream as streams
from ganzoo.data.readers import open_reader
from ganzoo.data.stream import Stream
from ganzoo.errors import DataError, UsageError
from ganzoo.modalities.array import Array
from ganzoo.modalities.pictures import Pictures

SHARDS = (5, 7, 4, 6, 8, 3)
SAMPLES = sum(SHARDS)


@pytest.fixture
def stream(monkeypatch):
    """Pictures of one pixel, whose value is their number; two shards in a window."""
    monkeypatch.setattr(streams, "WINDOW_BYTES", 2 * max(SHARDS))
    begins = np.cumsum((0, *SHARDS))
    numbers = torch.arange(SAMPLES)

    def read(shard):
        mine = numbers[begins[shard] : begins[shard + 1]]
        return mine.to(torch.uint8).view(-1, 1, 1, 1), mine % 3

    return Stream("s", tuple((f"{i}.tar", n) for i, n in enumerate(SHARDS)), read, Pictures(sample_shape=(1, 1, 1)), 3)


def numbers(samples):
    return samples.add(1).mul(127.5).round().flatten().int().tolist()


def test_every_epoch_shows_every_sample_once_and_in_another_order(stream):
    shown = numbers(stream.feed(0).batch(0, 4 * SAMPLES)[0])
    epochs = [shown[i * SAMPLES : (i + 1) * SAMPLES] for i in range(4)]
    assert all(sorted(epoch) == list(range(SAMPLES)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert shown != numbers(stream.feed(1).batch(0, 4 * SAMPLES)[0])


def test_a_run_goes_on_at_any_picture(stream):
    whole, labels = stream.feed(0).batch(0, 5 * SAMPLES)
    for start in (0, 1, 17, SAMPLES, 3 * SAMPLES + 5):
        samples, classes = stream.feed(0).batch(start, 40)
        assert numbers(samples) == numbers(whole)[start : start + 40]
        assert torch.equal(classes, labels[start : start + 40])
    feed = stream.feed(0)
    steps = [numbers(feed.batch(start, 4)[0]) for start in range(0, 100, 4)]
    assert list(itertools.chain(*steps)) == numbers(whole)[:100]
    assert numbers(feed.batch(8, 4)[0]) == steps[2], "and going back is no trouble"


def test_processes_have_shards_of_their_own(stream):
    epoch = [numbers(stream.feed(0, rank, 3).batch(0, 3 * 4)[0]) for rank in range(3)]
    assert [len(part) for part in epoch] == [4, 4, 4]
    assert len(set(itertools.chain(*epoch))) == 12
    with pytest.raises(DataError, match="6 shards for 7 processes"):
        stream.feed(0, 0, 7)


def test_what_can_no_longer_be_read_is_made_up_for(stream):
    whole = stream.read
    broken = Stream(
        "s",
        stream.shards,
        lambda n: tuple(x[:1] for x in whole(n)) if n == 4 else whole(n),
        Pictures(sample_shape=(1, 1, 1)),
        3,
    )
    with pytest.warns(UserWarning, match=r"7 samples of the shard 4\.tar"):
        shown = numbers(broken.feed(0).batch(0, SAMPLES)[0])
    assert len(shown) == SAMPLES
    assert set(shown) == set(range(SAMPLES)) - set(range(23, 30))
    empty = Stream("s", stream.shards, lambda n: tuple(x[:0] for x in whole(n)), Pictures(sample_shape=(1, 1, 1)), 3)
    with pytest.raises(DataError, match="can be read any more"):
        empty.feed(0).batch(0, 4)


def test_pictures_are_in_range_and_described(stream):
    samples, labels = stream.feed(0).batch(0, 8)
    assert samples.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert -1 <= samples.min() <= samples.max() <= 1
    assert json.loads(json.dumps(stream.describe()))["window"] == 2


def test_a_stream_of_numbers_counts_their_bytes_and_says_their_type(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", 4 * 5 * 3 * 2)
    rows = torch.arange(60, dtype=torch.float32).view(4, 5, 3)
    told = ("s", tuple((f"{i}", 5) for i in range(4)), lambda shard: (rows[shard], None), Array(sample_shape=(3,)))
    numbers = Stream(*told, dtype=torch.float32)
    assert (numbers.window, numbers.describe()["dtype"]) == (2, "float32")
    shown, _ = numbers.feed(0).batch(0, 20)
    assert sorted(shown.flatten().tolist()) == list(range(60))
    with pytest.raises(DataError, match=r"s: the shard \d holds torch\.float32, and its samples should be torch\.uint8"):
        Stream(*told).feed(0).batch(0, 20)


@pytest.fixture
def tars(tmp_path):
    """Webdataset's form: pictures and classes side by side in tar files."""
    pytest.importorskip("webdataset", reason="needs the package webdataset")
    folder = tmp_path / "shapes"
    folder.mkdir()
    value = 0
    for number, count in enumerate(SHARDS):
        with tarfile.open(folder / f"shapes-{number:04}.tar", "w") as shard:
            for i in range(count):
                picture = io.BytesIO()
                Image.fromarray(np.full((8, 8), value, np.uint8)).save(picture, "PNG")
                for name, content in ((f"{i:04}.png", picture.getvalue()), (f"{i:04}.cls", str(value % 3).encode())):
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    shard.addfile(info, io.BytesIO(content))
                value += 1
    return f"wds/shapes?root={folder}&split=shapes-{{0000..{len(SHARDS) - 1:04}}}.tar"


def test_tars_in_memory_and_streamed_hold_the_same(tars):
    store, stream = open_reader(tars), open_reader(f"{tars}&stream=true&classes=3")
    assert isinstance(stream, Stream)
    assert not isinstance(store, Stream)
    assert [count for _, count in stream.shards] == list(SHARDS)
    assert stream.sample_shape == store.sample_shape == (1, 8, 8)
    samples, labels = stream.feed(0).batch(0, SAMPLES)
    shown = {n: int(label) for n, label in zip(numbers(samples[:, :, 0, 0]), labels, strict=True)}
    assert shown == {int(p[0, 0, 0]): int(label) for p, label in zip(store.samples, store.labels, strict=True)}


def test_more_than_the_memory_streams_by_itself(tars, monkeypatch):
    monkeypatch.setattr("ganzoo.data.memory.budget", lambda: 100.0)
    assert isinstance(open_reader(tars), Stream)
    with pytest.raises(DataError, match="fill the memory"):
        open_reader(f"{tars}&stream=false")


def test_labels_beyond_the_classes_are_said(tars):
    with pytest.raises(DataError, match="labels from 0 to 2 for 2 classes"):
        open_reader(f"{tars}&stream=true&classes=2").feed(0).batch(0, 4)


def test_an_empty_shard_is_passed_over_and_a_damaged_one_named(tars, tmp_path):
    folder = Path(urllib.parse.parse_qs(tars.partition("?")[2])["root"][0])
    copy = shutil.copytree(folder, tmp_path / "tars")
    spec = f"{tars.replace(str(folder), str(copy))}&stream=true&classes=3"
    with tarfile.open(copy / "shapes-0001.tar", "w"):
        pass
    stream = open_reader(spec)
    assert sorted(numbers(stream.feed(0).batch(0, len(stream))[0][:, :, 0, 0])) == sorted(
        set(range(SAMPLES)) - set(range(SHARDS[0], SHARDS[0] + SHARDS[1]))
    )
    content = (copy / "shapes-0002.tar").read_bytes()
    (copy / "shapes-0002.tar").write_bytes(content[: len(content) // 2 - 100])
    with pytest.raises(DataError, match=r"shapes-0002\.tar is damaged.*split="):
        open_reader(spec)


@pytest.fixture
def copied(tars, tmp_path):
    """The same in a folder to do damage in, and the folder."""
    folder = Path(urllib.parse.parse_qs(tars.partition("?")[2])["root"][0])
    copy = shutil.copytree(folder, tmp_path / "tars")
    return tars.replace(str(folder), str(copy)), copy


@pytest.mark.parametrize("more", ["", "&stream=true&classes=3", "&stream=false"])
def test_a_tar_that_is_cut_in_a_header_is_named(copied, more):
    spec, folder = copied
    path = folder / "shapes-0003.tar"
    with tarfile.open(path) as shard:
        cut = shard.getmembers()[7].offset + 100
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"shapes-0003\.tar is damaged: it ends in the middle of a header"):
        open_reader(spec + more)


def test_a_tar_without_its_last_blocks_is_whole(copied):
    spec, folder = copied
    path = folder / "shapes-0003.tar"
    with tarfile.open(path) as shard:
        last = shard.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset_data + 512])
    assert len(open_reader(spec)) == SAMPLES


def test_samples_that_timm_passes_over_are_counted(copied):
    spec, folder = copied
    with tarfile.open(folder / "shapes-0000.tar", "w") as shard:
        for name in ("0.png", "1.png"):
            shard.addfile(tarfile.TarInfo(name), io.BytesIO())
    store = open_reader(spec)
    assert len(store) == SAMPLES - SHARDS[0]
    assert "left out: 2 samples that timm passes over, as damaged or incomplete" in store.understood()


def test_thousands_of_bad_pictures_in_a_tar_do_not_print_a_line_each(copied, caplog):
    spec, folder = copied
    with tarfile.open(folder / "shapes-0000.tar", "w") as shard:
        for name in (f"{i}.{ending}" for i in range(50) for ending in ("png", "cls")):
            info = tarfile.TarInfo(name)
            info.size = 1
            shard.addfile(info, io.BytesIO(b"0"))
    store = open_reader(spec)
    assert "left out: 50 samples that timm passes over" in store.understood()
    assert not caplog.records


def test_a_stream_says_what_it_is_too(tars):
    said = open_reader(f"{tars}&stream=true&classes=3").understood()
    assert (
        said
        == f"shapes-shapes-0000-0005-tar: {SAMPLES} pictures in 6 shards, the first of 8x8, as they are, in grey; 3 classes"
    )


def test_classes_are_a_number(tars):
    with pytest.raises(UsageError, match="classes=many"):
        open_reader(f"{tars}&stream=true&classes=many")


def test_only_what_streams_may_be_asked_to(tmp_path):
    with pytest.raises(UsageError, match="torch/ does not stream"):
        open_reader(f"torch/fashion_mnist?stream=true&split=test&root={fashion(tmp_path)}")
    with pytest.raises(UsageError, match="true or false"):
        open_reader(f"torch/fashion_mnist?stream=maybe&split=test&root={tmp_path}")


def fashion(folder):
    """Where torchvision finds its files."""
    import gzip

    from ganzoo.data import fashion_mnist

    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for kind in ("images-idx3", "labels-idx1"):
        content = gzip.decompress((fashion_mnist._SHIPPED / f"t10k-{kind}-ubyte.gz").read_bytes())
        for part in ("t10k", "train"):
            (raw / f"{part}-{kind}-ubyte").write_bytes(content)
    return folder


def test_hugging_faces_shards(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs the package datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    (tmp_path / "set" / "data").mkdir(parents=True)
    value = 0
    for number, count in enumerate(SHARDS):
        rows = [
            {"image": Image.fromarray(np.full((8, 8), value + i, np.uint8)), "label": (value + i) % 3} for i in range(count)
        ]
        shard = datasets.Dataset.from_list(rows, features=features)
        shard.to_parquet(tmp_path / "set" / "data" / f"train-{number:05}-of-{len(SHARDS):05}.parquet")
        value += count
    card = f"""---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names: {{'0': a, '1': b, '2': c}}
  splits:
  - name: train
    num_examples: {SAMPLES}
    num_bytes: 1
---
"""
    (tmp_path / "set" / "README.md").write_text(card)
    stream = open_reader(f"hfids/{tmp_path}/set?root={tmp_path}/cache&stream=true")
    assert [count for _, count in stream.shards] == list(SHARDS)
    assert stream.class_names == ("a", "b", "c")
    samples, labels = stream.feed(0).batch(0, SAMPLES)
    shown = numbers(samples[:, :, 0, 0])
    assert sorted(shown) == list(range(SAMPLES))
    assert labels.tolist() == [n % 3 for n in shown]


def test_a_run_on_a_stream_stops_and_goes_on_bit_by_bit(tars, tmp_path):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}

    def train(folder, images):
        return ganzoo.train("mlp", data=f"{tars}&stream=true", options=options, images=images, device="cpu", out=folder)

    train(tmp_path / "cut", 40)
    train(tmp_path / "cut", 160)
    whole = train(tmp_path / "whole", 160)
    a, b = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert whole.images == 160
