// Sixteen bytes in an SSE2 register, which every x64 CPU has.

#ifndef MILLRACE_VECTORS_SSE2_H_
#define MILLRACE_VECTORS_SSE2_H_

#include <emmintrin.h>

#include "../bytes.h"
#include "../ranges.h"

namespace millrace {
namespace {

struct Bytes16 {
  __m128i v;

  static constexpr size_t kSize = 16;
  static constexpr bool kJudges = true;

  static Bytes16 Zero() { return {_mm_setzero_si128()}; }
  static Bytes16 Load(const uint8_t* from) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))}; }
  static Bytes16 Repeat(uint32_t word) { return {_mm_set1_epi32(static_cast<int>(word))}; }

  // A block whose last bytes are those of `word`.
  static Bytes16 EndingIn(uint32_t word) {
    return {_mm_slli_si128(_mm_cvtsi32_si128(static_cast<int>(word)), 12)};
  }

  void Store(uint8_t* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
  Bytes16 operator^(Bytes16 other) const { return {_mm_xor_si128(v, other.v)}; }
  Bytes16 operator|(Bytes16 other) const { return {_mm_or_si128(v, other.v)}; }
  bool IsAscii() const { return _mm_movemask_epi8(v) == 0; }
  bool IsZero() const { return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff; }
};

inline __m128i Same(__m128i bytes, int byte) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(byte))); }
inline __m128i Below(__m128i bytes, int byte) { return _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(byte))); }

// The bytes of `now` that cannot follow from the bytes before them, other than zero. Without a table look-up the
// ranges are compared.
inline Bytes16 Errors(Bytes16 before, Bytes16 now) {
  const __m128i one = _mm_or_si128(_mm_slli_si128(now.v, 1), _mm_srli_si128(before.v, 15));
  const __m128i two = _mm_or_si128(_mm_slli_si128(now.v, 2), _mm_srli_si128(before.v, 14));
  const __m128i three = _mm_or_si128(_mm_slli_si128(now.v, 3), _mm_srli_si128(before.v, 13));

  // A continuation, just where a lead asks for one. Bytes are compared with their sign: continuations are the lowest.
  const __m128i asked = _mm_or_si128(_mm_or_si128(_mm_subs_epu8(one, _mm_set1_epi8(0xc0 - 0x80)),
                                                  _mm_subs_epu8(two, _mm_set1_epi8(kBelowThreeByteLead))),
                                     _mm_subs_epu8(three, _mm_set1_epi8(kBelowFourByteLead)));
  const __m128i misplaced = _mm_and_si128(_mm_xor_si128(asked, Below(now.v, 0xc0)), _mm_set1_epi8(-128));

  // C0, C1, F5 to FF.
  const __m128i never = _mm_or_si128(Same(_mm_and_si128(now.v, _mm_set1_epi8(-2)), 0xc0),
                                     _mm_subs_epu8(now.v, _mm_set1_epi8(-12)));

  // Second bytes that are narrower. What is no continuation at all is an error already.
  const __m128i overlong = _mm_or_si128(_mm_and_si128(Same(one, 0xe0), Below(now.v, 0xa0)),
                                        _mm_and_si128(Same(one, 0xf0), Below(now.v, 0x90)));
  const __m128i surrogate = _mm_andnot_si128(Below(now.v, 0xa0), Same(one, 0xed));
  const __m128i too_high = _mm_andnot_si128(Below(now.v, 0x90), Same(one, 0xf4));
  return {_mm_or_si128(_mm_or_si128(misplaced, never), _mm_or_si128(overlong, _mm_or_si128(surrogate, too_high)))};
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_VECTORS_SSE2_H_
