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
// While parts of z are on their way, a block writes the inputs of the next step to their
// tile. While d2 is, it updates W3, which is needed a step later; if listing, before d2 is
// computed.
//
// A word is {value, step}, in 64 bits that are read and written at once, so it needs no
// fence: a reader waits until the step is the one that it wants. There are two places for
// each word, used in turn. A place is written again two steps later; then all have read
// it, because each write is made after reads that depend on that:
//
//   - A block sends z of step s+1 after it has d2 of step s of all samples, which depends
//     on all of z of step s.
//   - A sample's a2, d3, d2 and cost of step s+2 are sent after it has z of step s+2 from
//     all slices, which depends on d2 of step s+1, and W3 as it is after step s from all
//     blocks that have some of it, which depends on a2 and d3 of step s. Block 0 reads the
//     cost before it sends its W3.
//   - W3 as it is after step s+1 is sent after d3 of step s+1 is there from all samples,
//     which depends on W3 as it is after step s, and its sender has read all of W3 before.
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
	EXCHANGE_THREADS = 256, // of a block; also the largest batch
	EXCHANGE_WARPS = EXCHANGE_THREADS / 32,
	UNITS = 4,             // hidden units of a slice
	STRIP = 16,            // inputs that a thread loads at once
	AHEAD = 3,             // strips that a thread loads a while before it needs them
	FLIGHT = 2,            // pairs of words that a thread waits for at once
	GRADIENT_STRIPS = 5,   // strips of which a half of a warp has the gradient
	EXCHANGE_OUTPUTS = 16, // most outputs
};

// word returns the word of a value; step is not 0.
__device__ __forceinline__ u64 word(float v, u32 step) { return join_word(v, step); }

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
		u32 late[N], all = 0;
#pragma unroll
		for (u32 k = 0; k < N; k++) {
			u32 sx, sy;
			split_word(x[k], to[k].x, sx);
			split_word(y[k], to[k].y, sy);
			late[k] = (sx ^ step) | (sy ^ step);
			all |= late[k];
		}
		if (all == 0)
			return;
		spin_pause();
#pragma unroll
		for (u32 k = 0; k < N; k++)
			if (late[k])
				load_words(at(k), x[k], y[k]);
	}
}

// receiveOne waits for a word.
__device__ __forceinline__ float receiveOne(const u64 *at, u32 step) {
	for (;;) {
		float v;
		u32 s;
		split_word(load_word(at), v, s);
		if (s == step)
			return v;
		spin_pause();
	}
}

// Exchange is the state of a thread.
struct Exchange {
	Machine<float> m;
	u32 thread, lane, warp, block, blocks;
	u32 hidden, outputs, inputs, batch, form;
	bool listing, biased, slice; // slice: this block has one
	u32 units, group;            // hidden units of all slices; the first unit of this one
	u32 parts, part;             // parts of the inputs; the part of this slice
	u32 first, rows, chunk;      // the first input of the part, the inputs and the bias in it, the most of a part
	u32 data;                    // the inputs in the part
	u32 columns, pitch;          // samples of a tile, a multiple of 4; elements of a row
	u32 column, side, sides;     // a sample of this thread, and its share of what is to do for it: side, side + sides, …
	u32 own;                     // most samples of a block
	u32 units3, groups3, own3;   // columns of W3 with the bias, and groups of them; most groups of a block
	u32 outs;                    // words of d3 of a sample, a multiple of 4
	bool bytes;                  // a strip is STRIP bytes at an address that is a multiple of it

	// The words.
	u64 *z;     // [2][batch][parts][units]
	u64 *d2w;   // [2][batch][units]
	u64 *a2w;   // [2][batch][units3]
	u64 *d3w;   // [2][batch][outs]
	u64 *w3w;   // [2][outputs][units3]
	u64 *costw; // [2][batch]
	u64 *endw;  // [2]
	u64 words;  // of all

	// Shared memory. Rows that have no input are 0, and stay 0.
	float *x;      // [2][chunk][pitch]: the inputs of the samples, by input
	float *w;      // [chunk][UNITS]: W2
	float *sums;   // [EXCHANGE_WARPS][UNITS][pitch] or [EXCHANGE_WARPS][chunk][UNITS]: parts of sums
	float *d2;     // [UNITS][pitch]
	float *zs;     // [EXCHANGE_WARPS][units]: parts of z of a sample
	float *a2;     // [own][units3]
	float *d3, *e; // [own][EXCHANGE_OUTPUTS]: d3, and the cost of an output
	float *y;      // [2][own][EXCHANGE_OUTPUTS]
	float *w3;     // [outs][units3]
	float *mine3;  // [own3][UNITS]: the weights of W3 that this block updates
	u32 *place3;   // [own3][UNITS]: where they are in W3, or NONE
	float *sums3;  // [own3][EXCHANGE_WARPS][UNITS]
	float *costs;  // [EXCHANGE_WARPS]
	u32 *ids;      // [2][columns]: the samples of a step
	u32 *ends;     // 1: this step is the last one

	// What is loaded for the next step.
	Bytes ahead[AHEAD];
	u32 label, id;
	float target;

	__device__ __forceinline__ void setup(const Params *p) {
		thread = threadIdx.x;
		lane = thread & 31;
		warp = thread / 32;
		block = blockIdx.x;
		blocks = gridDim.x;
		m.worker = thread;
		m.workers = EXCHANGE_THREADS;
		u8 *mark = m.setup(p, SHARED_MEMORY(), 0, thread, EXCHANGE_THREADS);
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
		data = !slice ? 0 : inputs - first < rows ? inputs - first : rows;
		columns = (batch + 3) & ~3u;
		pitch = (columns / 4 | 1) * 4; // an odd number of quads: rows begin in different banks
		sides = columns <= EXCHANGE_THREADS / 2 ? 2 : 1;
		column = thread & (EXCHANGE_THREADS / sides - 1);
		side = thread / (EXCHANGE_THREADS / sides);
		own = (batch + blocks - 1) / blocks;
		units3 = (hidden + biased + UNITS - 1) & ~u32(UNITS - 1);
		groups3 = units3 / UNITS;
		own3 = (outputs * groups3 + blocks - 1) / blocks;
		outs = (outputs + 3) & ~3u;
		bytes = p->pixels && inputs % STRIP == 0;
		u64 *at = (u64 *)p->arena;
		auto words_of = [&](u32 n) {
			u64 *here = at;
			at += n;
			return here;
		};
		z = words_of(2 * batch * parts * units);
		d2w = words_of(2 * batch * units);
		a2w = words_of(2 * batch * units3);
		d3w = words_of(2 * batch * outs);
		w3w = words_of(2 * outputs * units3);
		costw = words_of(2 * batch);
		endw = words_of(2);
		words = u64(at - z);
		x = take<float>(mark, 2 * chunk * pitch);
		w = take<float>(mark, chunk * UNITS);
		sums = take<float>(mark, EXCHANGE_WARPS * UNITS * (chunk > pitch ? chunk : pitch));
		d2 = take<float>(mark, UNITS * pitch);
		zs = take<float>(mark, EXCHANGE_WARPS * units);
		a2 = take<float>(mark, own * units3);
		d3 = take<float>(mark, own * EXCHANGE_OUTPUTS);
		e = take<float>(mark, own * EXCHANGE_OUTPUTS);
		y = take<float>(mark, 2 * own * EXCHANGE_OUTPUTS);
		w3 = take<float>(mark, outs * units3);
		mine3 = take<float>(mark, own3 * UNITS);
		place3 = take<u32>(mark, own3 * UNITS);
		sums3 = take<float>(mark, own3 * EXCHANGE_WARPS * UNITS);
		costs = take<float>(mark, EXCHANGE_WARPS);
		ids = take<u32>(mark, 2 * columns);
		ends = take<u32>(mark, 1);
		label = 0; // of outputs that do not exist
		target = 0;
	}

	// weight2 returns weight u of row r of the slice, weight3 the weight at a place of W3: 0
	// if there is no such weight.
	__device__ __forceinline__ float *weight2(u32 r, u32 u) const {
		const Instr &in = m.code[0];
		if (r >= rows || group + u >= hidden)
			return 0;
		if (first + r == inputs)
			return m.param + m.operand[in.raw].offset + group + u;
		return m.param + m.operand[in.dst].offset + (group + u) + (first + r) * u32(m.operand[in.dst].cs);
	}
	__device__ __forceinline__ float *weight3(u32 place) const {
		const Instr &in = m.code[0];
		const u32 o = place / units3, j = place % units3;
		if (place == NONE || j >= hidden + biased)
			return 0;
		if (j == hidden)
			return m.param + m.operand[in.b].offset + o;
		return m.param + m.operand[in.a].offset + o * u32(m.operand[in.a].rs) + j;
	}

	// load gets the weights, and clears the words. The grid must wait after it.
	__device__ __forceinline__ void load() {
		for (u32 i = thread; i < chunk * UNITS; i += EXCHANGE_THREADS) {
			const float *from = weight2(i / UNITS, i % UNITS);
			w[i] = from ? *from : 0;
		}
		for (u32 i = thread; i < own3 * UNITS; i += EXCHANGE_THREADS) {
			const u32 task = block + i / UNITS * blocks;
			place3[i] = task < outputs * groups3 ? task * UNITS + i % UNITS : NONE;
			const float *from = weight3(place3[i]);
			mine3[i] = from ? *from : 0;
		}
		for (u32 i = thread; i < 2 * chunk * pitch; i += EXCHANGE_THREADS)
			x[i] = 0;
		for (u32 i = thread; i < outs * units3; i += EXCHANGE_THREADS)
			w3[i] = 0;
		for (u32 i = thread; i < own * EXCHANGE_OUTPUTS; i += EXCHANGE_THREADS)
			d3[i] = 0;
		__syncthreads();
		if (rows > data) // the inputs of the bias
			for (u32 i = thread; i < 2 * pitch; i += EXCHANGE_THREADS)
				x[((i >= pitch ? chunk : 0) + data) * pitch + (i >= pitch ? i - pitch : i)] = 1;
		for (u64 i = u64(block) * EXCHANGE_THREADS + thread; i < words; i += u64(blocks) * EXCHANGE_THREADS)
			z[i] = 0;
	}
	__device__ __forceinline__ void store() const {
		for (u32 i = thread; i < rows * UNITS; i += EXCHANGE_THREADS)
			if (float *to = weight2(i / UNITS, i % UNITS))
				*to = w[i];
		for (u32 i = thread; i < own3 * UNITS; i += EXCHANGE_THREADS)
			if (float *to = weight3(place3[i]))
				*to = mine3[i];
	}

	// sample returns the sample at an index of the order. After the end of the pass it is
	// the last one.
	__device__ __forceinline__ u32 sample(u64 at) const {
		if (at >= m.p->end)
			at = m.p->end - 1;
		return m.order ? u32(m.order[at]) : u32(at);
	}

	// fetch begins to load what stage, targets and find need: the inputs and the targets of
	// step s, and the samples of step s + 1, of which the first is at next in the order.
	__device__ __forceinline__ void fetch(u32 s, u64 next) {
		const u32 *now = ids + (s & 1) * columns;
		if (bytes && column < columns) {
			const u8 *from = m.p->pixels + u64(now[column]) * inputs + first;
#pragma unroll
			for (u32 q = 0; q < AHEAD; q++) {
				const u32 r = (side + q * sides) * STRIP;
				if (r < data)
					ahead[q] = *(const Bytes *)(from + r);
			}
		}
		const u32 i = block + thread / EXCHANGE_OUTPUTS * blocks, o = thread % EXCHANGE_OUTPUTS;
		if (thread < own * EXCHANGE_OUTPUTS && i < batch && o < outputs) {
			if (m.p->labels)
				label = m.p->labels[now[i]];
			else
				target = ((const float *)m.p->targets)[u64(now[i]) * outputs + o];
		}
		if (thread < columns)
			id = sample(next + thread);
	}

	// put writes a strip of inputs of a sample to a tile.
	__device__ __forceinline__ void put(float *to, const Bytes &b) const {
		const u8 *table = (const u8 *)m.table;
		float v[STRIP];
#pragma unroll
		for (u32 k = 0; k < STRIP; k++) {
			const u32 four = b.part[k / 4], at = k % 4 == 0 ? four << 2 : four >> (k % 4 * 8 - 2);
			v[k] = *(const float *)(table + (at & 0x3fc));
		}
#pragma unroll
		for (u32 k = 0; k < STRIP; k++) {
			*to = v[k];
			to += pitch;
		}
	}

	// stage writes the inputs of step s to their tile.
	__device__ __forceinline__ void stage(u32 s) const {
		if (column >= columns)
			return;
		float *to = x + (s & 1) * chunk * pitch + column;
		const u64 at = u64(ids[(s & 1) * columns + column]) * inputs + first;
		if (bytes) {
#pragma unroll
			for (u32 q = 0; q < AHEAD; q++) {
				const u32 r = (side + q * sides) * STRIP;
				if (r < data)
					put(to + r * pitch, ahead[q]);
			}
			for (u32 r = (side + AHEAD * sides) * STRIP; r < data; r += sides * STRIP)
				put(to + r * pitch, *(const Bytes *)(m.p->pixels + at + r));
			return;
		}
		const u8 *pixels = m.p->pixels + at;
		const float *values = (const float *)m.p->values + at;
#pragma unroll 4
		for (u32 r = side; r < data; r += sides)
			to[r * pitch] = m.p->pixels ? m.table[pixels[r]] : values[r];
	}

	// targets writes y of this block's samples of step s.
	__device__ __forceinline__ void targets(u32 s) const {
		if (thread < own * EXCHANGE_OUTPUTS)
			y[(s & 1) * own * EXCHANGE_OUTPUTS + thread] = m.p->labels ? m.table[256 + (label == thread % EXCHANGE_OUTPUTS)] : target;
	}

	// find writes the samples of step s.
	__device__ __forceinline__ void find(u32 s) const {
		if (thread < columns)
			ids[(s & 1) * columns + thread] = id;
	}

	// forward sends this slice's part of z of all samples. A warp has every
	// EXCHANGE_WARPS-th input.
	__device__ __forceinline__ void forward(u32 s, u32 count) {
		for (u32 c = lane; slice && c < (count + 3) / 4; c += 32) {
			const float *from = x + (s & 1) * chunk * pitch + warp * pitch + 4 * c, *by = w + warp * UNITS;
			float sum[4][UNITS] = {};
			for (u32 r = 0; r < chunk; r += 2 * EXCHANGE_WARPS) {
				Quad v[2], u[2];
#pragma unroll
				for (u32 q = 0; q < 2; q++) {
					v[q] = *(const Quad *)from;
					u[q] = *(const Quad *)by;
					from += EXCHANGE_WARPS * pitch;
					by += EXCHANGE_WARPS * UNITS;
				}
#pragma unroll
				for (u32 q = 0; q < 2; q++) {
					const float a[4] = {v[q].x, v[q].y, v[q].z, v[q].w}, b[UNITS] = {u[q].x, u[q].y, u[q].z, u[q].w};
#pragma unroll
					for (u32 i = 0; i < 4; i++)
#pragma unroll
						for (u32 j = 0; j < UNITS; j++)
							sum[i][j] += a[i] * b[j];
				}
			}
			float *to = sums + warp * UNITS * pitch + 4 * c;
#pragma unroll
			for (u32 j = 0; j < UNITS; j++) {
				const Quad all = {sum[0][j], sum[1][j], sum[2][j], sum[3][j]};
				*(Quad *)to = all;
				to += pitch;
			}
		}
		__syncthreads();
		if (!slice || column >= count)
			return;
		u64 *to = z + (((s & 1) * batch + column) * parts + part) * units + group;
		for (u32 j = 2 * side; j < UNITS; j += 2 * sides) {
			const float *from = sums + j * pitch + column;
			float a[EXCHANGE_WARPS], b[EXCHANGE_WARPS];
#pragma unroll
			for (u32 q = 0; q < EXCHANGE_WARPS; q++) {
				a[q] = from[0];
				b[q] = from[pitch];
				from += UNITS * pitch;
			}
			store_words(to + j, word(total(a), s + 1), word(total(b), s + 1));
		}
	}

	// total adds up what the warps have.
	__device__ static __forceinline__ float total(const float (&v)[EXCHANGE_WARPS]) {
		float sum[4];
#pragma unroll
		for (u32 q = 0; q < 4; q++)
			sum[q] = v[q] + v[q + 4];
		return (sum[0] + sum[1]) + (sum[2] + sum[3]);
	}

	// weights receives W3 as it is after n steps.
	__device__ __forceinline__ void weights(u32 n) {
		const u64 *from = w3w + (n & 1) * outputs * units3;
		const u32 pairs = outputs * units3 / 2;
		for (u32 k = thread; k < pairs; k += 2 * EXCHANGE_THREADS) {
			Pair v[2];
			const bool two = k + EXCHANGE_THREADS < pairs;
			receive<2>(1 + two, n + 1, v, [&](u32 q) { return from + 2 * (k + q * EXCHANGE_THREADS); });
			*(Pair *)(w3 + 2 * k) = v[0];
			if (two)
				*(Pair *)(w3 + 2 * (k + EXCHANGE_THREADS)) = v[1];
		}
	}

	// outputDelta does own sample k, which is sample i of step s, up to d3. factor is
	// -rate/count.
	__device__ __forceinline__ void outputDelta(u32 s, u32 k, u32 i, float factor) {
		const u32 at = (s & 1) * batch + i;
		const u64 *from = z + at * parts * units;
		for (u32 j = 2 * lane; j < units; j += 64) {
			Pair sum = {0, 0};
			for (u32 q = warp; q < parts; q += FLIGHT * EXCHANGE_WARPS) {
				Pair v[FLIGHT];
				receive<FLIGHT>((parts - q + EXCHANGE_WARPS - 1) / EXCHANGE_WARPS, s + 1, v, [&](u32 f) { return from + (q + f * EXCHANGE_WARPS) * units + j; });
#pragma unroll
				for (u32 f = 0; f < FLIGHT; f++) {
					sum.x += v[f].x;
					sum.y += v[f].y;
				}
			}
			*(Pair *)(zs + warp * units + j) = sum;
		}
		__syncthreads();
		float *const a = a2 + k * units3;
		for (u32 j = thread; j < units3; j += EXCHANGE_THREADS) {
			float v = biased && j == hidden ? 1 : 0;
			if (j < hidden) {
				float part[EXCHANGE_WARPS];
#pragma unroll
				for (u32 q = 0; q < EXCHANGE_WARPS; q++)
					part[q] = zs[q * units + j];
				v = activate(form, total(part));
			}
			a[j] = v;
			store_word(a2w + at * units3 + j, word(v, s + 1));
		}
		__syncthreads();
		// 8 lanes for each output.
		for (u32 top = 4 * warp; top < outs; top += 4 * EXCHANGE_WARPS) {
			const u32 o = top + lane / 8;
			const float *const row = w3 + o * units3;
			float sum = 0;
			for (u32 base = 2 * (lane & 7); base < units3; base += 64) {
				Pair u[4], v[4];
#pragma unroll
				for (u32 q = 0; q < 4; q++) {
					u[q] = v[q] = {0, 0};
					if (base + 16 * q < units3) {
						u[q] = *(const Pair *)(row + base + 16 * q);
						v[q] = *(const Pair *)(a + base + 16 * q);
					}
				}
#pragma unroll
				for (u32 q = 0; q < 4; q++) {
					sum += u[q].x * v[q].x;
					sum += u[q].y * v[q].y;
				}
			}
#pragma unroll
			for (u32 d = 4; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if ((lane & 7) != 0)
				continue;
			const float a3 = activate(form, sum), error = a3 - y[((s & 1) * own + k) * EXCHANGE_OUTPUTS + o];
			const float d = o < outputs ? error * slope(form, a3) * factor : 0;
			d3[k * EXCHANGE_OUTPUTS + o] = d;
			e[k * EXCHANGE_OUTPUTS + o] = o < outputs ? error * error : 0;
			store_word(d3w + at * outs + o, word(d, s + 1));
		}
	}

	// sendCost sends the cost of own sample k, by the last thread. The block must have e.
	__device__ __forceinline__ void sendCost(u32 s, u32 k, u32 i) {
		if (!m.costs || thread != EXCHANGE_THREADS - 1)
			return;
		float sum = 0;
		for (u32 o = 0; o < outs; o += 4) {
			const Quad v = *(const Quad *)(e + k * EXCHANGE_OUTPUTS + o);
			sum += (v.x + v.y) + (v.z + v.w);
		}
		store_word(costw + (s & 1) * batch + i, word(sum, s + 1));
	}

	// hiddenDelta does the rest of own sample k. The block must have d3.
	__device__ __forceinline__ void hiddenDelta(u32 s, u32 k, u32 i) {
		for (u32 j = thread; j < units; j += EXCHANGE_THREADS) {
			float sum[4] = {};
			const float *column = w3 + (j < units3 ? j : 0);
#pragma unroll 4
			for (u32 o = 0; o < outs; o += 4) {
				const Quad d = *(const Quad *)(d3 + k * EXCHANGE_OUTPUTS + o);
				sum[0] += d.x * column[0];
				sum[1] += d.y * column[units3];
				sum[2] += d.z * column[2 * units3];
				sum[3] += d.w * column[3 * units3];
				column += 4 * units3;
			}
			const float d = j < hidden ? ((sum[0] + sum[1]) + (sum[2] + sum[3])) * slope(form, a2[k * units3 + j]) : 0;
			store_word(d2w + ((s & 1) * batch + i) * units + j, word(d, s + 1));
		}
	}

	// send3 sends a weight of W3 of this block as it is after n steps.
	__device__ __forceinline__ void send3(u32 n, u32 k) const {
		if (place3[k] != NONE)
			store_word(w3w + (n & 1) * outputs * units3 + place3[k], word(mine3[k], n + 1));
	}

	// update3 updates this block's weights of W3 after step s of count samples, and sends
	// them. Block 0 adds up the cost. scale is 1/count.
	__device__ __forceinline__ void update3(u32 s, u32 count, float scale) {
		const u32 at = (s & 1) * batch + thread;
		for (u32 t = 0; t < own3; t++) {
			const u32 place = place3[t * UNITS];
			if (place == NONE)
				break;
			const u32 o = place / units3;
			float sum[UNITS] = {};
			if (thread < count) {
				const u64 *a = a2w + at * units3 + (place - o * units3), *d = d3w + at * outs + (o & ~1u);
				Pair v[3];
				receive<3>(3, s + 1, v, [&](u32 q) { return q < 2 ? a + 2 * q : d; });
				const float by = o & 1 ? v[2].y : v[2].x;
				sum[0] = by * v[0].x;
				sum[1] = by * v[0].y;
				sum[2] = by * v[1].x;
				sum[3] = by * v[1].y;
			}
			// Lanes hand on the sums that they do not keep: half of them twice.
			const bool high = lane & 16, odd = lane & 8;
			float keep[2];
#pragma unroll
			for (u32 q = 0; q < 2; q++)
				keep[q] = (high ? sum[2 + q] : sum[q]) + __shfl_xor_sync(WARP_ALL, high ? sum[q] : sum[2 + q], 16);
			float all = (odd ? keep[1] : keep[0]) + __shfl_xor_sync(WARP_ALL, odd ? keep[0] : keep[1], 8);
#pragma unroll
			for (u32 d = 4; d > 0; d /= 2)
				all += __shfl_xor_sync(WARP_ALL, all, d);
			if ((lane & 7) == 0)
				sums3[(t * EXCHANGE_WARPS + warp) * UNITS + lane / 8] = all;
		}
		const bool cost = m.costs && block == 0;
		if (cost) {
			float sum = thread < count ? receiveOne(costw + at, s + 1) : 0;
#pragma unroll
			for (u32 d = 16; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if (lane == 0)
				costs[warp] = sum;
		}
		__syncthreads();
		float poison = 0, part[EXCHANGE_WARPS];
		for (u32 k = thread; k < own3 * UNITS; k += EXCHANGE_THREADS) {
			if (place3[k] == NONE)
				break;
#pragma unroll
			for (u32 q = 0; q < EXCHANGE_WARPS; q++)
				part[q] = sums3[(k / UNITS * EXCHANGE_WARPS + q) * UNITS + k % UNITS];
			mine3[k] += total(part);
			poison += mine3[k] * 0.0f;
			send3(s + 1, k);
		}
		if (cost && thread == EXCHANGE_THREADS - 1) {
#pragma unroll
			for (u32 q = 0; q < EXCHANGE_WARPS; q++)
				part[q] = costs[q];
			const float sum = total(part) * (0.5f * scale);
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
			// Half a warp has 16 inputs, and every 2 EXCHANGE_WARPS-th quad of samples.
			const float *row[GRADIENT_STRIPS];
#pragma unroll
			for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
				const u32 r = base + 16 * k + (lane & 15);
				row[k] = from + (r < rows ? r : 0) * pitch;
			}
			for (u32 c = 2 * warp + lane / 16; c < (count + 3) / 4; c += 2 * EXCHANGE_WARPS) {
				Quad d[UNITS];
				const float *by = d2 + 4 * c;
#pragma unroll
				for (u32 j = 0; j < UNITS; j++) {
					d[j] = *(const Quad *)by;
					by += pitch;
				}
#pragma unroll
				for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
					const Quad v = *(const Quad *)(row[k] + 4 * c);
#pragma unroll
					for (u32 j = 0; j < UNITS; j++)
						sum[k][j] += v.x * d[j].x;
#pragma unroll
					for (u32 j = 0; j < UNITS; j++)
						sum[k][j] += v.y * d[j].y;
#pragma unroll
					for (u32 j = 0; j < UNITS; j++)
						sum[k][j] += v.z * d[j].z;
#pragma unroll
					for (u32 j = 0; j < UNITS; j++)
						sum[k][j] += v.w * d[j].w;
				}
			}
			// The halves of a warp add up two units each.
			const bool high = lane & 16;
			float *to = sums + (warp * chunk + base + (lane & 15)) * UNITS + (high ? 2 : 0);
#pragma unroll
			for (u32 k = 0; k < GRADIENT_STRIPS; k++) {
				Pair keep;
				keep.x = (high ? sum[k][2] : sum[k][0]) + __shfl_xor_sync(WARP_ALL, high ? sum[k][0] : sum[k][2], 16);
				keep.y = (high ? sum[k][3] : sum[k][1]) + __shfl_xor_sync(WARP_ALL, high ? sum[k][1] : sum[k][3], 16);
				if (base + 16 * k < chunk)
					*(Pair *)(to + 16 * k * UNITS) = keep;
			}
		}
		__syncthreads();
		float poison = 0;
		for (u32 r = thread; r < 2 * rows; r += EXCHANGE_THREADS) { // two threads for each row
			float a[EXCHANGE_WARPS], b[EXCHANGE_WARPS];
			const float *part = sums + 2 * r;
#pragma unroll
			for (u32 q = 0; q < EXCHANGE_WARPS; q++) {
				const Pair v = *(const Pair *)part;
				a[q] = v.x;
				b[q] = v.y;
				part += chunk * UNITS;
			}
			Pair v = *(const Pair *)(w + 2 * r);
			v.x += total(a);
			v.y += total(b);
			*(Pair *)(w + 2 * r) = v;
			poison += v.x * 0.0f + v.y * 0.0f;
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
		if (column < columns) {
			const u64 *from = d2w + ((s & 1) * batch + column) * units + group;
			for (u32 j = 2 * side; j < UNITS; j += 2 * sides) {
				Pair v[1];
				receive<1>(slice && column < count, s + 1, v, [&](u32) { return from + j; });
				d2[j * pitch + column] = v[0].x;
				d2[(j + 1) * pitch + column] = v[0].y;
			}
		}
		if (thread == EXCHANGE_THREADS - 1)
			*ends = polled ? float_bits(receiveOne(endw + (s & 1), s + 1)) : 0;
		__syncthreads();
	}

	// steps does the steps and stores the weights. It returns how many steps it has done.
	__device__ __forceinline__ u32 steps() {
		const Params *p = m.p;
		u64 position = p->position;
		for (u32 k = thread; k < own3 * UNITS; k += EXCHANGE_THREADS)
			send3(0, k);
		if (thread < columns)
			id = sample(position + thread);
		find(0);
		__syncthreads();
		fetch(0, position + batch);
		stage(0);
		targets(0);
		find(1);
		__syncthreads();
		u32 s = 0, count = batch, until = 0; // until: steps until the next poll
		float scale = 1 / float(batch);
		for (bool more = p->steps > 0; more;) {
			const bool polled = p->pollEvery && until == 0;
			until = polled ? p->pollEvery - 1 : until - 1;
			u32 halt = 0;
			if (polled && block == 0 && thread == 0) {
				halt = load_system(&m.control[NONFINITE]) != 0 || (p->stop && load_system(p->stop) != 0);
				if (p->status)
					store_system(&p->status->step, s);
			}
			const bool last = s + 1 == p->steps;
			if (p->end - position < batch) {
				count = u32(p->end - position);
				scale = 1 / float(count);
			}
			if (!last)
				fetch(s + 1, position + 2 * batch);
			forward(s, count);
			if (block < batch)
				weights(s);
			if (!last)
				stage(s + 1);
			for (u32 k = 0, i = block; i < count; k++, i += blocks)
				outputDelta(s, k, i, -m.rate * scale);
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
				store_word(endw + (s & 1), word(bits_float(halt), s + 1));
			if (!last) {
				targets(s + 1);
				find(s); // those of step s + 2
			}
			if (!listing)
				update3(s, count, scale);
			hear(s, count, polled);
			more = !last && *ends == 0;
			update2(s, count);
			__syncthreads();
			position += batch;
			s++;
		}
		store();
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
	// Block 0 waits for what the others have reported, which was before a barrier of theirs.
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
