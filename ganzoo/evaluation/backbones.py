"""Any backbone of timm's as an extractor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError, UnknownNameError, UsageError, first_line
from ganzoo.evaluation.efficientnet_lite0 import MODEL, PACKAGE, load_packaged
from ganzoo.evaluation.extractors import WITHOUT_NETWORK, Extractor, digest, resize_to, resized
from ganzoo.network import hub_or_its_cache
from ganzoo.packages import install_package

BACKBONES = "timm:"
"""What their names begin with."""


class TimmExtractor(Extractor):
    """A backbone of timm's, on pictures resized and normalised as it had them in training; its pooled features.

    Weights are downloaded once, as safetensors; those of ``tf_efficientnet_lite0`` may come from a package instead, without
    a network.

    Args:
        backbone: Its name in timm.

    Raises:
        UnknownNameError: timm does not have it.
        DataError: Its weights cannot be had.
    """

    at_once = 4

    def __init__(self, backbone: str) -> None:
        super().__init__()
        import timm
        from timm.data import resolve_data_config

        self.name = f"{BACKBONES}{backbone}"
        if not timm.is_model(backbone):
            raise UnknownNameError("timm model", backbone, timm.list_models())
        try:
            self.network: nn.Module = timm.create_model(backbone, num_classes=0)
        except RuntimeError as error:
            raise UsageError(
                f"timm makes no {backbone!r}: {first_line(error)}", hint="timm.list_pretrained() lists their names"
            ) from error
        if backbone != MODEL or not load_packaged(self.network):
            with hub_or_its_cache() as why:
                try:
                    self.network = timm.create_model(backbone, pretrained=True, num_classes=0)
                except (OSError, RuntimeError) as error:
                    package = f"; {install_package(PACKAGE)} has them without a network" if backbone == MODEL else ""
                    raise DataError(
                        f"the weights of {self.name} cannot be had: {why or first_line(error)}",
                        hint=f"{WITHOUT_NETWORK}{package}",
                    ) from error
        config = resolve_data_config({}, model=self.network)
        self.size: tuple[int, int] = tuple(config["input_size"][1:])
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(1, 3, 1, 1), persistent=False)
        self.resize = resize_to(self.size)
        self.sha256 = digest(self.network)
        self.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)

    def features(self, pictures: Tensor) -> Tensor:
        pictures = resized(pictures, self.size)
        features: Tensor = self.network(((pictures + 1) / 2 - self.get_buffer("mean")) / self.get_buffer("std"))
        return features.flatten(1)
