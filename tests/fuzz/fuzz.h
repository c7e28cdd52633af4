/* fuzz: the one function that libFuzzer calls, with a heap block of that very size (ASan sees a read
 * behind its end). A target ends in abort (ENSURE) or a sanitizer's report, or the input was fine. */
#ifndef SEALMQ_TESTS_FUZZ_H
#define SEALMQ_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
