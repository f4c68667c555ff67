//go:build ignore

// Kernels for the tests, as the fake driver runs them.
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define ARGUMENT(type, i) (*(type *)params[i])

// types writes what it got, one argument of each kind, to the first.
const unsigned types_params = 7;
void types_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	double *out = ARGUMENT(double *, 0);
	out[0] = ARGUMENT(int32_t, 1);
	out[1] = ARGUMENT(uint32_t, 2);
	out[2] = (double)ARGUMENT(int64_t, 3);
	out[3] = ARGUMENT(float, 4);
	out[4] = ARGUMENT(double, 5);
	out[5] = *ARGUMENT(int32_t *, 6);
	out[6] = grid;
	out[7] = block;
	out[8] = shared;
}

// direct does not say how many arguments it has: it runs inside the launch.
void direct_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)grid, (void)block, (void)shared;
	*ARGUMENT(float *, 0) += ARGUMENT(float, 1);
}

// wait waits until the host sets flag[0], and then sets flag[1].
const unsigned wait_params = 1;
void wait_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)grid, (void)block, (void)shared;
	_Atomic uint32_t *flag = ARGUMENT(_Atomic uint32_t *, 0);
	while (!atomic_load(&flag[0])) {
	}
	atomic_store(&flag[1], atomic_load(&flag[0]) + 1);
}

// add adds a to n floats.
const unsigned add_params = 3;
void add_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)grid, (void)block, (void)shared;
	float *x = ARGUMENT(float *, 0);
	for (int i = 0; i < ARGUMENT(int32_t, 1); i++) {
		x[i] += ARGUMENT(float, 2);
	}
}

const unsigned hungry_static_shared = 1024;
const unsigned hungry_params = 0;
void hungry_host(void **params, unsigned grid, unsigned block, unsigned shared) {
	(void)params, (void)grid, (void)block, (void)shared;
}
