// Mini-batches in C on one core, float32, for a network with one hidden layer: the zero
// pixels are skipped, W2 is stored by input, and an index of the mini-batch by pixel lets
// each row of W2 be read and written once. The sizes are fixed when it is compiled:
//
//     gcc -O3 -march=native -ffast-math -fno-strict-aliasing -DINPUTS=784 -DHIDDEN=50 -DOUTPUTS=10 -DBATCH=128 sparse.c -lm
//     ./a.out SAMPLES RATE PASSES FILE
//
// FILE is that of load.py. It prints the nanoseconds per sample of the fastest pass and
// the cost after the first.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VECTORS ((HIDDEN + 15) / 16)
#define PAD (16 * VECTORS)
#define ALIGNED __attribute__((aligned(64)))

// Sums over rows of vectors stay in registers, because the loops over them are unrolled.
typedef float vector __attribute__((vector_size(64)));
#define EACH_VECTOR _Pragma("GCC unroll 64") for (int j = 0; j < VECTORS; j++)

static float w2[INPUTS][PAD] ALIGNED, b2[PAD] ALIGNED, w3[OUTPUTS][PAD] ALIGNED, b3[OUTPUTS];
static float a2[BATCH][PAD] ALIGNED, d2[BATCH][PAD] ALIGNED, g3[OUTPUTS][PAD] ALIGNED, h2[PAD] ALIGNED, h3[OUTPUTS];
static float value[256], target[2];
static int samples;
static float rate;
static uint8_t *label, *pixels;

// Sample s has the pixels at[start[s]] to at[start[s+1]-1], which are not zero.
static int *start;
static uint16_t *at;
static float *x;

// The index of a mini-batch: pixel i is in the samples who[from[i]] to who[from[i+1]-1].
static int from[INPUTS + 1], next[INPUTS];
static uint16_t *who;
static float *how;

static void need(int ok, const char *what) {
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		exit(1);
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void forward(int s, float *restrict a, float *restrict out) {
	vector sum[VECTORS];
	float z[PAD] ALIGNED;
	EACH_VECTOR sum[j] = ((vector *)b2)[j];
	for (int k = start[s]; k < start[s + 1]; k++) {
		const vector *row = (vector *)w2[at[k]];
		float v = x[k];
		EACH_VECTOR sum[j] += v * row[j];
	}
	EACH_VECTOR ((vector *)z)[j] = sum[j];
	for (int j = 0; j < PAD; j++)
		a[j] = 1 / (1 + expf(-z[j]));
	for (int i = 0; i < OUTPUTS; i++) {
		float dot = b3[i];
		for (int j = 0; j < PAD; j++)
			dot += w3[i][j] * a[j];
		out[i] = 1 / (1 + expf(-dot));
	}
}

static void step(int first, int count) {
	memset(g3, 0, sizeof g3);
	memset(h2, 0, sizeof h2);
	memset(h3, 0, sizeof h3);
	for (int r = 0; r < count; r++) {
		float out[OUTPUTS], e[PAD] ALIGNED = {0};
		forward(first + r, a2[r], out);
		for (int i = 0; i < OUTPUTS; i++) {
			float d = -rate / count * (out[i] - target[label[first + r] == i]) * out[i] * (1 - out[i]);
			h3[i] += d;
			for (int j = 0; j < PAD; j++) {
				e[j] += d * w3[i][j];
				g3[i][j] += d * a2[r][j];
			}
		}
		for (int j = 0; j < PAD; j++) {
			d2[r][j] = e[j] * a2[r][j] * (1 - a2[r][j]);
			h2[j] += d2[r][j];
		}
	}
	memset(from, 0, sizeof from);
	for (int k = start[first]; k < start[first + count]; k++)
		from[at[k] + 1]++;
	for (int i = 0; i < INPUTS; i++)
		from[i + 1] += from[i];
	memcpy(next, from, sizeof next);
	for (int r = 0; r < count; r++)
		for (int k = start[first + r]; k < start[first + r + 1]; k++) {
			int n = next[at[k]]++;
			who[n] = r;
			how[n] = x[k];
		}
	for (int i = 0; i < INPUTS; i++) {
		vector sum[VECTORS] = {0};
		for (int n = from[i]; n < from[i + 1]; n++) {
			const vector *d = (vector *)d2[who[n]];
			float v = how[n];
			EACH_VECTOR sum[j] += v * d[j];
		}
		if (from[i] < from[i + 1])
			EACH_VECTOR ((vector *)w2[i])[j] += sum[j];
	}
	for (int j = 0; j < PAD; j++)
		b2[j] += h2[j];
	for (int i = 0; i < OUTPUTS; i++) {
		b3[i] += h3[i];
		for (int j = 0; j < HIDDEN; j++)
			w3[i][j] += g3[i][j];
	}
}

static double cost(void) {
	double sum = 0;
	for (int s = 0; s < samples; s++) {
		float a[PAD] ALIGNED, out[OUTPUTS];
		forward(s, a, out);
		for (int i = 0; i < OUTPUTS; i++) {
			double d = out[i] - target[label[s] == i];
			sum += d * d / 2;
		}
	}
	return sum / samples;
}

static void load(const char *path) {
	FILE *f = fopen(path, "rb");
	need(f != NULL, "cannot open the file");
	size_t n = fread(value, 4, 256, f) + fread(target, 4, 2, f), all = 258;
	for (int j = 0; j < HIDDEN; j++)
		for (int i = 0; i < INPUTS; i++, all++)
			n += fread(&w2[i][j], 4, 1, f);
	n += fread(b2, 4, HIDDEN, f), all += HIDDEN;
	for (int i = 0; i < OUTPUTS; i++, all += HIDDEN)
		n += fread(w3[i], 4, HIDDEN, f);
	n += fread(b3, 4, OUTPUTS, f), all += OUTPUTS;
	label = malloc(samples), pixels = malloc((size_t)samples * INPUTS);
	need(label && pixels, "no memory");
	n += fread(label, 1, samples, f) + fread(pixels, INPUTS, samples, f), all += 2 * samples;
	need(n == all, "the file is too short");
	fclose(f);

	start = calloc(samples + 1, sizeof *start);
	at = malloc((size_t)samples * INPUTS * sizeof *at), x = malloc((size_t)samples * INPUTS * sizeof *x);
	need(start && at && x, "no memory");
	int k = 0, most = 0;
	for (int s = 0; s < samples; s++) {
		for (int i = 0; i < INPUTS; i++) {
			float v = value[pixels[(size_t)s * INPUTS + i]];
			if (v != 0)
				at[k] = i, x[k++] = v;
		}
		start[s + 1] = k;
		int before = s + 1 - BATCH > 0 ? s + 1 - BATCH : 0;
		most = k - start[before] > most ? k - start[before] : most;
	}
	who = malloc(most * sizeof *who), how = malloc(most * sizeof *how);
	need(who && how, "no memory");
}

int main(int argc, char **argv) {
	need(argc == 5, "usage: SAMPLES RATE PASSES FILE");
	samples = atoi(argv[1]), rate = atof(argv[2]);
	load(argv[4]);
	double best = INFINITY, after = 0;
	for (int p = 0; p < atoi(argv[3]); p++) {
		double begin = now();
		for (int first = 0; first < samples; first += BATCH)
			step(first, first + BATCH < samples ? BATCH : samples - first);
		double t = now() - begin;
		best = t < best ? t : best;
		if (p == 0)
			after = cost();
	}
	printf("%.0f %.9g gcc %s\n", best / samples * 1e9, after, __VERSION__);
}
