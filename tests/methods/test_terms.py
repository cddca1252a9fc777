"""How terms join methods: where each part stands, Algorithm 1 of DFA, and names with `+`."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import images_problem, one_batch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, max_unpool2d

from isthmus.data.batches import Labelled, Layout, Share, Unlabelled, UnsupervisedBatch
from isthmus.data.loaders import batches
from isthmus.data.recipes import Recipe
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.methods import Method, Update, build_method, registry
from isthmus.methods.base import Plan, Survey
from isthmus.methods.combined import Combined
from isthmus.methods.registry import MethodEntry, method_entry
from isthmus.methods.terms.entropy import Entropy
from isthmus.methods.unsupervised.source_only import SourceOnly
from isthmus.names import BatchNormPolicy
from isthmus.nn.backbones import build_backbone


def build(name: str, backbone: str = "digits:dropout=0") -> Method[UnsupervisedBatch]:
    torch.manual_seed(0)
    return build_method(name, build_backbone(backbone, (1, 16, 16)), 3)


def updates(name: str) -> list[Update]:
    return list(build(name).steps(one_batch(), 0.5))


def test_algorithm_1() -> None:
    """Prior on the source in A, nothing in B, decodings in each of the n steps C."""
    logs = [(set(update.log), set(update.groups)) for update in updates("dfa_mcd:generator_steps=3")]
    assert logs == [
        ({"task", "kld"}, {"backbone", "head"}),
        ({"widened"}, {"head"}),
        *[({"narrowed", "dal"}, {"backbone"})] * 3,
    ]


def test_what_no_update_shows_is_passed_at_the_end() -> None:
    logs = [set(update.log) for update in updates("source_only+entropy+dfa")]
    assert logs == [{"task", "kld"}, {"entropy", "dal"}]
    assert [set(update.log) for update in updates("dann+entropy+dfa")] == [{"task", "domain", "entropy", "kld", "dal"}]


@pytest.mark.parametrize(
    ("name", "spelled_out"),
    [
        ("dfa_ent", "source_only+entropy+dfa"),
        ("dfa_ent:tied=false,beta=2", "source_only+entropy+dfa:tied=false,beta=2"),
        ("dfa_mcd", "mcd+dfa"),
        ("dfa_safn", "safn+dfa:alpha=0.1"),
    ],
)
def test_combinations_are_what_they_say(name: str, spelled_out: str) -> None:
    for one, other in zip(updates(name), updates(spelled_out), strict=True):
        assert one.log.keys() == other.log.keys()
        assert all(torch.equal(one.log[key], other.log[key]) for key in one.log)
        assert [o.on for o in one.objectives] == [o.on for o in other.objectives]


@pytest.mark.parametrize(
    ("name", "spelled_out"), [("dfa_ent", "source_only+entropy+dfa"), ("dfa_safn", "safn+dfa:alpha=0.1")]
)
def test_the_list_of_methods_spells_combinations_out(name: str, spelled_out: str) -> None:
    assert method_entry(name).summary.endswith(f": {spelled_out}")


def test_dal_of_the_digit_network_by_hand() -> None:
    """(18), decoded layer by layer with plain functions from the encoder's weights."""
    method = build("source_only+dfa").double()
    batch = one_batch()
    batch = replace(batch, target=replace(batch.target, images=batch.target.images.double()))
    batch = replace(batch, source=replace(batch.source, images=batch.source.images.double()))
    conv1, _, pool1, _, conv2, _, pool2, _ = list(method.groups()["backbone"].layers)[:8]  # type: ignore[arg-type]
    assert isinstance(pool1, nn.MaxPool2d)
    assert isinstance(pool2, nn.MaxPool2d)

    def standardised(images: Tensor) -> Tensor:
        mean = images.mean(dim=(0, 2, 3), keepdim=True)
        variance = (images - mean).square().mean(dim=(0, 2, 3), keepdim=True)
        return (images - mean) / (variance + 1e-5).sqrt()

    first = standardised(conv1(batch.target.images))
    pooled1, where1 = max_pool2d(first, 2, return_indices=True)
    second = standardised(conv2(pooled1.clamp(min=0)))
    pooled2, where2 = max_pool2d(second, 2, return_indices=True)

    def decoded(code: Tensor) -> Tensor:
        wide = max_unpool2d(code.view(pooled2.shape), where2, 2, output_size=second.shape[2:])
        middle = standardised(nn.functional.conv_transpose2d(wide, conv2.weight)).clamp(min=0)
        wide = max_unpool2d(middle, where1, 2, output_size=first.shape[2:])
        return standardised(nn.functional.conv_transpose2d(wide, conv1.weight)).clamp(min=0)

    expected = (decoded(pooled2.clamp(min=0)) - decoded(batch.noise(48))).abs().mean()
    got = [update.log["dal"] for update in method.steps(batch, 0.5) if "dal" in update.log]
    torch.testing.assert_close(got, [expected])


@pytest.mark.parametrize(("term", "collapses"), [("dfa", False), ("dfa:affine=true", True)])
def test_a_decoder_decodes_everything_to_zero_only_where_its_batch_norm_learns(term: str, collapses: bool) -> None:
    """There all decodings agree."""
    problem = images_problem(Recipe(epochs=1, steps_per_epoch=150, batch_size=8, lr=0.05))
    trainer = Trainer(build(f"source_only+{term}"), problem, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, means: None)
    (last,) = (update.log["dal"] for update in trainer.method.steps(one_batch(), 1.0) if "dal" in update.log)
    assert (last < 0.001) if collapses else (last > 0.01)


def test_entropy_alone_trains_what_it_says() -> None:
    for name, groups in (("source_only+entropy", {"backbone", "head"}), ("dann+entropy:features_only=true", None)):
        last = updates(name)[-1]
        on = next(o.on for o in last.objectives if torch.equal(o.loss, 0.1 * last.log["entropy"]))
        assert set(on) == (groups or {"backbone"})


def test_a_term_keeps_the_methods_networks_and_rates() -> None:
    plain, joined = build("symnets"), build("symnets+dfa:tied=false")
    assert joined.groups().keys() == plain.groups().keys() | {"dfa"}
    assert joined.learning_rates(0.1, 0.1) == plain.learning_rates(0.1, 0.1) | {"dfa": 0.1}
    assert list(joined.other_classifiers()) == list(plain.other_classifiers()) == ["source"]
    for ours, theirs in zip(joined.predictors(), plain.predictors(), strict=True):
        assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_noise_is_of_the_batch_and_its_share() -> None:
    batch = one_batch()
    whole = batch.noise(5)
    assert torch.equal(whole, batch.noise(5))
    half = replace(batch.target, images=batch.target.images[:4])
    parts = [replace(batch, target=half, share=Share(rank, 2)).noise(5) for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), whole)
    other = next(batches(images_problem(), seed=0, start=1, stop=2))
    assert not torch.equal(other.noise(5), whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dann+entrop", "did you mean `+entropy`"),
        ("dann+dfa+dfa", "`dfa` twice"),
        ("dann+dfa:gamma=2", "`dfa` has no option `gamma`"),
        ("dann+dfa:align=both", "Expected `align`"),
        ("mcd:steps=2+dfa", "`mcd` has no option `steps`"),
    ],
)
def test_mistakes_in_names(name: str, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        build(name)
    assert message in str(refused.value)


def test_a_method_without_a_backbone_takes_on_no_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    without = MethodEntry("without", "unsupervised", "", "", lambda: lambda backbone, classes: Combined(Counting()))
    monkeypatch.setitem(registry._ENTRIES, "without", without)
    with pytest.raises(OptionError, match="`SingleBackbone`, to take on terms, but `without` is none"):
        build("without+entropy")


def test_a_loss_of_the_features_alone_leaves_the_classifier() -> None:
    """One step of `dfa`'s own update by the chain rule: the head gets no gradient from it."""
    method = build("source_only+dfa")
    _, own = method.steps(one_batch(), 0.5)
    for objective in own.objectives:
        parts = torch.autograd.grad(objective.loss, list(method.groups()["head"].parameters()), allow_unused=True)
        assert parts == (None,) * len(parts)


def test_source_cross_entropy_is_untouched() -> None:
    plain, joined = build("source_only"), build("source_only+dfa")
    batch = one_batch()
    expected = cross_entropy(plain.predictors()[0].train()(batch.source.images), batch.source.labels)
    torch.testing.assert_close(next(joined.steps(batch, 0.5)).log["task"], expected)


class Counting(SourceOnly):
    """A method with a buffer, a weight of its own, something to do between epochs and something found."""

    epochs: Tensor

    def __init__(self) -> None:
        super().__init__(build_backbone("digits:dropout=0", (1, 16, 16)), 3)
        self.temperature = nn.Parameter(torch.ones(()))
        self.register_buffer("epochs", torch.zeros(()))

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        self.epochs += 1

    def findings(self) -> dict[str, Tensor | Sequence[str]]:
        return {"epochs": self.epochs}


def test_a_method_with_terms_goes_on_doing_all_that_it_did() -> None:
    method = Counting()
    combined = Combined(method, Entropy(method))
    problem = images_problem(Recipe(epochs=2, batch_size=8))
    trainer = Trainer(combined, problem, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, means: None)
    saved = combined.state_dict()
    assert combined.findings() == {"epochs": torch.tensor(2.0)}
    assert {name.split(".")[-1] for name in saved} >= {"epochs", "temperature"}
    assert combined.groups().keys() == method.groups().keys() == {"backbone", "head"}
    assert combined.double().findings()["epochs"].dtype == torch.float64  # type: ignore[union-attr]
    assert combined.predictors()[0].backbone is method.backbone  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["adabn+dfa:align=latents", "adabn+dfa:align=decodings", "adda+dfa", "adda+entropy"])
@pytest.mark.parametrize("policy", ["separate", "joint"])
def test_terms_leave_the_statistics_to_the_target(name: str, policy: BatchNormPolicy) -> None:
    """Where a method keeps the source out of them, features of the source for a term do not bring it in."""

    def after_a_step(batch: UnsupervisedBatch) -> list[Tensor]:
        torch.manual_seed(0)
        method = build_method(name, build_backbone("digits:dropout=0", (1, 16, 16), batch_norm=policy), 3)
        for _ in method.stages()[-1].steps(batch, 0.5):
            pass
        return [buffer.clone() for buffer in method.groups()["backbone"].buffers()]

    batch = one_batch()
    brighter = replace(batch, source=replace(batch.source, images=batch.source.images * 3 + 1))
    assert all(torch.equal(a, b) for a, b in zip(after_a_step(batch), after_a_step(brighter)))


PASSES = """
import torch
from isthmus.data.batches import Labelled, Unlabelled, UnsupervisedBatch
from isthmus.methods import build_method
from isthmus.nn.backbones import build_backbone

source, target = torch.zeros(4, 1, 16, 16), torch.ones(4, 1, 16, 16)
method = build_method("adabn+dfa:align=latents", build_backbone("digits:dropout=0", (1, 16, 16)), 3)
seen = []
method.method.backbone.register_forward_pre_hook(lambda _, images: seen.append(round(float(images[0].mean()))))
for _ in method.steps(UnsupervisedBatch(Labelled(source, torch.tensor([0, 1, 2, 0])), Unlabelled(target)), 0.5):
    pass
print(seen[-2:])
"""


def test_every_process_passes_the_domains_in_the_same_order() -> None:
    """Processes average the statistics of their passes one by one; strings hash differently in each of them."""

    def run(code: str, seed: int) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        ).stdout

    orders = {run("print(*{'source', 'target'})", seed): seed for seed in range(12)}
    assert len(orders) == 2
    assert [run(PASSES, seed).strip() for seed in orders.values()] == ["[0, 1]"] * 2


def test_updates_that_both_have_more_to_do_are_not_joined() -> None:
    def update() -> Update:
        return Update(torch.zeros(()), on=("head",), then=lambda reach: None)

    with pytest.raises(ValueError, match="both have"):
        update() & update()


@pytest.mark.parametrize("name", ["dfa_ent:entropy_weight=0", "source_only+dfa:alpha=0", "source_only+dfa:beta=0"])
def test_a_weight_of_zero_leaves_a_loss_out(name: str) -> None:
    """The ablation of a term: it is logged and trains nothing."""
    method = build(name)
    update = list(method.steps(one_batch(), 0.5))[0 if "alpha" in name else 1]
    weighed = {"entropy_weight": "entropy", "alpha": "kld", "beta": "dal"}[name.split("=")[0].split(":")[1]]
    assert update.log[weighed] > 0
    assert any(objective.loss == 0 for objective in update.objectives)


def test_a_negative_weight_is_refused_by_the_name_it_was_given() -> None:
    with pytest.raises(OptionError, match="`entropy_weight` of at least 0"):
        build("dfa_ent:entropy_weight=-1")


def test_what_joined_updates_log_is_all_kept() -> None:
    logs = {name for update in updates("symnets+entropy") for name in update.log}
    assert logs == {"task", "domain", "category_confusion", "domain_confusion", "paired_entropy", "entropy"}
    one, other = (Update(torch.zeros(()), on=("head",), log={"task": torch.zeros(())}) for _ in range(2))
    with pytest.raises(ValueError, match=r"different names, but both have \['task'\]"):
        one & other


@pytest.mark.parametrize(("policy", "passes"), [("separate", [1, 1, 1, 1, 1]), ("joint", [1, 2, 2, 2])])
def test_mcd_narrows_on_what_it_widened(policy: BatchNormPolicy, passes: list[int]) -> None:
    """Under a common batch norm all passes of the target are beside the source."""
    batch = one_batch()
    backbone = build_backbone("digits:dropout=0", (1, 16, 16), batch_norm=policy)
    found: list[int] = []
    backbone.register_forward_hook(lambda module, inputs, output: found.append(len(output)))
    method = build_method("mcd:generator_steps=3", backbone, 3)
    narrowed = [update.log["narrowed"] for update in method.steps(batch, 0.5) if "narrowed" in update.log]
    assert found == [count * len(batch.source.images) for count in passes]
    # No step was taken, so the target's features are the same each time.
    torch.testing.assert_close(torch.stack(narrowed), narrowed[0].expand(3))


@pytest.mark.parametrize("layout", ["flat", "channel"])
@pytest.mark.parametrize("reduction", ["element_mean", "batch_mean"])
def test_the_divergence_of_each_layout_and_reduction(reduction: str, layout: str) -> None:
    """(17), a distribution at a time: one an image, or one for each of the 2×2 places that 20×20 pixels leave."""
    images = torch.rand(2, 4, 1, 20, 20, generator=torch.Generator().manual_seed(0)).double()
    batch = UnsupervisedBatch(Labelled(images[0], torch.tensor([0, 1, 2, 0])), Unlabelled(images[1]))
    torch.manual_seed(0)
    name = f"source_only+dfa:reduction={reduction},layout={layout}"
    method = build_method(name, build_backbone("digits:dropout=0", (1, 20, 20)), 3).double()
    features = method.groups()["backbone"](images[0])
    drawn = batch.noise(48 * 4)
    divergences = []
    for image in range(4):
        for place in range(4) if layout == "channel" else [slice(None)]:
            z, f = (values[image].view(48, 4)[:, place].flatten().tolist() for values in (drawn, features))
            mass_z, mass_f = (sum(math.exp(value) for value in values) for values in (z, f))
            q, p = [math.exp(value) / mass_z for value in z], [math.exp(value) / mass_f for value in f]
            divergences.append(sum(a * math.log(a / b) for a, b in zip(q, p)))
    expected = sum(divergences) / len(divergences)
    if reduction == "element_mean":
        expected /= 48 if layout == "channel" else 192
    (found,) = (update.log["kld"].item() for update in method.steps(batch, 0.5) if "kld" in update.log)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "side"), [("symnets+entropy", "target"), ("symnets:without=target_task+entropy", "source")]
)
def test_the_entropy_is_that_of_the_classifier_that_gives_the_result(name: str, side: str) -> None:
    method, batch = build(name).double(), one_batch().to(Layout(torch.device("cpu"), torch.float64))
    (update,) = method.steps(batch, 0.5)
    groups = method.groups()
    p = groups["head"].get_submodule(side)(groups["backbone"](batch.target.images)).softmax(dim=1)
    assert p.shape == (len(batch.target.images), 3)
    torch.testing.assert_close(update.log["entropy"], -(p * p.log()).sum() / len(p))


def test_a_term_keeps_the_methods_rates_by_depth() -> None:
    joined = build("dann+entropy")
    layers = [module for module in joined.groups()["backbone"].modules() if isinstance(module, nn.Conv2d)]
    factors = joined.stage_rates(0.5)
    assert [factors[layer.weight] for layer in layers] == [0.5, 1.0]


class Refusing(SourceOnly):
    """A method that refuses every plan."""

    def check(self, plan: Plan) -> None:
        raise OptionError("Expected another plan.")


def test_what_a_method_refuses_it_refuses_with_terms_too() -> None:
    method = Refusing(build_backbone("digits:dropout=0", (1, 16, 16)), 3)
    with pytest.raises(OptionError, match="another plan"):
        Combined(method, Entropy(method)).check(Plan((1, 16, 16), epochs=4))


@pytest.mark.parametrize(("policy", "passed"), [("separate", [8, 8]), ("joint", [16])])
def test_terms_join_updates_that_are_themselves_joined(policy: BatchNormPolicy, passed: list[int]) -> None:
    """SymNets' two: all is one step, and nothing is passed through the backbone for the terms alone."""
    backbone = build_backbone("digits:dropout=0", (1, 16, 16), batch_norm=policy)
    method, seen = build_method("symnets+entropy+dfa", backbone, 3), []
    backbone.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    (update,) = method.steps(one_batch(), 0.5)
    assert {"entropy", "kld", "dal"} <= update.log.keys()
    assert seen == passed
