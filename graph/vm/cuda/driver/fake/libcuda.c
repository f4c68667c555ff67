//go:build ignore

// A CUDA driver without a GPU, for tests. The tests build it as libcuda.so.1;
// the program finds it through LD_LIBRARY_PATH (see package fake).
//
// Device memory is host memory. A kernel is a host function in a shared object
// that CUDA_FAKE_KERNELS names: the kernel NAME is the function
//
//	extern "C" void NAME_host(void **params, unsigned gridX, unsigned blockX, unsigned sharedBytes);
//
// It runs the whole grid and returns. params[0] points to the kernel's only
// argument, of NAME_argument_bytes (const unsigned), by default 8. An address in
// device memory is a pointer.
// sharedBytes is the dynamic shared memory. A launch copies the argument and
// returns; the kernel runs on the thread of its stream, as on a device. Without
// CUDA_FAKE_KERNELS every name is a kernel that does nothing.
//
// NAME_static_shared (const unsigned) is the static shared memory of the kernel,
// by default 0. NAME_max_threads is the most threads of a block, by default 1024.
//
// The settings are environment variables. They are read at each call, so they
// must not change while another thread makes a call.
//
//	CUDA_FAKE_INIT      the result of cuInit (0)
//	CUDA_FAKE_VERSION   the driver's version (13000)
//	CUDA_FAKE_DEVICES   the number of devices (1)
//	CUDA_FAKE_MEMORY    bytes of each device (1 GiB)
//	CUDA_FAKE_ATTRIBUTES
//	                    device attributes by number: "97=101376 16=4"
//	CUDA_FAKE_FAIL      calls that fail, by exported name, and their results:
//	                    "cuMemAlloc_v2=2 kernel=719"; kernel is the execution of
//	                    a kernel. After an error from which a real driver cannot
//	                    recover, every later call returns it too.
//	CUDA_FAKE_JIT_LOG   the compiler's error log if cuModuleLoadDataEx fails
//	CUDA_FAKE_LOG       a file that gets a line for each call
//
// A call returns CUDA_ERROR_INVALID_VALUE (1) where a real driver would: for
// addresses outside of allocations, blocks of more than 1024 threads, and more
// than 48 KiB of dynamic shared memory without cuFuncSetAttribute. It returns
// CUDA_ERROR_INVALID_CONTEXT (201) on a thread without a current context, and 720
// for a cooperative grid that does not fit. To the program, a function that is
// not defined here is missing from the driver.
#define _GNU_SOURCE
#include "../cuda.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *setting(const char *name, const char *otherwise) {
	const char *v = getenv(name);
	return v && *v ? v : otherwise;
}

// in_list finds the value of a key in "key=value key=value".
static int in_list(const char *list, const char *key, long *value) {
	size_t n = strlen(key);
	for (const char *p = list; p && *p; p = strchr(p, ' ')) {
		p += strspn(p, " ");
		if (strncmp(p, key, n) == 0 && p[n] == '=') {
			*value = atol(p + n + 1);
			return 1;
		}
	}
	return 0;
}

static void logf_(const char *format, ...) {
	const char *path = getenv("CUDA_FAKE_LOG");
	if (!path || !*path) {
		return;
	}
	pthread_mutex_lock(&lock);
	FILE *f = fopen(path, "a");
	if (f) {
		va_list a;
		va_start(a, format);
		vfprintf(f, format, a);
		va_end(a);
		fputc('\n', f);
		fclose(f);
	}
	pthread_mutex_unlock(&lock);
}

static volatile int lost; // the result of all calls after a sticky error

static int is_sticky(int code) {
	return code == 214 || code == 700 || code == 702 || (code >= 714 && code <= 719) || code == 710;
}

static CUresult planned(const char *call) {
	if (lost) {
		return lost;
	}
	long code = 0;
	if (in_list(getenv("CUDA_FAKE_FAIL"), call, &code)) {
		if (is_sticky(code)) {
			lost = code;
		}
		return code;
	}
	return 0;
}

#define ENTER(format, ...)                              \
	do {                                                \
		logf_("%s " format, __func__, ##__VA_ARGS__);   \
		CUresult planned_ = planned(__func__);          \
		if (planned_) return planned_;                  \
	} while (0)

// Each device has one context. The current context is per thread.
struct CUctx_st {
	int retained;
};
static struct CUctx_st contexts[16];
static __thread CUcontext current;
#define NEED_CONTEXT \
	if (!current || current->retained < 1) return CUDA_ERROR_INVALID_CONTEXT

static int device_count(void) { return atoi(setting("CUDA_FAKE_DEVICES", "1")); }

CUresult cuInit(unsigned flags) {
	logf_("cuInit %u", flags);
	return atoi(setting("CUDA_FAKE_INIT", "0"));
}
CUresult cuDriverGetVersion(int *v) {
	*v = atoi(setting("CUDA_FAKE_VERSION", "13000"));
	return 0;
}
CUresult cuGetErrorName(CUresult r, const char **s) {
	switch ((int)r) {
#define CU_ENUM(type, tag)
#define CU_VALUE(name, value)
#define CU_RESULT(name, value) case value: *s = #name; return 0;
#define CU_ENUM_END(type, tag)
#include "../cuda_enums.h"
	}
	*s = NULL;
	return CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult r, const char **s) {
	static __thread char text[64];
	snprintf(text, sizeof text, "text of %d", (int)r);
	*s = text;
	return 0;
}

CUresult cuDeviceGetCount(int *n) {
	ENTER("");
	*n = device_count();
	return 0;
}
CUresult cuDeviceGet(CUdevice *d, int ordinal) {
	ENTER("%d", ordinal);
	if (ordinal < 0 || ordinal >= device_count()) return CUDA_ERROR_INVALID_DEVICE;
	*d = ordinal;
	return 0;
}
CUresult cuDeviceGetName(char *name, int n, CUdevice d) {
	ENTER("%d", d);
	snprintf(name, n, "Fake GPU %d", d);
	return 0;
}
static size_t memory_size(void) { return strtoull(setting("CUDA_FAKE_MEMORY", "1073741824"), NULL, 10); }
CUresult cuDeviceTotalMem_v2(size_t *n, CUdevice d) {
	ENTER("%d", d);
	*n = memory_size();
	return 0;
}

// The attributes of an H100.
static int attribute(int a) {
	char key[16];
	long v;
	snprintf(key, sizeof key, "%d", a);
	if (in_list(getenv("CUDA_FAKE_ATTRIBUTES"), key, &v)) return v;
	switch (a) {
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 49152;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return 232448;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return 233472;
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
	case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
	case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
	case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1980000;
	case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 2619000;
	case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 52428800;
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 132;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return 9;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return 0;
	case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: return 1;
	}
	return 0;
}
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
	ENTER("%d %d", a, d);
	*v = attribute(a);
	return 0;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
	ENTER("%d", d);
	*c = &contexts[d];
	contexts[d].retained++;
	return 0;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice d) {
	ENTER("%d", d);
	contexts[d].retained--;
	return 0;
}
CUresult cuCtxSetCurrent(CUcontext c) {
	ENTER("%d", c ? (int)(c - contexts) : -1);
	current = c;
	return 0;
}

// Allocations are in a list, to find addresses outside of them.
struct allocation {
	char *p;
	size_t n;
	int host;
	struct allocation *next;
};
static struct allocation *allocations;
static size_t used;

static CUresult allocate(void **p, size_t n, int host) {
	if (n == 0) return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;
	struct allocation *q = NULL;
	if ((host || n <= memory_size() - used) && (q = malloc(sizeof *q)) && !posix_memalign((void **)&q->p, 256, n)) {
		memset(q->p, 0xa5, n < 1 << 20 ? n : 1 << 20); // contents are undefined
		q->n = n;
		q->host = host;
		q->next = allocations;
		allocations = q;
		if (!host) used += n;
		*p = q->p;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}
static CUresult release(void *p, int host) {
	pthread_mutex_lock(&lock);
	CUresult r = CUDA_ERROR_INVALID_VALUE;
	for (struct allocation **at = &allocations; *at; at = &(*at)->next) {
		struct allocation *q = *at;
		if (q->p == p && q->host == host) {
			*at = q->next;
			if (!host) used -= q->n;
			free(q->p);
			free(q);
			r = 0;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return r;
}
static int inside(CUdeviceptr address, size_t n) {
	char *p = (char *)(uintptr_t)address;
	int found = 0;
	pthread_mutex_lock(&lock);
	for (struct allocation *q = allocations; q && !found; q = q->next) {
		found = p >= q->p && p + n <= q->p + q->n;
	}
	pthread_mutex_unlock(&lock);
	return found;
}
static int pinned(const void *p, size_t n) {
	int found = 0;
	pthread_mutex_lock(&lock);
	for (struct allocation *q = allocations; q && !found; q = q->next) {
		found = q->host && (char *)p >= q->p && (char *)p + n <= q->p + q->n;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
	ENTER("");
	NEED_CONTEXT;
	*total = memory_size();
	*available = *total - used;
	return 0;
}
CUresult cuMemAlloc_v2(CUdeviceptr *d, size_t n) {
	ENTER("%zu", n);
	NEED_CONTEXT;
	void *p = NULL;
	CUresult r = allocate(&p, n, 0);
	*d = (CUdeviceptr)(uintptr_t)p;
	return r;
}
CUresult cuMemHostAlloc(void **p, size_t n, unsigned flags) {
	ENTER("%zu %u", n, flags);
	NEED_CONTEXT;
	return allocate(p, n, 1);
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *d, void *p, unsigned flags) {
	ENTER("%u", flags);
	NEED_CONTEXT;
	if (!pinned(p, 1)) return CUDA_ERROR_INVALID_VALUE;
	*d = (CUdeviceptr)(uintptr_t)p;
	return 0;
}

// Each stream has a thread that executes its queue of launches.
struct CUevent_st {
	int pending; // records that no stream has reached
	int recorded;
	struct timespec at;
};
struct work {
	CUevent event; // a record of an event instead of a kernel
	int fill;      // a copy or a memset instead of a kernel
	char *to;
	const char *from; // NULL: a memset with zero
	size_t n;
	void (*kernel)(void **, unsigned, unsigned, unsigned);
	unsigned grid, block, shared;
	int fault; // the kernel's result
	struct work *next;
	char argument[] __attribute__((aligned(16)));
};
struct CUstream_st {
	pthread_t thread;
	pthread_cond_t changed;
	struct work *first, **last;
	int busy, closed;
	struct CUstream_st *next;
};
static struct CUstream_st *streams;
static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;

static void *serve(void *stream) {
	struct CUstream_st *s = stream;
	pthread_mutex_lock(&queue);
	for (;;) {
		while (!s->first && !s->closed) pthread_cond_wait(&s->changed, &queue);
		struct work *w = s->first;
		if (!w) break;
		if (!(s->first = w->next)) s->last = &s->first;
		s->busy = 1;
		pthread_mutex_unlock(&queue);
		void *params[] = {w->argument};
		if (!lost && w->fill && w->from) memcpy(w->to, w->from, w->n);
		if (!lost && w->fill && !w->from) memset(w->to, 0, w->n);
		if (!lost && w->kernel) w->kernel(params, w->grid, w->block, w->shared);
		if (!lost) lost = w->fault;
		pthread_mutex_lock(&queue);
		if (w->event) {
			clock_gettime(CLOCK_MONOTONIC, &w->event->at);
			w->event->recorded = 1;
			w->event->pending--;
		}
		free(w);
		s->busy = 0;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&queue);
	return NULL;
}
static void enqueue(struct CUstream_st *s, struct work *w) {
	pthread_mutex_lock(&queue);
	*s->last = w;
	s->last = &w->next;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&queue);
}
static int idle(struct CUstream_st *s) { return !s->first && !s->busy; }
static void drain(struct CUstream_st *s) {
	pthread_mutex_lock(&queue);
	while (!idle(s)) pthread_cond_wait(&s->changed, &queue);
	pthread_mutex_unlock(&queue);
}
static void drain_all(void) {
	for (struct CUstream_st *s = streams; s; s = s->next) drain(s);
}

CUresult cuStreamCreate(CUstream *s, unsigned flags) {
	ENTER("%u", flags);
	NEED_CONTEXT;
	struct CUstream_st *n = *s = calloc(1, sizeof **s);
	pthread_cond_init(&n->changed, NULL);
	n->last = &n->first;
	pthread_create(&n->thread, NULL, serve, n);
	n->next = streams;
	streams = n;
	return 0;
}
CUresult cuStreamDestroy_v2(CUstream s) {
	ENTER("");
	drain(s);
	pthread_mutex_lock(&queue);
	s->closed = 1;
	for (struct CUstream_st **at = &streams; *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			break;
		}
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&queue);
	pthread_join(s->thread, NULL);
	free(s);
	return 0;
}
CUresult cuStreamSynchronize(CUstream s) {
	ENTER("");
	drain(s);
	return lost;
}
CUresult cuStreamQuery(CUstream s) {
	ENTER("");
	pthread_mutex_lock(&queue);
	int done = idle(s);
	pthread_mutex_unlock(&queue);
	if (lost) return lost;
	return done ? 0 : CUDA_ERROR_NOT_READY;
}

// Events: the time at which a stream gets to them.
CUresult cuEventCreate(CUevent *e, unsigned flags) {
	ENTER("%u", flags);
	NEED_CONTEXT;
	*e = calloc(1, sizeof **e);
	return 0;
}
CUresult cuEventDestroy_v2(CUevent e) {
	ENTER("");
	NEED_CONTEXT;
	drain_all(); // a real driver frees it when the stream has passed it
	free(e);
	return 0;
}
CUresult cuEventRecord(CUevent e, CUstream s) {
	ENTER("");
	NEED_CONTEXT;
	struct work *w = calloc(1, sizeof *w);
	w->event = e;
	pthread_mutex_lock(&queue);
	e->pending++;
	pthread_mutex_unlock(&queue);
	enqueue(s, w);
	return lost;
}
CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) {
	ENTER("");
	NEED_CONTEXT;
	pthread_mutex_lock(&queue);
	int pending = from->pending || to->pending, recorded = from->recorded && to->recorded;
	*ms = (to->at.tv_sec - from->at.tv_sec) * 1e3 + (to->at.tv_nsec - from->at.tv_nsec) / 1e6;
	pthread_mutex_unlock(&queue);
	if (lost) return lost;
	if (pending) return CUDA_ERROR_NOT_READY;
	return recorded ? 0 : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuMemFree_v2(CUdeviceptr d) {
	ENTER("");
	NEED_CONTEXT;
	drain_all();
	return release((void *)(uintptr_t)d, 0);
}
CUresult cuMemFreeHost(void *p) {
	ENTER("");
	NEED_CONTEXT;
	drain_all();
	return release(p, 1);
}
CUresult cuMemsetD8_v2(CUdeviceptr d, unsigned char v, size_t n) {
	ENTER("%u %zu", v, n);
	NEED_CONTEXT;
	if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
	drain_all();
	memset((void *)(uintptr_t)d, v, n);
	return lost;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr d, const void *h, size_t n) {
	ENTER("%zu", n);
	NEED_CONTEXT;
	if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
	drain_all();
	if (!lost) memcpy((void *)(uintptr_t)d, h, n);
	return lost;
}
CUresult cuMemcpyDtoH_v2(void *h, CUdeviceptr d, size_t n) {
	ENTER("%zu", n);
	NEED_CONTEXT;
	if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
	drain_all();
	if (!lost) memcpy(h, (void *)(uintptr_t)d, n);
	return lost;
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) {
	ENTER("%zu", n);
	NEED_CONTEXT;
	if (!inside(to, n) || !inside(from, n)) return CUDA_ERROR_INVALID_VALUE;
	drain_all();
	if (!lost) memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, n);
	return lost;
}

static CUresult fill(char *to, const char *from, size_t n, CUstream s) {
	struct work *w = calloc(1, sizeof *w);
	w->fill = 1;
	w->to = to;
	w->from = from;
	w->n = n;
	enqueue(s, w);
	return lost;
}
CUresult cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, CUstream s) {
	ENTER("%u %zu", v, n);
	NEED_CONTEXT;
	if (v || !inside(d, n)) return CUDA_ERROR_INVALID_VALUE; // no test needs another value
	return fill((char *)(uintptr_t)d, NULL, n, s);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *h, size_t n, CUstream s) {
	ENTER("%zu", n);
	NEED_CONTEXT;
	if (!inside(d, n) || !pinned(h, n)) return CUDA_ERROR_INVALID_VALUE; // the copy is asynchronous only from pinned memory
	return fill((char *)(uintptr_t)d, h, n, s);
}

// Modules.
struct CUmod_st {
	void *kernels; // the shared object; NULL: every name is a kernel
	struct CUfunc_st *functions;
};
struct CUfunc_st {
	char name[128];
	void (*kernel)(void **, unsigned, unsigned, unsigned);
	int most_shared, static_shared, max_threads, argument_bytes;
	struct CUfunc_st *next;
};
CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n, CUjit_option *options, void **values) {
	logf_("cuModuleLoadDataEx %zu options=%u", strlen(image), n);
	CUresult r = planned("cuModuleLoadDataEx");
	if (r) {
		const char *log = setting("CUDA_FAKE_JIT_LOG", "");
		char *buffer = NULL;
		for (unsigned i = 0; i < n; i++) {
			if (options[i] == CU_JIT_ERROR_LOG_BUFFER) buffer = values[i];
			if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES && buffer) {
				snprintf(buffer, (size_t)(uintptr_t)values[i], "%s", log);
				values[i] = (void *)(uintptr_t)strlen(buffer);
			}
		}
		return r;
	}
	NEED_CONTEXT;
	void *kernels = NULL;
	const char *path = setting("CUDA_FAKE_KERNELS", "");
	if (*path && !(kernels = dlopen(path, RTLD_NOW | RTLD_LOCAL))) {
		fprintf(stderr, "fake driver: %s\n", dlerror());
		return CUDA_ERROR_FILE_NOT_FOUND;
	}
	*m = calloc(1, sizeof **m);
	(*m)->kernels = kernels;
	return 0;
}
CUresult cuModuleUnload(CUmodule m) {
	ENTER("");
	drain_all();
	if (m->kernels) dlclose(m->kernels);
	for (struct CUfunc_st *f = m->functions, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	free(m);
	return 0;
}
static void *find(CUmodule m, const char *name, const char *suffix) {
	char symbol[160];
	snprintf(symbol, sizeof symbol, "%s%s", name, suffix);
	return dlsym(m->kernels, symbol);
}
CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
	ENTER("%s", name);
	struct CUfunc_st *g = calloc(1, sizeof *g);
	snprintf(g->name, sizeof g->name, "%s", name);
	g->most_shared = 49152;
	g->max_threads = 1024;
	g->argument_bytes = 8;
	if (m->kernels) {
		const unsigned *n;
		g->kernel = (void (*)(void **, unsigned, unsigned, unsigned))find(m, name, "_host");
		if (!g->kernel) {
			free(g);
			return CUDA_ERROR_NOT_FOUND;
		}
		if ((n = find(m, name, "_static_shared"))) g->static_shared = *n;
		if ((n = find(m, name, "_argument_bytes"))) g->argument_bytes = *n;
		if ((n = find(m, name, "_max_threads"))) g->max_threads = *n;
	}
	g->next = m->functions;
	m->functions = g;
	*f = g;
	return 0;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction f) {
	ENTER("%d %s", a, f->name);
	if (a != CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES) return CUDA_ERROR_INVALID_VALUE;
	*v = f->static_shared;
	return 0;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
	ENTER("%s %d %d", f->name, a, v);
	if (a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
		if (v + f->static_shared > attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)) return CUDA_ERROR_INVALID_VALUE;
		f->most_shared = v;
	}
	return 0;
}
static int blocks_at_once(CUfunction f, unsigned block, size_t shared) {
	int by_threads = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR) / (int)((block + 31) / 32 * 32);
	int by_shared = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / (int)(shared + f->static_shared + 1024); // the system takes 1 KiB of each block
	if ((int)shared > f->most_shared) return 0;
	return by_threads < by_shared ? by_threads : by_shared;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction f, int block, size_t shared) {
	ENTER("%s %d %zu", f->name, block, shared);
	*n = blocks_at_once(f, block, shared);
	return 0;
}
static CUresult launch(CUfunction f, unsigned grid, unsigned block, unsigned shared, CUstream s, void **params) {
	if (grid < 1 || block < 1 || block > (unsigned)f->max_threads || (int)shared > f->most_shared) return CUDA_ERROR_INVALID_VALUE;
	long fault = 0;
	in_list(getenv("CUDA_FAKE_FAIL"), "kernel", &fault);
	struct work *w = calloc(1, sizeof *w + f->argument_bytes);
	w->kernel = f->kernel;
	memcpy(w->argument, params[0], f->argument_bytes);
	w->grid = grid;
	w->fault = fault;
	w->block = block;
	w->shared = shared;
	enqueue(s, w);
	return 0;
}
CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s, void **params, void **extra) {
	(void)extra;
	ENTER("%s grid=%u,%u,%u block=%u,%u,%u shared=%u", f->name, gx, gy, gz, bx, by, bz, shared);
	NEED_CONTEXT;
	return launch(f, gx, bx, shared, s, params);
}
CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s, void **params) {
	ENTER("%s grid=%u,%u,%u block=%u,%u,%u shared=%u", f->name, gx, gy, gz, bx, by, bz, shared);
	NEED_CONTEXT;
	if (bx > 0 && bx <= 1024 && gx > (unsigned)(blocks_at_once(f, bx, shared) * attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT))) return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
	return launch(f, gx, bx, shared, s, params);
}
