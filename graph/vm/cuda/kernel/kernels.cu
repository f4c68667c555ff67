// kernels.cu: all kernels in one translation unit. kernels.ptx is made from it.
#include "block.cu"
#include "exchange.cu"
#include "fused.cu"
#include "grid.cu"
