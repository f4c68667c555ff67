// machine.h: what all kernels of the machine share: the layout of a program
// and of a launch in device memory, and what a thread does for an instruction.
//
// The structs are those of encode.go and params.go, field by field, little
// endian, 8-byte aligned. A kernel takes one argument: the address of a Params.
//
// The source is compiled by NVRTC or nvcc for the GPU, and by g++ with
// host/shim.h for tests. It includes no header of the toolkit.
#pragma once

struct Params;
enum { MAX_THREADS = 512, MAX_DEPTH = 16, TILE = 8 };

#ifdef HOST_SHIM
#include "host/shim.h"
#else
#define WARP_ALL 0xffffffffu
#define NOINLINE __noinline__
extern __shared__ __align__(16) unsigned char dynamic_shared[];
#define SHARED_MEMORY() dynamic_shared
// load_acquire: *p, ordered before all later reads of this thread.
__device__ __forceinline__ unsigned load_acquire(const unsigned *p) {
	unsigned v;
	asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
	return v;
}
// load_system, store_system: a word that the host reads or writes meanwhile.
__device__ __forceinline__ unsigned load_system(const unsigned *p) { return *(const volatile unsigned *)p; }
__device__ __forceinline__ void store_system(unsigned *p, unsigned v) { *(volatile unsigned *)p = v; }
// spin_pause: what a waiting thread does between two looks.
__device__ __forceinline__ void spin_pause() {}
// KERNEL defines the entry point NAME, which is BODY; TOGETHER: its blocks wait
// for each other.
#define KERNEL(NAME, BODY, TOGETHER) \
	extern "C" __global__ void __launch_bounds__(MAX_THREADS, 1) NAME(const Params *p) { BODY(p); }
#endif

// DROPPED says that a test takes the barrier before instruction k away.
#ifndef DROPPED
#define DROPPED(k) false
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

// What an instruction does; see encode.go for the meaning of the fields.
enum Op : u32 {
	OP_FILL,    // v(i,j) = value
	OP_COPY,    // v(i,j) = a(i,j)
	OP_DOT,     // v(i,j) = sum_k a(i,k) b(k,j)
	OP_FINISH,  // v(i,j) = sum_s a[s rows cols + i cols + j]
	OP_ROWS,    // v(i,j) = sum over the non-zero x(i,k) of x(i,k) b(k,j)
	OP_ROWSADD, // w(i,j) -= rate a(k,i) x(k,j), for each k in turn and each non-zero x(k,j)
	OP_PIXELS,  // v(i,j) = sum_k a(k,i) x(k,j), TILE rows i at a time
	OP_SCORE,   // counts a sample a(i,·) with its label
};

// What becomes of the value v.
enum Sink : u32 {
	SINK_STORE,  // dst(i,j) = v
	SINK_MAP,    // dst(i,j) = form(v and other operands); raw(i,j) = v if there is a raw
	SINK_UPDATE, // dst(i,j) -= rate v
	SINK_COST,   // costs[step] = v
};

// Element-wise expressions that need no bytecode. u, w, t are the operands.
enum Form : u32 {
	FORM_CODE,         // the bytecode
	FORM_SIGMOID,      // 1/(1+exp(-u))
	FORM_SIGMOID_ADD,  // 1/(1+exp(-(u+w)))
	FORM_TANH,         // tanh(u)
	FORM_TANH_ADD,     // tanh(u+w)
	FORM_SIGMOID_OUT,  // (u-w) u (1-u) value             A.64
	FORM_TANH_OUT,     // (u-w) (1-u u) value
	FORM_SIGMOID_BACK, // u w (1-w)                       A.65
	FORM_TANH_BACK,    // u (1-w w)
};

// Terms of the bytecode, as ir.Fn: a word is term | index<<8.
enum Fn : u32 { FN_ARG, FN_CONST, FN_ADD, FN_SUB, FN_MUL, FN_NEG, FN_SQUARE, FN_SIGMOID, FN_TANH };

// Where an operand is.
enum Space : u32 { SPACE_PARAM, SPACE_ARENA, SPACE_DATA, SPACE_TARGET, SPACE_ONE, SPACE_SELF };

// Operand is a matrix: element (i,j) is at v = i rs + j cs from offset; if cols
// is not 0, at (v / cols) prs + (v % cols) pcs. In the data and the target v
// counts the elements of the mini-batch, row after row.
struct Operand {
	u32 space, offset;
	i32 rs, cs;
	u32 cols;
	i32 prs, pcs;
	u32 pad;
};

enum { BARRIER_NONE, BARRIER_WARP, BARRIER_ALL };
enum : u32 { NONE = 0xffffffffu };

struct Instr {
	u32 op, sink, form, barrier;
	u32 warp; // 1: by the first warp alone
	u32 rows, cols, inner;
	u32 lanes;         // OP_DOT, OP_FINISH: lanes a value, a power of two
	u32 splits, chunk; // the sum over k in splits parts of chunk each
	u32 dst, raw, a, b; // operands
	u32 arg, args;     // the operands of the form or the bytecode
	u32 code, terms;   // the bytecode
	u32 chained;       // so many SINK_MAP instructions follow that this one does with it, element by element
	double value;
};

struct Status {
	u32 step;      // steps done in this launch
	u32 nonfinite; // 1 + the first step after which a parameter or the cost was not finite; 0: none
	u32 stopped;   // 1: it ended early
	u32 pad;
};

// Params is a launch. Addresses are of device memory; 0 where optional and not there.
struct Params {
	const Instr *code;
	const Operand *operands;
	const u32 *bytecode;
	const double *constants;
	const void *table;        // T[256]: pixel/255
	void *params;             // T[replicas][paramStride]
	void *update;             // T[replicas][paramStride]: what updates change; 0: params
	void *arena;              // T[replicas][arenaStride], if not in shared memory
	const u8 *pixels;         // [samples][inputs]
	const void *values;       // T[samples][inputs]: in place of pixels
	const u32 *rowStart;      // [samples+1]
	const u16 *rowIndex;      // of the non-zero pixels
	const u8 *rowPixel;       // their pixels
	const void *rowValue;     // T: in place of rowPixel
	const u8 *labels;         // [samples]
	const void *targets;      // T[samples][classes]: in place of labels
	const i32 *order;         // [replicas][orderStride]; 0: the samples in their order
	const double *rates;      // [replicas]
	void *costs;              // T[replicas][costStride]; optional
	void *outputs;            // T[replicas][outputStride]: the program's outputs after the last step; optional
	void *predictions;        // T[samples][classes]: OP_SCORE; optional
	double *sampleCosts;      // [samples]: OP_SCORE; optional
	u32 *confusion;           // [classes][classes], label then prediction: OP_SCORE; optional
	Status *status;           // [replicas]
	const u32 *stop;          // 1: end at the next look; optional
	u32 *control;             // [4], zero at launch: of the grid kernel
	u64 paramStride, arenaStride, orderStride, costStride, outputStride;
	u64 position;             // in the order, of the first sample of step 0
	u64 end;                  // in the order, behind the last sample
	u64 firstStep;            // names steps in costs and status
	u32 steps, pollEvery;
	u32 instructions, operandCount, bytecodeCount, constantCount;
	u32 batch, inputs, classes, flags;
	u32 paramCount, arenaCount;
	u32 outputFirst, outputCount; // operands: the outputs, each row-major in turn
};
// The sizes that encode.go and params.go write.
static_assert(sizeof(Operand) == 32 && sizeof(Instr) == 88 && sizeof(Status) == 16 && sizeof(Params) == 328, "layout");

enum : u32 { FLAG_PARAMS_SHARED = 1, FLAG_ARENA_SHARED = 2, FLAG_TILES = 4 };

__device__ __forceinline__ float exp_of(float v) { return expf(v); }
__device__ __forceinline__ double exp_of(double v) { return exp(v); }
__device__ __forceinline__ float tanh_of(float v) { return tanhf(v); }
__device__ __forceinline__ double tanh_of(double v) { return tanh(v); }
template <class T> __device__ __forceinline__ T sigmoid(T v) { return T(1) / (T(1) + exp_of(-v)); }

// take returns n objects of shared memory and moves the mark behind them.
template <class U> __device__ __forceinline__ U *take(u8 *&mark, u64 n) {
	U *p = (U *)mark;
	mark += (n * sizeof(U) + 15) & ~u64(15);
	return p;
}

// evaluate is a form. It and the two below are functions that are called, so
// that the loops around them stay small; the Machine is passed by value, so
// that it stays in registers elsewhere.
template <class T> __device__ NOINLINE T evaluate(u32 form, T u, T w, T value) {
	switch (form) {
	case FORM_SIGMOID: return sigmoid(u);
	case FORM_SIGMOID_ADD: return sigmoid(u + w);
	case FORM_TANH: return tanh_of(u);
	case FORM_TANH_ADD: return tanh_of(u + w);
	case FORM_SIGMOID_OUT: return (u - w) * u * (T(1) - u) * value;
	case FORM_TANH_OUT: return (u - w) * (T(1) - u * u) * value;
	case FORM_SIGMOID_BACK: return u * w * (T(1) - w);
	default: return u * (T(1) - w * w); // FORM_TANH_BACK
	}
}

template <class T> struct Machine;

// load_other is load of what is not in memory as it is seen.
template <class T> __device__ NOINLINE T load_other(Machine<T> m, const Operand &o, u32 i, u32 j);

// interpret is the value of an instruction's bytecode.
template <class T> __device__ NOINLINE T interpret(Machine<T> m, const Instr &in, u32 i, u32 j, T self);

// Machine is what a thread knows of the run. Threads of a block differ in
// worker only.
template <class T> struct Machine {
	const Params *p;
	const Instr *code;
	const Operand *operand;
	const u32 *bytecode;
	const double *constant;
	const T *table;
	T *param, *update, *arena, *costs;
	const i32 *order;
	u32 *control; // barrier, bad, halt, halt
	u64 position; // of row 0 of the mini-batch
	u64 step;
	T rate;
	T poison;              // 0, or NaN once something was not finite
	u32 worker, workers;   // this thread of all that run the program

	// setup copies the program into shared memory and returns the first byte
	// behind it. Replica r uses the r-th part of what each has its own of.
	__device__ u8 *setup(const Params *params, u8 *mark, u32 r, u32 thread, u32 threads) {
		p = params;
		control = take<u32>(mark, 4);
		code = copy(take<Instr>(mark, p->instructions), p->code, p->instructions, thread, threads);
		operand = copy(take<Operand>(mark, p->operandCount), p->operands, p->operandCount, thread, threads);
		constant = copy(take<double>(mark, p->constantCount), p->constants, p->constantCount, thread, threads);
		bytecode = copy(take<u32>(mark, p->bytecodeCount), p->bytecode, p->bytecodeCount, thread, threads);
		table = copy(take<T>(mark, 256), (const T *)p->table, 256, thread, threads);
		param = (T *)p->params + r * p->paramStride;
		update = p->update ? (T *)p->update + r * p->paramStride : param;
		arena = (T *)p->arena + r * p->arenaStride;
		costs = p->costs ? (T *)p->costs + r * p->costStride : 0;
		order = p->order ? p->order + r * p->orderStride : 0;
		rate = T(p->rates ? p->rates[r] : 0);
		poison = 0;
		step = p->firstStep;
		position = p->position;
		return mark;
	}

	template <class U> __device__ static const U *copy(U *to, const U *from, u32 n, u32 thread, u32 threads) {
		const u32 *source = (const u32 *)from;
		u32 *target = (u32 *)to;
		for (u32 i = thread; i < n * (sizeof(U) / 4); i += threads)
			target[i] = source[i];
		return to;
	}

	// sample is the sample in row i of the mini-batch. Rows behind the end
	// repeat the last one.
	__device__ __forceinline__ u32 sample(u32 i) const {
		u64 at = position + i;
		if (at >= p->end)
			at = p->end - 1;
		return order ? u32(order[at]) : u32(at);
	}

	// x is pixel j of row i; y is target j of row i.
	__device__ __forceinline__ T x(u32 i, u32 j) const {
		u64 at = u64(sample(i)) * p->inputs + j;
		return p->pixels ? table[p->pixels[at]] : ((const T *)p->values)[at];
	}
	__device__ __forceinline__ T y(u32 i, u32 j) const {
		return yOf(sample(i), j);
	}
	__device__ __forceinline__ T yOf(u32 s, u32 j) const {
		return p->labels ? T(p->labels[s] == j) : ((const T *)p->targets)[u64(s) * p->classes + j];
	}

	// entry is non-zero number k of all rows: its index and value.
	__device__ __forceinline__ void entry(u32 k, u32 &index, T &value) const {
		index = p->rowIndex[k];
		value = p->rowPixel ? table[p->rowPixel[k]] : ((const T *)p->rowValue)[k];
	}

	__device__ __forceinline__ T *base(u32 space) const {
		return space == SPACE_PARAM ? param : arena;
	}
	__device__ static __forceinline__ bool direct(const Operand &o) { return o.space <= SPACE_ARENA && o.cols == 0; }
	// place is where element (i,j) of an operand in memory is.
	__device__ static __forceinline__ i32 place(const Operand &o, u32 i, u32 j) {
		i32 v = i32(i) * o.rs + i32(j) * o.cs;
		return o.cols == 0 ? v : v / i32(o.cols) * o.prs + v % i32(o.cols) * o.pcs;
	}

	// at is element (i,j) of a direct operand.
	__device__ __forceinline__ T &at(const Operand &o, u32 i, u32 j) const {
		return base(o.space)[o.offset + i32(i) * o.rs + i32(j) * o.cs];
	}

	// load is element (i,j) of an operand; self stands for the value at hand.
	__device__ __forceinline__ T load(const Operand &o, u32 i, u32 j, T self) const {
		if (direct(o))
			return at(o, i, j);
		if (o.space == SPACE_SELF)
			return self;
		if (o.space == SPACE_ONE)
			return T(1);
		return load_other<T>(*this, o, i, j);
	}

	// expression is the element-wise expression of an instruction at (i,j).
	__device__ __forceinline__ T expression(const Instr &in, u32 i, u32 j, T self) const {
		if (in.form == FORM_CODE)
			return interpret<T>(*this, in, i, j, self);
		T u = load(operand[in.arg], i, j, self), w = 0;
		if (in.args > 1)
			w = load(operand[in.arg + 1], i, j, self);
		return evaluate<T>(in.form, u, w, T(in.value));
	}

	// put is sink for SINK_STORE and SINK_UPDATE.
	__device__ __forceinline__ void put(const Instr &in, u32 plane, u32 i, u32 j, T v) {
		const Operand &o = operand[in.dst];
		u32 at = o.offset + plane + i32(i) * o.rs + i32(j) * o.cs; // a result is direct
		if (in.sink == SINK_UPDATE)
			change(update[at], rate * v);
		else
			base(o.space)[at] = v;
	}

	// sink takes value v(i,j) of an instruction; plane is where this part of a
	// split sum begins.
	__device__ __forceinline__ void sink(const Instr &in, u32 plane, u32 i, u32 j, T v) {
		if (in.sink == SINK_COST) {
			poison += v * T(0);
			if (costs)
				costs[step] = v;
			return;
		}
		if (in.sink == SINK_MAP) {
			if (in.raw != NONE)
				at(operand[in.raw], i, j) = v;
			v = expression(in, i, j, v);
		}
		put(in, plane, i, j, v);
		for (u32 c = 1; c <= in.chained; c++)
			put((&in)[c], 0, i, j, expression((&in)[c], i, j, v));
	}

	// fill: OP_FILL, OP_COPY: a thread a value.
	__device__ void fill(const Instr &in, u32 worker, u32 workers) {
		u32 n = in.rows * in.cols;
		for (u32 e = worker; e < n; e += workers) {
			u32 i = e / in.cols, j = e - i * in.cols;
			T v = in.op == OP_FILL ? T(in.value) : in.a == NONE ? T(0) : load(operand[in.a], i, j, T(0));
			sink(in, 0, i, j, v);
		}
	}

	// dot: OP_DOT, OP_FINISH: in.lanes lanes a value. All lanes of a warp stay
	// together, as the shuffles want it.
	__device__ void dot(const Instr &in, u32 worker, u32 workers) {
		const u32 lane = worker & 31, lanes = in.lanes, group = 32 / lanes, sub = lane & (lanes - 1);
		const u32 n = in.rows * in.cols, units = in.op == OP_DOT ? n * in.splits : n;
		for (u32 first = worker / 32 * group; first < units; first += workers / 32 * group) {
			u32 unit = first + lane / lanes;
			bool valid = unit < units;
			u32 s = valid ? unit / n : 0, e = valid ? unit - s * n : 0;
			u32 i = e / in.cols, j = e - i * in.cols;
			T sum = 0;
			const Operand &a = operand[in.a];
			if (in.op == OP_FINISH) {
				const T *part = base(a.space) + a.offset + e;
				for (u32 k = sub; k < in.splits; k += lanes)
					sum += part[u64(k) * n];
			} else {
				const Operand &b = operand[in.b];
				u32 k = s * in.chunk + sub, last = s * in.chunk + in.chunk;
				if (last > in.inner)
					last = in.inner;
				if (direct(a) && direct(b)) {
					const T *u = base(a.space) + a.offset + i32(i) * a.rs;
					const T *w = base(b.space) + b.offset + i32(j) * b.cs;
					const i32 us = a.cs, ws = b.rs;
#pragma unroll 4
					for (; k < last; k += lanes)
						sum += u[i32(k) * us] * w[i32(k) * ws];
				} else {
					for (; k < last; k += lanes)
						sum += load(a, i, k, T(0)) * load(b, k, j, T(0));
				}
			}
			for (u32 d = lanes / 2; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if (valid && sub == 0)
				sink(in, s * n, i, j, sum);
		}
	}

	// rows: OP_ROWS: a warp a row of x, or in.splits warps: warp s takes
	// entries s, s + splits, … A lane holds up to 4 columns at a time.
	__device__ void rows(const Instr &in, u32 worker, u32 workers) {
		for (u32 unit = worker / 32; unit < in.rows * in.splits; unit += workers / 32) {
			u32 i = unit / in.splits, s = unit - i * in.splits;
			for (u32 left = 0; left < in.cols; left += 128) {
				if (in.cols - left > 64)
					row<4>(in, i, s, left, worker & 31);
				else
					row<2>(in, i, s, left, worker & 31);
			}
		}
	}
	template <u32 COLUMNS> __device__ void row(const Instr &in, u32 i, u32 s, u32 left, u32 lane) {
		const Operand &b = operand[in.b];
		const T *w = base(b.space) + b.offset;
		const u32 id = sample(i), end = p->rowStart[id + 1];
		T sum[COLUMNS];
		bool have[COLUMNS];
		for (u32 c = 0; c < COLUMNS; c++) {
			sum[c] = 0;
			have[c] = left + c * 32 + lane < in.cols;
		}
		for (u32 k = p->rowStart[id] + s; k < end; k += 32 * in.splits) {
			u32 index = 0, count = (end - k + in.splits - 1) / in.splits;
			T value = 0;
			if (lane < count)
				entry(k + lane * in.splits, index, value);
#pragma unroll 4
			for (u32 t = 0; t < (count < 32 ? count : 32); t++) {
				const T *r = w + i32(__shfl_sync(WARP_ALL, index, t)) * b.rs;
				T v = __shfl_sync(WARP_ALL, value, t);
				for (u32 c = 0; c < COLUMNS; c++)
					if (have[c])
						sum[c] += v * r[i32(left + c * 32 + lane) * b.cs];
			}
		}
		for (u32 c = 0; c < COLUMNS; c++)
			if (have[c])
				sink(in, s * in.rows * in.cols, i, left + c * 32 + lane, sum[c]);
	}

	// rowsAdd: OP_ROWSADD, by one block: the warps share the entries of a row;
	// between two rows the block waits, as they may share pixels.
	__device__ void rowsAdd(const Instr &in, u32 worker, u32 workers) {
		const Operand &a = operand[in.a], &o = operand[in.dst];
		T *w = update + o.offset;
		const u32 lane = worker & 31, warp = worker / 32, warps = workers / 32;
		for (u32 i = 0; i < in.inner; i++) {
			if (i > 0)
				__syncthreads();
			const u32 id = sample(i), end = p->rowStart[id + 1];
			for (u32 k = p->rowStart[id] + warp; k < end; k += 32 * warps) {
				u32 index = 0, count = (end - k + warps - 1) / warps;
				T value = 0;
				if (lane < count)
					entry(k + lane * warps, index, value);
				for (u32 left = 0; left < in.rows; left += 64) {
					u32 j0 = left + lane, j1 = j0 + 32;
					T d0 = j0 < in.rows ? rate * at(a, i, j0) : T(0);
					T d1 = j1 < in.rows ? rate * at(a, i, j1) : T(0);
#pragma unroll 4
					for (u32 t = 0; t < (count < 32 ? count : 32); t++) {
						T *r = w + i32(__shfl_sync(WARP_ALL, index, t)) * o.cs;
						T v = __shfl_sync(WARP_ALL, value, t);
						if (j0 < in.rows)
							change(r[i32(j0) * o.rs], v * d0);
						if (j1 < in.rows)
							change(r[i32(j1) * o.rs], v * d1);
					}
				}
			}
		}
	}
	__device__ __forceinline__ void change(T &w, T by) {
		T v = w - by;
		w = v;
		poison += v * T(0);
	}

	// pixels: OP_PIXELS: a thread a pixel, TILE rows of the result and a part
	// of the samples.
	__device__ void pixels(const Instr &in, u32 worker, u32 workers) {
		const Operand &a = operand[in.a];
		const u32 tiles = (in.rows + TILE - 1) / TILE, n = in.rows * in.cols;
		for (u32 unit = worker; unit < in.cols * tiles * in.splits; unit += workers) {
			u32 rest = unit / in.cols, j = unit - rest * in.cols;
			u32 s = rest / tiles, top = (rest - s * tiles) * TILE;
			u32 k = s * in.chunk, last = k + in.chunk;
			if (last > in.inner)
				last = in.inner;
			T sum[TILE];
			for (u32 q = 0; q < TILE; q++)
				sum[q] = 0;
			for (; k < last; k++) {
				T v = x(k, j);
				if (v == T(0))
					continue;
				for (u32 q = 0; q < TILE; q++)
					if (top + q < in.rows)
						sum[q] += v * at(a, k, top + q);
			}
			for (u32 q = 0; q < TILE; q++)
				if (top + q < in.rows)
					put(in, s * n, top + q, j, sum[q]);
		}
	}

	// score: OP_SCORE: a thread a sample.
	__device__ void score(const Instr &in, u32 worker, u32 workers) {
		const Operand &a = operand[in.a];
		for (u32 i = worker; i < in.rows && position + i < p->end; i += workers) {
			const u32 id = sample(i);
			u32 best = 0;
			T top = at(a, i, 0);
			double cost = 0;
			for (u32 j = 0; j < in.cols; j++) {
				T v = at(a, i, j);
				if (v > top) {
					top = v;
					best = j;
				}
				if (p->predictions)
					((T *)p->predictions)[u64(id) * in.cols + j] = v;
				if (p->sampleCosts) {
					double d = double(y(i, j)) - double(v);
					cost += d * d;
				}
			}
			if (p->sampleCosts)
				p->sampleCosts[id] = cost / 2;
			if (p->confusion)
				atomicAdd(&p->confusion[u32(p->labels[id]) * in.cols + best], 1u);
		}
	}

	__device__ void execute(const Instr &in) {
		u32 worker = this->worker, workers = in.warp ? 32 : this->workers;
		if (worker >= workers)
			return;
		switch (in.op) {
		case OP_FILL:
		case OP_COPY: fill(in, worker, workers); break;
		case OP_DOT:
		case OP_FINISH: dot(in, worker, workers); break;
		case OP_ROWS: rows(in, worker, workers); break;
		case OP_ROWSADD: rowsAdd(in, worker, workers); break;
		case OP_PIXELS: pixels(in, worker, workers); break;
		case OP_SCORE: score(in, worker, workers); break;
		}
	}

	// note says in the control words that something was not finite.
	__device__ void note() {
		if (poison != T(0)) {
			atomicCAS(&control[1], 0u, u32(step - p->firstStep) + 1);
			poison = 0;
		}
	}

	// once runs the program once.
	template <class Sync> __device__ __forceinline__ void once(Sync sync) {
		for (u32 k = 0; k < p->instructions; k++) {
			const Instr &in = code[k];
			if (in.barrier == BARRIER_ALL && !DROPPED(k))
				sync();
			else if (in.barrier == BARRIER_WARP && worker < 32)
				__syncwarp();
			execute(in);
			k += in.chained;
		}
	}

	// run makes steps first, first + stride, …. sync is a barrier of all threads
	// that run them together. A step begins with one; the end of the run, seen
	// by one thread, is acted on by all a step later, so that it needs no barrier
	// of its own.
	template <class Sync> __device__ void run(Sync sync, Status *status, u32 first, u32 stride) {
		u32 s = first, look = 0;
		position += u64(first) * p->batch;
		for (; s < p->steps; s += stride) {
			sync();
			if (load_system(&control[2 + ((look + 1) & 1)]))
				break;
			if (worker == 0) {
				u32 halt = 0;
				if (p->pollEvery && look % p->pollEvery == 0) {
					halt = load_system(&control[1]) != 0 || (p->stop && load_system(p->stop) != 0);
					if (status)
						store_system(&status->step, s);
				}
				store_system(&control[2 + (look & 1)], halt);
			}
			step = p->firstStep + s;
			once(sync);
			note();
			position += u64(stride) * p->batch;
			look++;
		}
		sync();
		if (worker == 0 && status) {
			store_system(&status->step, s);
			store_system(&status->nonfinite, load_system(&control[1]));
			store_system(&status->stopped, s < p->steps);
		}
	}

	// output copies the program's outputs, each row-major in turn.
	__device__ void output(u32 r) {
		if (!p->outputs)
			return;
		T *to = (T *)p->outputs + r * p->outputStride;
		for (u32 k = 0; k < p->outputCount; k++) {
			const Operand &o = operand[p->outputFirst + k];
			// An output is row-major: rs is its columns, pad its elements.
			for (u32 e = worker; e < o.pad; e += workers)
				to[e] = base(o.space)[o.offset + e];
			to += o.pad;
		}
	}
};

template <class T> __device__ NOINLINE T load_other(Machine<T> m, const Operand &o, u32 i, u32 j) {
	if (o.space <= SPACE_ARENA)
		return m.base(o.space)[o.offset + m.place(o, i, j)];
	u32 v = u32(i32(i) * o.rs + i32(j) * o.cs);
	if (o.space == SPACE_DATA)
		return m.x(v / m.p->inputs, v % m.p->inputs);
	return m.y(v / m.p->classes, v % m.p->classes);
}

template <class T> __device__ NOINLINE T interpret(Machine<T> m, const Instr &in, u32 i, u32 j, T self) {
	T stack[MAX_DEPTH];
	u32 n = 0;
	for (u32 t = 0; t < in.terms; t++) {
		u32 word = m.bytecode[in.code + t], index = word >> 8;
		switch (word & 255) {
		case FN_ARG: stack[n++] = m.load(m.operand[in.arg + index], i, j, self); break;
		case FN_CONST: stack[n++] = T(m.constant[index]); break;
		case FN_ADD: n--; stack[n - 1] += stack[n]; break;
		case FN_SUB: n--; stack[n - 1] -= stack[n]; break;
		case FN_MUL: n--; stack[n - 1] *= stack[n]; break;
		case FN_NEG: stack[n - 1] = -stack[n - 1]; break;
		case FN_SQUARE: stack[n - 1] *= stack[n - 1]; break;
		case FN_SIGMOID: stack[n - 1] = evaluate<T>(FORM_SIGMOID, stack[n - 1], T(0), T(0)); break;
		case FN_TANH: stack[n - 1] = evaluate<T>(FORM_TANH, stack[n - 1], T(0), T(0)); break;
		}
	}
	return stack[0];
}
