// As kernels.c, for weights that are laid out anew.
#if defined(__aarch64__)
#include "llama.cpp/ggml/src/ggml-cpu/arch/arm/repack.cpp"
#elif defined(__x86_64__)
#include "llama.cpp/ggml/src/ggml-cpu/arch/x86/repack.cpp"
#endif
