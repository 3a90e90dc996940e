// Reads a case out of any bytes: a few of them choose how a kernel is called, the rest is what it is called with.

#ifndef MILLRACE_FUZZ_INPUTS_H_
#define MILLRACE_FUZZ_INPUTS_H_

#include <math.h>

#include "compare.h"

namespace millrace {

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool IsEmpty() const { return left_ == 0; }

  uint32_t Byte() {
    if (left_ == 0) return 0;
    left_--;
    return *data_++;
  }

  uint32_t Word() {
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) word |= Byte() << (8 * i);
    return word;
  }

  Octets Take(size_t most) {
    const size_t length = most < left_ ? most : left_;
    Octets taken(data_, data_ + length);
    data_ += length;
    left_ -= length;
    return taken;
  }

  Octets Rest() { return Take(left_); }

 private:
  const uint8_t* data_;
  size_t left_;
};

// Bytes in front move the rest to any place of a block, and repeated they are long without being long to write down.
inline Octets Stretch(Reader* reader) {
  const size_t ahead = reader->Byte() % 130;
  const size_t times = 1 + reader->Byte() % 8;
  Octets bytes(ahead, 'a');
  const Octets rest = reader->Rest();
  for (size_t i = 0; i < times && bytes.size() < 8192; i++) bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

inline size_t Cut(Reader* reader) { return reader->Byte() | reader->Byte() << 8; }

inline Utf8Case ReadUtf8Case(const uint8_t* data, size_t size) {
  Reader reader(data, size);
  Utf8Case input;
  input.state = reader.Byte() % kUtf8States;
  input.alignment = reader.Byte() % 64;
  const size_t cut = Cut(&reader);
  input.bytes = Stretch(&reader);
  input.cut = cut % (input.bytes.size() + 1);
  return input;
}

inline MaskCase ReadMaskCase(const uint8_t* data, size_t size) {
  Reader reader(data, size);
  MaskCase input;
  input.key = reader.Word();
  input.phase = reader.Byte() % 4;
  input.alignment = reader.Byte() % 64;
  input.other_alignment = reader.Byte() % 64;
  const size_t cut = Cut(&reader);
  input.bytes = Stretch(&reader);
  input.cut = cut % (input.bytes.size() + 1);
  return input;
}

// Frames that are right but where the bytes say otherwise, masked so that what the bytes hold arrives.
inline Octets WriteFrames(Reader* reader, bool is_masked) {
  Octets frames;
  while (!reader->IsEmpty() && frames.size() < 8192) {
    constexpr uint8_t kFirst[] = {0x81, 0x81, 0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8a, 0xc1};
    const uint32_t kind = reader->Byte();
    const uint8_t first = kind < 0xf0 ? kFirst[kind % sizeof(kFirst)] : static_cast<uint8_t>(reader->Byte());
    const uint32_t seed = reader->Byte();
    const uint32_t key = seed * 0x9e3779b1u;
    const bool is_control = (first & 0x08) != 0;
    const uint32_t size = reader->Byte();
    const size_t ahead = is_control || size < 0x80 ? 0 : reader->Byte();
    Octets payload(ahead, 'a');
    const Octets rest = reader->Take(size & 0x7f);
    payload.insert(payload.end(), rest.begin(), rest.end());
    if (is_control && payload.size() > 125) payload.resize(125);

    const uint8_t bit = is_masked ? 0x80 : 0;
    frames.push_back(first);
    if (payload.size() < 126) {
      frames.push_back(static_cast<uint8_t>(bit | payload.size()));
    } else {
      frames.push_back(bit | 126);
      frames.push_back(static_cast<uint8_t>(payload.size() >> 8));
      frames.push_back(static_cast<uint8_t>(payload.size()));
    }
    if (is_masked) {
      for (int i = 0; i < 4; i++) frames.push_back(static_cast<uint8_t>(key >> (8 * i)));
      PlainMask(payload.data(), payload.size(), key, 0);
    }
    frames.insert(frames.end(), payload.begin(), payload.end());
  }
  return frames;
}

inline ScanCase ReadScanCase(const uint8_t* data, size_t size) {
  constexpr double kLimits[] = {INFINITY, 0, 1, 10.5, 125, 126, 65535, 65536, 9007199254740991.0, 9007199254740992.0};
  Reader reader(data, size);
  ScanCase input;
  const uint32_t how = reader.Byte();
  const bool is_masked = (how & 0x01) != 0;
  input.rules = (how & 0x70) | (is_masked ? kExpectMask : 0);
  const uint32_t limit = reader.Byte();
  input.limit = limit < 0xc0 ? INFINITY : kLimits[limit % (sizeof(kLimits) / sizeof(kLimits[0]))];
  const uint32_t rows = reader.Byte();
  input.capacity = rows < 0x80 ? 64 : 1 + rows % 8;
  input.spare = rows % kRowSize;
  input.from = reader.Byte();
  input.alignment = reader.Byte() % 64;
  // Half of all inputs are frames as they come; the other half reaches what stands behind a right header.
  input.bytes = (how & 0x80) == 0 ? WriteFrames(&reader, is_masked) : reader.Rest();
  const size_t cut = (how & 0x0e) >> 1;
  if (cut < input.bytes.size()) input.bytes.resize(input.bytes.size() - cut);
  return input;
}

}  // namespace millrace

#endif  // MILLRACE_FUZZ_INPUTS_H_
