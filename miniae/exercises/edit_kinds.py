"""Kinds of small edits of a formula: what students write in place of it, with a sentence each.

Each function yields (kind, sentence, new node) for a node of a formula.
"""

import ast
import itertools
import re
from copy import deepcopy

import numpy as np

from miniae.attention import softmax
from miniae.numerics import sigmoid, softplus

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "abs": np.abs,
    "sign": np.sign,
    "round": np.round,
    "square": np.square,
}
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "first": lambda x, axis=0, **_: np.take(x, 0, axis or 0),
    "last": lambda x, axis=0, **_: np.take(x, -1, axis or 0),
    "max": np.max,
    "min": np.min,
    "std": np.std,
    "median": np.median,
    "cumsum": lambda x, axis=0, **_: np.cumsum(x, axis),
}
WORDS = {
    "first": "the first entry alone",
    "last": "the last entry alone",
    "cumsum": "a running sum",
}
LOGS = {"log": np.log, "log2": np.log2, "log10": np.log10}
ACTIVATIONS = {"softmax": softmax, "exp": np.exp, "sigmoid": sigmoid}
CHOICES = {"maximum": np.maximum, "minimum": np.minimum}
COMPARED = {ast.Gt: ">", ast.Lt: "<"}
OTHERS = {
    "where": np.where,
    "log2": np.log2,
    "log10": np.log10,
    "softmax": softmax,
    "running": lambda x: np.cumsum(x, axis=-1),
    "but_first": lambda x, axis: without(x, axis or 0, 0),
    "but_last": lambda x, axis: without(x, axis or 0, -1),
    "stack": np.stack,
    "hstack": lambda *parts: np.hstack(parts),
    "turn": lambda x: x.swapaxes(1, 2),
}
KNOWN = {**FUNCTIONS, **REDUCTIONS, **CHOICES, **OTHERS}
NUMBERS = (0, 1, 2, 3, 4, 0.5)


def short(node):
    """Return an expression as text, without its middle part if it is long."""
    text = ast.unparse(node)
    return text if len(text) <= 50 else f"{text[:24]} ... {text[-20:]}"


def key_of(kind, text):
    """Return the key of an edit: its kind and where it is made, in lower case with underscores."""
    words = {"+": " plus ", "-": " minus ", "**": " power ", "*": " times ", "/": " over "}
    for sign, word in words.items():
        text = text.replace(sign, word)
    return "_".join(re.findall(r"[a-z0-9]+", f"{kind} {text}".lower()))[:80]


def edits_of(node, names):
    """Yield (kind, sentence, new node) for each edit of a node; `names` may take its place."""
    here = short(node)
    if isinstance(node, ast.BinOp):
        left, right = node.left, node.right
        yield "no", f"`{short(right)}` is missing in `{here}`", left
        minus = isinstance(node.op, ast.Sub)
        yield (
            "no",
            f"`{short(left)}` is missing in `{here}`",
            ast.UnaryOp(ast.USub(), right) if minus else right,
        )
        for name in sorted(names_in(node) - {*KNOWN}):
            yield (
                f"only_{name}",
                f"`{name}` stands in place of `{here}`",
                ast.Name(name, ast.Load()),
            )
        for kind, inner in brackets(node):
            yield f"bracket_{kind}", f"a bracket is in the wrong place in `{here}`", inner
        if isinstance(node.op, ast.Pow):
            factor = ast.BinOp(right, ast.Mult(), left)
            yield "times_in", f"it is `{short(factor)}` in place of `{here}`", factor
            for name in FUNCTIONS:
                words = f"`{name}` stands in place of the power in `{here}`"
                yield f"{name}_in", words, ast.Call(ast.Name(name, ast.Load()), [left], [])
        if type(node.op) in OPERATORS:
            for other, sign in OPERATORS.items():
                if other is not type(node.op):
                    words = f"`{sign}` stands in place of `{OPERATORS[type(node.op)]}` in `{here}`"
                    yield f"{other.__name__}_in", words, ast.BinOp(left, other(), right)
            exchanged = ast.BinOp(right, node.op, left)
            yield "exchanged", f"the two sides of `{here}` are exchanged", exchanged
    elif isinstance(node, ast.Name) and node.id in names:
        for other in names:
            if other != node.id:
                words = f"`{other}` stands in place of `{node.id}`"
                yield f"{other}_for", words, ast.Name(other, ast.Load())
        for number in (0, 1):
            yield f"{number}_for", f"{number} stands in place of `{node.id}`", ast.Constant(number)
    elif isinstance(node, ast.Attribute):
        yield "without_t", f"`{short(node.value)}` is not transposed", node.value
    elif isinstance(node, ast.Compare):
        for other in COMPARED:
            if not isinstance(node.ops[0], other):
                words = f"the comparison `{here}` is the wrong way round"
                yield "turned", words, ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.Call):
        if node.func.id == "turn":
            yield "without", f"`{short(node.args[0])}` is not transposed", node.args[0]
        if node.func.id in CHOICES:
            a, b = node.args
            for alone in node.args:
                yield "only", f"`{here}` is only `{short(alone)}`", alone
            for op, sign in OPERATORS.items():
                words = f"`{sign}` stands in place of `{node.func.id}` in `{here}`"
                yield f"{op.__name__}_in", words, ast.BinOp(a, op(), b)
        if node.func.id == "where":
            condition, a, b = node.args
            yield "only", f"`{here}` is only `{short(a)}`", a
            yield "only_other", f"`{here}` is only `{short(b)}`", b
            turned = ast.Call(node.func, [condition, b, a], [])
            yield "turned", f"the condition of `{here}` is the wrong way round", turned
        for group in FUNCTIONS, REDUCTIONS, CHOICES, LOGS, ACTIVATIONS:
            if node.func.id in group:
                if group in (FUNCTIONS, REDUCTIONS):
                    yield "without", f"`{node.func.id}` is missing in `{here}`", node.args[0]
                for other in group:
                    if other != node.func.id:
                        other_words = WORDS.get(other, f"`{other}`")
                        words = f"{other_words} stands in place of `{node.func.id}` in `{here}`"
                        call = ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
                        yield f"{other}_in", words, call
        if node.func.id in REDUCTIONS:
            yield from parts_left_out(node, here)
            for name in names:
                inner = ast.BinOp(node.args[0], ast.Mult(), ast.Name(name, ast.Load()))
                words = f"`{name}` multiplies `{short(node.args[0])}` in `{here}`"
                yield f"times_{name}_in", words, with_first(node, inner)
            kept = ast.keyword("keepdims", ast.Constant(True))
            for axis, keep in itertools.product((None, 0, 1, 2), ([], [kept])):
                keywords = [
                    ast.keyword("axis", ast.Constant(axis)),
                    *(keep or [k for k in node.keywords if k.arg != "axis"]),
                ]
                over = "everything" if axis is None else f"axis {axis}"
                words = f"`{node.func.id}` is over {over} in `{here}`"
                yield f"axis_{axis}_in", words, ast.Call(node.func, node.args, keywords)
    elif isinstance(node, ast.Constant) and not isinstance(node.value, bool):
        for other in (*NUMBERS, -node.value):
            if other != node.value:
                words = f"{other:g} stands in place of {node.value:g}"
                yield f"{other:g}_for", words, ast.Constant(other)
        for name in names:
            words = f"`{name}` stands in place of {node.value:g}"
            yield f"{name}_for", words, ast.Name(name, ast.Load())


def parts_left_out(node, here):
    """Yield, as `edits_of`, the edits of a sum or mean that leave out one end of the axis."""
    axis = next((k.value for k in node.keywords if k.arg == "axis"), ast.Constant(0))
    for name, end in ("but_first", "first"), ("but_last", "last"):
        inner = ast.Call(ast.Name(name, ast.Load()), [node.args[0], axis], [])
        words = f"`{node.func.id}` leaves out the {end} entry in `{here}`: does a loop "
        words += "begin too late?" if end == "first" else "end too early?"
        yield name, words, with_first(node, inner)


def without(x, axis, place):
    """Return an array with 0 at one place of an axis."""
    x = np.array(x, dtype=float)
    x[(slice(None),) * axis + (place,)] = 0
    return x


def around(node, names):
    """Yield, as `edits_of`, the edits that put something around a node."""
    here = short(node)
    numbers = {"twice": 2, "half": 0.5}
    yield "minus", f"the sign of `{here}` is wrong", ast.UnaryOp(ast.USub(), node)
    for kind, factor in numbers.items():
        words = f"`{here}` has a factor {factor:g} too many"
        yield kind, words, ast.BinOp(ast.Constant(factor), ast.Mult(), node)
    running = ast.Call(ast.Name("running", ast.Load()), [node], [])
    yield "running_sum_of", f"`{here}` adds up: it is not set to 0 again", running
    squared = ast.BinOp(node, ast.Pow(), ast.Constant(2))
    yield "square_of", f"`{here}` is squared", squared
    for name in FUNCTIONS:
        words = f"`{name}` is taken of `{here}`"
        yield f"{name}_of", words, ast.Call(ast.Name(name, ast.Load()), [node], [])
    for size in names:
        for kind, op, words in ("over", ast.Div(), "divided"), ("times", ast.Mult(), "multiplied"):
            new = ast.BinOp(node, op, ast.Name(size, ast.Load()))
            yield f"{kind}_{size}", f"`{here}` is {words} by {size.replace('_', ' ')}", new
    for kind, op in ("plus_one", ast.Add()), ("minus_one", ast.Sub()):
        words = f"1 is {'added to' if kind == 'plus_one' else 'subtracted from'} `{here}`"
        yield kind, words, ast.BinOp(node, op, ast.Constant(1))


class Renamed(ast.NodeTransformer):
    """Put one name in place of another."""

    def __init__(self, name, other):
        self.name, self.other = name, other

    def visit_Name(self, node):
        """Return a name."""
        return ast.Name(self.other, ast.Load()) if node.id == self.name else node


def whole(node, names):
    """Yield, as `edits_of`, the edits of a whole formula: a name too many, an end left out."""
    here = short(node)
    inside = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    for name in sorted({name for name in inside if inside.count(name) > 1} & {*names}):
        for other in names:
            if other != name:
                words = f"`{other}` stands everywhere in place of `{name}` in `{here}`"
                yield f"{other}_for_each_{name}", words, Renamed(name, other).visit(deepcopy(node))
    for name, end in ("but_first", "first"), ("but_last", "last"):
        call = ast.Call(ast.Name(name, ast.Load()), [node, ast.Constant(0)], [])
        words = f"the {end} entry of `{here}` is left out: does a loop "
        words += "begin too late?" if end == "first" else "end too early?"
        yield f"{name}_of", words, call
    for name in names:
        for op, words in {
            ast.Add: "is added to",
            ast.Sub: "is subtracted from",
            ast.Mult: "multiplies",
            ast.Div: "divides",
        }.items():
            new = ast.BinOp(node, op(), ast.Name(name, ast.Load()))
            yield f"{op.__name__}_{name}", f"`{name}` {words} `{here}`", new


def orders(node, _):
    """Yield, as `edits_of`, the edits of the order: f(g(x)) becomes g(f(x)), f(a x) a f(x)."""
    here = short(node)
    if isinstance(node, ast.BinOp):
        for i, inner in enumerate((node.left, node.right)):
            if type(node.op) in (ast.Mult, ast.Div) and isinstance(inner, ast.Call) and inner.args:
                if i and isinstance(node.op, ast.Div):
                    continue
                pair = [node.left, node.right]
                pair[i] = inner.args[0]
                called = with_first(inner, ast.BinOp(pair[0], node.op, pair[1]))
                words = f"the factor of `{here}` is inside `{inner.func.id}`"
                yield "factor_inside", words, called
    if not isinstance(node, ast.Call) or not node.args:
        return
    inner, name = node.args[0], node.func.id
    if isinstance(inner, ast.Call) and inner.args and inner.func.id != name:
        new = with_first(inner, with_first(node, inner.args[0]))
        words = f"`{name}` comes before `{inner.func.id}`: take `{name}` of `{short(inner)}`"
        yield f"before_{inner.func.id}", words, new
    if isinstance(inner, ast.BinOp) and type(inner.op) in OPERATORS:
        for part, other, left in (
            (inner.left, inner.right, False),
            (inner.right, inner.left, True),
        ):
            if left and isinstance(inner.op, ast.Div):
                continue
            called = with_first(node, part)
            new = ast.BinOp(*((other, inner.op, called) if left else (called, inner.op, other)))
            words = f"`{short(other)}` is outside `{name}`: it belongs inside, `{here}`"
            yield "outside", words, new


def with_first(call, argument):
    """Return a call with another first argument."""
    return ast.Call(call.func, [argument, *call.args[1:]], call.keywords)


def brackets(node):
    """Yield (kind, new node): (a + b) c becomes a + b c, and a (b + c) becomes a b + c."""
    a, b = node.left, node.right
    if isinstance(a, ast.BinOp):
        yield "right", ast.BinOp(a.left, a.op, ast.BinOp(a.right, node.op, b))
    if isinstance(b, ast.BinOp):
        yield "left", ast.BinOp(ast.BinOp(a, node.op, b.left), b.op, b.right)


def names_in(tree):
    """Return the names in a formula."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
