"""Problems of one's own: from arrays, and put together by hand."""

import numpy as np
import torch

import isthmus
from isthmus.data.inputs import ImageInput
from isthmus.data.samples import ArraySamples

# Arrays: two classes of vectors; the target is moved. The exam is held out from both.
random = np.random.default_rng(0)
y_source, y_exam = random.integers(2, size=400), random.integers(2, size=200)
X_source = random.normal(size=(400, 8)) + 2 * y_source[:, None]
X_target = random.normal(size=(400, 8)) + 2 * random.integers(2, size=400)[:, None] + 1
X_exam = random.normal(size=(200, 8)) + 2 * y_exam[:, None] + 1
vectors = isthmus.array_problem(X_source, y_source, X_target, exam=(X_exam, y_exam), name="moved")

# By hand: stored images are uint8 (samples, channels, height, width), and say how a network sees them.
task = isthmus.Classification(("dark", "bright"))
labels = torch.arange(64) % 2
pictures = (labels[:, None, None, None] * 100 + torch.randint(80, (64, 1, 28, 28))).to(torch.uint8)
images = isthmus.Problem(
    name="brightness",
    domains=(
        isthmus.Domain("lamp", ArraySamples(pictures), isthmus.Labels(task, labels)),
        isthmus.Domain("sun", ArraySamples(pictures // 2 + 60)),  # no labels: an unlabelled target
    ),
    input=ImageInput.plain(channels=1, size=28),
    backbone="digits",
    recipe=isthmus.Recipe(epochs=2, batch_size=16),
    exams=(),  # nobody knows the target's labels: only label-free scores are reported
)

if __name__ == "__main__":
    for problem in (vectors, images):
        comparison = isthmus.compare(
            ["source_only", "dann"], problem, recipe=isthmus.Recipe(epochs=2, batch_size=16), overwrite=True
        )
        print(problem.name, comparison.report, comparison.results["summary"][0]["last"])
