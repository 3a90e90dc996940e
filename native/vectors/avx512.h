// Sixty-four bytes in an AVX-512 register.

#ifndef MILLRACE_VECTORS_AVX512_H_
#define MILLRACE_VECTORS_AVX512_H_

#include <immintrin.h>

#include "../bytes.h"
#include "../ranges.h"
#include "avx2.h"

namespace millrace {
namespace {

struct Bytes64 {
  __m512i v;

  static constexpr size_t kSize = 64;
  static constexpr bool kJudges = true;
  using Half = Bytes32;

  static Bytes64 Zero() { return {_mm512_setzero_si512()}; }
  static Bytes64 Load(const uint8_t* from) { return {_mm512_loadu_si512(from)}; }
  static Bytes64 Repeat(uint32_t word) { return {_mm512_set1_epi32(static_cast<int>(word))}; }

  // A block whose last bytes are those of `word`.
  static Bytes64 EndingIn(uint32_t word) {
    return {_mm512_inserti32x4(_mm512_setzero_si512(), Bytes16::EndingIn(word).v, 3)};
  }

  void Store(uint8_t* to) const { _mm512_storeu_si512(to, v); }
  Bytes64 operator^(Bytes64 other) const { return {_mm512_xor_si512(v, other.v)}; }
  Bytes64 operator|(Bytes64 other) const { return {_mm512_or_si512(v, other.v)}; }
  bool IsAscii() const { return _mm512_movepi8_mask(v) == 0; }
  bool IsZero() const { return _mm512_test_epi64_mask(v, v) == 0; }
};

inline __m512i Table64(const uint8_t* table) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// The bytes of `now` that cannot follow from the bytes before them, other than zero.
inline Bytes64 Errors(Bytes64 before, Bytes64 now) {
  const __m512i seam = _mm512_alignr_epi64(now.v, before.v, 6);
  const __m512i one = _mm512_alignr_epi8(now.v, seam, 15);
  const __m512i two = _mm512_alignr_epi8(now.v, seam, 14);
  const __m512i three = _mm512_alignr_epi8(now.v, seam, 13);
  const __m512i low_half = _mm512_set1_epi8(0x0f);

  const __m512i first_high =
      _mm512_shuffle_epi8(Table64(kRanges.first_high), _mm512_and_si512(_mm512_srli_epi16(one, 4), low_half));
  const __m512i first_low = _mm512_shuffle_epi8(Table64(kRanges.first_low), _mm512_and_si512(one, low_half));
  const __m512i second_high =
      _mm512_shuffle_epi8(Table64(kRanges.second_high), _mm512_and_si512(_mm512_srli_epi16(now.v, 4), low_half));
  const __m512i pairs = _mm512_and_si512(_mm512_and_si512(first_high, first_low), second_high);
  const __m512i third = _mm512_subs_epu8(two, _mm512_set1_epi8(kBelowThreeByteLead));
  const __m512i fourth = _mm512_subs_epu8(three, _mm512_set1_epi8(kBelowFourByteLead));
  const __m512i bit = _mm512_set1_epi8(static_cast<char>(RangeTables::kTwoContinuations));
  // ((third | fourth) & bit) ^ pairs, in two steps of any three operands each.
  return {_mm512_ternarylogic_epi64(_mm512_or_si512(third, fourth), bit, pairs, 0x6a)};
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_VECTORS_AVX512_H_
