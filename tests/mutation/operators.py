"""Operators: small changes of a module's source, one at a time.

Annotations, docstrings, `__all__`, aliases of types, f-strings and the texts of raised errors are
left alone: the type checkers and the pinned face guard these.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeGuard

from attrs import frozen

__all__ = ["Change", "changes_of"]

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: Final[dict[type[ast.operator], str]] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
_SYMBOLS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_TWINS: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_NEEDLESS: Final = {"strip", "lstrip", "rstrip", "lower", "upper", "casefold", "copy", "clear"}
_MARK: Final = "XX"

Read = Callable[[ast.AST], str]


@frozen
class Change:
    """A text that replaces a part of a source; positions count bytes."""

    operator: str
    function: str
    """The qualified name of the outermost function; "" at the top of a module or a class."""
    function_lines: tuple[int, int]
    """The first line of its body, and the last one."""
    line: int
    last_line: int
    start: int
    end: int
    text: str


def changes_of(source: str) -> list[Change]:
    """Return all changes of a module, in the order of its text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return sorted(finder.changes, key=lambda change: (change.start, change.end, change.text))


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.changes: list[Change] = []
        self._bytes = source.encode()
        lengths = [len(line) for line in self._bytes.splitlines(keepends=True)]
        self._starts = [sum(lengths[:number]) for number in range(len(lengths))]
        self._names: list[str] = []
        self._function, self._function_lines = "", (0, 0)
        self._is_error = False
        self._parents: list[ast.AST] = []

    # The walk, and the nodes that it skips.

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            if _is_left_alone(node) or (not self._function and _is_alias(node)):
                return
            self._add_all(node, _of_statement(node, self._text))
        elif isinstance(node, ast.expr) and not self._is_text_of_error(node):
            self._add_all(node, _of_expression(node, self._text))
        if isinstance(node, (ast.List, ast.Set, ast.Dict)) or self._is_collection(node):
            self._drop_elements(node)
        if isinstance(node, (ast.If, ast.While)):
            is_loop = isinstance(node, ast.While)
            self._add_all(node.test, _of_condition(node.test, self._text, is_loop=is_loop))
        self._parents.append(node)
        super().visit(node)
        self._parents.pop()

    def _is_collection(self, node: ast.AST) -> TypeGuard[ast.Tuple]:
        """Whether a tuple is a collection and no record, judged by its place."""
        if not isinstance(node, ast.Tuple) or isinstance(node.ctx, ast.Store):
            return False
        match self._parents[-1]:
            case ast.Call(func=ast.Name()):
                return True
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                return True
            case ast.Assign() | ast.AnnAssign() | ast.For() | ast.comprehension() | ast.Starred():
                return True
        return isinstance(self._parents[-1], ast.ExceptHandler)

    def _is_text_of_error(self, node: ast.expr) -> bool:
        return self._is_error and isinstance(node, ast.Constant) and isinstance(node.value, str)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        for expression in defaults:
            self.visit(expression)
        outer = self._function
        self._names.append(node.name)
        if not outer:
            self._function = ".".join(self._names)
            self._function_lines = node.body[0].lineno, node.end_lineno or node.lineno
        for statement in node.body:
            self.visit(statement)
        self._function = outer
        self._names.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        pair = isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
        for child in (
            node.value.elts if pair and isinstance(node.value, ast.Tuple) else [node.value]
        ):
            self.visit(child)

    def visit_Return(self, node: ast.Return) -> None:
        if isinstance(node.value, ast.Tuple):
            for child in node.value.elts:
                self.visit(child)
        elif node.value is not None:
            self.visit(node.value)

    def visit_For(self, node: ast.For) -> None:
        for child in (node.iter, *node.body, *node.orelse):
            self.visit(child)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._is_error = True
        self.generic_visit(node)
        self._is_error = False

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in {"cast", "TypeVar"}:
            for argument in node.args[1:]:
                self.visit(argument)
        else:
            self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for child in values:
            self.visit(child)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if not isinstance(node.slice, ast.Tuple):
            self.visit(node.slice)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Skip f-strings."""

    def visit_Yield(self, node: ast.Yield) -> None:
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for child in filter(None, values):
            self.visit(child)

    # Positions and texts.

    def _drop_elements(self, node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> None:
        """Add changes that drop one element of a collection and the comma beside it."""
        keys: list[ast.expr] = []
        if isinstance(node, ast.Dict):
            keys = [key or value for key, value in zip(node.keys, node.values, strict=True)]
            values = node.values
        else:
            keys = values = node.elts
        if len(keys) < 2:
            return
        if len(keys) == 2 and isinstance(node, ast.Tuple):
            for kept in keys:
                self._add(
                    "dropped element", node.lineno, *self._span(node), f"({self._text(kept)},)"
                )
            return
        starts = [self._span(key)[0] for key in keys]
        ends = [self._span(value)[1] for value in values]
        for number, key in enumerate(keys):
            if number + 1 < len(keys):
                start, end = starts[number], starts[number + 1]
            else:
                start, end = ends[number - 1], ends[number]
            self._add("dropped element", key.lineno, start, end, "")

    def _add_all(self, node: ast.stmt | ast.expr, variants: Iterator[tuple[str, str]]) -> None:
        start, end = self._span(node)
        for operator, text in variants:
            self._add(operator, node.lineno, start, end, text)

    def _add(self, operator: str, line: int, start: int, end: int, text: str) -> None:
        if self._bytes[start:end].decode() != text:
            last_line = line + self._bytes[start:end].count(b"\n")
            where = self._function, self._function_lines, line, last_line
            self.changes.append(Change(operator, *where, start, end, text))

    def _span(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def _text(self, node: ast.AST) -> str:
        if not isinstance(node, (ast.stmt, ast.expr)):
            return ast.unparse(node)
        start, end = self._span(node)
        return self._bytes[start:end].decode()


def _is_left_alone(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _is_alias(node: ast.stmt) -> bool:
    """Whether a statement at the top defines an alias of a type."""
    if not isinstance(node, ast.Assign):
        return False
    value = node.value
    return isinstance(value, ast.Subscript) or (
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    )


def _of_statement(node: ast.stmt, text: Read) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Return(value=None) | ast.Raise() | ast.Delete() | ast.Expr(value=ast.Call()):
            yield "deleted statement", "pass"
        case ast.Return(value=ast.Constant(value=None)):
            pass
        case ast.Return():
            yield "return value", "return None"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.AugAssign():
            yield "deleted statement", "pass"
        case ast.Break():
            yield "loop", "continue"
        case ast.Continue():
            yield "loop", "break"
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        symbol = _ARITHMETIC[type(node.op)]
        yield "arithmetic", f"{text(node.target)} {symbol}= {text(node.value)}"


def _of_condition(test: ast.expr, text: Read, *, is_loop: bool) -> Iterator[tuple[str, str]]:
    """Yield other conditions; the operators of expressions negate comparisons and `not`."""
    is_turned = isinstance(test, ast.Compare) and len(test.ops) == 1
    if not is_turned and not isinstance(test, ast.UnaryOp):
        yield "condition", f"(not ({text(test)}))"
    if not is_loop:
        yield "condition", "True"
    yield "condition", "False"


def _of_expression(  # noqa: C901, PLR0912  # one match has a case for each kind
    node: ast.expr, text: Read
) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Compare():
            yield from _of_comparison(node, text)
        case ast.BoolOp(op=op, values=values):
            word, other = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            texts = [f"({text(value)})" for value in values]
            yield "boolean", f"({f' {other} '.join(texts)})"
            for number in range(len(texts)):
                rest = texts[:number] + texts[number + 1 :]
                yield "dropped operand", f"({f' {word} '.join(rest)})"
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "dropped not or minus", f"({text(operand)})"
        case ast.BinOp(left=ast.Constant(value=str() | bytes()), op=ast.Mod()):
            pass  # a format
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            yield "arithmetic", f"({text(left)} {_ARITHMETIC[type(op)]} {text(right)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "swapped branches", f"({text(orelse)} if {text(test)} else {text(body)})"
            yield "one branch", f"({text(body)})"
            yield "one branch", f"({text(orelse)})"
        case ast.Constant(value=value):
            yield from (("constant", other) for other in _other_constants(value))
        case ast.Call():
            yield from _of_call(node, text)
        case ast.Lambda(args=arguments):
            nothing = ast.Lambda(args=arguments, body=ast.Constant(value=None))
            yield "return value", f"({ast.unparse(nothing)})"
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from _of_comprehension(node)
        case ast.Slice(lower=lower, upper=upper, step=step):
            for less in (
                ast.Slice(lower=None, upper=upper, step=step),
                ast.Slice(lower=lower, upper=None, step=step),
            ):
                yield "slice", ast.unparse(less)


def _of_comparison(node: ast.Compare, text: Read) -> Iterator[tuple[str, str]]:
    parts = [text(node.left)]
    for operator, right in zip(node.ops, node.comparators, strict=True):
        parts += [_SYMBOLS[type(operator)], text(right)]
    for number, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            changed = [*parts[: 2 * number + 1], other, *parts[2 * number + 2 :]]
            yield "comparison", f"({' '.join(changed)})"


def _other_constants(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield repr(not value)
    elif isinstance(value, (int, float)):
        yield repr(value + 1)
        if value != 0:
            yield repr(value - 1)
    elif isinstance(value, str) and " " not in value:  # else it is for people
        yield repr(_MARK + value)
    elif isinstance(value, bytes):
        yield repr(_MARK.encode() + value)


def _of_call(node: ast.Call, text: Read) -> Iterator[tuple[str, str]]:
    arguments = [text(argument) for argument in node.args]
    keywords = [f"{word.arg}={text(word.value)}" if word.arg else f"**{text(word.value)}"
                for word in node.keywords]  # fmt: skip
    called = text(node.func)
    for number, keyword in enumerate(node.keywords):
        if keyword.arg:
            rest = [*arguments, *keywords[:number], *keywords[number + 1 :]]
            yield "dropped keyword", f"{called}({', '.join(rest)})"
    if len(arguments) > 1 and not any(isinstance(given, ast.Starred) for given in node.args[:2]):
        swapped = [arguments[1], arguments[0], *arguments[2:], *keywords]
        yield "swapped arguments", f"{called}({', '.join(swapped)})"
    match node.func:
        case ast.Name(id=name) if name in _TWINS and not (name == "sorted" and keywords):
            yield "other function", f"{_TWINS[name]}({', '.join([*arguments, *keywords])})"
        case ast.Name(id="reversed" | "abs"):
            yield "dropped call", arguments[0]
        case ast.Attribute(value=value, attr=name) if name in _NEEDLESS and not arguments:
            yield "dropped call", f"({text(value)})"


def _of_comprehension(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
) -> Iterator[tuple[str, str]]:
    """Yield a comprehension without one of its conditions."""
    for clause in node.generators:
        conditions = clause.ifs
        for rest in _without_one(conditions, least=1):
            clause.ifs = rest
            yield "dropped condition", ast.unparse(node)
        clause.ifs = conditions


def _without_one(parts: list[Any], least: int = 2) -> Iterator[list[Any]]:
    if len(parts) >= least:
        for number in range(len(parts)):
            yield parts[:number] + parts[number + 1 :]
