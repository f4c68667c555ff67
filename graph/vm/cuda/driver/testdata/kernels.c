//go:build ignore

// Kernels for the tests, in the form that the fake driver needs.
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

// shape writes the shape of the launch to the three words at its argument.
void shape_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	uint32_t *out = *(uint32_t **)params[0];
	out[0] = grid;
	out[1] = block;
	out[2] = shared;
}

// wait waits until the host sets flag[0], and then sets flag[1].
void wait_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)grid, (void)block, (void)shared;
	_Atomic uint32_t *flag = *(_Atomic uint32_t **)params[0];
	while (!atomic_load(&flag[0])) {
	}
	atomic_store(&flag[1], atomic_load(&flag[0]) + 1);
}

const unsigned hungry_static_shared = 1024;
void hungry_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)params, (void)grid, (void)block, (void)shared;
}

// spin takes 50 microseconds.
void spin_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)params, (void)grid, (void)block, (void)shared;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	long long end = t.tv_sec * 1000000000LL + t.tv_nsec + 50000;
	do {
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (t.tv_sec * 1000000000LL + t.tv_nsec < end);
}
