// grid.cu: vm_grid: all blocks run one program together.
//
//	for s in steps: for each instruction: execute, its values shared by all threads
//
// Parameters and temporaries are in global memory. The barrier
// between instructions is one of the grid: the launch must be cooperative, so
// that all blocks are there at once, and control must be zero.
#include "machine.h"

// GridBarrier counts arrivals in a word that is zero at launch.
struct GridBarrier {
	u32 *count;
	u32 *target; // of this thread: arrivals that end the current wait

	__device__ void operator()() const {
		__syncthreads();
		if (threadIdx.x == 0) {
			*target += gridDim.x;
			__threadfence();
			atomicAdd(count, 1u);
			// A difference, as the count may wrap round.
			while (i32(load_acquire(count) - *target) < 0)
				spin_pause();
			__threadfence();
		}
		__syncthreads();
	}
};

template <class T> __device__ void vm_grid(const Params *p) {
	Machine<T> m;
	m.setup(p, SHARED_MEMORY(), 0, threadIdx.x, blockDim.x);
	m.control = p->control;
	m.worker = blockIdx.x * blockDim.x + threadIdx.x;
	m.workers = gridDim.x * blockDim.x;
	u32 target = 0;
	m.run(GridBarrier{p->control, &target}, p->status, 0, 1);
	m.output(0);
}

KERNEL(vm_grid_f32, vm_grid<float>, 1)
KERNEL(vm_grid_f64, vm_grid<double>, 1)
