// XOR masking (RFC 6455 §5.3), written so that the compiler makes vectors of it.

#include <string.h>

#include "kernels.h"

namespace millrace {
namespace {

template <typename Word>
Word Load(const uint8_t* from) {
  Word value;
  memcpy(&value, from, sizeof(value));
  return value;
}

template <typename Word>
void Store(uint8_t* to, Word value) {
  memcpy(to, &value, sizeof(value));
}

// All bytes of a word under OR.
uint8_t Fold(uint64_t bytes) {
  bytes |= bytes >> 32;
  bytes |= bytes >> 16;
  return static_cast<uint8_t>(bytes | (bytes >> 8));
}

uint8_t KeyByte(uint32_t key, size_t at) { return static_cast<uint8_t>(key >> (8 * (at % 4))); }

// The key as it lies in memory, `phase` bytes further on.
uint32_t KeyWord(uint32_t key, size_t phase) {
  const uint32_t turned = RotateKey(key, static_cast<uint32_t>(phase % 4));
  const uint8_t bytes[4] = {KeyByte(turned, 0), KeyByte(turned, 1), KeyByte(turned, 2), KeyByte(turned, 3)};
  return Load<uint32_t>(bytes);
}

uint64_t Twice(uint32_t word) { return word * uint64_t{0x100000001}; }

// Sixteen bytes in a vector register; two words where a compiler has no vector types of its own.
#if defined(__GNUC__)
typedef uint64_t Block __attribute__((vector_size(16)));
#else
struct Block {
  uint64_t words[2];
  uint64_t operator[](size_t at) const { return words[at]; }
};
Block operator^(Block a, Block b) { return {{a[0] ^ b[0], a[1] ^ b[1]}}; }
Block operator|(Block a, Block b) { return {{a[0] | b[0], a[1] | b[1]}}; }
#endif

Block Both(uint64_t word) { return Block{word, word}; }

}  // namespace

uint8_t Mask(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  // The last word is read before anything is written, and written over its neighbour with the same bytes: no loop
  // over the bytes that are left.
  if (length < 4) {
    uint8_t seen = 0;
    for (size_t at = 0; at < length; at++) seen |= dst[at] = src[at] ^ KeyByte(key, at);
    return seen;
  }
  const uint32_t first = KeyWord(key, 0);
  const uint32_t last = KeyWord(key, length);  // a word that ends at `length` begins at the same phase
  if (length < 8) {
    const uint32_t head = Load<uint32_t>(src) ^ first;
    const uint32_t tail = Load<uint32_t>(src + length - 4) ^ last;
    Store(dst, head);
    Store(dst + length - 4, tail);
    return Fold(head | tail);
  }

  const uint64_t wide = Twice(first);
  const uint64_t wide_last = Twice(last);
  if (length < 16) {
    const uint64_t head = Load<uint64_t>(src) ^ wide;
    const uint64_t tail = Load<uint64_t>(src + length - 8) ^ wide_last;
    Store(dst, head);
    Store(dst + length - 8, tail);
    return Fold(head | tail);
  }

  const Block block_key = Both(wide);
  const Block tail = Load<Block>(src + length - 16) ^ Both(wide_last);
  Block seen = tail;
  size_t at = 0;
  // A stride is read whole before it is written, so that the compiler need not ask whether the ranges are one.
  for (; at + 64 <= length; at += 64) {
    const Block a = Load<Block>(src + at) ^ block_key;
    const Block b = Load<Block>(src + at + 16) ^ block_key;
    const Block c = Load<Block>(src + at + 32) ^ block_key;
    const Block d = Load<Block>(src + at + 48) ^ block_key;
    Store(dst + at, a);
    Store(dst + at + 16, b);
    Store(dst + at + 32, c);
    Store(dst + at + 48, d);
    seen = seen | (a | b) | (c | d);
  }
  for (; at + 16 < length; at += 16) {
    const Block block = Load<Block>(src + at) ^ block_key;
    Store(dst + at, block);
    seen = seen | block;
  }
  Store(dst + length - 16, tail);
  return Fold(seen[0] | seen[1]);
}

uint8_t OrBytes(const uint8_t* data, size_t length) {
  if (length < 8) {
    uint8_t seen = 0;
    for (size_t at = 0; at < length; at++) seen |= data[at];
    return seen;
  }
  uint64_t seen = Load<uint64_t>(data + length - 8);
  for (size_t at = 0; at + 8 <= length; at += 8) seen |= Load<uint64_t>(data + at);
  return Fold(seen);
}

}  // namespace millrace
