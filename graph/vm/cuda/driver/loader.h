// What loader.c tells the Go side.
#ifndef TRAINER_LOADER_H
#define TRAINER_LOADER_H

#include "cuda.h"

// loader_open opens the driver and returns what its cuInit answered;
// LOADER_ABSENT when there is no libcuda.so.1, LOADER_UNUSABLE when it is not a
// driver. It is to be called once, before any other function of the driver.
enum { LOADER_ABSENT = -1, LOADER_UNUSABLE = -2 };
int loader_open(void);

// loader_reason is the dynamic linker's message after such an answer.
const char *loader_reason(void);

// loader_version is the newest CUDA that the driver supports, major × 1000 +
// minor × 10; 0 when there is no driver. It is known also when cuInit failed.
int loader_version(void);

// loader_name is the name of a result code that is in cuda_enums.h, else NULL.
// It needs no driver.
const char *loader_name(CUresult result);

#endif
