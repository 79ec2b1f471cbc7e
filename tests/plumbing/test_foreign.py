"""What readers of Keras, PyTorch and scikit-learn try first: each error says what it is here."""

import copy
import inspect
import itertools
import json
import pickle
import subprocess
import sys
import traceback

import numpy as np
import pytest
from sampled import often

import miniae
from miniae import (
    GRU,
    LSTM,
    SGD,
    VAE,
    Adam,
    AnomalyDetector,
    Attention,
    Autoencoder,
    AutoencoderTransformer,
    BatchNorm,
    BernoulliNLL,
    Bidirectional,
    ConditionalVAE,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Embedding,
    GaussianNLL,
    GaussianNoise,
    ImportanceWeightedVAE,
    KLSparsity,
    L1Penalty,
    Layer,
    LayerNorm,
    LeakyReLU,
    Masked,
    MaskingNoise,
    MaxPool2D,
    Mixed,
    MultiHeadAttention,
    Optimizer,
    ReLU,
    Repeat,
    Reshape,
    SequenceAutoencoder,
    SequenceVAE,
    Sequential,
    SquaredError,
    UpSample2D,
    VAETransformer,
    callbacks,
    datasets,
)
from miniae.plumbing import constructors, dictionary, glossary
from miniae.plumbing.estimator import Estimator
from miniae.plumbing.foreign import find
from miniae.regularizers import Corruption

X = np.random.default_rng(0).random((20, 6), dtype=np.float32)


def ae(**options):
    return Autoencoder(6, 2, (4,), **options)


def vae(**options):
    return VAE(6, 2, (4,), **options)


NEAR_MISSES = [  # what is tried, the kind of error, what its text must hold
    # attributes and methods of a model
    (lambda: vae().compile(optimizer="adam"), AttributeError, "VAE has no 'compile': .*fit"),
    (lambda: ae().state_dict(), AttributeError, "'state_dict': .*theta"),
    (lambda: ae().parameters(), AttributeError, "'parameters': .*theta"),
    (lambda: ae().train(), AttributeError, "'train': .*training=True"),
    (lambda: ae().eval(), AttributeError, "'eval': .*training=True"),
    (lambda: ae().to("cuda"), AttributeError, "'to': NumPy computes on the processor"),
    (lambda: ae().cuda(), AttributeError, "'cuda': NumPy"),
    (lambda: ae().get_weights(), AttributeError, "named_params"),
    (lambda: ae().weights, AttributeError, "named_params"),
    (lambda: ae().trainable_variables, AttributeError, "theta"),
    (lambda: ae().zero_grad(), AttributeError, "backward assigns"),
    (lambda: vae().forward(X), AttributeError, r"'forward': model\(x\)"),
    (lambda: vae().reparameterize(0, 0), AttributeError, "posterior_sample"),
    (lambda: vae().z_mean, AttributeError, "posterior"),
    (lambda: ae().layers, AttributeError, r"encoder\.layers"),
    (lambda: ae().add(ReLU()), AttributeError, "Sequential"),
    (lambda: ae().fit_predict(X), AttributeError, "AnomalyDetector"),
    (lambda: ae().sample(3), AttributeError, "no prior"),
    (lambda: ae().decision_function(X), AttributeError, "anomaly_score"),
    (lambda: ae().load_weights("a.npz"), AttributeError, "returns a new model"),
    (lambda: ae().train_on_batch(X), AttributeError, "optimizer.step"),
    # of optimisers, losses, layers
    (lambda: Adam().zero_grad(), AttributeError, "Adam has no 'zero_grad': backward assigns"),
    (lambda: Adam().apply_gradients([]), AttributeError, r"step\(theta, dtheta\)"),
    (lambda: SGD(0.1).param_groups, AttributeError, "optimizer.lr"),
    (lambda: Adam().learning_rate, AttributeError, "here it is called lr"),
    (lambda: vae().loss(X).backward(), AttributeError, r"'backward': .*model\.backward\(\)"),
    (lambda: ae().loss(X).item(), AttributeError, "number already"),
    (lambda: ae().loss(X).detach(), AttributeError, "number already"),
    (lambda: Dense(3, 2).weight, AttributeError, r"Dense has no 'weight': .*params\['W'\]"),
    (lambda: Conv2D(1, 2, 3).kernel.shape, AttributeError, "int"),  # the argument, a size
    (lambda: Dense(3, 2).kernel, AttributeError, r"params\['W'\]"),
    (lambda: Dense(3, 2).bias, AttributeError, r"params\['b'\]"),
    (lambda: Dense(3, 2).units, AttributeError, "here it is called n_out"),
    (lambda: Sequential(ReLU()).add(ReLU()), AttributeError, "all layers at once"),
    (lambda: AnomalyDetector(ae()).threshold, AttributeError, "called threshold_"),
    (lambda: Sequential(Dense(3, 2)).fit(X), AttributeError, "it is a network"),
    # names of the package
    (lambda: miniae.Linear, AttributeError, "miniae has no 'Linear': here it is called Dense"),
    (lambda: miniae.Conv2DTranspose, AttributeError, "called ConvTranspose2D"),
    (lambda: miniae.MSELoss(), AttributeError, "called SquaredError"),
    (lambda: miniae.Input, AttributeError, "not needed"),
    (lambda: miniae.load_model("a"), AttributeError, r"Autoencoder\.load"),
    (lambda: miniae.load_data(), AttributeError, r"datasets\.mnist"),
    (lambda: miniae.RMSprop(), AttributeError, "SGD and Adam"),
    (lambda: miniae.BatchNormalization(), AttributeError, "called BatchNorm"),
    (lambda: miniae.LayerNormalization, AttributeError, "called LayerNorm"),
    (lambda: miniae.GroupNorm, AttributeError, "not here"),
    (lambda: miniae.nn, AttributeError, "in miniae itself"),
    (lambda: exec("from miniae import Linear"), ImportError, "here it is called Dense"),
    (lambda: exec("from miniae import Dense, MaxPooling2D"), ImportError, "MaxPool2D"),
    (lambda: exec("from miniae.datasets import load_data"), ImportError, r"datasets\.mnist"),
    (lambda: datasets.load_data(), AttributeError, r"datasets\.mnist\('train'\)"),
    (lambda: datasets.load_mnist, AttributeError, r"datasets\.mnist"),
    (lambda: datasets.cifar10, AttributeError, "not here"),
    (lambda: datasets.mnist.load_data(), AttributeError, r"call it, datasets\.mnist"),
    (lambda: datasets.fashion_mnist.load_data(), AttributeError, "call it"),
    (lambda: datasets.mnist(train=True), TypeError, 'it is split, "train" or "test"'),
    (lambda: datasets.mnist(root="."), TypeError, "here it is called folder"),
    (lambda: exec("from miniae.layers import Linear"), ImportError, "called Dense"),
    (lambda: exec("from miniae.losses import MSELoss"), ImportError, "called SquaredError"),
    (lambda: exec("from miniae.optim import RMSprop"), ImportError, "SGD and Adam"),
    (lambda: exec("from miniae.regularizers import l1"), ImportError, "called L1Penalty"),
    (lambda: miniae.metrics.mean_squared_error, AttributeError, "called mse"),
    (lambda: miniae.layers.Input, AttributeError, "not needed"),
    # arguments of constructors
    (lambda: Adam(learning_rate=1), TypeError, "Adam has no argument 'learning_rate': .*called lr"),
    (lambda: Adam(beta_1=0.9), TypeError, "betas, a pair"),
    (lambda: Adam(epsilon=1e-7), TypeError, "called eps"),
    (lambda: SGD(learning_rate=1), TypeError, "called lr"),
    (lambda: Adam(momentum=0.9), TypeError, r"betas\[0\]"),
    (lambda: Adam(vae().theta, lr=0.1), TypeError, r"step\(model\.theta, model\.dtheta\)"),
    (lambda: Adam(vae()), TypeError, r"step\(model\.theta, model\.dtheta\)"),
    (lambda: Adam(bettas=(0.9, 0.99)), TypeError, "did you mean betas?"),
    (lambda: Dense(units=64), TypeError, "Dense has no argument 'units': .*n_out"),
    (lambda: Dense(64), TypeError, r"n_out is missing; write Dense\(n_in, n_out\)"),
    (lambda: Dense(784, 64, activation="relu"), TypeError, r"such as ReLU\(\)"),
    (lambda: Dense(64, "relu"), TypeError, r"such as ReLU\(\)"),
    (lambda: Dense(3, 2, kernel_initializer="he"), TypeError, "called init"),
    (lambda: Dense(3, 2, use_bias=False), TypeError, "called bias"),
    (lambda: BatchNorm(num_features=3), TypeError, "called n_features"),
    (lambda: LayerNorm(3, epsilon=1e-3), TypeError, "called eps"),
    (lambda: BatchNorm(3, affine=False), TypeError, "always has gamma"),
    (lambda: LeakyReLU(alpha=0.3), TypeError, "called slope"),
    (lambda: ae(batch_norm=True), TypeError, "it is a layer"),
    (lambda: ReLU(inplace=True), TypeError, "new array"),
    (lambda: Reshape(7, 7, input_shape=(49,)), TypeError, "leave it out"),
    (lambda: Conv2D(filters=32, kernel_size=3), TypeError, "called c_out"),
    (lambda: Conv2D(32, 3), TypeError, r"kernel is missing; write Conv2D\(c_in, c_out, kernel\)"),
    (lambda: ConvTranspose2D(3, 2, 3, strides=2), TypeError, "called stride"),
    (lambda: Dropout(rate=0.5), TypeError, "called p"),
    (lambda: Reshape(target_shape=(7, 7)), TypeError, "give the sizes"),
    (lambda: Masked(mask=X), TypeError, "NaN in the target"),
    (lambda: GaussianNoise(stddev=0.5), TypeError, "called std"),
    (lambda: MaskingNoise(rate=0.5), TypeError, "called p"),
    (lambda: L1Penalty(l1=0.1), TypeError, "called weight"),
    (lambda: KLSparsity(sparsity=0.1), TypeError, "called rho"),
    (lambda: GaussianNLL(std=1), TypeError, "called sigma"),
    (lambda: BernoulliNLL(reduction="sum"), TypeError, "sums over features"),
    (lambda: ae(random_state=0), TypeError, "called seed"),
    (lambda: Autoencoder(6, encoding_dim=2), TypeError, "called latent_dim"),
    (lambda: Autoencoder(6, n_components=2), TypeError, "called latent_dim"),
    (lambda: Autoencoder(6, bottleneck=2), TypeError, "called latent_dim"),
    (lambda: VAE(6, z_dim=2), TypeError, "called latent_dim"),
    (lambda: Autoencoder(6, hidden_dim=4), TypeError, r"hidden=\(128,\)"),
    (lambda: VAE(6, hidden_dims=[4]), TypeError, r"hidden=\(128,\)"),
    (lambda: vae(loss="bce"), TypeError, "VAE has no argument 'loss': .*likelihood"),
    (lambda: ae(likelihood="bernoulli"), TypeError, "called loss"),
    (lambda: ae(beta=4), TypeError, "a VAE has"),
    (lambda: vae(corruption=GaussianNoise(1)), TypeError, r"fit\(noisy, clean\)"),
    (lambda: vae(learning_rate=1e-3), TypeError, r"fit\(optimizer=Adam\(lr=1e-3\)\)"),
    (lambda: vae(optimizer="adam"), TypeError, r"fit\(optimizer="),
    (lambda: vae(betta=3), TypeError, "did you mean beta?"),
    (lambda: ConditionalVAE(6, num_classes=3), TypeError, "called n_classes"),
    (lambda: ConditionalVAE(6, n_classes=3, z_dim=2), TypeError, "called latent_dim"),
    (lambda: ImportanceWeightedVAE(6, num_samples=5), TypeError, "called k"),
    (lambda: AnomalyDetector(ae(), threshold=1), TypeError, "contamination"),
    (lambda: vae().set_params(z_dim=3), TypeError, "called latent_dim"),
    (lambda: ae(loss="cross_entropy"), ValueError, "here it is called 'bce'"),
    (lambda: ae(loss="L2"), ValueError, "here it is called 'mse'"),
    (lambda: ae(loss="MSE"), ValueError, "did you mean 'mse'"),
    (lambda: vae(likelihood="categorical_crossentropy"), ValueError, "called 'multinomial'"),
    (lambda: vae(likelihood="nll"), ValueError, "likelihood has a name"),
    (lambda: ae(loss="kld"), ValueError, "term of a VAE's loss"),
    (lambda: ae(activation="leakyrelu"), ValueError, "called 'leaky_relu'"),
    (lambda: ae(activation="mish"), ValueError, r"docs/11_extending\.md"),
    (lambda: ae(code_activation="identity"), ValueError, "called 'linear'"),
    # arguments of methods
    (lambda: ae().fit(X, callbacks=[]), TypeError, "Autoencoder.fit has no .*called callback"),
    (lambda: vae().fit(X, lr=1e-3), TypeError, r"optimizer=Adam\(lr=1e-3\)"),
    (lambda: vae().fit(X, learning_rate=1e-3), TypeError, r"optimizer=Adam\(lr=1e-3\)"),
    (lambda: vae().fit(X, n_epochs=3), TypeError, "called epochs"),
    (lambda: vae().fit(lambda: [X], num_epochs=3), TypeError, "called epochs"),
    (lambda: vae().fit(x=X, y=X), TypeError, "called X"),
    (lambda: vae().fit_transform(X, n_epochs=3), TypeError, "called epochs"),
    (lambda: vae().fit(X, epoch=3), TypeError, "VAE.fit has no argument 'epoch'; did you mean epo"),
    (lambda: vae().log_prob(X), AttributeError, "called log_likelihood"),
    (lambda: ae().impute(X, n_iter=3), TypeError, "called steps"),
    (lambda: datasets.synthetic_digits(n_samples=3), TypeError, "called n"),
    (lambda: miniae.conv_networks((28, 28), 4, filters=(3,)), TypeError, "called channels"),
    (lambda: vae().fit(X, patience=3), TypeError, "called early_stopping"),
    (lambda: ae().predict(X, batch_size=3), TypeError, "predict has no .*'batch_size': .*leave it"),
    (lambda: vae().predict(X, verbose=0), TypeError, "prints nothing"),
    (lambda: vae()(X, training=True), TypeError, "evaluation is the mode"),
    (lambda: vae().encode(X, batch_size=3), TypeError, "VAE.encode has no argument 'batch_size'"),
    (lambda: ae().evaluate(X, batch_size=3), TypeError, "leave it out"),
    (lambda: vae().elbo(X, batch_size=3), TypeError, "leave it out"),
    (lambda: vae().log_likelihood(X, n_samples=3), TypeError, "called k"),
    (lambda: vae().sample(n_samples=3), TypeError, "called n"),
    (lambda: vae().sample(3, random_state=0), TypeError, "called seed"),
    (lambda: vae().sample(np.zeros((3, 2))), TypeError, r"shape \(3, 2\).*decode\(z\)"),
    (lambda: AnomalyDetector(ae()).predict(X, batch_size=3), TypeError, "leave it out"),
    # names that are in another module here; attributes that are arguments elsewhere
    (lambda: exec("from miniae.layers import Conv2D"), ImportError, "from miniae import Conv2D"),
    (lambda: miniae.losses.Huber, AttributeError, "it is in miniae itself, from miniae import Hu"),
    (lambda: miniae.layers.Conv2DTranspose, AttributeError, "from miniae import ConvTranspose2D"),
    (lambda: miniae.losses.MAE, AttributeError, "from miniae import AbsoluteError"),
    (lambda: exec("from miniae import CSVLogger"), ImportError, r"callbacks\.CSVLog\(path\)"),
    (lambda: exec("from miniae import EarlyStopping"), ImportError, r"callbacks\.EarlyStopping\(5"),
    (lambda: exec("from miniae.callbacks import TensorBoard"), ImportError, "model, epoch, logs"),
    (lambda: callbacks.ReduceLROnPlateau, AttributeError, "called ReduceOnPlateau"),
    (lambda: callbacks.ReduceOnPlateau(min_lr=0.1), TypeError, "called lowest"),
    (lambda: callbacks.CSVLog(filename="a.csv"), TypeError, "called path"),
    (lambda: callbacks.EarlyStopping(5, monitor="loss"), TypeError, "validation loss"),
    (lambda: exec("from miniae.optim import StepLR"), ImportError, "function of the step"),
    (lambda: vae().z_dim, AttributeError, "VAE has no 'z_dim': here it is called latent_dim"),
    (lambda: ae().hidden_dims, AttributeError, r"hidden=\(128,\)"),
    (lambda: setattr(Adam(), "learning_rate", 1), AttributeError, "no effect: .*called lr"),
    # names of scikit-learn and PyOD
    (lambda: AutoencoderTransformer(n_components=2), TypeError, "called latent_dim"),
    (lambda: AutoencoderTransformer(max_iter=2), TypeError, "called epochs"),
    (lambda: AutoencoderTransformer(input_dim=6), TypeError, "the data of fit have it"),
    (lambda: VAETransformer(learning_rate=1), TypeError, "called lr"),
    (lambda: VAETransformer(loss="mse"), TypeError, "called likelihood"),
    (lambda: VAETransformer().set_params(random_state=1), TypeError, "called seed"),
    (lambda: AutoencoderTransformer().fit(X, epochs=3), TypeError, "argument of the constructor"),
    (lambda: AutoencoderTransformer().encode(X), AttributeError, "called transform"),
    (lambda: VAETransformer().sample(3), AttributeError, "model_"),
    (lambda: AnomalyDetector(hidden_neurons=[3]), TypeError, r"model__latent_dim"),
    (lambda: AnomalyDetector().set_params(epochs=3), TypeError, "argument of fit"),
    (lambda: AnomalyDetector().labels_, AttributeError, "fit sets it"),
    (lambda: AnomalyDetector().predict(X, return_confidence=True), TypeError, "predict_proba"),
    # arguments without a name, and values of another kind
    (lambda: ae().fit(X, X, 10, 256), TypeError, "X, y without a name, got 4 .*epochs="),
    (lambda: ae().fit(X, dropout=0.1), TypeError, "argument of the constructor"),
    (lambda: ae().fit(X, sample_weights=X[:, 0]), TypeError, "called sample_weight"),
    (lambda: ae().fit(X, callback=lambda a, b: 0), TypeError, r"\(model, epoch, logs\)"),
    (lambda: ae(loss=None), ValueError, "loss=None is unknown; use a Loss"),
    (lambda: ae(loss="adadelta"), ValueError, "an optimiser, an argument of fit"),
    (lambda: vae(likelihood="student_t"), ValueError, "is unknown; it is not here; docs/11"),
    (lambda: ae(loss="qwerty"), ValueError, "is unknown; use one of"),
    (lambda: Mixed([(2, "gaussian")]), ValueError, r"the loss comes first: \('gaussian', 2\)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "words"), often(3, NEAR_MISSES), ids=[str(i) for i in range(len(NEAR_MISSES))]
)
def test_a_near_miss_is_answered_by_the_name_here(call, error, words):
    with pytest.raises(error, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_unknown_names_keep_pythons_own_errors():
    with pytest.raises(AttributeError, match="'VAE' object has no attribute 'qwerty'"):
        vae().qwerty  # noqa: B018
    with pytest.raises(AttributeError, match="module 'miniae.datasets' has no attribute 'qwerty'"):
        datasets.qwerty  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'qwerty' from 'miniae'"):
        exec("from miniae import qwerty")


def test_hasattr_copies_pickles_and_numpy_see_no_foreign_names():
    things = [vae(), Dense(3, 2), Adam(), BernoulliNLL(), GaussianNoise(1), AnomalyDetector(ae())]
    for thing in things:
        for name in ("compile", "zero_grad", "weight", "__array__", "__deepcopy__", "state_dict"):
            if not hasattr(type(thing), name):
                assert not hasattr(thing, name)
                assert getattr(thing, name, None) is None
        for clone in (copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
            assert repr(clone) == repr(thing)
    assert not hasattr(miniae, "Linear") and not hasattr(datasets, "load_data")
    assert np.asarray(vae(), dtype=object).shape == ()
    bare = VAE.__new__(VAE)  # as a copy is made: nothing is there yet, and nothing recurses
    with pytest.raises(AttributeError):
        bare.theta  # noqa: B018


def test_a_property_that_fails_keeps_its_own_error():
    class Mine(Dense):
        @property
        def weight(self):
            return self.nothing

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        Mine(3, 2).weight  # noqa: B018


def test_a_subclass_may_give_any_foreign_name_a_meaning():
    class Mine(VAE):
        weights = 3

        def __init__(self, input_dim, latent_dim=2, *, learning_rate=0.1, **options):
            self.learning_rate = learning_rate
            self.name = options.pop("name", "mine")  # its signature does not show this one
            super().__init__(input_dim, latent_dim, **options)

        def compile(self, optimizer):
            return optimizer

        def encode(self, X, batch_size=7):
            return batch_size

        def fit(self, X, callbacks=(), **options):
            self.called = callbacks
            return super().fit(X, **options)

        def loss(self, x, target=None, *, lr=None, eps=None, rng=None, training=False):
            self.seen = lr
            return super().loss(x, target, eps=eps, rng=rng, training=training)

    model = Mine(6, learning_rate=5, name="me", hidden=(4,))
    assert (model.learning_rate, model.name, model.weights) == (5, "me", 3)
    assert model.compile("adam") == "adam" and model.encode(X, batch_size=9) == 9
    model.fit(X, callbacks=[1], lr=np.arange(20), epochs=1, verbose=0)  # lr: an array of its loss
    assert model.called == [1] and model.seen.shape == (20,)
    with pytest.raises(TypeError, match="called epochs"):
        model.fit(X, n_epochs=3)

    class Step(Optimizer):
        def __init__(self, learning_rate):
            super().__init__(learning_rate)

    assert Step(learning_rate=0.3).lr == 0.3

    class Wrapper(Estimator):
        """One that passes all its options on to something else."""

        def __init__(self, size, **options):
            self.options = options

    Wrapper.__init__.__module__ = "miniae.wrapper"  # as if it were miniae's own
    assert Wrapper(3, widgets=4).options == {"widgets": 4}

    class Bare(Corruption):
        pass

    with pytest.raises(TypeError, match="Bare takes no arguments"):
        Bare(std=3)
    assert repr(Bare()) == "Bare()"

    class Scale(Layer):
        pass

    assert Scale(kernel=np.ones(3)).params["kernel"].sum() == 3  # names that its author chooses


def test_an_optimiser_of_a_readers_own_may_have_a_learning_rate_but_needs_super():
    class Mine(Optimizer):
        def __init__(self, learning_rate):
            super().__init__(learning_rate)
            self.learning_rate = learning_rate

        def update(self, theta, dtheta, lr):
            theta -= self.learning_rate * dtheta

    optimizer = pickle.loads(pickle.dumps(copy.deepcopy(Adam()))) and Mine(learning_rate=0.1)
    assert ae().fit(X, epochs=1, optimizer=optimizer, verbose=0).history["loss"]
    assert optimizer.learning_rate == 0.1 and copy.deepcopy(optimizer).learning_rate == 0.1

    class Bare(Optimizer):
        def __init__(self, rate):
            self.rate_given = rate

    with pytest.raises(AttributeError, match=r"call super\(\)\.__init__\(\) in Bare\.__init__"):
        ae().fit(X, optimizer=Bare(0.1), verbose=0)


@pytest.mark.parametrize("method", ["fit", "encode", "predict", "evaluate", "score"])
def test_one_frame_of_a_traceback_is_a_wrapper(method):
    with pytest.raises(ValueError) as raised:
        getattr(ae(), method)(X[:, :3])
    frames = traceback.extract_tb(raised.value.__traceback__)
    wraps = [
        "floating.py" in f.filename or "miniae/plumbing/foreign.py" in f.filename for f in frames
    ]
    assert [f.name for f in frames[1:3]] == ["call", method]
    assert not any(first and second for first, second in itertools.pairwise(wraps))


def test_a_mixin_with_a_constructor_of_its_own_still_gets_its_arguments():
    class Logged:
        def __new__(cls, *args, **options):
            make = super().__new__
            made = make(cls) if make is object.__new__ else make(cls, *args, **options)
            made.given = options
            return made

    class Before(Logged, Dense):
        pass

    class After(Dense, Logged):
        pass

    for cls in (Before, After):
        assert cls(3, 2, init="he").given == {"init": "he"}


def test_a_method_that_explains_itself_shows_its_own_signature():
    assert list(inspect.signature(VAE.encode).parameters) == ["self", "X"]
    assert "epochs" in inspect.signature(Autoencoder.fit).parameters
    assert "def sample" in inspect.getsource(VAE.sample)


def test_a_loss_is_a_float_in_all_other_respects():
    model = ae()
    loss = model.loss(X)
    assert (
        isinstance(loss, float) and loss == model.terms["loss"] and repr(loss) == repr(float(loss))
    )
    assert type(loss + 1) is float and json.loads(json.dumps(loss)) == loss
    assert type(pickle.loads(pickle.dumps(loss))) is type(loss) and np.asarray(loss).dtype == float
    assert all(type(value) is float for value in model.terms.values())
    assert isinstance(model.astype("complex128").loss(X), complex)
    assert not hasattr(loss, "shape") and not hasattr(loss, "backward")


def test_no_foreign_name_is_one_that_exists_here():
    """A table that names what exists would never be asked, or would refuse what is right."""
    things = [ae(), vae(), Dense(3, 2), Sequential(ReLU()), SquaredError(), Adam(), SGD(0.1)]
    for thing in things:
        for table in (dictionary.ATTRIBUTES,):
            for names in table.values():
                for name in names:
                    if find(table, type(thing), name) and not hasattr(thing, name):
                        with pytest.raises(AttributeError, match="has no"):
                            getattr(thing, name)
    assert not set(glossary.NAMES) & set(miniae.__all__)


def test_an_answer_of_one_word_exists_here():
    """Arguments and methods that the tables promise can be found."""
    classes = {name: getattr(miniae, name) for name in miniae.__all__}
    classes |= {"Convolution": Conv2D, "Corruption": MaskingNoise, "Penalty": KLSparsity}
    classes |= {"Normalization": BatchNorm, "Recurrent": LSTM, "SequenceModel": SequenceVAE}
    classes |= {"Parameterized": VAE, "Model": Autoencoder, "Layer": Dense, "Loss": GaussianNLL}
    classes |= {name: getattr(miniae.callbacks, name) for name in miniae.callbacks.__all__}
    from miniae.plumbing.signatures import argument_names

    for owner, names in constructors.ARGUMENTS.items():
        known = argument_names(Adam if owner == "Optimizer" else classes[owner])
        for name, answer in names.items():
            assert " " in answer or answer in known, (owner, name, answer)
    for method, names in dictionary.METHODS.items():
        functions = [getattr(c, method, None) for c in (VAE, AnomalyDetector)]
        known = {p for f in functions if f for p in inspect.signature(f).parameters} | {"X"}
        for name, answer in names.items():
            assert " " in answer or answer in known, (method, name, answer)
    tables = [(miniae, glossary.NAMES), (miniae.plots, glossary.PLOTS)]
    tables.append((miniae.metrics, glossary.METRICS))
    tables.append((miniae.callbacks, dict(glossary.CALLBACKS.items() - glossary.NAMES.items())))
    for module, name, answer in ((m, *row) for m, table in tables for row in table.items()):
        assert not answer.isidentifier() or hasattr(module, answer), (name, answer)


@pytest.mark.slow
def test_constructors_with_wrong_arguments_name_them_in_a_fresh_python():
    code = "import miniae; miniae.Autoencoder(6, encoding_dim=3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert (
        last
        == "TypeError: Autoencoder has no argument 'encoding_dim': here it is called latent_dim"
    )


@pytest.mark.parametrize(
    "thing, text",
    [
        (lambda: Adam(), "Adam(lr=0.001)"),
        (lambda: Adam(1e-2, weight_decay=0.1), "Adam(lr=0.01, weight_decay=0.1)"),
        (lambda: Adam(betas=(0.5, 0.9)), "Adam(lr=0.001, betas=(0.5, 0.9))"),
        (lambda: SGD(0.1, 0.9, nesterov=True), "SGD(lr=0.1, momentum=0.9, nesterov=True)"),
        (lambda: VAE(784), "VAE(input_dim=784, latent_dim=2)"),
        (
            lambda: VAE((4, 5), beta=4, seed=3),
            "VAE(input_dim=(4, 5), latent_dim=2, beta=4, seed=3)",
        ),
        (
            lambda: Autoencoder(6, np.int64(2), penalty=L1Penalty(0.1)),
            "Autoencoder(input_dim=6, latent_dim=2, penalty=L1Penalty(0.1))",
        ),
        (
            lambda: ConditionalVAE(6, n_classes=3),
            "ConditionalVAE(input_dim=6, latent_dim=2, n_classes=3)",
        ),
        (
            lambda: AnomalyDetector(Autoencoder(6), holdout=0),
            "AnomalyDetector(model=Autoencoder(input_dim=6, latent_dim=32), contamination=0.1, "
            "holdout=0)",
        ),
        (lambda: L1Penalty(0.1), "L1Penalty(0.1)"),
        (lambda: GaussianNLL(0.5), "GaussianNLL(0.5, False)"),
    ],
)
def test_a_repr_shows_what_was_set(thing, text):
    assert repr(thing()) == text


def test_a_repr_shows_the_values_of_now_and_no_long_ones():
    model = vae()
    model.beta = 4.0
    assert "beta=4.0" in repr(model)
    optimizer = Adam(lambda step: 0.1)
    assert repr(optimizer) == "Adam(lr=<lambda>)"
    optimizer.lr = 0.2
    assert repr(optimizer) == "Adam(lr=0.2)"
    encoder = Sequential(*[Dense(6, 6) for _ in range(6)], Dense(6, 2))
    assert repr(Autoencoder(6, 2, encoder=encoder)).endswith("encoder=Sequential(...))")


def test_pixels_from_0_to_255_are_told_to_divide():
    X = np.arange(200, dtype=np.uint8).reshape(50, 4)
    with pytest.raises(ValueError, match=r"grey levels: X / 255"):
        Autoencoder(4, 2).fit(X, verbose=0)
    with pytest.raises(ValueError, match=r"standardised data: loss="):
        Autoencoder(4, 2).fit(X - 100.0, verbose=0)
    Autoencoder(4, 2).fit(X / 255, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("cls", "name", "words"),
    [
        (LSTM, "hidden_size", "called n_out"),
        (GRU, "units", "called n_out"),
        (LSTM, "input_size", "called n_in"),
        (LSTM, "num_layers", "one layer after the other"),
        (GRU, "batch_first", r"always \(n, T, d\)"),
        (LSTM, "bidirectional", r"Bidirectional\(LSTM"),
        (LSTM, "return_state", "layer.state is the last state"),
        (LSTM, "dropout", "layer of its own"),
        (GRU, "use_bias", "it always has b"),
        (Embedding, "num_embeddings", "called n_tokens"),
        (Embedding, "output_dim", "called n_out"),
        (Embedding, "mask_zero", "mask=tokens > 0"),
        (MultiHeadAttention, "embed_dim", "called n_features"),
        (MultiHeadAttention, "num_heads", "called n_heads"),
        (MultiHeadAttention, "key_dim", "n_features / n_heads"),
        (Attention, "is_causal", "called causal"),
        (Attention, "d_model", "no sizes; MultiHeadAttention"),
        (BatchNorm, "axis", "the last one; n_features is its size"),
        (LayerNorm, "bias", "beta is the bias"),
        (MaxPool2D, "pool_size", "called size"),
        (MaxPool2D, "strides", "the stride is size"),
        (UpSample2D, "scale_factor", "called size"),
        (Repeat, "n", "called n_steps"),
        (Bidirectional, "merge_mode", "side by side"),
        (SequenceVAE, "vocab_size", "called n_tokens"),
        (SequenceAutoencoder, "max_len", "called length"),
        (SequenceVAE, "encoder", "the networks are LSTMs"),
    ],
)
def test_arguments_of_layers_and_models_of_sequences_are_answered(cls, name, words):
    with pytest.raises(TypeError, match=f"{cls.__name__} has no argument '{name}': .*{words}"):
        cls(**{name: 2})


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (lambda: LSTM(3, 2), "hidden_size", "called n_out"),
        (lambda: GRU(3, 2), "weight_hh_l0", r"params\['U'\]"),
        (lambda: LSTM(3, 2), "cell_state", "called state"),
        (lambda: LSTM(3, 2), "reset_states", "starts from zeros"),
        (lambda: Embedding(3, 2), "embedding_dim", "called n_out"),
        (lambda: MultiHeadAttention(4, 2), "in_proj_weight", "Dense layers"),
        (lambda: Attention(), "attn_weights", "called weights"),
        (lambda: BatchNorm(3), "weight", r"params\['gamma'\]"),
        (lambda: LayerNorm(3), "bias", r"params\['beta'\]"),
        (lambda: BatchNorm(3), "running_mean", r"buffers\['running_mean'\]"),
        (lambda: miniae, "LSTMCell", "of one step"),
        (lambda: miniae, "scaled_dot_product_attention", "called Attention"),
    ],
)
def test_attributes_of_layers_of_sequences_are_answered(make, name, words):
    with pytest.raises(AttributeError, match=f"has no '{name}': .*{words}"):
        getattr(make(), name)
