"""Linear models against direct solutions in NumPy."""

import numpy as np
import pytest

from rote import linear
from rote.core import InputError
from rote.linear import cholesky, interpolate, kernels


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks that do not divide the examples."""
    monkeypatch.setattr(kernels, "BLOCK", 7)
    monkeypatch.setattr(interpolate, "BLOCK", 5)
    monkeypatch.setattr(cholesky, "BLOCK", 6)


def examples(n, d, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)).astype(dtype), np.eye(3)[rng.integers(3, size=n)]


def naive(a, b, gamma):
    return np.array([[np.exp(-gamma * np.sum((x - z) ** 2)) for z in b] for x in a])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_gram_and_prediction_are_those_of_the_formula(dtype, tolerance):
    x, _ = examples(23, 4, dtype)
    z, _ = examples(10, 4, dtype, seed=1)
    gram = linear.gaussian_gram(x, 0.3)
    assert gram.flags.f_contiguous and gram.dtype == dtype
    np.testing.assert_allclose(np.triu(gram), np.triu(naive(x, x, 0.3)), atol=tolerance)
    alpha = np.random.default_rng(2).normal(size=(23, 3)).astype(dtype)
    expected = naive(z, x, 0.3) @ alpha
    np.testing.assert_allclose(linear.gaussian_predict(z, x, alpha, 0.3), expected, atol=2e-5)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_the_kernel_solve_agrees_with_a_dense_one_in_float64(dtype, tolerance, l2):
    x, y = examples(40, 6)
    full = naive(x, x, 0.2)
    expected = np.linalg.solve(full + l2 * np.eye(40), y)
    result = linear.solve(linear.gaussian_gram(x.astype(dtype), 0.2), y, l2)
    np.testing.assert_allclose(result.alpha, expected, atol=tolerance)
    np.testing.assert_allclose(result.fitted, full @ expected, atol=tolerance)
    norm = np.sqrt(np.trace(expected.T @ full @ expected))
    assert result.norm == pytest.approx(norm, rel=tolerance)
    assert result.residual < tolerance
    second = result.columns(slice(1, 2))
    by_hand = np.sqrt(expected[:, 1] @ full @ expected[:, 1])
    assert second.norm == pytest.approx(by_hand, rel=tolerance)


def test_a_gram_matrix_can_be_solved_again():
    x, y = examples(30, 6)
    gram = linear.gaussian_gram(x, 0.2)
    first = linear.solve(gram, y)
    linear.solve(gram, y, l2=5.0)
    np.testing.assert_array_equal(linear.solve(gram, y).alpha, first.alpha)


def test_a_wrong_solution_has_a_residual():
    x, y = examples(30, 6)
    result = linear.solve(linear.gaussian_gram(x, 0.2), y)
    wrong = result._replace(fitted=result.fitted + 0.1)
    assert wrong.residual == pytest.approx(0.1 * np.sqrt(90) / np.sqrt(30))


def test_the_linear_kernel_gives_the_pseudo_inverse():
    x, y = examples(12, 30)
    gram = linear.empty_gram(12, np.float64)
    for part in (x[:, :11], x[:, 11:]):  # features in parts
        linear.add_products(gram, part)
    weights = x.T @ linear.solve(gram, y).alpha
    np.testing.assert_allclose(weights, np.linalg.pinv(x) @ y, atol=1e-10)
    assert linear.solve(gram, y).norm == pytest.approx(np.linalg.norm(weights))
    z, _ = examples(9, 30, seed=3)
    across = np.zeros((12, 9))
    linear.add_products(across, x, z)
    np.testing.assert_allclose(across, x @ z.T)


def test_factor_in_blocks_is_the_factor():
    x, y = examples(23, 30)
    whole = x @ x.T
    matrix = np.asfortranarray(np.tril(whole) + np.triu(np.full((23, 23), 7.0), 1))
    assert cholesky.factor(matrix)
    np.testing.assert_allclose(np.tril(matrix), np.linalg.cholesky(whole), atol=1e-10)
    assert np.all(matrix[np.triu_indices(23, 1)] == 7)  # the upper triangle is not touched
    solution = cholesky.solve_factored(matrix, y)
    np.testing.assert_allclose(solution, np.linalg.solve(whole, y), atol=1e-8)
    upper = np.triu(whole, 1) + np.tril(np.full((23, 23), np.nan))
    product = cholesky.symmetric_product(upper, whole.diagonal(), y)
    np.testing.assert_allclose(product, whole @ y)
    assert not cholesky.factor(np.asfortranarray(whole - 10 * np.eye(23)))


def test_mean_squared_distance():
    x, _ = examples(15, 4)
    expected = np.mean([np.sum((a - b) ** 2) for a in x for b in x])
    assert linear.mean_squared_distance(x) == pytest.approx(expected)


def test_a_singular_matrix_is_refused_and_left_whole():
    x, y = examples(20, 5)  # 20 examples in 5 dimensions: rank 5
    gram = linear.empty_gram(20, np.float64)
    linear.add_products(gram, x)
    with pytest.raises(InputError, match="20 examples is not positive definite in float64"):
        linear.solve(gram, y)
    ridge = linear.solve(gram, y, l2=0.5)
    expected = np.linalg.solve(x.T @ x + 0.5 * np.eye(5), x.T @ y)
    np.testing.assert_allclose(x.T @ ridge.alpha, expected, atol=1e-9)


def test_bad_input_is_named(monkeypatch):
    x, y = examples(10, 3)
    gram = linear.gaussian_gram(x, 1.0)
    with pytest.raises(InputError, match=r"gram \(10, 10\) C, .* in column order"):
        linear.solve(np.ascontiguousarray(gram), y)
    with pytest.raises(InputError, match=r"targets \(9, 3\)"):
        linear.solve(gram, y[:9])
    with pytest.raises(InputError, match="l2: -1; expected 0"):
        linear.solve(gram, y, l2=-1)
    monkeypatch.setattr(kernels, "free_memory", lambda: 2**30)
    with pytest.raises(InputError, match=r"20,000 examples in float64 takes 3.0 GiB, 1.0 GiB are"):
        linear.empty_gram(20_000, np.float64)
