# SPDX-License-Identifier: MIT
"""python -m picosuit.cli"""
from . import main

main()
