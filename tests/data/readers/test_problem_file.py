"""Problem files: what they describe is read, and every mistake names the file, the key, what was expected and got."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from label_folders import ROOMS, as_colours, write_rooms
from PIL import Image
from small_problems import names_of

from isthmus.data.benchmarks import load_problem, setting_of
from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Depth, Keypoints, Segmentation, SurfaceNormals
from isthmus.data.readers import problem_file
from isthmus.data.readers.problem_file import RECIPE, file_problem
from isthmus.data.samples import Samples
from isthmus.data.tasks import Setting
from isthmus.errors import DataError, OptionError

PAGE = (Path(__file__).parents[3] / "docs" / "problem_files.md").read_text()
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "target:\n" in block]
FACES = """\
size: 40
tasks:
  keypoints: {points: 3}
source:
  images: faces
  labels:
    keypoints: faces
    depth: {files: depth, scale: 0.01}
  crop_margin: 0.25
target:
  images: others
  labels: {keypoints: others}
  crop_margin: 0.25
"""


def stored(samples: Samples) -> torch.Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator())


def test_the_whole_of_a_file(tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    problem = file_problem(file)
    normals, classes = SurfaceNormals(), Segmentation(("floor", "wall"))
    assert problem.setting is Setting.ASSISTED is setting_of(str(file))
    assert (problem.tasks.main, problem.tasks.anchors) == ((normals,), (classes,))
    assert (problem.name, problem.backbone) == ("rooms", "pyramid:width=8,decoder=8")
    assert (problem.recipe.epochs, problem.recipe.batch_size, problem.recipe.optimizer) == (1, 2, "adam")
    assert problem.input == ImageInput(3, 32, 32, flip=False)
    assert [domain.name for domain in problem.domains] == ["source", "target"]
    assert names_of(problem.exams[0].samples)[0] == str(tmp_path / "real/images/0.png")
    rows, columns = ((np.arange(32) + 0.5) * side // 32 for side in (48, 64))
    for domain, pixels in (("synthetic", problem.source.pixels), ("real", problem.exams[0].pixels)):
        assert pixels is not None
        for number in range(4):
            with Image.open(tmp_path / domain / "classes" / f"{number}.png") as image:
                expected = np.array(image)[rows.astype(int)][:, columns.astype(int)]
            assert np.array_equal(pixels.values[classes][number].numpy(), expected)
    assert problem.oracle is not None
    truth = problem.exams[0].pixels
    torch.testing.assert_close(problem.oracle.values[normals], truth.values[normals], equal_nan=True)
    lengths = truth.values[normals].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    up = truth.values[classes] == 0
    assert truth.values[normals][:, 1][up].mean() < -0.9 < truth.values[normals][:, 1][~up].mean()


def test_what_a_file_leaves_out_has_defaults(tmp_path: Path) -> None:
    text = ROOMS[ROOMS.index("tasks:") : ROOMS.index("exam:")].replace("  oracle: {normals: real/normals}\n", "")
    problem = file_problem(write_rooms(tmp_path, text))
    assert problem.exams == ()
    assert problem.oracle is None
    assert (problem.input.shape, problem.backbone) == ((3, 256, 256), "resnet50")
    assert problem.recipe.batch_size == 4, "no more than the smaller domain has"
    assert problem.recipe.lr == RECIPE.lr
    assert file_problem(tmp_path / "rooms.yaml", image_size=64).backbone == "pyramid"


def test_images_that_also_measure_are_transductive(tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    assert file_problem(file).exams[0].transductive
    start, exam = ROOMS[: ROOMS.index("exam:")], ROOMS[ROOMS.index("exam:") :]
    for kind in ("images", "normals", "classes"):
        shutil.copytree(tmp_path / "real" / kind, tmp_path / "others" / kind)
    file.write_text(start + exam.replace("real", "others"))
    assert not file_problem(file).exams[0].transductive
    for image in (tmp_path / "others" / "images").iterdir():
        image.unlink()
        image.symlink_to(tmp_path / "real" / "images" / image.name)
    assert file_problem(file).exams[0].transductive, "by another name"
    file.write_text(start + exam.replace("real/", "real/../real/"))
    assert file_problem(file).exams[0].transductive


@pytest.mark.parametrize("key", ["target", "exam"])
def test_the_source_may_share_no_image(tmp_path: Path, key: str) -> None:
    file = write_rooms(tmp_path)
    image = tmp_path / "shared" / "images" / "3.png"
    shutil.copytree(tmp_path / "real" / "images", image.parent)
    image.unlink()
    image.symlink_to(tmp_path / "synthetic" / "images" / "3.png")
    before, place = ROOMS.split(f"{key}:\n")
    file.write_text(f"{before}{key}:\n{place.replace('real/images', 'shared/images', 1)}")
    with pytest.raises(
        DataError, match=rf"`{key}\.images`: Expected other images in `{key}` than in `source`, but got 1 "
    ):
        file_problem(file)


def test_an_odd_side_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_file, "read_pictures", lambda *arguments, **options: pytest.fail("data was read"))
    with pytest.raises(DataError, match=r"Problem `rooms`: expected images of an even side, .* but got 33 pixels"):
        file_problem(write_rooms(tmp_path), image_size=33)


def test_a_disk_without_room_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match=r"GiB for images and labels in `.*`, but got: No space left.* `TMPDIR`"):
        file_problem(write_rooms(tmp_path), memory_budget=0)


def test_what_does_not_fit_into_memory_lies_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_rooms(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    taken: list[str] = []
    mapped = torch.from_file
    monkeypatch.setattr(torch, "from_file", lambda name, **options: (taken.append(name), mapped(name, **options))[1])
    fitting = 2 * 4 * 32 * 32 * (3 + 12 + 8) + 4 * 32 * 32 * (3 + 12 + 8)
    kept = file_problem(file, memory_budget=fitting).exams[0]
    assert not taken
    large = file_problem(file, memory_budget=fitting - 1).exams[0]
    assert len(taken) == 9, "images, normals and classes of source, target and exam"
    assert not list((tmp_path / "temporary").iterdir())
    assert torch.equal(stored(kept.samples), stored(large.samples))
    for task, values in kept.pixels.values.items():
        torch.testing.assert_close(large.pixels.values[task], values, equal_nan=True)


def test_faces_are_cut_around_their_points(tmp_path: Path) -> None:
    """Points 20 pixels apart and a quarter of that on each side: a square of 30. Depth shows the column."""
    (tmp_path / "faces").mkdir()
    (tmp_path / "depth").mkdir()
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    columns = np.arange(80, dtype=np.uint16)[None].repeat(60, 0) + 1
    for name, x in (("a", 40), ("b", 6)):
        Image.fromarray(image).save(tmp_path / "faces" / f"{name}.png")
        Image.fromarray(columns).save(tmp_path / "depth" / f"{name}.png")
        points = [(x - 10, 20), (x + 10, 20), (x, 40)]
        lines = "".join(f"{px + 0.5} {py + 0.5}\n" for px, py in points)  # counted from 1 at the middle of a pixel
        (tmp_path / "faces" / f"{name}.pts").write_text(f"version: 1\nn_points: 3\n{{\n{lines}}}\n")
    shutil.copytree(tmp_path / "faces", tmp_path / "others")
    (tmp_path / "faces.yaml").write_text(FACES)
    problem = file_problem(tmp_path / "faces.yaml")
    assert problem.source.pixels is not None
    points, depth = (
        problem.source.pixels.values[task] for task in (Keypoints(("1", "2", "3"), 40, depth=False), Depth())
    )
    # boxes of 30 pixels from (25, 15) and (-9, 15), to 40 pixels
    scale = 40 / 30
    expected = torch.tensor([[5.0, 5.0], [25.0, 5.0], [15.0, 25.0]]) * scale
    torch.testing.assert_close(points, expected.expand(2, 3, 2))
    first = 25 + ((torch.arange(40) + 0.5) / scale).long() + 1
    torch.testing.assert_close(depth[0, 7], first * 0.01)
    beyond = depth[1, 7].isnan()
    assert beyond.tolist() == [int((column + 0.5) / scale) < 9 for column in range(40)]
    expected_image = Image.fromarray(image).crop((25, 15, 55, 45)).resize((40, 40), Image.Resampling.BILINEAR)
    images = problem.source.samples.images  # type: ignore[attr-defined]  # before colours are jittered
    assert torch.equal(stored(images)[0], torch.from_numpy(np.array(expected_image)).permute(2, 0, 1))


def test_images_are_not_cut_around_points_that_are_the_oracles(tmp_path: Path) -> None:
    text = re.sub("normals: [a-z]+/normals", "keypoints: points", ROOMS)
    text = text.replace("tasks:", "tasks:\n  keypoints: {points: 2}")
    file = write_rooms(tmp_path, text.replace("  oracle:", "  crop_margin: 0.25\n  oracle:"))
    (tmp_path / "points").mkdir()
    for number in range(4):
        np.save(tmp_path / "points" / f"{number}.npy", np.array([[10.0, 10.0], [30.0, 30.0]]))
    with pytest.raises(DataError, match=r"`target\.crop_margin` to be a key of a domain with keypoints under `labels`"):
        file_problem(file)
    file.write_text(text + "  crop_margin: 0.25\n")
    problem = file_problem(file)
    (task,) = problem.tasks.main
    scale = torch.tensor([32 / 64, 32 / 48])
    cut, whole = problem.exams[0].pixels.values[task], problem.oracle
    assert whole is not None
    torch.testing.assert_close(whole.values[task], (torch.tensor([[10.0], [30.0]]) * scale).expand(4, 2, 2))
    expected = torch.tensor([[5.0], [25.0]]) * 32 / 30
    torch.testing.assert_close(cut, expected.expand(4, 2, 2))


def test_classes_and_masks_of_one_bit(tmp_path: Path) -> None:
    file = write_rooms(tmp_path, ROOMS.replace("real/classes}", "{files: real/bits, mask: masks}}"))
    known = np.tile(np.arange(64) < 32, (48, 1))
    for kind in ("real/bits", "masks"):
        (tmp_path / kind).mkdir()
    for number in range(4):
        with Image.open(tmp_path / "real" / "classes" / f"{number}.png") as image:
            Image.fromarray(np.array(image) == 1).save(tmp_path / "real" / "bits" / f"{number}.png")
        Image.fromarray(known).save(tmp_path / "masks" / f"{number}.png")
    with Image.open(tmp_path / "real" / "bits" / "0.png") as image:
        assert image.mode == "1"
    found = file_problem(file).exams[0].pixels.values[Segmentation(("floor", "wall"))]
    plain = file_problem(write_rooms(tmp_path)).exams[0].pixels.values[Segmentation(("floor", "wall"))]
    assert set(plain.unique().tolist()) == {0, 1}
    assert torch.equal(found[..., :16], plain[..., :16])
    assert (found[..., 16:] == 255).all()


def test_masks_values_and_axes_are_of_each_domain_or_of_all(tmp_path: Path) -> None:
    file = write_rooms(
        tmp_path,
        ROOMS.replace("{classes: [floor, wall]}", "{classes: [floor, wall], values: {floor: 0, wall: 1}}")
        .replace(
            "  labels: {normals: real/normals, segmentation: real/classes}",
            "  labels:\n    normals: {files: real/normals, axes: [-x, z, y], mask: masks}\n"
            "    segmentation: {files: real/classes, values: {wall: [0, 7]}, ignore: others}",
        )
        .replace("size: 32", "size: 64"),
        width=64,
        height=64,
    )
    (tmp_path / "masks").mkdir()
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255
    for number in range(4):
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    with pytest.raises(DataError, match=r"rooms.yaml`: expected `exam.labels.segmentation.values.floor` to be a whole"):
        file_problem(file)
    file.write_text(file.read_text().replace("{wall: [0, 7]}", "{floor: 9, wall: [0, 7]}"))
    problem = file_problem(file)
    normals, classes = problem.tasks.every
    truth, plain = problem.exams[0].pixels.values, problem.oracle
    assert plain is not None
    turned, straight = truth[normals], plain.values[normals]
    assert turned[..., 32:].isnan().all()
    torch.testing.assert_close(
        turned[..., :32], (straight[:, [0, 2, 1]] * torch.tensor([-1, 1, 1]).view(3, 1, 1))[..., :32]
    )
    assert problem.target.pixels is not None
    known = problem.target.pixels.values[classes]
    assert torch.equal(truth[classes], torch.where(known == 0, 1, 255))


def test_numbers_in_npy_files(tmp_path: Path) -> None:
    """Points in space, depths in metres and normals as they are."""
    random = np.random.default_rng(0)
    for kind in ("images", "points", "depth"):
        (tmp_path / kind).mkdir()
    for number in range(2):
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(
            tmp_path / "images" / f"{number}.png"
        )
        np.save(tmp_path / "points" / f"{number}.npy", np.array([[4.0, 8.0, 2.5], [np.nan, np.nan, np.nan]]))
        np.save(tmp_path / "depth" / f"{number}.npy", random.uniform(1, 2, (32, 32)))
    shutil.copytree(tmp_path / "images", tmp_path / "others")
    (tmp_path / "p.yaml").write_text(
        "size: 16\ntasks: {keypoints: {points: [nose, chin], depth: true, deviation: 2}}\n"
        "source: {images: images, labels: {depth: depth, keypoints: points}}\n"
        "target: {name: real, images: others, labels: {keypoints: points}}\n"
    )
    problem = file_problem(tmp_path / "p.yaml")
    (points,) = problem.tasks.anchors
    assert points == Keypoints(("nose", "chin"), 16, 2.0)
    assert problem.target.name == "real"
    assert problem.target.pixels is not None
    nan = torch.nan
    expected = torch.tensor([[2.0, 4.0, 2.5], [nan, nan, nan]]).expand(2, 2, 3)
    torch.testing.assert_close(problem.target.pixels.values[points], expected, equal_nan=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: 32", "sice: 32", "expected no key `sice`; did you mean `size`?"),
        ("size: 32", "size: large", "expected `size` to be a whole number of at least 1, but got `'large'`."),
        ("size: 32", "size: 32\nsize: 64", "`size` stands there twice"),
        ("size: 32", "size: [", "Expected YAML in"),
        ("size: 32", "name: 2024-02-30", "`2024-02-30` cannot be read as `timestamp`"),
        ("size: 32", "size: 0b_", "`0b_` cannot be read as `int`"),
        ("size: 32", "name: !!bool x", "`x` cannot be read as `bool`"),
        ("size: 32", "name: !!timestamp x", "`x` cannot be read as `timestamp`"),
        ("size: 32", "size: !!int ''", "`` cannot be read as `int`"),
        ("epochs: 1", "epochs: many", "expected `recipe.epochs` to be of type `int`, but got `'many'`."),
        ("epochs: 1", "epochs: 0", "`recipe`: Expected `epochs` of at least 1, but got 0."),
        ("epochs: 1", "epoch: 1", "expected no key `recipe.epoch`; did you mean `epochs`?"),
        ("[floor, wall]", "[floor, floor]", "expected `tasks.segmentation.classes` to be a list of different names"),
        (
            "[floor, wall]",
            "[floor, off]",
            "in quotes where YAML reads them as something else), but got `['floor', False]`.",
        ),
        ("  segmentation: {classes: [floor, wall]}", "  segmentation: {}", "`tasks.segmentation.classes` to be a list"),
        ("  segmentation: {classes", "  segments: {classes", "no key `tasks.segments`; did you mean `segmentation`?"),
        ("  images: real/images", "  image: real/images", "no key `target.image`; did you mean `images`?"),
        ("  images: real/images", "  images: real/nowhere", "`target.images`: expected files (.bmp, .gif"),
        ("  images: real/images", "", "expected `target.images` to be text, but got nothing. Add it."),
        (
            "{segmentation: real/classes}",
            "{segmentation: 3}",
            "`target.labels.segmentation` to be a path, or a mapping",
        ),
        (
            "{segmentation: real/classes}",
            "{segmentation: real}",
            "`target.labels.segmentation`: expected a label file for",
        ),
        (
            "{segmentation: real/classes}",
            "{normals: real/normals, segmentation: real/classes}",
            "of some but not all tasks",
        ),
        (
            "{segmentation: real/classes}",
            "{depth: real/classes}",
            "`target.labels` to be labels of some but not all tasks",
        ),
        (
            "oracle: {normals: real/normals}",
            "oracle: {segmentation: real/classes}",
            "`target.oracle` to be labels of the main",
        ),
        (
            "  labels: {normals: real/normals, segmentation: real/classes}",
            "  labels: {segmentation: real/classes}",
            "`exam.labels` to be labels of the main tasks",
        ),
        (
            "  images: real/images",
            "  images: real/images\n  format: nyu",
            "`target.format` to be one of `folders`, `nyud`, but",
        ),
        (
            "  images: real/images",
            "  images: real/images\n  crop_margin: 1",
            "`target.crop_margin` to be a key of a domain with keypoints under `labels`, but got one without",
        ),
        ("source:", "source: here\nexam:", "`exam` stands there twice"),
        ("source:", "source: here\nother:", "expected no key `other`"),
        ("exam:\n", "exam:\n  name: test\n", "expected no key `exam.name`"),
        ("  images: real/images", "  images: real/images\n  split: train", "expected no key `target.split`"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = write_rooms(tmp_path)
    assert old in ROOMS
    file.write_text(ROOMS.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        file_problem(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_mistakes_in_label_files_name_the_file(tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    good = (tmp_path / "real/classes/2.png").read_bytes()
    Image.fromarray(np.full((48, 64), 9, np.uint8)).save(tmp_path / "real/classes/2.png")
    with pytest.raises(
        DataError,
        match=r"rooms.yaml`: Domain `target`: `.*classes/2.png`: expected the values `0`, `1`, and `255` for no",
    ):
        file_problem(file)
    Image.fromarray(np.zeros((64, 48), np.uint8)).save(tmp_path / "real/classes/2.png")
    with pytest.raises(DataError, match="of the proportions of the image, 64×48 pixels, but got 48×64"):
        file_problem(file)
    (tmp_path / "real/classes/2.png").write_bytes(good[:60])
    (tmp_path / "real/classes/3.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2.png` cannot be read: .* 1 more samples have such mistakes\."):
        file_problem(file)
    (tmp_path / "real/classes/2.png").unlink()
    with pytest.raises(DataError, match=r"for each of 4 images, but got none for 1, such as `.*real/images/2.png`"):
        file_problem(file)


def test_labels_of_half_the_size_are_taken(tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    for number in range(4):
        normals = np.broadcast_to([0.0, 0.0, -1.0], (24, 32, 3))
        Image.fromarray(as_colours(normals)).save(tmp_path / f"real/normals/{number}.png")
    found = file_problem(file).exams[0].pixels.values[SurfaceNormals()]
    torch.testing.assert_close(found[:, 2], torch.full((4, 32, 32), -1.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.partition("\n")[0])
def test_the_examples_of_the_documentation_are_problem_files(tmp_path: Path, example: str) -> None:
    """All their keys are known, and who has labels of what makes a problem; their data is not there."""
    (tmp_path / "example.yaml").write_text(example)
    assert setting_of(str(tmp_path / "example.yaml")) is Setting.ASSISTED
    with pytest.raises(DataError, match=r"`source.images`: expected files .* but got nothing"):
        file_problem(tmp_path / "example.yaml")


def test_anchors_of_yaml_may_be_used(tmp_path: Path) -> None:
    text = ROOMS.replace("source:", "source: &first").replace(
        "  images: real/images", "  <<: *first\n  images: real/images", 1
    )
    text = text[: text.index("exam:")]
    assert len(file_problem(write_rooms(tmp_path, text)).target.samples) == 4


def test_a_mistake_in_the_recipe_is_told_before_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_rooms(tmp_path, ROOMS.replace("epochs: 1", "epochs: -1"))
    monkeypatch.setattr(problem_file, "read_pictures", lambda *arguments, **options: pytest.fail("files were read"))
    with pytest.raises(DataError, match="Expected `epochs` of at least 1"):
        file_problem(file)


def test_a_problem_file_is_taken_wherever_a_name_is(tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    assert load_problem(str(file)).input.shape == (3, 32, 32)
    assert load_problem(str(file), image_size=48).input.shape == (3, 48, 48)
    with pytest.raises(OptionError, match="for images of your own only, but got one for `shapes`"):
        load_problem("shapes", image_size=48)
    with pytest.raises(OptionError, match="Expected `image_size` of at least 1 pixel, but got 0"):
        load_problem(str(file), image_size=0)
    taken = file.rename(tmp_path / "shapes.yml")
    with pytest.raises(DataError, match="expected a name of its own, but `shapes` is built in"):
        load_problem(str(taken))
    with pytest.raises(DataError, match=r"Expected a problem file at `nowhere.yaml`, but got: No such file"):
        setting_of("nowhere.yaml")
    (tmp_path / "list.yaml").write_text("- source\n")
    with pytest.raises(DataError, match=r"Expected keys and values in `.*list.yaml`, such as `source:`"):
        setting_of(str(tmp_path / "list.yaml"))
