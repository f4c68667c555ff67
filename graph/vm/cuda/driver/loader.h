// The functions of loader.c that Go calls.
#ifndef TRAINER_LOADER_H
#define TRAINER_LOADER_H

#include "cuda.h"

// loader_open opens the driver and returns the result of its cuInit. It returns
// LOADER_ABSENT if there is no libcuda.so.1, and LOADER_UNUSABLE if that is not a
// driver. Call it once, before any other function of the driver.
enum { LOADER_ABSENT = -1, LOADER_UNUSABLE = -2 };
int loader_open(void);

// loader_reason returns the dynamic linker's message after LOADER_ABSENT or
// LOADER_UNUSABLE.
const char *loader_reason(void);

// loader_version returns the newest CUDA that the driver supports, as 1000·major
// + 10·minor; 0 if there is no driver. It is also known if cuInit failed.
int loader_version(void);

// loader_name returns the name of a result code; NULL if it is not in
// cuda_enums.h. It needs no driver.
const char *loader_name(CUresult result);

#endif
