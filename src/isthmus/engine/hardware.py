"""Where training runs: Lightning Fabric's own options, passed through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from isthmus.checks import one_of, whole
from isthmus.errors import IsthmusError, OptionError
from isthmus.progress import waiting

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.loggers.logger import Logger

T = TypeVar("T")

STRATEGIES = ("auto", "ddp")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")


@dataclass(frozen=True)
class Hardware:
    """Devices, processes and precision.

    Attributes:
        accelerator: `auto`, `cpu`, `cuda`, `mps`.
        devices: number of processes on each node, one a device; -1 for all devices.
        num_nodes: number of machines.
        strategy: `auto`, or `ddp` for several processes.
        precision: `32-true`, `bf16-mixed`, `16-mixed` (GPU) or `64-true`.
        workers: processes that read data ahead, per domain; 0 reads in the training process.
        tensorboard: whether to write TensorBoard logs beside `metrics.csv`.
    """

    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    workers: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        one_of(STRATEGIES, strategy=self.strategy)
        one_of(PRECISIONS, precision=self.precision)
        whole(1, num_nodes=self.num_nodes)
        whole(0, workers=self.workers)
        if self.devices != -1:
            whole(1, devices=self.devices)

    @waiting("Starting …")
    def fabric(self) -> Fabric:
        """A launched Fabric.

        Raises:
            OptionError: this machine cannot do what was asked.
        """
        from lightning.fabric import Fabric

        try:
            fabric = Fabric(
                accelerator=self.accelerator,
                devices=self.devices,
                num_nodes=self.num_nodes,
                strategy=self.strategy,
                precision=self.precision,  # type: ignore[arg-type]
            )
            if self.precision == "16-mixed" and fabric.device.type == "cpu":
                raise OptionError(
                    "Expected a GPU for `precision` 16-mixed, but got a CPU. Use `--precision bf16-mixed`."
                )
            fabric.launch()
        except OptionError:
            raise
        except Exception as error:  # Fabric's refusals are of many types
            raise OptionError(f"Lightning Fabric refuses these options: {error}") from error
        return fabric

    def tensorboard_logger(self, folder: Path) -> Logger | None:
        """A TensorBoard logger that writes into `folder`, if asked for.

        Raises:
            OptionError: TensorBoard is not installed.
        """
        if not self.tensorboard:
            return None
        from lightning.fabric.loggers.tensorboard import TensorBoardLogger

        try:
            return TensorBoardLogger(folder, name="", version="tensorboard")
        except ModuleNotFoundError as error:
            raise OptionError(
                "TensorBoard logs need a package more. Run `pip install 'isthmus[tensorboard]'`."
            ) from error


def on_first_process(fabric: Fabric, work: Callable[[], T]) -> T | None:
    """What `work` gives on the first process, None on the others, which wait for it; what it refuses, all refuse."""
    result: T | None = None
    refusal: Exception | None = None
    if fabric.is_global_zero:
        try:
            result = work()
        except (IsthmusError, OSError) as error:
            refusal = error
    if refusal := fabric.broadcast(refusal):
        raise refusal
    return result
