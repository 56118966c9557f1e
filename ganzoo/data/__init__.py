"""Where samples come from: ``open_data`` turns what ``--data`` names into one store in memory.

Nothing here imports torch before data is opened, so that ``ganzoo train --help`` can show :data:`FORMS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ganzoo.data.spec import Options, exists, parse, require_known
from ganzoo.errors import DataError, GanzooError, PluginError, UnknownNameError, UsageError
from ganzoo.files import user_path
from ganzoo.registry import REFERENCE, Registry

if TYPE_CHECKING:
    from ganzoo.data.dataset import Dataset
    from ganzoo.data.given import Given

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (samples read, samples in all) as reading goes on, from the thread that asked for the data."""

MAX_RESOLUTION = 2048

FORMS = """\
--data takes any of:

  fashion-mnist-10k        a registered dataset; all of them: ganzoo list --kind datasets. Some take options as in a link,
                           'drums?rate=16000', which ganzoo info drums lists
  ./photos                 a folder of pictures of any sizes and modes, sub-folders too; if the pictures lie in two or
                           more sub-folders, these are the classes, except those of StyleGAN's tools, whose labels are
                           in a dataset.json; of sub-folders called train, val and test, train is taken
  photos.zip               the same, in a zip, which is not unpacked
  t10k-images-idx3-ubyte   IDX as MNIST uses it, .gz or not; labels are taken from the *-labels-idx1-ubyte beside it
  samples.npz              NPZ: arr_0, images, samples, x, data, train_images, x_train or the only array, and the labels
                           of that name: labels, y, target, arr_1, train_labels, y_train; names of classes: class_names
  samples.npy              NPY. Arrays (N, H, W), (N, H, W, 1|3|4) and (N, 1|3|4, H, W) are pictures if their values can
                           be nothing else: bytes, masks, uint16, and with four dimensions whole numbers up to 65535 and
                           decimal ones from 0 to 1 or -1 to 1. All other numbers are samples as they stand
  torch/cifar10            a dataset that timm reads: torch/, hfds/, hfids/, wds/, tfds/. Options follow as in a link:
                           'torch/cifar10?split=test', 'torch/image_folder?root=/data/faces',
                           'hfds/user/name?split=validation&input_key=img&target_key=fine_label'
                           wds/ and hfids/ stream if they are larger than the memory, or with '&stream=true'; wds/
                           takes a class (.cls, a number) beside each picture

Files and folders take options in the same way:
  'a.npz?images=KEY&labels=KEY'    which arrays are meant; labels=none leaves labels out, of a folder too
  'a.npy?range=0,1'                these numbers are pictures, of which 0 is black and 1 is white; for pictures of more
                                   than 8 bits in a folder too, whose white is else the least of 255, 1023, 4095, 16383
                                   and 65535 that none is above
  './photos?split=val'             the sub-folder val, or all; labels=folders: leave out what is in no class folder

A run begins with a line that says what the data was understood to be, and what was left out.

Pictures are cut to their central square. --resolution sets its side; without it pictures keep their size if all are
square, alike and at most 256 wide (arrays keep theirs always), and become 64 wide if not.

A name that is both a dataset and a file is the dataset; ./name is the file.
"""

_READER = re.compile(r"(torch|hfds|hfids|wds|tfds)/.", re.IGNORECASE)
_IDX = re.compile(r"(ubyte|\.idx\d?)(\.gz)?$")
_FORMS_HINT = "--data takes a dataset's name, a folder, a .zip, .npy, .npz or IDX file, or a timm name such as torch/cifar10"


def open_data(
    spec: str | Given, *, registry: Registry, resolution: int | None = None, progress: Progress | None = None
) -> Dataset:
    """The samples that ``spec`` names, in one of the :data:`FORMS`, read once and for all.

    Args:
        spec: What the user typed after ``--data``; or what a program has in memory.
        registry: Where datasets are registered. A registered dataset is a function that returns a
            :class:`~ganzoo.data.dataset.Dataset`. Of ``resolution`` and ``progress`` it is given what it takes; its other
            parameters are options.
        resolution: Side of the square pictures, in [1, 2048]; None: see FORMS.
        progress: Told how far reading is.

    Raises:
        UsageError: A name that is nothing, or a resolution that the data cannot have.
        DataError: The data is missing, unreadable, too large for the memory, or fewer than two samples.
        PluginError: A registered dataset fails, or returns something else.
    """
    if resolution is not None and (type(resolution) is not int or not 1 <= resolution <= MAX_RESOLUTION):
        raise UsageError(f"resolution must be a whole number from 1 to {MAX_RESOLUTION}, got {resolution!r}")
    if not isinstance(spec, str):
        return spec.open(resolution, progress)
    if not spec.strip():
        raise UsageError("--data is empty", hint=_FORMS_HINT)
    name, options = parse(spec)
    path = user_path(name)
    if _is_dataset(registry, name) or (REFERENCE.fullmatch(name) and not exists(path)):
        return _call(registry, name, options, resolution, progress)
    if exists(path):
        return _open_path(path, resolution, progress, options)
    if _READER.match(name):
        from ganzoo.data.readers import open_reader

        return open_reader(spec, resolution=resolution, progress=progress)
    if "/" in name or "\\" in name or path.suffix:
        raise DataError(f"no such file or folder: {name}", hint=_FORMS_HINT)
    raise UnknownNameError("dataset", name, registry.names("dataset"), hint=_FORMS_HINT)


def names_reader(spec: str) -> bool:
    """Whether ``spec`` is the name of a dataset of timm's, such as ``torch/cifar10``."""
    return _READER.match(spec) is not None


def _is_dataset(registry: Registry, spec: str) -> bool:
    try:
        registry.get("dataset", spec)
    except UnknownNameError:
        return False
    return True


def _call(registry: Registry, name: str, options: Options, resolution: int | None, progress: Progress | None) -> Dataset:
    from ganzoo.data.dataset import Dataset
    from ganzoo.options import as_named_now, options_of, parameters_of
    from ganzoo.parsing import parse_value

    component = registry.resolve("dataset", name)
    given = {
        key: value for key, value in (("resolution", resolution), ("progress", progress)) if key in parameters_of(component)
    }
    if resolution is not None and "resolution" not in given:
        raise UsageError(f"the dataset {name} has no resolution to choose", hint="leave --resolution out")
    known = {key: option for key, option in options_of(component).items() if key not in ("resolution", "progress")}
    options = as_named_now(component, options)
    require_known(
        options, tuple(known), f"the dataset {name}", [f"{o.name}: {o.summary}" for o in known.values() if o.summary]
    )
    checked = {key: known[key].check(parse_value(text), f"{name}?{key}") for key, text in options.items()}
    if needed := [key for key, option in known.items() if option.required and key not in checked]:
        raise UsageError(
            f"the dataset {name} needs the option {needed[0]}", hint=f"for example: --data '{name}?{needed[0]}=VALUE'"
        )
    try:
        data = component(**given, **checked)
    except (GanzooError, OSError):
        raise
    except Exception as error:
        raise PluginError(
            f"dataset {name!r} failed: {type(error).__name__}: {error}", hint="GANZOO_DEBUG=1 shows where"
        ) from error
    if not isinstance(data, Dataset):
        raise PluginError(f"dataset {name!r} returned {type(data).__name__}, not a ganzoo.Store or another ganzoo.Dataset")
    return data


def _open_path(path: Path, resolution: int | None, progress: Progress | None, options: Options) -> Dataset:
    suffix = path.suffix.lower()
    if not path.is_dir() and not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder", hint=_FORMS_HINT)
    if path.is_file() and not path.stat().st_size:
        raise DataError(f"{path} is an empty file")
    if path.is_dir() or suffix == ".zip":
        from ganzoo.data.pictures import open_folder, open_zip

        opener = open_folder if path.is_dir() else open_zip
        return opener(path, resolution=resolution, progress=progress, options=options)
    if suffix in (".npy", ".npz") or _IDX.search(path.name):
        from ganzoo.data.arrays import open_idx, open_npy, open_npz

        read = {".npy": open_npy, ".npz": open_npz}.get(suffix, open_idx)
        return read(path, resolution=resolution, progress=progress, options=options)
    from ganzoo.data.listing import advice

    raise DataError(f"{path} is no kind of data that ganzoo reads", hint=advice(path) or _FORMS_HINT)
