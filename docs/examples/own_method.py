"""A method of one's own: the means of both domains' features are drawn together."""

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

import isthmus
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.nn.backbones import Backbone
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered


@isthmus.register("mean_matching", summary="equal mean features in both domains")
class MeanMatching(isthmus.SingleBackbone[UnsupervisedBatch]):
    setting = Setting.UNSUPERVISED

    def __init__(self, backbone: Backbone, num_classes: int, *, trade_off: float = 1.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)
        self.trade_off = trade_off

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[isthmus.Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        task = cross_entropy(self.head(features_s), batch.source.labels)
        gap = (gathered(features_s).mean(dim=0) - gathered(features_t).mean(dim=0)).square().mean()
        yield isthmus.Update(
            task + self.trade_off * gap,
            on=("backbone", "head"),
            log={"task": task, "gap": gap},
            source=features_s,
            target=features_t,
        )


if __name__ == "__main__":
    from dataclasses import replace

    problem = isthmus.load_problem("digits-photo")
    short = replace(problem.recipe, epochs=2, steps_per_epoch=10)
    comparison = isthmus.compare(["source_only", "mean_matching:trade_off=0.5"], problem, recipe=short, overwrite=True)
    for row in comparison.results["summary"]:
        print(row["method"], row["last"]["mean"])
