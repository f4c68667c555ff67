//go:build gpu && cgo && linux && (amd64 || arm64)

// The loader makes NVIDIA's driver optional. gorgonia.org/cu links to
// libcuda.so.1, so a program that uses it does not start without a driver. And
// the init function of cu ends the process if there is no device. Therefore this
// file defines every function of the driver that the program refers to. Each is
// a jump through a slot of a table. libcuda.a, an empty archive, replaces the
// library that cu asks the linker for. cuInit, which the init function of cu
// calls, does nothing and returns success. loader_open opens libcuda.so.1 and
// fills the slots, so a program that does not use CUDA does not wait for the
// driver.
//
// Before that, and without a driver or a device, every function returns
// CUDA_ERROR_NO_DEVICE. A function that is missing from an old driver returns
// CUDA_ERROR_NOT_SUPPORTED.
//
// The symbols are hidden, so the driver's own libraries do not see them.
#define _GNU_SOURCE
#include "loader.h"
#include <dlfcn.h>
#include <stdio.h>

#define HIDDEN __attribute__((visibility("hidden")))

static CUresult no_device(void) { return CUDA_ERROR_NO_DEVICE; }
static CUresult not_supported(void) { return CUDA_ERROR_NOT_SUPPORTED; }

enum {
#define CU_FUNCTION(name, parameters) INDEX_##name,
#include "cuda_functions.h"
#undef CU_FUNCTION
	FUNCTIONS
};

static const char *const names[FUNCTIONS] = {
#define CU_FUNCTION(name, parameters) #name,
#include "cuda_functions.h"
#undef CU_FUNCTION
};

HIDDEN __attribute__((used)) void *loader_slots[FUNCTIONS] = {
#define CU_FUNCTION(name, parameters) (void *)no_device,
#include "cuda_functions.h"
#undef CU_FUNCTION
};

// Each function is one jump. It does not change the argument registers or the
// stack, so the loader needs no signatures. %c0 is the byte offset of the
// function's slot.
#if defined(__x86_64__)
#define JUMP "jmp *loader_slots+%c0(%%rip)\n"
#elif defined(__aarch64__)
#define JUMP                                     \
	"adrp x16, loader_slots+%c0\n"               \
	"ldr x16, [x16, #:lo12:loader_slots+%c0]\n"  \
	"br x16\n"
#else
#error "the CUDA build is for amd64 and arm64"
#endif

#define DEFINE(name, symbol)                                              \
	__asm__(".pushsection .text\n"                                        \
	        ".balign 16\n"                                                \
	        ".globl " symbol "\n"                                         \
	        ".hidden " symbol "\n"                                        \
	        ".type " symbol ", %%function\n" symbol ":\n" JUMP            \
	        ".size " symbol ", .-" symbol "\n"                            \
	        ".popsection" ::"i"(INDEX_##name * sizeof(void *)));

// define_all is never called. It exists because assembly can have operands only
// inside a function. cuInit is in the list, but is defined below: its jump gets
// another name and is not used.
__attribute__((used, noinline)) static void define_all(void) {
#define cuInit loader_unused
#define INDEX_loader_unused INDEX_cuInit
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define CU_FUNCTION(name, parameters) DEFINE(name, TEXT(name))
#include "cuda_functions.h"
#undef CU_FUNCTION
#undef cuInit
}

HIDDEN CUresult cuInit(unsigned flags) {
	(void)flags;
	return CUDA_SUCCESS;
}

static int result = LOADER_ABSENT;
static int version;
static char reason[512];

static int fail(int why) {
	const char *e = dlerror();
	snprintf(reason, sizeof reason, "%s", e ? e : "unknown error of the dynamic linker");
	return result = why;
}

int loader_open(void) {
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		return fail(LOADER_ABSENT);
	}
	CUresult (*init)(unsigned) = (CUresult(*)(unsigned))dlsym(library, "cuInit");
	if (!init) {
		return fail(LOADER_UNUSABLE);
	}
	CUresult (*get_version)(int *) = (CUresult(*)(int *))dlsym(library, "cuDriverGetVersion");
	if (!get_version) {
		return fail(LOADER_UNUSABLE);
	}
	if (get_version(&version) != CUDA_SUCCESS) {
		version = 0;
	}
	result = (int)init(0);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	for (int i = 0; i < FUNCTIONS; i++) {
		void *f = dlsym(library, names[i]);
		loader_slots[i] = f ? f : (void *)not_supported;
	}
	return result;
}

const char *loader_reason(void) { return reason; }
int loader_version(void) { return version; }

const char *loader_name(CUresult code) {
	switch ((int)code) {
#define CU_ENUM(type, tag)
#define CU_VALUE(name, value)
#define CU_RESULT(name, value) \
	case value:                \
		return #name;
#define CU_ENUM_END(type, tag)
#include "cuda_enums.h"
	}
	return NULL;
}
