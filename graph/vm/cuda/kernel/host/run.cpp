// run.cpp: runs kernels on the CPU, for tests. The kernels are linked in, or
// they are in a shared library whose path is the argument.
//
// A launch on standard input is: the kernel's name in 32 bytes; six u32: blocks,
// threads a block, bytes of shared memory, offset of the Params in the memory,
// bytes of memory, and how many addresses Params begins with; then the memory.
// An address is an offset in the memory; 0 stays 0. The reply on standard output
// is the memory after the launch.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

typedef void (*Kernel)(void **, unsigned, unsigned, unsigned);

int main(int n, char **arguments) {
	void *library = dlopen(n > 1 ? arguments[1] : nullptr, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "run: %s\n", dlerror());
		return 1;
	}
	char name[32];
	while (fread(name, sizeof name, 1, stdin) == 1) {
		unsigned h[6];
		if (fread(h, sizeof h, 1, stdin) != 1)
			return 1;
		unsigned char *memory = (unsigned char *)aligned_alloc(256, (h[4] + 255) & ~255u);
		if (fread(memory, 1, h[4], stdin) != h[4])
			return 1;
		Kernel kernel = (Kernel)dlsym(library, (std::string(name) + "_host").c_str());
		if (!kernel) {
			fprintf(stderr, "run: %s\n", dlerror());
			return 1;
		}
		unsigned char *params = memory + h[3];
		unsigned char **words = (unsigned char **)params;
		for (unsigned i = 0; i < h[5]; i++)
			if (words[i])
				words[i] = memory + (size_t)words[i];
		void *argument[] = {params};
		kernel(argument, h[0], h[1], h[2]);
		fwrite(memory, 1, h[4], stdout);
		fflush(stdout);
		free(memory);
	}
	return 0;
}
