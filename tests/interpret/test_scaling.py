"""Scaling laws: exact laws are found again, errors against closed forms and simulation, and clear refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from howgood.core.errors import DataError
from howgood.interpret.ladder import Ladder, ladder
from howgood.interpret.scaling import chinchilla, inflation, power

SIZES = np.repeat([190e6, 370e6, 760e6, 1.3e9], 4)
TOKENS = SIZES * 20 * np.tile([1, 2, 5, 10], 4)
A, B, ALPHA, BETA, E = 400.0, 400.0, 0.34, 0.28, 0.45
STEP2 = (-0.74, 0.62, 4.8, 1.0)


def loss(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return A / n**ALPHA + B / d**BETA + E


def accuracy(at: np.ndarray) -> np.ndarray:
    a, middle, k, b = STEP2
    return a / (1 + np.exp(-k * (at - middle))) + b


class TestPower:
    def test_an_exact_law_is_found_again_without_an_error(self) -> None:
        x = np.array([1.0, 10.0, 100.0, 1000.0])
        law = power(x, 3 * x**-0.5)
        assert (math.exp(law.fit["log A"]), law.fit["alpha"]) == pytest.approx((3, -0.5))
        made = law.predict(10_000)
        assert made.value == pytest.approx(0.03)
        assert made.high - made.low < 1e-9

    def test_errors_are_those_of_a_linear_regression(self) -> None:
        sm = pytest.importorskip("statsmodels.api")
        rng = np.random.default_rng(0)
        x = np.exp(rng.uniform(0, 5, 12))
        y = 2 * x**0.3 * np.exp(rng.normal(0, 0.1, 12))
        law, theirs = power(x, y), sm.OLS(np.log(y), sm.add_constant(np.log(x))).fit()
        assert [one.value for one in law.fit.parameters] == pytest.approx(theirs.params)
        assert [one.se for one in law.fit.parameters] == pytest.approx(theirs.bse)
        assert [(one.low, one.high) for one in law.fit.parameters] == [
            pytest.approx(ends) for ends in theirs.conf_int()
        ]
        ahead = theirs.get_prediction([[1.0, math.log(1e4)]]).summary_frame()
        made = law.predict(1e4)
        assert (made.low, made.high) == pytest.approx(
            (math.exp(ahead["obs_ci_lower"][0]), math.exp(ahead["obs_ci_upper"][0]))
        )

    @pytest.mark.parametrize(
        ("x", "y", "why"),
        [
            ([1, 2], [1, 2], "needs three points at two values of x or more; there are 2"),
            ([1, 1, 1], [1, 2, 3], "needs three points at two values"),
            ([1, 2, 3], [1, 0, 3], "y of point 2 is 0; it must be a number above 0"),
            ([1, float("nan"), 3], [1, 2, 3], "x of point 2 is nan"),
            ([1, 2, 3], [1, 2], "x, y must be equally long"),
        ],
    )
    def test_what_cannot_be_fitted_is_told(self, x: list[float], y: list[float], why: str) -> None:
        with pytest.raises(DataError, match=why):
            power(x, y)


class TestChinchilla:
    def test_an_exact_law_is_found_again(self) -> None:
        law = chinchilla(SIZES, TOKENS, loss(SIZES, TOKENS))
        found = [math.exp(law.fit["log A"]), math.exp(law.fit["log B"]), *law.fit.values[2:]]
        assert found == pytest.approx([A, B, ALPHA, BETA, E], rel=1e-3)
        ahead = law.predict(7e9, 2e12)
        assert ahead.value == pytest.approx(float(loss(np.array(7e9), np.array(2e12))), rel=1e-6)

    def test_the_best_use_of_compute_is_the_minimum_of_the_law(self) -> None:
        law = chinchilla(SIZES, TOKENS, loss(SIZES, TOKENS))
        best = law.optimal(1e23)
        n, d = best.n.value, best.d.value
        assert 6 * n * d == pytest.approx(1e23)
        for other in (0.9, 1.1):
            assert law.predict(n * other, d / other).value > best.loss.value
        a, b = law.exponents
        assert (a.value, b.value) == pytest.approx((BETA / (ALPHA + BETA), ALPHA / (ALPHA + BETA)), rel=1e-3)
        assert law.optimal(1e25).n.value / n == pytest.approx(100**a.value)

    def test_huber_s_variance_goes_from_least_squares_to_least_distances(self) -> None:
        assert inflation(0) == inflation(1e-6) == 1
        assert inflation(1e4) == pytest.approx(math.pi / 2)
        from scipy.integrate import quad
        from scipy.stats import norm

        for noise in (0.0005, 0.002, 0.01):
            squares = quad(lambda u: np.clip(u, -1e-3 / noise, 1e-3 / noise) ** 2 * norm.pdf(u), -12, 12, limit=200)[0]  # noqa: B023
            slope = norm.cdf(1e-3 / noise) - norm.cdf(-1e-3 / noise)
            assert inflation(noise) == pytest.approx(squares / slope**2, rel=1e-6)
        # Huber's own constant: at delta = 1.345 sigma the efficiency is 95 %.
        assert 1 / inflation(1, delta=1.345) == pytest.approx(0.95, abs=5e-4)

    def test_intervals_of_new_runs_hold_as_often_as_they_say(self) -> None:
        """100 ladders of 16 runs, each predicting a run of ten times the size: seeded, so it cannot fail by chance."""
        rng = np.random.default_rng(7)
        target, held = float(loss(np.array(13e9), np.array(5e12))), 0
        for _ in range(100):
            law = chinchilla(SIZES, TOKENS, loss(SIZES, TOKENS) * np.exp(rng.normal(0, 0.01, 16)))
            ahead = law.predict(13e9, 5e12)
            held += ahead.low <= target * math.exp(rng.normal(0, 0.01)) <= ahead.high
        assert 92 <= held <= 100

    @pytest.mark.parametrize(
        ("keep", "why"),
        [
            (slice(0, 5), "it needs six runs with three different n and d; there are 5 with 2 and 5"),
            (slice(0, 8), "six runs with three different n and d; there are 8 with 2 and 8"),
        ],
    )
    def test_too_few_runs_are_told(self, keep: slice, why: str) -> None:
        with pytest.raises(DataError, match=why):
            chinchilla(SIZES[keep], TOKENS[keep], loss(SIZES, TOKENS)[keep])

    def test_a_loss_that_does_not_depend_on_size_is_told(self) -> None:
        with pytest.raises(DataError, match="do not tell the law's parameters apart"):
            chinchilla(SIZES, TOKENS, np.full(16, 2.0))


class TestLadder:
    def fitted(self, noise: float = 0.0, points: int = 40) -> Ladder:
        rng = np.random.default_rng(3)
        n = np.repeat(SIZES, points)
        d = np.repeat(TOKENS, points) * np.tile(np.linspace(0.05, 1, points), 16)
        losses = loss(n, d)
        right = accuracy(losses) + np.repeat(rng.normal(0, noise, 16), points)
        return ladder(n, d, losses, right, np.repeat(np.arange(16), points).tolist())

    def test_the_second_step_is_found_again(self) -> None:
        made = self.fitted()
        assert made.step2.values == pytest.approx(STEP2, rel=0.07)  # the ideal point pulls, as in the paper
        inside = made.predict(1e9, 5e10)
        assert inside.warnings == []
        assert inside.accuracy.value == pytest.approx(float(accuracy(np.array(inside.loss.value))), abs=2e-3)
        assert inside.accuracy.percent

    def test_what_lies_beyond_the_fitted_losses_is_warned_of(self) -> None:
        found = self.fitted().predict(13e9, 5e12)
        (warning,) = found.warnings
        assert warning.startswith(f"step 2 extrapolates: the predicted loss {found.loss.value:.4g} is outside of the")
        assert warning.endswith(f"fitted on, {self.fitted().lowest:.4g} to {self.fitted().highest:.4g}")

    def test_checkpoints_of_a_run_are_not_independent(self) -> None:
        """Ten times the checkpoints of the same 16 runs tell no more about how runs differ."""
        few, many = self.fitted(0.01, 12), self.fitted(0.01, 120)
        errors = [
            math.sqrt(one.step2.delta(lambda p: p[0] / (1 + math.exp(-p[2] * (0.7 - p[1]))) + p[3])[1])
            for one in (few, many)
        ]
        assert errors[1] == pytest.approx(errors[0], rel=0.35)
        assert errors[1] > 0.5 * errors[0]

    def test_runs_with_one_row_each_need_no_names(self) -> None:
        losses = loss(SIZES, TOKENS)
        made = ladder(SIZES, TOKENS, losses, accuracy(losses))
        assert made.step2.n == 16
        assert (made.lowest, made.highest) == (losses.min(), losses.max())

    def test_accuracies_in_per_cent_and_flat_ones_are_told(self) -> None:
        losses = loss(SIZES, TOKENS)
        with pytest.raises(DataError, match=r"from 0 to 1; write 65 % as 0\.65"):
            ladder(SIZES, TOKENS, losses, 100 * accuracy(losses))
        with pytest.raises(DataError, match="there are 16 checkpoints but 3 names of runs"):
            ladder(SIZES, TOKENS, losses, accuracy(losses), ["a", "b", "c"])
        with pytest.raises(DataError, match="does not rise as the loss falls"):
            ladder(SIZES, TOKENS, losses, np.clip(1.2 - accuracy(losses), 0, 1))
        with pytest.raises(DataError, match="does not rise as the loss falls"):
            ladder(SIZES, TOKENS, losses, np.full(16, 0.25))


class TestCommand:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        path = tmp_path / "runs.csv"
        losses = loss(SIZES, TOKENS)
        rows = zip(SIZES, TOKENS, losses, accuracy(losses), strict=True)
        path.write_text("n,d,loss,accuracy\n" + "\n".join(",".join(f"{x:.17g}" for x in row) for row in rows))
        return path

    def run(self, *arguments: str) -> str:
        from typer.testing import CliRunner

        from howgood.cli.scale import app

        result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.output

    def test_ladder(self, table: Path) -> None:
        out = self.run("ladder", str(table), "--predict", "13e9,5e12")
        target = loss(np.array(13e9), np.array(5e12))
        assert f"loss      {float(target):<11.5g}" in out
        assert "step 1: loss = A/n^alpha + B/d^beta + E   (16 runs" in out
        assert "step 2 extrapolates" in out
        assert "accuracy" in out

    def test_chinchilla(self, table: Path) -> None:
        out = self.run("chinchilla", str(table), "--compute", "1e23", "--predict", "1e9,1e11")
        assert "alpha     0.34 " in out
        assert f"a         {BETA / (ALPHA + BETA):<11.5g}" in out
        assert "1e+23 floating point operations, best spent" in out

    def test_power(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text("params,loss\n1,3\n10,0.94868330\n100,0.3\n")
        out = self.run("power", str(tmp_path / "p.csv"), "--x", "params", "--y", "loss", "--predict", "10000")
        assert "loss = A params^alpha" in out
        assert "alpha     -0.5 " in out
        assert "y         0.03 " in out

    @pytest.mark.parametrize(
        ("text", "arguments", "why"),
        [
            (
                "n,loss\n1,2\n",
                ["chinchilla"],
                "has no column d; it has n, loss. Rename the columns that hold n, d, loss",
            ),
            ("n,d,loss\n1,2,x\n", ["chinchilla"], "row 1, column loss: 'x' is not a number"),
            ("n,d,loss\n1,2,nan\n", ["chinchilla"], "row 1, column loss: nan cannot be fitted"),
            ("n,d,loss\n1,2,3\n", ["chinchilla"], "needs six runs"),
            ("n,d,loss\n1,2,3\n", ["chinchilla", "--predict", "1e9"], "as in 13.2e9,5e12, not '1e9'"),
        ],
    )
    def test_mistakes_are_told_in_one_line(self, text: str, arguments: list[str], why: str, tmp_path: Path) -> None:
        from howgood.core.errors import HowgoodError

        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(HowgoodError) as told:
            self.run(arguments[0], str(tmp_path / "t.csv"), *arguments[1:])
        assert why in str(told.value)

    def test_rows_of_a_run_belong_together(self, tmp_path: Path) -> None:
        """The mean of the last five checkpoints is the run's loss, so the earlier ones change nothing of step 1."""
        losses = loss(SIZES, TOKENS)
        lines = ["run,n,d,loss,accuracy"]
        for run, (n, d, last) in enumerate(zip(SIZES, TOKENS, losses, strict=True)):
            for share, worse in ((0.1, 1.4), (0.3, 1.2), *[(1.0, 1.0)] * 5):
                lines.append(
                    f"r{run},{n},{d * share},{last * worse:.17g},{float(accuracy(np.array(last * worse))):.17g}"
                )
        (tmp_path / "runs.csv").write_text("\n".join(lines))
        out = self.run("ladder", str(tmp_path / "runs.csv"), "--predict", "1e9,5e10")
        assert "(16 runs" in out
        assert f"loss      {float(loss(np.array(1e9), np.array(5e10))):<11.5g}" in out
