"""One file per method, grouped by setting. A method turns a batch into updates; it never steps an optimiser itself."""

from isthmus.methods.base import Method as Method
from isthmus.methods.base import Stage as Stage
from isthmus.methods.base import Update as Update
from isthmus.methods.registry import build_method as build_method
from isthmus.methods.registry import method_entries as method_entries
from isthmus.methods.registry import register as register
from isthmus.methods.single_backbone import SingleBackbone as SingleBackbone
