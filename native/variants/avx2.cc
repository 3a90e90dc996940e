#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../target.h"

MILLRACE_TARGET_BEGIN("avx2,bmi,bmi2")

#include "../variant.h"
#include "../vectors/avx2.h"

namespace millrace {
MILLRACE_VARIANT(kAvx2, "avx2", Bytes32);
}  // namespace millrace

MILLRACE_TARGET_END

#endif
