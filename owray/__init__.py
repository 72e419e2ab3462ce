"""owray shows what an Apache OpenWhisk deployment can carry: plan, fire, record, judge, ask."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("owray")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+checkout"
