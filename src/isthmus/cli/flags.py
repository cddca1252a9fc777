"""Flags that several commands take, what they may be, and the problem that they describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.parsing import Changes
from isthmus.data.recipes import Recipe
from isthmus.errors import OptionError, SettingError
from isthmus.names import OnBadImage

if TYPE_CHECKING:
    from isthmus.data.inputs import Input
    from isthmus.data.problems import Problem
    from isthmus.data.tasks import Setting

DEFAULT_PROBLEM = "digits-photo"
LOADING = "Loading PyTorch …"


@dataclass(frozen=True)
class Folders:
    """Your own images.

    Attributes:
        source: folder with a folder of images for each class.
        target: folder of images of the other domain; class folders of the source's names are used for measuring only,
            those of other names are classes to learn.
        exam: folder with a folder of images for each class, held out for measuring on the target.
        domains: instead of these, two or more folders, each with a folder of images for each of its own classes: a
            joint problem, for which a quarter of each class is held out for measuring.
        image_size: side of the network's input in pixels; by default chosen from the images. Also with a problem file.
        on_bad_image: what to do about an image that cannot be read.
    """

    source: Path | None = None
    target: Path | None = None
    exam: Path | None = None
    domains: tuple[Path, ...] = ()
    image_size: int | None = None
    on_bad_image: OnBadImage = "fail"

    def given(self) -> bool:
        """Whether the problem is to be made of folders."""
        return self != Folders()

    def beside_a_file(self) -> bool:
        """Whether they say nothing but how to read the images of a problem file."""
        return replace(self, image_size=None) == Folders()

    def setting(self) -> Setting:
        """The setting of their problem, by the names of the class folders; no image is read."""
        from isthmus.data.readers.folder_classes import folder_setting
        from isthmus.data.tasks import Setting

        return Setting.JOINT if self._joint() else folder_setting(*self._domains())

    def reason(self, setting: Setting) -> str:
        """What makes their problem one of this setting."""
        if self._joint():
            return "`--domains` makes a joint problem."
        own = setting.value == "inductive"
        classes = "class folders of other names than the source's" if own else "the source's class folders, or none"
        return f"`{self.target}` has {classes}."

    def name(self) -> str:
        """What their problem is called; no image is read."""
        from isthmus.data.readers.folder_images import folder_names
        from isthmus.data.readers.folders import folder_problem_name

        if self._joint():
            return "-".join(folder_names(self.domains))
        return folder_problem_name(*self._domains(), self.exam)

    def problem(self, backbone: str | None) -> Problem:
        """The problem of these folders."""
        from isthmus.data.readers.folders import folder_problem
        from isthmus.data.readers.joint_folders import joint_folder_problem

        reading: dict[str, Any] = {
            "backbone": backbone,
            "image_size": self.image_size,
            "on_bad_image": self.on_bad_image,
        }
        if self._joint():
            return joint_folder_problem(self.domains, **reading)
        return folder_problem(*self._domains(), self.exam, **reading)

    def _joint(self) -> bool:
        """Whether the domains have labels each."""
        others = [name for name in ("source", "target", "exam") if getattr(self, name) is not None]
        if self.domains and others:
            raise OptionError(
                f"Expected `--domains` alone, or `--source`, `--target` and `--exam`, but got `--domains` and "
                f"{', '.join(f'`--{name}`' for name in others)}."
            )
        return bool(self.domains)

    def _domains(self) -> tuple[Path, Path]:
        if self.source is None or self.target is None:
            missing = "--source" if self.source is None else "--target"
            raise OptionError(
                f"Expected both `--source DIR` and `--target DIR`, as for all problems of your own images, "
                f"but `{missing}` is missing."
            )
        return self.source, self.target


@dataclass(frozen=True)
class Training:
    """Training and its output.

    Attributes:
        out: output folder; by default one below isthmus-out, named after the problem.
        backbone: `digits`, `svhn`, `signs`, `mlp`, `alexnet` or any timm model, with labels of pixels of its features
            (`pyramid`), for images to be made an `autoencoder`, `dcgan` or `began`; the problem's own by default.
        backbones: of a joint problem, instead of that, one for each domain, in order: layers of the same name and shape
            can be shared.
        select_by: label-free score that picks the `selected` epoch: `information_maximisation` (the
            default) or `entropy`; in the assisted setting `main_on_source`, for images to be made `on_training`.
        ten_crop: measure by the mean prediction of ten crops of an image, corners and centre and their mirror images,
            instead of its centre's.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        resume: continue what was killed, exactly.
        overwrite: replace what isthmus wrote into the output folder.
        json: print the content of results.json.
    """

    out: Path | None = None
    backbone: str | None = None
    backbones: tuple[str, ...] = ()
    select_by: str | None = None
    ten_crop: bool = False
    data_root: Path | None = None
    resume: bool = False
    overwrite: bool = False
    json: bool = False

    def arguments(self) -> dict[str, Any]:
        """What `isthmus.compare` and `isthmus.fit` take of this."""
        return {
            name: getattr(self, name) for name in ("out", "backbone", "backbones", "select_by", "resume", "overwrite")
        }


def chosen_problem(
    name: str | None,
    folders: Folders,
    training: Training,
    recipe: Changes[Recipe],
    methods: Sequence[str],
    output: Callable[[str], Path],
) -> Problem:
    """The problem that the flags describe, with the recipe that they change.

    What can be told without data is told before any is read.

    Args:
        name: of a built-in problem or a problem file.
        folders: images instead.
        training: what training commands take.
        recipe: changes of the problem's recipe.
        methods: that are to be trained.
        output: the output folder by the problem's name.
    """
    from isthmus.data.benchmarks import is_problem_file, load_problem, name_of, setting_of
    from isthmus.experiments.folders import check_folder
    from isthmus.experiments.run import check_setting, sizing_backbone
    from isthmus.methods.registry import check_options
    from isthmus.nn.backbones import check_backbone
    from isthmus.selection.scores import score_for

    def check(name: str, setting: str) -> None:
        for method in methods:
            check_options(method)
        recipe.over(Recipe())
        check_folder(output(name), resume=training.resume, overwrite=training.overwrite)
        if setting == "assisted":
            score_for("pixels", training.select_by)
        elif folders.domains or setting != "joint":  # built-in joint problems may be of images to be made
            score_for("classes", training.select_by)
            for backbone in filter(None, (training.backbone, *training.backbones)):
                check_backbone(backbone)

    backbone = sizing_backbone(training.backbone, training.backbones)
    if folders.given() and not (name and is_problem_file(name) and folders.beside_a_file()):
        if name is not None:
            raise OptionError(
                f"Expected a problem's name or flags for images of your own, but got both (`{name}`). "
                f"`--source`, `--target`, `--exam`, `--domains`, `--image-size` and `--on-bad-image` are for your own "
                f"images; of these, a problem file takes `--image-size`, and one of class folders says `on_bad_image` "
                f"itself."
            )
        setting = folders.setting()
        try:
            check_setting(methods, setting)
        except SettingError as error:
            raise SettingError(f"{error} {folders.reason(setting)}") from None
        check(folders.name(), setting)
        problem = folders.problem(backbone)
    else:
        name = name or DEFAULT_PROBLEM
        setting = setting_of(name)
        check_setting(methods, setting)
        check(name_of(name), setting)
        problem = load_problem(name, training.data_root, image_size=folders.image_size, backbone=backbone)
    if training.ten_crop:
        problem = replace(problem, input=_with_ten_crops(problem.input))
    return replace(problem, recipe=recipe.over(problem.recipe))


def check_file(name: str, path: Path) -> None:
    """Refuse a path where no file can be written.

    Args:
        name: of the flag or argument.
        path: that was given.

    Raises:
        OptionError: something else is there, or its folder does not exist.
    """
    if not path.is_file() and (path.exists() or not path.parent.is_dir()):
        there = "a folder is there" if path.is_dir() else "what is there is no file"
        found = there if path.exists() else "its folder does not exist"
        raise OptionError(f"Expected `{name}` to be the path of a file to write, but got `{path}`: {found}.")


def _with_ten_crops(input: Input) -> Input:
    from isthmus.data.inputs import ImageInput

    if not isinstance(input, ImageInput):
        raise OptionError("`--ten-crop` is for images, but the problem's samples are feature vectors. Leave it out.")
    return replace(input, ten_crop=True)
