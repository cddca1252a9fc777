"""Small files in the formats of the benchmarks, for tests."""

from __future__ import annotations

import bz2
import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(root: Path, number: int = 30, *, folder: str = "mnist", suffix: str = ".gz") -> np.ndarray:
    """Image i is of shade i (modulo 256) and shows the digit i % 10."""
    images = np.broadcast_to((np.arange(number) % 256)[:, None, None], (number, 28, 28)).astype(np.uint8)
    for split in ("train", "t10k"):
        write_idx(root / folder / f"{split}-images-idx3-ubyte{suffix}", images)
        write_idx(root / folder / f"{split}-labels-idx1-ubyte{suffix}", (np.arange(number) % 10).astype(np.uint8))
    return images


def usps_values(number: int = 20) -> np.ndarray:
    """Pixels from -1 to 1 in three decimals, as in the official files."""
    return np.random.default_rng(0).integers(-1000, 1001, (number, 256)) / 1000


def write_usps_libsvm(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{index % 10 + 1} " + " ".join(f"{place}:{value:.6g}" for place, value in enumerate(row, start=1))
        for index, row in enumerate(values)
    ]
    path.write_bytes(bz2.compress("\n".join(lines).encode()))


def write_usps_h5(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for split in ("train", "test"):
            file[f"{split}/data"] = ((values + 1) / 2).astype(np.float32)
            file[f"{split}/target"] = (np.arange(len(values)) % 10).astype(np.int32)


def write_mnist_m(root: Path, number: int = 12, *, official: bool = False) -> None:
    prefix = "mnist_m_" if official else ""
    for split in ("train", "test"):
        folder = root / "mnist_m" / f"{prefix}{split}"
        folder.mkdir(parents=True)
        for index in range(number):
            Image.new("RGB", (32, 32), (index, 0, 255)).save(folder / f"{index:08d}.png")
        lines = "".join(f"{index:08d}.png {index % 10}\n" for index in range(number))
        (root / "mnist_m" / f"{prefix}{split}_labels.txt").write_text(lines)


def write_svhn(root: Path, number: int = 20) -> np.ndarray:
    """Labels run 1, 2, …, 10, 1, …: the digit 0 is labelled 10."""
    (root / "svhn").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, number), dtype=np.uint8)
    labels = (np.arange(number) % 10 + 1).astype(np.uint8)[:, None]
    for split in ("train", "test"):
        savemat(root / "svhn" / f"{split}_32x32.mat", {"X": images, "y": labels})
    return images


def write_objects(root: Path, domains: dict[str, int], *, inside: str = "") -> None:
    """Two classes, `mug` and `pen`, with so many images in each."""
    for domain, number in domains.items():
        for name in ("mug", "pen"):
            folder = root / domain / inside / name
            folder.mkdir(parents=True)
            for index in range(number):
                Image.new("RGB", (10, 10), (index, 0, 0)).save(folder / f"{index}.jpg")


def write_notmnist(root: Path, split: str, number: int = 30) -> np.ndarray:
    """Image i is of shade 255 − i (modulo 256) and shows the letter i % 10."""
    images = np.broadcast_to(255 - (np.arange(number) % 256)[:, None, None], (number, 28, 28)).astype(np.uint8)
    prefix = {"train": "train", "test": "t10k"}[split]
    write_idx(root / "notmnist" / f"{prefix}-images-idx3-ubyte.gz", images)
    write_idx(root / "notmnist" / f"{prefix}-labels-idx1-ubyte.gz", (np.arange(number) % 10).astype(np.uint8))
    return images


def write_caltech101(root: Path, number: int = 3, classes: int = 100) -> None:
    """Classes `c00`, `c01`, … and the two that are left out; image i of class k has the colour (k, i, 0)."""
    for place, name in enumerate([*(f"c{place:02d}" for place in range(classes)), "BACKGROUND_Google", "Faces_easy"]):
        folder = root / name
        folder.mkdir(parents=True)
        for index in range(number):
            Image.new("RGB", (20, 20), (place, index, 0)).save(folder / f"image_{index:04d}.png")


AIRCRAFT = {"A300": "Airbus", "A310": "Airbus", "707": "Boeing", "737-200": "Boeing", "CRJ-200": "Canadair"}


def write_aircraft(root: Path, number: int = 2) -> None:
    """So many photographs of each variant in every split: variant and place are the colour, above a white banner."""
    data = root / "fgvc-aircraft-2013b" / "data"
    (data / "images").mkdir(parents=True)
    (data / "variants.txt").write_text("\n".join(AIRCRAFT) + "\n")
    (data / "manufacturers.txt").write_text("\n".join(sorted(set(AIRCRAFT.values()))) + "\n")
    lines: dict[tuple[str, str], list[str]] = {}
    for index in range(3 * number * len(AIRCRAFT)):
        split, (variant, maker) = (
            ("train", "val", "test")[index % 3],
            list(AIRCRAFT.items())[index // 3 % len(AIRCRAFT)],
        )
        image = Image.new("RGB", (30, 40), (255, 255, 255))
        image.paste((list(AIRCRAFT).index(variant), index, 0), (0, 0, 30, 20))
        image.save(data / "images" / f"{index:07d}.jpg", "PNG")  # so that colours stay
        for part in (split, "trainval") if split != "test" else (split,):
            lines.setdefault(("variant", part), []).append(f"{index:07d} {variant}")
            lines.setdefault(("manufacturer", part), []).append(f"{index:07d} {maker}")
    for (level, split), rows in lines.items():
        (data / f"images_{level}_{split}.txt").write_text("\n".join(rows) + "\n")


FINE_GRAINED = {"birds": 2, "dogs": 3, "flowers": 4, "cars": 2, "aircraft": 5}
"""Classes of each of the small fine-grained sets."""


def write_fine_grained(root: Path, number: int = 2) -> None:
    """The five sets, so many photographs of a class for training and for the test; class and place are the colour."""
    write_aircraft(root, number)
    listed: dict[str, list[tuple[int, int, bool]]] = {  # place in the list, class and whether it trains
        name: [(i, i // (2 * number), i % 2 == 0) for i in range(2 * number * classes)]
        for name, classes in FINE_GRAINED.items()
    }

    def photograph(path: Path, place: int, label: int) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 24), (10 * label, place, 200)).save(path, "PNG")  # so that colours stay
        return path.name

    birds, breeds = root / "CUB_200_2011", ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    names = {i: photograph(birds / "images" / breeds[c] / f"{i}.jpg", i, c) for i, c, _ in listed["birds"]}
    for name, lines in {
        "classes.txt": [f"{c + 1} {breed}" for c, breed in enumerate(breeds)],
        "images.txt": [f"{i + 1} {breeds[c]}/{names[i]}" for i, c, _ in listed["birds"]],
        "image_class_labels.txt": [f"{i + 1} {c + 1}" for i, c, _ in listed["birds"]],
        "train_test_split.txt": [f"{i + 1} {int(trains)}" for i, _, trains in listed["birds"]],
    }.items():
        (birds / name).write_text("\n".join(lines) + "\n")

    dogs = root / "stanford_dogs"
    breeds = ("n02085620-Chihuahua", "n02107574-Entlebucher", "n02085782-Japanese_spaniel")
    files = {
        i: f"{breeds[c]}/" + photograph(dogs / "Images" / breeds[c] / f"{i}.jpg", i, c) for i, c, _ in listed["dogs"]
    }
    for part in ("train", "test"):
        chosen = [files[i] for i, _, trains in listed["dogs"] if trains == (part == "train")]
        savemat(dogs / f"{part}_list.mat", {"file_list": np.array(chosen, dtype=object)[:, None]})

    flowers = root / "flowers-102"
    for i, c, _ in listed["flowers"]:
        photograph(flowers / "jpg" / f"image_{i + 1:05d}.jpg", i, c)
    savemat(flowers / "imagelabels.mat", {"labels": np.array([[c + 1 for _, c, _ in listed["flowers"]]])})
    trained = [i + 1 for i, _, trains in listed["flowers"] if trains]
    tested = [i + 1 for i, _, trains in listed["flowers"] if not trains]
    savemat(flowers / "setid.mat", {"trnid": [trained[::2]], "valid": [trained[1::2]], "tstid": [tested]})

    cars = root / "stanford_cars"
    (cars / "devkit").mkdir(parents=True)
    makes = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    savemat(cars / "devkit" / "cars_meta.mat", {"class_names": makes[None]})
    for part, place in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        chosen = [(i, c) for i, c, trains in listed["cars"] if trains == (part == "train")]
        rows = np.zeros((1, len(chosen)), dtype=[("class", object), ("fname", object)])
        for row, (i, c) in enumerate(chosen):
            rows[0, row] = (c + 1, photograph(cars / f"cars_{part}" / f"{i:05d}.jpg", i, c))
        savemat(cars / place, {"annotations": rows})
