# SPDX-License-Identifier: MIT
"""The Author's side of an update: create, encrypt, sign, inspect, check and push envelopes.

What the command `picosuit` is made of. Only `check`, `virtual` and what uses them need the C
core; the rest reads and writes CBOR itself and takes its cryptography from pyca/cryptography.
"""
