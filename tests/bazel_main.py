"""Runs the tests of the folders it is given, in one process, under Bazel."""

import os
import sys

import pytest

if __name__ == '__main__':
  # Bazel lets a test write nowhere else.
  os.environ.setdefault('XDG_CACHE_HOME', os.environ['TEST_TMPDIR'])
  sys.exit(pytest.main(['-n', '0', '--quiet', *sys.argv[1:]]))
