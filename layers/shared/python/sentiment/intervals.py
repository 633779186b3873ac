"""Confidence intervals of proportions. Pure Python, so that every function can import it."""

from math import sqrt

Z_95 = 1.959964  # the normal distribution's quantile for 95%


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% confidence interval of a proportion (Wilson 1927), which stays within 0 and 1."""
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + Z_95**2 / trials
    center = (share + Z_95**2 / (2 * trials)) / scale
    half = Z_95 / scale * sqrt(share * (1 - share) / trials + Z_95**2 / (4 * trials**2))
    return max(0.0, center - half), min(1.0, center + half)
