// XOR masking (RFC 6455 §5.3), written over `Vector`: the widest register that a variant has.

#ifndef MILLRACE_MASK_H_
#define MILLRACE_MASK_H_

#include "bytes.h"
#include "kernels.h"

namespace millrace {
namespace {

inline uint8_t KeyByte(uint32_t key, size_t at) { return static_cast<uint8_t>(key >> (8 * (at % 4))); }

// The key as it lies in memory, `phase` bytes further on.
inline uint32_t KeyWord(uint32_t key, size_t phase) {
  const uint32_t turned = RotateKey(key, static_cast<uint32_t>(phase % 4));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap32(turned);
#else
  return turned;
#endif
}

inline uint64_t Twice(uint32_t word) { return word * uint64_t{0x100000001}; }

// Masks `length` bytes, from one `Vector` to two of them: the second ends where the range ends, and what both cover is
// read before it is written, and written twice alike. No loop over the bytes that are left.
template <typename Vector>
inline bool MaskTwo(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  const size_t last = length - Vector::kSize;
  const Vector head = Vector::Load(src) ^ Vector::Repeat(KeyWord(key, 0));
  const Vector tail = Vector::Load(src + last) ^ Vector::Repeat(KeyWord(key, last));
  head.Store(dst);
  tail.Store(dst + last);
  return (head | tail).IsAscii();
}

// The narrowest vector; fewer bytes are done by the word.
constexpr size_t kVectorsFrom = 16;

// Masks fewer than 16 bytes.
inline bool MaskWords(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  if (length >= 8) {
    const uint64_t head = Load<uint64_t>(src) ^ Twice(KeyWord(key, 0));
    const uint64_t tail = Load<uint64_t>(src + length - 8) ^ Twice(KeyWord(key, length));
    Store(dst, head);
    Store(dst + length - 8, tail);
    return ((head | tail) & kHighBits) == 0;
  }
  if (length >= 4) {
    const uint32_t head = Load<uint32_t>(src) ^ KeyWord(key, 0);
    const uint32_t tail = Load<uint32_t>(src + length - 4) ^ KeyWord(key, length);
    Store(dst, head);
    Store(dst + length - 4, tail);
    return ((head | tail) & static_cast<uint32_t>(kHighBits)) == 0;
  }
  uint8_t seen = 0;
  for (size_t at = 0; at < length; at++) seen |= dst[at] = src[at] ^ KeyByte(key, at);
  return seen < 0x80;
}

// From this many vectors on it pays to write where `dst` is aligned: a store that crosses a cache line counts twice. Below
// there is nothing to gain; 4 KiB are a fifth faster (`npm run bench -- mask`, with this and with a number out of reach).
constexpr size_t kAlignedFrom = 8;

// Masks at least two `Vector`s. The first and the last are read before anything is written, and written last: between
// them the loop may begin and end where it likes.
template <typename Vector>
inline bool MaskVectors(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  constexpr size_t kSize = Vector::kSize;
  const size_t last = length - kSize;
  const Vector head = Vector::Load(src) ^ Vector::Repeat(KeyWord(key, 0));
  const Vector tail = Vector::Load(src + last) ^ Vector::Repeat(KeyWord(key, last));
  const bool is_long = length >= kAlignedFrom * kSize;
  size_t at = is_long ? kSize - reinterpret_cast<uintptr_t>(dst) % kSize : kSize;
  const Vector wide = Vector::Repeat(KeyWord(key, at));
  Vector seen = head | tail;
  for (; at + 4 * kSize <= length; at += 4 * kSize) {
    const Vector a = Vector::Load(src + at) ^ wide;
    const Vector b = Vector::Load(src + at + kSize) ^ wide;
    const Vector c = Vector::Load(src + at + 2 * kSize) ^ wide;
    const Vector d = Vector::Load(src + at + 3 * kSize) ^ wide;
    a.Store(dst + at);
    b.Store(dst + at + kSize);
    c.Store(dst + at + 2 * kSize);
    d.Store(dst + at + 3 * kSize);
    seen = seen | ((a | b) | (c | d));
  }
  for (; at < last; at += kSize) {
    const Vector one = Vector::Load(src + at) ^ wide;
    one.Store(dst + at);
    seen = seen | one;
  }
  head.Store(dst);
  tail.Store(dst + last);
  return seen.IsAscii();
}

template <typename Vector>
inline bool MaskFromVector(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  if constexpr (Vector::kSize > kVectorsFrom) {
    if (length < Vector::kSize) return MaskFromVector<typename Vector::Half>(src, dst, length, key);
  }
  if (length <= 2 * Vector::kSize) return MaskTwo<Vector>(src, dst, length, key);
  return MaskVectors<Vector>(src, dst, length, key);
}

// See `Variant::mask`. Returns whether all that came out is ASCII.
template <typename Vector>
inline bool MaskBytes(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  if (length < kVectorsFrom) return MaskWords(src, dst, length, key);
  return MaskFromVector<Vector>(src, dst, length, key);
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_MASK_H_
