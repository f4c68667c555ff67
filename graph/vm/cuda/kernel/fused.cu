// fused.cu: vm_fused, vm_fused_one, vm_fused_wide: single-sample steps of a network with one hidden layer.
// The whole step is one instruction. Each block is one run, as in block.cu.
//
//	z(j)  = b2(j) + sum over the non-zero x(i) of x(i) W2(j,i)     a2 = g(z)
//	a3(o) = g(b3(o) + sum_j W3(o,j) a2(j))
//	d3(o) = (a3(o) - y(o)) g'(o) (-rate)                           A.64
//	d2(j) = sum_o W3(o,j) d3(o) g'(j)                              A.65
//	W3 += d3 a2ᵀ, b3 += d3, W2 += d2 xᵀ, b2 += d2
//	cost  = sum_o (y(o) - a3(o))² / 2                              A.45
//
// vm_block computes the same for such a program; only rounding differs. These
// kernels compute in float. vm_fused is for at most 56 hidden units and 10 outputs;
// vm_fused_one too, with groups of one sample, which need less shared memory;
// vm_fused_wide is for at most 64 hidden units and 16 outputs.
//
// The fields of the instruction: rows is the number of hidden units, cols of
// outputs, inner of inputs. Operand dst is W2, raw is b2, a is W3, b is b3 (raw
// and b are NONE without biases). form is 0 for sigmoid, 1 for tanh. sink is 1
// if W3 is updated before d2 is computed, as in the textbook's listing.
//
// The samples are done in groups of GROUP. The work with W2 runs beside the rest,
// a group ahead of it and a group behind it. Let z°(t) be the sums of sample t with
// weights that lack the updates of the samples u before it, of its own group and of
// the one before. Those are W2 += d2(u) x(u)ᵀ, so
//
//	z(t) = b2 + z°(t) + sum_u d2(u) (x(u)·x(t))
//
// and the products x(u)·x(t) do not depend on weights. In phase k
//
//   - warp 0, the chain, does the steps of group k, one after the other,
//   - the warps from ROWS on read each row of W2 that group k-1 or k+1 needs: they
//     apply the updates of group k-1 and add the row to z° of group k+1,
//   - warps 1 to HELPERS load the samples of group k+3, list the rows for phase k+1,
//     and compute the products for it, each for its part of the inputs.
//
// One barrier ends a phase. W3, b2 and b3 are in the chain's registers, W3 twice:
// by output for the products with a2, and by hidden unit for d2.
//
// How z(t) rounds depends on which samples are in the two groups before. So that a
// pass can be stopped and resumed with the same bits, the samples are in sections of
// pollEvery, each as if a launch began with it: two empty groups are between two
// sections. A launch ends early only at the end of a section.
#include "machine.h"

enum { GROUP = 2, FUSED_HIDDEN = 64, FUSED_OUTPUTS = 16, WIDE_THREADS = 384, HELPERS = 2, ROWS = 1 + HELPERS, RING = 4 };

// Groups says which samples are in which group.
template <u32 T> struct Groups {
	u32 steps, section, each; // samples of the launch and of a section; groups of a section

	__device__ explicit Groups(const Params *p) {
		steps = p->steps;
		section = p->pollEvery && p->pollEvery < steps ? p->pollEvery : steps;
		each = (section + T - 1) / T + 2;
	}

	// first returns the first sample of group i of the section that begins with sample
	// base: the group ends where the next one begins.
	__device__ __forceinline__ u32 first(u32 base, u32 i) const {
		const u32 s = base + (i * T < section ? i * T : section);
		return s < steps ? s : steps;
	}

	// first returns the first sample of group g of the launch.
	__device__ u32 first(u32 g) const { return first(g / each * section, g % each); }

	// count returns the number of groups: no empty ones follow the last sample.
	__device__ u32 count() const {
		const u32 before = steps ? (steps - 1) / section : 0; // sections
		return before * each + (steps - before * section + T - 1) / T;
	}
};

// Listed is a row of W2 that phase k reads: x of the samples of groups k-1 and k+1.
template <u32 T> struct __align__(8 * T) Listed {
	float behind[T], ahead[T];
};

// Fused is the shared memory of the kernel, besides W2. Phase k reads part k & 1 of
// what has two, and writes the other one; of d2 it writes part k & 1. Group g is at
// g & 3 of the ring.
template <u32 T> struct Fused {
	float *w;          // W2 by input
	float *x;          // [RING][T][inputs]
	float *y;          // [RING][T][FUSED_OUTPUTS]
	Listed<T> *listed; // [2][inputs]: each helper has its part of the inputs
	u32 *row;          // [2][inputs]: where the listed rows begin in w
	u32 *count;        // [2][HELPERS]: listed rows
	float *part;       // [2][warps][T][FUSED_HIDDEN]: parts of z°
	float *product;    // [2][HELPERS][T][2T]: of sample t with those of the group before and of its own
	float *d2;         // [2][T][FUSED_HIDDEN]
	float *a2, *d3;    // [FUSED_HIDDEN], [FUSED_OUTPUTS]: the chain's, for its own lanes
	u32 *bad;          // the first step of the launch with a value that is not finite, or NONE

	__device__ void place(u8 *&mark, u32 inputs, u32 ld, u32 rows) {
		w = take<float>(mark, u64(inputs) * ld);
		x = take<float>(mark, RING * T * inputs);
		y = take<float>(mark, RING * T * FUSED_OUTPUTS);
		listed = take<Listed<T>>(mark, 2 * inputs);
		row = take<u32>(mark, 2 * inputs);
		count = take<u32>(mark, 2 * HELPERS);
		part = take<float>(mark, 2 * rows * T * FUSED_HIDDEN);
		product = take<float>(mark, 2 * HELPERS * T * 2 * T);
		d2 = take<float>(mark, 2 * T * FUSED_HIDDEN);
		a2 = take<float>(mark, FUSED_HIDDEN);
		d3 = take<float>(mark, FUSED_OUTPUTS);
		bad = take<u32>(mark, 1);
	}
};

// Chain is the state of a lane of warp 0: hidden units 2l and 2l + 1, and half l & 1
// of output l / 2. Units that do not exist are 0, and stay 0.
//
// H and O are the most hidden units and outputs, which says how many registers a
// lane needs. H is a multiple of 8.
template <u32 T, u32 H, u32 O> struct Chain {
	enum { HALF = H / 2 };
	Pair column[O];             // W3(o, 2l), W3(o, 2l + 1)
	float row[HALF];            // W3(l / 2, HALF (l & 1) + …)
	Pair b2, own[T];            // d2 of this group's samples
	float b3;
	u32 lane, out, half, hidden, outputs, form;
	bool listing, biased;
	float factor;

	__device__ void load(const Machine<float> &m, const Instr &in) {
		hidden = in.rows;
		outputs = in.cols;
		form = in.form;
		listing = in.sink != 0;
		biased = in.raw != NONE;
		factor = -m.rate;
		lane = m.worker;
		out = lane / 2;
		half = lane & 1;
		const Operand &o3 = m.operand[in.a];
		const float *w3 = m.param + o3.offset;
		const u32 j = 2 * lane;
#pragma unroll
		for (u32 o = 0; o < O; o++) {
			column[o].x = o < outputs && j < hidden ? w3[o * u32(o3.rs) + j] : 0;
			column[o].y = o < outputs && j + 1 < hidden ? w3[o * u32(o3.rs) + j + 1] : 0;
		}
#pragma unroll
		for (u32 q = 0; q < HALF; q++) {
			const u32 i = HALF * half + q;
			row[q] = out < outputs && i < hidden ? w3[out * u32(o3.rs) + i] : 0;
		}
		b2 = {0, 0};
		b3 = 0;
		if (biased) {
			const float *b = m.param + m.operand[in.raw].offset;
			b2.x = j < hidden ? b[j] : 0;
			b2.y = j + 1 < hidden ? b[j + 1] : 0;
			b3 = out < outputs ? m.param[m.operand[in.b].offset + out] : 0;
		}
#pragma unroll
		for (u32 i = 0; i < T; i++)
			own[i] = {0, 0};
	}

	__device__ void store(const Machine<float> &m, const Instr &in) const {
		const Operand &o3 = m.operand[in.a];
		float *w3 = m.param + o3.offset;
		const u32 j = 2 * lane;
#pragma unroll
		for (u32 o = 0; o < O; o++) {
			if (o < outputs && j < hidden)
				w3[o * u32(o3.rs) + j] = column[o].x;
			if (o < outputs && j + 1 < hidden)
				w3[o * u32(o3.rs) + j + 1] = column[o].y;
		}
		if (biased) {
			float *b = m.param + m.operand[in.raw].offset;
			if (j < hidden)
				b[j] = b2.x;
			if (j + 1 < hidden)
				b[j + 1] = b2.y;
			if (out < outputs && half == 0)
				m.param[m.operand[in.b].offset + out] = b3;
		}
	}

	// steps does the n steps of group k, of which the first is step s of the launch.
	__device__ __forceinline__ void steps(const Fused<T> &f, Machine<float> &m, u32 k, u32 s, u32 n, u32 rows) {
		const u32 j = 2 * lane;
#pragma unroll
		for (u32 i = 0; i < T; i++) {
			own[i] = {0, 0};
			if (i >= n)
				continue;
			Pair z = b2;
			for (u32 r = 0; r < rows; r++) {
				const Pair v = *(const Pair *)(f.part + (((k & 1) * rows + r) * T + i) * FUSED_HIDDEN + j);
				z.x += v.x;
				z.y += v.y;
			}
			float product[2 * T] = {};
#pragma unroll
			for (u32 h = 0; h < HELPERS; h++)
#pragma unroll
				for (u32 u = 0; u < T + i; u++)
					product[u] += f.product[(((k & 1) * HELPERS + h) * T + i) * 2 * T + u];
#pragma unroll
			for (u32 u = 0; u < T; u++) {
				const Pair d = *(const Pair *)(f.d2 + (((k + 1) & 1) * T + u) * FUSED_HIDDEN + j);
				z.x += product[u] * d.x;
				z.y += product[u] * d.y;
			}
#pragma unroll
			for (u32 u = 0; u < i; u++) {
				z.x += product[T + u] * own[u].x;
				z.y += product[T + u] * own[u].y;
			}
			Pair a = {activate(form, z.x), activate(form, z.y)};
			const Pair shown = {j < hidden ? a.x : 0, j + 1 < hidden ? a.y : 0};
			*(Pair *)(f.a2 + j) = shown;
			__syncwarp();
			float v[HALF], sum[4] = {0, 0, 0, 0};
#pragma unroll
			for (u32 q = 0; q < HALF; q++)
				v[q] = f.a2[HALF * half + q];
#pragma unroll
			for (u32 q = 0; q < HALF; q++)
				sum[q & 3] += row[q] * v[q];
			float z3 = (sum[0] + sum[1]) + (sum[2] + sum[3]);
			z3 += __shfl_xor_sync(WARP_ALL, z3, 1);
			const float a3 = activate(form, b3 + z3), y = f.y[((k & (RING - 1)) * T + i) * FUSED_OUTPUTS + out];
			const float d = out < outputs ? (a3 - y) * slope(form, a3) * factor : 0;
			float poison = 0;
			if (m.costs) {
				float e = out < outputs && half == 0 ? (y - a3) * (y - a3) : 0;
				for (u32 q = 16; q > 0; q /= 2)
					e += __shfl_xor_sync(WARP_ALL, e, q);
				poison += e * 0.0f;
				if (lane == 0)
					m.costs[m.step + i] = e * 0.5f;
			}
			if (half == 0)
				f.d3[out] = d;
			if (H > 56) {
#pragma unroll
				for (u32 q = 0; q < HALF; q++)
					row[q] += d * f.a2[HALF * half + q];
			}
			__syncwarp();
			Pair e2 = {0, 0};
#pragma unroll
			for (u32 o = 0; o < O; o++) {
				const float d3 = f.d3[o];
				if (!listing) {
					e2.x += d3 * column[o].x;
					e2.y += d3 * column[o].y;
				}
				column[o].x += d3 * shown.x;
				column[o].y += d3 * shown.y;
				poison += column[o].x * 0.0f + column[o].y * 0.0f;
				if (listing) {
					e2.x += d3 * column[o].x;
					e2.y += d3 * column[o].y;
				}
			}
			e2.x *= slope(form, a.x);
			e2.y *= slope(form, a.y);
			// A wide row has no registers for a2 until here.
			if (H <= 56) {
#pragma unroll
				for (u32 q = 0; q < HALF; q++)
					row[q] += d * v[q];
			}
			if (biased) {
				b2.x += e2.x;
				b2.y += e2.y;
				b3 += d;
				poison += b2.x * 0.0f + b2.y * 0.0f + b3 * 0.0f;
			}
			own[i] = e2;
			*(Pair *)(f.d2 + ((k & 1) * T + i) * FUSED_HIDDEN + j) = e2;
			if (poison != 0)
				atomicMin(f.bad, s + i);
		}
		for (u32 i = n; i < T; i++)
			*(Pair *)(f.d2 + ((k & 1) * T + i) * FUSED_HIDDEN + j) = {0, 0};
	}
};

// phases calls work(phase, k, groups) for each phase k = phase - 3, from -3 until the
// updates of the last group are in W2, with a barrier of the block after each. It
// returns the number of groups whose steps are done: the chain decides in the last
// phase of a section whether to end, and all threads read its decision in the next one.
template <class Work> __device__ __forceinline__ u32 phases(const Machine<float> &m, u32 groups, Work work) {
	for (u32 phase = 0; phase <= groups + 3; phase++) {
		const u32 k = phase - 3;
		if (phase > 3 && load_system(&m.control[HALT + ((phase + 1) & 1)]))
			groups = groups < k ? groups : k;
		work(phase, k, groups);
		block_barrier();
	}
	return groups;
}

template <u32 T, u32 H, u32 O> __device__ __forceinline__ void vm_fused_groups(const Params *launch) {
	// A local copy: otherwise the compiler must read the fields again after
	// each store.
	const Params here = *launch, *const p = &here;
	const u32 thread = threadIdx.x, threads = blockDim.x, lane = thread & 31, warp = thread / 32, rows = threads / 32 - ROWS;
	const u32 r = blockIdx.x;
	if (Machine<float>::over(p, r))
		return;
	Machine<float> m;
	m.worker = thread;
	m.workers = threads;
	u8 *mark = m.setup(p, SHARED_MEMORY(), r, thread, threads);
	if (thread < 4)
		m.control[thread] = 0;
	__syncthreads();
	const Instr &in = m.code[0];
	const Operand &o2 = m.operand[in.dst];
	const u32 inputs = in.inner, ld = u32(o2.cs);
	Fused<T> f;
	f.place(mark, inputs, ld, rows);
	for (u32 i = thread; i < inputs * ld; i += threads)
		f.w[i] = m.param[o2.offset + i];
	for (u32 i = thread; i < RING * T * inputs; i += threads)
		f.x[i] = 0;
	for (u32 i = thread; i < 2 * T * FUSED_HIDDEN; i += threads)
		f.d2[i] = 0;
	if (thread == 0)
		*f.bad = NONE;
	__syncthreads();

	// Each role has a loop of its own, so that it does not keep the registers of the
	// others. The barriers of the loops are the same one.
	const u32 share = (inputs / HELPERS + 31) & ~31u; // of a helper
	const Groups<T> list(p);
	u32 groups = list.count();
	if (warp == 0) {
		Chain<T, H, O> chain;
		chain.load(m, in);
		u32 base = 0, at = 0; // group k is group at of the section that begins with sample base
		groups = phases(m, groups, [&](u32 phase, u32 k, u32 groups) {
			if (phase < 3 || k >= groups)
				return;
			const u32 s = list.first(base, at), n = list.first(base, at + 1) - s;
			m.step = p->firstStep + s;
			chain.steps(f, m, k, s, n, rows);
			const bool ends = ++at == list.each; // and all updates of the section are in W2
			if (ends) {
				at = 0;
				base += list.section;
			}
			if (lane == 0) {
				u32 halt = 0;
				if (ends && p->pollEvery) {
					halt = load_system(f.bad) != NONE || (p->stop && load_system(p->stop) != 0);
					if (p->status)
						store_system(&p->status[r].step, s);
				}
				store_system(&m.control[HALT + (phase & 1)], halt);
			}
		});
		chain.store(m, in);
	} else if (warp < ROWS) {
		// A helper stages samples helper, helper + HELPERS, … of a group. A sample that does
		// not exist has no entries.
		enum { MINE = (T + HELPERS - 1) / HELPERS };
		const u32 helper = warp - 1;
		u32 begin[MINE], end[MINE], id[MINE], base = 0, at = 0;
		auto find = [&] { // where the entries of the next group to stage are
			const u32 first = list.first(base, at), n = list.first(base, at + 1) - first;
#pragma unroll
			for (u32 q = 0; q < MINE; q++) {
				const u32 i = helper + q * HELPERS;
				begin[q] = end[q] = 0;
				id[q] = NONE;
				if (i < n) {
					id[q] = m.sample(first + i);
					begin[q] = p->rowStart[id[q]];
					end[q] = p->rowStart[id[q] + 1];
				}
			}
			if (++at == list.each) {
				at = 0;
				base += list.section;
			}
		};
		find();
		const u32 from = helper * share < inputs ? helper * share : inputs;
		const u32 until = helper + 1 < HELPERS && from + share < inputs ? from + share : inputs;
		phases(m, groups, [&](u32 phase, u32 k, u32) {
#pragma unroll
			for (u32 q = 0; q < MINE; q++) {
				const u32 i = helper + q * HELPERS;
				if (i >= T)
					continue;
				float *x = f.x + ((phase & (RING - 1)) * T + i) * inputs;
				for (u32 j = lane; j < inputs; j += 32)
					x[j] = 0;
				__syncwarp();
#pragma unroll 4
				for (u32 e = begin[q] + lane; e < end[q]; e += 32) {
					u32 index;
					float value;
					m.entry(e, index, value);
					x[index] = value;
				}
				if (lane < FUSED_OUTPUTS)
					f.y[((phase & (RING - 1)) * T + i) * FUSED_OUTPUTS + lane] = lane < in.cols && id[q] != NONE ? m.yOf(id[q], lane) : 0;
			}
			find();
			if (phase < 1)
				return;
			// Group g is in the ring at (g + 4) & 3.
			const float *x0 = f.x + ((phase + 1) & (RING - 1)) * T * inputs; // group k
			const float *x1 = f.x + ((phase + 2) & (RING - 1)) * T * inputs; // k + 1
			const float *x2 = f.x + ((phase + 3) & (RING - 1)) * T * inputs; // k + 2
			const u32 to = (k + 1) & 1;
			u32 count = 0;
			float product[T][2 * T];
#pragma unroll
			for (u32 t = 0; t < T; t++)
#pragma unroll
				for (u32 u = 0; u < 2 * T; u++)
					product[t][u] = 0;
			for (u32 first = from; first < until; first += 32) {
				const u32 j = first + lane;
				Listed<T> l;
				float here[T];
				bool any = false;
#pragma unroll
				for (u32 i = 0; i < T; i++) {
					l.behind[i] = j < until ? x0[i * inputs + j] : 0;
					here[i] = j < until ? x1[i * inputs + j] : 0;
					l.ahead[i] = j < until ? x2[i * inputs + j] : 0;
					any = any || l.behind[i] != 0 || l.ahead[i] != 0;
				}
#pragma unroll
				for (u32 t = 0; t < T; t++)
#pragma unroll
					for (u32 u = 0; u < T; u++) {
						product[t][u] += l.behind[u] * here[t];
						if (u < t)
							product[t][T + u] += here[u] * here[t];
					}
				const u32 which = __ballot_sync(WARP_ALL, any);
				if (any) {
					const u32 at = to * inputs + from + count + __popc(which & ((1u << lane) - 1));
					f.listed[at] = l;
					f.row[at] = j * ld;
				}
				count += __popc(which);
			}
#pragma unroll
			for (u32 t = 0; t < T; t++)
#pragma unroll
				for (u32 u = 0; u < T + t; u++) {
					float v = product[t][u];
					for (u32 d = 16; d > 0; d /= 2)
						v += __shfl_xor_sync(WARP_ALL, v, d);
					if (lane == 0)
						f.product[((to * HELPERS + helper) * T + t) * 2 * T + u] = v;
				}
			if (lane == 0)
				f.count[to * HELPERS + helper] = count;
		});
	} else {
		phases(m, groups, [&](u32 phase, u32 k, u32) {
			if (phase < 2)
				return;
			const u32 from = k & 1, to = from ^ 1, j = 2 * lane;
			Pair d[T], sum[T];
			float poison[T];
#pragma unroll
			for (u32 i = 0; i < T; i++) {
				d[i] = *(const Pair *)(f.d2 + (to * T + i) * FUSED_HIDDEN + j);
				sum[i] = {0, 0};
				poison[i] = 0;
			}
			u32 e = warp - ROWS;
			if (j < ld) {
				for (u32 h = 0; h < HELPERS; h++) {
					const Listed<T> *listed = f.listed + from * inputs + h * share;
					const u32 *row = f.row + from * inputs + h * share, count = f.count[from * HELPERS + h];
#pragma unroll 4
					for (; e < count; e += rows) {
						const Listed<T> l = listed[e];
						Pair *at = (Pair *)(f.w + row[e] + j);
						Pair v = *at;
#pragma unroll
						for (u32 i = 0; i < T; i++) {
							v.x += l.behind[i] * d[i].x;
							v.y += l.behind[i] * d[i].y;
							poison[i] = v.x * 0.0f + poison[i];
							poison[i] = v.y * 0.0f + poison[i];
						}
						*at = v;
#pragma unroll
						for (u32 i = 0; i < T; i++) {
							sum[i].x += l.ahead[i] * v.x;
							sum[i].y += l.ahead[i] * v.y;
						}
					}
					e -= count; // the next list goes on where this one ends
				}
			}
#pragma unroll
			for (u32 i = 0; i < T; i++) {
				*(Pair *)(f.part + ((to * rows + warp - ROWS) * T + i) * FUSED_HIDDEN + j) = sum[i];
				if (poison[i] != 0 && phase > 3) // before that, nothing is updated
					atomicMin(f.bad, list.first(k - 1) + i);
			}
		});
	}

	for (u32 i = thread; i < inputs * ld; i += threads)
		m.param[o2.offset + i] = f.w[i];
	if (thread == 0) {
		m.control[NONFINITE] = *f.bad == NONE ? 0 : *f.bad + 1;
		m.report(p->status ? p->status + r : 0, r, list.first(groups));
	}
}

// A kernel for each size, so that each has the registers that it needs. The wide one
// has blocks of at most WIDE_THREADS, so that a thread may have more.
__device__ __forceinline__ void vm_fused(const Params *p) { vm_fused_groups<GROUP, 56, 10>(p); }
__device__ __forceinline__ void vm_fused_one(const Params *p) { vm_fused_groups<1, 56, 10>(p); }
__device__ __forceinline__ void vm_fused_wide(const Params *p) { vm_fused_groups<GROUP, FUSED_HIDDEN, FUSED_OUTPUTS>(p); }

KERNEL(vm_fused_f32, vm_fused, MAX_THREADS, 0)
KERNEL(vm_fused_one_f32, vm_fused_one, MAX_THREADS, 0)
KERNEL(vm_fused_wide_f32, vm_fused_wide, WIDE_THREADS, 0)
