// UTF-8 validation (RFC 3629), streaming over any split: whole characters by the word, those at a seam by a small
// automaton.

#include <string.h>

#include "kernels.h"

namespace millrace {
namespace {

// The states of the contract: 0 between characters, 1 rejected, then what the rest of a character must be.
enum State : uint8_t {
  kTail1 = 2,
  kTail2 = 3,
  kTail3 = 4,
  kAfterE0 = 5,
  kAfterEd = 6,
  kAfterF0 = 7,
  kAfterF4 = 8,
};

// The state that follows a state and a byte.
struct Automaton {
  uint8_t next[kUtf8States][256];

  constexpr void Allow(uint32_t state, uint32_t first, uint32_t last, uint32_t to) {
    for (uint32_t byte = first; byte <= last; byte++) next[state][byte] = static_cast<uint8_t>(to);
  }

  constexpr Automaton() : next() {
    for (uint32_t state = 0; state < kUtf8States; state++) Allow(state, 0x00, 0xff, kUtf8Reject);
    Allow(kUtf8Accept, 0x00, 0x7f, kUtf8Accept);
    Allow(kUtf8Accept, 0xc2, 0xdf, kTail1);
    Allow(kUtf8Accept, 0xe0, 0xef, kTail2);
    Allow(kUtf8Accept, 0xe0, 0xe0, kAfterE0);
    Allow(kUtf8Accept, 0xed, 0xed, kAfterEd);
    Allow(kUtf8Accept, 0xf0, 0xf4, kTail3);
    Allow(kUtf8Accept, 0xf0, 0xf0, kAfterF0);
    Allow(kUtf8Accept, 0xf4, 0xf4, kAfterF4);
    Allow(kTail1, 0x80, 0xbf, kUtf8Accept);
    Allow(kTail2, 0x80, 0xbf, kTail1);
    Allow(kTail3, 0x80, 0xbf, kTail2);
    Allow(kAfterE0, 0xa0, 0xbf, kTail1);
    Allow(kAfterEd, 0x80, 0x9f, kTail1);
    Allow(kAfterF0, 0x90, 0xbf, kTail2);
    Allow(kAfterF4, 0x80, 0x8f, kTail2);
  }
};

constexpr Automaton kAutomaton;

constexpr uint64_t kHighBits = 0x8080808080808080;

// Eight bytes as a number, the first lowest, wherever this runs.
uint64_t Read64(const uint8_t* from) {
  uint64_t value;
  memcpy(&value, from, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// How many of eight bytes, of which one is not ASCII, come before that one.
size_t AsciiBytes(uint64_t bytes) {
#ifdef _MSC_VER
  size_t count = 0;
  for (; (bytes & 0x80) == 0; bytes >>= 8) count++;
  return count;
#else
  return static_cast<size_t>(__builtin_ctzll(bytes & kHighBits)) / 8;
#endif
}

// Whether the lowest bytes are a character of two, three or four. C0 and C1 lead overlong forms. Behind E0, ED, F0 and
// F4 the second byte is narrower than 80 to BF, and no lead above F4 exists; the few bits that decide it make one small
// number.
bool IsTwo(uint64_t bytes) { return (bytes & 0xc0e0) == 0x80c0 && (bytes & 0x1e) != 0; }
bool IsThree(uint64_t bytes) {
  if ((bytes & 0xc0c0f0) != 0x8080e0) return false;
  const uint32_t choice = bytes & 0x200f;
  return choice != 0x0000 && choice != 0x200d;
}
bool IsFour(uint64_t bytes) {
  if ((bytes & 0xc0c0c0f8) != 0x808080f0) return false;
  const uint32_t plane = (bytes & 0x07) << 2 | ((bytes >> 12) & 0x03);
  return plane >= 1 && plane <= 16;
}

}  // namespace

uint32_t Utf8(const uint8_t* data, size_t length, uint32_t state) {
  size_t at = 0;
  while (state != kUtf8Accept) {
    if (at == length || state == kUtf8Reject) return state;
    state = kAutomaton.next[state][data[at++]];
  }
  // Whole characters: every byte a sequence needs is there, so no state is kept between them.
  while (length - at >= 8) {
    const uint64_t bytes = Read64(data + at);
    const uint32_t lead = bytes & 0xff;
    if (lead < 0x80) {
      if ((bytes & kHighBits) != 0) {
        at += AsciiBytes(bytes);
        continue;
      }
      for (at += 8; length - at >= 32; at += 32) {
        uint64_t words[4];
        memcpy(words, data + at, 32);
        if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
      }
    } else if (lead < 0xe0) {
      if (!IsTwo(bytes)) return kUtf8Reject;
      at += 2;
    } else if (lead < 0xf0) {
      if (!IsThree(bytes)) return kUtf8Reject;
      // Languages that take three bytes for a character mostly take them for the next one too.
      at += 3;
      if (IsThree(bytes >> 24)) at += 3;
    } else {
      if (!IsFour(bytes)) return kUtf8Reject;
      at += 4;
    }
  }
  while (at < length) state = kAutomaton.next[state][data[at++]];
  return state;
}

}  // namespace millrace
