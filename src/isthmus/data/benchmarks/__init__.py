"""Built-in problems by name, listed by import path, so that listing them imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.data.benchmarks import places
from isthmus.data.benchmarks.places import data_root as data_root
from isthmus.errors import DataError, OptionError
from isthmus.names import unknown

if TYPE_CHECKING:
    from isthmus.data.problems import Problem
    from isthmus.data.tasks import Setting

LISTING = "`isthmus problems` lists them."


@dataclass(frozen=True)
class ProblemEntry:
    """A built-in problem, or a family of them.

    Attributes:
        setting: of its methods.
        name: what commands and tables call it.
        loader: `module:function` in this package; called with the data root, after the variant where there are some.
        summary: one line for the list.
        source: where it was published.
        variants: what follows the name and a colon (`office31:amazon-webcam`); empty for a single problem.
        placeholder: what stands for a variant in a list.
    """

    setting: str
    name: str
    loader: str
    summary: str
    source: str
    variants: tuple[str, ...] = ()
    placeholder: str = "SOURCE-TARGET"

    @property
    def pattern(self) -> str:
        """The name, with a placeholder for the variant where it needs one: `office31:SOURCE-TARGET`."""
        return f"{self.name}:{self.placeholder}" if self.variants else self.name

    @property
    def choices(self) -> tuple[str, ...]:
        """What a part of the placeholder can be: the domains of a pair, or the variants."""
        return tuple(dict.fromkeys(variant.partition("-")[0] for variant in self.variants))


def entries() -> tuple[ProblemEntry, ...]:
    """All built-in problems."""
    return tuple(_ENTRIES.values())


def load_problem(
    name: str | Path, data_root: Path | None = None, *, image_size: int | None = None, backbone: str | None = None
) -> Problem:
    """A built-in problem, its data read, and downloaded where it has an official address; or that of a problem file.

    Args:
        name: an entry's name, with a variant after a colon where it has variants; or the path of a YAML file, see
            `isthmus.file_problem`.
        data_root: the folder that holds the data of built-in problems; see `data_root`.
        image_size: side of the images of a problem file, in pixels; by default its own.
        backbone: of a problem file, instead of its own; that of a built-in problem stays.

    Raises:
        OptionError: an unknown name or variant, or an image size for a built-in problem.
        DataError: data that is missing or corrupt, with what to put where, or a mistake in a problem file.
    """
    name = str(name)
    if is_problem_file(name):
        from isthmus.data.readers.problem_file import file_problem

        problem = file_problem(name, image_size=image_size, backbone=backbone)
        if problem.name in _ENTRIES:
            raise DataError(f"`{name}`: expected a name of its own, but `{problem.name}` is built in. Add a `name:`.")
        return problem
    if image_size is not None:
        raise OptionError(f"Expected an image size for images of your own only, but got one for `{name}`.")
    entry, variant = _resolve(name)
    module, _, function = entry.loader.partition(":")
    loader: Callable[..., Problem] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    root = places.data_root(data_root)
    return replace(loader(variant, root) if variant else loader(root), built_in=True)


def setting_of(name: str) -> Setting:
    """The setting of a built-in problem or of a problem file, without reading its data.

    Raises:
        OptionError: an unknown name or variant.
        DataError: a mistake in a problem file.
    """
    from isthmus.data.tasks import Setting

    if is_problem_file(name):
        from isthmus.data.readers.problem_file import file_setting

        return file_setting(Path(name))
    return Setting(_resolve(name)[0].setting)


def name_of(name: str) -> str:
    """What the problem of `load_problem` is called, without reading its data: a problem file may say.

    Raises:
        DataError: a mistake in a problem file.
    """
    if not is_problem_file(name):
        return name
    from isthmus.data.readers.problem_file import file_name

    return file_name(Path(name))


def is_problem_file(name: str) -> bool:
    """Whether a problem's name is the path of a problem file.

    >>> is_problem_file("rooms.yaml"), is_problem_file("shapes")
    (True, False)
    """
    return name.lower().endswith((".yaml", ".yml"))


def _resolve(name: str) -> tuple[ProblemEntry, str]:
    base, _, variant = name.partition(":")
    if base not in _ENTRIES:
        raise unknown("problem", base, _ENTRIES, LISTING)
    entry = _ENTRIES[base]
    if not entry.variants and variant:
        raise OptionError(f"Problem `{base}` has no variants, but got `{name}`. Use `{base}`.")
    if entry.variants and not variant:
        raise OptionError(f"Problem `{base}` needs a variant, such as `{base}:{entry.variants[0]}`. {LISTING}")
    if entry.variants and variant not in entry.variants:
        raise unknown(f"variant of `{base}`", variant, entry.variants, f"There are: {', '.join(entry.variants)}.")
    return entry, variant


def _pairs(*domains: str) -> tuple[str, ...]:
    return tuple("-".join(pair) for pair in permutations(domains, 2))


_unsupervised, _inductive, _joint, _assisted = (
    partial(ProblemEntry, setting) for setting in ("unsupervised", "inductive", "joint", "assisted")
)
_MCD = "Saito et al., CVPR 2018"
_GONG = "Gong et al., CVPR 2012"
_OFFICE_CALTECH = _pairs("amazon", "caltech", "dslr", "webcam")

_ENTRIES = {
    entry.name: entry
    for entry in (
        _unsupervised(
            "digits-photo",
            "digits_photo:digits_photo",
            "handwritten digits to digits blended into photographs; needs no download",
            "made of scikit-learn's data, after Ganin et al., JMLR 2016",
        ),
        _unsupervised(
            "mnist-usps", "digits:mnist_usps", "2000 MNIST to 1800 USPS training images, USPS test set", _MCD
        ),
        _unsupervised(
            "usps-mnist", "digits:usps_mnist", "1800 USPS to 2000 MNIST training images, MNIST test set", _MCD
        ),
        _unsupervised("mnist-usps-full", "digits:mnist_usps_full", "all training images, USPS test set", _MCD),
        _unsupervised("usps-mnist-full", "digits:usps_mnist_full", "all training images, MNIST test set", _MCD),
        _unsupervised(
            "mnist-mnist_m",
            "digits:mnist_mnist_m",
            "50000 MNIST images to 10000 MNIST-M images of other digits, MNIST-M test set",
            "Ganin et al., JMLR 2016",
        ),
        _unsupervised("svhn-mnist", "digits:svhn_mnist", "house numbers to MNIST, MNIST test set", _MCD),
        _unsupervised(
            "office31",
            "office:office31",
            "31 office objects, transductive",
            "Saenko et al., ECCV 2010",
            _pairs("amazon", "dslr", "webcam"),
        ),
        _unsupervised(
            "office-home",
            "office:office_home",
            "65 objects of home and office, transductive",
            "Venkateswara et al., CVPR 2017",
            _pairs("art", "clipart", "product", "real_world"),
        ),
        _unsupervised(
            "office-caltech10", "office:office_caltech10", "10 objects, transductive", _GONG, _OFFICE_CALTECH
        ),
        _unsupervised(
            "office-caltech10-googlenet",
            "office_features:googlenet",
            "10 objects as GoogLeNet features, transductive",
            _GONG,
            _OFFICE_CALTECH,
        ),
        _unsupervised(
            "office-caltech10-surf",
            "office_features:surf",
            "10 objects as histograms of SURF words, transductive",
            _GONG,
            _OFFICE_CALTECH,
        ),
        _inductive(
            "digits-others",
            "digits_others:digits_others",
            "six handwritten digits to the four others, 5 labels each; needs no download",
            "made of scikit-learn's data",
        ),
        _inductive(
            "notmnist-mnist",
            "notmnist_mnist:notmnist_mnist",
            "letters A to J to MNIST with so many labels a digit, MNIST test set",
            "Bulatov, 2011; LeCun et al., 1998",
            ("10", "5", "20", "50"),
            "LABELS",
        ),
        _inductive(
            "caltech101",
            "caltech101:caltech101_few",
            "objects to so many other objects, 10 labels each, their other images",
            "Fei-Fei et al., 2004",
            ("22", "10", "50"),
            "CLASSES",
        ),
        _inductive(
            "fgvc-aircraft",
            "aircraft:aircraft",
            "all other aircraft to those of one manufacturer, its test set",
            "Maji et al., 2013; Lu et al., 2017",
            ("boeing", "airbus"),
            "MANUFACTURER",
        ),
        _joint(
            "digits-looks",
            "joint_looks:digits_looks",
            "handwritten digits in four looks, 6 labels each; needs no download",
            "made of scikit-learn's data",
        ),
        _joint(
            "joint-digits",
            "joint_digits:joint_digits",
            "MNIST, USPS, MNIST-M and notMNIST, 25 labels each, test sets",
            "LeCun et al., 1998; Hull, 1994; Ganin et al., JMLR 2016; Bulatov, 2011",
        ),
        _joint(
            "fine-grained",
            "fine_grained:fine_grained",
            "kinds of birds, dogs, flowers, cars and aircraft, test sets",
            "Zhang et al., 2019",
        ),
        _joint(
            "digits-completion",
            "completion:digits_completion",
            "holes in handwritten digits in four looks to fill; needs no download",
            "made of scikit-learn's data",
        ),
        _joint(
            "cifar-completion",
            "completion:cifar_completion",
            "holes in images of eight classes to fill, 500 images each, test sets",
            "Krizhevsky, 2009; after Zhang et al.",
        ),
        _joint(
            "digits-generation",
            "generation:digits_generation",
            "handwritten digits in four looks to generate, 60 images each; needs no download",
            "made of scikit-learn's data",
        ),
        _joint(
            "mnist-generation",
            "generation:mnist_generation",
            "digits to generate from 3000 images, beside up to 10000 letters",
            "LeCun et al., 1998; Bulatov, 2011; after Zhang et al.",
        ),
        _assisted(
            "shapes",
            "shapes:shapes",
            "normals of plain scenes to realistic ones, segmentation in both; needs no download",
            "drawn for isthmus",
        ),
        _assisted(
            "shapes-shifted", "shapes:shapes_shifted", "the same with other poses in the target", "drawn for isthmus"
        ),
    )
}
