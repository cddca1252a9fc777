"""Names with options, and the nearest names of a misspelt one."""

from __future__ import annotations

import pytest

from isthmus.errors import OptionError
from isthmus.methods.registry import check_options
from isthmus.names import Name, build, unknown


def make(first: int, /, *, whole: int = 1, share: float = 0.5, text: str = "a", flag: bool = False) -> object:
    return first, whole, share, text, flag


class Made:
    def __init__(self, *, width: int | None = None) -> None:
        self.width = width


@pytest.mark.parametrize("text", ["a", "a:b=1", "a:b=1,c=x", "resnet18:pretrained=false", "a:b=x=y"])
def test_a_name_is_written_as_it_was_read(text: str) -> None:
    assert str(Name.parse(text)) == text


@pytest.mark.parametrize("text", ["a:", "a:b", "a:=1", "a:b=1,", "a:,b=1", "a:b=1,c"])
def test_options_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"Expected options as `a:key=value,key=value`, but got `a:"):
        Name.parse(text)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="`b` twice"):
        Name.parse("a:b=1,b=2")


def test_options_are_read_by_their_types() -> None:
    assert build(make, Name.parse("make:whole=3,share=2,text=7,flag=true"), 0) == (0, 3, 2.0, "7", True)
    assert build(make, Name.parse("make"), 4) == (4, 1, 0.5, "a", False)
    assert build(Made, Name.parse("made:width=3")).width == 3
    assert build(Made, Name.parse("made:width=null")).width is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("make:whole=x", "Expected `whole` of `make` as `int`, but got `x`."),
        ("make:whole=1.5", "Expected `whole` of `make` as `int`, but got `1.5`."),
        ("make:share=much", "Expected `share` of `make` as `float`, but got `much`."),
        ("make:flag=maybe", "Expected `flag` of `make` as `bool`, but got `maybe`."),
        ("make:wholes=1", "`make` has no option `wholes`; its options are: `whole`, `share`, `text`, `flag`."),
        ("make:first=1", "`make` has no option `first`; its options are: `whole`, `share`, `text`, `flag`."),
        ("make:help=1", "`make` has no option `help`; its options are: `whole`, `share`, `text`, `flag`."),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(OptionError) as refusal:
        build(make, Name.parse(text), 0)
    assert str(refusal.value) == message


def test_the_choices_of_an_option_are_told() -> None:
    for text, choices in (
        ("symnets:without=x", "`target_task`, `entropy`, `confusion`, `category_confusion`"),
        ("source_only+dfa:reduction=x", "`element_mean`, `batch_mean`"),
        ("dfa_ent:align=x", "`prior`, `target_prior`, `decodings`, `latents`, `latents_and_images`"),
    ):
        with pytest.raises(OptionError, match=f"as one of {choices}, but got `x`."):
            check_options(text)


def test_the_nearest_names_come_first() -> None:
    known = ["dann", "symnets", "source_only"]
    assert "did you mean `symnets`?" in str(unknown("method", "symnet", known, "List."))
    assert "did you mean `source_only`?" in str(unknown("method", "source-only", known, "List."))
    assert str(unknown("method", "xyzzy", known, "List.")) == "Unknown method `xyzzy`. List."
