"""Numbers with a bound on their rounding error: the largest error of a right optimiser.

A computer returns the exact result of an operation times (1 + d), with |d| <= u, the unit roundoff:
1.1e-16 in float64, 6.0e-8 in float32. Errors of the operands are passed on. So each operation
computes a bound for its result from the bounds of its operands. This is a running error analysis,
Higham (2002), Accuracy and Stability of Numerical Algorithms, section 3.3. A rule that is written
with such numbers computes its own bound, for any gradients, settings and number of steps.

A right optimiser may compute in another order than the textbook, as in m + (1 - beta) (g - m), or
combine factors as `miniae.optim` does. A step then has less than twice as many roundings as that
of the textbook. To be safe, u counts `FORMS` times. An underflow adds at most the smallest normal
number.
"""

import numpy as np

REAL = np.longdouble  # on some machines it is float64, so its own roundings also count
FORMS = 4


class Arithmetic:
    """The precision of the optimiser that is checked; it makes Rounded numbers for a dtype."""

    def __init__(self, dtype):
        self.roundoff = float(np.finfo(dtype).eps) / 2
        self.unit = FORMS * self.roundoff + float(np.finfo(REAL).eps) / 2
        self.tiny = float(np.finfo(dtype).tiny)

    def exact(self, value):
        """Return a number that the optimiser receives without rounding, such as theta."""
        value = np.asarray(value, REAL)
        return Rounded(value, np.zeros_like(value), self)

    def once(self, value, times=1):
        """Return a number that is rounded to the dtype before use, such as lr, or `times` times."""
        value = np.asarray(value, REAL)
        return Rounded(value, times * self.roundoff * np.abs(value), self)


class Rounded:
    """An array and a bound on its error; each operation returns both for its result.

    Attributes
    ----------
    value : ndarray of longdouble, nearly the result of exact arithmetic
    error : ndarray, the largest absolute error of a right optimiser
    """

    __array_ufunc__ = None  # so that array * Rounded calls __rmul__

    def __init__(self, value, error, arithmetic):
        self.value, self.error, self.arithmetic = value, error, arithmetic

    def _take(self, other):
        return other if isinstance(other, Rounded) else self.arithmetic.exact(other)

    def _result(self, value, error):
        own = self.arithmetic.unit * np.abs(value) + self.arithmetic.tiny
        return Rounded(value, error + own, self.arithmetic)

    def __add__(self, other):
        other = self._take(other)
        return self._result(self.value + other.value, self.error + other.error)

    def __sub__(self, other):
        other = self._take(other)
        return self._result(self.value - other.value, self.error + other.error)

    def __rsub__(self, other):
        return self._take(other) - self

    def __mul__(self, other):
        # (a + da) (b + db) - a b = a db + b da + da db
        other = self._take(other)
        error = np.abs(self.value) * other.error + (np.abs(other.value) + other.error) * self.error
        return self._result(self.value * other.value, error)

    def __truediv__(self, other):
        # (a + da) / (b + db) - a / b = (da - (a / b) db) / (b + db)
        other = self._take(other)
        value = self.value / other.value
        least = np.maximum(np.abs(other.value) - other.error, 0)
        return self._result(value, (self.error + np.abs(value) * other.error) / least)

    def __rtruediv__(self, other):
        return self._take(other) / self

    def __pow__(self, power):
        # (b + db)^t = b^t exp(t log(1 + db / b))
        value = self.value**power
        change = np.expm1(power * np.log1p(self.error / np.where(self.value, self.value, 1)))
        return self._result(value, np.abs(value) * change)

    __radd__, __rmul__ = __add__, __mul__

    def sqrt(self):
        """Return the root."""
        # |sqrt(a) - sqrt(b)| = |a - b| / (sqrt(a) + sqrt(b)), and at most sqrt(|a - b|)
        value = np.sqrt(self.value)
        least = np.sqrt(np.maximum(self.value - self.error, 0))
        return self._result(value, np.fmin(self.error / (value + least), np.sqrt(self.error)))

    def at_most(self, limit):
        """Return the smaller of this and a plain number."""
        surely = self.value - self.error > limit
        return Rounded(
            np.minimum(self.value, limit), np.where(surely, 0, self.error), self.arithmetic
        )


def running(factor, terms):
    """Return x_1, x_2, ... of x_t = factor x_(t-1) + term_t, from x_0 = 0, for rows of terms.

    The error of x_t is that of x_(t-1) times the factor, plus that of step t.
    """
    unit, tiny = terms.arithmetic.unit, terms.arithmetic.tiny
    value = _recurrence(factor.value, terms.value)
    before = np.abs(np.vstack([np.zeros_like(value[:1]), value[:-1]]))
    added = terms.error + factor.error * before + 2 * tiny
    added = added + unit * (np.abs(factor.value) * before + np.abs(value))
    return Rounded(value, _recurrence(factor.value + factor.error, added), terms.arithmetic)


def _recurrence(factor, terms):
    out, x = np.empty_like(terms), np.zeros_like(terms[0])
    for t, term in enumerate(terms):
        x = factor * x + term
        out[t] = x
    return out
