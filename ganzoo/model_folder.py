"""The model folder, without its tensors: which files it has, and what its ``config.json`` says. docs/model-folder.md is the
specification.

Everything in a folder may come from a stranger, so that all of it is validated and bounded before anything is done with it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError

from ganzoo.errors import ModelError, UnfinishedError, UsageError
from ganzoo.files import parse_json, user_path, write_json
from ganzoo.modalities.base import MAX_SIZE, PREVIEW_FORMS, Shape, Size
from ganzoo.packages import NEWER
from ganzoo.variant import NAME, Json, leaves

FORMAT = 1
CONFIG = "config.json"
SCORES = "metrics.json"
CARD = "README.md"
PREVIEWS = tuple(f"samples.{form}" for form in PREVIEW_FORMS)
AGAIN = "copy it or pull it again; if a run here made it, the command that trained it writes it anew"
"""What to do about a model that is damaged."""
MAX_JSON_BYTES = 1 << 20
REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
"""``user/repo``, as the Hub names a model folder that it holds."""
LICENSE = r"^[a-z0-9][a-z0-9.-]{0,49}$"
MAX_NESTED = 64
MAX_INTEGER = MAX_SIZE
MAX_ARGUMENTS = 1 << 12
"""The most values, in lists and all, that a network is built with."""
MAX_VALUES = 1 << 24
"""The most values that a sample has: a picture of 2048 x 2048 in colour has fewer. A generator makes 32 samples at a time."""

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}$")]


class PluginConfig(BaseModel):
    """The installed distribution that something came from."""

    model_config = ConfigDict(frozen=True)
    distribution: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Version


class SeedsConfig(BaseModel):
    """The seeds ``first``, ``first + 1``, … of which there are ``count``."""

    model_config = ConfigDict(frozen=True)
    first: Annotated[int, Field(strict=True, ge=0, lt=1 << 62)] = 0
    count: Annotated[int, Field(strict=True, ge=1, le=10_000)]

    @property
    def seeds(self) -> range:
        return range(self.first, self.first + self.count)


class NetworkConfig(BaseModel):
    """How one network is built: the component's name, the plugin that offers it, every argument; and its file's hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    component: Annotated[str, Field(max_length=200)]
    plugin: PluginConfig
    arguments: dict[str, Json]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class ModalityConfig(BaseModel):
    """What samples are: the modality's name, the plugin that offers it, and its fields.

    Attributes:
        output, judged_by: As the modality has them, for those who do not import it.
    """

    model_config = ConfigDict(frozen=True)
    name: Annotated[str, Field(pattern=rf"^{NAME.pattern}$", max_length=100)]
    plugin: PluginConfig
    fields: dict[str, Json]
    output: Annotated[str, Field(pattern=r"^[a-z]{1,20}\.[a-z0-9]{1,10}$")] = "samples.npz"
    judged_by: Annotated[str, Field(pattern=rf"^({NAME.pattern})?$", max_length=100)] = ""


class LatentConfig(BaseModel):
    """A part of the latents that has a name; see :class:`ganzoo.Latent`."""

    model_config = ConfigDict(frozen=True)
    name: Role
    kind: Literal["normal", "uniform", "categorical"]
    size: Size


class ModelConfig(BaseModel):
    """What ``config.json`` holds.

    Attributes:
        format: Version of the model folder's layout.
        ganzoo: Version of ganzoo that wrote it.
        variant: Name of the variant, without its distribution.
        plugin: Where the variant came from.
        networks: Role -> how it is built, for every role whose weights are in the folder.
        sample_shape, latent_shape: Without the batch axis.
        num_classes: Classes in the data, 0 if it has no labels.
        class_names: Their names, if known.
        value_range: Lowest and highest value of a sample; None if unbounded.
        latents: What the numbers of a latent are, in order; empty if they are standard normal, or its network knows.
        modality: What samples are; None in folders that are older than it, where shape and range say it.
        training: What the run was: preset, data, images seen, seconds, options.
        samples: The seeds that ``samples.png`` shows; None if it shows something else (translations of pictures, say).
        license: Of the weights, as the Hub names licences: ``mit``, ``apache-2.0``. None if nobody has said.
    """

    model_config = ConfigDict(frozen=True)
    format: Annotated[int, Field(strict=True, ge=FORMAT, le=FORMAT)]
    ganzoo: Version
    variant: Annotated[str, Field(pattern=rf"^{NAME.pattern}$", max_length=100)]
    plugin: PluginConfig
    networks: Annotated[dict[Role, NetworkConfig], Field(min_length=1, max_length=20)]
    sample_shape: Shape
    latent_shape: Shape
    num_classes: Annotated[int, Field(strict=True, ge=0, le=1 << 20)] = 0
    class_names: tuple[str, ...] = ()
    value_range: tuple[FiniteFloat, FiniteFloat] | None = None
    latents: Annotated[tuple[LatentConfig, ...], Field(max_length=1000)] = ()
    modality: ModalityConfig | None = None
    training: dict[str, Json] = {}
    samples: SeedsConfig | None = None
    license: Annotated[str, Field(pattern=LICENSE)] | None = None


def weights_file(role: str) -> str:
    """The name of the file that holds a role's weights."""
    return "model.safetensors" if role == "generator" else f"{role}.safetensors"


def find_folder(source: str | Path) -> Path:
    """The model folder that ``source`` means: itself, or ``model/`` inside the folder of a run.

    Raises:
        ModelError: There is none.
    """
    path = user_path(source)
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise ModelError(f"no model folder {str(source)[:200]!r}: {getattr(error, 'strerror', None) or error}") from error
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file() and (folder / weights_file("generator")).is_file():
            return folder
    if not path.is_dir():
        why = "it is a file" if path.exists() else "there is no such folder"
        raise ModelError(f"no model folder {str(source)!r}: {why}", hint="make one: ganzoo train NAME tells where it is")
    if (path / "metrics.jsonl").is_file() or (path / "checkpoints").is_dir():
        raise UnfinishedError(str(source))
    files = (CONFIG, weights_file("generator"))
    lacks = [name for name in files if not (path / name).is_file()]
    # Whoever has neither of them meant another folder.
    hint = (
        AGAIN if len(lacks) < len(files) else "a run's folder, or the folder model in it, is one: ganzoo train NAME makes it"
    )
    raise ModelError(f"{str(source)!r} is not a model folder: it lacks {' and '.join(lacks)}", hint=hint)


def read_config(folder: Path) -> ModelConfig:
    """The validated ``config.json`` of a model folder. Raises ModelError if it is missing, damaged or not understood."""
    path = folder / CONFIG
    try:
        data = read_json(path)
    except ModelError as error:
        raise ModelError(error.message, hint=AGAIN) from error
    if isinstance(data, dict) and data.get("format") != FORMAT and isinstance(data.get("format"), int):
        raise ModelError(f"{path} has format {data['format']}, this ganzoo reads {FORMAT}", hint=NEWER)
    try:
        return make_config(data)
    except ModelError as error:
        raise ModelError(f"{path} is not a model's configuration: {error.message}", hint=AGAIN) from None


def set_license(folder: Path, license_name: str) -> None:
    """Say in a model folder under which licence its weights may be used. Raises UsageError for what is no licence's name."""
    check_license(license_name)
    read_config(folder)
    write_json(folder / CONFIG, {**read_json(folder / CONFIG), "license": license_name})


def check_license(license_name: str) -> None:
    """Raise UsageError for what is no licence's name."""
    if not re.fullmatch(LICENSE, license_name):
        raise UsageError(f"{license_name!r} is not how the Hub names a licence", hint="for example: mit, cc-by-4.0")


def read_scores(folder: Path) -> list[dict[str, dict[str, Json]]]:
    """The scores in a model folder, with their protocols; none if there is no such file, or none that can be understood."""
    try:
        rows = read_json(folder / SCORES)
    except ModelError:
        return []
    rows = rows if isinstance(rows, list) else []
    return [r for r in rows if isinstance(r, dict) and all(isinstance(r.get(k), dict) for k in ("scores", "protocol"))]


def read_json(path: Path) -> Json:
    """A small file of JSON, without the numbers that JSON has not. Raises ModelError."""
    try:
        if not path.is_file():
            # A pipe would be waited for, and a device has no end.
            raise ModelError(f"there is no file {path}")
        with path.open("rb") as file:
            raw = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if len(raw) > MAX_JSON_BYTES:
        raise ModelError(f"{path} is larger than {MAX_JSON_BYTES} bytes, which nothing in a model folder but weights is")
    try:
        value = parse_json(raw, nested=MAX_NESTED, parse_constant=_refuse_number, parse_float=_finite)
        # Half of a surrogate pair, which JSON can escape, is no letter that could be written again.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise ModelError(f"{path} is not JSON as a model folder has it: {error}") from error
    return value


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def as_text(value: Json) -> Json:
    """``value`` with every text in it as UTF-8 has it: the bytes of a file's name that is not become escapes, ``caf\\xe9``."""
    if isinstance(value, str):
        try:
            raw = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            # Halves of surrogate pairs that stand for no byte.
            raw = value.encode("utf-8", "backslashreplace")
        return raw.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {as_text(key): as_text(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_text(inner) for inner in value]
    return value


def make_config(data: Any) -> ModelConfig:
    """``data`` as a model's configuration. Raises ModelError, naming the field that is malformed or out of bounds."""
    try:
        config = ModelConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ModelError(f"{'.'.join(map(str, first['loc']))[:200] or 'it'}: {first['msg'].lower()}") from None
    if math.prod(config.sample_shape) > MAX_VALUES:
        raise ModelError(f"sample_shape: {config.sample_shape} is more than {MAX_VALUES} values")
    if config.value_range is not None and config.value_range[0] >= config.value_range[1]:
        raise ModelError("value_range: its first number is not the lower one")
    for role, network in config.networks.items():
        if role != "generator" and weights_file(role) == weights_file("generator"):
            raise ModelError(f"networks.{role}: its weights would be the generator's file")
        values = list(leaves(network.arguments))
        if len(values) > MAX_ARGUMENTS:
            raise ModelError(f"networks.{role} has more than {MAX_ARGUMENTS} arguments")
        # Constructors are asked to allocate by these.
        if any(_magnitude(value) > MAX_INTEGER for value in values):
            raise ModelError(f"networks.{role} has a number beyond ±{MAX_INTEGER}")
    return config


def _magnitude(value: Json) -> float:
    """Of a number, or of text that would pass for one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    return abs(value) if isinstance(value, (int, float)) else 0
