import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data.classes import lay_out
from ganzoo.data.pictures import open_folder, open_zip
from ganzoo.errors import UsageError


def picture():
    content = io.BytesIO()
    Image.new("L", (4, 4)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def zipped(tmp_path):
    """A zip with a small picture under each of some names, and other files."""

    def write(names, **files):
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for name in names:
                archive.writestr(name, picture())
            for name, content in files.items():
                archive.writestr(f"{name}.json", content)
        return tmp_path / "set.zip"

    return write


STYLEGAN = [f"{number // 1000:05}/img{number:08}.png" for number in (0, 1, 1500, 2999)]


def test_a_stylegan_zip_has_the_classes_of_its_label_file_and_not_its_buckets(zipped):
    labels = json.dumps({"labels": [[name, number % 2] for number, name in enumerate(STYLEGAN)]})
    store = open_zip(zipped(STYLEGAN, dataset=labels))
    assert store.labels.tolist() == [0, 1, 0, 1]
    assert store.class_names == ()
    assert "2 classes (by dataset.json)" in store.understood()
    assert store.reading.skipped == 0


@pytest.mark.parametrize("around", ["", "shapes/"])
def test_a_label_file_counts_from_the_folder_that_it_is_in(tmp_path, paint, around):
    for name in STYLEGAN[:2]:
        paint(around + name, size=(4, 4))
    (tmp_path / around / "dataset.json").write_text(json.dumps({"labels": [[name, [0, 1]] for name in STYLEGAN[:2]]}))
    assert open_folder(tmp_path).labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"labels": None}), "dataset.json has no labels"),
        (json.dumps({"labels": [[name, 0.5] for name in STYLEGAN]}), "no whole numbers"),
        (json.dumps({"labels": [[name, -1] for name in STYLEGAN]}), "4 of 4 labels are negative"),
        (json.dumps({"labels": [[name, 1] for name in STYLEGAN[2:]]}), "no label for 2 of 4"),
        (json.dumps({"labels": [[STYLEGAN[0], [1, 2]], *([name, 1] for name in STYLEGAN[1:])]}), "of several forms"),
        ("not json", "folders such as 00000 number files by the thousand, and there is no dataset.json; '?labels=folders'"),
        ("[" * 100_000, "folders such as 00000 number files by the thousand, and there is no dataset.json; '?labels=folders'"),
        (
            json.dumps({"labels": 3}),
            "folders such as 00000 number files by the thousand, and there is no dataset.json; '?labels=folders'",
        ),
    ],
)
def test_labels_of_a_label_file_that_are_none_are_dropped_with_a_word(zipped, content, said):
    store = open_zip(zipped(STYLEGAN, dataset=content))
    assert store.labels is None
    assert said in store.understood()


FFHQ = ["00000/00007.png", "01000/01003.png", "69000/69999.png"]
SIGNS = ["00000/00000_00000.png", "00001/00000_00001.png", "00002/00007.png"]


def test_ffhqs_folders_are_no_classes_and_those_of_traffic_signs_are(zipped):
    assert open_zip(zipped(FFHQ)).labels is None
    assert open_zip(zipped(SIGNS)).class_names == ("00000", "00001", "00002")


SPLIT = ["train/cat/0.png", "train/dog/1.png", "train/dog/2.png", "val/cat/3.png", "val/dog/4.png"]


def test_train_and_val_are_no_classes_and_train_is_what_is_trained_on(zipped):
    store = open_zip(zipped(SPLIT))
    assert store.class_names == ("cat", "dog")
    assert store.labels.tolist() == [0, 1, 1]
    assert "2 pictures in val, which '?split=val' or '?split=all' takes" in store.understood()
    assert open_zip(zipped(SPLIT), options={"split": "val"}).labels.tolist() == [0, 1]
    assert open_zip(zipped(SPLIT), options={"split": "all"}).labels.tolist() == [0, 1, 1, 0, 1]
    with pytest.raises(UsageError, match="the folders are train, val"):
        open_zip(zipped(SPLIT), options={"split": "test"})
    with pytest.raises(UsageError, match="no folders called train"):
        open_zip(zipped(SIGNS), options={"split": "train"})


def test_splits_without_classes(zipped):
    store = open_zip(zipped(["train/0.png", "train/1.png", "test/2.png"]))
    assert (len(store), store.labels) == (2, None)


def test_class_folders_beside_a_stray_picture_keep_their_classes(zipped):
    names = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(10)]
    store = open_zip(zipped([*names, "sheet.png"]))
    assert store.class_names == ("cat", "dog")
    assert "left out: 1 picture outside the class folders (sheet.png)" in store.understood()
    some = [*names, *(f"{i}.png" for i in range(9))]
    assert "9 of 29 pictures lie in none of the 2 folders; '?labels=folders'" in open_zip(zipped(some)).understood()
    assert len(open_zip(zipped(some), options={"labels": "folders"})) == 20
    assert open_zip(zipped([*names, "sheet.png"]), options={"labels": "none"}).labels is None


def test_one_stray_picture_never_costs_the_classes(zipped):
    store = open_zip(zipped(["cat/0.png", "dog/1.png", "cover.png"]))
    assert store.class_names == ("cat", "dog")
    assert "left out: 1 picture outside the class folders (cover.png)" in store.understood()
    labels = json.dumps({"labels": [[name, number % 2] for number, name in enumerate(STYLEGAN)]})
    store = open_zip(zipped([*STYLEGAN, "preview.png"], dataset=labels))
    assert store.labels.tolist() == [0, 1, 0, 1]
    assert "left out: 1 picture without a label in dataset.json (preview.png)" in store.understood()
    assert open_zip(zipped([*FFHQ, "preview.png"])).labels is None
    store = open_zip(zipped([*SPLIT, "docs/logo.png"]))
    assert store.class_names == ("cat", "dog")
    assert "1 picture beside these folders (docs/logo.png)" in store.understood()


def test_a_zip_made_on_windows_has_its_classes(zipped):
    assert open_zip(zipped(["data\\cat\\0.png", "data\\dog\\1.png"])).class_names == ("cat", "dog")


def test_classes_that_differ_in_case_alone_are_told(zipped):
    store = open_zip(zipped(["Cat/0.png", "cat/1.png", "dog/2.png"]))
    assert store.class_names == ("Cat", "cat", "dog")
    assert "Cat, cat are classes of their own" in store.understood()


def test_many_classes_make_one_short_line(zipped):
    store = open_zip(zipped([f"{'x' * 200}{i:03}/0.png" for i in range(300)]))
    assert "300 classes: " in store.understood()
    assert len(store.understood()) < 600
    assert "\n" not in store.understood()


def test_a_class_of_which_nothing_can_be_read_is_none(tmp_path, paint):
    for name in ("cat/0.png", "cat/1.png", "dog/2.png"):
        paint(name)
    (tmp_path / "dog" / "2.png").write_bytes(b"")
    store = open_folder(tmp_path)
    assert store.labels is None
    assert "all pictures that can be read are in one of the class folders, cat" in store.understood()


@pytest.mark.parametrize("options", [{"labels": "names"}, {"images": "x"}, {"labels": "folders"}])
def test_options_that_do_not_fit(zipped, options):
    with pytest.raises(UsageError):
        open_zip(zipped(["a/0.png", "a/1.png"]), options=options)


PARTS = st.sampled_from(["train", "val", "00000", "00001", "cat", "Cat", "img00001000.png", "0.png", "..", "\\"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12), st.binary(max_size=60))
def test_any_names_are_all_in_or_left_out_by_count(names, content):
    layout = lay_out(sorted(names), lambda name: content if len(name) % 2 else None, {})
    assert len(layout.names) + sum(one.count for one in layout.left_out) == len(names)
    labels, classes, _ = layout.labels(layout.names)
    assert labels is None or (len(labels) == len(layout.names) and np.unique(labels).tolist() == list(range(len(classes))))
