"""`tfc dump-ir`: the IR of a program after each pass, as text that parses back.

A program is run as it is, with its own output on stderr, and every compilation it causes is noted;
a stored `.ir` file goes through the pipeline directly. What is shown does not depend on time,
addresses or the order of hashes, so two runs give the same text; but for the option that asks for
times.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, TextIO

from tfc import compiler, prims
from tfc.base.records import dataclass
from tfc.codegen.costs import kernel_costs
from tfc.codegen.module import NativeCode
from tfc.framework import gradients
from tfc.framework.graph import reset_default_graph
from tfc.ir.core import Function
from tfc.ir.text import parse_all, print_function, print_graph
from tfc.tiers import background

FIRST = "lower"  # the name of what the pipeline is given


class UsageError(Exception):
    """What was asked for does not exist."""


@dataclass(frozen=True)
class Dump:
    """One compiled signature: the function after each pass, by name and in order."""

    number: int
    signature: str
    functions: dict[str, Function]
    record: compiler.CompilationRecord

    @staticmethod
    def of(number: int, record: compiler.CompilationRecord) -> Dump:
        functions = {FIRST: record.lowered}
        functions.update((done.name, done.fn) for done in record.passes)
        return Dump(number, record.signature, functions, record)

    def after(self, name: str) -> Function:
        """The function after pass `name`. Raises UsageError for an unknown one."""
        if name not in self.functions:
            raise UsageError(f"no pass {name!r} ran; these did: {', '.join(self.functions)}")
        return self.functions[name]

    def before(self, name: str) -> Function:
        """The function that pass `name` was given."""
        self.after(name)
        names = list(self.functions)
        if name == FIRST:
            raise UsageError(f"nothing stands before {FIRST}")
        return self.functions[names[names.index(name) - 1]]


@dataclass
class Run:
    """What a program did: signatures it compiled, the text of the ops that each of its calls of
    tf.gradients added, and whether it ended well."""

    dumps: list[Dump] = field(default_factory=list)
    gradients: list[str] = field(default_factory=list)
    ended_well: bool = True


def run_program(program: str, arguments: Sequence[str], is_module: bool) -> Run:
    """Run a script or module as `__main__`.

    An exception of the program is printed with its traceback and counts as its end.

    Raises:
      UsageError: there is no such script.
    """
    if not is_module and not Path(program).is_file():
        raise UsageError(f"no such file: {program}")
    reset_default_graph()  # names do not depend on what this process did before
    with _collecting() as run, _as_main(program, arguments, is_module):
        try:
            if is_module:
                runpy.run_module(program, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(program, run_name="__main__")
        except SystemExit as end:
            if end.code not in (None, 0):
                print(f"{program} exited with {end.code}", file=sys.stderr)
                run.ended_well = False
        except Exception:
            traceback.print_exc()
            run.ended_well = False
    return run


def run_file(path: str) -> Run:
    """Send every function of an `.ir` file through the pipeline and the code generator."""
    functions = parse_all(Path(path).read_text(encoding="utf-8"), prims.REGISTRY)
    with _collecting() as run:
        for function in functions:
            compiler.compile_function(function, f"@{function.name} of {Path(path).name}")
    return run


@contextlib.contextmanager
def _collecting() -> Iterator[Run]:
    run = Run()

    def compiled(record: compiler.CompilationRecord) -> None:
        run.dumps.append(Dump.of(len(run.dumps) + 1, record))

    def differentiated(operations: Sequence[Any]) -> None:
        run.gradients.append(print_graph(operations))

    compiler.observers.append(compiled)
    gradients.observers.append(differentiated)
    try:
        yield run
    finally:
        compiler.observers.remove(compiled)
        gradients.observers.remove(differentiated)


@contextlib.contextmanager
def _as_main(program: str, arguments: Sequence[str], is_module: bool) -> Iterator[None]:
    """sys.argv and sys.path as Python would set them, stdout on stderr."""
    argv, path = sys.argv, list(sys.path)
    sys.argv = [program, *arguments]
    sys.path.insert(0, "" if is_module else str(Path(program).resolve().parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.argv, sys.path[:] = argv, path


def select(dumps: Sequence[Dump], number: int | None) -> list[Dump]:
    """All dumps, or the one of that number. Raises UsageError for a number that is not there."""
    if number is None:
        return list(dumps)
    chosen = [dump for dump in dumps if dump.number == number]
    if not chosen:
        raise UsageError(f"no signature {number}: {len(dumps)} were compiled")
    return chosen


def header(dump: Dump, what: str) -> str:
    """Two comment lines, in IR's own syntax."""
    return f"// signature {dump.number}: {dump.signature}\n// {what}\n"


def show_list(dumps: Sequence[Dump], out: TextIO) -> None:
    """One paragraph for each signature: its number, what it is of, ops after each pass."""
    for dump in dumps:
        counts = ", ".join(f"{name} {len(fn.ops)}" for name, fn in dump.functions.items())
        out.write(f"{dump.number}: {dump.signature}\n   ops: {counts}\n")


def show_passes(dumps: Sequence[Dump], out: TextIO) -> None:
    """The function after each pass; where a pass changed nothing, only a line that says so."""
    for dump in dumps:
        previous = ""
        for name, function in dump.functions.items():
            text = print_function(function)
            if text == previous:
                out.write(header(dump, f"after {name}: no change") + "\n")
            else:
                out.write(header(dump, f"after {name}") + text + "\n")
            previous = text


def show_after(dumps: Sequence[Dump], name: str, out: TextIO) -> None:
    for dump in dumps:
        out.write(header(dump, f"after {name}") + print_function(dump.after(name)) + "\n")


def show_before(dumps: Sequence[Dump], name: str, out: TextIO) -> None:
    for dump in dumps:
        out.write(header(dump, f"before {name}") + print_function(dump.before(name)) + "\n")


def show_diff(dumps: Sequence[Dump], name: str, out: TextIO) -> None:
    """What pass `name` changed, as a unified diff with the whole function for context."""
    for dump in dumps:
        before = print_function(dump.before(name)).splitlines(keepends=True)
        after = print_function(dump.after(name)).splitlines(keepends=True)
        out.write(header(dump, f"what {name} changed"))
        lines = list(
            difflib.unified_diff(before, after, f"before {name}", f"after {name}", n=len(before))
        )
        out.writelines(lines or ["// nothing\n"])
        out.write("\n")


def show_llvm(dumps: Sequence[Dump], out: TextIO) -> None:
    for dump in dumps:
        out.write(f"; signature {dump.number}: {dump.signature}\n{dump.record.code.llvm}\n")


def show_assembly(dumps: Sequence[Dump], out: TextIO) -> None:
    for dump in dumps:
        out.write(f"# signature {dump.number}: {dump.signature}\n{dump.record.code.asm}\n")


def show_times(dumps: Sequence[Dump], out: TextIO) -> None:
    """Milliseconds of what each compilation did, and of each of its kernels compiled by itself;
    what is being optimised is waited for."""
    background.wait()
    for dump in dumps:
        code = dump.record.code
        out.write(header(dump, f"compiled in {dump.record.seconds * 1e3:.1f} ms"))
        out.write(f"{'ms':>8}  {'ops':>6}  pass\n")
        for done in dump.record.passes:
            out.write(f"{done.ms:>8.1f}  {done.ops:>6}  {done.name}\n")
        out.write(f"{'ms':>8}  step\n")
        for step, seconds in code.times.items():
            out.write(f"{seconds * 1e3:>8.1f}  {step}\n")
        if code.layout.fast:
            _show_versions(code, out)
        out.write(
            f"{'text':>8}{'parse':>8}{'fast':>8}{'emit':>8}  {'lines':>6}  {'calls':>6}  kernel\n"
        )
        for cost in kernel_costs(code.function(), code.target):
            what = f"{cost.symbol} {cost.hero}  {cost.origin}".rstrip()
            out.write(
                f"{cost.text:>8.1f}{cost.parse:>8.1f}{cost.fast:>8.1f}{cost.emit:>8.1f}  "
                f"{cost.lines:>6}  {cost.calls:>6}  {what}\n"
            )
        out.write("\n")


def _show_versions(code: NativeCode, out: TextIO) -> None:
    """What was done twice, or is to be."""
    fast, all_of_them = len(code.layout.fast), len(code.layout.defines)
    out.write(f"first version: {fast} of {all_of_them} kernels were compiled fast; ")
    if not code.later:
        out.write("it did not run twice, and was not optimised\n")
        return
    out.write("then optimised while it ran\n")
    for step, seconds in code.later.items():
        out.write(f"{seconds * 1e3:>8.1f}  {step} again\n")


def show_gradients(texts: Sequence[str], out: TextIO) -> None:
    """The ops of the graph that each call of tf.gradients added, in their order."""
    for number, text in enumerate(texts, 1):
        out.write(f"// tf.gradients call {number}: {text.count(chr(10))} ops\n{text}\n")


def write_all(dumps: Sequence[Dump], gradients_added: Sequence[str], folder: str) -> list[Path]:
    """Every signature's functions after each pass, LLVM IR and assembly, as files in `folder`.

    `1_train/00_lower.ir`, `1_train/01_simplify.ir`, … `1_train/kernels.ll`, `1_train/kernels.s`,
    and `gradients.txt` where the program called tf.gradients.
    """
    written = []
    if gradients_added:
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / "gradients.txt"
        with path.open("w", encoding="utf-8") as out:
            show_gradients(gradients_added, out)
        written.append(path)
    for dump in dumps:
        name = re.sub(r"\W+", "_", dump.signature).strip("_")[:40]
        home = Path(folder) / f"{dump.number}_{name}".rstrip("_")
        home.mkdir(parents=True, exist_ok=True)
        contents = {
            f"{index:02d}_{name}.ir": header(dump, f"after {name}") + print_function(function)
            for index, (name, function) in enumerate(dump.functions.items())
        }
        contents["kernels.ll"] = dump.record.code.llvm
        contents["kernels.s"] = dump.record.code.asm
        for file_name, content in contents.items():
            path = home / file_name
            path.write_text(content, encoding="utf-8")
            written.append(path)
    return written


def command(args: Any, out: TextIO) -> int:
    """The command, with arguments as `tools/cli.py` parsed them.

    The status is 0, or 1 if the program failed or compiled nothing.
    """
    if args.module is None and args.program.endswith(".ir"):
        run = run_file(args.program)
    else:
        is_module = args.module is not None
        run = run_program(args.module or args.program, args.arguments, is_module)
    if args.autodiff:
        show_gradients(run.gradients, out)
    elif not run.dumps:
        print("nothing was compiled", file=sys.stderr)
        return 1
    elif args.all:
        for path in write_all(select(run.dumps, args.signature), run.gradients, args.output):
            out.write(f"{path}\n")
    else:
        show(args, select(run.dumps, args.signature), out)
    return 0 if run.ended_well else 1


def show(args: Any, dumps: Sequence[Dump], out: TextIO) -> None:
    """What the options ask for."""
    if args.list:
        show_list(dumps, out)
    elif args.after:
        show_after(dumps, args.after, out)
    elif args.before:
        show_before(dumps, args.before, out)
    elif args.diff:
        show_diff(dumps, args.diff, out)
    elif args.llvm:
        show_llvm(dumps, out)
    elif args.times:
        show_times(dumps, out)
    elif args.asm:
        show_assembly(dumps, out)
    else:
        show_passes(dumps, out)
