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

from miniae.exercises.naming import agree, factor_between, factor_words
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
    "square": np.square,
}
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "std": np.std,
    "median": np.median,
    "first": lambda x, axis=0, **_: np.take(x, 0, axis or 0),
    "last": lambda x, axis=0, **_: np.take(x, -1, axis or 0),
    "cumsum": lambda x, axis=0, **_: np.cumsum(x, axis),
}
WORDS = {
    "first": "the first entry alone",
    "last": "the last entry alone",
    "cumsum": "a running sum",
}
CHOICES = {"maximum": np.maximum, "minimum": np.minimum}
COMPARED = {ast.Gt: ">", ast.Lt: "<"}
OTHERS = {
    "where": np.where,
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
        yield "no", f"`{short(right)}` is missing in `{here}`", left
        minus = isinstance(node.op, ast.Sub)
        yield (
            "no",
            f"`{short(left)}` is missing in `{here}`",
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
        for group in FUNCTIONS, REDUCTIONS, CHOICES:
            if node.func.id in group:
                if group is not CHOICES:
                    yield "without", f"`{node.func.id}` is missing in `{here}`", node.args[0]
                for other in group:
                    if other != node.func.id:
                        other_words = WORDS.get(other, f"`{other}`")
                        words = f"{other_words} stands in place of `{node.func.id}` in `{here}`"
                        call = ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
                        yield f"{other}_in", words, call
        if node.func.id in REDUCTIONS:
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


def whole(node, names):
    """Yield, as `edits_of`, the edits of a whole formula: a name that is not in it is there."""
    here = short(node)
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
    for node in [tree] if kind_of_edits is whole else parts_of(tree):
        for kind, words, new in kind_of_edits(node, names):
            said = words.split("`")[1] if kind == "no" else ast.unparse(node)
            yield key_of(kind, said), words, ast.unparse(swapped(tree, node, new))


@functools.lru_cache(maxsize=1 << 14)  # the formulas that an edit leaves alone run again and again
def compiled(text):
    """Return the code of a formula."""
    return compile(text, "formula", "eval")


def run(steps, given, edit=None):
    """Return what was given and all steps, by name; `edit` is a name and another formula."""
    v = {**FUNCTIONS, **REDUCTIONS, **CHOICES, **OTHERS, **given}
    for name, text in steps.items():
        code = compiled(edit[1] if edit and edit[0] == name else text)
        v[name] = eval(code, {"__builtins__": {}}, v)
    return v


def used(steps):
    """Return the steps on which the last one depends."""
    *others, last = steps
    names = names_in(steps[last])
    for name in reversed(others):
        if name in names:
            names |= names_in(steps[name])
    return {name: text for name, text in steps.items() if name in names or name == last}


def names_in(text):
    """Return the names in a formula."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


class Inline(ast.NodeTransformer):
    """Put formulas in place of their names."""

    def __init__(self, trees):
        self.trees = trees

    def visit_Name(self, node):
        """Return the formula of a name."""
        return self.trees.get(node.id, node)


def inlined(steps):
    """Return the last step as one formula, with the steps before it in place of their names."""
    trees = {}
    for name, text in steps.items():
        trees[name] = Inline(trees).visit(ast.parse(text, mode="eval").body)
    return ast.unparse(trees[name])


@functools.lru_cache(maxsize=256)
def edits_of_steps(steps, given, with_orders):
    """Return a list of (step, key, sentence, text) for each edit of each step.

    Parameters
    ----------
    steps : tuple of (name, formula)
    given : tuple of names
    with_orders : bool, also edit the order of what the steps do
    """
    found, steps = [], dict(steps)
    for kind_of_edits, step in itertools.product((edits_of, around, whole), reversed(steps)):
        names = [*given, *list(steps)[: list(steps).index(step)]]
        found += [(step, *edit) for edit in edited(steps[step], names, kind_of_edits)]
    if with_orders:
        found += [(list(steps)[-1], *edit) for edit in edited(inlined(steps), [], orders)]
    return found


def last_step(steps, given):
    """Return a function of an edit or None that returns the value of the last step."""
    first, names = run(steps, given), list(steps)

    def compute(edit):
        """Compute only what an edit changes."""
        if edit is None:
            return first[names[-1]]
        if edit[0] in given:
            return run(steps, {**given, edit[0]: given[edit[1]]})[names[-1]]
        later = {name: steps[name] for name in names[names.index(edit[0]) :]}
        return run(later, first, edit)[names[-1]]

    return compute


def scale_between(got, value, given):
    """Return the number c with got = c value if it is 2, 1/2, a size of `given` or the like."""
    factor = factor_between(got, value)
    if not got.shape and not value.shape and value:
        factor = got / value
    if not factor:
        return None
    sizes = [size for size in given.values() if isinstance(size, int) and size > 2]
    simple = [1, 2, 4, *sizes, *(a * b for a, b in itertools.combinations(sizes, 2))]
    size = max(abs(factor), 1 / abs(factor))
    return factor if any(abs(size / c - 1) < 1e-10 for c in simple) else None


def explain(got, steps, given, compute=None):
    """Return (key, sentence) of an edit after which the last step agrees with got, or None.

    An edit that agrees up to a factor is taken if none agrees without one.

    Parameters
    ----------
    got : the student's array
    steps : dict, from a name to a formula, in the order in which they are computed
    given : dict, what the formulas start from, by name
    compute : function of an edit or None that returns what got should be
        Default: the last step.
    """
    scaled = None
    with np.errstate(all="ignore"):  # edited formulas may overflow here without a warning
        if compute is None:
            steps = used(steps)
            edits = edits_of_steps(tuple(steps.items()), tuple(given), True)
            sizes = [name for name in given if isinstance(given[name], int)]
            for name, other in itertools.permutations(sizes, 2):
                words = f"`{other}` stands in place of `{name}`"
                edits = [*edits, (name, f"{other}_everywhere", words, other)]
            compute = last_step(steps, given)
        else:
            edits = edits_of_steps(tuple(steps.items()), tuple(given), False)
        right = np.asarray(compute(None))
        for step, key, words, other in edits:
            try:
                value = np.asarray(compute((step, other)))
            except FAILS:
                continue  # the shapes do not fit, or a name is not given
            if value.ndim < right.ndim and value.shape == right.shape[right.ndim - value.ndim :]:
                value = np.broadcast_to(value, right.shape)
            if agree(value, right):
                continue
            where = "" if len(steps) == 1 or step in given else f" in {step}"
            if agree(got, value):
                return f"edit_{step.lower()}_{key}", f"{words}{where}"
            factor = None if scaled else scale_between(got, value, given)
            if factor is not None and scale_between(value, right, given) is None:
                how = f"and it has a factor of {factor_words(factor, right.shape)} too many"
                scaled = f"edit_{step.lower()}_{key}", f"{words}{where}; {how}"
    return scaled
