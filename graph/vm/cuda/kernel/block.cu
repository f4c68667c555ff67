// block.cu: vm_block: a block runs the whole program, by itself.
//
//	for s in steps: for each instruction: execute
//
// Block r is replica r: an independent run with its own parameters, order and
// rate. With FLAG_TILES the blocks share the steps instead: block r runs steps
// r, r + gridDim, … of a program without updates (evaluation).
//
// Parameters and temporaries are in the block's shared memory as
// the flags say, in this order behind the program; else in global memory.
// The barrier between instructions is __syncthreads.
#include "machine.h"

template <class T> __device__ void vm_block(const Params *p) {
	const bool tiles = p->flags & FLAG_TILES;
	const u32 r = tiles ? 0 : blockIdx.x;
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
		if (!p->update)
			m.update = m.param;
	}
	if (p->flags & FLAG_ARENA_SHARED)
		m.arena = take<T>(mark, p->arenaCount);
	else if (tiles)
		m.arena += blockIdx.x * p->arenaStride;

	m.run([] { __syncthreads(); }, tiles || !p->status ? 0 : p->status + r, tiles ? blockIdx.x : 0, tiles ? gridDim.x : 1);

	if ((p->flags & FLAG_PARAMS_SHARED) && !tiles && !p->update)
		for (u32 i = m.worker; i < p->paramCount; i += m.workers)
			global[i] = m.param[i];
	if (!tiles)
		m.output(r);
}

KERNEL(vm_block_f32, vm_block<float>, 0)
KERNEL(vm_block_f64, vm_block<double>, 0)
