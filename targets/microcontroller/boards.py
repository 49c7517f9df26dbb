"""Parts that can be bought, as data. Sizes and clocks are their makers' own; RAM is its largest piece.

Cycles per emulated instruction were compared with published boards for two cores only (published milliseconds of the
MLPerf Tiny models against counts of the same kernels in the emulator): the Cortex-M33, 1.3 to 1.7, and the M85, 0.9 to
1.2. The other ranges are assumed, wide around what the manuals say about issue width and load latency, and say so.
"""

from __future__ import annotations

from edgekit.core import Board

KB = 1024
MB = 1024 * KB
MHZ = 1e6

_ASSUMED = "Cycles: assumed, no board was compared."

BOARDS = (
    Board(
        "nucleo-l152re",
        processor="cortex-m3",
        flash=512 * KB,
        ram=80 * KB,
        clock=32 * MHZ,
        cycles=(1.2, 2.2),
        note=f"ST's data sheet of the STM32L152RE. {_ASSUMED}",
    ),
    Board(
        "nucleo-l4r5zi",
        processor="cortex-m4",
        flash=2 * MB,
        ram=640 * KB,
        clock=120 * MHZ,
        cycles=(1.2, 2.0),
        note="ST's data sheet of the STM32L4R5ZI. Cycles: assumed, the M33's range and a little more on both sides.",
    ),
    Board(
        "nrf52840-dk",
        processor="cortex-m4",
        flash=1 * MB,
        ram=256 * KB,
        clock=64 * MHZ,
        cycles=(1.2, 2.0),
        note="Nordic's product specification. Cycles: assumed, the M33's range and a little more on both sides.",
    ),
    Board(
        "raspberry-pi-pico-2",
        processor="cortex-m4",
        flash=4 * MB,
        ram=520 * KB,
        clock=150 * MHZ,
        cycles=(1.3, 1.7),
        note="Raspberry Pi's data sheet of the RP2350: a Cortex-M33, which has the M4's DSP extension and runs its "
        "code. Flash is outside the chip, behind a cache. Cycles: published M33 boards against emulated counts.",
    ),
    Board(
        "nucleo-h7a3zi-q",
        processor="cortex-m7",
        flash=2 * MB,
        ram=1 * MB,
        clock=280 * MHZ,
        cycles=(0.6, 1.4),
        note=f"ST's data sheet of the STM32H7A3ZI; of its 1.4 MB of RAM the largest piece. Two instructions at a "
        f"time. {_ASSUMED}",
    ),
    Board(
        "mps3-an547",
        processor="cortex-m55",
        flash=2 * MB,
        ram=2 * MB,
        clock=32 * MHZ,
        cycles=(1.0, 2.2),
        note="Arm's application note 547 (Corstone-300 in an FPGA), the board that is emulated. A Helium instruction "
        f"takes two cycles, two can overlap. {_ASSUMED}",
    ),
    Board(
        "alif-ensemble-e7",
        processor="cortex-m55",
        flash=5632 * KB,
        ram=4 * MB,
        clock=400 * MHZ,
        cycles=(1.0, 2.2),
        note="Alif's data sheet: the high performance core; the largest piece of its RAM. A Helium instruction takes "
        f"two cycles, two can overlap. {_ASSUMED}",
    ),
    Board(
        "esp32-c3-devkitm-1",
        processor="riscv32",
        flash=4 * MB,
        ram=320 * KB,
        clock=160 * MHZ,
        cycles=(1.1, 2.5),
        note="Espressif's data sheet of the ESP32-C3 (rv32imc): of its 400 KB of RAM what its system leaves. Flash is "
        f"outside the chip, behind a cache. {_ASSUMED}",
    ),
)

#: Family of Arm's Ethos-U -> multiplications in a cycle, of the units that its compiler Vela knows.
_ETHOS_U = {"U55": (32, 64, 128, 256), "U65": (256, 512), "U85": (128, 256, 512, 1024, 2048)}
#: Accelerators beside a Cortex-M55. Chips with the same unit differ in memory: the target's budgets hold.
UNITS = tuple(
    Board(
        f"{family}-{size}".lower(),
        processor="cortex-m55",
        note=f"Arm's Ethos-{family} with {size} multiplications in a cycle, as Vela 5.2.0 lists it.",
        runtime="ethos-u",
        unit=f"Ethos-{family}-{size}",
    )
    for family, sizes in _ETHOS_U.items()
    for size in sizes
)


def boards_of(processor: str) -> dict[str, Board]:
    """Name -> board, of a target."""
    return {board.name: board for board in (*BOARDS, *UNITS) if board.processor == processor}
