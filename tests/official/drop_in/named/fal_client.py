"""Stands in for fal_client when this folder comes first in the path: the name of a package that is libfal."""

import sys

import libfal

sys.modules[__name__] = libfal
