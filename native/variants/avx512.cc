#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../target.h"

#if defined(__GNUC__) && !defined(__clang__)
// GCC's own headers make an undefined register for these intrinsics and then warn of it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

MILLRACE_TARGET_BEGIN("avx2,bmi,bmi2,avx512f,avx512dq,avx512bw,avx512vl")

#include "../variant.h"
#include "../vectors/avx512.h"

namespace millrace {
MILLRACE_VARIANT(kAvx512, "avx512", Bytes64);
}  // namespace millrace

MILLRACE_TARGET_END

#endif
