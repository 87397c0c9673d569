"""Macros for index pages. Placeholder-free: filled from the content model."""


def define_env(env):
    pass
