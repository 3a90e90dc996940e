// Which variants of the kernels this machine can run.

#include "kernels.h"

// Clang on Windows has the names of both compilers, and what GCC has.
#if defined(_MSC_VER) && !defined(__clang__)
#define MILLRACE_MSVC 1
#endif

#if defined(MILLRACE_MSVC)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace millrace {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers Cpuid(uint32_t leaf) {
  Registers found = {0, 0, 0, 0};
#if defined(MILLRACE_MSVC)
  int highest[4];
  __cpuid(highest, 0);
  if (static_cast<uint32_t>(highest[0]) < leaf) return found;
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), 0);
  found = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
           static_cast<uint32_t>(out[3])};
#else
  __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
#endif
  return found;
}

// The registers that the operating system saves when it switches threads.
uint64_t SavedRegisters() {
#if defined(MILLRACE_MSVC)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

constexpr bool HasAll(uint64_t bits, uint64_t wanted) { return (bits & wanted) == wanted; }

constexpr uint32_t kOsxsave = 1u << 27;                                               // leaf 1, ecx
constexpr uint32_t kAvx2Bits = 1u << 5 | 1u << 3 | 1u << 8;                           // leaf 7, ebx: AVX2 BMI1 BMI2
constexpr uint32_t kAvx512Bits = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;           // leaf 7, ebx: F DQ BW VL
constexpr uint32_t kAvx512VbmiBit = 1u << 1;                                          // leaf 7, ecx
constexpr uint64_t kYmmSaved = 0x06;
constexpr uint64_t kZmmSaved = 0xe6;

}  // namespace

Variants FindVariants() {
  Variants found = {{&kScalar, &kSse2}, 2};
  if ((Cpuid(1).ecx & kOsxsave) == 0) return found;
  const uint64_t saved = SavedRegisters();
  const Registers features = Cpuid(7);
  if (!HasAll(saved, kYmmSaved) || !HasAll(features.ebx, kAvx2Bits)) return found;
  found.list[found.count++] = &kAvx2;
  // VBMI is not used. The CPUs without it are those that lower their clock for everybody when they see wide vectors.
  if (HasAll(saved, kZmmSaved) && HasAll(features.ebx, kAvx512Bits) && (features.ecx & kAvx512VbmiBit) != 0) {
    found.list[found.count++] = &kAvx512;
  }
  return found;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

// Every 64-bit ARM has NEON.
Variants FindVariants() { return {{&kScalar, &kNeon}, 2}; }

#else

Variants FindVariants() { return {{&kScalar}, 1}; }

#endif

}  // namespace millrace
