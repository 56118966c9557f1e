"""The network of the published FID."""

from __future__ import annotations

from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.evaluation.extractors import Extractor, digest
from ganzoo.evaluation.measures import fidelity
from ganzoo.sampling import to_levels


class InceptionExtractor(Extractor):
    """Inception as the published FID and KID have it (Heusel et al., 2017), from torch-fidelity; 2,048 features.

    Its weights are downloaded once.
    """

    name = "inception"
    resize = "bilinear, as in TensorFlow 1, to 299x299"
    at_once = 4

    def __init__(self) -> None:
        super().__init__()
        fidelity()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        try:
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
        except OSError as error:
            raise DataError(
                f"the weights of the extractor inception cannot be downloaded: {error}",
                hint="is the network there? Without one: --extractor timm:tf_efficientnet_lite0, or, for 28x28 grey "
                "pictures, --extractor fashion-mnist-cnn",
            ) from error
        self.sha256 = digest(self.network)

    def features(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.network(to_levels(pictures.expand(-1, 3, -1, -1)))[0]
        return found.float()
