"""Name a wrong answer that nobody foresaw: what does the right formula give after one small edit?

A formula is text, such as ``"mu + exp(log_var / 2) * eps"``. An edit drops a part of it, takes
another operator, function, name or number, or changes a sign. If the answer agrees with the edited
formula, the edit is the diagnosis.
"""

import ast
import functools
import itertools
import operator

import numpy as np

from miniae.exercises.edit_kinds import KNOWN, around, edits_of, key_of, names_in, orders, whole
from miniae.exercises.naming import agree, factor_between, factor_words

MOST = 8000  # edits that are tried for one answer
FAILS = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
DONE_BY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}


def places(node, put=lambda new: new):
    """Yield each expression of a formula, and a function that puts another one in its place.

    What is not on the way to this place stays the same object. The names of functions, axes and
    attributes are no expressions.
    """
    yield node, put
    for name, value in ast.iter_fields(node):
        several = isinstance(value, list)
        for i, child in enumerate(value if several else [value]):
            if isinstance(child, ast.expr) and name != "func":

                def put_child(new, name=name, i=i, value=value, several=several):
                    new = [*value[:i], new, *value[i + 1 :]] if several else new
                    return put(type(node)(**{**dict(ast.iter_fields(node)), name: new}))

                yield from places(child, put_child)


def edited(tree, names, kind_of_edits=edits_of):
    """Yield (key, sentence, tree) of each formula that differs from `tree` by one edit."""
    for node, put in [(tree, lambda new: new)] if kind_of_edits is whole else places(tree):
        text = ast.unparse(node)
        for kind, words, new in kind_of_edits(node, names):
            said = words.split("`")[1] if kind == "no" else text
            yield key_of(kind, said), words, put(new)


@functools.lru_cache(maxsize=1024)
def parsed(text):
    """Return the tree of a formula."""
    return ast.parse(text, mode="eval").body


def evaluate(node, v, known=None, keep=False):
    """Return the value of an expression.

    Parameters
    ----------
    node : expression
    v : dict, the values of the names
    known : dict, the values of some expressions by their id, or None
    keep : bool, add all values to `known`
    """
    if known and id(node) in known:
        return known[id(node)]
    if isinstance(node, ast.Name):
        value = v[node.id] if node.id in v else KNOWN[node.id]
    elif isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.Attribute):
        value = getattr(evaluate(node.value, v, known, keep), node.attr)
    elif isinstance(node, ast.Call):
        arguments = [evaluate(argument, v, known, keep) for argument in node.args]
        options = {k.arg: evaluate(k.value, v, known, keep) for k in node.keywords}
        value = KNOWN[node.func.id](*arguments, **options)
    elif isinstance(node, ast.UnaryOp):
        value = -evaluate(node.operand, v, known, keep)
    else:
        left, other, op = node.left, getattr(node, "right", None), getattr(node, "op", None)
        if isinstance(node, ast.Compare):
            other, op = node.comparators[0], node.ops[0]
        value = DONE_BY[type(op)](evaluate(left, v, known, keep), evaluate(other, v, known, keep))
    if keep:
        known[id(node)] = value
    return value


def run(steps, given, edit=None):
    """Return what was given and all steps, by name; `edit` is a name and the tree of a formula."""
    v = dict(given)
    for name, text in steps.items():
        v[name] = evaluate(edit[1] if edit and edit[0] == name else parsed(text), v)
    return v


def used(steps):
    """Return the steps on which the last one depends."""
    *others, last = steps
    names = names_in(parsed(steps[last]))
    for name in reversed(others):
        if name in names:
            names |= names_in(parsed(steps[name]))
    return {name: text for name, text in steps.items() if name in names or name == last}


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
    return trees[name]


@functools.lru_cache(maxsize=256)
def edits_of_steps(steps, given, sizes, with_orders):
    """Return a list of (step, key, sentence, tree) for each edit of each step.

    Parameters
    ----------
    steps : tuple of (name, formula)
    given, sizes : tuple of names; those of the sizes are among both
    with_orders : bool, also edit the order of what the steps do
    """
    found, steps = [], dict(steps)
    for kind_of_edits, step in itertools.product((edits_of, around, whole), reversed(steps)):
        names = [*given, *list(steps)[: list(steps).index(step)]]
        names = sizes if kind_of_edits is around else names
        found += [(step, *edit) for edit in edited(parsed(steps[step]), names, kind_of_edits)]
    # Another step in place of a name is the least likely.
    others = tuple(f"{step}_for_" for step in steps)
    found.sort(key=lambda edit: edit[1].startswith(others))
    if with_orders:
        found += [(list(steps)[-1], *edit) for edit in edited(inlined(steps), [], orders)]
    return found


def last_step(steps, given):
    """Return a function of an edit or None that returns the value of the last step."""
    right, names, known = run(steps, given), list(steps), {}
    for text in steps.values():
        evaluate(parsed(text), right, known, keep=True)

    def compute(edit):
        """Compute only what an edit changes."""
        if edit is None:
            return right[names[-1]]
        name, new = edit
        if name in given:
            return run(steps, {**given, name: given[new]})[names[-1]]
        value = evaluate(new, right, known)
        later = {other: steps[other] for other in names[names.index(name) + 1 :]}
        return run(later, {**right, name: value})[names[-1]]

    return compute


def scale_between(got, value, given):
    """Return the number c with got = c value if it is 2, 1/2, a size of `given` or the like."""
    if got.shape != value.shape or not got.size:
        return None
    largest = np.unravel_index(np.argmax(np.abs(value)), value.shape)
    factor = got[largest] / value[largest]
    size = max(abs(factor), 1 / abs(factor))
    sizes = [size for size in given.values() if isinstance(size, int) and size > 2]
    simple = [1, 2, 4, *sizes, *(a * b for a, b in itertools.combinations(sizes, 2))]
    if not any(abs(size / c - 1) < 1e-10 for c in simple):
        return None
    return factor_between(got, value) if got.shape else factor


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
    scaled, sizes = None, tuple(name for name in given if isinstance(given[name], int))
    with np.errstate(all="ignore"):  # edited formulas may overflow here without a warning
        if compute is None:
            steps = used(steps)
            edits = edits_of_steps(tuple(steps.items()), tuple(given), sizes, True)
            for name, other in itertools.permutations(sizes, 2):
                words = f"`{other}` stands in place of `{name}`"
                edits = [*edits, (name, f"{other}_everywhere", words, other)]
            compute = last_step(steps, given)
        else:
            edits = edits_of_steps(tuple(steps.items()), tuple(given), sizes, False)
        right = np.asarray(compute(None))
        for step, key, words, other in edits[:MOST]:
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
