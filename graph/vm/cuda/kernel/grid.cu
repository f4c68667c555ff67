// grid.cu: vm_grid: all blocks execute one program together, in float32.
//
//	for each step: for each instruction: execute, all threads share its values
//
// Parameters and temporaries are in global memory. The barrier between
// instructions is a barrier of the whole grid. So the launch must be
// cooperative, which makes all blocks resident at once, and the control words
// must be zero.
#include "machine.h"

__device__ __forceinline__ void vm_grid(const Params *p) {
	if (Machine<float>::over(p, 0))
		return;
	Machine<float> m;
	m.setup(p, SHARED_MEMORY(), 0, threadIdx.x, blockDim.x);
	u32 target = 0;
	const GridBarrier barrier = {p->control + CONTROL_COUNT, &target, m.control};
	m.control = p->control + CONTROL_REST;
	// Neighbouring warps are in different blocks, so that an instruction for few warps is
	// executed on all multiprocessors.
	m.worker = 32 * blockIdx.x + threadIdx.x / 32 * (32 * gridDim.x) + threadIdx.x % 32;
	m.workers = gridDim.x * blockDim.x;
	m.loop(barrier, p->status, 0, 0, 1);
}

KERNEL(vm_grid_f32, vm_grid, MAX_THREADS, 1)
