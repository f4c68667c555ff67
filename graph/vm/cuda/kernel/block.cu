// block.cu: vm_block: each block executes the whole program by itself.
//
//	for each step: for each instruction: execute
//
// Block r is run r, with its own parameters, order of samples and learning
// rate. With FLAG_TILES the blocks share the steps of one program instead: block
// r executes steps r, r + gridDim, … The program has no updates: it evaluates.
//
// Parameters and temporaries are in the block's shared memory where the flags
// say so, in this order after the program; otherwise in global memory. The
// barrier between instructions is __syncthreads.
#include "machine.h"

struct BlockBarrier {
	__device__ void operator()() const { __syncthreads(); }
	__device__ u32 read(const u32 *word) const {
		__syncthreads();
		return load_system(word);
	}
};

template <class T> __device__ void vm_block(const Params *p) {
	const bool tiles = p->flags & FLAG_TILES;
	const u32 r = tiles ? 0 : blockIdx.x;
	if (Machine<T>::over(p, r))
		return;
	Machine<T> m;
	m.worker = threadIdx.x;
	m.workers = blockDim.x;
	u8 *mark = m.setup(p, SHARED_MEMORY(), r, m.worker, m.workers);
	if (m.worker < 4)
		m.control[m.worker] = 0;
	T *const global = m.param;
	if (p->flags & FLAG_PARAMS_SHARED) {
		m.param = take<T>(mark, p->paramCount);
		for (u32 i = m.worker; i < p->paramCount; i += m.workers)
			m.param[i] = global[i];
	}
	if (p->flags & FLAG_ARENA_SHARED)
		m.arena = take<T>(mark, p->arenaCount);
	else if (tiles)
		m.arena += blockIdx.x * p->arenaStride;

	m.loop(BlockBarrier(), tiles || !p->status ? 0 : p->status + r, r, tiles ? blockIdx.x : 0, tiles ? gridDim.x : 1);

	if ((p->flags & FLAG_PARAMS_SHARED) && !tiles)
		for (u32 i = m.worker; i < p->paramCount; i += m.workers)
			global[i] = m.param[i];
}

KERNEL(vm_block_f32, vm_block<float>, MAX_THREADS, 0)
KERNEL(vm_block_f64, vm_block<double>, MAX_THREADS, 0)
