// Sixteen bytes as two words: what a CPU without vectors has.

#ifndef MILLRACE_VECTORS_WORDS_H_
#define MILLRACE_VECTORS_WORDS_H_

#include "../bytes.h"

namespace millrace {
namespace {

struct Words {
  uint64_t low;
  uint64_t high;

  static constexpr size_t kSize = 16;
  // Whether it has what `Judge` asks for.
  static constexpr bool kJudges = false;

  static Words Load(const uint8_t* from) { return {millrace::Load<uint64_t>(from), millrace::Load<uint64_t>(from + 8)}; }
  static Words Repeat(uint32_t word) {
    const uint64_t twice = word * uint64_t{0x100000001};
    return {twice, twice};
  }
  void Store(uint8_t* to) const {
    millrace::Store(to, low);
    millrace::Store(to + 8, high);
  }
  Words operator^(Words other) const { return {low ^ other.low, high ^ other.high}; }
  Words operator|(Words other) const { return {low | other.low, high | other.high}; }
  bool IsAscii() const { return ((low | high) & kHighBits) == 0; }
};

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_VECTORS_WORDS_H_
