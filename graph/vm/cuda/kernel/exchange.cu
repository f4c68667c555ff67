// exchange.cu: vm_exchange: mini-batches of a network with one hidden layer, in float32.
// All blocks do a step together, as in grid.cu, but no barrier of the grid separates its
// parts: what a block needs of another one comes as words that carry their step.
//
//	z(i,j) = b2(j) + sum_p W2(j,p) x(i,p)        a2 = g(z)
//	a3(i,o) = g(b3(o) + sum_j W3(o,j) a2(i,j))
//	d3(i,o) = (a3(i,o) - y(i,o)) g'(i,o) (-rate)/count        A.64
//	d2(i,j) = sum_o W3(o,j) d3(i,o) g'(i,j)                   A.65
//	W3 += d3ᵀ a2, b3 += sum_i d3, W2 += d2ᵀ x, b2 += sum_i d2
//	cost = sum_i sum_o (y(i,o) - a3(i,o))² / (2 count)        A.45, A.46
//
// vm_grid computes the same; only rounding differs. count is the number of samples of
// the step: the batch, or less in the last step of a pass.
//
// The fields of the instruction: rows is the number of hidden units, cols of outputs,
// inner of inputs; splits is the number of parts of the inputs, chunk that of the inputs
// of a part, a multiple of STRIP. Operand dst is W2, raw is b2, a is W3, b is b3 (raw and
// b are NONE without biases). form is 0 for sigmoid, 1 for tanh. sink is 1 if W3 is
// updated before d2 is computed, as in the textbook's listing.
//
// A bias is the weight of an input that is always 1: a row of W2 after the inputs, and a
// column of W3 after the hidden units.
//
// A block has up to three tasks:
//
//   - The slice: UNITS hidden units and a part of the inputs. Its W2 is in shared memory.
//     It sends its part of z of all samples, and updates its W2 with d2 of all samples.
//   - Samples block, block + blocks, …: it adds up the parts of z, and sends a2, d3 and d2.
//   - Weights of W3, an output and UNITS hidden units at a time: it adds up d3 a2 of all
//     samples, and sends the new weights to all blocks that have samples.
//
// While words are on their way, a block loads its inputs of the next step, and, unless
// listing, updates W3: the new one is needed a step later.
//
// A word is {value, step}, in 64 bits that are read and written at once, so it needs no
// fence: a reader waits until the step is the one that it wants. There are two places for
// each word, used in turn. A place is written again two steps later; then all have read
// it, because each write is made after reads that depend on that:
//
//   - A block sends z of step s+1 after it has d2 of step s of all samples, which depends
//     on all of z of step s.
//   - A sample's a2, d3 and d2 of step s+2 are sent after it has z of step s+2 from all
//     slices and W3 of step s+1 from all blocks that have weights of W3 or the cost: these
//     are sent after d2 of step s+1, or a2, d3 and the cost of step s, have been read.
//   - W3 of step s+2 is sent after d3 of step s+1 is there from all samples, which depends
//     on W3 of step s+1, and that is received after W3 of step s.
//   - The word that ends the run is sent in step s+2 after d2 of step s+1 is there from all
//     samples. A block sends d2 of step s+1, or z on which it depends, after it has read
//     the word of step s.
//
// Only the last step may have fewer samples, and no place is written again after it.
//
// Each sum has a fixed shape: no result depends on the order in which words arrive.
#include "machine.h"

struct __align__(16) Quad {
	float x, y, z, w;
};
struct __align__(16) Bytes {
	u32 part[4];
};

enum {
	EXCHANGE_THREADS = 128,
	UNITS = 4,             // hidden units of a slice
	STRIP = 16,            // inputs that a thread loads at once
	FLIGHT = 4,            // pairs of words that a thread waits for at once
	GRADIENT_STRIPS = 5,   // of which a thread keeps the gradient in registers
	EXCHANGE_OUTPUTS = 16, // most outputs
};

// word returns the word of a value; step is not 0.
__device__ __forceinline__ u64 word(float v, u32 step) { return u64(step) << 32 | float_bits(v); }
__device__ __forceinline__ bool arrived(u64 w, u32 step) { return u32(w >> 32) == step; }
__device__ __forceinline__ float value_of(u64 w) { return bits_float(u32(w)); }

// receive waits for the pairs of words at at(0) to at(n-1), n <= N, and returns their
// values. The others are 0.
template <u32 N, class At> __device__ __forceinline__ void receive(u32 n, u32 step, Pair (&to)[N], At at) {
	u64 x[N], y[N];
#pragma unroll
	for (u32 k = 0; k < N; k++) {
		x[k] = y[k] = word(0, step);
		if (k < n)
			load_words(at(k), x[k], y[k]);
	}
	for (;;) {
		bool late = false;
#pragma unroll
		for (u32 k = 0; k < N; k++)
			late |= !arrived(x[k], step) | !arrived(y[k], step);
		if (!late)
			break;
		spin_pause();
#pragma unroll
		for (u32 k = 0; k < N; k++)
			if (!arrived(x[k], step) || !arrived(y[k], step))
				load_words(at(k), x[k], y[k]);
	}
#pragma unroll
	for (u32 k = 0; k < N; k++)
		to[k] = {value_of(x[k]), value_of(y[k])};
}

// Exchange is the state of a thread.
struct Exchange {
	Machine<float> m;
	u32 thread, threads, lane, warp, warps, block, blocks;
	u32 hidden, outputs, inputs, batch, form;
	bool listing, biased, slice; // slice: this block has one
	u32 units, group;            // hidden units of all slices; the first unit of this one
	u32 parts, part;             // parts of the inputs; the part of this slice
	u32 first, rows, chunk;      // the first input of the part, the inputs and the bias in it, the most of a part
	u32 columns, pitch;          // samples of a tile, a multiple of 4; elements of a row
	u32 own;                     // most samples of a block
	u32 units3, groups3, own3;   // columns of W3 with the bias, and groups of them; most groups of a block
	u32 outs;                    // words of d3 of a sample, an even number
	float scale, factor;         // 1/count; -rate/count

	// The words.
	u64 *z;    // [2][batch][parts][units]
	u64 *d2w;  // [2][batch][units]
	u64 *a2w;  // [2][batch][units3]
	u64 *d3w;  // [2][batch][outs]
	u64 *costw; // [2][batch]
	u64 *w3w;  // [2][outputs][units3]
	u64 *endw; // [2]
	u64 words; // of all

	// Shared memory.
	float *x;      // [2][chunk][pitch]: the inputs of the samples, by input
	float *w;      // [chunk][UNITS]: W2
	float *sums;   // [warps][UNITS][pitch] or [warps][chunk][UNITS]: parts of sums
	float *d2;     // [UNITS][pitch]
	float *zs;     // [warps][units]: parts of z of a sample
	float *a2;     // [own][units3]
	float *d3, *e; // [own][EXCHANGE_OUTPUTS]: d3, and the cost of an output
	float *y;      // [2][own][EXCHANGE_OUTPUTS]
	float *w3;     // [outputs][units3]
	float *mine3;  // [own3][UNITS]: the weights of W3 that this block updates
	float *sums3;  // [own3][warps][UNITS]
	float *costs;  // [warps]
	u32 *ids;      // [2][columns]: the samples of a step
	u32 *ends;     // 1: this step is the last one

	__device__ __forceinline__ void setup(const Params *p) {
		thread = threadIdx.x;
		threads = blockDim.x;
		lane = thread & 31;
		warp = thread / 32;
		warps = threads / 32;
		block = blockIdx.x;
		blocks = gridDim.x;
		m.worker = thread;
		m.workers = threads;
		u8 *mark = m.setup(p, SHARED_MEMORY(), 0, thread, threads);
		m.control = p->control + CONTROL_REST;
		__syncthreads();
		const Instr &in = m.code[0];
		hidden = in.rows;
		outputs = in.cols;
		inputs = in.inner;
		batch = p->batch;
		form = in.form;
		listing = in.sink != 0;
		biased = in.raw != NONE;
		parts = in.splits;
		chunk = in.chunk;
		units = (hidden + UNITS - 1) & ~u32(UNITS - 1);
		const u32 groups = units / UNITS;
		slice = block < groups * parts;
		group = block % groups * UNITS;
		part = block / groups;
		first = part * chunk;
		const u32 all = inputs + biased;
		rows = !slice ? 0 : all - first < chunk ? all - first : chunk;
		columns = (batch + 3) & ~3u;
		pitch = (columns / 4 | 1) * 4; // an odd number of quads: rows begin in different banks
		own = (batch + blocks - 1) / blocks;
		units3 = (hidden + biased + UNITS - 1) & ~u32(UNITS - 1);
		groups3 = units3 / UNITS;
		own3 = (outputs * groups3 + blocks - 1) / blocks;
		outs = (outputs + 1) & ~1u;
		u64 *at = (u64 *)p->arena;
		auto words_of = [&](u64 n) {
			u64 *here = at;
			at += n;
			return here;
		};
		z = words_of(u64(2) * batch * parts * units);
		d2w = words_of(u64(2) * batch * units);
		a2w = words_of(u64(2) * batch * units3);
		d3w = words_of(u64(2) * batch * outs);
		w3w = words_of(u64(2) * outputs * units3);
		costw = words_of(2 * batch);
		endw = words_of(2);
		words = u64(at - z);
		x = take<float>(mark, 2 * chunk * pitch);
		w = take<float>(mark, chunk * UNITS);
		sums = take<float>(mark, warps * UNITS * (chunk > pitch ? chunk : pitch));
		d2 = take<float>(mark, UNITS * pitch);
		zs = take<float>(mark, warps * units);
		a2 = take<float>(mark, own * units3);
		d3 = take<float>(mark, own * EXCHANGE_OUTPUTS);
		e = take<float>(mark, own * EXCHANGE_OUTPUTS);
		y = take<float>(mark, 2 * own * EXCHANGE_OUTPUTS);
		w3 = take<float>(mark, outputs * units3);
		mine3 = take<float>(mark, own3 * UNITS);
		sums3 = take<float>(mark, own3 * warps * UNITS);
		costs = take<float>(mark, warps);
		ids = take<u32>(mark, 2 * columns);
		ends = take<u32>(mark, 1);
	}

	// weight2 returns weight u of row r of the slice, weight3 weight k of W3 of the block: 0
	// if there is no such weight.
	__device__ float *weight2(u32 r, u32 u) const {
		const Instr &in = m.code[0];
		if (group + u >= hidden)
			return 0;
		if (first + r == inputs)
			return m.param + m.operand[in.raw].offset + group + u;
		return m.param + m.operand[in.dst].offset + (group + u) + (first + r) * u32(m.operand[in.dst].cs);
	}
	__device__ float *weight3(u32 k) const {
		const Instr &in = m.code[0];
		const u32 task = block + k / UNITS * blocks, o = task / groups3, j = task % groups3 * UNITS + k % UNITS;
		if (o >= outputs || j >= hidden + biased)
			return 0;
		if (j == hidden)
			return m.param + m.operand[in.b].offset + o;
		return m.param + m.operand[in.a].offset + o * u32(m.operand[in.a].rs) + j;
	}

	// load gets the weights, and clears the words. The grid must wait after it.
	__device__ __forceinline__ void load() {
		for (u64 i = u64(block) * threads + thread; i < words; i += u64(blocks) * threads)
			store_word(z + i, 0);
		for (u32 i = thread; i < rows * UNITS; i += threads) {
			const float *from = weight2(i / UNITS, i % UNITS);
			w[i] = from ? *from : 0;
		}
		for (u32 i = thread; i < own3 * UNITS; i += threads) {
			const float *from = weight3(i);
			mine3[i] = from ? *from : 0;
		}
		for (u32 i = thread; i < 2 * pitch; i += threads) // the inputs of the bias
			if (slice && first + rows > inputs)
				x[(i / pitch * chunk + rows - 1) * pitch + i % pitch] = 1;
	}
	__device__ __forceinline__ void store() const {
		for (u32 i = thread; i < rows * UNITS; i += threads)
			if (float *to = weight2(i / UNITS, i % UNITS))
				*to = w[i];
		for (u32 i = thread; i < own3 * UNITS; i += threads)
			if (float *to = weight3(i))
				*to = mine3[i];
	}

	// sample returns the sample at an index of the order. After the end of the pass it is
	// the last one.
	__device__ __forceinline__ u32 sample(u64 at) const {
		if (at >= m.p->end)
			at = m.p->end - 1;
		return m.order ? u32(m.order[at]) : u32(at);
	}

	// find writes the samples of step s to ids. at is the index in the order of its first.
	__device__ __forceinline__ void find(u32 s, u64 at) {
		for (u32 i = thread; i < columns; i += threads)
			ids[(s & 1) * columns + i] = sample(at + i);
	}

	// stage loads strips from to until - 1 of the inputs of step s.
	__device__ __forceinline__ void stage(u32 s, u32 from, u32 until) {
		const u8 *pixels = m.p->pixels;
		const u32 all = !slice ? 0 : inputs - first < rows ? inputs - first : rows;
		float *to = x + (s & 1) * chunk * pitch;
		const bool whole = pixels && inputs % STRIP == 0;
		for (u32 i = thread; i < columns; i += threads) {
			const u64 at = u64(ids[(s & 1) * columns + i]) * inputs + first;
#pragma unroll 2
			for (u32 r = from * STRIP; r < until * STRIP && r < all; r += STRIP) {
				if (whole) {
					const Bytes b = *(const Bytes *)(pixels + at + r);
#pragma unroll
					for (u32 k = 0; k < STRIP; k++)
						to[(r + k) * pitch + i] = m.table[b.part[k / 4] >> k % 4 * 8 & 255];
					continue;
				}
				for (u32 k = r; k < r + STRIP && k < all; k++)
					to[k * pitch + i] = pixels ? m.table[pixels[at + k]] : ((const float *)m.p->values)[at + k];
			}
		}
	}

	// targets loads y of this block's samples of step s.
	__device__ __forceinline__ void targets(u32 s) {
		for (u32 k = thread; k < own * EXCHANGE_OUTPUTS; k += threads) {
			const u32 i = block + k / EXCHANGE_OUTPUTS * blocks, o = k % EXCHANGE_OUTPUTS;
			if (i < batch && o < outputs)
				y[(s & 1) * own * EXCHANGE_OUTPUTS + k] = m.yOf(ids[(s & 1) * columns + i], o);
		}
	}

	// forward sends this slice's part of z of all samples. A warp has every warps-th input.
	__device__ __forceinline__ void forward(u32 s, u32 count) {
		const float *from = x + (s & 1) * chunk * pitch;
		for (u32 c = lane; c < (count + 3) / 4; c += 32) {
			float sum[4][UNITS] = {};
#pragma unroll 4
			for (u32 r = warp; r < rows; r += warps) {
				const Quad v = *(const Quad *)(from + r * pitch + 4 * c), u = *(const Quad *)(w + r * UNITS);
				const float a[4] = {v.x, v.y, v.z, v.w}, b[UNITS] = {u.x, u.y, u.z, u.w};
#pragma unroll
				for (u32 i = 0; i < 4; i++)
#pragma unroll
					for (u32 j = 0; j < UNITS; j++)
						sum[i][j] += a[i] * b[j];
			}
#pragma unroll
			for (u32 j = 0; j < UNITS; j++) {
				const Quad to = {sum[0][j], sum[1][j], sum[2][j], sum[3][j]};
				*(Quad *)(sums + (warp * UNITS + j) * pitch + 4 * c) = to;
			}
		}
		__syncthreads();
		if (!slice)
			return;
		for (u32 i = thread; i < count; i += threads) {
			float all[UNITS] = {};
			for (u32 k = 0; k < warps; k++)
#pragma unroll
				for (u32 j = 0; j < UNITS; j++)
					all[j] += sums[(k * UNITS + j) * pitch + i];
			u64 *to = z + ((u64(s & 1) * batch + i) * parts + part) * units + group;
			store_words(to, word(all[0], s + 1), word(all[1], s + 1));
			store_words(to + 2, word(all[2], s + 1), word(all[3], s + 1));
		}
	}

	// weights receives W3 as it is after n steps.
	__device__ __forceinline__ void weights(u32 n) {
		const u64 *from = w3w + (n & 1) * outputs * units3;
		const u32 pairs = outputs * units3 / 2;
		for (u32 k = thread; k < pairs; k += FLIGHT * threads) {
			Pair v[FLIGHT];
			const u32 left = (pairs - k + threads - 1) / threads;
			receive<FLIGHT>(left, n + 1, v, [&](u32 q) { return from + 2 * (k + q * threads); });
#pragma unroll
			for (u32 q = 0; q < FLIGHT; q++)
				if (q < left)
					*(Pair *)(w3 + 2 * (k + q * threads)) = v[q];
		}
	}

	// outputDelta does own sample k, which is sample i of step s, up to d3.
	__device__ __forceinline__ void outputDelta(u32 s, u32 k, u32 i) {
		const u64 *from = z + (u64(s & 1) * batch + i) * parts * units;
		for (u32 j = 2 * lane; j < units; j += 64) {
			Pair sum = {0, 0};
			for (u32 q = warp; q < parts; q += FLIGHT * warps) {
				Pair v[FLIGHT];
				receive<FLIGHT>((parts - q + warps - 1) / warps, s + 1, v, [&](u32 f) { return from + (q + f * warps) * units + j; });
#pragma unroll
				for (u32 f = 0; f < FLIGHT; f++) {
					sum.x += v[f].x;
					sum.y += v[f].y;
				}
			}
			*(Pair *)(zs + warp * units + j) = sum;
		}
		__syncthreads();
		for (u32 j = thread; j < units3; j += threads) {
			float a = biased && j == hidden ? 1 : 0;
			if (j < hidden) {
				float sum = 0;
				for (u32 q = 0; q < warps; q++)
					sum += zs[q * units + j];
				a = activate(form, sum);
			}
			a2[k * units3 + j] = a;
			store_word(a2w + (u64(s & 1) * batch + i) * units3 + j, word(a, s + 1));
		}
		__syncthreads();
		// 8 lanes for each output.
		for (u32 o4 = 4 * warp; o4 < outs; o4 += 4 * warps) {
			const u32 o = o4 + lane / 8;
			float sum = 0;
			if (o < outputs)
				for (u32 j = lane & 7; j < units3; j += 8)
					sum += w3[o * units3 + j] * a2[k * units3 + j];
			for (u32 d = 4; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if (o >= outs || (lane & 7) != 0)
				continue;
			if (o == outputs) {
				store_word(d3w + (u64(s & 1) * batch + i) * outs + o, word(0, s + 1));
				continue;
			}
			const float a3 = activate(form, sum), error = a3 - y[((s & 1) * own + k) * EXCHANGE_OUTPUTS + o], d = error * slope(form, a3) * factor;
			d3[k * EXCHANGE_OUTPUTS + o] = d;
			e[k * EXCHANGE_OUTPUTS + o] = error * error;
			store_word(d3w + (u64(s & 1) * batch + i) * outs + o, word(d, s + 1));
		}
	}

	// sendCost sends the cost of own sample k, by the last thread. The block must have e.
	__device__ __forceinline__ void sendCost(u32 s, u32 k, u32 i) {
		if (!m.costs || thread != threads - 1)
			return;
		float sum = 0;
		for (u32 o = 0; o < outputs; o++)
			sum += e[k * EXCHANGE_OUTPUTS + o];
		store_word(costw + (s & 1) * batch + i, word(sum, s + 1));
	}

	// hiddenDelta does the rest of own sample k. The block must have d3.
	__device__ __forceinline__ void hiddenDelta(u32 s, u32 k, u32 i) {
		for (u32 j = thread; j < units; j += threads) {
			float d = 0;
			if (j < hidden) {
				for (u32 o = 0; o < outputs; o++)
					d += d3[k * EXCHANGE_OUTPUTS + o] * w3[o * units3 + j];
				d *= slope(form, a2[k * units3 + j]);
			}
			store_word(d2w + (u64(s & 1) * batch + i) * units + j, word(d, s + 1));
		}
	}

	// send3 sends this block's weights of W3 as they are after n steps.
	__device__ __forceinline__ void send3(u32 n, u32 k) const {
		const u32 task = block + k / UNITS * blocks, o = task / groups3, j = task % groups3 * UNITS + k % UNITS;
		if (o < outputs)
			store_word(w3w + ((n & 1) * outputs + o) * units3 + j, word(mine3[k], n + 1));
	}

	// update3 updates this block's weights of W3 after step s of count samples, and sends
	// them. Block 0 adds up the cost.
	__device__ __forceinline__ void update3(u32 s, u32 count, float scale) {
		for (u32 t = 0; t < own3; t++) {
			const u32 task = block + t * blocks, o = task / groups3, j = task % groups3 * UNITS;
			if (o >= outputs)
				break;
			float sum[UNITS] = {};
			for (u32 i = thread; i < count; i += threads) {
				const u64 *a = a2w + (u64(s & 1) * batch + i) * units3 + j, *d = d3w + (u64(s & 1) * batch + i) * outs + (o & ~1u);
				Pair v[3];
				receive<3>(3, s + 1, v, [&](u32 q) { return q < 2 ? a + 2 * q : d; });
				const float by = o & 1 ? v[2].y : v[2].x;
				sum[0] += by * v[0].x;
				sum[1] += by * v[0].y;
				sum[2] += by * v[1].x;
				sum[3] += by * v[1].y;
			}
			// Lanes hand on the sums that they do not keep: half of them twice.
			const bool high = lane & 16, odd = lane & 8;
			float keep[2];
#pragma unroll
			for (u32 q = 0; q < 2; q++)
				keep[q] = (high ? sum[2 + q] : sum[q]) + __shfl_xor_sync(WARP_ALL, high ? sum[q] : sum[2 + q], 16);
			float all = (odd ? keep[1] : keep[0]) + __shfl_xor_sync(WARP_ALL, odd ? keep[0] : keep[1], 8);
			for (u32 d = 4; d > 0; d /= 2)
				all += __shfl_xor_sync(WARP_ALL, all, d);
			if ((lane & 7) == 0)
				sums3[(t * warps + warp) * UNITS + lane / 8] = all;
		}
		const bool cost = m.costs && block == 0;
		if (cost) {
			float sum = 0;
			for (u32 i = thread; i < count; i += threads) {
				const u64 *at = costw + (s & 1) * batch + i;
				u64 v = load_word(at);
				while (!arrived(v, s + 1)) {
					spin_pause();
					v = load_word(at);
				}
				sum += value_of(v);
			}
			for (u32 d = 16; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if (lane == 0)
				costs[warp] = sum;
		}
		__syncthreads();
		float poison = 0;
		for (u32 k = thread; k < own3 * UNITS; k += threads) {
			float sum = 0;
			for (u32 q = 0; q < warps; q++)
				sum += sums3[(k / UNITS * warps + q) * UNITS + k % UNITS];
			if (block + k / UNITS * blocks >= outputs * groups3)
				break;
			mine3[k] += sum;
			poison += mine3[k] * 0.0f;
			send3(s + 1, k);
		}
		if (cost && thread == threads - 1) {
			float sum = 0;
			for (u32 q = 0; q < warps; q++)
				sum += costs[q];
			sum *= 0.5f * scale;
			poison += sum * 0.0f;
			m.costs[m.p->firstStep + s] = sum;
		}
		report(poison, s);
	}

	// update2 updates the slice's W2 with d2 of all samples.
	__device__ __forceinline__ void update2(u32 s, u32 count) {
		const float *from = x + (s & 1) * chunk * pitch;
		for (u32 base = 0; base < rows; base += GRADIENT_STRIPS * 16) {
			float sum[GRADIENT_STRIPS][UNITS] = {};
			// Half a warp has 16 inputs, and every 2 warps-th quad of samples.
			const float *row[GRADIENT_STRIPS];
#pragma unroll
			for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
				const u32 r = base + 16 * k + (lane & 15);
				row[k] = from + (r < rows ? r : 0) * pitch;
			}
#pragma unroll 2
			for (u32 c = 2 * warp + lane / 16; c < (count + 3) / 4; c += 2 * warps) {
				Quad d[UNITS];
#pragma unroll
				for (u32 j = 0; j < UNITS; j++)
					d[j] = *(const Quad *)(d2 + j * pitch + 4 * c);
#pragma unroll
				for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
					const Quad v = *(const Quad *)(row[k] + 4 * c);
#pragma unroll
					for (u32 j = 0; j < UNITS; j++) {
						sum[k][j] += v.x * d[j].x;
						sum[k][j] += v.y * d[j].y;
						sum[k][j] += v.z * d[j].z;
						sum[k][j] += v.w * d[j].w;
					}
				}
			}
			// The halves of a warp add up two units each.
			const bool high = lane & 16;
#pragma unroll
			for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
				Pair keep;
				keep.x = (high ? sum[k][2] : sum[k][0]) + __shfl_xor_sync(WARP_ALL, high ? sum[k][0] : sum[k][2], 16);
				keep.y = (high ? sum[k][3] : sum[k][1]) + __shfl_xor_sync(WARP_ALL, high ? sum[k][1] : sum[k][3], 16);
				const u32 r = base + 16 * k + (lane & 15);
				if (r < rows)
					*(Pair *)(sums + (warp * chunk + r) * UNITS + (high ? 2 : 0)) = keep;
			}
		}
		__syncthreads();
		float poison = 0;
		for (u32 r = thread; r < rows; r += threads) {
			Quad sum = {0, 0, 0, 0}, v = *(const Quad *)(w + r * UNITS);
			for (u32 q = 0; q < warps; q++) {
				const Quad a = *(const Quad *)(sums + (q * chunk + r) * UNITS);
				sum.x += a.x;
				sum.y += a.y;
				sum.z += a.z;
				sum.w += a.w;
			}
			v.x += sum.x;
			v.y += sum.y;
			v.z += sum.z;
			v.w += sum.w;
			*(Quad *)(w + r * UNITS) = v;
			poison += v.x * 0.0f + v.y * 0.0f + v.z * 0.0f + v.w * 0.0f;
		}
		report(poison, s);
	}

	// report keeps the least step after which a value was not finite: NONE - step, so that
	// it is the largest value.
	__device__ __forceinline__ void report(float poison, u32 s) {
		if (poison != 0)
			atomicMax(&m.control[NONFINITE], NONE - s);
	}

	// hear receives d2 of all samples, and whether the run ends.
	__device__ __forceinline__ void hear(u32 s, u32 count, bool polled) {
		for (u32 i = thread; i < columns; i += threads) {
			Pair v[2];
			const u64 *from = d2w + (u64(s & 1) * batch + i) * units + group;
			receive<2>(slice && i < count ? 2 : 0, s + 1, v, [&](u32 q) { return from + 2 * q; });
			d2[i] = v[0].x;
			d2[pitch + i] = v[0].y;
			d2[2 * pitch + i] = v[1].x;
			d2[3 * pitch + i] = v[1].y;
		}
		if (thread == threads - 1) {
			u64 v = word(0, s + 1);
			if (polled)
				while (!arrived(v = load_word(endw + (s & 1)), s + 1))
					spin_pause();
			*ends = u32(v);
		}
		__syncthreads();
	}

	// steps does the steps, and returns how many it has done.
	__device__ __forceinline__ u32 steps() {
		const Params *p = m.p;
		u64 position = p->position;
		const u32 strips = (chunk + STRIP - 1) / STRIP;
		const float whole = 1 / float(batch);
		for (u32 k = thread; k < own3 * UNITS; k += threads)
			send3(0, k);
		find(0, position);
		find(1, position + batch);
		__syncthreads();
		stage(0, 0, strips);
		targets(0);
		__syncthreads();
		u32 s = 0, count = batch;
		for (bool more = p->steps > 0; more;) {
			const bool polled = p->pollEvery && s % p->pollEvery == 0;
			u32 halt = 0;
			if (polled && block == 0 && thread == 0) {
				halt = load_system(&m.control[NONFINITE]) != 0 || (p->stop && load_system(p->stop) != 0);
				if (p->status)
					store_system(&p->status->step, s);
			}
			const bool last = s + 1 == p->steps;
			if (p->end - position < batch)
				count = u32(p->end - position);
			scale = count == batch ? whole : 1 / float(count);
			factor = -m.rate * scale;
			forward(s, count);
			if (!listing && s > 0)
				update3(s - 1, batch, whole);
			if (!last)
				stage(s + 1, 0, strips / 2);
			if (block < batch)
				weights(s);
			for (u32 k = 0, i = block; i < count; k++, i += blocks)
				outputDelta(s, k, i);
			__syncthreads();
			for (u32 k = 0, i = block; i < count; k++, i += blocks)
				sendCost(s, k, i);
			if (listing) {
				update3(s, count, scale);
				if (block < batch)
					weights(s + 1);
				__syncthreads();
			}
			for (u32 k = 0, i = block; i < count; k++, i += blocks)
				hiddenDelta(s, k, i);
			if (polled && block == 0 && thread == 0)
				store_word(endw + (s & 1), u64(s + 1) << 32 | halt);
			if (!last) {
				stage(s + 1, strips / 2, strips);
				targets(s + 1);
			}
			hear(s, count, polled);
			more = !last && *ends == 0;
			find(s, position + 2 * u64(batch)); // those of step s are no longer needed
			update2(s, count);
			__syncthreads();
			position += batch;
			s++;
		}
		if (!listing && s > 0)
			update3(s - 1, count, scale);
		return s;
	}
};

__device__ __forceinline__ void vm_exchange(const Params *launch) {
	// A local copy: otherwise the compiler must read the fields again after
	// each store.
	const Params here = *launch, *const p = &here;
	if (Machine<float>::over(p, 0))
		return;
	Exchange x;
	x.setup(p);
	x.load();
	u32 target = 0;
	const GridBarrier barrier = {p->control + CONTROL_COUNT, &target, 0};
	barrier();
	const u32 done = x.steps();
	__syncthreads();
	x.store();
	// Block 0 waits for what the others report.
	__syncthreads();
	if (threadIdx.x != 0)
		return;
	add_release(barrier.count, 1u);
	if (blockIdx.x != 0)
		return;
	target += gridDim.x;
	while (i32(load_acquire(barrier.count) - target) < 0)
		spin_pause();
	store_system(&x.m.control[NONFINITE], 0u - load_system(&x.m.control[NONFINITE]));
	x.m.report(p->status, 0, done);
}

KERNEL(vm_exchange_f32, vm_exchange, EXCHANGE_THREADS, 1)
