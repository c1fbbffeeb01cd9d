/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

int64_t bench_verify(const uint8_t *data, size_t len, const uint8_t *key, int rounds);
