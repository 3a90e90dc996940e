// Thirty-two bytes in an AVX2 register.

#ifndef MILLRACE_VECTORS_AVX2_H_
#define MILLRACE_VECTORS_AVX2_H_

#include <immintrin.h>

#include "../bytes.h"
#include "../ranges.h"
#include "sse2.h"

namespace millrace {
namespace {

struct Bytes32 {
  __m256i v;

  static constexpr size_t kSize = 32;
  static constexpr bool kJudges = true;
  using Half = Bytes16;

  static Bytes32 Zero() { return {_mm256_setzero_si256()}; }
  static Bytes32 Load(const uint8_t* from) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))}; }
  static Bytes32 Repeat(uint32_t word) { return {_mm256_set1_epi32(static_cast<int>(word))}; }

  // A block whose last bytes are those of `word`.
  static Bytes32 EndingIn(uint32_t word) {
    return {_mm256_inserti128_si256(_mm256_setzero_si256(), Bytes16::EndingIn(word).v, 1)};
  }

  void Store(uint8_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
  Bytes32 operator^(Bytes32 other) const { return {_mm256_xor_si256(v, other.v)}; }
  Bytes32 operator|(Bytes32 other) const { return {_mm256_or_si256(v, other.v)}; }
  bool IsAscii() const { return _mm256_movemask_epi8(v) == 0; }
  bool IsZero() const { return _mm256_testz_si256(v, v) != 0; }
};

inline __m256i Table32(const uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// The bytes of `now` that cannot follow from the bytes before them, other than zero.
inline Bytes32 Errors(Bytes32 before, Bytes32 now) {
  const __m256i seam = _mm256_permute2x128_si256(before.v, now.v, 0x21);
  const __m256i one = _mm256_alignr_epi8(now.v, seam, 15);
  const __m256i two = _mm256_alignr_epi8(now.v, seam, 14);
  const __m256i three = _mm256_alignr_epi8(now.v, seam, 13);
  const __m256i low_half = _mm256_set1_epi8(0x0f);

  const __m256i pairs = _mm256_and_si256(
      _mm256_and_si256(
          _mm256_shuffle_epi8(Table32(kRanges.first_high), _mm256_and_si256(_mm256_srli_epi16(one, 4), low_half)),
          _mm256_shuffle_epi8(Table32(kRanges.first_low), _mm256_and_si256(one, low_half))),
      _mm256_shuffle_epi8(Table32(kRanges.second_high), _mm256_and_si256(_mm256_srli_epi16(now.v, 4), low_half)));
  const __m256i reached = _mm256_and_si256(
      _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(kBelowThreeByteLead)),
                      _mm256_subs_epu8(three, _mm256_set1_epi8(kBelowFourByteLead))),
      _mm256_set1_epi8(static_cast<char>(RangeTables::kTwoContinuations)));
  return {_mm256_xor_si256(pairs, reached)};
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_VECTORS_AVX2_H_
