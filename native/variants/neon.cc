#if defined(__aarch64__) || defined(_M_ARM64)

#include "../variant.h"
#include "../vectors/neon.h"

namespace millrace {
MILLRACE_VARIANT(kNeon, "neon", Bytes16);
}  // namespace millrace

#endif
