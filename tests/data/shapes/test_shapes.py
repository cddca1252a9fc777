"""Rendered scenes: labels against geometry worked out from the images of depth alone, and against closed forms."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from isthmus.data.shapes import KEYPOINTS, KINDS, REAL, SYNTHETIC, TUMBLED, UPRIGHT, Look, Poses, Shapes, render
from isthmus.data.shapes.keypoints import points_on
from isthmus.data.shapes.randomness import STEP, Random, _mixed
from isthmus.data.shapes.scenes import Scenes, focal_length, sampled
from isthmus.errors import OptionError
from isthmus.functional.pixelwise import IGNORED

POSES = [UPRIGHT, TUMBLED]
SCENES = torch.arange(12)


def unprojected(depth: Tensor) -> Tensor:
    """Points in space (n, size, size, 3) of the pixels of depth maps (n, size, size), by the pinhole camera."""
    size = depth.shape[-1]
    focal = size / 2 / math.tan(math.radians(45.0 / 2))
    at = (torch.arange(size, dtype=torch.float64) + 0.5 - size / 2) / focal
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], dim=-1) * depth.double()[..., None]


@pytest.mark.parametrize("poses", POSES)
def test_normals_are_those_of_the_depths_finite_differences(poses: Poses) -> None:
    """Exactly so on flat faces; on curved ones up to the second order of the pixel's width."""
    shapes = render(SCENES[:5], poses=poses, size=256)
    points = unprojected(shapes.depth)
    across, down = points[:, 1:-1, 2:] - points[:, 1:-1, :-2], points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    expected = torch.linalg.cross(down, across)
    expected = expected / expected.norm(dim=-1, keepdim=True)
    normals = shapes.normals.movedim(1, -1).double()
    middle = normals[:, 1:-1, 1:-1]
    sides = [normals[:, 1:-1, 2:], normals[:, 1:-1, :-2], normals[:, 2:, 1:-1], normals[:, :-2, 1:-1]]
    kinds, inner = shapes.segmentation, shapes.segmentation[:, 1:-1, 1:-1]
    same = torch.ones_like(inner, dtype=torch.bool)
    for neighbour in (kinds[:, 1:-1, 2:], kinds[:, 1:-1, :-2], kinds[:, 2:, 1:-1], kinds[:, :-2, 1:-1]):
        same &= neighbour == inner
    for side in sides:
        same &= (side * middle).sum(-1) > math.cos(math.radians(8))  # no edge within, and no grazing of a curve
    same &= (-middle * points[:, 1:-1, 1:-1]).sum(-1) > 0.2 * points[:, 1:-1, 1:-1].norm(dim=-1)
    angles = torch.rad2deg((middle * expected).sum(-1).clamp(-1, 1).acos())
    for kind, name in enumerate(KINDS):
        these = angles[same & (inner == kind)]
        assert len(these) > 1000, name
        assert these.mean().item() < (0.05 if name in ("ground", "box") else 0.5), name
        assert these.quantile(0.99).item() < (0.2 if name in ("ground", "box") else 2.0), name


@pytest.mark.parametrize("poses", POSES)
def test_spheres_are_spheres(poses: Poses) -> None:
    r"""The near root of $\lVert t d - c \rVert = r$, and $(p - c) / r$, in double precision."""
    shapes, scenes = render(SCENES, poses=poses), sampled(Random(0, SCENES), poses)
    for i in range(len(SCENES)):
        centre, radius = scenes.centres[1, :, i].double(), scenes.sizes[1, 0, i].item()
        rays = unprojected(torch.ones(64, 64))
        a, b = rays.square().sum(-1), rays @ centre
        root = b.square() - a * (centre.square().sum() - radius**2)
        depth = (b - root.clamp(min=0).sqrt()) / a
        on = shapes.segmentation[i] == 1
        assert on.any()
        assert (root[on] > -1e-4).all()
        clear = on & (root > 1e-2)
        torch.testing.assert_close(shapes.depth[i][clear].double(), depth[clear], rtol=1e-5, atol=0)
        normals = (rays * depth[..., None] - centre) / radius
        torch.testing.assert_close(shapes.normals[i].movedim(0, -1)[clear].double(), normals[clear], rtol=0, atol=1e-4)
        nearer = ~on & (root > 1e-4) & shapes.valid[i]  # where something else is seen, it is in front
        assert (shapes.depth[i][nearer] <= depth[nearer] + 1e-4).all()


def residuals(scenes: Scenes, points: Tensor, kind: int) -> Tensor:
    """How far points (3, n, many) are from the surface of an object, from its equation at unit size; (n, many)."""
    back = torch.linalg.inv(scenes.rotations[kind].permute(2, 0, 1).double())
    centre = scenes.centres[kind].T[:, :, None].double()
    x, y, z = (back @ (points.transpose(0, 1).double() - centre) / scenes.sizes[kind].T[:, :, None]).unbind(1)
    radius = torch.hypot(x, y)
    equations = {
        "ground": z,
        "sphere": torch.sqrt(x**2 + y**2 + z**2) - 1,
        "box": torch.stack([x.abs(), y.abs(), z.abs()]).amax(0) - 1,
        "cylinder": torch.maximum(radius, z.abs()) - 1,
        "cone": torch.maximum(radius - (1 - z) / 2, -1 - z),
    }
    return equations[KINDS[kind]].abs()


@pytest.mark.parametrize("poses", POSES)
def test_every_pixel_lies_on_the_surface_of_its_kind(poses: Poses) -> None:
    shapes, scenes = render(SCENES, poses=poses), sampled(Random(0, SCENES), poses)
    points = unprojected(shapes.depth).flatten(1, 2).permute(2, 0, 1)
    for kind in range(len(KINDS)):
        on = (shapes.segmentation == kind).flatten(1)
        assert residuals(scenes, points, kind)[on].max().item() < 1e-3
    assert torch.equal(shapes.valid, shapes.segmentation != IGNORED)
    assert torch.equal(shapes.depth > 0, shapes.valid)


@pytest.mark.parametrize("poses", POSES)
def test_normals_are_unit_and_towards_the_camera(poses: Poses) -> None:
    shapes = render(SCENES, poses=poses)
    normals, points = shapes.normals.movedim(1, -1), unprojected(shapes.depth)
    torch.testing.assert_close(normals.norm(dim=-1), shapes.valid.float(), rtol=0, atol=1e-5)
    assert (normals.double() * points).sum(-1).max().item() < 1e-3


@pytest.mark.parametrize("poses", POSES)
def test_keypoints_lie_on_the_surfaces_they_name(poses: Poses) -> None:
    scenes = sampled(Random(0, torch.arange(200)), poses)
    points = points_on(scenes)
    for k, name in enumerate(KEYPOINTS):
        kind = next(number for number, kind in enumerate(KINDS) if kind in name)
        assert residuals(scenes, points[:, :, k, None], kind).max().item() < 1e-5, name
    height = (scenes.up[:, :, None] * points).sum(0)
    assert (height[:, 4] > height[:, 5]).all()  # the upper cap and the lower
    distance = points.norm(dim=0)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).T
    for i in range(200):
        corners = scenes.rotations[2, :, :, i] @ (signs * scenes.sizes[2, :, i, None]) + scenes.centres[2, :, i, None]
        assert corners.norm(dim=0).min().item() == pytest.approx(distance[i, 3].item(), rel=1e-6)
        faces = scenes.rotations[2, :, :, i] @ torch.cat([torch.eye(3), -torch.eye(3)], dim=1)
        upper = (scenes.up[:, i] @ faces).argmax()
        half = scenes.sizes[2, :, i].repeat(2)[upper]
        torch.testing.assert_close(points[:, i, 2], scenes.centres[2, :, i] + half * faces[:, upper])


def test_keypoints_are_seen_where_the_depth_at_their_pixel_is_theirs() -> None:
    """For the sphere's nearest point, where depth is flat; an edge that crosses its very pixel may tell otherwise."""
    shapes = render(torch.arange(80), size=96)
    x, y, depth = shapes.keypoints[:, 1].unbind(1)
    inside = (x > 0) & (x < 96) & (y > 0) & (y < 96)
    at_pixel = shapes.depth[torch.arange(80), y.long().clamp(0, 95), x.long().clamp(0, 95)]
    agrees = inside & ((at_pixel - depth).abs() < 0.01)
    assert (agrees == shapes.visible[:, 1]).float().mean().item() > 0.97
    assert 0.7 < agrees.float().mean().item() < 0.97
    assert not shapes.visible[:, 7].any()  # the base of an upright cone is on the ground


def test_objects_stand_on_the_ground() -> None:
    """Their lowest points, searched for on a fine sampling of each surface, are at height zero."""
    scenes = sampled(Random(3, torch.arange(20)), TUMBLED)
    angle = torch.linspace(0, math.tau, 721)
    rim = torch.stack([angle.cos(), angle.sin(), torch.ones_like(angle)])
    flip = torch.tensor([1.0, 1.0, -1.0])[:, None]
    samples = {
        2: torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).T,
        3: torch.cat([rim, rim * flip], dim=1),
        4: torch.cat([rim * flip, torch.tensor([[0.0], [0.0], [1.0]])], dim=1),
    }
    for kind, points in samples.items():
        for i in range(20):
            at = scenes.rotations[kind, :, :, i] @ (scenes.sizes[kind, :, i, None] * points)
            at = at + scenes.centres[kind, :, i, None] - scenes.centres[0, :, i, None]
            assert (scenes.up[:, i] @ at).min().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("look", "poses"), [(REAL, UPRIGHT), (SYNTHETIC, TUMBLED)])
def test_a_scene_is_a_function_of_its_number_and_the_seed(look: Look, poses: Poses) -> None:
    scenes = torch.tensor([11, 3, 5, 1 << 40, 7, 2, 0, 9, 4, 6, 8, 3])
    together = render(scenes, seed=5, look=look, poses=poses, size=32)
    for parts in ([1] * 12, [5, 7]):
        apart = [render(part, seed=5, look=look, poses=poses, size=32) for part in scenes.split(parts)]
        for field in dataclasses.fields(Shapes):
            assert torch.equal(torch.cat([getattr(part, field.name) for part in apart]), getattr(together, field.name))
    assert torch.equal(together.images[1], together.images[11])
    other = render(scenes, seed=6, look=look, poses=poses, size=32)
    assert not any(torch.equal(a, b) for a, b in zip(together.depth, other.depth))


def test_looks_change_the_image_and_nothing_else() -> None:
    plain, real = render(SCENES, look=SYNTHETIC), render(SCENES, look=REAL)
    for field in dataclasses.fields(Shapes):
        assert torch.equal(getattr(plain, field.name), getattr(real, field.name)) == (field.name != "images")
    assert (plain.images.float() - real.images.float()).abs().mean() > 10


def test_other_poses_have_other_normals_and_equal_poses_do_not() -> None:
    """Differences of means in standard errors, between sets of scenes that have none in common."""

    def apart(a: Tensor, b: Tensor) -> float:
        return ((a.mean(0) - b.mean(0)).abs() / (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()).max().item()

    first, second = torch.arange(128), torch.arange(128, 256)
    upright, again, tumbled = (
        render(scenes, poses=poses, size=16).normals.mean(dim=(2, 3))
        for scenes, poses in ((first, UPRIGHT), (second, UPRIGHT), (second, TUMBLED))
    )
    assert apart(upright, again) < 4
    assert apart(upright, tumbled) > 15


def test_shadows_are_where_the_light_is_hidden() -> None:
    """A hard light's shadow on the ground: darker by far, and only where a ray to the light meets an object."""
    lit = Look(ambient=0.0)
    with_shadows = dataclasses.replace(lit, shadows=0.0)
    bright, dark = (render(SCENES, look=look).images.float().mean(1) for look in (lit, with_shadows))
    ground = render(SCENES).segmentation == 0
    assert (dark <= bright).all()
    shaded = ground & (dark < 2) & (bright > 50)
    assert 0.01 < shaded.float().mean().item() < 0.2


def test_random_numbers_are_uniform_and_unrelated() -> None:
    random = Random(0, torch.arange(20_000))
    a, b = random.uniform("a"), random.uniform("b", 2)
    c = Random(1, torch.arange(20_000)).uniform("a")
    numbers = torch.stack([a, *b, c, a.roll(1)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert numbers.mean(1).tolist() == pytest.approx([0.5] * 5, abs=4 * math.sqrt(1 / 12 / 20_000))
    assert (numbers.corrcoef() - torch.eye(5)).abs().max().item() < 4 / math.sqrt(20_000)
    normal = random.normal("n")
    assert normal.isfinite().all()
    assert (normal.mean().item(), normal.var().item()) == pytest.approx((0, 1), abs=0.04)


def test_splitmix64_is_the_published_one() -> None:
    """Its finaliser in Python's whole numbers, and the first output of the reference for the seed 1234567."""
    state = torch.tensor([1234567]) + STEP
    assert _mixed(state).item() % 2**64 == 6457827717110365317


def test_bad_options_are_refused() -> None:
    with pytest.raises(OptionError, match="scenes"):
        render(torch.arange(0))
    with pytest.raises(OptionError, match="size"):
        render(SCENES, size=0)


def test_the_field_of_view_is_the_cameras() -> None:
    assert 64 / 2 / focal_length(64) == pytest.approx(math.tan(math.radians(22.5)))
