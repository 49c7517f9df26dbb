// Swift packages do not choose files by processor: the kernels of this one.
#if defined(__aarch64__)
#include "llama.cpp/ggml/src/ggml-cpu/arch/arm/quants.c"
#elif defined(__x86_64__)
#include "llama.cpp/ggml/src/ggml-cpu/arch/x86/quants.c"
#endif
