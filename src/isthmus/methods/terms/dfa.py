"""DFA: discriminative feature alignment by a Gaussian prior and a tied decoder (Wang et al., 2020)."""

from __future__ import annotations

from typing import Any, Literal, get_args

from torch import Tensor, nn

from isthmus.checks import at_least, one_of
from isthmus.functional.prior import Reduction, decoding_distance, prior_divergence
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.methods.terms.base import Part, Seen, Term
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.tied_decoder import TiedDecoder

Alignment = Literal["prior", "target_prior", "decodings", "latents", "latents_and_images"]
Layout = Literal["flat", "channel"]


class DFA(Term):
    r"""Source features are drawn to a Gaussian prior, and what the target's decode to, to what the prior decodes to.

    $$\alpha L_{kld} + \beta L_{dal}, \qquad L_{kld} = \mathrm{KL}(z_n \,\|\, G(x_s)), \qquad
    L_{dal} = \| D(G(x_t)) - D(z_n) \|_1, \qquad z_n \sim N(0, I)$$

    (17) and (18). The decoder D mirrors G with the same weights, so that both losses train G. A batch has one $z_n$ an
    image, the same in all updates; its sample i is unpooled as target image i was pooled.

    Deviations: as in the authors' code, the divergence is between softmaxes and both losses are means over elements.

    Args:
        method: whose backbone is G.
        alpha: weight of (17).
        beta: weight of (18).
        align: what aligns the domains. `prior` is DFA, the others are rows of table 8: `target_prior` draws the
            target's features to the prior like the source's; `decodings` compares what both domains decode to;
            `latents` draws the target's features to the source's; `latents_and_images` adds both reconstructions.
            Divergences weigh alpha and distances of images beta, so `target_prior` and `latents` have no use for
            beta, `tied` and `affine`, nor `decodings` for alpha, `reduction` and `layout`.
        tied: with False, the decoder has weights of its own (table 8).
        affine: whether the decoder's batch norm learns scale and shift, as in the authors' code for digits; with them
            it can decode everything to zero, where (18) is zero.
        reduction: of the divergence: `element_mean`, as in the code, or `batch_mean`.
        layout: the softmax is over all features of an image (`flat`) or over the channels at each place (`channel`).
    """

    name = "dfa"

    def __init__(
        self,
        method: SingleBackbone[Any],
        *,
        alpha: float = 0.01,
        beta: float = 10.0,
        align: Alignment = "prior",
        tied: bool = True,
        affine: bool = False,
        reduction: Reduction = "element_mean",
        layout: Layout = "flat",
    ) -> None:
        super().__init__()
        at_least(0, alpha=alpha, beta=beta)
        one_of(get_args(Alignment), align=align)
        one_of(get_args(Reduction), reduction=reduction)
        one_of(get_args(Layout), layout=layout)
        self.alpha = alpha
        self.beta = beta
        self.align = align
        self.reduction: Reduction = reduction
        self.width = method.backbone.out_features
        self.channels = _channels(method.backbone) if layout == "channel" else self.width
        self.traced = align in ("prior", "decodings", "latents_and_images")
        self.learns = self.traced and (affine or not tied)
        if self.traced:
            self.decoder = TiedDecoder(method.backbone, tied=tied, affine=affine)

    def parts(self) -> tuple[Part, ...]:
        source, target, both = ("source",), ("target",), ("source", "target")
        encoder = ("backbone",)
        autoencoder = (*encoder, self.name) if self.learns else encoder
        kld = Part("kld", source, self._source_to_prior, self.alpha, encoder)
        latents = Part("latents", both, self._target_to_source, self.alpha, encoder)
        images = Part("reconstruction", both, self._reconstruction, self.beta, autoencoder)
        rows = {
            "prior": (kld, Part("dal", target, self._decoded_to_prior, self.beta, autoencoder)),
            "target_prior": (kld, Part("target_kld", target, self._target_to_prior, self.alpha, encoder)),
            "decodings": (Part("decodings", both, self._decoded_to_source, self.beta, autoencoder),),
            "latents": (latents,),
            "latents_and_images": (latents, images),
        }
        return rows[self.align]

    def _source_to_prior(self, seen: Seen) -> Tensor:
        return self._divergence(seen.features["source"], self._prior(seen))

    def _target_to_prior(self, seen: Seen) -> Tensor:
        return self._divergence(seen.features["target"], self._prior(seen))

    def _target_to_source(self, seen: Seen) -> Tensor:
        return self._divergence(seen.features["target"], seen.features["source"])

    def _decoded_to_prior(self, seen: Seen) -> Tensor:
        features = seen.features["target"]
        trace = seen.passes.of(features)
        return decoding_distance(self.decoder(features, trace), self.decoder(self._prior(seen), trace))

    def _decoded_to_source(self, seen: Seen) -> Tensor:
        return decoding_distance(self._decoded(seen, "target"), self._decoded(seen, "source"))

    def _reconstruction(self, seen: Seen) -> Tensor:
        source = decoding_distance(self._decoded(seen, "source"), seen.batch.source.images)
        return source + decoding_distance(self._decoded(seen, "target"), seen.batch.target.images)

    def _decoded(self, seen: Seen, domain: str) -> Tensor:
        features = seen.features[domain]
        images: Tensor = self.decoder(features, seen.passes.of(features))
        return images

    def _prior(self, seen: Seen) -> Tensor:
        return seen.batch.noise(self.width)

    def _divergence(self, features: Tensor, prior: Tensor) -> Tensor:
        shape = (self.channels, -1)
        return prior_divergence(features.unflatten(1, shape), prior.unflatten(1, shape), reduction=self.reduction)


def _channels(backbone: Backbone) -> int:
    """Channels of the map that the features are, flattened; their number where they are none."""
    layers = [layer for layer in backbone.encoder().modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return layers[-1].out_channels if isinstance(layers[-1], nn.Conv2d) else layers[-1].out_features
