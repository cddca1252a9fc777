"""Joint problems from folders of images, one folder a domain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from isthmus.data.problems import Problem
from isthmus.data.readers.defaults import default_batch_size
from isthmus.data.readers.folder_classes import check_class_folders, refuse_shared
from isthmus.data.readers.folder_images import read_folders
from isthmus.data.readers.image_files import MEMORY_BUDGET
from isthmus.data.readers.image_folder import scan_folder
from isthmus.data.recipes import Recipe
from isthmus.errors import DataError
from isthmus.names import OnBadImage


def joint_folder_problem(
    domains: Sequence[str | Path],
    *,
    backbone: str | None = None,
    image_size: int | None = None,
    on_bad_image: OnBadImage = "fail",
    name: str | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Problem:
    """A joint problem from two or more folders, each with a folder of images for each of its own classes.

    A quarter of each class is held out of training, the same for every seed, and is its domain's exam; a note says how
    many images that is. A domain smaller than the usual batch makes the batch as small as itself.

    Args:
        domains: the folders.
        backbone: name of the backbone; by the images' size if None, see `readers.defaults.default_input`.
        image_size: pixels that the network sees; by the images' size if None.
        on_bad_image: `fail` names the images that cannot be read, `skip` leaves them out and notes it.
        name: of the problem; the folders' names if None.
        memory_budget: bytes; where all images fit, they stay in memory.

    Raises:
        DataError: a single folder; one that is missing, has fewer than two class folders, a class with fewer than two
            images, or images of another; or images that cannot be read.
        OptionError: an option out of range.
    """
    domains = [domains] if isinstance(domains, (str, Path)) else domains
    if len(domains) < 2:
        given = f"only `{domains[0]}`" if domains else "none"
        raise DataError(f"Expected the folders of at least two domains, but got {given}. Add another.")
    folders = [scan_folder(Path(root)) for root in domains]
    for folder in folders:
        check_class_folders(folder)
    for (one, files), (other, others) in combinations([(folder, folder.files()) for folder in folders], 2):
        refuse_shared(files & others, f"`{other.root}`", f"`{one.root}`")
    images = read_folders(
        folders, backbone=backbone, image_size=image_size, on_bad_image=on_bad_image, memory_budget=memory_budget
    )
    measured, learnt, notes = zip(*(images.parted(place) for place in range(len(folders))))
    batch_size = default_batch_size(*(len(part.labels) for part in learnt))
    return Problem(
        name=name or "-".join(images.names),
        domains=tuple(part.domain(label) for part, label in zip(learnt, images.names)),
        input=images.input,
        backbone=images.backbone,
        recipe=Recipe(batch_size=batch_size, schedule="cosine"),
        exams=tuple(part.exam(label) for part, label in zip(measured, images.names)),
        notes=(*images.notes, *notes),
    )
