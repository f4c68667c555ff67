//go:build ignore

// A driver without a GPU, for tests: built as libcuda.so.1 by the tests and
// found through LD_LIBRARY_PATH (see package fake).
//
// Device memory is host memory. A kernel is a host function, from a shared
// object that CUDA_FAKE_KERNELS names: the kernel NAME is the function
//
//	extern "C" void NAME_host(void **params, unsigned gridX, unsigned blockX, unsigned sharedBytes);
//
// which runs the whole grid and returns. params is the array that the launch
// got: params[i] points to argument i, in a slot of eight bytes, device pointers
// being plain pointers. sharedBytes is the dynamic shared memory. If the object
// also has
//
//	extern "C" const unsigned NAME_params;
//
// the number of arguments, or if CUDA_FAKE_ARGUMENTS gives it for all, then the
// launch copies the arguments and the kernel runs on a thread of its stream
// while the launch returns, as on a device; otherwise it runs inside the launch
// call. Without CUDA_FAKE_KERNELS every name is a kernel that does nothing.
//
// NAME_static_shared (const unsigned) is the static shared memory, 0 if absent,
// and NAME_max_threads the most threads a block can have, 1024 if absent.
//
// Settings, environment variables which are read at each call (so change none
// while another thread calls):
//
//	CUDA_FAKE_INIT      what cuInit answers (0)
//	CUDA_FAKE_VERSION   the driver's version (13000)
//	CUDA_FAKE_DEVICES   the number of devices (1)
//	CUDA_FAKE_MEMORY    bytes of each device (1 GiB)
//	CUDA_FAKE_ATTRIBUTES
//	                    "97=101376 16=4": device attributes by number
//	CUDA_FAKE_ARGUMENTS the number of arguments of kernels that do not tell
//	CUDA_FAKE_FAIL      "cuMemAlloc_v2=2 kernel=719": calls that fail, by their
//	                    exported name, and with what; kernel is the execution of
//	                    a kernel. Errors that a real driver cannot recover from
//	                    are answered by every later call too.
//	CUDA_FAKE_JIT_LOG   the compiler's error log when cuModuleLoadDataEx fails
//	CUDA_FAKE_LOG       a file to which each call is appended, a line each
//
// It answers CUDA_ERROR_INVALID_VALUE (1) where a driver would: addresses
// outside of allocations, blocks of more than 1024 threads, more than 48 KiB of
// dynamic shared memory without cuFuncSetAttribute; CUDA_ERROR_INVALID_CONTEXT
// (201) on a thread without a current context; 720 for a cooperative grid that
// does not fit. What is not defined here, the program finds missing.
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

// in_list finds key in "key=value key=value".
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

static volatile int lost; // the error after which nothing works

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

// Contexts. One a device; current is per thread.
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

// Attributes as an H100 has them.
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

// Memory. A table of allocations, so that strays are found.
struct piece {
	char *p;
	size_t n;
	int host;
	struct piece *next;
};
static struct piece *pieces;
static size_t used;

static CUresult allocate(void **p, size_t n, int host) {
	if (n == 0) return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;
	struct piece *q = NULL;
	if ((host || n <= memory_size() - used) && (q = malloc(sizeof *q)) && !posix_memalign((void **)&q->p, 256, n)) {
		memset(q->p, 0xa5, n < 1 << 20 ? n : 1 << 20); // contents are undefined
		q->n = n;
		q->host = host;
		q->next = pieces;
		pieces = q;
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
	for (struct piece **at = &pieces; *at; at = &(*at)->next) {
		struct piece *q = *at;
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
	for (struct piece *q = pieces; q && !found; q = q->next) {
		found = p >= q->p && p + n <= q->p + q->n;
	}
	pthread_mutex_unlock(&lock);
	return found;
}
static int pinned(const void *p, size_t n) {
	int found = 0;
	pthread_mutex_lock(&lock);
	for (struct piece *q = pieces; q && !found; q = q->next) {
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

// Streams. Each has a thread that works its queue off. A stream waits for what
// the default stream (0) was given before, and the default stream for all
// others, which the callers below see to by draining.
enum kind { KERNEL, COPY, RECORD };
struct work {
	enum kind kind;
	void (*kernel)(void **, unsigned, unsigned, unsigned);
	uint64_t slots[64];
	unsigned arguments, grid, block, shared;
	int fault; // what the kernel ends with
	void *to;
	const void *from;
	size_t n;
	CUevent event;
	struct work *next;
};
struct CUstream_st {
	pthread_t thread;
	pthread_cond_t changed;
	struct work *first, **last;
	int busy, closed;
	struct CUstream_st *next;
};
struct CUevent_st {
	struct timespec at;
	int pending, recorded;
};
static struct CUstream_st *streams;
static struct CUstream_st null_stream;
static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;

static void run(struct work *w) {
	void *params[64];
	switch (w->kind) {
	case KERNEL:
		for (unsigned i = 0; i < w->arguments; i++) params[i] = &w->slots[i];
		if (!lost && w->kernel) w->kernel(params, w->grid, w->block, w->shared);
		if (!lost) lost = w->fault;
		break;
	case COPY:
		if (!lost) memcpy(w->to, w->from, w->n);
		break;
	case RECORD:
		clock_gettime(CLOCK_MONOTONIC, &w->event->at);
		pthread_mutex_lock(&queue);
		w->event->pending--;
		w->event->recorded = 1;
		pthread_mutex_unlock(&queue);
		break;
	}
}
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
		run(w);
		free(w);
		pthread_mutex_lock(&queue);
		s->busy = 0;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&queue);
	return NULL;
}
static void start(struct CUstream_st *s) {
	pthread_cond_init(&s->changed, NULL);
	s->last = &s->first;
	pthread_create(&s->thread, NULL, serve, s);
	s->next = streams;
	streams = s;
}
__attribute__((constructor)) static void start_null_stream(void) { start(&null_stream); }
static int idle(struct CUstream_st *s) { return !s->first && !s->busy; }
static void drain(struct CUstream_st *s) {
	pthread_mutex_lock(&queue);
	while (!idle(s)) pthread_cond_wait(&s->changed, &queue);
	pthread_mutex_unlock(&queue);
}
static void drain_all(void) {
	for (struct CUstream_st *s = streams; s; s = s->next) drain(s);
}
static void enqueue(CUstream stream, struct work *w) {
	struct CUstream_st *s = stream ? stream : &null_stream;
	if (stream) drain(&null_stream);
	else drain_all();
	w->next = NULL;
	pthread_mutex_lock(&queue);
	if (w->kind == RECORD) w->event->pending++;
	*s->last = w;
	s->last = &w->next;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&queue);
}

CUresult cuCtxSynchronize(void) {
	ENTER("");
	NEED_CONTEXT;
	drain_all();
	return lost;
}
CUresult cuStreamCreate(CUstream *s, unsigned flags) {
	ENTER("%u", flags);
	NEED_CONTEXT;
	*s = calloc(1, sizeof **s);
	start(*s);
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
	ENTER("%d", s != NULL);
	drain(s ? s : &null_stream);
	return lost;
}
CUresult cuStreamQuery(CUstream s) {
	ENTER("%d", s != NULL);
	pthread_mutex_lock(&queue);
	int done = idle(s ? s : &null_stream);
	pthread_mutex_unlock(&queue);
	if (lost) return lost;
	return done ? 0 : CUDA_ERROR_NOT_READY;
}
CUresult cuEventCreate(CUevent *e, unsigned flags) {
	ENTER("%u", flags);
	NEED_CONTEXT;
	*e = calloc(1, sizeof **e);
	return 0;
}
CUresult cuEventDestroy_v2(CUevent e) {
	ENTER("");
	drain_all();
	free(e);
	return 0;
}
CUresult cuEventRecord(CUevent e, CUstream s) {
	ENTER("%d", s != NULL);
	struct work *w = calloc(1, sizeof *w);
	w->kind = RECORD;
	w->event = e;
	enqueue(s, w);
	return 0;
}
CUresult cuEventSynchronize(CUevent e) {
	ENTER("");
	(void)e;
	drain_all();
	return lost;
}
CUresult cuEventElapsedTime(float *ms, CUevent a, CUevent b) {
	ENTER("");
	if (!a->recorded || !b->recorded) return CUDA_ERROR_INVALID_HANDLE;
	if (a->pending || b->pending) return CUDA_ERROR_NOT_READY;
	*ms = (b->at.tv_sec - a->at.tv_sec) * 1e3 + (b->at.tv_nsec - a->at.tv_nsec) / 1e6;
	return 0;
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
static CUresult copy_later(void *to, const void *from, size_t n, CUstream s) {
	struct work *w = calloc(1, sizeof *w);
	w->kind = COPY;
	w->to = to;
	w->from = from;
	w->n = n;
	enqueue(s, w);
	return 0;
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *h, size_t n, CUstream s) {
	ENTER("%zu pinned=%d", n, pinned(h, n));
	NEED_CONTEXT;
	if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
	return copy_later((void *)(uintptr_t)d, h, n, s);
}
CUresult cuMemcpyDtoHAsync_v2(void *h, CUdeviceptr d, size_t n, CUstream s) {
	ENTER("%zu pinned=%d", n, pinned(h, n));
	NEED_CONTEXT;
	if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
	return copy_later(h, (void *)(uintptr_t)d, n, s);
}

// Programs.
struct CUmod_st {
	void *kernels; // the shared object; NULL: any kernel
	struct CUfunc_st *functions;
};
struct CUfunc_st {
	char name[128];
	void (*kernel)(void **, unsigned, unsigned, unsigned);
	int arguments; // -1: not known
	int most_shared, static_shared, max_threads;
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
	g->arguments = atoi(setting("CUDA_FAKE_ARGUMENTS", "-1"));
	g->most_shared = 49152;
	g->max_threads = 1024;
	if (m->kernels) {
		const unsigned *n;
		g->kernel = (void (*)(void **, unsigned, unsigned, unsigned))find(m, name, "_host");
		if (!g->kernel) {
			free(g);
			return CUDA_ERROR_NOT_FOUND;
		}
		if ((n = find(m, name, "_params"))) g->arguments = *n;
		if ((n = find(m, name, "_static_shared"))) g->static_shared = *n;
		if ((n = find(m, name, "_max_threads"))) g->max_threads = *n;
	}
	g->next = m->functions;
	m->functions = g;
	*f = g;
	return 0;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction f) {
	ENTER("%d %s", a, f->name);
	switch ((int)a) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = f->max_threads; break;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *v = f->static_shared; break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS: *v = 40; break;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION: *v = 80; break;
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *v = 90; break;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *v = f->most_shared; break;
	default: *v = 0;
	}
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
	int by_shared = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / (int)(shared + f->static_shared + 1024); // 1 KiB a block is the system's
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
	if (f->arguments < 0) { // the arguments cannot be copied
		drain_all();
		if (f->kernel) f->kernel(params, grid, block, shared);
		lost = fault;
		return 0;
	}
	struct work *w = calloc(1, sizeof *w);
	w->kind = KERNEL;
	w->kernel = f->kernel;
	w->arguments = f->arguments;
	w->grid = grid;
	w->fault = fault;
	w->block = block;
	w->shared = shared;
	for (unsigned i = 0; i < w->arguments; i++) memcpy(&w->slots[i], params[i], 8);
	enqueue(s, w);
	return 0;
}
CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s, void **params, void **extra) {
	ENTER("%s grid=%u,%u,%u block=%u,%u,%u shared=%u stream=%d extra=%d", f->name, gx, gy, gz, bx, by, bz, shared, s != NULL, extra != NULL);
	NEED_CONTEXT;
	return launch(f, gx, bx, shared, s, params);
}
CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s, void **params) {
	ENTER("%s grid=%u,%u,%u block=%u,%u,%u shared=%u stream=%d", f->name, gx, gy, gz, bx, by, bz, shared, s != NULL);
	NEED_CONTEXT;
	if (bx > 0 && bx <= 1024 && gx > (unsigned)(blocks_at_once(f, bx, shared) * attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT))) return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
	return launch(f, gx, bx, shared, s, params);
}
