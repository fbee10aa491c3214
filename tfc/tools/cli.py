"""The command `tfc`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from tfc.version import VERSION


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfc", description="TensorFlow 1 graphs, compiled to native code.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"tfc {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_dump_ir(commands)
    _add_api(commands)
    commands.add_parser("passes", help="the pipeline, with the reason for each place")
    store = commands.add_parser(
        "cache", help="the machine code kept between runs: list, verify, clear"
    )
    store.add_argument("action", choices=("list", "verify", "clear"))
    commands.add_parser("info", help="versions, CPU, vector width, threads, options")
    return parser


def _add_api(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    api = commands.add_parser(
        "api",
        help="which of TensorFlow 1's public names exist, with which signatures",
        description=(
            "Compare the public names with a recording of TensorFlow 1's: same, different "
            "signature, missing; most used first, with the number of programs that use each."
        ),
        allow_abbrev=False,
    )
    api.add_argument(
        "family", nargs="*", help="only names in it: nn, train, tf.sparse, or a pattern: 'string_*'"
    )
    api.add_argument("--api", metavar="DIR", help="folder of tf1_api.json and frequency.csv")
    api.add_argument("--missing", action="store_true", help="list only what is missing")
    api.add_argument("--json", action="store_true", help="as JSON")


def _add_dump_ir(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    dump = commands.add_parser(
        "dump-ir",
        help="run a program and show the IR of what it compiled",
        description=(
            "Run a program, or compile the functions of an .ir file, and show the IR of each "
            "signature after every pass. The program's own output goes to stderr. Its arguments "
            "come after `--`."
        ),
        usage="tfc dump-ir [options] (SCRIPT.py | FILE.ir | -m MODULE) [-- argument ...]",
        allow_abbrev=False,
    )
    dump.add_argument("program", nargs="?", help="a Python script, or a file of functions")
    dump.add_argument(
        "-m", dest="module", metavar="MODULE", help="a module, as `python -m` runs it"
    )
    what = dump.add_mutually_exclusive_group()
    what.add_argument("--after", metavar="PASS", help="only the IR after this pass")
    what.add_argument("--before", metavar="PASS", help="only the IR that this pass was given")
    what.add_argument("--diff", metavar="PASS", help="what this pass changed")
    what.add_argument("--list", action="store_true", help="only the signatures, with op counts")
    what.add_argument(
        "--autodiff", action="store_true", help="only the ops that tf.gradients added to the graph"
    )
    what.add_argument("--llvm", action="store_true", help="the LLVM IR instead")
    what.add_argument("--asm", action="store_true", help="the machine code instead, as assembly")
    what.add_argument(
        "--times",
        action="store_true",
        help="milliseconds of each pass and kernel instead: text, parse, emit",
    )
    what.add_argument("--all", action="store_true", help="everything, as files; needs -o")
    dump.add_argument("-o", dest="output", metavar="DIR", help="folder for --all")
    dump.add_argument("--signature", type=int, metavar="N", help="only that signature; see --list")


def main(argv: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run the command line `argv`. The exit status: 0, 1 for a failure, 2 for wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    out = out or sys.stdout
    cut = argv.index("--") if "--" in argv else len(argv)
    parser = make_parser()
    args = parser.parse_args(argv[:cut])
    arguments = argv[cut + 1 :]
    if arguments and args.command != "dump-ir":
        parser.error(f"{args.command} takes no arguments after --")
    try:
        if args.command == "passes":
            return _show_passes(out)
        if args.command == "api":
            from tfc.tools import api

            try:
                return api.run(out, args.family, args.api, args.missing, args.json)
            except api.UsageError as error:
                print(f"tfc api: {error}", file=sys.stderr)
                return 2
        if args.command == "cache":
            from tfc.tools import cache

            return cache.run(args.action, out)
        if args.command == "info":
            from tfc.tools import info

            return info.run(out)
        return _dump_ir(parser, args, arguments, out)
    except BrokenPipeError:
        # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _show_passes(out: TextIO) -> int:
    from tfc.passes.pipeline import ORDER, PIPELINE, REQUIRED

    out.write("The pipeline, after `lower` has made a function of primitives from the graph:\n")
    for place in PIPELINE:
        always = " (always runs)" if place.name in REQUIRED else ""
        out.write(f"  {place.name:<9} {place.reason}{always}\n")
    out.write("What must stand before what:\n")
    for before, after, reason in ORDER:
        out.write(f"  {before} before {after}: {reason}\n")
    return 0


def _dump_ir(
    parser: argparse.ArgumentParser, args: argparse.Namespace, arguments: list[str], out: TextIO
) -> int:
    from tfc.ir.attrs import ParseError
    from tfc.tools import dump_ir

    if (args.program is None) == (args.module is None):
        parser.error("dump-ir takes a script, an .ir file, or -m MODULE")
    if args.all != (args.output is not None):
        parser.error("--all and -o DIR go together")
    args.arguments = arguments
    try:
        return dump_ir.command(args, out)
    except (dump_ir.UsageError, ParseError, OSError) as error:
        print(f"tfc dump-ir: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
