"""Name a wrong answer that nobody foresaw: what does the right formula give after one small edit?

A formula is text, such as ``"mu + exp(log_var / 2) * eps"``. An edit drops a part of it, takes
another operator, function, name or number, or changes a sign. If the answer agrees with the edited
formula, the edit is the diagnosis.
"""

import ast
import functools
import itertools
import re

import numpy as np

from miniae.exercises.naming import agree
from miniae.numerics import sigmoid, softplus

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
}
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "std": np.std,
    "median": np.median,
}
OTHERS = {
    "maximum": np.maximum,
    "minimum": np.minimum,
    "stack": np.stack,
    "hstack": lambda *parts: np.hstack(parts),
    "turn": lambda x: x.swapaxes(1, 2),
}
NUMBERS = (0, 1, 2, 3, 4, 0.5)
FAILS = (TypeError, ValueError, IndexError, ArithmeticError, AttributeError, NameError)


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
        yield "no", f"`{short(right)}` is missing", left
        minus = isinstance(node.op, ast.Sub)
        yield (
            "no",
            f"`{short(left)}` is missing",
            ast.UnaryOp(ast.USub(), right) if minus else right,
        )
        for kind, inner in brackets(node):
            yield f"bracket_{kind}", f"a bracket is in the wrong place in `{here}`", inner
        if isinstance(node.op, ast.Pow):
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
    elif isinstance(node, ast.Call):
        for group in FUNCTIONS, REDUCTIONS:
            if node.func.id in group:
                yield "without", f"`{node.func.id}` is missing in `{here}`", node.args[0]
                for other in group:
                    if other != node.func.id:
                        words = f"`{other}` stands in place of `{node.func.id}` in `{here}`"
                        call = ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
                        yield f"{other}_in", words, call
        if node.func.id in REDUCTIONS:
            for axis in (None, 0, 1, 2):
                keywords = [
                    ast.keyword("axis", ast.Constant(axis)),
                    *[k for k in node.keywords if k.arg != "axis"],
                ]
                words = f"`{node.func.id}` is over axis {axis} in `{here}`"
                yield f"axis_{axis}_in", words, ast.Call(node.func, node.args, keywords)
    elif isinstance(node, ast.Constant):
        for other in (*NUMBERS, -node.value):
            if other != node.value:
                words = f"{other:g} stands in place of {node.value:g}"
                yield f"{other:g}_for", words, ast.Constant(other)
        for name in names:
            words = f"`{name}` stands in place of {node.value:g}"
            yield f"{name}_for", words, ast.Name(name, ast.Load())


def around(node, _):
    """Yield, as `edits_of`, the edits that put something around a node."""
    here = short(node)
    numbers = {"twice": 2, "half": 0.5}
    yield "minus", f"the sign of `{here}` is wrong", ast.UnaryOp(ast.USub(), node)
    for kind, factor in numbers.items():
        words = f"`{here}` has a factor {factor:g} too many"
        yield kind, words, ast.BinOp(ast.Constant(factor), ast.Mult(), node)
    squared = ast.BinOp(node, ast.Pow(), ast.Constant(2))
    yield "square_of", f"`{here}` is squared", squared
    for name in FUNCTIONS:
        words = f"`{name}` is taken of `{here}`"
        yield f"{name}_of", words, ast.Call(ast.Name(name, ast.Load()), [node], [])
    for kind, op in ("over_n", ast.Div()), ("times_n", ast.Mult()):
        words = f"`{here}` is {'divided' if kind == 'over_n' else 'multiplied'} by n"
        yield kind, words, ast.BinOp(node, op, ast.Name("n", ast.Load()))
    for kind, op in ("plus_one", ast.Add()), ("minus_one", ast.Sub()):
        words = f"1 is {'added to' if kind == 'plus_one' else 'subtracted from'} `{here}`"
        yield kind, words, ast.BinOp(node, op, ast.Constant(1))


def brackets(node):
    """Yield (kind, new node): (a + b) c becomes a + b c, and a (b + c) becomes a b + c."""
    a, b = node.left, node.right
    if isinstance(a, ast.BinOp):
        yield "right", ast.BinOp(a.left, a.op, ast.BinOp(a.right, node.op, b))
    if isinstance(b, ast.BinOp):
        yield "left", ast.BinOp(ast.BinOp(a, node.op, b.left), b.op, b.right)


def swapped(tree, old, new):
    """Return a tree with a new node in place of an old one; the given tree stays as it is."""
    if tree is old:
        return new
    fields = dict(ast.iter_fields(tree))
    others = {}
    for name, value in fields.items():
        if isinstance(value, ast.AST):
            others[name] = swapped(value, old, new)
        elif isinstance(value, list):
            others[name] = [swapped(v, old, new) if isinstance(v, ast.AST) else v for v in value]
    return type(tree)(**{**fields, **others})


def parts_of(node):
    """Yield all expressions of a formula; not the names of functions, axes and attributes."""
    yield node
    if isinstance(node, ast.Call):
        children = node.args
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        if isinstance(child, ast.expr):
            yield from parts_of(child)


def edited(text, names, kind_of_edits=edits_of):
    """Yield (key, sentence, text) of each formula that differs from `text` by one edit."""
    tree = ast.parse(text, mode="eval").body
    for node in parts_of(tree):
        for kind, words, new in kind_of_edits(node, names):
            said = words.split("`")[1] if kind == "no" else ast.unparse(node)
            yield key_of(kind, said), words, ast.unparse(swapped(tree, node, new))


@functools.lru_cache(maxsize=4096)  # the formulas that an edit leaves alone run again and again
def compiled(text):
    """Return the code of a formula."""
    return compile(text, "formula", "eval")


def run(steps, given, edit=None):
    """Return what was given and all steps, by name; `edit` is a name and another formula."""
    v = {**FUNCTIONS, **REDUCTIONS, **OTHERS, **given}
    for name, text in steps.items():
        code = compiled(edit[1] if edit and edit[0] == name else text)
        v[name] = eval(code, {"__builtins__": {}}, v)
    return v


def explain(got, steps, given, compute=None):
    """Return (key, sentence) of an edit after which the last step agrees with got, or None.

    Parameters
    ----------
    got : the student's array
    steps : dict, from a name to a formula, in the order in which they are computed
    given : dict, what the formulas start from, by name
    compute : function of an edit or None that returns what got should be
        Default: the last step.
    """
    compute = compute or (lambda edit: run(steps, given, edit)[list(steps)[-1]])
    with np.errstate(all="ignore"):  # edited formulas may overflow here without a warning
        right = compute(None)
        for kind_of_edits, step in itertools.product((edits_of, around), reversed(steps)):
            names = [*given, *list(steps)[: list(steps).index(step)]]
            for key, words, other in edited(steps[step], names, kind_of_edits):
                try:
                    value = compute((step, other))
                except FAILS:
                    continue  # the shapes do not fit, or a name is not given
                if agree(got, value) and not agree(value, right):
                    where = "" if len(steps) == 1 else f" in {step}"
                    return f"edit_{step.lower()}_{key}", f"{words}{where}"
    return None
