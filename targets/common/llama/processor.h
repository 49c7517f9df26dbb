// Whether a processor can do what this was compiled for: an illegal instruction would end the app.
#pragma once

#include <cstddef>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace edgekit {

// What the processor lacks of what this was compiled for; "" if nothing.
inline const char *lacking() {
#if defined(__aarch64__) && defined(__linux__) && defined(__ARM_FEATURE_DOTPROD)
  if (!(getauxval(AT_HWCAP) & (1UL << 20))) return "products of bytes (dotprod)";
#elif defined(__aarch64__) && defined(__APPLE__) && defined(__ARM_FEATURE_DOTPROD)
  int known = 0;
  size_t size = sizeof known;
  if (sysctlbyname("hw.optional.arm.FEAT_DotProd", &known, &size, nullptr, 0) || !known)
    return "products of bytes (dotprod)";
#endif
  return "";
}

}  // namespace edgekit
