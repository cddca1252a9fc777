"""Completion of images: an auto-encoder that is shown images with a hole."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import mse_loss

from isthmus.data.batches import DomainBatch, Incomplete
from isthmus.errors import SettingError
from isthmus.methods.base import Update
from isthmus.methods.learners.base import Learner
from isthmus.nn.autoencoder import AutoEncoder


class CompletionLearner(Learner):
    r"""An auto-encoder G, matched as a whole, that gives whole images for images with a hole.

    $$\operatorname{mean} \lVert G(\tilde I) - I \rVert^2$$

    over all values of the image, inside the hole and outside.
    """

    matched = ("autoencoder",)

    def __init__(self, autoencoder: AutoEncoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def steps(self, samples: DomainBatch) -> Iterator[Update]:
        if not isinstance(samples, Incomplete):
            raise SettingError(
                "Expected images with a hole in every domain, but one has none. Give it the task `Completion`."
            )
        task = mse_loss(self.autoencoder(samples.images), samples.whole)
        yield Update(task, on=("autoencoder",), log={"task": task})

    def predictor(self) -> AutoEncoder:
        return self.autoencoder
