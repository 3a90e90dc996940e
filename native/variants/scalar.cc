#include "../variant.h"
#include "../vectors/words.h"

namespace millrace {
MILLRACE_VARIANT(kScalar, "scalar", Words);
}  // namespace millrace
