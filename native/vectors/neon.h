// Sixteen bytes in a NEON register, which every 64-bit ARM CPU has.

#ifndef MILLRACE_VECTORS_NEON_H_
#define MILLRACE_VECTORS_NEON_H_

#include <arm_neon.h>

#include "../bytes.h"
#include "../ranges.h"

namespace millrace {
namespace {

struct Bytes16 {
  uint8x16_t v;

  static constexpr size_t kSize = 16;
  static constexpr bool kJudges = true;

  static Bytes16 Zero() { return {vdupq_n_u8(0)}; }
  static Bytes16 Load(const uint8_t* from) { return {vld1q_u8(from)}; }
  static Bytes16 Repeat(uint32_t word) { return {vreinterpretq_u8_u32(vdupq_n_u32(word))}; }

  // A block whose last bytes are those of `word`.
  static Bytes16 EndingIn(uint32_t word) {
    return {vreinterpretq_u8_u32(vsetq_lane_u32(word, vdupq_n_u32(0), 3))};
  }

  void Store(uint8_t* to) const { vst1q_u8(to, v); }
  Bytes16 operator^(Bytes16 other) const { return {veorq_u8(v, other.v)}; }
  Bytes16 operator|(Bytes16 other) const { return {vorrq_u8(v, other.v)}; }
  bool IsAscii() const { return vmaxvq_u8(v) < 0x80; }
  bool IsZero() const { return vmaxvq_u8(v) == 0; }
};

// The bytes of `now` that cannot follow from the bytes before them, other than zero.
inline Bytes16 Errors(Bytes16 before, Bytes16 now) {
  const uint8x16_t one = vextq_u8(before.v, now.v, 15);
  const uint8x16_t two = vextq_u8(before.v, now.v, 14);
  const uint8x16_t three = vextq_u8(before.v, now.v, 13);

  const uint8x16_t first_high = vqtbl1q_u8(vld1q_u8(kRanges.first_high), vshrq_n_u8(one, 4));
  const uint8x16_t first_low = vqtbl1q_u8(vld1q_u8(kRanges.first_low), vandq_u8(one, vdupq_n_u8(0x0f)));
  const uint8x16_t second_high = vqtbl1q_u8(vld1q_u8(kRanges.second_high), vshrq_n_u8(now.v, 4));
  const uint8x16_t pairs = vandq_u8(vandq_u8(first_high, first_low), second_high);
  const uint8x16_t reached = vandq_u8(vorrq_u8(vqsubq_u8(two, vdupq_n_u8(kBelowThreeByteLead)),
                                               vqsubq_u8(three, vdupq_n_u8(kBelowFourByteLead))),
                                      vdupq_n_u8(RangeTables::kTwoContinuations));
  return {veorq_u8(pairs, reached)};
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_VECTORS_NEON_H_
