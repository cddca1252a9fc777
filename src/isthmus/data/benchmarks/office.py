"""Office-31, Office-Home and Office-Caltech10: photographs of office objects, a folder of images per class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from isthmus.data.benchmarks.places import matching_folder, put_there
from isthmus.data.problems import Problem
from isthmus.data.readers.folders import folder_problem
from isthmus.data.recipes import Recipe


@dataclass(frozen=True)
class ObjectBenchmark:
    """A benchmark of several domains, each a folder of class folders.

    Attributes:
        name: of its problems, and of its folder under the data root.
        domains: by the name that a problem calls them, the names that their folders may have.
        source: where to get it.
    """

    name: str
    domains: dict[str, tuple[str, ...]]
    source: str

    def problem(self, variant: str, data_root: Path) -> Problem:
        """`source-target`. All images of both domains train, the target's without labels, which are the exam."""
        source, target = (self._folder(domain, data_root) for domain in variant.split("-"))
        problem = folder_problem(source, target, name=f"{self.name}:{variant}", backbone="resnet50", image_size=224)
        domains = tuple(replace(domain, name=name) for domain, name in zip(problem.domains, variant.split("-")))
        exams = tuple(replace(exam, name=domains[1].name) for exam in problem.exams)
        return replace(problem, domains=domains, exams=exams, recipe=Recipe())

    def _folder(self, domain: str, data_root: Path) -> Path:
        root = matching_folder(data_root, self.name) or data_root / self.name
        folder = matching_folder(root, *self.domains[domain])
        if folder is None:
            official = self.domains[domain][0]
            layout = f"`{self.name}/{official}/CLASS/IMAGE.jpg` (or `{official}/images/CLASS/IMAGE.jpg`)"
            raise put_there(f"the domain `{domain}` of `{self.name}`", root / official, layout, self.source)
        return folder / "images" if (folder / "images").is_dir() else folder


OFFICE31 = ObjectBenchmark(
    "office31",
    {"amazon": ("amazon",), "dslr": ("dslr",), "webcam": ("webcam",)},
    "its authors (https://faculty.cc.gatech.edu/~judy/domainadapt/)",
)
OFFICE_HOME = ObjectBenchmark(
    "office-home",
    {"art": ("Art",), "clipart": ("Clipart",), "product": ("Product",), "real_world": ("Real World",)},
    "its authors (https://www.hemanthdv.org/officeHomeDataset.html)",
)
OFFICE_CALTECH10 = ObjectBenchmark(
    "office-caltech10",
    {"amazon": ("amazon",), "caltech": ("caltech", "caltech10"), "dslr": ("dslr",), "webcam": ("webcam",)},
    "its authors (Gong et al., CVPR 2012)",
)


def office31(variant: str, data_root: Path) -> Problem:
    """31 classes in 4110 images."""
    return OFFICE31.problem(variant, data_root)


def office_home(variant: str, data_root: Path) -> Problem:
    """65 classes in about 15500 images."""
    return OFFICE_HOME.problem(variant, data_root)


def office_caltech10(variant: str, data_root: Path) -> Problem:
    """The ten classes that Office-31 and Caltech-256 share, in 2533 images."""
    return OFFICE_CALTECH10.problem(variant, data_root)
