import numpy as np
import pytest

from miniae import VAE, Dense, ReLU, gradient_check
from miniae.layers import Layer
from miniae.losses import Loss
from miniae.model import Model
from miniae.proof import __main__ as certificate
from miniae.proof.bugzoo import ZOO, Row, Specimen, instruments, score, survey
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.optimizers import OptimizerReport, Property
from miniae.proof.oracle_certificate import Line
from miniae.proof.subject import Subject
from miniae.proof.table import table

SEEDS = (0, 1)
BY_ID = {each.id: each for each in ZOO}
CORRECT = {
    (each.instrument, each.right, str(each.options)): each for each in ZOO
}  # one specimen for each correct code and instrument


def is_object(specimen):
    return isinstance(specimen.wrong, type) and issubclass(specimen.wrong, (Layer, Loss, Model))


@pytest.mark.parametrize("name", list(BY_ID)[::110])  # all of them, at 20 seeds: slow, below
def test_every_specimen_is_caught_by_the_instrument_it_names(name):
    finding = BY_ID[name].examine(SEEDS[0])
    assert finding.caught, finding.evidence


@pytest.mark.parametrize("name", [each.id for each in CORRECT.values()][::24])
def test_the_correct_code_is_not_accused(name):
    finding = BY_ID[name].examine_correct(SEEDS[1])  # all of them, at 200 seeds: slow, below
    assert not finding.caught, finding.evidence


@pytest.mark.slow
@pytest.mark.parametrize("name", [each.id for each in CORRECT.values()])
def test_the_correct_code_is_never_accused_over_200_seeds(name):
    for seed in range(200):
        finding = BY_ID[name].examine_correct(seed)
        assert not finding.caught, f"seed {seed}: {finding.evidence}"


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_ID)
def test_every_specimen_is_caught_at_20_seeds(name):
    for seed in range(20):  # tests/proof/test_diagnosis.py takes further ones
        finding = BY_ID[name].examine(seed)
        assert finding.caught, f"seed {seed}: {finding.evidence}"


def test_there_are_at_least_130_with_ids_of_their_own_and_a_source_and_a_sentence_each():
    assert len(ZOO) >= 130 and len(BY_ID) == len(ZOO)
    public = [each for each in ZOO if each.source != "constructed"]
    assert len(public) >= 20
    for each in ZOO:
        assert each.source and each.fault.endswith(".") and len(each.fault) < 120, each.id
        assert each.wrong is not each.right
        assert bool(each.cause) == (each.instrument is instruments.gradient_check), each.id


def test_every_specimen_is_a_subclass_of_what_it_gets_wrong():
    for each in ZOO:
        if isinstance(each.wrong, type):
            assert issubclass(each.wrong, each.right), each.id


def test_the_open_vae_of_the_zoo_is_the_vae():
    rng = np.random.default_rng(0)
    x, eps = rng.random((5, 6)), rng.standard_normal((5, 2))
    right, opened = (cls(6, 2, (4,), beta=1.7, dtype="float64") for cls in (VAE, OpenVAE))
    assert opened.loss(x, eps=eps) == pytest.approx(right.loss(x, eps=eps), rel=1e-14)
    right.backward()
    opened.backward()
    np.testing.assert_allclose(opened.dtheta, right.dtheta, rtol=1e-12, atol=1e-15)


TAKE_OTHER_INPUTS = ("attention", "multimodal", "recurrent", "sequences")
OTHERS = [  # the specimens in those modules have instruments that compare gradients too
    each
    for each in ZOO
    if is_object(each)
    and each.instrument is not instruments.gradient_check
    and each.wrong.__module__.rpartition(".")[2] not in TAKE_OTHER_INPUTS
]
OUT_IS_WRONG = {  # but not dx, which is that of the right formula: a gradient check sees this too
    "batchnorm-eps-outside", "batchnorm-unbiased-out", "batchnorm-running-in-training",
    "batchnorm-updated-in-evaluation",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("each", OTHERS, ids=lambda each: each.id)
def test_what_the_other_instruments_are_for_passes_a_gradient_check(each):
    finding = instruments.gradient_check(each.wrong, 0)
    if each.id in OUT_IS_WRONG:
        assert finding.caught, finding.evidence
        return
    # A generator of the object's own draws other numbers in float32: there it is seen.
    assert finding.caught == (each.id == "vae-eps-reseeded"), finding.evidence
    assert finding.cause in ("", "float32")


def test_an_all_ones_upstream_gradient_misses_what_ignores_dout(monkeypatch):
    deaf = [each for each in ZOO if each.cause == "dout ignored"]
    assert len(deaf) >= 4 and all(each.examine(0).caught for each in deaf)
    draw = Subject.__init__

    def ones(self, *args, **options):
        draw(self, *args, **options)
        self.dout = np.ones_like(self.dout)

    monkeypatch.setattr(Subject, "__init__", ones)
    assert not any(each.examine(0).caught for each in deaf)


def test_a_check_at_mu_1_and_log_var_0_misses_the_slip_in_log_var():
    slip = BY_ID["kl-half-log-var"]
    ones, zeros = np.ones((1, 2)), np.zeros((1, 2))
    np.testing.assert_array_equal(slip.wrong(ones, zeros), slip.right(ones, zeros))
    assert slip.examine(0).caught


def secretly_correct(wrong=ReLU):
    return Specimen("impostor", "constructed", "Nothing.", instruments.gradient_check, "zero",
                    wrong, ReLU)  # fmt: skip


def test_a_specimen_that_is_secretly_correct_fails():
    class SameThing(ReLU):
        pass

    for wrong in (ReLU, SameThing):
        impostor = secretly_correct(wrong)
        (row,) = survey(0, [impostor])
        assert not row.finding.caught and not row.ok
    assert score([row]).startswith("caught 0 of 1; diagnosed 0 of 1")


def test_an_instrument_that_accuses_the_correct_code_fails():
    wrong = BY_ID["relu-ignores-dout"].wrong
    accuser = Specimen("accuser", "constructed", "", instruments.gradient_check, "", wrong, wrong)
    (row,) = survey(0, [accuser])
    assert row.finding.caught and row.correct.caught and not row.ok


@pytest.mark.slow
def test_the_zoo_prints_a_line_a_specimen_and_the_score(monkeypatch, capsys):
    some = ZOO[::4]
    monkeypatch.setattr(certificate, "ZOO", some)
    assert certificate.main(["zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for each in some:
        assert sum(line.split()[:2] == [each.id, "caught"] for line in lines) == 1
    assert any(line.startswith(f"caught {len(some)} of {len(some)}; diagnosed") for line in lines)


def test_a_specimen_can_be_looked_at(capsys):
    assert certificate.main(["zoo", "vae-noise-scale", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "better than the exact answer" in out and "right code not caught" in out
    with pytest.raises(SystemExit, match="no specimen 'dodo'"):
        certificate.main(["zoo", "dodo"])


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_a_wide_one_shows_more(columns, monkeypatch, capsys):
    long = "a note of many words, " * 9
    wrong = certificate.Checked("Sequential(" + "Dense(6, 5), " * 9, "central difference", 815_824,
                                1.0, 1e-12, 0.0, False, long)  # fmt: skip
    accuser = Specimen("accuser", "a paper " * 20, long, instruments.gradient_check, "zero",
                       *[BY_ID["relu-ignores-dout"].wrong] * 2)  # fmt: skip
    names = ("weights-read-after-update", "vae-noise-scale")  # a long source, much evidence
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(certificate, "check_gradients", lambda seed: [wrong])
    monkeypatch.setattr(
        "miniae.proof.oracle_certificate.certificate", lambda: [Line("it" * 20, 1, 1, True, long)]
    )
    monkeypatch.setattr(certificate, "ZOO", (*(BY_ID[name] for name in names), accuser))
    assert certificate.main([]) == 1
    tables = capsys.readouterr().out
    assert tables.split().count("words,") == 2 * 9, "a note is in full, however narrow"
    assert ("variational-auto" in tables) == ("seconds" in tables) == (columns == 120)
    certificate.main(["zoo", *names, "accuser"])
    described = capsys.readouterr().out
    assert "variational-auto" in described and described.count("words,") == 9
    assert max(map(len, (tables + described).splitlines())) <= columns


def test_a_table_wraps_long_cells_in_their_own_column_and_loses_no_word(monkeypatch):
    monkeypatch.setenv("COLUMNS", "26")
    rows = [("one two three four", "5", "a-very-long-word-indeed"), ("", "", "")]
    assert table(("", "n", "word"), rows, flexible=(0, 2)).split("\n") == [
        "            n  word",
        "one two     5  a-very-",
        "three four     long-word-",
        "               indeed",
        "",
    ]


@pytest.mark.slow
def test_the_exit_code_is_1_if_a_specimen_escapes_or_correct_code_is_accused(monkeypatch, capsys):
    few = (BY_ID["relu-ignores-dout"], BY_ID["momentum-sign"])
    monkeypatch.setattr(certificate, "ZOO", few)
    assert certificate.main(["zoo"]) == 0
    monkeypatch.setattr(certificate, "ZOO", (*few, secretly_correct()))
    assert certificate.main(["zoo"]) == 1
    assert "ESCAPED" in capsys.readouterr().out
    wrong = few[0].wrong
    accuser = Specimen("accuser", "constructed", "", instruments.gradient_check, "", wrong, wrong)
    monkeypatch.setattr(certificate, "ZOO", (*few, accuser))
    assert certificate.main(["zoo"]) == 1
    assert "ACCUSES" in capsys.readouterr().out


def test_the_exit_code_is_1_if_any_line_of_the_certificate_fails(monkeypatch, capsys):
    def checked(ok):
        return lambda seed: [certificate.Checked("it", "by hand", 1, 0.0, 1.0, 0.0, ok, "no good")]

    def oracle(ok):
        return lambda: [Line("it", 1.0, 1.0, ok, "what")]

    def optimizer(ok):
        return lambda seed: [OptimizerReport("it", "sgd", {}, [Property("steps", ok)])]

    monkeypatch.setattr(certificate, "ZOO", (BY_ID["relu-ignores-dout"],))
    for wrong in (None, 0, 1, 2):
        gradients_hold, oracles_hold, optimizers_hold = (k != wrong for k in range(3))
        monkeypatch.setattr(certificate, "check_gradients", checked(gradients_hold))
        monkeypatch.setattr(certificate, "check_optimizers", optimizer(optimizers_hold))
        monkeypatch.setattr("miniae.proof.oracle_certificate.certificate", oracle(oracles_hold))
        holds = wrong is None
        assert certificate.main([]) == (0 if holds else 1)
        out = capsys.readouterr().out
        assert ("FAIL" in out) != holds and ("all holds" in out) == holds


def test_the_certificate_checks_every_public_layer_loss_and_model():
    assert certificate.public_classes() <= certificate.classes_of(certificate.subjects())
    assert {Dense, VAE} <= certificate.public_classes()


@pytest.mark.slow
def test_the_certificate_checks_every_public_optimiser():
    reports = list(certificate.check_optimizers(0))
    assert [report.name for report in reports] == ["Adam", "SGD"]
    assert all(report.ok and not report.notes for report in reports)


@pytest.mark.slow
def test_the_certificate_fails_for_a_public_class_that_is_not_checked(monkeypatch):
    class Newcomer(ReLU):
        pass

    monkeypatch.setattr(certificate, "subjects", list)
    monkeypatch.setattr(certificate, "public_classes", lambda: {Newcomer})
    monkeypatch.setattr(certificate, "METHODS", ())
    monkeypatch.setattr(
        certificate,
        "check",
        lambda *args, **options: certificate.Checked("it", "", 1, 0.0, 1.0, 0.0, True),
    )
    bad = [line for line in certificate.check_gradients(0) if not line.ok]
    assert [line.name for line in bad] == ["Newcomer"]


def test_a_wrong_line_of_the_certificate_carries_the_diagnosis():
    line = certificate.check("relu", BY_ID["relu-mask-always-true"].wrong(), "complex step", 0)
    assert not line.ok and "dout passes unchanged" in line.note


@pytest.mark.slow
def test_the_whole_certificate_holds(capsys):
    assert certificate.main([]) == 0
    assert "all holds" in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_knows_whether_it_holds():
    each = BY_ID["momentum-sign"]
    row = Row(each, each.examine(), each.examine_correct())
    assert row.ok and row.diagnosed is None


def test_the_wrong_code_is_reported_block_by_block():
    report = gradient_check(BY_ID["db-mean"].wrong(4, 3), np.random.default_rng(0).random((5, 4)))
    assert [block.name for block in report.blocks if not block.ok] == ["b"]
