"""The network of the published FID."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlsplit

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.evaluation.distances import fidelity
from ganzoo.evaluation.efficientnet_lite0 import MODEL, PACKAGE
from ganzoo.evaluation.extractors import WITHOUT_NETWORK, Extractor, digest
from ganzoo.files import sha256
from ganzoo.modalities.pictures import to_levels
from ganzoo.network import unreachable
from ganzoo.packages import install_package


class InceptionExtractor(Extractor):
    """Inception as the published FID and KID have it (Heusel et al., 2017), from torch-fidelity; 2,048 features.

    Its weights are downloaded once. Of the file only tensors are read.
    """

    name = "inception"
    resize = "bilinear, as in TensorFlow 1, to 299x299"
    at_once = 4

    def __init__(self) -> None:
        super().__init__()
        fidelity()
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

        weights = _tensors(_download(URL_INCEPTION_V3))
        self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=weights)
        self.sha256 = digest(self.network)

    def features(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.network(to_levels(pictures.expand(-1, 3, -1, -1)))[0]
        return found.float()


def _download(url: str) -> Path:
    """The file of the weights, where torch keeps what it downloads. Its name says what its hash begins with."""
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    begins = path.stem.rpartition("-")[2]
    try:
        if not path.is_file():
            if why := unreachable(url):
                raise ConnectionError(f"{urlsplit(url).hostname} cannot be reached: {why}")
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=begins, progress=False)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the weights of the extractor inception cannot be downloaded: {error}",
            hint=f"{WITHOUT_NETWORK}; or after {install_package(PACKAGE)}: --extractor timm:{MODEL}",
        ) from error
    if not sha256(path).startswith(begins):
        raise DataError(f"{path} is damaged", hint="remove it; it is then downloaded anew")
    return path


def _tensors(path: Path) -> BytesIO:
    """The tensors of a file of torch's, written anew: torch-fidelity would run whatever code is in the file."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise DataError(f"{path} holds more than tensors, or is damaged", hint="remove it") from error
    written = BytesIO()
    torch.save(tensors, written)
    written.seek(0)
    return written
