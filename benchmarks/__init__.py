"""Figures of docs/benchmarks.md: Locum beside its backend called directly, in one run, as ratios."""
