// The tables of the range look-up: which two bytes cannot follow each other in UTF-8, looked up by the halves of both.

#ifndef MILLRACE_RANGES_H_
#define MILLRACE_RANGES_H_

#include <stdint.h>

namespace millrace {
namespace {

// Each rule is a bit. A pair of bytes breaks a rule when the high half of the first, the low half of the first and the
// high half of the second all have its bit; every rule here is such a product of halves, so nothing else is hit.
struct RangeTables {
  alignas(16) uint8_t first_high[16];
  alignas(16) uint8_t first_low[16];
  alignas(16) uint8_t second_high[16];

  constexpr void Forbid(uint32_t bit, uint32_t first_from, uint32_t first_to, uint32_t second_from,
                        uint32_t second_to) {
    for (uint32_t byte = first_from; byte <= first_to; byte++) {
      first_high[byte >> 4] |= static_cast<uint8_t>(bit);
      first_low[byte & 0x0f] |= static_cast<uint8_t>(bit);
    }
    for (uint32_t byte = second_from; byte <= second_to; byte++) second_high[byte >> 4] |= static_cast<uint8_t>(bit);
  }

  constexpr RangeTables() : first_high(), first_low(), second_high() {
    Forbid(0x01, 0xc0, 0xff, 0x00, 0x7f);  // a lead, and no continuation
    Forbid(0x01, 0xc0, 0xff, 0xc0, 0xff);
    Forbid(0x02, 0x00, 0x7f, 0x80, 0xbf);  // a continuation without a lead
    Forbid(0x04, 0xe0, 0xe0, 0x80, 0x9f);  // overlong, three bytes
    Forbid(0x08, 0xf4, 0xff, 0x90, 0xbf);  // above U+10FFFF
    Forbid(0x10, 0xed, 0xed, 0xa0, 0xbf);  // a surrogate
    Forbid(0x20, 0xc0, 0xc1, 0x80, 0xbf);  // overlong, two bytes
    Forbid(0x40, 0xf0, 0xf0, 0x80, 0x8f);  // overlong, four bytes
    Forbid(0x40, 0xf5, 0xff, 0x80, 0x8f);  // no such lead
    // Not forbidden but noted: the second of two continuations must be the third byte of a character, or the fourth.
    Forbid(kTwoContinuations, 0x80, 0xbf, 0x80, 0xbf);
  }

  static constexpr uint32_t kTwoContinuations = 0x80;
};

constexpr RangeTables kRanges;

// Subtracted with saturation from the byte two and three places ahead, these leave the bit of `kTwoContinuations` set
// for leads that reach that far.
constexpr uint8_t kBelowThreeByteLead = 0xe0 - 0x80;
constexpr uint8_t kBelowFourByteLead = 0xf0 - 0x80;

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_RANGES_H_
