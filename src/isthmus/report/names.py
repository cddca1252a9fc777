"""Names of methods, which are long: where they may be broken."""

from __future__ import annotations

import re


def pieces(name: str) -> list[str]:
    """The parts that a name can be broken into: before `+` and `:`, after `_` and `,`.

    >>> pieces("mtl_both+feature_adversary:lr=0.1,depths=out")
    ['mtl_', 'both', '+feature_', 'adversary', ':lr=0.1,', 'depths=out']
    """
    return [piece for piece in re.findall(r"[+:]?[^+:_,]*[_,]?", name) if piece]


def folded(name: str, width: int) -> str:
    """A name on lines of at most `width` characters where it has places to break; terms and options on new ones.

    >>> print(folded("mtl_source_anchor+feature_adversary", 12))
    mtl_source_
    anchor
    +feature_
    adversary
    """
    lines = [""]
    for piece in pieces(name):
        if lines[-1] and (piece[0] in "+:" or len(lines[-1]) + len(piece) > width):
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
