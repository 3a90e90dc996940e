// Words out of bytes and back.
//
// This header and those of the kernels are compiled once for each kind of CPU. What is in them has no name outside of
// its file (the nameless namespaces): otherwise the linker would keep one copy of each function, and a machine would
// meet instructions that it does not have.

#ifndef MILLRACE_BYTES_H_
#define MILLRACE_BYTES_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace millrace {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

template <typename Word>
inline Word Load(const uint8_t* from) {
  Word value;
  memcpy(&value, from, sizeof(value));
  return value;
}

template <typename Word>
inline void Store(uint8_t* to, Word value) {
  memcpy(to, &value, sizeof(value));
}

// Eight bytes as a number, the first lowest, wherever this runs.
inline uint64_t LoadLittleEndian(const uint8_t* from) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap64(Load<uint64_t>(from));
#else
  return Load<uint64_t>(from);
#endif
}

// The same as a number whose highest bytes come first.
inline uint64_t LoadBigEndian(const uint8_t* from, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value = (value << 8) | from[i];
  return value;
}

// The place of the lowest bit that is set, of one that is.
inline size_t LowestBit(uint64_t bits) {
#ifdef _MSC_VER
  size_t at = 0;
  for (; (bits & 1) == 0; bits >>= 1) at++;
  return at;
#else
  return static_cast<size_t>(__builtin_ctzll(bits));
#endif
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_BYTES_H_
