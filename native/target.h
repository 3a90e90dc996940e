// Compiles what stands between the two macros for a CPU that has more than the compiler was told of. What a variant
// includes from the system stands ahead of them.

#ifndef MILLRACE_TARGET_H_
#define MILLRACE_TARGET_H_

#define MILLRACE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define MILLRACE_TARGET_BEGIN(features) \
  MILLRACE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define MILLRACE_TARGET_END MILLRACE_PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define MILLRACE_TARGET_BEGIN(features) MILLRACE_PRAGMA(GCC push_options) MILLRACE_PRAGMA(GCC target(features))
#define MILLRACE_TARGET_END MILLRACE_PRAGMA(GCC pop_options)
#else
#define MILLRACE_TARGET_BEGIN(features)
#define MILLRACE_TARGET_END
#endif

#endif  // MILLRACE_TARGET_H_
