#if defined(__x86_64__) || defined(_M_X64)

#include "../variant.h"
#include "../vectors/sse2.h"

namespace millrace {
MILLRACE_VARIANT(kSse2, "sse2", Bytes16);
}  // namespace millrace

#endif
