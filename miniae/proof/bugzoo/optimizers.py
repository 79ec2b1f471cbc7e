"""Wrong optimisers: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.optim import BLOCK, SGD, Adam
from miniae.proof.bugzoo.instruments import textbook_steps
from miniae.proof.bugzoo.specimen import specimen


@specimen("adam-without-t", textbook_steps, Adam,
          source="eriklindernoren/ML-From-Scratch, optimizers.py")  # fmt: skip
class AdamWithoutT(Adam):
    """m and v are divided by 1 - beta in every step instead of 1 - beta^t."""

    def update(self, theta, dtheta, lr, m, v):
        t, self.t = self.t, 1
        super().update(theta, dtheta, lr, m, v)
        self.t = t


@specimen("adam-t-per-parameter", textbook_steps, Adam)
class AdamTPerParameter(Adam):
    """t counts the updated arrays, not the steps: the bias corrections end too early."""

    def update(self, theta, dtheta, lr, m, v):
        self.t += 1
        super().update(theta, dtheta, lr, m, v)


@specimen("adam-t-one-late", textbook_steps, Adam)
class AdamTOneLate(Adam):
    """The bias corrections use the number of the next step: 1 - beta^2 in the first."""

    def update(self, theta, dtheta, lr, m, v):
        self.t += 1
        super().update(theta, dtheta, lr, m, v)
        self.t -= 1


@specimen("adam-corrections-dropped", textbook_steps, Adam)
class AdamCorrectionsDropped(Adam):
    """From step 1000 on, v is not corrected, though with beta2 = 0.999 it is a third too small."""

    def update(self, theta, dtheta, lr, m, v):
        late = self.t >= 1000
        lr = lr / np.sqrt(1 - self.betas[1] ** self.t) if late else lr
        super().update(theta, dtheta, lr, m, v)


@specimen("adam-root-missing", textbook_steps, Adam)
class AdamRootMissing(Adam):
    """The step is m_hat / v_hat, without the square root: large gradients give small steps."""

    def update(self, theta, dtheta, lr, m, v):
        beta1, beta2 = self.betas
        m[...] = beta1 * m + (1 - beta1) * dtheta
        v[...] = beta2 * v + (1 - beta2) * dtheta**2
        theta -= lr * m / (1 - beta1**self.t) / (v / (1 - beta2**self.t) + self.eps)


@specimen("adam-eps-inside-root", textbook_steps, Adam)
class AdamEpsInsideRoot(Adam):
    """eps is inside the root, where 1e-8 acts like 1e-4: small gradients hardly move theta."""

    def update(self, theta, dtheta, lr, m, v):
        beta1, beta2 = self.betas
        m[...] = beta1 * m + (1 - beta1) * dtheta
        v[...] = beta2 * v + (1 - beta2) * dtheta**2
        theta *= 1 - lr * self.weight_decay
        theta -= lr * m / (1 - beta1**self.t) / np.sqrt(v / (1 - beta2**self.t) + self.eps)


@specimen("adam-eps-times-30", textbook_steps, Adam)
class AdamEpsTimes30(Adam):
    """eps is 30 times too large, which has an effect only for gradients of a similar size."""

    def update(self, theta, dtheta, lr, m, v):
        eps, self.eps = self.eps, 30 * self.eps
        super().update(theta, dtheta, lr, m, v)
        self.eps = eps


@specimen("adam-betas-ignored", textbook_steps, Adam)
class AdamBetasIgnored(Adam):
    """The constructor accepts betas, but they are never used: they stay 0.9 and 0.999."""

    def update(self, theta, dtheta, lr, m, v):
        betas, self.betas = self.betas, (0.9, 0.999)
        super().update(theta, dtheta, lr, m, v)
        self.betas = betas


@specimen("adam-v-of-m", textbook_steps, Adam)
class AdamVOfM(Adam):
    """v averages the squares of m instead of the squares of the gradient."""

    def update(self, theta, dtheta, lr, m, v):
        beta1, beta2 = self.betas
        m[...] = beta1 * m + (1 - beta1) * dtheta
        v[...] = beta2 * v + (1 - beta2) * m**2
        theta *= 1 - lr * self.weight_decay
        theta -= lr * m / (1 - beta1**self.t) / (np.sqrt(v / (1 - beta2**self.t)) + self.eps)


@specimen("adam-v-never-falls", textbook_steps, Adam)
class AdamVNeverFalls(Adam):
    """v keeps its largest value so far (AMSGrad): one large gradient slows all later steps."""

    moments = ("m", "v", "top")

    def update(self, theta, dtheta, lr, m, v, top):
        v *= self.betas[1]
        v += dtheta**2
        np.maximum(top, v, out=top)
        held = (top - dtheta**2) / (self.betas[1] or 1)
        super().update(theta, dtheta, lr, m, held)


@specimen("adam-state-in-float32", textbook_steps, Adam)
class AdamStateInFloat32(Adam):
    """m and v are float32 though theta is float64: half of the digits are lost."""

    def update(self, theta, dtheta, lr, m, v):
        super().update(theta, dtheta, lr, m, v)
        m[...], v[...] = m.astype(np.float32), v.astype(np.float32)


@specimen("adam-nan-at-zero", textbook_steps, Adam)
class AdamNanAtZero(Adam):
    """The sign of the gradient is g / |g|: where a gradient is 0, theta becomes NaN."""

    def update(self, theta, dtheta, lr, m, v):
        with np.errstate(invalid="ignore"):
            super().update(theta, np.abs(dtheta) * (dtheta / np.abs(dtheta)), lr, m, v)


@specimen("adam-decay-ignored", textbook_steps, Adam)
class AdamDecayIgnored(Adam):
    """The constructor accepts weight_decay, but it is never used."""

    def update(self, theta, dtheta, lr, m, v):
        decay, self.weight_decay = self.weight_decay, 0.0
        super().update(theta, dtheta, lr, m, v)
        self.weight_decay = decay


@specimen("adam-decay-in-gradient", textbook_steps, Adam)
class AdamDecayInGradient(AdamDecayIgnored):
    """Weight decay is added to the gradient, as in Adam with L2: v then removes its scale."""

    def update(self, theta, dtheta, lr, m, v):
        super().update(theta, dtheta + self.weight_decay * theta, lr, m, v)


@specimen("adam-decay-without-lr", textbook_steps, Adam)
class AdamDecayWithoutLr(AdamDecayIgnored):
    """Each step subtracts weight_decay theta, without lr: theta shrinks even if lr is 0."""

    def update(self, theta, dtheta, lr, m, v):
        theta *= 1 - self.weight_decay
        super().update(theta, dtheta, lr, m, v)


@specimen("adam-decay-after-step", textbook_steps, Adam)
class AdamDecayAfterStep(AdamDecayIgnored):
    """Weight decay acts on theta after the step, so it also shrinks the step."""

    def update(self, theta, dtheta, lr, m, v):
        super().update(theta, dtheta, lr, m, v)
        theta *= 1 - lr * self.weight_decay


@specimen("sgd-decay-sign", textbook_steps, SGD)
class SGDDecaySign(SGD):
    """Weight decay has the wrong sign: theta grows, and faster the larger it is."""

    def update(self, theta, dtheta, lr, velocity=None):
        super().update(theta, dtheta - 2 * self.weight_decay * theta, lr, velocity)


@specimen("sgd-wrong-late", textbook_steps, SGD)
class SGDWrongLate(SGD):
    """From step 1000 on, every step is 1 % too long; short tests do not get that far."""

    def update(self, theta, dtheta, lr, velocity=None):
        super().update(theta, dtheta, lr * (1.01 if self.t >= 1000 else 1), velocity)


@specimen("sgd-schedule-from-1", textbook_steps, SGD)
class SGDScheduleFrom1(SGD):
    """A schedule is called with steps 1, 2, 3, ..., but the first one is step 0."""

    def __init__(self, lr, **settings):
        late = (lambda step: lr(step + 1)) if callable(lr) else lr
        super().__init__(late, **settings)


@specimen("sgd-lr-read-once", textbook_steps, SGD)
class SGDLrReadOnce(SGD):
    """lr is read in the constructor only: setting optimizer.lr later changes nothing."""

    def __init__(self, lr, **settings):
        super().__init__(lr, **settings)
        self.first = lr

    def step(self, theta, dtheta):
        lr, self.lr = self.lr, self.first
        super().step(theta, dtheta)
        self.lr = lr


@specimen("momentum-sign", textbook_steps, SGD)
class MomentumSign(SGD):
    """The velocity is subtracted from the gradient: momentum slows the steps down."""

    def update(self, theta, dtheta, lr, velocity=None):
        if velocity is not None:
            velocity *= -1
        super().update(theta, dtheta, lr, velocity)


@specimen("momentum-not-kept", textbook_steps, SGD)
class MomentumNotKept(SGD):
    """The velocity is computed for the step, but not kept for the next one."""

    def update(self, theta, dtheta, lr, velocity=None):
        super().update(theta, dtheta, lr, None if velocity is None else velocity.copy())


@specimen("momentum-damped", textbook_steps, SGD)
class MomentumDamped(SGD):
    """The velocity adds (1 - momentum) dtheta: at momentum 0.9 steps are a tenth as long."""

    def update(self, theta, dtheta, lr, velocity=None):
        if velocity is None:
            super().update(theta, dtheta, lr)
        else:
            own = (1 - self.momentum) * (dtheta + self.weight_decay * theta)
            velocity[...] = self.momentum * velocity + own
            theta -= lr * (own + self.momentum * velocity if self.nesterov else velocity)


@specimen("momentum-velocity-is-dtheta", textbook_steps, SGD)
class MomentumVelocityIsDtheta(SGD):
    """The first velocity is dtheta itself, not a copy: the next gradient overwrites it."""

    def step(self, theta, dtheta):
        super().step(theta, dtheta)
        if np.array_equal(self.state.get("velocity"), dtheta):
            self.state["velocity"] = dtheta


@specimen("nesterov-ignored", textbook_steps, SGD)
class NesterovIgnored(SGD):
    """The constructor accepts nesterov=True, but the step is that of plain momentum."""

    def update(self, theta, dtheta, lr, velocity=None):
        nesterov, self.nesterov = self.nesterov, False
        super().update(theta, dtheta, lr, velocity)
        self.nesterov = nesterov


@specimen("clip-entrywise", textbook_steps, SGD)
class ClipEntrywise(SGD):
    """Each entry is clipped alone, which changes the direction of the gradient."""

    def step(self, theta, dtheta):
        limit, self.clip_norm = self.clip_norm, None
        super().step(theta, dtheta if limit is None else np.clip(dtheta, -limit, limit))
        self.clip_norm = limit


@specimen("clip-per-block", textbook_steps, SGD)
class ClipPerBlock(SGD):
    """Each block of a long vector is clipped by its own norm instead of the norm of all."""

    def step(self, theta, dtheta):
        limit, self.clip_norm, dtheta = self.clip_norm, None, dtheta.copy()
        if limit is not None:
            for i in range(0, len(dtheta), BLOCK):
                here = dtheta[i : i + BLOCK]
                here *= min(1.0, limit / (np.linalg.norm(here) or 1.0))
        super().step(theta, dtheta)
        self.clip_norm = limit


@specimen("clip-update", textbook_steps, SGD)
class ClipUpdate(SGD):
    """The update is clipped, not the gradient: one large gradient stays in the velocity."""

    def step(self, theta, dtheta):
        limit, self.clip_norm, before = self.clip_norm, None, theta.copy()
        super().step(theta, dtheta)
        if limit is not None:
            update = theta - before
            theta[...] = before + update * min(1.0, limit / (np.linalg.norm(update) or 1.0))
        self.clip_norm = limit


@specimen("optimizer-last-block", textbook_steps, SGD)
class OptimizerLastBlock(SGD):
    """The loop over blocks ends one early: the tail of a long vector is never trained."""

    def step(self, theta, dtheta):
        end = (len(theta) - 1) // BLOCK * BLOCK or len(theta)
        super().step(theta[:end], dtheta[:end])


@specimen("optimizer-zeroes-dtheta", textbook_steps, Adam)
class OptimizerZeroesDtheta(Adam):
    """step sets dtheta to 0, so the caller cannot read the gradient after it."""

    def step(self, theta, dtheta):
        super().step(theta, dtheta)
        dtheta[...] = 0


@specimen("optimizer-new-theta", textbook_steps, SGD)
class OptimizerNewTheta(SGD):
    """theta = theta - step makes a new local array: nothing is trained."""

    def step(self, theta, dtheta):
        super().step(theta.copy(), dtheta)


@specimen("optimizer-own-theta", textbook_steps, SGD)
class OptimizerOwnTheta(SGD):
    """It keeps its own copy of theta: weights that early stopping restores are lost."""

    def step(self, theta, dtheta):
        self.theta = getattr(self, "theta", theta.copy())
        super().step(self.theta, dtheta)
        theta[...] = self.theta


@specimen("optimizer-state-shared", textbook_steps, Adam)
class OptimizerStateShared(Adam):
    """m and v belong to the class: two models that train in turn affect each other."""

    everybodys = {}  # noqa: RUF012 (the bug)

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.state = self.everybodys


@specimen("optimizer-t-shared", textbook_steps, Adam)
class OptimizerTShared(Adam):
    """t counts the steps of all optimisers: the second model starts without corrections."""

    steps = [0]  # noqa: RUF012 (the bug)

    def update(self, theta, dtheta, lr, m, v):
        self.steps[0] += 1
        own, self.t = self.t, self.steps[0]
        super().update(theta, dtheta, lr, m, v)
        self.t = own
