// kernels.cu: all kernels, one translation unit: kernels.ptx is made of it.
#include "block.cu"
#include "dense.cu"
#include "grid.cu"
