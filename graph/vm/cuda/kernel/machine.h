// machine.h: what all kernels share: the layout of a program and of a launch
// in device memory, and the code of each instruction. README.md explains it.
//
// The structs are those of encode.go and params.go, field by field: little
// endian, 8-byte aligned. A kernel has one argument: a Params.
//
// NVRTC or nvcc compiles this source for the GPU; g++ compiles it with
// host/shim.h for tests. It includes no header of the CUDA toolkit.
#pragma once

struct Params;
enum { MAX_THREADS = 512, TABLE = 258, MAX_DEPTH = 16, TILE = 8, SUM_BLOCK = 64 };

#ifdef HOST_SHIM
#include "host/shim.h"
#else
#define WARP_ALL 0xffffffffu
#define NOINLINE __noinline__
extern __shared__ __align__(16) unsigned char dynamic_shared[];
#define SHARED_MEMORY() dynamic_shared
// load_acquire returns *p. Later reads of this thread are not moved before it.
__device__ __forceinline__ unsigned load_acquire(const unsigned *p) {
	unsigned v;
	asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
	return v;
}
// add_release adds v to *p. Earlier writes of this thread, and those that it has
// seen, are not moved behind it.
__device__ __forceinline__ void add_release(unsigned *p, unsigned v) {
	asm volatile("red.release.gpu.add.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}
// load_system and store_system access a word that the host may access at the
// same time.
__device__ __forceinline__ unsigned load_system(const unsigned *p) { return *(const volatile unsigned *)p; }
__device__ __forceinline__ void store_system(unsigned *p, unsigned v) { *(volatile unsigned *)p = v; }
// spin_pause is called in loops that wait for another thread.
__device__ __forceinline__ void spin_pause() {}
// block_barrier is __syncthreads, which each warp may call at another place.
__device__ __forceinline__ void block_barrier() { asm volatile("bar.sync 0;" ::: "memory"); }
// load_word, load_words, store_word and store_words read and write words of 64 bits, each
// of them at once, that other blocks may read and write at the same time.
__device__ __forceinline__ unsigned long long load_word(const unsigned long long *p) {
	unsigned long long v;
	asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(v) : "l"(__cvta_generic_to_global(p)) : "memory");
	return v;
}
__device__ __forceinline__ void load_words(const unsigned long long *p, unsigned long long &a, unsigned long long &b) {
	asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];" : "=l"(a), "=l"(b) : "l"(__cvta_generic_to_global(p)) : "memory");
}
__device__ __forceinline__ void store_word(unsigned long long *p, unsigned long long v) {
	asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(__cvta_generic_to_global(p)), "l"(v) : "memory");
}
__device__ __forceinline__ void store_words(unsigned long long *p, unsigned long long a, unsigned long long b) {
	asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(p)), "l"(a), "l"(b) : "memory");
}
// A word is a value and a step.
__device__ __forceinline__ unsigned long long join_word(float v, unsigned step) {
	unsigned long long w;
	asm("mov.b64 %0, {%1, %2};" : "=l"(w) : "f"(v), "r"(step));
	return w;
}
__device__ __forceinline__ void split_word(unsigned long long w, float &v, unsigned &step) {
	asm("mov.b64 {%0, %1}, %2;" : "=f"(v), "=r"(step) : "l"(w));
}
__device__ __forceinline__ unsigned float_bits(float v) { return __float_as_uint(v); }
__device__ __forceinline__ float bits_float(unsigned v) { return __uint_as_float(v); }
// KERNEL defines the entry point NAME with the body BODY, for blocks of at most
// THREADS. COOPERATIVE is 1 if its blocks wait for each other; only the shim needs to
// know.
#define KERNEL(NAME, BODY, THREADS, COOPERATIVE) \
	extern "C" __global__ void __launch_bounds__(THREADS, 1) NAME(const __grid_constant__ Params p) { BODY(&p); }
#endif

// A test defines DROPPED(k) to remove the barrier before instruction k.
#ifndef DROPPED
#define DROPPED(k) false
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

// What an instruction computes. v is its value, an in.rows × in.cols matrix; a,
// b and bias are its operands. Sums over k have in.inner terms. OP_DOT,
// OP_FINISH and OP_ROWS start from bias(i,j) if there is one.
enum Op : u32 {
	OP_FILL,    // v(i,j) = value
	OP_COPY,    // v(i,j) = a(i,j)
	OP_DOT,     // v(i,j) = sum_k a(i,k) b(k,j)
	OP_FINISH,  // v(i,j) = sum_s a[s rows cols + i cols + j]: adds the parts of a split sum
	OP_ROWS,    // v(i,j) = sum over the non-zero x(i,k) of x(i,k) b(k,j); b.cs is 1
	OP_ROWSADD, // v(i,j) = a(0,i) x(0,j), added to dst for the non-zero x(0,j) of a single sample; dst.rs is 1
	OP_PIXELS,  // v(i,j) = sum_k a(k,i) x(k,j), TILE rows i at a time
	OP_SCORE,   // compares each row a(i,·) with the sample's label or target
};

// Where the value v goes.
enum Sink : u32 {
	SINK_STORE,  // dst(i,j) = v
	SINK_MAP,    // dst(i,j) = form(v, other operands); raw(i,j) = v if raw is not NONE
	SINK_UPDATE, // dst(i,j) -= rate v
	SINK_ADD,    // dst(i,j) += v
	SINK_COST,   // costs[step] = v
};

// Element-wise expressions. u and w are the operands; c is value, times -rate if
// the instruction is rated. Each form of tanh follows that of the sigmoid.
enum Form : u32 {
	FORM_CODE,         // any expression: interprets the bytecode
	FORM_SIGMOID,      // 1/(1+exp(-u))
	FORM_TANH,         // tanh(u)
	FORM_SIGMOID_OUT,  // (u-w) u (1-u) c               A.64
	FORM_TANH_OUT,     // (u-w) (1-u u) c
	FORM_SIGMOID_BACK, // u w (1-w)                     A.65
	FORM_TANH_BACK,    // u (1-w w)
};

// Terms of the bytecode, as in ir.Fn. A word of bytecode is term | index<<8.
enum Fn : u32 { FN_ARG, FN_CONST, FN_ADD, FN_SUB, FN_MUL, FN_NEG, FN_SQUARE, FN_SIGMOID, FN_TANH };

// Where an operand is: SPACE_PARAM, the parameters; SPACE_ARENA, the
// temporaries; SPACE_DATA and SPACE_TARGET, the mini-batch; SPACE_ONE, the
// constant 1; SPACE_SELF, the value v of the instruction itself.
enum Space : u32 { SPACE_PARAM, SPACE_ARENA, SPACE_DATA, SPACE_TARGET, SPACE_ONE, SPACE_SELF };

// Operand is a matrix. Let v = i rs + j cs. Element (i,j) is at offset + v, or,
// if cols is not 0, at offset + (v / cols) prs + (v % cols) pcs. In SPACE_DATA
// and SPACE_TARGET, v counts the elements of the mini-batch in row-major order.
struct Operand {
	u32 space, offset;
	i32 rs, cs;
	u32 cols;
	i32 prs, pcs;
	u32 pad;
};

// The barrier before an instruction: none, of the first warp, of all threads.
enum { BARRIER_NONE, BARRIER_WARP, BARRIER_ALL };
enum : u32 { NONE = 0xffffffffu }; // no operand

struct Instr {
	u32 op, sink, form, barrier;
	u32 warp; // 1: the first warp executes it alone
	u32 rows, cols, inner;
	u32 lanes;         // OP_DOT, OP_FINISH: lanes that share one value, a power of two
	u32 splits, chunk; // the sum over k has splits parts of chunk terms each
	u32 dst, raw, a, b, bias; // indices of operands
	u32 arg, args;     // first operand of the form or bytecode, and how many
	u32 code, terms;   // first word of the bytecode, and how many
	u32 chained;       // the next chained instructions, all SINK_MAP, are executed with this one, element by element
	u32 rated;         // FORM_…_OUT: 1: times -rate
	double value;      // OP_FILL: the value; FORM_…_OUT: the factor
};

// Status is the progress of a run.
struct Status {
	u32 step;      // steps done in this launch
	u32 nonfinite; // 1 + the first step after which a parameter or the cost was not finite; 0: none
	u32 stopped;   // 1: the run ended before its last step
	u32 pad;
};

// Params is the argument of a launch. Its addresses are in device memory.
// Optional ones may be 0.
struct Params {
	const Instr *code;
	const Operand *operands;
	const u32 *bytecode;
	const double *constants;
	const void *table;        // T[TABLE]: the input for each pixel; then the two targets, of the other classes and of the label's
	void *params;             // T[runs][paramStride]
	void *arena;              // T[runs][arenaStride]: temporaries that are not in shared memory
	const u8 *pixels;         // [samples][inputs]
	const void *values;       // T[samples][inputs]: instead of pixels
	const u32 *rowStart;      // [samples+1]: where the entries of each sample begin
	const u16 *rowIndex;      // [entries]: which pixel; only those with an input that is not zero have an entry
	const u8 *rowPixel;       // [entries]: its value
	const void *rowValue;     // T[entries]: instead of rowPixel
	const u8 *labels;         // [samples]
	const void *targets;      // T[samples][classes]: instead of labels
	const i32 *order;         // [runs][orderStride]: the samples to visit; 0: all, in file order
	const double *rates;      // [runs]
	void *costs;              // T[runs][costStride], by step; optional
	void *predictions;        // T[samples][classes]: from OP_SCORE; optional
	double *tileCosts;        // [steps][(batch+31)/32]: from OP_SCORE: the costs of 32 samples; optional
	u32 *confusion;           // [classes][classes], label then prediction: from OP_SCORE; optional
	Status *status;           // [runs]; optional
	const u32 *stop;          // the host sets it to 1 to end the launch; optional
	u32 *control;             // [CONTROL_WORDS], zero at launch: the grid's control words
	u32 *ended;               // [runs]: a run whose word is not 0 does nothing; set to 1 if it ends before its last step; optional
	u64 paramStride, arenaStride, orderStride, costStride;
	u64 position;             // index in the order of the first sample
	u64 end;                  // index in the order after the last sample
	u64 firstStep;            // number of the first step, in costs
	u32 steps, pollEvery;     // see params.go
	u32 instructions, operandCount, bytecodeCount, constantCount;
	u32 batch, inputs, classes, flags;
	u32 paramCount, arenaCount;
};
// The sizes that encode.go and params.go write.
static_assert(sizeof(Operand) == 32 && sizeof(Instr) == 96 && sizeof(Status) == 16 && sizeof(Params) == 304, "layout");

// The grid's control words: CONTROL_COUNT counts arrivals at its barrier, and is
// alone in a line of the cache. The others, from CONTROL_REST on, are
// Machine::control.
enum : u32 { CONTROL_COUNT = 0, CONTROL_REST = 32, CONTROL_WORDS = 64 };
// Machine::control: 1 + the first step with a value that is not finite, or 0; two
// words, used in turn, that tell all threads to end.
enum : u32 { NONFINITE = 0, HALT = 1 };

enum : u32 { FLAG_PARAMS_SHARED = 1, FLAG_ARENA_SHARED = 2, FLAG_TILES = 4 };

__device__ __forceinline__ float exp_of(float v) { return expf(v); }
__device__ __forceinline__ double exp_of(double v) { return exp(v); }
__device__ __forceinline__ float tanh_of(float v) { return tanhf(v); }
__device__ __forceinline__ double tanh_of(double v) { return tanh(v); }
template <class T> __device__ __forceinline__ T sigmoid(T v) { return T(1) / (T(1) + exp_of(-v)); }

__device__ __forceinline__ float activate(u32 form, float z) { return form ? tanh_of(z) : sigmoid(z); }
__device__ __forceinline__ float slope(u32 form, float a) { return form ? 1 - a * a : a * (1 - a); }

struct __align__(8) Pair {
	float x, y;
};

// take returns n objects of shared memory at mark, and moves mark past them.
template <class U> __device__ __forceinline__ U *take(u8 *&mark, u64 n) {
	U *p = (U *)mark;
	mark += (n * sizeof(U) + 15) & ~u64(15);
	return p;
}

// evaluate returns the value of a form. It and the next two functions are not
// inlined, which keeps the loops that call them small. The Machine is passed by
// value: a pointer to it would force it out of registers.
template <class T> __device__ NOINLINE T evaluate(u32 form, T u, T w, T c) {
	switch (form) {
	case FORM_SIGMOID: return sigmoid(u);
	case FORM_TANH: return tanh_of(u);
	case FORM_SIGMOID_OUT: return (u - w) * u * (T(1) - u) * c;
	case FORM_TANH_OUT: return (u - w) * (T(1) - u * u) * c;
	case FORM_SIGMOID_BACK: return u * w * (T(1) - w);
	default: return u * (T(1) - w * w); // FORM_TANH_BACK
	}
}

// Sums are N sums of many terms. A thread adds SUM_BLOCK terms to block, one
// after the other, and calls close, which adds the block to all. So a sum of at
// most SUM_BLOCK² terms has the rounding error of 2 SUM_BLOCK additions, not of
// one for each term; the encoder splits longer sums. A sum of one block is the
// same as without Sums.
template <class T, u32 N> struct Sums {
	T block[N], all[N];

	__device__ __forceinline__ Sums() {
#pragma unroll
		for (u32 q = 0; q < N; q++)
			block[q] = all[q] = 0;
	}

	// close ends a block.
	__device__ __forceinline__ void close() {
#pragma unroll
		for (u32 q = 0; q < N; q++) {
			all[q] += block[q];
			block[q] = 0;
		}
	}

	// total returns sum q. The last block need not be closed.
	__device__ __forceinline__ T total(u32 q) const { return all[q] + block[q]; }

	// addTerms calls add(k) for k = first, first + stride, … below last, which
	// adds a term to block, and closes the blocks.
	template <class Add> __device__ __forceinline__ void addTerms(u32 first, u32 last, u32 stride, Add add) {
		for (u32 k = first; k < last; close()) {
			const u32 end = last - k > SUM_BLOCK * stride ? k + SUM_BLOCK * stride : last;
#pragma unroll 4
			for (; k < end; k += stride)
				add(k);
		}
	}
};

template <class T> struct Machine;

// load_other is Machine::load for operands that are not direct.
template <class T> __device__ NOINLINE T load_other(Machine<T> m, const Operand &o, u32 i, u32 j);

// interpret returns the value of an instruction's bytecode at (i,j).
template <class T> __device__ NOINLINE T interpret(Machine<T> m, const Instr &in, u32 i, u32 j, T self);

// Machine is the state of one thread. Within a block, only worker differs.
template <class T> struct Machine {
	const Params *p;
	const Instr *code;
	const Operand *operand;
	const u32 *bytecode;
	const double *constant;
	const T *table;
	T *param, *arena, *costs;
	const i32 *order;
	u32 *control;          // NONFINITE, HALT
	u64 position;          // index in the order of row 0 of the mini-batch
	u64 step;
	T rate;
	T poison;              // 0; NaN once a value was not finite
	u32 worker, workers;   // this thread's number, of all threads that execute the program together

	// over reports whether run r ended in an earlier launch of the pass.
	__device__ static bool over(const Params *p, u32 r) { return p->ended && p->ended[r] != 0; }

	// setup copies the program into shared memory and returns the first byte
	// after it. r is the number of the run.
	__device__ u8 *setup(const Params *params, u8 *mark, u32 r, u32 thread, u32 threads) {
		p = params;
		control = take<u32>(mark, 4);
		code = copy(take<Instr>(mark, p->instructions), p->code, p->instructions, thread, threads);
		operand = copy(take<Operand>(mark, p->operandCount), p->operands, p->operandCount, thread, threads);
		constant = copy(take<double>(mark, p->constantCount), p->constants, p->constantCount, thread, threads);
		bytecode = copy(take<u32>(mark, p->bytecodeCount), p->bytecode, p->bytecodeCount, thread, threads);
		table = copy(take<T>(mark, TABLE), (const T *)p->table, TABLE, thread, threads);
		param = (T *)p->params + r * p->paramStride;
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

	// sample returns the sample in row i of the mini-batch. Rows after the end
	// of the pass repeat its last sample.
	__device__ __forceinline__ u32 sample(u32 i) const {
		u64 at = position + i;
		if (at >= p->end)
			at = p->end - 1;
		return order ? u32(order[at]) : u32(at);
	}

	// x returns pixel j of row i, y its target j; yOf takes the sample's number.
	__device__ __forceinline__ T x(u32 i, u32 j) const {
		u64 at = u64(sample(i)) * p->inputs + j;
		return p->pixels ? table[p->pixels[at]] : ((const T *)p->values)[at];
	}
	__device__ __forceinline__ T y(u32 i, u32 j) const {
		return yOf(sample(i), j);
	}
	__device__ __forceinline__ T yOf(u32 s, u32 j) const {
		return p->labels ? table[256 + (p->labels[s] == j)] : ((const T *)p->targets)[u64(s) * p->classes + j];
	}

	// entry reads entry k of the sparse rows: the pixel's index and its value.
	__device__ __forceinline__ void entry(u32 k, u32 &index, T &value) const {
		index = p->rowIndex[k];
		value = p->rowPixel ? table[p->rowPixel[k]] : ((const T *)p->rowValue)[k];
	}

	__device__ __forceinline__ T *base(u32 space) const {
		return space == SPACE_PARAM ? param : arena;
	}
	__device__ static __forceinline__ bool direct(const Operand &o) { return o.space <= SPACE_ARENA && o.cols == 0; }
	// place returns the index, from the operand's offset, of element (i,j).
	__device__ static __forceinline__ i32 place(const Operand &o, u32 i, u32 j) {
		i32 v = i32(i) * o.rs + i32(j) * o.cs;
		return o.cols == 0 ? v : v / i32(o.cols) * o.prs + v % i32(o.cols) * o.pcs;
	}

	// at returns element (i,j) of a direct operand.
	__device__ __forceinline__ T &at(const Operand &o, u32 i, u32 j) const {
		return base(o.space)[o.offset + i32(i) * o.rs + i32(j) * o.cs];
	}

	// load returns element (i,j) of an operand; self is the value of SPACE_SELF.
	__device__ __forceinline__ T load(const Operand &o, u32 i, u32 j, T self) const {
		if (direct(o))
			return at(o, i, j);
		if (o.space == SPACE_SELF)
			return self;
		if (o.space == SPACE_ONE)
			return T(1);
		return load_other<T>(*this, o, i, j);
	}

	// expression returns the value of an instruction's form at (i,j).
	__device__ __forceinline__ T expression(const Instr &in, u32 i, u32 j, T self) const {
		if (in.form == FORM_CODE)
			return interpret<T>(*this, in, i, j, self);
		T u = load(operand[in.arg], i, j, self), w = 0;
		if (in.args > 1)
			w = load(operand[in.arg + 1], i, j, self);
		T c = T(in.value);
		return evaluate<T>(in.form, u, w, in.rated ? -rate * c : c);
	}

	// add adds v to the parameter w.
	__device__ __forceinline__ void add(T &w, T v) {
		T sum = w + v;
		w = sum;
		poison += sum * T(0);
	}
	// factor returns what SINK_UPDATE and SINK_ADD multiply by.
	__device__ __forceinline__ T factor(const Instr &in) const { return in.sink == SINK_UPDATE ? -rate : T(1); }

	// put writes v to dst(i,j), or updates it.
	__device__ __forceinline__ void put(const Instr &in, u32 plane, u32 i, u32 j, T v) {
		const Operand &o = operand[in.dst];
		T &to = base(o.space)[o.offset + plane + i32(i) * o.rs + i32(j) * o.cs]; // dst is always direct
		if (in.sink == SINK_UPDATE || in.sink == SINK_ADD)
			add(to, factor(in) * v);
		else
			to = v;
	}

	// sink does what in.sink says with the value v at (i,j). plane is the offset
	// of this part of a split sum.
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

	// fill executes OP_FILL and OP_COPY: one thread for each value.
	__device__ void fill(const Instr &in, u32 worker, u32 workers) {
		u32 n = in.rows * in.cols;
		for (u32 e = worker; e < n; e += workers) {
			u32 i = e / in.cols, j = e - i * in.cols;
			T v = in.op == OP_FILL ? T(in.value) : in.a == NONE ? T(0) : load(operand[in.a], i, j, T(0));
			sink(in, 0, i, j, v);
		}
	}

	// dot executes OP_DOT and OP_FINISH: in.lanes lanes for each value. The loop
	// is the same for all lanes of a warp, because the shuffles need all of them.
	__device__ void dot(const Instr &in, u32 worker, u32 workers) {
		const u32 lane = worker & 31, lanes = in.lanes, group = 32 / lanes, sub = lane & (lanes - 1);
		const u32 n = in.rows * in.cols, units = in.op == OP_DOT ? n * in.splits : n;
		for (u32 first = worker / 32 * group; first < units; first += workers / 32 * group) {
			u32 unit = first + lane / lanes;
			bool valid = unit < units;
			u32 s = valid ? unit / n : 0, e = valid ? unit - s * n : 0;
			u32 i = e / in.cols, j = e - i * in.cols;
			Sums<T, 1> terms;
			if (in.bias != NONE && sub == 0)
				terms.block[0] = load(operand[in.bias], i, j, T(0));
			const Operand &a = operand[in.a];
			if (in.op == OP_FINISH) {
				const T *part = base(a.space) + a.offset + e;
				terms.addTerms(sub, in.splits, lanes, [&](u32 k) { terms.block[0] += part[u64(k) * n]; });
			} else {
				const Operand &b = operand[in.b];
				const u32 first = s * in.chunk + sub;
				u32 last = s * in.chunk + in.chunk;
				if (last > in.inner)
					last = in.inner;
				if (direct(a) && direct(b)) {
					const T *u = base(a.space) + a.offset + i32(i) * a.rs;
					const T *w = base(b.space) + b.offset + i32(j) * b.cs;
					const i32 us = a.cs, ws = b.rs;
					terms.addTerms(first, last, lanes, [&](u32 k) { terms.block[0] += u[i32(k) * us] * w[i32(k) * ws]; });
				} else {
					terms.addTerms(first, last, lanes, [&](u32 k) { terms.block[0] += load(a, i, k, T(0)) * load(b, k, j, T(0)); });
				}
			}
			T sum = terms.total(0);
			for (u32 d = lanes / 2; d > 0; d /= 2)
				sum += __shfl_xor_sync(WARP_ALL, sum, d);
			if (valid && sub == 0)
				sink(in, s * n, i, j, sum);
		}
	}

	// rows executes OP_ROWS: in.splits warps for each row of x. Warp s adds up
	// entries s, s + splits, s + 2 splits, … A lane has up to 4 columns.
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
		enum { LOADS = 16 / sizeof(T) };
		const Operand &b = operand[in.b];
		const T *w = base(b.space) + b.offset;
		const u32 id = sample(i), end = p->rowStart[id + 1];
		Sums<T, COLUMNS> sum;
		bool active[COLUMNS];
		for (u32 c = 0; c < COLUMNS; c++) {
			u32 j = left + c * 32 + lane;
			active[c] = j < in.cols;
			if (in.bias != NONE && active[c])
				sum.block[c] = load(operand[in.bias], i, j, T(0));
		}
		u32 round = 0;
		for (u32 k = p->rowStart[id] + s; k < end; k += 32 * in.splits) {
			u32 index = 0, count = (end - k + in.splits - 1) / in.splits;
			T value = 0;
			if (lane < count)
				entry(k + lane * in.splits, index, value);
			const u32 entries = count < 32 ? count : 32;
			for (u32 t = 0; t < entries; t += LOADS) {
				// All loads, then the products: a load takes much longer than they. Behind the
				// last entry they repeat the first, and there are no products.
				T v[LOADS], u[LOADS][COLUMNS];
#pragma unroll
				for (u32 q = 0; q < LOADS; q++) {
					const u32 at = t + q < entries ? t + q : 0;
					const T *r = w + i32(__shfl_sync(WARP_ALL, index, at)) * b.rs;
					v[q] = __shfl_sync(WARP_ALL, value, at);
#pragma unroll
					for (u32 c = 0; c < COLUMNS; c++)
						u[q][c] = active[c] ? r[left + c * 32 + lane] : T(0);
				}
#pragma unroll
				for (u32 q = 0; q < LOADS; q++)
					if (t + q < entries) {
#pragma unroll
						for (u32 c = 0; c < COLUMNS; c++)
							sum.block[c] += v[q] * u[q][c];
					}
			}
			if (++round % (SUM_BLOCK / 32) == 0)
				sum.close();
		}
		for (u32 c = 0; c < COLUMNS; c++)
			if (active[c])
				sink(in, s * in.rows * in.cols, i, left + c * 32 + lane, sum.total(c));
	}

	// rowsAdd executes OP_ROWSADD: the warps share the entries of the sample.
	__device__ void rowsAdd(const Instr &in, u32 worker, u32 workers) {
		const Operand &a = operand[in.a], &o = operand[in.dst];
		T *w = param + o.offset;
		const T scale = factor(in);
		const u32 lane = worker & 31, warp = worker / 32, warps = workers / 32;
		const u32 id = sample(0), end = p->rowStart[id + 1];
		for (u32 k = p->rowStart[id] + warp; k < end; k += 32 * warps) {
			u32 index = 0, count = (end - k + warps - 1) / warps;
			T value = 0;
			if (lane < count)
				entry(k + lane * warps, index, value);
			for (u32 left = 0; left < in.rows; left += 64) {
				u32 j0 = left + lane, j1 = j0 + 32;
				T d0 = j0 < in.rows ? scale * at(a, 0, j0) : T(0);
				T d1 = j1 < in.rows ? scale * at(a, 0, j1) : T(0);
#pragma unroll 4
				for (u32 t = 0; t < (count < 32 ? count : 32); t++) {
					T *r = w + i32(__shfl_sync(WARP_ALL, index, t)) * o.cs;
					T v = __shfl_sync(WARP_ALL, value, t);
					if (j0 < in.rows)
						add(r[j0], v * d0);
					if (j1 < in.rows)
						add(r[j1], v * d1);
				}
			}
		}
	}

	// pixels executes OP_PIXELS: one thread for each pixel, TILE rows of the
	// result, and part of the samples. It loads some pixels before it uses the
	// first, because a load takes much longer than the products.
	__device__ void pixels(const Instr &in, u32 worker, u32 workers) {
		enum { LOADS = 16 / sizeof(T) };
		const Operand &a = operand[in.a];
		const u32 tiles = (in.rows + TILE - 1) / TILE, n = in.rows * in.cols;
		for (u32 unit = worker; unit < in.cols * tiles * in.splits; unit += workers) {
			u32 rest = unit / in.cols, j = unit - rest * in.cols;
			u32 s = rest / tiles, top = (rest - s * tiles) * TILE;
			u32 k = s * in.chunk, last = k + in.chunk;
			if (last > in.inner)
				last = in.inner;
			Sums<T, TILE> sum;
			for (; k < last; sum.close()) {
				const u32 end = last - k > SUM_BLOCK ? k + SUM_BLOCK : last;
				for (; k < end; k += LOADS) {
					T v[LOADS];
#pragma unroll
					for (u32 u = 0; u < LOADS; u++)
						v[u] = k + u < end ? x(k + u, j) : T(0);
#pragma unroll
					for (u32 u = 0; u < LOADS; u++) {
						if (v[u] == T(0))
							continue;
#pragma unroll
						for (u32 q = 0; q < TILE; q++)
							if (top + q < in.rows)
								sum.block[q] += v[u] * at(a, k + u, top + q);
					}
				}
			}
#pragma unroll
			for (u32 q = 0; q < TILE; q++)
				if (top + q < in.rows)
					put(in, s * n, top + q, j, sum.total(q));
		}
	}

	// score executes OP_SCORE: one thread for each sample. A warp adds up the
	// costs of its 32 samples.
	__device__ void score(const Instr &in, u32 worker, u32 workers) {
		const Operand &a = operand[in.a];
		const u32 lane = worker & 31;
		for (u32 first = worker - lane; first < in.rows; first += workers) {
			const u32 i = first + lane;
			double cost = 0;
			if (i < in.rows && position + i < p->end) {
				const u32 id = sample(i);
				u32 best = 0;
				T top = at(a, i, 0);
				for (u32 j = 0; j < in.cols; j++) {
					T v = at(a, i, j);
					if (v > top) {
						top = v;
						best = j;
					}
					if (p->predictions)
						((T *)p->predictions)[u64(id) * in.cols + j] = v;
					if (p->tileCosts) {
						double d = double(y(i, j)) - double(v);
						cost += d * d;
					}
				}
				if (p->confusion)
					atomicAdd(&p->confusion[u32(p->labels[id]) * in.cols + best], 1u);
			}
			if (!p->tileCosts)
				continue;
			for (u32 d = 16; d > 0; d /= 2)
				cost += __shfl_xor_sync(WARP_ALL, cost, d);
			if (lane == 0)
				p->tileCosts[step * ((in.rows + 31) / 32) + first / 32] = cost / 2;
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

	// reportNonFinite writes the step to the control words if a value was not
	// finite. The first step wins.
	__device__ void reportNonFinite() {
		if (poison != T(0)) {
			atomicCAS(&control[NONFINITE], 0u, u32(step - p->firstStep) + 1);
			poison = 0;
		}
	}

	// executeAll executes the program once.
	template <class Sync> __device__ __forceinline__ void executeAll(Sync sync) {
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

	// loop executes steps first, first + stride, first + 2 stride, … of run r.
	// sync() is a barrier of all threads that execute them together; sync.read(w)
	// is one too, and returns the word *w after it. Each step begins with a
	// barrier. Thread 0 decides in one step whether to end; all threads read its
	// decision in the next step, so that needs no barrier of its own.
	template <class Sync> __device__ void loop(Sync sync, Status *status, u32 r, u32 first, u32 stride) {
		u32 s = first, n = 0; // n: steps that this thread has executed
		position += u64(first) * p->batch;
		for (; s < p->steps; s += stride) {
			if (sync.read(&control[HALT + ((n + 1) & 1)]))
				break;
			if (worker == 0) {
				u32 halt = 0;
				if (p->pollEvery && n % p->pollEvery == 0) {
					halt = load_system(&control[NONFINITE]) != 0 || (p->stop && load_system(p->stop) != 0);
					if (status)
						store_system(&status->step, s);
				}
				store_system(&control[HALT + (n & 1)], halt);
			}
			step = p->firstStep + s;
			executeAll(sync);
			reportNonFinite();
			position += u64(stride) * p->batch;
			n++;
		}
		sync();
		if (worker == 0)
			report(status, r, s);
	}

	// report writes the end of run r after s steps.
	__device__ void report(Status *status, u32 r, u32 s) const {
		const u32 nonfinite = load_system(&control[NONFINITE]), stopped = s < p->steps;
		if (status) {
			store_system(&status->step, s);
			store_system(&status->nonfinite, nonfinite);
			store_system(&status->stopped, stopped);
		}
		if (p->ended && (nonfinite || stopped))
			p->ended[r] = 1;
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
		case FN_SIGMOID: stack[n - 1] = evaluate<T>(FORM_SIGMOID, stack[n - 1], 0, 0); break;
		case FN_TANH: stack[n - 1] = evaluate<T>(FORM_TANH, stack[n - 1], 0, 0); break;
		}
	}
	return stack[0];
}

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
