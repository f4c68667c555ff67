// grid.cu: vm_grid: all blocks execute one program together, in float32.
//
//	for each step: for each instruction: execute, all threads share its values
//
// Parameters and temporaries are in global memory. The barrier between
// instructions is a barrier of the whole grid. So the launch must be
// cooperative, which makes all blocks resident at once, and the control words
// must be zero.
#include "machine.h"

// GridBarrier counts arrivals in a word that is zero at launch.
struct GridBarrier {
	u32 *count;
	u32 *target; // this thread's own: the count that ends the current wait

	__device__ void operator()() const {
		__syncthreads();
		if (threadIdx.x == 0) {
			*target += gridDim.x;
			__threadfence();
			atomicAdd(count, 1u);
			// Compare by difference: the count may wrap around.
			while (i32(load_acquire(count) - *target) < 0)
				spin_pause();
			__threadfence();
		}
		__syncthreads();
	}
};

__device__ __forceinline__ void vm_grid(const Params *p) {
	Machine<float> m;
	m.setup(p, SHARED_MEMORY(), 0, threadIdx.x, blockDim.x);
	m.control = p->control;
	m.worker = blockIdx.x * blockDim.x + threadIdx.x;
	m.workers = gridDim.x * blockDim.x;
	u32 target = 0;
	m.loop(GridBarrier{p->control, &target}, p->status, 0, 1);
}

KERNEL(vm_grid_f32, vm_grid, 1)
