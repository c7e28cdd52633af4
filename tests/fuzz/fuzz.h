/* fuzz: the one function that libFuzzer calls. The input is a heap block of that very size, so ASan
 * sees a read behind its end. */
#ifndef SEALMQ_TESTS_FUZZ_H
#define SEALMQ_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
