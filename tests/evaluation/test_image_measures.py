"""Images that are looked at in part are a draw of all, in whatever order they are stored."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_problems import IMAGE_PROBLEMS

from isthmus.data.problems import Exam
from isthmus.data.samples import ArraySamples
from isthmus.evaluation import images
from isthmus.nn.gans import DCGAN


def test_generated_images_are_compared_with_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored by brightness, the first 500 of 2000 images would be the dark ones."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 60, (4000, 1, 16, 16), generator=random)
    stored = (noise + torch.randint(0, 190, (4000, 1, 1, 1), generator=random)).byte()
    real, made = stored[:2000], stored[2000:2500]
    by_brightness = real[real.float().mean(dim=(1, 2, 3)).argsort()]
    problem = IMAGE_PROBLEMS["dcgan"]()

    def found(order: torch.Tensor) -> tuple[float, float]:
        samples = ArraySamples(order)
        both = replace(
            problem,
            domains=tuple(replace(domain, samples=samples) for domain in problem.domains),
            exams=tuple(Exam(domain.name, samples) for domain in problem.domains),
        )
        monkeypatch.setattr(images, "generated", lambda *_, **__: problem.input.evaluate(made))
        metrics, scores = images.measure_images([DCGAN(1, 16, width=2).generator] * len(both.domains), both)
        return metrics["average"], -scores["on_training"]

    dark_half = found(by_brightness[:1000])
    for ours, dark in zip(found(by_brightness), dark_half):
        assert ours < 0.05 * dark
