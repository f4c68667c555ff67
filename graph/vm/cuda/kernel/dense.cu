// dense.cu: vm_dense: single-sample steps of a network of three layers, by one
// block, without decoding.
//
//	z(j)  = b2(j) + sum over the non-zero x(i) of x(i) W2(j,i)     a2 = g(z)
//	a3(o) = g(b3(o) + sum_j W3(o,j) a2(j))
//	d3(o) = (a3(o) - y(o)) g'(o) factor                            A.64
//	d2(j) = sum_o W3(o,j) d3(o) g'(j)                              A.65
//	W3 -= rate d3 a2ᵀ, b3 -= rate d3, W2 -= rate d2 xᵀ, b2 -= rate d2
//
// It is what vm_block does with such a program, and only rounding differs.
// float, at most 64 hidden units and 16 outputs. The program is one
// instruction: rows hidden units, cols outputs, inner inputs; operands dst W2,
// raw b2, a W3, b b3 (NONE without bias); form 0 sigmoid, 1 tanh; sink 1 if W3
// is updated before d2 is taken (the listing); value the factor; chunk, of the
// bits of a float, that of the cost.
//
// W2 is in shared memory, by input. Lane l of every warp has the hidden units
// 2l and 2l+1; the warps share the pixels, and keep the weights that they read
// in registers until the update. W3, b2 and b3 are in the registers of the
// first warp, which does all that is between the two. The pixels of the next
// sample are on their way meanwhile. Three barriers a sample.
#include "machine.h"

struct __align__(8) Pair {
	float x, y;
};
struct __align__(8) Entry {
	u32 offset; // in W2
	float value;
};
struct __align__(16) Entries {
	Entry a, b;
};

enum { DENSE_HIDDEN = 64, DENSE_OUTPUTS = 16, KEPT = 12 };

__device__ __forceinline__ float activate(u32 form, float z) { return form ? tanh_of(z) : sigmoid(z); }
__device__ __forceinline__ float slope(u32 form, float a) { return form ? 1 - a * a : a * (1 - a); }

// halve adds the 2n values of a lane to those of the lane 2n away, each of the
// two keeping one half.
template <u32 n> __device__ __forceinline__ void halve(float *v, u32 lane) {
	const bool upper = lane & (2 * n);
#pragma unroll
	for (u32 q = 0; q < n; q++) {
		float give = upper ? v[q] : v[q + n], keep = upper ? v[q + n] : v[q];
		v[q] = keep + __shfl_xor_sync(WARP_ALL, give, 2 * n);
	}
}

// Lesson is what a thread knows of a sample before its turn.
struct Lesson {
	u32 begin, end, id;
};

__device__ __forceinline__ void vm_dense(const Params *launch) {
	// A copy, so that no store makes the compiler read a field again.
	const Params here = *launch, *const p = &here;
	const u32 thread = threadIdx.x, threads = blockDim.x, lane = thread & 31, warp = thread / 32, warps = threads / 32;
	const u32 r = blockIdx.x;
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
	const float factor = float(in.value), rate = m.rate;
	union {
		u32 bits;
		float value;
	} half = {in.chunk};
	const Operand &o2 = m.operand[in.dst], &o3 = m.operand[in.a];
	const u32 ld = u32(o2.cs);
	float *w = take<float>(mark, u64(inputs) * ld);
	const u32 room = (inputs + 1) & ~1u;
	Entry *entries = take<Entry>(mark, 2 * room);
	float *part = take<float>(mark, u64(warps) * DENSE_HIDDEN);
	float *d2 = take<float>(mark, DENSE_HIDDEN);
	for (u32 i = thread; i < inputs * ld; i += threads)
		w[i] = m.param[o2.offset + i];

	// The first warp's part of the parameters. What is not there is 0, and stays so.
	const u32 j0 = 2 * lane, out = lane / 2;
	Pair w3[DENSE_OUTPUTS];
	Pair b2 = {0, 0};
	float b3 = 0;
	if (warp == 0) {
#pragma unroll
		for (u32 o = 0; o < DENSE_OUTPUTS; o++) {
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
	const bool have = j0 < ld;

	// stage puts a sample's pixels into shared memory.
	auto stage = [&](u32 s, const Lesson &l, u32 index0, float value0) {
		Entry *to = entries + (s & 1) * room;
		if (l.begin + thread < l.end)
			to[thread] = {index0 * ld, value0};
		for (u32 k = thread + threads; l.begin + k < l.end; k += threads) {
			u32 index;
			float value;
			m.entry(l.begin + k, index, value);
			to[k] = {index * ld, value};
		}
	};
	auto lesson = [&](u32 ahead) {
		u32 id = m.sample(ahead); // behind the last sample: the last again
		return Lesson{p->rowStart[id], p->rowStart[id + 1], id};
	};

	Lesson now = lesson(0), next = lesson(1);
	{
		u32 index = 0;
		float value = 0;
		if (now.begin + thread < now.end)
			m.entry(now.begin + thread, index, value);
		stage(0, now, index, value);
	}
	__syncthreads();

	float poison = 0;
	bool look = false;
	u32 until = 1;
	u32 s = 0;
	for (; s < p->steps; s++, m.position++, m.step++) {
		// The end, seen by one thread, is acted on by all a step later.
		if (look) {
			if (load_system(&m.control[2 + ((s + 1) & 1)]))
				break;
			look = false;
		}
		if (p->pollEvery && --until == 0) {
			until = p->pollEvery;
			look = true;
			if (thread == 0) {
				store_system(&m.control[2 + (s & 1)], load_system(&m.control[1]) != 0 || (p->stop && load_system(p->stop) != 0));
				if (p->status)
					store_system(&p->status[r].step, s);
			}
		}

		// Loads for later: the next sample's pixels, the next but one's place.
		u32 index = 0;
		float value = 0;
		if (next.begin + thread < next.end)
			m.entry(next.begin + thread, index, value);
		Lesson later = lesson(2);

		// z of this warp's pixels: a part of even length.
		const u32 count = now.end - now.begin, chunk = ((count + warps - 1) / warps + 1) & ~1u;
		const u32 first = warp * chunk, n = first >= count ? 0 : count - first < chunk ? count - first : chunk;
		const Entry *mine = entries + (s & 1) * room + first;
		float *column = w + j0;
		Pair z = {0, 0}, kept[KEPT];
		Entry of[KEPT];
#pragma unroll
		for (u32 q = 0; q < KEPT; q += 2) {
			if (q < n) {
				Entries two = *(const Entries *)(mine + q); // the second may be old
				of[q] = two.a;
				of[q + 1] = two.b;
				if (have) {
					kept[q] = *(const Pair *)(column + of[q].offset);
					z.x += of[q].value * kept[q].x;
					z.y += of[q].value * kept[q].y;
					if (q + 1 < n) {
						kept[q + 1] = *(const Pair *)(column + of[q + 1].offset);
						z.x += of[q + 1].value * kept[q + 1].x;
						z.y += of[q + 1].value * kept[q + 1].y;
					}
				}
			}
		}
		for (u32 q = KEPT; q < n; q++) {
			if (have) {
				Pair v = *(const Pair *)(column + mine[q].offset);
				z.x += mine[q].value * v.x;
				z.y += mine[q].value * v.y;
			}
		}
		*(Pair *)(part + warp * DENSE_HIDDEN + j0) = z;
		__syncthreads();

		if (warp == 0) {
			Pair a = b2;
			for (u32 k = 0; k < warps; k++) {
				Pair v = *(const Pair *)(part + k * DENSE_HIDDEN + j0);
				a.x += v.x;
				a.y += v.y;
			}
			a.x = activate(form, a.x);
			a.y = activate(form, a.y);
			// Ten sums over the lanes at once: halves change places until lanes
			// 2o and 2o+1 have output o.
			float v[DENSE_OUTPUTS];
#pragma unroll
			for (u32 o = 0; o < DENSE_OUTPUTS; o++)
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
					m.costs[m.step] = e * half.value;
			}
			Pair e2 = {0, 0};
			const float ax = j0 < hidden ? rate * a.x : 0, ay = j0 + 1 < hidden ? rate * a.y : 0;
#pragma unroll
			for (u32 o = 0; o < DENSE_OUTPUTS; o++) {
				const float d = __shfl_sync(WARP_ALL, d3, 2 * o);
				if (!listing) {
					e2.x += d * w3[o].x;
					e2.y += d * w3[o].y;
				}
				w3[o].x -= d * ax;
				w3[o].y -= d * ay;
				poison += w3[o].x * 0.0f + w3[o].y * 0.0f;
				if (listing) {
					e2.x += d * w3[o].x;
					e2.y += d * w3[o].y;
				}
			}
			e2.x *= rate * slope(form, a.x);
			e2.y *= rate * slope(form, a.y);
			*(Pair *)(d2 + j0) = e2;
			if (biased) {
				b2.x -= e2.x;
				b2.y -= e2.y;
				b3 -= rate * d3;
				poison += b2.x * 0.0f + b2.y * 0.0f + b3 * 0.0f;
			}
		}
		__syncthreads();

		if (have) {
			const Pair d = *(const Pair *)(d2 + j0);
#pragma unroll
			for (u32 q = 0; q < KEPT; q++) {
				if (q < n) {
					Pair v = {kept[q].x - of[q].value * d.x, kept[q].y - of[q].value * d.y};
					*(Pair *)(column + of[q].offset) = v;
					poison += v.x * 0.0f + v.y * 0.0f;
				}
			}
			for (u32 q = KEPT; q < n; q++) {
				Pair *at = (Pair *)(column + mine[q].offset);
				Pair v = {at->x - mine[q].value * d.x, at->y - mine[q].value * d.y};
				*at = v;
				poison += v.x * 0.0f + v.y * 0.0f;
			}
		}
		if (poison != 0) {
			atomicCAS(&m.control[1], 0u, s + 1);
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
		for (u32 o = 0; o < DENSE_OUTPUTS; o++) {
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
	if (thread == 0 && p->status) {
		store_system(&p->status[r].step, s);
		store_system(&p->status[r].nonfinite, load_system(&m.control[1]));
		store_system(&p->status[r].stopped, s < p->steps);
	}
}

KERNEL(vm_dense_f32, vm_dense, 0)
