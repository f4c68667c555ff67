// shim.h: the part of CUDA that the kernels use, on the CPU, so that g++ can
// compile them: threads, barriers, warp shuffles, atomics and dynamic shared
// memory.
//
// A CUDA thread is a fiber: it has its own stack and gives way at barriers, so
// blocks of 512 threads are cheap. With -DHOST_THREADS it is a std::thread, for
// the thread sanitizer and small blocks. Blocks run one after the other, but the
// blocks of a cooperative kernel run all at once.
//
// With -DINTERLEAVE=SEED and -fsanitize-coverage=trace-pc a fiber also gives way
// between barriers: at any basic block, at random, and the order of the fibers is
// random. So a kernel whose result depends on that order gives a wrong one.
//
// Shuffles are for whole warps. The process ends with a message if the mask of a
// shuffle has not all lanes, or if lanes of a warp are in different shuffles.
//
// Shared memory is NaN at first. With fibers, the process ends with a message
// if not all threads of a block or warp reach a barrier, or if threads wait
// forever.
//
// For a kernel NAME the library exports
//	void NAME_host(void **params, unsigned gridX, unsigned blockX, unsigned sharedBytes);
// params[0] points to the kernel's argument, as for cuLaunchKernel. The number
// NAME_argument_bytes is its size.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>
#ifdef HOST_THREADS
#include <barrier>
#include <thread>
#else
#include <csetjmp>
#include <sys/mman.h>
#include <ucontext.h>
#endif

#define __global__
#define __device__
#define __forceinline__ inline
#define __align__(n) alignas(n)
#define NOINLINE __attribute__((noinline))
#ifndef WARP_ALL // a test defines another one
#define WARP_ALL 0xffffffffu
#endif

namespace host {

struct Dim {
	unsigned x;
};

[[noreturn]] inline void fail(const char *what) {
	fprintf(stderr, "shim: %s\n", what);
	abort();
}

#ifdef HOST_THREADS
struct Barrier {
	explicit Barrier(unsigned n) : b(n) {}
	void wait() { b.arrive_and_wait(); }
	std::barrier<> b;
};
#else
struct Barrier {
	explicit Barrier(unsigned n) : want(n) {}
	void wait();
	unsigned want, arrived = 0, generation = 0;
};
#endif

struct Warp {
	explicit Warp(unsigned lanes) : barrier(lanes) {}
	Barrier barrier;
	// The values of a shuffle. Two shuffles in turn use both rows, so a lane may
	// write its next value while others still read.
	unsigned long long slot[2][32] = {};
	// What each lane does, to find those that do different things.
	unsigned kind[2][32] = {}, mask[2][32] = {};
	unsigned char turn[32] = {};
};

struct Block {
	Block(unsigned threads, unsigned bytes) : barrier(threads) {
		for (unsigned i = 0; i < threads; i += 32)
			warps.push_back(std::make_unique<Warp>(threads - i < 32 ? threads - i : 32));
		shared = (unsigned char *)aligned_alloc(256, (bytes + 511) & ~255u);
		memset(shared, 0xff, (bytes + 511) & ~255u);
	}
	~Block() { free(shared); }
	Barrier barrier;
	std::vector<std::unique_ptr<Warp>> warps;
	unsigned char *shared;
};

} // namespace host

inline thread_local host::Dim threadIdx, blockIdx;
inline host::Dim blockDim, gridDim;
namespace host {
inline thread_local Block *block;

#ifdef HOST_THREADS
inline void pause() { std::this_thread::yield(); }

// runBlocks runs body in every thread of blocks first to last - 1, all at the
// same time.
template <class F> void runBlocks(unsigned first, unsigned last, unsigned threads, unsigned bytes, F body) {
	std::vector<std::unique_ptr<Block>> blocks;
	std::vector<std::thread> all;
	for (unsigned b = first; b < last; b++)
		blocks.push_back(std::make_unique<Block>(threads, bytes));
	for (unsigned b = first; b < last; b++)
		for (unsigned t = 0; t < threads; t++)
			all.emplace_back([&, b, t] {
				threadIdx.x = t;
				blockIdx.x = b;
				block = blocks[b - first].get();
				body();
			});
	for (auto &t : all)
		t.join();
}
#else
struct Fiber {
	unsigned block = 0, thread = 0;
	bool started = false, done = false, pausing = false;
	unsigned inside = 1; // it is in a function of this file: INTERLEAVE leaves it alone
	const Barrier *at = nullptr; // the barrier that it waits at,
	unsigned generation = 0;     // until the barrier's generation differs
	jmp_buf state;
	ucontext_t context;
};
inline Fiber *running; // nullptr: the scheduler runs
#ifdef INTERLEAVE
constexpr unsigned interleaveEvery = 16; // basic blocks, on average
// random returns a number below n. Its seed makes a run the same each time.
inline unsigned random(unsigned n) {
	static unsigned long long state = INTERLEAVE;
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return unsigned(state >> 33) % n;
}
#endif
inline jmp_buf scheduler;
inline void (*entry)(void *);
inline void *entryBody;
constexpr size_t stackBytes = 64 << 10;

// Inside marks the time that the fiber is in a function of this file.
struct Inside {
	Inside() { running->inside++; }
	~Inside() { running->inside--; }
};

// yield gives the CPU back to the scheduler.
inline void yield() {
	if (!_setjmp(running->state))
		_longjmp(scheduler, 1);
}
inline void pause() {
	Inside here;
	running->pausing = true;
	yield();
}
inline void Barrier::wait() {
	Inside here;
	if (++arrived == want) {
		arrived = 0;
		generation++;
		return;
	}
	running->at = this;
	running->generation = generation;
	yield();
}
[[noreturn]] inline void start() {
	running->inside = 0;
	entry(entryBody);
	running->inside = 1;
	running->done = true;
	_longjmp(scheduler, 1);
}

// resume runs f until it waits, pauses or ends. It is a separate function, so
// that no variable of the caller is live across the jump.
__attribute__((noinline)) inline void resume(Fiber &f, char *stack) {
	f.at = nullptr;
	f.pausing = false;
	running = &f;
	if (_setjmp(scheduler)) {
		running = nullptr;
		return;
	}
	if (f.started)
		_longjmp(f.state, 1);
	f.started = true;
	getcontext(&f.context);
	f.context.uc_stack.ss_sp = stack;
	// Stacks that are a power of two apart share few lines of the cache.
	f.context.uc_stack.ss_size = stackBytes - f.thread % 61 * 256;
	f.context.uc_link = nullptr;
	makecontext(&f.context, start, 0);
	setcontext(&f.context);
}

// runBlocks runs body in every thread of blocks first to last - 1, all at the
// same time.
template <class F> void runBlocks(unsigned first, unsigned last, unsigned threads, unsigned bytes, F body) {
	std::vector<std::unique_ptr<Block>> blocks;
	std::vector<Fiber> fibers((last - first) * threads);
	size_t size = fibers.size() * stackBytes;
	char *stacks = (char *)mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		fail("no memory for the stacks of the threads");
	entry = [](void *b) { (*(F *)b)(); };
	entryBody = &body;
	for (unsigned b = first; b < last; b++)
		blocks.push_back(std::make_unique<Block>(threads, bytes));
	for (size_t i = 0; i < fibers.size(); i++) {
		fibers[i].block = first + i / threads;
		fibers[i].thread = i % threads;
	}
	unsigned idle = 0;
	for (size_t left = fibers.size(); left > 0;) {
		size_t resumed = 0, paused = 0;
#ifdef INTERLEAVE
		const size_t from = random(fibers.size()), back = random(2);
#endif
		for (size_t k = 0; k < fibers.size(); k++) {
			size_t i = k;
#ifdef INTERLEAVE
			i = (from + (back ? fibers.size() - 1 - k : k)) % fibers.size();
#endif
			Fiber &f = fibers[i];
			if (f.done || (f.at && f.at->generation == f.generation))
				continue;
			threadIdx.x = f.thread;
			blockIdx.x = f.block;
			block = blocks[f.block - first].get();
			resume(f, stacks + i * stackBytes);
			resumed++;
			left -= f.done;
			paused += f.pausing;
		}
		if (left > 0 && resumed == 0)
			fail("a barrier that not all threads reach");
		idle = resumed == paused ? idle + 1 : 0;
		if (left > 0 && idle > 100000)
			fail("threads wait forever");
	}
	munmap(stacks, size);
}
#endif

// launch runs body(argument) as a kernel.
template <class A> void launch(void (*body)(const A *), void **params, unsigned grid, unsigned threads, unsigned bytes, bool cooperative) {
	static std::mutex one;
	std::lock_guard<std::mutex> hold(one);
	if (grid == 0 || threads == 0 || threads % 32 != 0)
		fail("a launch without blocks, or with blocks that are not whole warps");
	const A *argument = (const A *)params[0];
	gridDim.x = grid;
	blockDim.x = threads;
	for (unsigned b = 0; b < grid; b += cooperative ? grid : 1)
		runBlocks(b, cooperative ? grid : b + 1, threads, bytes, [=] { body(argument); });
}

// exchange waits for the other lanes and returns the value of lane from. kind says
// which function it is.
template <class U> U exchange(unsigned kind, unsigned mask, U v, unsigned from) {
#ifndef HOST_THREADS
	Inside here;
#endif
	Warp &w = *block->warps[threadIdx.x / 32];
	const unsigned lane = threadIdx.x % 32, turn = w.turn[lane]++ % 2;
	memcpy(&w.slot[turn][lane], &v, sizeof v);
	w.kind[turn][lane] = kind;
	w.mask[turn][lane] = mask;
	w.barrier.wait();
	if (mask != 0xffffffffu || w.mask[turn][0] != mask)
		fail("a shuffle or a barrier of a warp whose mask has not all lanes");
	if (w.kind[turn][0] != kind)
		fail("lanes of a warp in different shuffles");
	memcpy(&v, &w.slot[turn][from], sizeof v);
	return v;
}

} // namespace host

#ifdef INTERLEAVE
// The compiler calls this in each basic block.
extern "C" __attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {
	host::Fiber *f = host::running;
	if (!f || f->inside)
		return;
	f->inside++;
	if (host::random(host::interleaveEvery) == 0)
		host::yield();
	f->inside--;
}
#endif

inline void __syncthreads() { host::block->barrier.wait(); }
inline void block_barrier() { host::block->barrier.wait(); }
#ifndef NO_SYNCWARP // a test removes it
inline void __syncwarp() { host::exchange(0, WARP_ALL, 0, 0); }
#else
inline void __syncwarp() {}
#endif
template <class U> U __shfl_sync(unsigned mask, U v, unsigned from) { return host::exchange(1, mask, v, from % 32); }
template <class U> U __shfl_xor_sync(unsigned mask, U v, unsigned with) { return host::exchange(2, mask, v, threadIdx.x % 32 ^ with); }
inline unsigned __ballot_sync(unsigned mask, bool v) {
	unsigned all = 0;
	for (unsigned lane = 0; lane < 32; lane++)
		all |= unsigned(host::exchange(3, mask, v, lane)) << lane;
	return all;
}
inline unsigned __popc(unsigned v) { return unsigned(__builtin_popcount(v)); }
inline unsigned atomicMin(unsigned *p, unsigned v) {
	unsigned old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	while (v < old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
	}
	return old;
}
inline unsigned atomicMax(unsigned *p, unsigned v) {
	unsigned old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	while (v > old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
	}
	return old;
}
inline unsigned atomicAdd(unsigned *p, unsigned v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }
inline unsigned atomicCAS(unsigned *p, unsigned old, unsigned v) {
	__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return old;
}
inline unsigned load_acquire(const unsigned *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
inline void add_release(unsigned *p, unsigned v) { __atomic_fetch_add(p, v, __ATOMIC_RELEASE); }
inline unsigned load_system(const unsigned *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
inline void store_system(unsigned *p, unsigned v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
inline unsigned long long load_word(const unsigned long long *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
inline void store_word(unsigned long long *p, unsigned long long v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
inline void load_words(const unsigned long long *p, unsigned long long &a, unsigned long long &b) {
	if ((uintptr_t)p % 16 != 0)
		host::fail("a pair of words that is not aligned");
	a = load_word(p);
	b = load_word(p + 1);
}
inline void store_words(unsigned long long *p, unsigned long long a, unsigned long long b) {
	if ((uintptr_t)p % 16 != 0)
		host::fail("a pair of words that is not aligned");
	store_word(p, a);
	store_word(p + 1, b);
}
inline unsigned float_bits(float v) {
	unsigned u;
	memcpy(&u, &v, sizeof u);
	return u;
}
inline float bits_float(unsigned u) {
	float v;
	memcpy(&v, &u, sizeof v);
	return v;
}
inline unsigned long long join_word(float v, unsigned step) { return (unsigned long long)step << 32 | float_bits(v); }
inline void split_word(unsigned long long w, float &v, unsigned &step) {
	v = bits_float((unsigned)w);
	step = (unsigned)(w >> 32);
}
inline void spin_pause() { host::pause(); }
#define SHARED_MEMORY() host::block->shared

#define KERNEL(NAME, BODY, THREADS, COOPERATIVE) \
	extern "C" { extern const unsigned NAME##_argument_bytes = sizeof(Params); } \
	extern "C" void NAME##_host(void **a, unsigned g, unsigned b, unsigned s) { host::launch<Params>(BODY, a, g, b, s, COOPERATIVE); }
