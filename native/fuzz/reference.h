// The three kernels once more, as plainly as the RFCs put them and sharing nothing with the code under test but the
// numbers of its contract. Slow, and meant to be seen right at a glance.

#ifndef MILLRACE_FUZZ_REFERENCE_H_
#define MILLRACE_FUZZ_REFERENCE_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "../kernels.h"

namespace millrace {

// RFC 6455 §5.3.
inline void PlainMask(uint8_t* bytes, size_t length, uint32_t key, uint32_t phase) {
  const uint8_t octets[4] = {static_cast<uint8_t>(key), static_cast<uint8_t>(key >> 8), static_cast<uint8_t>(key >> 16),
                             static_cast<uint8_t>(key >> 24)};
  for (size_t at = 0; at < length; at++) bytes[at] ^= octets[(phase + at) % 4];
}

// RFC 3629 by code points. A character that is cut short stands for all code points that it may still become: it is
// right while one of them is.
class PlainUtf8 {
 public:
  static uint32_t Validate(const uint8_t* data, size_t length, uint32_t state) {
    if (state == kUtf8Reject) return kUtf8Reject;
    // A state is the same as its shortest history.
    constexpr uint8_t kHistory[kUtf8States] = {0, 0, 0xc3, 0xe1, 0xf1, 0xe0, 0xed, 0xf0, 0xf4};
    uint32_t have = state == kUtf8Accept ? 0 : 1;
    uint8_t character[4] = {kHistory[state]};
    for (size_t at = 0; at < length; at++) {
      character[have++] = data[at];
      if (!MayBecomeValid(character, have)) return kUtf8Reject;
      if (have == SizeOf(character[0])) have = 0;
    }
    return have == 0 ? kUtf8Accept : StateWithin(character, have);
  }

 private:
  static uint32_t SizeOf(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4; }

  static bool MayBecomeValid(const uint8_t* character, uint32_t have) {
    const uint8_t lead = character[0];
    if (lead < 0x80) return true;
    if (lead < 0xc0 || lead >= 0xf8) return false;
    const uint32_t size = SizeOf(lead);
    uint32_t lowest = lead & (0x7f >> size);
    for (uint32_t at = 1; at < have; at++) {
      if (character[at] < 0x80 || character[at] > 0xbf) return false;
      lowest = lowest << 6 | (character[at] & 0x3f);
    }
    const uint32_t missing = 6 * (size - have);
    lowest <<= missing;
    const uint32_t highest = lowest | ((1u << missing) - 1);
    constexpr uint32_t kLeast[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (highest < kLeast[size] || lowest > 0x10ffff) return false;
    return !(lowest >= 0xd800 && highest <= 0xdfff);
  }

  static uint32_t StateWithin(const uint8_t* character, uint32_t have) {
    switch (have == 1 ? character[0] : 0) {
      case 0xe0: return 5;
      case 0xed: return 6;
      case 0xf0: return 7;
      case 0xf4: return 8;
    }
    return 1 + SizeOf(character[0]) - have;
  }
};

// RFC 6455 §5.2, in the order in which the contract wants its rules checked.
inline size_t PlainScan(uint8_t* chunk, size_t from, size_t to, int32_t* table, size_t places, uint32_t rules,
                        double limit) {
  size_t rows = 0;
  size_t at = from;
  int32_t status = kEnd;
  uint32_t partial_key = 0;
  uint64_t partial_total = 0;
  while (status == kEnd && at < to) {
    if (kBatchRows + kRowSize * (rows + 1) > places) {
      status = kFull;
      break;
    }
    const std::vector<uint8_t> header(chunk + at, chunk + (to - at < 14 ? to : at + 14));
    const bool fin = (header[0] & 0x80) != 0;
    const uint32_t rsv = header[0] & 0x70;
    const uint32_t opcode = header[0] & 0x0f;
    const bool is_control = opcode >= 8;
    if ((rsv & (rules & 0x70)) != rsv) {
      status = kReservedBits;
      break;
    }
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11) {
      status = kReservedOpcode;
      break;
    }
    if (is_control && rsv != 0) {
      status = kReservedBits;
      break;
    }
    if (is_control && !fin) {
      status = kFragmentedControl;
      break;
    }

    if (header.size() < 2) break;
    const bool is_masked = (header[1] & 0x80) != 0;
    const bool wants_mask = (rules & kExpectMask) != 0;
    if (is_masked != wants_mask) {
      status = wants_mask ? kMaskRequired : kMaskForbidden;
      break;
    }
    uint64_t length = header[1] & 0x7f;
    size_t size = 2;
    if (length >= 126) {
      if (is_control) {
        status = kControlTooLong;
        break;
      }
      const bool is_short = length == 126;
      size = is_short ? 4 : 10;
      if (header.size() < size) break;
      length = 0;
      for (size_t i = 2; i < size; i++) length = length * 256 + header[i];
      if (length >= uint64_t{1} << 63) {
        status = kLengthReservedBit;
        break;
      }
      if (length < (is_short ? 126u : 65536u)) {
        status = kLengthNotMinimal;
        break;
      }
    }
    if (length > 9007199254740991 || static_cast<double>(length) > limit) {
      status = kFrameTooLarge;
      break;
    }
    uint32_t key = 0;
    if (is_masked) {
      size += 4;
      if (header.size() < size) break;
      for (size_t i = 1; i <= 4; i++) key = key << 8 | header[size - i];
    }

    const size_t start = at + size;
    const bool is_whole = length <= to - start;
    const size_t there = is_whole ? static_cast<size_t>(length) : to - start;
    int32_t meta = header[0];
    if (!is_whole) {
      meta |= kMetaPartial;
      status = kPartial;
      partial_key = key;
      partial_total = length;
    } else {
      if (is_masked) PlainMask(chunk + start, there, key, 0);
      if (fin && rsv == 0 && opcode == 1) {
        int32_t text = kTextAscii;
        for (size_t i = 0; i < there; i++) {
          if (chunk[start + i] >= 0x80) text = kTextUtf8;
        }
        if (PlainUtf8::Validate(chunk + start, there, kUtf8Accept) != kUtf8Accept) text = kTextInvalid;
        meta |= text;
      }
    }
    int32_t* const row = table + kBatchRows + kRowSize * rows++;
    row[0] = meta;
    row[1] = static_cast<int32_t>(start);
    row[2] = static_cast<int32_t>(there);
    at = start + there;
  }
  table[kBatchStatus] = status;
  table[kBatchConsumed] = static_cast<int32_t>(at);
  table[kBatchKey] = static_cast<int32_t>(partial_key);
  table[kBatchTotalLow] = static_cast<int32_t>(static_cast<uint32_t>(partial_total));
  table[kBatchTotalHigh] = static_cast<int32_t>(static_cast<uint32_t>(partial_total >> 32));
  return rows;
}

}  // namespace millrace

#endif  // MILLRACE_FUZZ_REFERENCE_H_
