// Small inputs in full, and long ones at random: what a machine runs that has no fuzzer, such as another architecture
// in an emulator. Every comparison is that of the fuzz targets.
//
// `self_test [scale] [seed]`: `scale` multiplies the inputs that are made at random, in percent.

#include <signal.h>

#include <initializer_list>

#include "inputs.h"

namespace millrace {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint32_t Below(uint32_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(((state_ >> 33) * bound) >> 31);
  }

 private:
  uint64_t state_;
};

// Both sides of every border that RFC 3629 draws between bytes.
constexpr uint8_t kBorders[] = {0x00, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
                                0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
constexpr size_t kLongestSmall = 200;
constexpr uint32_t kKey = 0x8d3ce51f;

void Append(Octets* bytes, std::initializer_list<uint8_t> more) { bytes->insert(bytes->end(), more); }

// Text of characters of up to `widest` bytes, with a few of every other width.
Octets Text(Random* random, size_t length, uint32_t widest) {
  Octets text;
  while (text.size() < length) {
    const uint32_t width = random->Below(8) == 0 ? 1 + random->Below(4) : widest;
    const auto tail = [&] { return static_cast<uint8_t>(0x80 + random->Below(64)); };
    if (width == 1) Append(&text, {static_cast<uint8_t>(random->Below(128))});
    if (width == 2) Append(&text, {static_cast<uint8_t>(0xc2 + random->Below(30)), tail()});
    if (width == 3) Append(&text, {static_cast<uint8_t>(0xe1 + random->Below(12)), tail(), tail()});
    if (width == 4) Append(&text, {static_cast<uint8_t>(0xf1 + random->Below(3)), tail(), tail(), tail()});
  }
  text.resize(length);
  return text;
}

// A few bytes, with ASCII on both sides so that the seam of two blocks of 16, 32 or 64 falls everywhere within them.
void CompareAtBorders(std::initializer_list<uint8_t> bytes, bool everywhere) {
  const size_t size = bytes.size();
  Utf8Case input;
  for (size_t block : {size_t{0}, size_t{16}, size_t{32}, size_t{64}, size_t{256}}) {
    if (block != 64 && !everywhere) continue;
    for (size_t before = block == 0 ? 0 : block - size; before <= block; before++) {
      input.bytes.assign(before, 'a');
      Append(&input.bytes, bytes);
      if (before % 2 == 0) input.bytes.resize(before + size + 70, 'z');
      input.cut = before + size / 2;
      CompareUtf8(input);
    }
  }
}

void TestUtf8Sequences() {
  for (uint32_t a = 0; a < 256; a++) {
    for (uint32_t b = 0; b < 256; b++) {
      const bool is_border = a >= 0xc0 && (b & 0x0f) % 15 == 0;
      CompareAtBorders({static_cast<uint8_t>(a), static_cast<uint8_t>(b)}, is_border);
    }
  }
  for (uint8_t a : kBorders) {
    for (uint8_t b : kBorders) {
      for (uint8_t c : kBorders) {
        CompareAtBorders({a, b, c}, false);
        if (a < 0xe0) continue;
        for (uint8_t d : {0x61, 0x7f, 0x80, 0xbf, 0xc0, 0xf0}) CompareAtBorders({a, b, c, d}, false);
      }
    }
  }
}

void TestUtf8States() {
  Utf8Case input;
  for (uint32_t state = 0; state < kUtf8States; state++) {
    input.state = state;
    for (uint32_t byte = 0; byte < 256; byte++) {
      for (size_t length : {size_t{1}, size_t{2}, size_t{20}, size_t{100}}) {
        input.bytes.assign(length, 0x80);
        input.bytes[0] = static_cast<uint8_t>(byte);
        for (size_t at = 4; at < length; at++) input.bytes[at] = 'a';
        CompareUtf8(input);
      }
    }
  }
}

void TestUtf8Lengths(Random* random) {
  Utf8Case input;
  for (size_t length = 0; length <= kLongestSmall; length++) {
    for (size_t alignment = 0; alignment < 64; alignment++) {
      input.bytes = Text(random, length, 1 + alignment % 4);
      if (alignment % 3 == 0 && length > 0) input.bytes[random->Below(length)] ^= 1u << random->Below(8);
      input.alignment = alignment;
      input.cut = length == 0 ? 0 : random->Below(length + 1);
      CompareUtf8(input);
    }
  }
}

void TestUtf8Random(Random* random, uint32_t count) {
  Utf8Case input;
  for (uint32_t i = 0; i < count; i++) {
    const size_t length = random->Below(1200);
    input.bytes = Text(random, length, 1 + random->Below(4));
    if (length > 0 && i % 2 == 0) input.bytes[random->Below(length)] = kBorders[random->Below(sizeof(kBorders))];
    input.state = i % 8 == 0 ? random->Below(kUtf8States) : kUtf8Accept;
    input.alignment = random->Below(64);
    input.cut = random->Below(length + 1);
    CompareUtf8(input);
  }
}

void TestMask(Random* random, uint32_t count) {
  MaskCase input;
  input.key = kKey;
  for (size_t length = 0; length <= kLongestSmall; length++) {
    for (size_t alignment = 0; alignment < 64; alignment++) {
      input.bytes = Text(random, length, 1 + length % 4);
      input.phase = length / 4 % 4;
      input.alignment = alignment;
      input.other_alignment = (alignment * 7 + length) % 64;
      input.cut = length == 0 ? 0 : random->Below(length + 1);
      CompareMask(input);
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    input.bytes = Text(random, random->Below(1200), 2);
    input.key = random->Below(1u << 31) * 2 + i % 2;
    input.phase = random->Below(4);
    input.alignment = random->Below(64);
    input.cut = random->Below(input.bytes.size() + 1);
    CompareMask(input);
  }
}

// One frame of every length, as text and as binary, with a mask and without one.
void TestScanLengths(Random* random) {
  for (size_t length = 0; length <= kLongestSmall; length++) {
    for (uint32_t variety = 0; variety < 16; variety++) {
      const bool is_masked = variety % 2 != 0;
      ScanCase input;
      input.rules = is_masked ? kExpectMask : 0;
      input.limit = INFINITY;
      input.alignment = random->Below(64);
      input.from = random->Below(20);
      Octets payload = Text(random, length, 1 + variety / 2 % 4);
      if (is_masked) PlainMask(payload.data(), length, kKey, 0);
      Append(&input.bytes, {static_cast<uint8_t>(variety < 12 ? 0x81 : 0x82)});
      const uint8_t bit = is_masked ? 0x80 : 0;
      if (length < 126) Append(&input.bytes, {static_cast<uint8_t>(bit | length)});
      if (length >= 126) Append(&input.bytes, {static_cast<uint8_t>(bit | 126), 0, static_cast<uint8_t>(length)});
      for (int i = 0; is_masked && i < 4; i++) Append(&input.bytes, {static_cast<uint8_t>(kKey >> (8 * i))});
      input.bytes.insert(input.bytes.end(), payload.begin(), payload.end());
      CompareScan(input);
      if (input.bytes.size() > 1) input.bytes.pop_back();
      CompareScan(input);
    }
  }
}

// A frame whose length takes eight bytes, whole and cut short.
void TestScanLong(Random* random) {
  ScanCase input;
  input.rules = kExpectMask;
  input.limit = INFINITY;
  Octets payload = Text(random, 65536 + 37, 3);
  Append(&input.bytes, {0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 37, 0x1f, 0xe5, 0x3c, 0x8d});
  PlainMask(payload.data(), payload.size(), kKey, 0);
  input.bytes.insert(input.bytes.end(), payload.begin(), payload.end());
  CompareScan(input);
  input.limit = 65536 + 36;
  CompareScan(input);
  for (size_t size = 20; size > 0; size--) {
    input.limit = INFINITY;
    input.bytes.resize(size);
    CompareScan(input);
    // Each bit of the length in turn, so every way in which it can be wrong.
    for (size_t bit = 0; size == 20 && bit < 64; bit++) {
      ScanCase other = input;
      other.bytes[2 + bit / 8] ^= 1u << bit % 8;
      CompareScan(other);
    }
  }
}

void TestScanRandom(Random* random, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    Octets bytes = Text(random, 5 + random->Below(600), 1 + random->Below(4));
    for (size_t at = 0; at < 5; at++) bytes[at] = static_cast<uint8_t>(random->Below(256));
    CompareScan(ReadScanCase(bytes.data(), bytes.size()));
  }
}

void TellAndExit(int signal) {
  TellCurrent(signal == SIGABRT ? "stopped" : "memory outside of the range was touched");
  _exit(1);
}

int Main(int count, char** arguments) {
  const uint32_t scale = count > 1 ? static_cast<uint32_t>(atoi(arguments[1])) : 100;
  Random random(count > 2 ? static_cast<uint64_t>(atoll(arguments[2])) : 1);
  for (int caught : {SIGSEGV, SIGBUS, SIGABRT, SIGILL}) signal(caught, TellAndExit);

  TestUtf8Sequences();
  TestUtf8States();
  TestUtf8Lengths(&random);
  TestUtf8Random(&random, 500 * scale);
  TestMask(&random, 200 * scale);
  TestScanLengths(&random);
  TestScanLong(&random);
  TestScanRandom(&random, 500 * scale);

  printf("%llu comparisons agree, variants:", static_cast<unsigned long long>(current.comparisons));
  for (size_t i = 0; i < AllVariants().count; i++) printf(" %s", AllVariants().list[i]->name);
  printf("\n");
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int count, char** arguments) { return millrace::Main(count, arguments); }
