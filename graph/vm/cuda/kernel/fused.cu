// fused.cu: vm_fused: single-sample steps of a network with one hidden layer.
// The whole step is one instruction. Each block is one run, as in block.cu.
//
//	z(j)  = b2(j) + sum over the non-zero x(i) of x(i) W2(j,i)     a2 = g(z)
//	a3(o) = g(b3(o) + sum_j W3(o,j) a2(j))
//	d3(o) = (a3(o) - y(o)) g'(o) (-rate)                           A.64
//	d2(j) = sum_o W3(o,j) d3(o) g'(j)                              A.65
//	W3 += d3 a2ᵀ, b3 += d3, W2 += d2 xᵀ, b2 += d2
//	cost  = sum_o (y(o) - a3(o))² / 2                              A.45
//
// vm_block computes the same for such a program; only rounding differs. This
// kernel computes in float, with at most 64 hidden units and 16 outputs.
//
// The fields of the instruction: rows is the number of hidden units, cols of
// outputs, inner of inputs. Operand dst is W2, raw is b2, a is W3, b is b3 (raw
// and b are NONE without biases). form is 0 for sigmoid, 1 for tanh. sink is 1
// if W3 is updated before d2 is computed, as in the textbook's listing.
//
// W2 is in shared memory, stored by input. Lane l of every warp has the hidden
// units 2l and 2l+1. The warps share the pixels, and keep the weights that they
// read in registers until the update. W3, b2 and b3 are in the registers of the
// first warp, which computes everything between the forward product and the
// update of W2. The pixels of the next sample are loaded meanwhile. A sample
// takes three barriers.
#include "machine.h"

struct __align__(8) Pair {
	float x, y;
};
// Entry is a non-zero pixel.
struct __align__(8) Entry {
	u32 offset; // of its weights in W2
	float value;
};
struct __align__(16) EntryPair {
	Entry a, b;
};

// CACHED is the number of entries whose weights a warp keeps in registers. With
// 16 warps that is enough for images of 288 non-zero pixels: 99.9 % of MNIST's.
enum { FUSED_HIDDEN = 64, FUSED_OUTPUTS = 16, CACHED = 18 };

__device__ __forceinline__ float activate(u32 form, float z) { return form ? tanh_of(z) : sigmoid(z); }
__device__ __forceinline__ float slope(u32 form, float a) { return form ? 1 - a * a : a * (1 - a); }

// halve adds the 2n values of this lane and of the lane 2n away. Each of the
// two lanes keeps n of the sums.
template <u32 n> __device__ __forceinline__ void halve(float *v, u32 lane) {
	const bool upper = lane & (2 * n);
#pragma unroll
	for (u32 q = 0; q < n; q++) {
		float give = upper ? v[q] : v[q + n], keep = upper ? v[q + n] : v[q];
		v[q] = keep + __shfl_xor_sync(WARP_ALL, give, 2 * n);
	}
}

// Sample says where the entries of a sample are.
struct Sample {
	u32 begin, end, id;
};

__device__ __forceinline__ void vm_fused(const Params *launch) {
	// A local copy: otherwise the compiler must read the fields again after
	// each store.
	const Params here = *launch, *const p = &here;
	const u32 thread = threadIdx.x, threads = blockDim.x, lane = thread & 31, warp = thread / 32, warps = threads / 32;
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
	const u32 hidden = in.rows, outputs = in.cols, inputs = in.inner, form = in.form;
	const bool listing = in.sink != 0, biased = in.raw != NONE;
	const float factor = -m.rate;
	const Operand &o2 = m.operand[in.dst], &o3 = m.operand[in.a];
	const u32 ld = u32(o2.cs);
	float *w = take<float>(mark, u64(inputs) * ld);
	const u32 capacity = (inputs + 1) & ~1u;
	Entry *entries = take<Entry>(mark, 2 * capacity);
	float *part = take<float>(mark, u64(warps) * FUSED_HIDDEN);
	float *d2 = take<float>(mark, FUSED_HIDDEN);
	for (u32 i = thread; i < inputs * ld; i += threads)
		w[i] = m.param[o2.offset + i];

	// The first warp's part of the parameters. Units that do not exist are 0,
	// and stay 0.
	const u32 j0 = 2 * lane, out = lane / 2;
	Pair w3[FUSED_OUTPUTS];
	Pair b2 = {0, 0};
	float b3 = 0;
	if (warp == 0) {
#pragma unroll
		for (u32 o = 0; o < FUSED_OUTPUTS; o++) {
			const float *row = m.param + o3.offset + o * u32(o3.rs);
			w3[o].x = o < outputs && j0 < hidden ? row[j0] : 0;
			w3[o].y = o < outputs && j0 + 1 < hidden ? row[j0 + 1] : 0;
		}
		if (biased) {
			const float *b = m.param + m.operand[in.raw].offset;
			b2.x = j0 < hidden ? b[j0] : 0;
			b2.y = j0 + 1 < hidden ? b[j0 + 1] : 0;
			b3 = out < outputs ? m.param[m.operand[in.b].offset + out] : 0;
		}
	}
	const bool active = j0 < ld;

	// stage writes the entries of sample a, for step s, to shared memory. This
	// thread has loaded its first entry already: index0, value0.
	auto stage = [&](u32 s, const Sample &a, u32 index0, float value0) {
		Entry *to = entries + (s & 1) * capacity;
		if (a.begin + thread < a.end)
			to[thread] = {index0 * ld, value0};
		for (u32 k = thread + threads; a.begin + k < a.end; k += threads) {
			u32 index;
			float value;
			m.entry(a.begin + k, index, value);
			to[k] = {index * ld, value};
		}
	};
	auto find = [&](u32 ahead) {
		u32 id = m.sample(ahead);
		return Sample{p->rowStart[id], p->rowStart[id + 1], id};
	};

	Sample now = find(0), next = find(1);
	{
		u32 index = 0;
		float value = 0;
		if (now.begin + thread < now.end)
			m.entry(now.begin + thread, index, value);
		stage(0, now, index, value);
	}
	__syncthreads();

	float poison = 0;
	bool polled = false;
	u32 until = 1; // steps until the next poll
	u32 s = 0;
	for (; s < p->steps; s++, m.position++, m.step++) {
		// Thread 0 decides in one step whether to end; all threads read its
		// decision in the next step.
		if (polled) {
			if (load_system(&m.control[HALT + ((s + 1) & 1)]))
				break;
			polled = false;
		}
		if (p->pollEvery && --until == 0) {
			until = p->pollEvery;
			polled = true;
			if (thread == 0) {
				store_system(&m.control[HALT + (s & 1)], load_system(&m.control[NONFINITE]) != 0 || (p->stop && load_system(p->stop) != 0));
				if (p->status)
					store_system(&p->status[r].step, s);
			}
		}

		// Start loads that are needed later: an entry of the next sample, and
		// where the entries of the one after it are.
		u32 index = 0;
		float value = 0;
		if (next.begin + thread < next.end)
			m.entry(next.begin + thread, index, value);
		Sample later = find(2);

		// Add up z over this warp's entries, an even number of them.
		const u32 count = now.end - now.begin, chunk = ((count + warps - 1) / warps + 1) & ~1u;
		const u32 first = warp * chunk, n = first >= count ? 0 : count - first < chunk ? count - first : chunk;
		const Entry *mine = entries + (s & 1) * capacity + first;
		float *column = w + j0;
		Pair z = {0, 0}, cached[CACHED];
#pragma unroll
		for (u32 q = 0; q < CACHED; q += 2) {
			if (q < n && active) {
				const EntryPair two = *(const EntryPair *)(mine + q); // b is stale if q + 1 == n
				cached[q] = *(const Pair *)(column + two.a.offset);
				z.x += two.a.value * cached[q].x;
				z.y += two.a.value * cached[q].y;
				if (q + 1 < n) {
					cached[q + 1] = *(const Pair *)(column + two.b.offset);
					z.x += two.b.value * cached[q + 1].x;
					z.y += two.b.value * cached[q + 1].y;
				}
			}
		}
		for (u32 q = CACHED; q < n; q++) {
			if (active) {
				Pair v = *(const Pair *)(column + mine[q].offset);
				z.x += mine[q].value * v.x;
				z.y += mine[q].value * v.y;
			}
		}
		*(Pair *)(part + warp * FUSED_HIDDEN + j0) = z;
		__syncthreads();

		if (warp == 0) {
			Pair a = b2;
			for (u32 k = 0; k < warps; k++) {
				Pair v = *(const Pair *)(part + k * FUSED_HIDDEN + j0);
				a.x += v.x;
				a.y += v.y;
			}
			a.x = activate(form, a.x);
			a.y = activate(form, a.y);
			// All outputs are summed over the lanes at once. Lanes exchange
			// halves of their values until lanes 2o and 2o+1 have output o.
			float v[FUSED_OUTPUTS];
#pragma unroll
			for (u32 o = 0; o < FUSED_OUTPUTS; o++)
				v[o] = w3[o].x * a.x + w3[o].y * a.y;
			halve<8>(v, lane);
			halve<4>(v, lane);
			halve<2>(v, lane);
			halve<1>(v, lane);
			const float a3 = activate(form, b3 + v[0] + __shfl_xor_sync(WARP_ALL, v[0], 1));
			const float y = out < outputs ? m.yOf(now.id, out) : 0;
			const float d3 = out < outputs ? (a3 - y) * slope(form, a3) * factor : 0;
			if (m.costs) {
				float e = out < outputs && !(lane & 1) ? (y - a3) * (y - a3) : 0;
				for (u32 d = 16; d > 0; d /= 2)
					e += __shfl_xor_sync(WARP_ALL, e, d);
				poison += e * 0.0f;
				if (lane == 0)
					m.costs[m.step] = e * 0.5f;
			}
			Pair e2 = {0, 0};
			const float ax = j0 < hidden ? a.x : 0, ay = j0 + 1 < hidden ? a.y : 0;
#pragma unroll
			for (u32 o = 0; o < FUSED_OUTPUTS; o++) {
				const float d = __shfl_sync(WARP_ALL, d3, 2 * o);
				if (!listing) {
					e2.x += d * w3[o].x;
					e2.y += d * w3[o].y;
				}
				w3[o].x += d * ax;
				w3[o].y += d * ay;
				poison += w3[o].x * 0.0f + w3[o].y * 0.0f;
				if (listing) {
					e2.x += d * w3[o].x;
					e2.y += d * w3[o].y;
				}
			}
			e2.x *= slope(form, a.x);
			e2.y *= slope(form, a.y);
			*(Pair *)(d2 + j0) = e2;
			if (biased) {
				b2.x += e2.x;
				b2.y += e2.y;
				b3 += d3;
				poison += b2.x * 0.0f + b2.y * 0.0f + b3 * 0.0f;
			}
		}
		__syncthreads();

		if (active) {
			const Pair d = *(const Pair *)(d2 + j0);
#pragma unroll
			for (u32 q = 0; q < CACHED; q += 2) {
				if (q < n) {
					const EntryPair two = *(const EntryPair *)(mine + q);
					const Pair v = {cached[q].x + two.a.value * d.x, cached[q].y + two.a.value * d.y};
					*(Pair *)(column + two.a.offset) = v;
					poison += v.x * 0.0f + v.y * 0.0f;
					if (q + 1 < n) {
						const Pair w = {cached[q + 1].x + two.b.value * d.x, cached[q + 1].y + two.b.value * d.y};
						*(Pair *)(column + two.b.offset) = w;
						poison += w.x * 0.0f + w.y * 0.0f;
					}
				}
			}
			for (u32 q = CACHED; q < n; q++) {
				Pair *at = (Pair *)(column + mine[q].offset);
				Pair v = {at->x + mine[q].value * d.x, at->y + mine[q].value * d.y};
				*at = v;
				poison += v.x * 0.0f + v.y * 0.0f;
			}
		}
		if (poison != 0) {
			atomicCAS(&m.control[NONFINITE], 0u, s + 1);
			poison = 0;
		}
		stage(s + 1, next, index, value);
		now = next;
		next = later;
		__syncthreads();
	}

	for (u32 i = thread; i < inputs * ld; i += threads)
		m.param[o2.offset + i] = w[i];
	if (warp == 0) {
#pragma unroll
		for (u32 o = 0; o < FUSED_OUTPUTS; o++) {
			float *row = m.param + o3.offset + o * u32(o3.rs);
			if (o < outputs && j0 < hidden)
				row[j0] = w3[o].x;
			if (o < outputs && j0 + 1 < hidden)
				row[j0 + 1] = w3[o].y;
		}
		if (biased) {
			float *b = m.param + m.operand[in.raw].offset;
			if (j0 < hidden)
				b[j0] = b2.x;
			if (j0 + 1 < hidden)
				b[j0 + 1] = b2.y;
			if (out < outputs && !(lane & 1))
				m.param[m.operand[in.b].offset + out] = b3;
		}
	}
	if (thread == 0)
		m.report(p->status ? p->status + r : 0, r, s);
}

KERNEL(vm_fused_f32, vm_fused, 0)
