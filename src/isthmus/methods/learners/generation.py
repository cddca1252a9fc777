"""Generation of images: a generator and a discriminator, DCGAN's or BEGAN's."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from isthmus.data.batches import DomainBatch
from isthmus.functional.adversarial import domain_discrimination, inverted_labels
from isthmus.functional.equilibrium import equilibrium_balance, reconstruction_error
from isthmus.methods.base import Update
from isthmus.methods.learners.base import Learner
from isthmus.nn.gans import BEGAN, DCGAN, Generator
from isthmus.nn.processes import gathered


class DCGANLearner(Learner):
    r"""The discriminator learns to tell images from generated ones, then the generator to pass for real; both matched.

    $$\min_D -\tfrac12 \operatorname{E} \log (1 - D(x)) - \tfrac12 \operatorname{E} \log D(G(z)), \qquad
    \min_G -\operatorname{E} \log (1 - D(G(z)))$$

    D is the probability of being generated. Two updates a batch: the generator's sees the new discriminator. Source:
    Radford et al., "Unsupervised representation learning with deep convolutional generative adversarial networks",
    ICLR 2016, with the generator's loss that Goodfellow et al., NeurIPS 2014, use in practice.
    """

    matched = ("generator", "discriminator")

    def __init__(self, networks: DCGAN) -> None:
        super().__init__()
        self.generator = networks.generator
        self.discriminator = networks.discriminator

    def steps(self, samples: DomainBatch) -> Iterator[Update]:
        images = samples.images
        generated = self.generator(self.generator.noise(len(images)))
        discriminator = domain_discrimination(self.discriminator(images), self.discriminator(generated.detach()))
        yield Update(discriminator, on=("discriminator",), log={"discriminator": discriminator})
        generator = inverted_labels(self.discriminator(generated))
        yield Update(generator, on=("generator",), log={"generator": generator})

    def predictor(self) -> Generator:
        return self.generator


class BEGANLearner(Learner):
    r"""The discriminator is an auto-encoder, which is matched; the generator, which is not, is to reconstruct well.

    $$\mathcal L_D = \mathcal L(x) - k \mathcal L(G(z)), \qquad \mathcal L_G = \mathcal L(G(z)), \qquad
    \mathcal L(v) = \lvert v - D(v) \rvert_1$$

    One simultaneous update a batch, after which k is moved so that $\mathcal L(G(z))$ stays at $\gamma \mathcal L(x)$.
    Source: Berthelot et al., "BEGAN: boundary equilibrium generative adversarial networks", 2017, section 3.4.
    """

    matched = ("discriminator",)

    def __init__(self, networks: BEGAN) -> None:
        super().__init__()
        self.generator = networks.generator
        self.discriminator = networks.discriminator

    def steps(self, samples: DomainBatch) -> Iterator[Update]:
        images = samples.images
        generated = self.generator(self.generator.noise(len(images)))
        real = reconstruction_error(images, self.discriminator(images))
        fake = reconstruction_error(generated, self.discriminator(generated))
        balance = self.discriminator.balance.clone()
        discriminator = real - balance * fake
        log = {"discriminator": real, "generator": fake}
        yield Update(discriminator, on=("discriminator",), log=log) & Update(fake, on=("generator",))
        errors = gathered(torch.stack([real, fake]).detach()[None]).mean(dim=0)  # one k for all processes
        self.discriminator.balance.copy_(equilibrium_balance(balance, *errors))

    def predictor(self) -> Generator:
        return self.generator
