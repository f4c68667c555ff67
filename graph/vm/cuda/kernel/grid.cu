// grid.cu: vm_grid: all blocks execute one program together, in float32.
//
//	for each step: for each instruction: execute, all threads share its values
//
// Parameters and temporaries are in global memory. The barrier between
// instructions is a barrier of the whole grid. So the launch must be
// cooperative, which makes all blocks resident at once, and the control words
// must be zero.
#include "machine.h"

// GridBarrier counts arrivals in a word that is zero at launch. The first thread
// of each block waits; a barrier of the block before it and one after it hand on
// what the threads have written. So release and acquire of one thread are enough
// for all.
struct GridBarrier {
	u32 *count;
	u32 *target;   // this thread's own: the count that ends the current wait
	u32 *handedOn; // a word in shared memory, for read

	__device__ void operator()() const { wait(0); }

	// read is a barrier that returns the word after it. One thread of a block
	// reads it from global memory.
	__device__ u32 read(const u32 *word) const {
		wait(word);
		return *handedOn;
	}

	__device__ void wait(const u32 *word) const {
		__syncthreads();
		if (threadIdx.x == 0) {
			*target += gridDim.x;
			add_release(count, 1u);
			// Compare by difference: the count may wrap around.
			while (i32(load_acquire(count) - *target) < 0)
				spin_pause();
			if (word)
				*handedOn = load_system(word);
		}
		__syncthreads();
	}
};

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
