"""NYU Depth v2 in the layout of its authors' files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from label_folders import as_colours, write_rooms
from PIL import Image
from scipy.io import savemat
from small_problems import names_of

from isthmus.data.pixelwise import Depth, Segmentation, SurfaceNormals
from isthmus.data.readers.problem_file import file_problem
from isthmus.data.samples import Samples
from isthmus.errors import DataError

COUNT, WIDTH, HEIGHT = 5, 32, 24
NAMES = ("wall", "floor", "chair", "table")
FILE = """\
size: 16
backbone: pyramid:width=8,decoder=8
tasks:
  segmentation: {classes: [wall, floor, furniture]}
source:
  images: synthetic/images
  labels:
    normals: synthetic/normals
    segmentation: {files: synthetic/classes, values: {wall: 0, floor: 1, furniture: 2}}
target:
  format: nyud
  images: labeled.mat
  splits: splits.mat
  split: train
  labels:
    segmentation: {files: labeled.mat, values: {wall: wall, floor: floor, furniture: [chair, 4]}}
exam:
  format: nyud
  images: labeled.mat
  splits: splits.mat
  split: test
  labels:
    segmentation: {files: labeled.mat, values: {wall: 1, floor: 2, furniture: [3, 4]}}
    normals: nyu_normals_gt
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Axes reversed, names as references to arrays of UTF-16: what MATLAB writes as version 7.3."""
    random = np.random.default_rng(0)
    write_rooms(tmp_path)
    with h5py.File(tmp_path / "labeled.mat", "w") as mat:
        mat["images"] = random.integers(0, 256, (COUNT, 3, WIDTH, HEIGHT), dtype=np.uint8)
        mat["depths"] = random.uniform(0.7, 10, (COUNT, WIDTH, HEIGHT)).astype(np.float32)
        mat["labels"] = random.integers(0, 5, (COUNT, WIDTH, HEIGHT)).astype(np.uint16)
        names = mat.create_dataset("names", (1, len(NAMES)), dtype=h5py.ref_dtype)
        for place, name in enumerate(NAMES):
            mat[f"#refs#/{place}"] = np.array([[ord(letter)] for letter in name], dtype=np.uint16)
            names[0, place] = mat[f"#refs#/{place}"].ref
    numbers = {"trainNdxs": np.array([[2], [5]]), "testNdxs": np.array([[1], [4], [3]])}
    savemat(tmp_path / "splits.mat", numbers)
    for split, own in (("train", (2, 5)), ("test", (1, 3, 4))):
        (tmp_path / "nyu_normals_gt" / split).mkdir(parents=True)
        for number in own:
            normals = np.zeros((HEIGHT, WIDTH, 3))
            normals[..., number % 3] = -1
            Image.fromarray(as_colours(normals)).save(tmp_path / f"nyu_normals_gt/{split}/{number:05d}.png")
    (tmp_path / "nyud.yaml").write_text(FILE)
    return tmp_path / "nyud.yaml"


def stored(samples: Samples) -> torch.Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator())


def test_images_labels_and_normals_of_the_official_split(file: Path) -> None:
    problem = file_problem(file)
    assert [name.rpartition(":")[2] for name in names_of(problem.exams[0].samples)] == ["1", "3", "4"]
    assert len(problem.target.samples) == 2
    assert not problem.exams[0].transductive
    truth = problem.exams[0].pixels.values
    with h5py.File(file.parent / "labeled.mat") as mat:
        for place, number in enumerate((1, 3, 4)):
            image = Image.fromarray(mat["images"][number - 1].transpose(2, 1, 0)).resize(
                (16, 16), Image.Resampling.BILINEAR
            )
            assert np.array_equal(stored(problem.exams[0].samples)[place].permute(1, 2, 0).numpy(), np.array(image))
            labels = torch.empty(16, 16, dtype=torch.long)
            for row in range(16):
                for column in range(16):
                    value = int(mat["labels"][number - 1, int((column + 0.5) * 2), int((row + 0.5) * 1.5)])
                    labels[row, column] = (255, 0, 1, 2, 2)[value]
            assert torch.equal(truth[Segmentation(("wall", "floor", "furniture"))][place], labels)
            normals = truth[SurfaceNormals()][place]
            torch.testing.assert_close(normals[number % 3], torch.full((16, 16), -1.0), atol=1e-3, rtol=0)
    assert problem.target.pixels is not None
    assert problem.target.pixels.values.keys() == {Segmentation(("wall", "floor", "furniture"))}


def test_names_of_classes_are_those_of_the_data_and_depths_metres(file: Path) -> None:
    text = FILE.replace("[wall, floor, furniture]", "[wall, floor, chair, table]").replace(
        "furniture: 2", "chair: 2, table: 3"
    )
    text = text.replace(", values: {wall: wall, floor: floor, furniture: [chair, 4]}", "")
    text = text.replace(", values: {wall: 1, floor: 2, furniture: [3, 4]}", "")
    text = text.replace("  split: test\n", "").replace("  splits: splits.mat\n  labels:\n    seg", "  labels:\n    seg")
    text = text.replace("    normals: nyu_normals_gt", "    normals: nyu_normals_gt\n    depth: labeled.mat")
    text = text.replace(
        "    normals: synthetic/normals", "    normals: synthetic/normals\n    depth: synthetic/classes"
    )
    file.write_text(text)
    truth = file_problem(file).exams[0].pixels.values
    classes = truth[Segmentation(NAMES)]
    assert len(classes) == COUNT, "all images where no split is asked for"
    with h5py.File(file.parent / "labeled.mat") as mat:
        labels = torch.from_numpy(mat["labels"][:].transpose(0, 2, 1).astype(np.int64))
        depths = torch.from_numpy(mat["depths"][:].transpose(0, 2, 1))
    rows, columns = ([int((i + 0.5) * side / 16) for i in range(16)] for side in (HEIGHT, WIDTH))
    assert torch.equal(classes, torch.where(labels == 0, 255, labels - 1)[:, rows][:, :, columns])
    torch.testing.assert_close(truth[Depth()], depths[:, rows][:, :, columns])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("images: labeled.mat", "images: other.mat", "`target.images`: expected `nyu_depth_v2_labeled.mat` at"),
        ("images: labeled.mat", "images: splits.mat", "but got none of its layout"),
        ("splits: splits.mat", "splits: labeled.mat", "`target.splits`: expected the official `splits.mat` at"),
        (
            "split: train",
            "split: valid",
            "expected `target.split` to be one of `train`, `test`, `all`, but got `'valid'`",
        ),
        ("  splits: splits.mat\n", "", "expected `target.splits` to be text, but got nothing. Add it."),
        (
            "[chair, 4]",
            "[sofa, 4]",
            "values.furniture` to be a whole number or a list of them, or a name of the data, as `wall`",
        ),
        ("[chair, 4]", "[chair, 1]", "values.furniture` to be numbers of no other class, but got `1`."),
        ("normals: nyu_normals_gt", "normals: nyu_normals_gt/train", "for each of 3 images in `"),
        (
            "normals: nyu_normals_gt",
            "normals: labeled.mat",
            "`exam.labels.normals` to be a folder of files that are named by",
        ),
    ],
)
def test_mistakes(file: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        file_problem(file)
    assert message in str(caught.value)
    assert "nyud.yaml`" in str(caught.value)


def test_a_split_beyond_the_images_is_refused(file: Path) -> None:
    savemat(file.parent / "splits.mat", {"trainNdxs": np.array([[2], [6]]), "testNdxs": np.array([[1]])})
    with pytest.raises(DataError, match=r"expected `trainNdxs` in `.*splits.mat` from 1 to 5, but got .*6"):
        file_problem(file)
